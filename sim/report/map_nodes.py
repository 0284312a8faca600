"""What stands around the sites of the map and is seen close by: single nodes, and the lines between them."""

from __future__ import annotations

from dataclasses import dataclass

from sim.results import NetworkTable


@dataclass(frozen=True)
class MapNode:
    """A node that is not the foremost of its site.

    Attributes
    ----------
    name, label_zh, kind : str
    site : int
        Place of its site on the map.
    """

    name: str
    label_zh: str
    kind: str
    site: int


@dataclass(frozen=True)
class Twig:
    """All lines of one carrier between two nodes, neither a line between two sites.

    Attributes
    ----------
    a, b : int
        Places in the map's nodes, or -1 - s for the foremost node of site s.
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
class Surroundings:
    """Nodes and twigs, and where the network's nodes and lines are among them.

    Attributes
    ----------
    nodes : tuple of MapNode
    twigs : tuple of Twig
    place_of_node : dict of int to int
        Place in `nodes`, or -1 - s for the foremost node of site s, by node index.
    row_of_line : dict of int to tuple of int and bool
        Place in `twigs` by line index, and whether the line leads from a to b.
    """

    nodes: tuple[MapNode, ...]
    twigs: tuple[Twig, ...]
    place_of_node: dict[int, int]
    row_of_line: dict[int, tuple[int, bool]]


NOBODY = Surroundings((), (), {}, {})


def surroundings(
    network: NetworkTable, site_of_node: list[int], foremost: list[int], mapped_lines: set[int]
) -> Surroundings:
    """Find them.

    Parameters
    ----------
    network : NetworkTable
    site_of_node : list of int, length N
        Site of each node that the map aggregates; below 0 for the others, which stand where the node's own site number
        says, or else at the first of their neighbours.
    foremost : list of int, length V
        Node that stands for each site.
    mapped_lines : set of int
        Lines that the map shows between sites.
    """
    table, lines = network.nodes, network.lines
    sites = list(site_of_node)
    by_number = {table.site[node]: site for node, site in enumerate(site_of_node) if site >= 0}
    neighbour: dict[int, int] = {}
    for source, target in zip(lines.source, lines.target, strict=True):
        for one, other in ((source, target), (target, source)):
            if site_of_node[other] >= 0:
                neighbour.setdefault(one, site_of_node[other])
    place = {node: -1 - site for site, node in enumerate(foremost)}
    nodes: list[MapNode] = []
    for node, known in enumerate(sites):
        site = known if known >= 0 else by_number.get(table.site[node], neighbour.get(node, -1))
        if site < 0 or node in place:
            continue
        place[node] = len(nodes)
        nodes.append(MapNode(table.name[node], table.label_zh[node], table.kind[node], site))
    found: dict[tuple[int, int, str | None], list[tuple[int, bool]]] = {}
    for line, (source, target) in enumerate(zip(lines.source, lines.target, strict=True)):
        if line in mapped_lines or source == target or source not in place or target not in place:
            continue
        key = (min(source, target), max(source, target), lines.carrier[line])
        found.setdefault(key, []).append((line, source < target))
    twigs: list[Twig] = []
    rows: dict[int, tuple[int, bool]] = {}
    for (a, b, carrier), members in found.items():
        rows |= {line: (len(twigs), forward) for line, forward in members}
        rates = [sum(lines.rate_mbps[line] for line, way in members if way == forward) for forward in (True, False)]
        twigs.append(Twig(place[a], place[b], carrier, rates[0], rates[1]))
    return Surroundings(tuple(nodes), tuple(twigs), place, rows)
