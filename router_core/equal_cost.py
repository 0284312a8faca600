"""Equal-cost shortest paths by a static metric, as a network without a brain would route (OSPF with ECMP)."""

from __future__ import annotations

import heapq
from typing import Final

import numpy as np

from router_core.network import Network
from router_core.plan import Choice, Trunk
from router_core.routing_graph import ARRIVED, READY_PROCESSED, STATES, routing_graph
from router_core.units import service_ns
from router_core.vocabulary import StationRole

REFERENCE_BYTES: Final = 1_000_000
PATHS_MAX: Final = 8
INFINITE: Final = 2**62


class EqualCostPlan:
    """Splits evenly over the shortest trunks; with `paths_max` 1 it is plain shortest-path routing.

    The metric of a station is its time for 1 MB without propagation and without load: inverse capacity, as operators
    set it, so two carriers of one rate cost the same. Processing costs nothing in it: an exchange is processed at the
    first centre it meets. Answers are computed when first asked and kept; they depend on the network alone.

    Parameters
    ----------
    network : Network
    paths_max : int
        How many equal-cost trunks a pair keeps at most, at least 1; the first ones by station index.
    """

    def __init__(self, network: Network, paths_max: int = PATHS_MAX) -> None:
        if paths_max < 1:
            raise ValueError(f"paths_max must be at least 1, got {paths_max}")
        self.network = network
        self.paths_max = paths_max
        graph = routing_graph(network, process_at_first_centre=True)
        cost = service_ns(network.station_fixed_ns, network.station_ps_per_byte, REFERENCE_BYTES)
        cost = np.where(network.station_role == StationRole.PROCESS, 0, cost)
        self._station_cost: list[int] = cost.tolist()
        self._leaving: list[list[tuple[int, int, int]]] = [[] for _ in range(graph.state_count)]
        for tail, head, station in zip(
            graph.arc_tail.tolist(), graph.arc_head.tolist(), graph.arc_station.tolist(), strict=True
        ):
            self._leaving[tail].append((head, station, int(cost[station])))
        self._trees: dict[int, _Tree] = {}
        self._choices: dict[tuple[int, int], Choice | None] = {}

    def choice(self, source_group: int, target_group: int) -> Choice | None:
        """Ways from one group of endpoints to another, `None` if the network has none."""
        key = (source_group, target_group)
        if key not in self._choices:
            self._choices[key] = self._find(source_group, target_group)
        return self._choices[key]

    def _find(self, source_group: int, target_group: int) -> Choice | None:
        network = self.network
        source, target = network.group_endpoint[source_group], network.group_endpoint[target_group]
        pairs = [(first, last) for first in network.groups[source_group] for last in network.groups[target_group]]
        costs = [
            self._station_cost[network.access_station[source, first]]
            + self._tree(first).cost_of(STATES * last + READY_PROCESSED)
            + self._station_cost[network.access_station[last, target]]
            for first, last in pairs
        ]
        least = min(costs)
        if least >= INFINITE:
            return None
        trunks: list[Trunk] = []
        for (first, last), cost in zip(pairs, costs, strict=True):
            if cost == least:
                wanted = self.paths_max - len(trunks)
                ways = self._tree(first).ways(STATES * last + READY_PROCESSED, wanted)
                trunks.extend(Trunk(first, last, way) for way in ways)
        return Choice(tuple(trunks), (1,) * len(trunks))

    def _tree(self, home: int) -> _Tree:
        if home not in self._trees:
            self._trees[home] = _Tree(self._leaving, STATES * home + ARRIVED)
        return self._trees[home]


class _Tree:
    """Shortest paths from one state, found as far as they are asked for: most pairs of a nation lie in one province.

    `cost` holds tentative costs, and `entering` the arcs by which a path of that cost enters a state; both are final
    for states that cost no more than the nearest one in the queue.
    """

    def __init__(self, leaving: list[list[tuple[int, int, int]]], root: int) -> None:
        self.root = root
        self._leaving = leaving
        self._queue = [(0, root)]
        self._cost = {root: 0}
        self._entering: dict[int, list[tuple[int, int]]] = {}

    def cost_of(self, state: int) -> int:
        """Cost of the shortest paths to a state, `INFINITE` if there are none."""
        costs, entering, queue = self._cost, self._entering, self._queue
        while queue and queue[0][0] <= costs.get(state, INFINITE):
            cost, here = heapq.heappop(queue)
            if cost > costs[here]:
                continue
            for head, station, arc_cost in self._leaving[here]:
                total = cost + arc_cost
                known = costs.get(head, INFINITE)
                if total < known:
                    costs[head] = total
                    entering[head] = [(station, here)]
                    heapq.heappush(queue, (total, head))
                elif total == known:
                    entering[head].append((station, here))
        return costs.get(state, INFINITE)

    def ways(self, state: int, most: int) -> list[tuple[int, ...]]:
        """Up to `most` shortest paths to a state as station sequences, in order of their last stations' indices.

        `cost_of` must have been asked for the state.
        """
        found: list[tuple[int, ...]] = []
        stack: list[tuple[int, tuple[int, ...]]] = [(state, ())]
        while stack and len(found) < most:
            here, behind = stack.pop()
            if here == self.root:
                found.append(behind)
                continue
            stack.extend((tail, (station, *behind)) for station, tail in sorted(self._entering[here], reverse=True))
        return found
