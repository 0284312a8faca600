"""Shortest distances and next hops of all pairs by elimination, for `router_core.best.all_pairs`.

A table entry is ``distance << bits | next node``: one integer comparison finds the shorter way and, among equals, the
one whose next node has the lowest number. That order is kept by joining ways from the left (the next node of "a, then
b" is that of a), so Gauss-Jordan elimination over it is exact: Carré, "An algebra for network routing problems",
J. Inst. Maths Applics 7 (1971). Rows of nodes with few neighbours are eliminated first, as in a sparse
factorisation; a sparse network then takes a small part of Floyd and Warshall's n**3.

Rows of the table are the T transit nodes by rank (0 is eliminated first), columns all n nodes by number, with padding.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

# What `solve` and `update` return if no line is at fault.
FINE = -1
TOO_LARGE = -2


# Inlined by force: a call with an array costs as much as 64 columns.
@njit(cache=True, forceinline=True)
def _relax(table, row, lead, pivot, keep):  # type: ignore[no-untyped-def]
    """Let the ways of a row lead over a pivot: `lead` is the way there."""
    kind = table.dtype.type
    for column in range(table.shape[1]):
        way = kind(lead + kind(table[pivot, column] & keep))
        table[row, column] = min(way, table[row, column])


@njit(cache=True, forceinline=True)
def _direct(row, node, cost, line_start, line, bits, inf, closed):  # type: ignore[no-untyped-def]
    """Write the direct lines of a node into its row."""
    kind = row.dtype.type
    row[:] = inf
    for place in range(line_start[node], line_start[node + 1]):
        head, length = line[place, 0], cost[line[place, 1]]
        if length != closed:
            row[head] = min(row[head], kind(length << bits | head))
    # Later than the lines: a line from a node to itself leads nowhere.
    row[node] = kind(node)


@njit(cache=True, forceinline=True)
def _unpack(row, node, bits, inf, unreachable, distance, next_node):  # type: ignore[no-untyped-def]
    label = (1 << bits) - 1
    for column in range(distance.shape[1]):
        way = row[column]
        distance[node, column] = way >> bits if way < inf else unreachable
        next_node[node, column] = way & label if way < inf else -1


@njit(cache=True)
def _recompute(  # type: ignore[no-untyped-def]
    cost, line_start, line, row_node, node_row, step, table, affected, bits, inf, closed
):
    """Make the affected rows exact; the others are, and lead over no line that became longer.

    Ways that leave the affected nodes go on in a finished row; among the affected ones it is an elimination. None
    stands for all rows: that is compiled apart, without asking for each.
    """
    kind = table.dtype.type
    keep = kind(-1 << bits)
    for row in range(len(row_node)):
        if affected is not None and not affected[row]:
            continue
        node = row_node[row]
        _direct(table[row], node, cost, line_start, line, bits, inf, closed)
        if affected is None:
            continue
        for place in range(line_start[node], line_start[node + 1]):
            pivot, length = node_row[line[place, 0]], cost[line[place, 1]]
            if pivot >= 0 and not affected[pivot] and length != closed:
                _relax(table, row, kind(length << bits | line[place, 0]), pivot, keep)
    for place in range(len(step)):
        row, pivot = step[place, 0], step[place, 1]
        if affected is None or (affected[row] and affected[pivot]):
            lead = table[row, row_node[pivot]]
            if lead < inf:
                _relax(table, row, lead, pivot, keep)


@njit(cache=True)
def _publish(  # type: ignore[no-untyped-def]
    cost,
    line_start,
    line,
    row_node,
    node_row,
    table,
    affected,
    own,
    bits,
    inf,
    closed,
    unreachable,
    distance,
    next_node,
):
    """Unpack the affected rows, and compose those of the nodes without transit that hang on them; None is for all."""
    if distance.shape[0] == 0:
        return
    kind = table.dtype.type
    keep = kind(-1 << bits)
    for row in range(len(row_node)):
        if affected is None or affected[row]:
            _unpack(table[row], row_node[row], bits, inf, unreachable, distance, next_node)
    if len(row_node) == len(node_row):
        return
    leaf = np.empty(table.shape[1], table.dtype)
    for node in range(len(node_row)):
        if node_row[node] >= 0:
            continue
        if affected is not None:
            wanted = own[node]
            for place in range(line_start[node], line_start[node + 1]):
                home = node_row[line[place, 0]]
                wanted = wanted or (home >= 0 and affected[home])
            if not wanted:
                continue
        _direct(leaf, node, cost, line_start, line, bits, inf, closed)
        for place in range(line_start[node], line_start[node + 1]):
            home, length = node_row[line[place, 0]], cost[line[place, 1]]
            if home >= 0 and length != closed:
                lead = kind(length << bits | line[place, 0])
                for column in range(table.shape[1]):
                    way = kind(lead + kind(table[home, column] & keep))
                    leaf[column] = min(way, leaf[column])
        _unpack(leaf, node, bits, inf, unreachable, distance, next_node)


@njit(cache=True)
def solve(  # type: ignore[no-untyped-def]
    cost: NDArray[np.int64],
    line_start: NDArray[np.int32],
    line: NDArray[np.int32],
    row_node: NDArray[np.int32],
    node_row: NDArray[np.int32],
    step: NDArray[np.int32],
    table: NDArray[np.signedinteger],
    distance: NDArray[np.int64],
    next_node: NDArray[np.int16],
    bits: int,
    inf: int,
    limit: int,
    closed: int,
):
    """Solve all pairs; return `FINE`, the first line whose cost is below 1, or `TOO_LARGE`, all before any writing.

    Indices are the caller's to check. L lines, n nodes, T transit nodes, W >= n columns.

    Parameters
    ----------
    cost : int64 (L,)
        1 .. `limit`, or `closed`.
    line_start : int32 (n + 1,)
    line : int32 (L, 2)
        Head and number of the lines that leave node i: ``line[line_start[i]:line_start[i + 1]]``.
    row_node, node_row : int32 (T,), (n,)
        Node of each rank, and rank of each node; -1 for nodes that nothing may pass.
    step : int32 (K, 2)
        Row and pivot of each row operation: elimination upwards, then substitution downwards.
    table : int32 or int64 (T, W), written
    distance, next_node : int64 (n, n), int16 (n, n), written; both (0, 0) if only the table is wanted
    bits, inf, limit, closed : int
        Width of the next node; what stands for no way; the greatest cost whose sums stay below `inf`; no line.
    """
    for number in range(len(cost)):
        if cost[number] < 1:
            return number
        if cost[number] > limit and cost[number] != closed:
            return TOO_LARGE
    kind = table.dtype.type
    _recompute(cost, line_start, line, row_node, node_row, step, table, None, bits, kind(inf), closed)
    _publish(
        cost, line_start, line, row_node, node_row, table, None, None, bits, kind(inf), closed, closed,
        distance, next_node,
    )  # fmt: skip
    return FINE


@njit(cache=True)
def update(  # type: ignore[no-untyped-def]  # noqa: PLR0912 - one pass over what changed
    number: NDArray[np.int64],
    new_cost: NDArray[np.int64],
    cost: NDArray[np.int64],
    line_tail: NDArray[np.int32],
    line_head: NDArray[np.int32],
    line_start: NDArray[np.int32],
    line: NDArray[np.int32],
    row_node: NDArray[np.int32],
    node_row: NDArray[np.int32],
    step: NDArray[np.int32],
    table: NDArray[np.signedinteger],
    distance: NDArray[np.int64],
    next_node: NDArray[np.int16],
    bits: int,
    inf: int,
    limit: int,
    closed: int,
):
    """Change some lines of a solved table; parameters and result as in `solve`, a fault names its place in `number`.

    Longer lines first, all together: a row is affected if one of them lies on a best way from its node, and affected
    rows are made anew from the others. Then shorter ones, one by one: where one gives a better way to its head, all
    ways of that row are tried over it (Murchland; Ramalingam and Reps, J. Algorithms 21 (1996), for both ideas).

    Other Parameters
    ----------------
    number : int64 (C,)
        Lines that change; of one named twice the last cost stands.
    new_cost : int64 (C,)
    cost : int64 (L,), written
    line_tail, line_head : int32 (L,)
    """
    for place in range(len(number)):
        if new_cost[place] < 1:
            return place
        if new_cost[place] > limit and new_cost[place] != closed:
            return TOO_LARGE
    kind = table.dtype.type
    nothing, keep = kind(inf), kind(-1 << bits)
    affected = np.zeros(len(row_node), np.bool_)
    own = np.zeros(len(node_row), np.bool_)
    longer = False
    for place in range(len(number)):
        this = number[place]
        if new_cost[place] <= cost[this]:
            continue
        tail, head, old = line_tail[this], line_head[this], cost[this]
        cost[this] = new_cost[place]
        if node_row[tail] < 0:
            own[tail] = True
            continue
        for row in range(len(row_node)):
            way = table[row, head]
            if table[row, tail] < nothing and way < nothing and (table[row, tail] >> bits) + old == way >> bits:
                affected[row] = longer = True
    if longer:
        _recompute(cost, line_start, line, row_node, node_row, step, table, affected, bits, nothing, closed)
    for place in range(len(number)):
        this = number[place]
        if new_cost[place] >= cost[this]:
            continue
        tail, head = line_tail[this], line_head[this]
        cost[this] = new_cost[place]
        if node_row[tail] < 0:
            own[tail] = True
            continue
        for row in range(len(row_node)):
            if row_node[row] == head or table[row, tail] >= nothing:
                continue
            way = kind(new_cost[place] << bits | head)
            if row_node[row] != tail:
                way = kind(table[row, tail] + kind(way & keep))
            if way < table[row, head]:
                affected[row] = True
                if node_row[head] >= 0:
                    _relax(table, row, way, node_row[head], keep)
                else:
                    table[row, head] = way
    _publish(
        cost, line_start, line, row_node, node_row, table, affected, own, bits, nothing, closed, closed,
        distance, next_node,
    )  # fmt: skip
    return FINE
