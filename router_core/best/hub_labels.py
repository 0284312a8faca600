"""The tables of best routes between terminals of a routing graph, laid out for the kernels that keep them exact."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.best.checks import CLOSED, UNREACHABLE
from router_core.best.elimination import Elimination, least_degree
from router_core.kernels.hub_labels import FAR, distances, routes, solve, update
from router_core.network import frozen
from router_core.routing_graph import RoutingGraph

# Room for so many stations of routes at first: a thousand routes of a province.
_ROOM: Final = 2**14


class HubLabels:
    """Best ways from entries to exits of a graph whose arcs are stations; checks nothing, see `BestRoutes`.

    The states are eliminated in an order that depends on the graph alone. `solve` joins what remains above each state
    by ways over it. A best way then leads up the tree of the elimination and down again, so a label of each terminal
    with its distance to every state above it answers a pair by one pass over two short rows. Labels are made when first
    asked for; `update` makes anew what a station touches and forgets the labels below.

    Parameters
    ----------
    graph : RoutingGraph
    entry, exit : int (E,), (X,)
        States.
    station_count : int
    """

    def __init__(
        self, graph: RoutingGraph, entry: NDArray[np.integer], exit_: NDArray[np.integer], station_count: int
    ) -> None:
        terminals = np.concatenate((entry, exit_))
        used = np.unique(np.concatenate((graph.arc_tail, graph.arc_head, terminals)))
        tail, head = np.searchsorted(used, graph.arc_tail), np.searchsorted(used, graph.arc_head)
        order = least_degree(len(used), zip(tail.tolist(), head.tolist(), strict=True))
        low = np.repeat(np.arange(len(used)), np.diff(order.up_start))
        self.station_count = station_count
        self._entries = len(entry)
        self._lay_ways(order, low)
        self._lay_arcs(order, low, order.rank[tail], order.rank[head], graph.arc_station)
        self._lay_labels(order, order.rank[np.searchsorted(used, terminals)])
        # A best way visits each state at most once.
        self.limit = (FAR - 1) // (len(used) + 1)
        self.cost = np.full(station_count, CLOSED, dtype=np.int64)
        self.solve(self.cost)

    def _lay_ways(self, order: Elimination, low: NDArray[np.integer]) -> None:
        """List the pairs that the elimination joins, and for each the ones that it joins further."""
        up_start, up = order.up_start, order.up
        down = np.argsort(up, kind="stable")
        down_start = np.searchsorted(up[down], np.arange(len(up_start)))
        # Further states above low[p], behind up[p]; where up[p] is joined with them.
        after = up_start[low + 1] - np.arange(len(up)) - 1
        start = np.concatenate(([0], np.cumsum(after)))
        first = np.repeat(np.arange(len(up)), after)
        second = first + 1 + np.arange(len(first)) - start[first]
        count = len(up_start)
        key = low.astype(np.int64) * count + up
        triangle = np.searchsorted(key, up[first].astype(np.int64) * count + up[second])
        self._up_start, self._up, self._low = up_start, up, frozen(low, np.int32)
        self._ways = (
            up_start, self._low, frozen(down_start, np.int32), frozen(down, np.int32),
            frozen(start, np.int64), frozen(triangle, np.int32),
        )  # fmt: skip

    def _lay_arcs(
        self,
        order: Elimination,
        low: NDArray[np.integer],
        tail: NDArray[np.integer],
        head: NDArray[np.integer],
        station: NDArray[np.integer],
    ) -> None:
        """List the stations of each way, and where each station counts."""
        count = len(order.node)
        kept = tail != head
        tail, head, station = tail[kept].astype(np.int64), head[kept], station[kept]
        key = low.astype(np.int64) * count + order.up
        place = 2 * np.searchsorted(key, np.minimum(tail, head) * count + np.maximum(tail, head)) + (tail > head)
        by_place = np.lexsort((station, place))
        arc_start = np.searchsorted(place[by_place], np.arange(2 * len(low) + 1))
        by_station = np.argsort(station, kind="stable")
        station_start = np.searchsorted(station[by_station], np.arange(self.station_count + 1))
        self._arcs = (frozen(arc_start, np.int32), frozen(station[by_place], np.int32))
        self._stations = (frozen(station_start, np.int32), frozen(low[place[by_station] >> 1], np.int32))
        self._weight, self._via = np.empty((len(low), 2), dtype=np.int64), np.empty((len(low), 2), dtype=np.int32)

    def _lay_labels(self, order: Elimination, rank: NDArray[np.integer]) -> None:
        """Lay out the tree, the labels, and which of them lie below each state."""
        count = len(order.node)
        rises = np.diff(order.up_start) > 0
        parent = np.full(count, -1, dtype=np.int64)
        parent[rises] = order.up[order.up_start[:-1][rises]]
        depth, size = np.zeros(count, dtype=np.int64), np.ones(count, dtype=np.int64)
        for state in range(count):
            if parent[state] >= 0:
                size[parent[state]] += size[state]
        # Number the tree so that what lies below a state follows it.
        number, vacant = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
        following = np.int64(0)
        for state in range(count - 1, -1, -1):
            above = parent[state]
            if above < 0:
                number[state] = following
                following += size[state]
            else:
                number[state], depth[state] = vacant[above], depth[above] + 1
                vacant[above] += size[state]
            vacant[state] = number[state] + 1
        ordered = np.argsort(number[rank], kind="stable")
        found = number[rank][ordered]
        reach = np.stack((np.searchsorted(found, number), np.searchsorted(found, number + size)), axis=1)
        start = np.concatenate(([0], np.cumsum(depth[rank] + 1)))
        chain = np.empty(start[-1], dtype=np.int32)
        at, left = rank.astype(np.int64), np.arange(len(rank))
        while len(left):
            chain[start[left] + depth[at]] = at
            left, at = left[parent[at] >= 0], parent[at][parent[at] >= 0]
        self._stale = np.ones(len(rank), dtype=np.bool_)
        self._below = (frozen(reach, np.int32), frozen(ordered, np.int32), self._stale)
        self._labels = (
            frozen(rank, np.int32), frozen(parent, np.int32), frozen(depth, np.int32), frozen(start, np.int64),
            np.empty(len(chain), dtype=np.int64), frozen(chain, np.int32), self._stale, self._entries,
        )  # fmt: skip

    def solve(self, cost: NDArray[np.int64]) -> None:
        """Take costs of all stations, int64 (S,), and keep them."""
        self.cost = cost
        solve(cost, *self._ways, *self._arcs, self._weight, self._via)
        self._stale[:] = True

    def update(self, station: NDArray[np.int64], changed: NDArray[np.int64]) -> None:
        """Take costs of some stations, int64 (C,), each named once."""
        update(
            *(station, changed, *self._stations, *self._below, self._up, self.cost, *self._ways, *self._arcs),
            *(self._weight, self._via),
        )

    def distances(self, source: NDArray[np.integer], target: NDArray[np.integer]) -> NDArray[np.int64]:
        """Distance from entry to exit of each pair, (C,), by their numbers."""
        found = np.empty(len(source), dtype=np.int64)
        into = target.astype(np.int64) + self._entries
        distances(
            *(source.astype(np.int64), into, *self._labels),
            *(self._up_start, self._up, self._weight, UNREACHABLE, found),
        )
        return found

    def routes(
        self, source: NDArray[np.integer], target: NDArray[np.integer]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Stations of the best route of each pair: where each begins, (C + 1,), and all of them."""
        start = np.zeros(len(source) + 1, dtype=np.int64)
        into = target.astype(np.int64) + self._entries
        states = len(self._up_start)
        room = np.empty(max(_ROOM, 2 * states), dtype=np.int32)
        done = 0
        while done < len(source):
            done = routes(
                *(source.astype(np.int64), into, *self._labels),
                *(self._up_start, self._up, self._weight, self._low, self._via, done, start, room),
            )
            if done < len(source):
                room = np.concatenate((room, np.empty(len(room), dtype=np.int32)))
        return start, room[: start[-1]].copy()
