"""Best routes of all pairs of a few hundred nodes, exact again within microseconds of any change."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from router_core.best.elimination import least_degree
from router_core.errors import BadInputError
from router_core.kernels.all_pairs import FINE, TOO_LARGE, solve, update
from router_core.network import frozen

# Cost of a line that nothing may take, and distance of a pair that no way joins.
CLOSED: Final = 2**62
UNREACHABLE: Final = CLOSED
# Dense tables beyond that are gigabytes: split such a network (`router_core.best.regions`).
NODES_MAX: Final = 2**15 - 1
_INF: Final = {np.dtype(np.int32): 2**30 - 1, np.dtype(np.int64): 2**62 - 1}
# Rows are padded to whole cache lines, so that loops over them have no odd end.
_PADDING: Final = 16
_CACHE_LINE: Final = 64
_WHOLE: Final = (int, np.integer)
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
        self.names = tuple(map(str, range(node_count) if names is None else names))
        if len(self.names) != node_count:
            raise BadInputError("names", f"must name {node_count} nodes", len(self.names))
        ends = np.array(lines)
        if ends.size == 0:
            ends = np.empty((0, 2), dtype=np.int32)
        if ends.ndim != 2 or ends.shape[1] != 2 or not np.issubdtype(ends.dtype, np.integer):
            raise BadInputError("lines", "must be whole numbers of shape (L, 2)", (ends.dtype.name, ends.shape))
        outside = np.flatnonzero(((ends < 0) | (ends >= node_count)).any(axis=1))
        if len(outside):
            place = f"line {int(outside[0])}"
            raise BadInputError(place, f"joins nodes 0..{node_count - 1}", tuple(ends[outside[0]].tolist()))
        passable = np.ones(node_count, dtype=np.bool_) if transit is None else np.array(transit)
        if passable.shape != (node_count,) or passable.dtype != np.bool_:
            rule = f"must be truth values of shape ({node_count},)"
            raise BadInputError("transit", rule, (passable.dtype.name, passable.shape))
        self.node_count = node_count
        self.line_tail = frozen(ends[:, 0], np.int32)
        self.line_head = frozen(ends[:, 1], np.int32)
        self.transit = frozen(passable, np.bool_)
        self._cost = np.full(len(ends), CLOSED, dtype=np.int64)
        self._one_line, self._one_cost = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
        self._order_rows()
        self._bits = max(1, (node_count - 1).bit_length())
        # No best way has more lines than that.
        hops = min(len(self._row_node) + 1, max(1, node_count - 1))
        self._limit = {kind: ((inf >> self._bits) - 1) // hops for kind, inf in _INF.items()}
        width = -(-node_count // _PADDING) * _PADDING
        self._distance = _aligned(node_count, width, np.int64)
        self._next_node = _aligned(node_count, width, np.int16)
        self._set_table(_aligned(len(self._row_node), width, np.int32))
        self._solve(np.full(len(ends), CLOSED, dtype=np.int64))

    def _order_rows(self) -> None:
        """Lay out what the kernel walks: lines by tail, nodes in transit by rank."""
        count, tail, head = self.node_count, self.line_tail, self.line_head
        by_tail = np.lexsort((np.arange(len(tail)), head, tail))
        self._line_start = frozen(np.concatenate(([0], np.cumsum(np.bincount(tail, minlength=count)))), np.int32)
        self._line = frozen(np.stack((head[by_tail], by_tail), axis=1), np.int32)
        passable = np.flatnonzero(self.transit)
        number = np.full(count, -1, dtype=np.int32)
        number[passable] = np.arange(len(passable))
        inner = self.transit[tail] & self.transit[head]
        joined = zip(number[tail[inner]].tolist(), number[head[inner]].tolist(), strict=True)
        elimination = least_degree(len(passable), joined)
        number[passable] = elimination.rank
        self._row_node = frozen(passable[elimination.node], np.int32)
        self._node_row = frozen(number, np.int32)
        self._step = elimination.row_operations()

    @property
    def cost(self) -> NDArray[np.int64]:
        """Cost of each line as of now, (L,); `CLOSED` where it is closed. Read-only, and changes with the next call."""
        return _view(self._cost)

    @property
    def distance(self) -> NDArray[np.int64]:
        """Length of the best route from each node to each, (n, n), 0 to itself, `UNREACHABLE` where there is none.

        A read-only view that later calls of `solve` and `update` change: copy what is to be kept.
        """
        return _view(self._distance[:, : self.node_count])

    @property
    def next_node(self) -> NDArray[np.int16]:
        """Next node on the best route from each node to each, (n, n); the node itself, or -1 where there is none.

        A view like `distance`.
        """
        return _view(self._next_node[:, : self.node_count])

    def solve(self, cost: ArrayLike) -> None:
        """Take new costs of all lines.

        Parameters
        ----------
        cost : int (L,)
            At least 1, or `CLOSED`; the cost of a longest route must stay below 2**62 / 2 n.

        Raises
        ------
        BadInputError
            Naming the first line that breaks a rule; everything then stays as it was.
        """
        # What is right at once is not looked at further: checks by numpy would take as long as the solution.
        if type(cost) is np.ndarray and cost.dtype == _INT64 and cost.shape == self._cost.shape:
            self._solve(cost.copy())
        else:
            self._solve(self._whole(cost, self._cost.shape, "cost"))

    def _solve(self, cost: NDArray[np.int64]) -> None:
        """Solve, and keep these costs."""
        fault = solve(cost, *self._laid_out)
        if fault == TOO_LARGE and self._table.dtype == np.int32:
            # Half as fast, and wide enough for nanoseconds.
            self._set_table(_aligned(len(self._row_node), self._table.shape[1], np.int64))
            fault = solve(cost, *self._laid_out)
        if fault != FINE:
            self._refuse(np.arange(len(cost)), cost)
        self._cost = cost

    def _set_table(self, table: NDArray[np.signedinteger]) -> None:
        """Work in this table; what else the kernels take stays the same from call to call."""
        self._table = table
        self._laid_out = (
            self._line_start, self._line, self._row_node, self._node_row, self._step,
            table, self._distance, self._next_node, self._bits, _INF[table.dtype], self._limit[table.dtype], CLOSED,
        )  # fmt: skip

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
        if isinstance(line, _WHOLE) and isinstance(cost, _WHOLE) and 0 <= line < len(self._cost) and cost <= CLOSED:
            number, changed = self._one_line, self._one_cost
            number[0], changed[0] = line, cost
        else:
            number, changed = self._changes(line, cost)
        fault = update(number, changed, self._cost, self.line_tail, self.line_head, *self._laid_out)
        if fault == TOO_LARGE and self._table.dtype == np.int32:
            whole = self._cost.copy()
            whole[number] = changed
            self._solve(whole)
        elif fault != FINE:
            self._refuse(number, changed)

    def _changes(self, line: ArrayLike, cost: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Check lines and costs, and keep the last of each line."""
        given = np.atleast_1d(np.asarray(line))
        if given.ndim != 1 or (given.size and not np.issubdtype(given.dtype, np.integer)):
            raise BadInputError("line", "must be whole numbers of shape (C,)", (given.dtype.name, given.shape))
        outside = (given < 0) | (given >= len(self._cost))
        if outside.any():
            raise BadInputError("line", f"must lie in 0..{len(self._cost) - 1}", int(given[outside][0]))
        changed = self._whole(np.atleast_1d(cost), given.shape, "cost")
        last = len(given) - 1 - np.unique(given[::-1], return_index=True)[1]
        return given[last].astype(np.int64), changed[last]

    def path(self, source: int, target: int) -> tuple[int, ...]:
        """Nodes of the best route, both ends included; empty if there is none."""
        self._check_node("source", source)
        self._check_node("target", target)
        if self._next_node[source, target] < 0:
            return ()
        found = [int(source)]
        while found[-1] != target:
            found.append(int(self._next_node[found[-1], target]))
        return tuple(found)

    def lines(self, source: int, target: int) -> tuple[int, ...]:
        """Lines of the best route; of parallel ones the cheapest, of equals the one with the lowest number."""
        nodes = self.path(source, target)
        return tuple(self._line_between(tail, head) for tail, head in pairwise(nodes))

    def _line_between(self, tail: int, head: int) -> int:
        leaving = self._line[self._line_start[tail] : self._line_start[tail + 1]]
        parallel = leaving[leaving[:, 0] == head, 1]
        return int(parallel[self._cost[parallel].argmin()])

    def unreachable(self) -> NDArray[np.intp]:
        """Pairs that no way joins, (K, 2), by source and target."""
        return np.argwhere(self.distance == UNREACHABLE)

    def unreachable_names(self) -> tuple[str, ...]:
        """Names of the pairs that no way joins."""
        return tuple(f"{self.names[a]} - {self.names[b]}" for a, b in self.unreachable().tolist())

    def line_name(self, line: int) -> str:
        """Name of a line for messages."""
        return f"{self.names[self.line_tail[line]]}>{self.names[self.line_head[line]]}#{line}"

    def _whole(self, values: ArrayLike, shape: tuple[int, ...], place: str) -> NDArray[np.int64]:
        """Return a copy as int64, or refuse it."""
        given = np.asarray(values)
        if given.shape != shape or (given.size and not np.issubdtype(given.dtype, np.integer)):
            raise BadInputError(place, f"must be whole numbers of shape {shape}", (given.dtype.name, given.shape))
        return given.astype(np.int64)

    def _check_node(self, place: str, node: int) -> None:
        if not 0 <= node < self.node_count:
            raise BadInputError(place, f"must lie in 0..{self.node_count - 1}", node)

    def _refuse(self, number: NDArray[np.integer], cost: NDArray[np.int64]) -> None:
        """Raise for the first of these lines whose cost breaks a rule."""
        greatest = self._limit[np.dtype(np.int64)]
        broken = np.flatnonzero((cost < 1) | ((cost > greatest) & (cost != CLOSED)))[0]
        rule = f"must lie in 1..{greatest}, or be CLOSED"
        raise BadInputError(f"cost of line {self.line_name(int(number[broken]))}", rule, int(cost[broken]))


def _view(values: NDArray[_ScalarT]) -> NDArray[_ScalarT]:
    seen = values.view()
    seen.setflags(write=False)
    return seen


def _aligned(rows: int, columns: int, kind: type[_ScalarT]) -> NDArray[_ScalarT]:
    """Make an array that begins with a cache line: a row operation is then a quarter faster."""
    size = rows * columns * np.dtype(kind).itemsize
    room = np.empty(size + _CACHE_LINE, dtype=np.uint8)
    begin = -room.ctypes.data % _CACHE_LINE
    return room[begin : begin + size].view(kind).reshape(rows, columns)
