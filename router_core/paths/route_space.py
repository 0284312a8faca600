"""Where routes run: a graph whose arcs are stations, the ends that it joins, and what can fail together.

One shape for the platform, where an exchange visits nodes, processing and lines, and for a published topology, where it
visits lines alone: all path and split algorithms work on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.network import NO_CARRIER, Network, frozen
from router_core.routing_graph import ARRIVED, READY_PROCESSED, STATES, RoutingGraph, compressed, routing_graph
from router_core.units import service_ns
from router_core.vocabulary import NodeKind

REFERENCE_BYTES: Final = 1_000_000
# Costs of the slowest line where only capacities are known: fine enough for ratios of 1e9, small enough to sum 2**20.
SLOWEST_COST: Final = 2**40
COST_MAX: Final = 2**42


@dataclass(frozen=True, eq=False)
class Risks:
    """Groups of stations that fail together (shared risk groups): a cable, a carrier, a node.

    Attributes
    ----------
    name : tuple of str, length R
    start : int64 (R + 1,)
        Stations of risk r: ``station[start[r]:start[r + 1]]``, ascending.
    station : int32
    """

    name: tuple[str, ...]
    start: NDArray[np.int64]
    station: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.name)

    def stations(self, risk: int) -> NDArray[np.int32]:
        """Stations that fail with this risk."""
        return self.station[self.start[risk] : self.start[risk + 1]]


@dataclass(frozen=True, eq=False)
class RouteSpace:
    """A graph whose arcs are stations; every path from an entry to an exit is a lawful way. Arrays are read-only.

    G ends, S stations, V states.

    Attributes
    ----------
    graph : RoutingGraph
    entry, exit : int64 (G,)
        State where the ways from an end begin, and state where the ways to it end. They may be the same state.
    end_name : tuple of str, length G
    station_name : tuple of str, length S
    station_cost : int64 (S,)
        What "short" means, 1 .. `COST_MAX`: the time of a reference exchange without load [ns] on the platform, the
        inverse capacity of a published topology. Ties between plans go to the cheaper paths.
    risks : Risks
        Every single failure that path sets try to survive.
    """

    graph: RoutingGraph
    entry: NDArray[np.int64]
    exit: NDArray[np.int64]
    end_name: tuple[str, ...]
    station_name: tuple[str, ...]
    station_cost: NDArray[np.int64]
    risks: Risks

    @property
    def end_count(self) -> int:
        """Number of ends G."""
        return len(self.end_name)

    @property
    def station_count(self) -> int:
        """Number of stations S."""
        return len(self.station_name)

    def all_pairs(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return sources and targets, int32 (D,), of all ordered pairs with a way to go, by source.

        On a topology these are the pairs of different nodes; on the platform a group of endpoints also has ways to
        itself, as its exchanges pass a centre like any other.
        """
        source, target = np.nonzero(self.entry[:, None] != self.exit[None, :])
        return source.astype(np.int32), target.astype(np.int32)

    def pair_name(self, source: int, target: int) -> str:
        """Name a pair for a message."""
        return f"{self.end_name[source]} - {self.end_name[target]}"


def inverse_capacity(capacity: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return whole costs in proportion to 1 / capacity, (S,); a line of capacity 0 costs `COST_MAX`."""
    open_ones = capacity > 0
    slowest = capacity[open_ones].min() if open_ones.any() else 1.0
    ratio = np.divide(slowest, capacity, out=np.ones_like(capacity), where=open_ones)
    cost = np.maximum(np.rint(SLOWEST_COST * ratio), 1).astype(np.int64)
    return np.where(open_ones, cost, COST_MAX)


def space_of_lines(
    names: Sequence[str],
    ends: NDArray[np.integer],
    capacity: NDArray[np.floating],
    cost: NDArray[np.integer] | None = None,
    cable: NDArray[np.integer] | None = None,
    carrier: NDArray[np.integer] | None = None,
) -> RouteSpace:
    """Describe a topology of nodes and directed lines; every node is an end, and lines are the only stations.

    Parameters
    ----------
    names : n unique names of nodes
    ends : int (L, 2)
        Tail and head of each line; parallel lines are welcome.
    capacity : float (L,)
        Finite, >= 0, in the unit of the demand; a line of capacity 0 is known but carries nothing.
    cost : int (L,), optional
        1 .. `COST_MAX`; inverse capacity if not given.
    cable : int (L,), optional
        Lines of one number fail together. By default the i-th line from a to b shares its cable with the i-th back.
    carrier : int (L,), optional
        Lines of one number >= 0 fail together; -1 is nobody's line.

    Raises
    ------
    BadInputError
        Naming the line, the rule and the value.
    """
    count = len(names)
    lines = np.asarray(ends, dtype=np.int64).reshape(-1, 2)
    rates = np.asarray(capacity, dtype=np.float64)
    labels = tuple(f"{names[a]}>{names[b]}#{line}" for line, (a, b) in enumerate(lines.tolist()))
    for rule, broken in (("must be finite", ~np.isfinite(rates)), ("must not be negative", rates < 0)):
        if broken.any():
            line = int(np.flatnonzero(broken)[0])
            raise BadInputError(f"capacity of line {labels[line]}", rule, float(rates[line]))
    costs = inverse_capacity(rates) if cost is None else np.asarray(cost, dtype=np.int64)
    outside = np.flatnonzero((costs < 1) | (costs > COST_MAX))
    if len(outside):
        line = int(outside[0])
        raise BadInputError(f"cost of line {labels[line]}", f"must lie in 1..{COST_MAX}", int(costs[line]))
    used = np.flatnonzero(rates > 0)
    groups: list[tuple[str, NDArray[np.integer]]] = []
    cables = _cables(lines) if cable is None else np.asarray(cable)
    groups += [(f"cable {labels[int(found[0])]}", found) for found in _groups(cables)]
    if carrier is not None:
        groups += [
            (f"carrier {number}", np.flatnonzero(carrier == number)) for number in np.unique(carrier) if number >= 0
        ]
    groups += [(f"node {name}", np.flatnonzero((lines == node).any(axis=1))) for node, name in enumerate(names)]
    graph = compressed(lines[used, 0], lines[used, 1], used, count)
    return RouteSpace(
        graph=graph,
        entry=frozen(range(count), np.int64),
        exit=frozen(range(count), np.int64),
        end_name=tuple(names),
        station_name=labels,
        station_cost=frozen(costs, np.int64),
        risks=_risks(groups, graph.arc_station),
    )


def space_of_network(network: Network) -> RouteSpace:
    """Describe the platform: ends are the groups of endpoints, a way is a trunk between two of their homes.

    A group with several homes enters and leaves by the access lines of its first endpoint; a group with one home begins
    and ends at that home, as no routing changes its access line. Costs are the unloaded times for 1 MB, propagation
    included.
    """
    entry, leave, more = [], [], []
    for homes, endpoint in zip(network.groups, network.group_endpoint, strict=True):
        if len(homes) == 1:
            entry.append(STATES * homes[0] + ARRIVED)
            leave.append(STATES * homes[0] + READY_PROCESSED)
            continue
        # An endpoint is never transit, so its own states are free for this.
        entry.append(STATES * endpoint + ARRIVED)
        leave.append(STATES * endpoint + READY_PROCESSED)
        for home in homes:
            more.append((entry[-1], STATES * home + ARRIVED, network.access_station[endpoint, home]))
            more.append((STATES * home + READY_PROCESSED, leave[-1], network.access_station[home, endpoint]))
    cost = service_ns(network.station_fixed_ns, network.station_ps_per_byte, REFERENCE_BYTES) + network.station_after_ns
    lines = network.line_station
    groups = [
        (f"cable {network.station_name[int(lines[found[0]])]}", lines[found]) for found in _groups(network.line_cable)
    ]
    groups += [
        (f"carrier {name}", lines[network.line_carrier == number])
        for number, name in enumerate(network.carriers)
        if number != NO_CARRIER
    ]
    for node in network.nodes_of(*(kind for kind in NodeKind)).tolist():
        if not network.is_endpoint[node]:
            own = [int(network.node_station[node]), int(network.node_process_station[node])]
            touching = lines[(network.line_source == node) | (network.line_target == node)]
            stations = np.array([station for station in own if station >= 0] + touching.tolist())
            groups.append((f"node {network.node_name[node]}", stations))
    graph = routing_graph(network).extended(more)
    return RouteSpace(
        graph=graph,
        entry=frozen(entry, np.int64),
        exit=frozen(leave, np.int64),
        end_name=tuple(network.node_name[endpoint] for endpoint in network.group_endpoint),
        station_name=network.station_name,
        station_cost=frozen(cost, np.int64),
        risks=_risks(groups, graph.arc_station),
    )


def _cables(lines: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pair each line with one that goes back, both numbered in order among those of the same ends."""
    seen: dict[tuple[int, int], int] = {}
    number: dict[tuple[int, int, int], int] = {}
    result = []
    for a, b in lines.tolist():
        nth = seen[a, b] = seen.get((a, b), -1) + 1
        result.append(number.setdefault((min(a, b), max(a, b), nth), len(number)))
    return np.array(result, dtype=np.int64)


def _groups(number: NDArray[np.integer]) -> list[NDArray[np.intp]]:
    """Positions of each number, in order of the numbers."""
    order = np.argsort(number, kind="stable")
    borders = np.flatnonzero(np.diff(number[order])) + 1
    return [found for found in np.split(order, borders) if len(found)]


def _risks(groups: Sequence[tuple[str, NDArray[np.integer]]], used: NDArray[np.integer]) -> Risks:
    """Gather the groups that touch any way."""
    # A mask, as a nation has tens of thousands of groups and of stations.
    in_use = np.zeros(max((int(stations.max(initial=-1)) + 1 for _, stations in groups), default=0), dtype=np.bool_)
    in_use[used[used < len(in_use)]] = True
    touching = [(name, np.unique(stations[in_use[stations]])) for name, stations in groups]
    kept = [(name, stations) for name, stations in touching if len(stations)]
    start = np.cumsum([0, *(len(stations) for _, stations in kept)])
    flat = np.concatenate([stations for _, stations in kept]) if kept else np.empty(0)
    return Risks(tuple(name for name, _ in kept), frozen(start, np.int64), frozen(flat, np.int32))
