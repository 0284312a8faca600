"""The table of all pairs of one network, laid out for the kernel that keeps it exact."""

from __future__ import annotations

from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from router_core.best.checks import CLOSED
from router_core.best.elimination import least_degree
from router_core.kernels.all_pairs import solve, update
from router_core.network import frozen

INF: Final = {np.dtype(np.int32): 2**30 - 1, np.dtype(np.int64): 2**62 - 1}
# Rows are padded to whole cache lines, so that loops over them have no odd end.
_PADDING: Final = 16
_CACHE_LINE: Final = 64

_ScalarT = TypeVar("_ScalarT", bound=np.generic)


class PackedTable:
    """Distance and next node of all pairs, packed into one integer each; checks nothing, see `AllPairs`.

    Attributes
    ----------
    table : int32 or int64 (T, W)
        Rows are the transit nodes by rank, columns all nodes: ``distance << bits | next node``, at least
        ``INF[table.dtype]`` where there is no way.
    distance, next_node : int64 (n, W), int16 (n, W)
        What the table holds, unpacked, for all nodes; empty if not wanted.
    limit : dict of dtype to int
        Greatest cost of a line with which the longest route still fits a table of this dtype.
    """

    def __init__(
        self, node_count: int, ends: NDArray[np.integer], transit: NDArray[np.bool_], *, unpacked: bool = True
    ) -> None:
        self.line_tail = frozen(ends[:, 0], np.int32)
        self.line_head = frozen(ends[:, 1], np.int32)
        tail, head = self.line_tail, self.line_head
        by_tail = np.lexsort((np.arange(len(tail)), head, tail))
        self.line_start = frozen(np.concatenate(([0], np.cumsum(np.bincount(tail, minlength=node_count)))), np.int32)
        self.line = frozen(np.stack((head[by_tail], by_tail), axis=1), np.int32)
        passable = np.flatnonzero(transit)
        rank = np.full(node_count, -1, dtype=np.int32)
        rank[passable] = np.arange(len(passable))
        inner = transit[tail] & transit[head]
        elimination = least_degree(
            len(passable), zip(rank[tail[inner]].tolist(), rank[head[inner]].tolist(), strict=True)
        )
        rank[passable] = elimination.rank
        self.row_node = frozen(passable[elimination.node], np.int32)
        self.node_row = frozen(rank, np.int32)
        self._step = elimination.row_operations()
        self.bits = max(1, (node_count - 1).bit_length())
        # No best way has more lines than that.
        hops = min(len(passable) + 1, max(1, node_count - 1))
        self.limit = {kind: ((inf >> self.bits) - 1) // hops for kind, inf in INF.items()}
        padding = _PADDING if unpacked else _PADDING // 2
        width = -(-node_count // padding) * padding
        shape = (node_count, width) if unpacked else (0, 0)
        self.distance = aligned(shape, np.int64)
        self.next_node = aligned(shape, np.int16)
        self.work_in(aligned((len(passable), width), np.int32))

    def work_in(self, table: NDArray[np.signedinteger]) -> None:
        """Use this table; what else the kernels take stays the same from call to call."""
        self.table = table
        self.arguments = (
            self.line_start, self.line, self.row_node, self.node_row, self._step, table, self.distance, self.next_node,
            self.bits, INF[table.dtype], self.limit[table.dtype], CLOSED,
        )  # fmt: skip

    def solve(self, cost: NDArray[np.int64]) -> int:
        """Take costs of all lines, int64 (L,); return what the kernel says."""
        code: int = solve(cost, *self.arguments)
        return code

    def update(self, number: NDArray[np.int64], changed: NDArray[np.int64], cost: NDArray[np.int64]) -> int:
        """Change these lines in the table and in `cost`, int64 (L,); return what the kernel says."""
        code: int = update(number, changed, cost, self.line_tail, self.line_head, *self.arguments)
        return code

    def line_between(self, tail: int, head: int, cost: NDArray[np.int64]) -> int:
        """Return the cheapest line from a node to its neighbour, of equals the one with the lowest number."""
        leaving = self.line[self.line_start[tail] : self.line_start[tail + 1]]
        parallel = leaving[leaving[:, 0] == head, 1]
        return int(parallel[cost[parallel].argmin()])


def aligned(shape: tuple[int, int], kind: type[_ScalarT]) -> NDArray[_ScalarT]:
    """Make an array that begins with a cache line: a row operation is then a quarter faster."""
    size = shape[0] * shape[1] * np.dtype(kind).itemsize
    room = np.empty(size + _CACHE_LINE, dtype=np.uint8)
    begin = -room.ctypes.data % _CACHE_LINE
    return room[begin : begin + size].view(kind).reshape(shape)
