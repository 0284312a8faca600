"""Best routes in a nation: a table a region, one of the gateways between them, and no table of all pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from router_core.best.checks import (
    CLOSED,
    UNREACHABLE,
    WHOLE,
    checked_changes,
    checked_lines,
    checked_names,
    checked_node,
    checked_pairs,
    checked_transit,
    refuse_costs,
    whole_numbers,
)
from router_core.best.packed_table import INF, PackedTable, aligned
from router_core.best.regional_layout import ACCESS, CORE, RegionalLayout
from router_core.errors import BadInputError
from router_core.kernels.all_pairs import FINE
from router_core.kernels.regional_pairs import distances, open_gates
from router_core.network import frozen

__all__ = ["CLOSED", "UNREACHABLE", "RegionalPairs"]

REGION_NODES_MAX: Final = 2**15 - 1
_INT32: Final = np.dtype(np.int32)
_INT64: Final = np.dtype(np.int64)
# What stands for no way in tables of each width: several of them add up in 64 bits.
_FAR: Final = {_INT32: 2**30, _INT64: 2**59}


class RegionalPairs:
    """Best routes between any two nodes of a network that consists of regions, by composition through gateways.

    Each region has a table of its own inner nodes over its own lines. Nodes at lines between regions are gateways: a
    small overlay has those lines, and between gateways of one region what its table says. A pair is answered from
    the way to a gateway, across the overlay, and on from a gateway (customisable overlays: Delling, Goldberg, Pajor and
    Werneck, "Customizable route planning in road networks", Transportation Science 51 (2017)). That is exact for any
    network and any division of it: a route between two nodes of one region may leave it and come back where that is
    shorter, as no rule of the platform forbids it. Few gateways make it fast. A change costs its region's rows, and the
    overlay's if the region is now crossed at another cost.

    Nodes without transit (front-ends) need no region: they hang on inner nodes of any region by one or several lines.

    Parameters
    ----------
    region : int (N,)
        Region of each node, by any numbers; not looked at for nodes without transit.
    lines : int (L, 2)
        Tail and head of each directed line; parallel lines are welcome, a line from a node to itself leads nowhere. Two
        nodes without transit cannot be joined.
    transit : bool (N,), optional
        Nodes that a route may pass; all of them if not given.
    names : N str, optional
        For messages; numbers if not given.

    Notes
    -----
    Costs are those of `AllPairs`, and as there all lines are closed until the first `solve`. Of equally short routes
    one inside the region comes first, then the homes and gateways with the lowest numbers; within a region and between
    gateways the rule is that of `AllPairs`. The same costs give the same routes whatever changes led to them.
    """

    def __init__(
        self,
        region: ArrayLike,
        lines: ArrayLike,
        *,
        transit: ArrayLike | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        given = np.asarray(region)
        if given.ndim != 1 or not given.size or not np.issubdtype(given.dtype, np.integer):
            raise BadInputError("region", "must be whole numbers of shape (N,)", (given.dtype.name, given.shape))
        self.node_count = len(given)
        self.names = checked_names(self.node_count, names)
        self.transit = checked_transit(self.node_count, transit)
        ends = checked_lines(self.node_count, lines)
        self.line_tail, self.line_head = frozen(ends[:, 0], np.int32), frozen(ends[:, 1], np.int32)
        loose = np.flatnonzero(~self.transit[self.line_tail] & ~self.transit[self.line_head])
        loose = loose[self.line_tail[loose] != self.line_head[loose]]
        if len(loose):
            rule = "two nodes without transit cannot be joined"
            raise BadInputError(f"line {int(loose[0])}", rule, self.line_name(int(loose[0])))
        layout = self._layout = RegionalLayout(given, self.line_tail, self.line_head, self.transit)
        self._inside = [self._inside_table(region) for region in range(len(layout.region_nodes))]
        gate = np.append(layout.gate_number, -1)[layout.inner_of]
        core = np.stack((gate[self.line_tail[layout.core_line]], gate[self.line_head[layout.core_line]]), axis=1)
        ends = np.concatenate((core, layout.crossing))
        everyone = np.ones(max(1, len(layout.gate)), dtype=np.bool_)
        self._overlay = PackedTable(len(everyone), ends, everyone)
        self._changed = np.empty(len(ends), dtype=np.int64), np.empty(len(ends), dtype=np.int64)
        order = np.argsort(layout.access_key, kind="stable")
        self._access_line = layout.access_line[order]
        self._access_start = np.searchsorted(layout.access_key[order], np.arange(2 * len(layout.home) + 1))
        self._part: list[int] = layout.line_part.tolist()
        self._place: list[int] = layout.line_place.tolist()
        self._one_line, self._one_cost = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
        most = max((len(nodes) for nodes in layout.region_nodes), default=1)
        # Greatest costs with which every route, and every part of one, stays below what stands for no way.
        self._limit = {
            kind: min(
                (far - 1) // (len(layout.inner_node) + 2),
                self._overlay.limit[_INT64] // most,
                *(packed.limit[kind] for packed in self._inside),
            )
            for kind, far in _FAR.items()
        }
        self._lay_tables(_INT32)
        self._solve(np.full(len(self.line_tail), CLOSED, dtype=np.int64))

    def _inside_table(self, region: int) -> PackedTable:
        """Lay out the table of a region; nodes and lines have their numbers there."""
        layout = self._layout
        nodes, lines = layout.region_nodes[region], layout.region_line[region]
        if len(nodes) > REGION_NODES_MAX:
            rule = f"has at most {REGION_NODES_MAX} nodes with transit"
            raise BadInputError(f"region of node {self.names[nodes[0]]}", rule, len(nodes))
        column = np.full(self.node_count, -1, dtype=np.int64)
        column[nodes] = np.arange(len(nodes))
        ends = np.stack((column[self.line_tail[lines]], column[self.line_head[lines]]), axis=1)
        return PackedTable(len(nodes), ends, np.ones(len(nodes), dtype=np.bool_), unpacked=False)

    def _lay_tables(self, kind: np.dtype[np.signedinteger]) -> None:
        """Put the tables of all regions into one array of this dtype, and with them what locates an entry."""
        layout = self._layout
        sizes = [packed.table.shape for packed in self._inside]
        begin = np.cumsum([0, *(rows * columns for rows, columns in sizes)])
        self._table = aligned((1, int(begin[-1])), kind.type)[0]
        row = np.empty(len(layout.inner_node), dtype=np.int32)
        for packed, nodes, (first, last) in zip(self._inside, layout.region_nodes, pairwise(begin), strict=True):
            packed.work_in(self._table[first:last].reshape(packed.table.shape))
            row[layout.inner_of[nodes]] = packed.node_row
        count = np.array([len(nodes) for nodes in layout.region_nodes], dtype=np.int64)
        stride, bits = [columns for _, columns in sizes], [packed.bits for packed in self._inside]
        to_gates = frozen(np.cumsum([0, *(count * np.diff(layout.gate_start))]), np.int64)
        gates = np.diff(layout.gate_start)[layout.inner_region]
        region = frozen(np.stack((begin, [*stride, 0], [*bits, 0], layout.gate_start), axis=1), np.int64)
        # Inner node, cost of the way to it, cost of the way back.
        self._home = np.empty((len(layout.home), 3), dtype=kind)
        self._home[:, 0] = layout.home
        self._far = _FAR[kind]
        self._widest = self._limit[kind]
        self._answers: tuple[Any, ...] = (
            frozen(layout.home_start, np.int32),
            self._home,
            frozen(layout.only_region, np.int16),
            frozen(np.stack((layout.inner_region, row, layout.column), axis=1), np.int16),
            frozen(to_gates[layout.inner_region] + layout.column * gates, np.int32),
            region,
            self._table,
            INF[kind],
            self._far,
            np.empty(to_gates[-1], dtype=kind),
            np.empty(to_gates[-1], dtype=kind),
            self._overlay.distance,
            UNREACHABLE,
        )
        self._gates: tuple[Any, ...] = (
            frozen(np.cumsum([0, *count]), np.int32),
            row[np.argsort(layout.inner_region, kind="stable")],
            frozen(layout.column[layout.gate], np.int64),
            to_gates,
            *self._answers[5:11],
            len(layout.core_line),
            frozen(layout.crossing_start, np.int64),
        )

    @property
    def cost(self) -> NDArray[np.int64]:
        """Cost of each line as of now, (L,); `CLOSED` where it is closed. Read-only, and changes with the next call."""
        view = self._cost.view()
        view.setflags(write=False)
        return view

    @property
    def gateways(self) -> NDArray[np.intp]:
        """Nodes at lines between regions, by region."""
        return self._layout.inner_node[self._layout.gate]

    @property
    def nbytes(self) -> int:
        """Size of all that an answer reads [bytes]."""
        return sum(part.nbytes for part in self._answers if isinstance(part, np.ndarray))

    def solve(self, cost: ArrayLike) -> None:
        """Take new costs of all lines.

        Parameters
        ----------
        cost : int (L,)
            At least 1, or `CLOSED`.

        Raises
        ------
        BadInputError
            Naming the first line that breaks a rule; everything then stays as it was.
        """
        given = whole_numbers(cost, self._cost.shape, "cost")
        self._check_costs(range(len(given)), given)
        self._solve(given)

    def _solve(self, cost: NDArray[np.int64]) -> None:
        """Solve, and keep these costs."""
        layout = self._layout
        self._cost = cost
        if self._table.dtype == _INT32 and (cost[cost != CLOSED] > self._widest).any():
            self._lay_tables(_INT64)
        self._inside_cost = [cost[lines] for lines in layout.region_line]
        for packed, own in zip(self._inside, self._inside_cost, strict=True):
            packed.solve(own)
        access = np.minimum(cost[layout.access_line], self._far).astype(self._home.dtype)
        self._home[:, 1:] = self._far
        self._home[layout.own_home, 1:] = 0
        np.minimum.at(self._home, (layout.access_key >> 1, 2 - (layout.access_key & 1)), access)
        self._overlay_cost = np.zeros(len(self._overlay.line_tail), dtype=np.int64)
        count = self._open_gates(0, len(self._inside), 0)
        line, length = self._changed
        self._overlay_cost[: len(layout.core_line)] = cost[layout.core_line]
        self._overlay_cost[line[:count]] = length[:count]
        self._solve_overlay()

    def _solve_overlay(self) -> None:
        if self._overlay.solve(self._overlay_cost) != FINE:
            self._overlay.work_in(aligned(self._overlay.table.shape, np.int64))
            self._overlay.solve(self._overlay_cost)

    def _open_gates(self, first: int, last: int, count: int) -> int:
        """Read off these regions what gateways need; return how many lines of the overlay then change."""
        total: int = open_gates(*(first, last, *self._gates, self._overlay_cost, CLOSED, *self._changed, count))
        return total

    def update(self, line: ArrayLike, cost: ArrayLike) -> None:
        """Change the costs of some lines; what every pair is answered then equals that after `solve` with all costs.

        Parameters
        ----------
        line : int (C,) or int
            Numbers of lines; of one named twice the last cost stands.
        cost : int (C,) or int
            As in `solve`.

        Raises
        ------
        BadInputError
            Naming the first line that breaks a rule; everything then stays as it was.
        """
        if isinstance(line, WHOLE) and isinstance(cost, WHOLE) and 0 <= line < len(self._cost) and 0 < cost <= CLOSED:
            if cost > self._widest and cost != CLOSED:
                self._check_costs([int(line)], np.array([cost]))
                self._update([int(line)], [int(cost)])
            elif self._part[line] >= 0:
                # One line inside a region, the most frequent change, without lists.
                self._cost[line] = cost
                self._one_line[0], self._one_cost[0] = self._place[line], cost
                self._change_inside({self._part[line]: (self._one_line, self._one_cost)}, 0)
            else:
                self._update([int(line)], [int(cost)])
        else:
            number, changed = checked_changes(line, cost, len(self._cost), "line")
            self._check_costs(number, changed)
            self._update(number.tolist(), changed.tolist())

    def _check_costs(self, number: Sequence[int] | NDArray[np.int64], cost: NDArray[np.int64]) -> None:
        refuse_costs(cost, self._limit[_INT64], lambda place: f"line {self.line_name(int(number[place]))}")

    def _update(self, number: list[int], changed: list[int]) -> None:
        """Change lines, each named once."""
        self._cost[number] = changed
        widest = max((cost for cost in changed if cost != CLOSED), default=0)
        if widest > self._widest:
            return self._solve(self._cost)
        inside: dict[int, tuple[list[int], list[int]]] = {}
        overlay_line, overlay_cost = self._changed
        count = 0
        for line, cost in zip(number, changed, strict=True):
            part, place = self._part[line], self._place[line]
            if part >= 0:
                lines, costs = inside.setdefault(part, ([], []))
                lines.append(place)
                costs.append(cost)
            elif part == CORE:
                overlay_line[count], overlay_cost[count] = place, cost
                count += 1
            elif part == ACCESS:
                self._change_access(place)
        return self._change_inside({r: (np.array(a), np.array(b)) for r, (a, b) in inside.items()}, count)

    def _change_inside(self, inside: dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]], count: int) -> None:
        """Change lines of regions, then those of the overlay: the ones noted, and the crossings that changed."""
        for region, (lines, costs) in inside.items():
            self._inside[region].update(lines, costs, self._inside_cost[region])
            count = self._open_gates(region, region + 1, count)
        if not count:
            return
        line, cost = (changed[:count] for changed in self._changed)
        if self._overlay.update(line, cost, self._overlay_cost) != FINE:
            self._overlay_cost[line] = cost
            self._solve_overlay()

    def _change_access(self, place: int) -> None:
        """Take the cheapest of the parallel access lines anew."""
        key = int(self._layout.access_key[place])
        cheapest = int(self._cost[self._access_line[self._access_start[key] : self._access_start[key + 1]]].min())
        self._home[key >> 1, 2 - (key & 1)] = min(cheapest, self._far)

    def distances(self, source: ArrayLike, target: ArrayLike) -> NDArray[np.int64]:
        """Length of the best route of each pair, (C,); 0 to itself, `UNREACHABLE` where there is none.

        Parameters
        ----------
        source, target : int (C,)
        """
        sources, targets = checked_pairs(source, target, self.node_count)
        found = np.empty(len(sources), dtype=np.int64)
        distances(*(sources.astype(np.int32), targets.astype(np.int32), *self._answers, found))
        return found

    def distance(self, source: int, target: int) -> int:
        """Length of the best route of a pair."""
        return int(self.distances(source, target)[0])

    def path(self, source: int, target: int) -> tuple[int, ...]:
        """Nodes of the best route, both ends included; empty if there is none."""
        lines = self.lines(source, target)
        if not lines:
            return (int(source),) if source == target else ()
        return (int(source), *(int(self.line_head[line]) for line in lines))

    def lines(self, source: int, target: int) -> tuple[int, ...]:
        """Lines of the best route; of parallel ones the cheapest, of equals the one with the lowest number."""
        checked_node("source", source, self.node_count)
        checked_node("target", target, self.node_count)
        if source == target:
            return ()
        ways = list(self._ways(int(source), int(target)))
        if not ways:
            return ()
        _, home, leave, enter, last = min(ways, key=lambda way: way[0])
        layout = self._layout
        first, final = layout.home[home], layout.home[last]
        found = self._access(home, outward=True)
        if leave < 0:
            found += self._within(first, final)
        else:
            found += self._within(first, layout.gate[leave])
            for line in self._walk(self._overlay, leave, enter, self._overlay_cost):
                if line < len(layout.core_line):
                    found.append(int(layout.core_line[line]))
                else:
                    a, b = layout.gate[layout.crossing[line - len(layout.core_line)]]
                    found += self._within(a, b)
            found += self._within(layout.gate[enter], final)
        return tuple(found + self._access(last, outward=False))

    def _ways(self, source: int, target: int) -> Iterator[tuple[int, int, int, int, int]]:
        """Ways of a pair: cost, home of the source, gateways out and in (-1 inside a region), home of the target."""
        layout, start = self._layout, self._layout.home_start
        leaving, entering = self._home[:, 1].tolist(), self._home[:, 2].tolist()
        for gates in (False, True):
            for home in range(start[source], start[source + 1]):
                for last in range(start[target], start[target + 1]):
                    access = leaving[home] + entering[last]
                    if max(leaving[home], entering[last]) >= self._far:
                        continue
                    first, final = int(layout.home[home]), int(layout.home[last])
                    here, there = layout.inner_region[[first, final]]
                    if not gates:
                        if here == there and (way := self._inside_distance(first, final)) < CLOSED:
                            yield access + way, home, -1, -1, last
                        continue
                    for leave in range(*layout.gate_start[here : here + 2]):
                        for enter in range(*layout.gate_start[there : there + 2]):
                            parts = (
                                self._inside_distance(first, layout.gate[leave]),
                                self._entry(self._overlay, leave, enter),
                                self._inside_distance(layout.gate[enter], final),
                            )
                            if max(parts) < CLOSED:
                                yield access + sum(parts), home, leave, enter, last

    def _inside_distance(self, first: int, last: int) -> int:
        """Distance between two inner nodes of one region within it."""
        layout = self._layout
        packed = self._inside[layout.inner_region[first]]
        return self._entry(packed, layout.column[first], layout.column[last])

    @staticmethod
    def _entry(packed: PackedTable, tail: int, head: int) -> int:
        entry = int(packed.table[packed.node_row[tail], head])
        return entry >> packed.bits if entry < INF[packed.table.dtype] else CLOSED

    @staticmethod
    def _walk(packed: PackedTable, tail: int, head: int, cost: NDArray[np.int64]) -> list[int]:
        """Lines of the best route in one table."""
        found = []
        while tail != head:
            after = int(packed.table[packed.node_row[tail], head]) & ((1 << packed.bits) - 1)
            found.append(packed.line_between(tail, after, cost))
            tail = after
        return found

    def _within(self, first: int, last: int) -> list[int]:
        """Lines of the best route between two inner nodes of one region within it."""
        layout = self._layout
        region = layout.inner_region[first]
        walked = self._walk(self._inside[region], layout.column[first], layout.column[last], self._inside_cost[region])
        return [int(line) for line in layout.region_line[region][walked]]

    def _access(self, home: int, *, outward: bool) -> list[int]:
        """Access line of a home, the cheapest; none where an inner node is its own."""
        key = 2 * home + outward
        lines = self._access_line[self._access_start[key] : self._access_start[key + 1]]
        return [int(lines[self._cost[lines].argmin()])] if len(lines) else []

    def unreachable_names(self, source: ArrayLike, target: ArrayLike) -> tuple[str, ...]:
        """Names of those of these pairs that no way joins."""
        cut = np.flatnonzero(self.distances(source, target) == UNREACHABLE)
        sources, targets = np.atleast_1d(np.asarray(source)), np.atleast_1d(np.asarray(target))
        return tuple(f"{self.names[sources[pair]]} - {self.names[targets[pair]]}" for pair in cut)

    def line_name(self, line: int) -> str:
        """Name of a line for messages."""
        return f"{self.names[self.line_tail[line]]}>{self.names[self.line_head[line]]}#{line}"
