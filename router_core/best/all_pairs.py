"""Best routes of all pairs of a few hundred nodes, exact again within microseconds of any change."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, TypeVar

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
    checked_transit,
    refuse_costs,
    whole_numbers,
)
from router_core.best.packed_table import PackedTable, aligned
from router_core.errors import BadInputError
from router_core.kernels.all_pairs import FINE, solve

__all__ = ["CLOSED", "NODES_MAX", "UNREACHABLE", "AllPairs"]

# Dense tables beyond that are gigabytes: split such a network (`router_core.best.regional_pairs`).
NODES_MAX: Final = 2**15 - 1
_INT64: Final = np.dtype(np.int64)

_ScalarT = TypeVar("_ScalarT", bound=np.generic)


class AllPairs:
    """Distance and next hop between all pairs of n nodes over directed lines.

    Of equally short routes the one whose next node has the lowest number is taken, at every node anew: the same
    routes whatever the order of lines, and whatever changes led to the costs of the moment. Costs are at least 1, so
    that next hops never circle.

    Nodes without transit (front-ends) are only begun and ended at: their rows are composed from those of the nodes they
    hang on, however many these are (Bellman's equation), so they cost a row operation a home and not a search. Zones
    need no rule of their own: what no line joins is not joined.

    Parameters
    ----------
    node_count : int
        1 .. `NODES_MAX`.
    lines : int (L, 2)
        Tail and head of each directed line; parallel lines are welcome, a line from a node to itself leads nowhere.
    transit : bool (n,), optional
        Nodes that a route may pass; all of them if not given.
    names : n str, optional
        For messages; numbers if not given.

    Notes
    -----
    Tables are made anew by `solve`, and exact after `update` as well; until the first `solve` all lines are closed. The
    method is in `router_core.kernels.all_pairs`.
    """

    def __init__(
        self,
        node_count: int,
        lines: ArrayLike,
        *,
        transit: ArrayLike | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        if not 1 <= node_count <= NODES_MAX:
            raise BadInputError("node_count", f"must lie in 1..{NODES_MAX}", node_count)
        self.names = checked_names(node_count, names)
        self.node_count = node_count
        self.transit = checked_transit(node_count, transit)
        self._packed = PackedTable(node_count, checked_lines(node_count, lines), self.transit)
        self.line_tail, self.line_head = self._packed.line_tail, self._packed.line_head
        self._one_line, self._one_cost = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
        self._solve(np.full(len(self.line_tail), CLOSED, dtype=np.int64))

    @property
    def cost(self) -> NDArray[np.int64]:
        """Cost of each line as of now, (L,); `CLOSED` where it is closed. Read-only, and changes with the next call."""
        return _view(self._cost)

    @property
    def distance(self) -> NDArray[np.int64]:
        """Length of the best route from each node to each, (n, n), 0 to itself, `UNREACHABLE` where there is none.

        A read-only view that later calls of `solve` and `update` change: copy what is to be kept.
        """
        return _view(self._packed.distance[:, : self.node_count])

    @property
    def next_node(self) -> NDArray[np.int16]:
        """Next node on the best route from each node to each, (n, n); the node itself, or -1 where there is none.

        A view like `distance`.
        """
        return _view(self._packed.next_node[:, : self.node_count])

    def solve(self, cost: ArrayLike) -> None:
        """Take new costs of all lines.

        Parameters
        ----------
        cost : int (L,)
            At least 1, or `CLOSED`; any cost times 2 n**2 must stay below 2**62.

        Raises
        ------
        BadInputError
            Naming the first line that breaks a rule; everything then stays as it was.
        """
        # What is right at once is not looked at further: checks by numpy would take as long as the solution.
        if type(cost) is np.ndarray and cost.dtype == _INT64 and cost.shape == self._cost.shape:
            self._solve(cost.copy())
        else:
            self._solve(whole_numbers(cost, self._cost.shape, "cost"))

    def _solve(self, cost: NDArray[np.int64]) -> None:
        """Solve, and keep these costs."""
        packed = self._packed
        if solve(cost, *packed.arguments) != FINE:
            self._refuse_costs(range(len(cost)), cost)
            # Wide enough for nanoseconds, and half as fast.
            packed.work_in(aligned(packed.table.shape, np.int64))
            packed.solve(cost)
        self._cost = cost

    def update(self, line: ArrayLike, cost: ArrayLike) -> None:
        """Change the costs of some lines: failures (`CLOSED`), repairs, longer and shorter ones, together.

        The result equals that of `solve` with all costs, ties included; only rows that change are made anew.

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
        if isinstance(line, WHOLE) and isinstance(cost, WHOLE) and 0 <= line < len(self._cost) and 0 <= cost <= CLOSED:
            number, changed = self._one_line, self._one_cost
            number[0], changed[0] = line, cost
        else:
            number, changed = checked_changes(line, cost, len(self._cost), "line")
        fault = self._packed.update(number, changed, self._cost)
        if fault != FINE:
            self._refuse_costs(number, changed)
            whole = self._cost.copy()
            whole[number] = changed
            self._solve(whole)

    def path(self, source: int, target: int) -> tuple[int, ...]:
        """Nodes of the best route, both ends included; empty if there is none."""
        checked_node("source", source, self.node_count)
        checked_node("target", target, self.node_count)
        next_node = self._packed.next_node
        if next_node[source, target] < 0:
            return ()
        found = [int(source)]
        while found[-1] != target:
            found.append(int(next_node[found[-1], target]))
        return tuple(found)

    def lines(self, source: int, target: int) -> tuple[int, ...]:
        """Lines of the best route; of parallel ones the cheapest, of equals the one with the lowest number."""
        nodes = self.path(source, target)
        return tuple(self._packed.line_between(tail, head, self._cost) for tail, head in pairwise(nodes))

    def unreachable(self) -> NDArray[np.intp]:
        """Pairs that no way joins, (K, 2), by source and target."""
        return np.argwhere(self.distance == UNREACHABLE)

    def unreachable_names(self) -> tuple[str, ...]:
        """Names of the pairs that no way joins."""
        return tuple(f"{self.names[a]} - {self.names[b]}" for a, b in self.unreachable().tolist())

    def line_name(self, line: int) -> str:
        """Name of a line for messages."""
        return f"{self.names[self.line_tail[line]]}>{self.names[self.line_head[line]]}#{line}"

    def _refuse_costs(self, number: Sequence[int] | NDArray[np.int64], cost: NDArray[np.int64]) -> None:
        """Raise for the first of these lines whose cost breaks a rule, and not only that of the narrow table."""
        refuse_costs(cost, self._packed.limit[_INT64], lambda place: f"line {self.line_name(int(number[place]))}")


def _view(values: NDArray[_ScalarT]) -> NDArray[_ScalarT]:
    seen = values.view()
    seen.setflags(write=False)
    return seen
