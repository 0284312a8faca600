"""The map: sites instead of nodes, and between two sites one edge for each carrier; close by, the nodes themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.vocabulary import Level, NodeKind, StationRole
from sim.report.map_nodes import NOBODY, MapNode, Surroundings, Twig, surroundings
from sim.results import NetworkTable, word

# Endpoints hang on their centres and would only hide them: an exchange of 640 front-ends has 56 sites.
MAPPED_KINDS: Final = tuple(word(k) for k in (NodeKind.CENTRE, NodeKind.GATEWAY, NodeKind.CROSSING, NodeKind.ROUTER))
NOT_ON_MAP: Final = -1
# Sites closer than this share of the map's diagonal are moved apart, so that the province's centre and the centre of
# the city where it stands are two points.
APART: Final = 0.022
# Sites farther out than this share of the centres' extent (a gateway in the capital) are drawn at the border.
MARGIN: Final = 0.12


@dataclass(frozen=True)
class Site:
    """What the map shows as one point, named after its foremost node.

    Attributes
    ----------
    name, label_zh, kind, level : str
        Of the foremost node: the first centre, else gateway, crossing, router.
    nodes : int
        Nodes at the site that are on the map.
    x, y : float
        Longitude and latitude [degrees], moved where points would coincide.
    """

    name: str
    label_zh: str
    kind: str
    level: str
    nodes: int
    x: float
    y: float


@dataclass(frozen=True)
class Edge:
    """All lines of one carrier between two sites.

    Attributes
    ----------
    a, b : int
        Sites, a < b.
    carrier : str or None
    there_mbps, back_mbps : float
        Sum of the rates from a to b, and from b to a [Mbit/s].
    """

    a: int
    b: int
    carrier: str | None
    there_mbps: float
    back_mbps: float


@dataclass(frozen=True, eq=False)
class ProvinceMap:
    """Sites, edges, and the row of the load table in which each station counts.

    Attributes
    ----------
    sites : tuple of Site, length V
    edges : tuple of Edge, length E
        Ordered by a, b, carrier.
    nodes : tuple of MapNode, length N
        What stands around the sites.
    twigs : tuple of Twig, length T
        Lines that touch such a node.
    node_place : dict of int to int
        Place in `nodes`, or -1 - s for the foremost node of site s, by node index of the network.
    station_row : int32 (S,)
        Row of a table with 2 E + V + N + 2 T rows: the edges from a to b, then from b to a, the foremost nodes of the
        sites, the nodes around them, the twigs from a to b, then from b to a; `NOT_ON_MAP` for a station that the map
        does not show.
    """

    sites: tuple[Site, ...]
    edges: tuple[Edge, ...]
    nodes: tuple[MapNode, ...]
    twigs: tuple[Twig, ...]
    node_place: dict[int, int]
    station_row: NDArray[np.int32]

    @property
    def row_count(self) -> int:
        """Number of rows of the load table."""
        return 2 * len(self.edges) + len(self.sites) + len(self.nodes) + 2 * len(self.twigs)


def province_map(network: NetworkTable, near: bool = True) -> ProvinceMap:
    """Aggregate a network to the sites and edges of its map.

    Parameters
    ----------
    network : NetworkTable
    near : bool
        Whether single nodes are on the map too; without, a nation fits into a file.
    """
    site_of_node, foremost = _sites(network)
    edges, row_of_line = _edges(network, site_of_node)
    around = surroundings(network, site_of_node, foremost, set(row_of_line)) if near else NOBODY
    station_row = _station_rows(network, len(edges), foremost, row_of_line, around)
    nodes = network.nodes
    xy = _laid_out(np.array([nodes.xy[node] for node in foremost]).reshape(-1, 2), _central(network, foremost))
    sizes = np.bincount([site for site in site_of_node if site != NOT_ON_MAP], minlength=len(foremost))
    sites = tuple(
        Site(
            name=nodes.name[node],
            label_zh=nodes.label_zh[node],
            kind=nodes.kind[node],
            level=nodes.level[node],
            nodes=int(sizes[site]),
            x=round(float(xy[site, 0]), 4),
            y=round(float(xy[site, 1]), 4),
        )
        for site, node in enumerate(foremost)
    )
    node_place = around.place_of_node or {node: -1 - site for site, node in enumerate(foremost)}
    return ProvinceMap(sites, edges, around.nodes, around.twigs, node_place, station_row)


def _station_rows(
    network: NetworkTable, edges: int, foremost: list[int], row_of_line: dict[int, int], around: Surroundings
) -> NDArray[np.int32]:
    first_node = 2 * edges + len(foremost)
    first_twig = first_node + len(around.nodes)
    row_of_node = {node: 2 * edges + site for site, node in enumerate(foremost)}
    row_of_node |= {node: first_node + place for node, place in around.place_of_node.items() if place >= 0}
    rows = dict(row_of_line)
    for line, (twig, forward) in around.row_of_line.items():
        rows[line] = first_twig + twig + (0 if forward else len(around.twigs))
    station_row = np.full(len(network.stations.name), NOT_ON_MAP, dtype=np.int32)
    for station, (role, owner) in enumerate(zip(network.stations.role, network.stations.owner, strict=True)):
        found = rows if role == word(StationRole.LINE) else row_of_node
        station_row[station] = found.get(owner, NOT_ON_MAP)
    return station_row


def _sites(network: NetworkTable) -> tuple[list[int], list[int]]:
    """Return each node's site on the map, and each site's foremost node; sites in the order of their first node."""
    nodes = network.nodes
    index: dict[int, int] = {}
    foremost: list[int] = []
    site_of_node: list[int] = []
    for node, (kind, number) in enumerate(zip(nodes.kind, nodes.site, strict=True)):
        if kind not in MAPPED_KINDS:
            site_of_node.append(NOT_ON_MAP)
            continue
        site = index.setdefault(number, len(index))
        site_of_node.append(site)
        if site == len(foremost):
            foremost.append(node)
        elif MAPPED_KINDS.index(kind) < MAPPED_KINDS.index(nodes.kind[foremost[site]]):
            foremost[site] = node
    return site_of_node, foremost


def _edges(network: NetworkTable, site_of_node: list[int]) -> tuple[tuple[Edge, ...], dict[int, int]]:
    """Return the edges, and the load row of each line that belongs to one."""
    lines = network.lines
    found: dict[tuple[int, int, str, bool], list[tuple[int, bool]]] = {}
    for line, (source, target) in enumerate(zip(lines.source, lines.target, strict=True)):
        here, there = site_of_node[source], site_of_node[target]
        if NOT_ON_MAP in (here, there) or here == there:
            continue
        carrier = lines.carrier[line]
        key = (min(here, there), max(here, there), carrier or "", carrier is None)
        found.setdefault(key, []).append((line, here < there))
    edges: list[Edge] = []
    row_of_line: dict[int, int] = {}
    for (a, b, carrier, nobody), members in sorted(found.items()):
        for line, forward in members:
            row_of_line[line] = len(edges) if forward else len(edges) + len(found)
        rates = [sum(lines.rate_mbps[line] for line, forward in members if forward == way) for way in (True, False)]
        edges.append(Edge(a, b, None if nobody else carrier, rates[0], rates[1]))
    return tuple(edges), row_of_line


def _central(network: NetworkTable, foremost: list[int]) -> NDArray[np.bool_]:
    """Tell which sites set the map's extent: centres below the nation's level, or all if there are none."""
    nodes = network.nodes
    central = np.array(
        [nodes.kind[node] == word(NodeKind.CENTRE) and nodes.level[node] != word(Level.NATION) for node in foremost],
        dtype=np.bool_,
    )
    return central if central.any() else np.ones(len(foremost), dtype=np.bool_)


def _laid_out(xy: NDArray[np.float64], central: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Bring far sites to the border, then move apart those that coincide. Nothing is drawn at random."""
    from scipy.spatial import cKDTree  # noqa: PLC0415 - takes 0.2 s to import, which every command would pay

    if len(xy) == 0:
        return xy
    low, high = xy[central].min(axis=0), xy[central].max(axis=0)
    extent = np.maximum(high - low, 1e-3)
    placed: NDArray[np.float64] = np.clip(xy, low - MARGIN * extent, high + MARGIN * extent)
    apart = APART * float(np.hypot(*extent)) / max(1.0, np.sqrt(len(xy) / 60))
    # Exactly equal points get a direction each, the golden angle apart.
    angle = np.arange(len(xy)) * 2.399963
    placed = placed + 1e-3 * apart * np.stack((np.cos(angle), np.sin(angle)), axis=1)
    for _ in range(50):
        pairs = cKDTree(placed).query_pairs(apart, output_type="ndarray")
        if len(pairs) == 0:
            break
        pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
        gap = placed[pairs[:, 1]] - placed[pairs[:, 0]]
        distance = np.maximum(np.hypot(gap[:, 0], gap[:, 1]), 1e-12)[:, None]
        push = gap / distance * (1.02 * apart - distance) / 2
        np.add.at(placed, pairs[:, 1], push)
        np.add.at(placed, pairs[:, 0], -push)
    return placed
