"""What can fail: lines, carriers, nodes, pools, each as the stations and pools that stop together; and pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.network import NO_STATION, Network
from router_core.randomness import stream
from router_core.vocabulary import NodeKind
from sim.report.blocks import Words

KINDS: Final = {
    "line": Words("line between sites", "站点间线路"),
    "inner": Words("line inside a site", "站点内线路"),
    "carrier": Words("carrier", "运营商"),
    "carrier-at": Words("carrier at one site", "单站点运营商"),
    "router": Words("router", "路由器"),
    "centre": Words("centre", "中心节点"),
    "process": Words("processing of a centre", "中心处理"),
    "gateway": Words("gateway or crossing", "网关或跨区交换"),
    "pool": Words("cloud pool", "云资源池"),
    "access": Words("access line", "接入线路"),
    "endpoint": Words("front-end", "前置节点"),
}
# Access lines and front-ends are many and say little: each cuts off itself.
USUAL: Final = ("line", "inner", "carrier", "router", "centre", "process", "gateway", "pool")
_NODE_KINDS: Final = {
    NodeKind.ROUTER: "router",
    NodeKind.CENTRE: "centre",
    NodeKind.CROSSING: "gateway",
    NodeKind.GATEWAY: "gateway",
    NodeKind.FRONT_END: "endpoint",
    NodeKind.EXTERNAL: "endpoint",
}


@dataclass(frozen=True)
class Element:
    """One thing that fails as a whole.

    Attributes
    ----------
    kind : str
        A key of `KINDS`.
    name : str
        Unique within its kind.
    stations : tuple of int
        What stops, ascending.
    pools : tuple of int
        What lends no more.
    """

    kind: str
    name: str
    stations: tuple[int, ...]
    pools: tuple[int, ...] = ()

    def holds(self, other: Element) -> bool:
        """Whether all that the other one stops is stopped by this one too."""
        return set(other.stations) <= set(self.stations) and set(other.pools) <= set(self.pools)


@dataclass(frozen=True)
class Failure:
    """One or two elements that fail together; `members`: their places in the list of elements."""

    members: tuple[int, ...]
    elements: tuple[Element, ...]

    @property
    def name(self) -> str:
        """What fails, in words."""
        return " + ".join(one.name for one in self.elements)

    @property
    def stations(self) -> tuple[int, ...]:
        """All that stops, ascending."""
        return tuple(sorted({station for one in self.elements for station in one.stations}))

    @property
    def pools(self) -> tuple[int, ...]:
        """All pools that lend no more, ascending."""
        return tuple(sorted({pool for one in self.elements for pool in one.pools}))


def chosen_kinds(text: str | None) -> tuple[str, ...]:
    """Return the kinds that an option names: a list with commas, ``all``, or what is usual.

    Raises
    ------
    BadInputError
        For a kind that is not known.
    """
    if text is None:
        return USUAL
    if text == "all":
        return tuple(KINDS)
    named = tuple(part.strip() for part in text.split(","))
    for kind in named:
        if kind not in KINDS:
            raise BadInputError("--kinds", f"must be `all`, or of {', '.join(KINDS)}", kind)
    return tuple(kind for kind in KINDS if kind in named)


def elements_of(network: Network, kinds: Sequence[str]) -> tuple[Element, ...]:
    """Return every element of some kinds, in the order of `KINDS`, then of the network.

    A line's element is its cable: both directions. A centre is its whole node, what passes and what is processed; its
    processing alone is an element too. A carrier at one site is one only where it has several lines there, and more
    elsewhere.
    """
    found: dict[str, list[Element]] = {kind: [] for kind in KINDS}
    _lines(network, found)
    for node, (name, kind) in enumerate(zip(network.node_name, network.node_kind.tolist(), strict=True)):
        process = int(network.node_process_station[node])
        own = (int(network.node_station[node]), *(() if process == NO_STATION else (process,)))
        where = _NODE_KINDS[NodeKind(kind)]
        found[where].append(Element(where, name, tuple(sorted(own))))
        if process != NO_STATION:
            found["process"].append(Element("process", f"{name}/process", (process,)))
    for place, pool in enumerate(network.pools):
        found["pool"].append(Element("pool", pool.name, (), (place,)))
    return tuple(element for kind in KINDS if kind in kinds for element in found[kind])


def _lines(network: Network, found: dict[str, list[Element]]) -> None:
    source, target, site = network.line_source, network.line_target, network.node_site
    touching = network.is_endpoint[source] | network.is_endpoint[target]
    inside = site[source] == site[target]
    _, first = np.unique(network.line_cable, return_index=True)
    for line in first.tolist():
        cable = network.line_cable == network.line_cable[line]
        kind = "access" if touching[line] else "inner" if inside[line] else "line"
        name = network.station_name[int(network.line_station[line])].replace(">", "=")
        found[kind].append(Element(kind, name, _stations(network, cable)))
    for carrier, name in enumerate(network.carriers):
        own = network.line_carrier == carrier
        if not own.any():
            continue
        found["carrier"].append(Element("carrier", name, _stations(network, own)))
        for place in np.unique(np.concatenate((site[source[own]], site[target[own]]))).tolist():
            here = own & ((site[source] == place) | (site[target] == place))
            some = len(np.unique(network.line_cable[here]))
            if 1 < some < len(np.unique(network.line_cable[own])):
                label = f"{name} at {_site_name(network, place)}"
                found["carrier-at"].append(Element("carrier-at", label, _stations(network, here)))


def _stations(network: Network, lines: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(sorted(set(network.line_station[lines].tolist())))


def _site_name(network: Network, site: int) -> str:
    """Name a site by its foremost node: its first centre, or else its first node."""
    here = np.flatnonzero(network.node_site == site)
    centres = here[network.node_kind[here] == NodeKind.CENTRE]
    return network.node_name[int((centres if len(centres) else here)[0])]


def singles(elements: Sequence[Element]) -> tuple[Failure, ...]:
    """Every element by itself."""
    return tuple(Failure((place,), (element,)) for place, element in enumerate(elements))


@dataclass(frozen=True)
class Pairs:
    """Pairs of elements that fail together.

    Attributes
    ----------
    failures : tuple of Failure
        In order of their members.
    population : int
        How many pairs there are of which none holds the other: those are no failures of their own.
    whole : bool
        Whether these are all of them; else they were drawn from them, each with equal chance, none twice.
    """

    failures: tuple[Failure, ...]
    population: int
    whole: bool


def pairs_of(elements: Sequence[Element], count: int | None, seed: int) -> Pairs:
    """Return all pairs, or so many drawn ones.

    Parameters
    ----------
    elements : sequence of Element
    count : int or None
        None: all.
    seed : int
    """
    nested = _nested(elements)
    population = comb(len(elements), 2) - len(nested)
    chosen: list[tuple[int, int]]
    if count is None or count >= population:
        chosen = [pair for pair in combinations(range(len(elements)), 2) if pair not in nested]
    elif count > population // 4:
        every = [pair for pair in combinations(range(len(elements)), 2) if pair not in nested]
        picked = stream(seed, "survive.pairs").choice(len(every), count, replace=False)
        chosen = sorted(every[place] for place in picked.tolist())
    else:
        # Few of many: whoever is drawn again or is no pair is drawn anew, which leaves all others equal chances.
        random, drawn = stream(seed, "survive.pairs"), set[tuple[int, int]]()
        while len(drawn) < count:
            a, b = sorted(random.integers(len(elements), size=2).tolist())
            if a != b and (a, b) not in nested:
                drawn.add((a, b))
        chosen = sorted(drawn)
    failures = tuple(Failure(pair, (elements[pair[0]], elements[pair[1]])) for pair in chosen)
    return Pairs(failures, population, len(failures) == population)


def _nested(elements: Sequence[Element]) -> set[tuple[int, int]]:
    """Pairs of which one holds the other."""
    of_part: dict[tuple[str, int], list[int]] = {}
    for place, element in enumerate(elements):
        for station in element.stations:
            of_part.setdefault(("station", station), []).append(place)
        for pool in element.pools:
            of_part.setdefault(("pool", pool), []).append(place)
    sharing = {pair for places in of_part.values() for pair in combinations(places, 2)}
    return {(a, b) for a, b in sharing if elements[a].holds(elements[b]) or elements[b].holds(elements[a])}
