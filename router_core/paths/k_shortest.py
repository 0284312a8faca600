"""The k cheapest loopless paths of each pair.

Sources: J. Y. Yen, "Finding the K Shortest Loopless Paths in a Network", Management Science 17, 1971; E. L. Lawler,
"A Procedure for Computing the K Best Solutions to Discrete Optimization Problems", Management Science 18, 1972; the
candidate that is looked at late, A. Al Zoobi, D. Coudert, N. Nisse, "Space and Time Trade-Off for the k Shortest Simple
Paths Problem", SEA 2020.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.kernels.shortest_paths import k_shortest_paths
from router_core.paths.pairs import Ends, checked_count, checked_pairs, set_of_arcs
from router_core.paths.path_set import PathSet
from router_core.paths.route_space import RouteSpace
from router_core.routing_graph import RoutingGraph


def k_shortest(space: RouteSpace, k: int, source: Ends | None = None, target: Ends | None = None) -> PathSet:
    """Return up to k cheapest paths of each pair in which no state occurs twice.

    Parameters
    ----------
    space : RouteSpace
        Parallel lines are different paths; so are the same lines with the processing elsewhere.
    k : int
        At least 1. A pair that has fewer paths gets all of them.
    source, target : int (D,), optional
        Ends of each pair; all pairs with a way to go by default.

    Returns
    -------
    PathSet
        Paths of a pair by cost, then by number of stations; those equal in both, and which of them is left out, in an
        order that depends on the graph and the order of its arcs alone. Costs are exact.

    Raises
    ------
    BadInputError
        If k or a pair is not as above, or if costs are so large that sums over a path do not fit 63 bits.
    """
    count = checked_count("k", k)
    sources, targets = checked_pairs(space, source, target)
    arc_cost = ordered_cost(space)
    entering = arcs_by_head(space.graph)
    entry, leave = space.entry[sources], space.exit[targets]
    found = k_shortest_paths(
        space.graph.arc_start,
        space.graph.arc_tail,
        space.graph.arc_head,
        arc_cost,
        entering.start,
        entering.arc,
        entry,
        leave,
        np.argsort(leave, kind="stable"),
        count,
    )
    return set_of_arcs(space, sources, targets, *found)


@dataclass(frozen=True, eq=False)
class Entering:
    """Arcs by the state that they enter: ``arc[start[x]:start[x + 1]]``, ascending."""

    start: NDArray[np.int64]
    arc: NDArray[np.int32]


def arcs_by_head(graph: RoutingGraph) -> Entering:
    """Sort a graph's arcs by their heads."""
    counts = np.bincount(graph.arc_head, minlength=graph.state_count)
    return Entering(
        np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        np.argsort(graph.arc_head, kind="stable").astype(np.int32),
    )


def ordered_cost(space: RouteSpace) -> NDArray[np.int64]:
    """Return a cost of each arc, int64 (A,), whose sums order paths by cost and then by number of stations.

    Raises
    ------
    BadInputError
        If the sum over some path may not fit 63 bits.
    """
    graph = space.graph
    bits = graph.state_count.bit_length()
    cost = space.station_cost[graph.arc_station]
    # A loopless path leaves each state at most once. Python's integers, as the sum may be what does not fit.
    dearest = np.zeros(graph.state_count, dtype=np.int64)
    np.maximum.at(dearest, graph.arc_tail, cost)
    longest = sum(dearest.tolist()) + graph.state_count
    if longest << bits >= 2**63 - 1:
        raise BadInputError("station_cost", f"of a path must sum to less than 2**{63 - bits}", longest)
    return (cost << bits) + 1
