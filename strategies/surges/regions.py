"""Regions: what hangs together below the top level of a network, by its lines alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from router_core.network import Network
from router_core.vocabulary import NodeKind

NO_REGION = -1


def regions(network: Network) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """Return names of regions, and the region of each group of endpoints, (G,); `NO_REGION` where it has none.

    The seats of regions are the sites with a centre on the level below the highest that has one; with a single level
    there are none. A site of a lower level belongs to the seat with the fewest lines between, never through the
    highest level; of equals to the first. A group belongs where its first home does.
    """
    groups = len(network.groups)
    found = np.full(groups, NO_REGION, dtype=np.int32)
    centres = network.nodes_of(NodeKind.CENTRE)
    levels = np.unique(network.node_level[centres])
    if len(levels) < 2:
        return (), found
    highest, seat_level = int(levels[0]), int(levels[1])
    seats = centres[network.node_level[centres] == seat_level]
    site, first = np.unique(network.node_site[seats], return_index=True)
    region_of_site = np.full(int(network.node_site.max()) + 1, NO_REGION, dtype=np.int32)
    region_of_site[site] = np.arange(len(site))
    names = tuple(network.node_name[node] for node in seats[first])
    # Only lines that touch neither the highest level nor an endpoint lead from a seat to what is below it.
    inner = ~network.is_endpoint & (network.node_level > highest)
    kept = inner[network.line_source] & inner[network.line_target]
    ends = network.line_source[kept], network.line_target[kept]
    graph = csr_matrix((np.ones(int(kept.sum())), ends), shape=(network.node_count, network.node_count))
    start = np.flatnonzero(inner & (region_of_site[network.node_site] >= 0) & (network.node_level == seat_level))
    distance = np.full((len(site), network.node_count), np.inf)
    for region in range(len(site)):
        own = start[region_of_site[network.node_site[start]] == region]
        distance[region] = dijkstra(graph, indices=own, unweighted=True, min_only=True)
    nearest = np.where(np.isfinite(distance).any(axis=0), distance.argmin(axis=0), NO_REGION)
    for group, homes in enumerate(network.groups):
        found[group] = nearest[homes[0]]
    return names, found
