"""Distances of single pairs by composition through gateways, for `router_core.best.regional_pairs`.

What stands for no way is `far`, more than any route; four of it and one `unreachable` can be added up in 64 bits.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

INDEX = np.uint64


@njit(cache=True)
def _over_all(  # type: ignore[no-untyped-def]
    first, source_end, begin, target_end, home, inner, place, region, table, inf, far, leave, enter, across
):
    """Distance between ends with any homes, home by home, and within a region where they share one."""
    best = np.int64(far)
    for one in range(first, source_end):
        here = inner[home[one, 0], 0]
        gate, gates = region[here, 3], region[here + 1, 3] - region[here, 3]
        out = place[home[one, 0]]
        for other in range(begin, target_end):
            access = np.int64(home[one, 1]) + home[other, 2]
            there = inner[home[other, 0], 0]
            far_gate, far_gates = region[there, 3], region[there + 1, 3] - region[there, 3]
            back = place[home[other, 0]]
            for a in range(gates):
                for b in range(far_gates):
                    best = min(best, access + leave[out + a] + across[gate + a, far_gate + b] + enter[back + b])
            if here == there:
                row = region[here, 0] + inner[home[one, 0], 1] * region[here, 1]
                entry = table[row + inner[home[other, 0], 2]]
                if entry < inf:
                    best = min(best, access + (entry >> region[here, 2]))
    return best


@njit(cache=True)
def distances(  # type: ignore[no-untyped-def]
    source: NDArray[np.signedinteger],
    target: NDArray[np.signedinteger],
    home_start: NDArray[np.int32],
    home: NDArray[np.signedinteger],
    only: NDArray[np.int16],
    inner: NDArray[np.int16],
    place: NDArray[np.int32],
    region: NDArray[np.int64],
    table: NDArray[np.signedinteger],
    inf: int,
    far: int,
    leave: NDArray[np.signedinteger],
    enter: NDArray[np.signedinteger],
    across: NDArray[np.int64],
    unreachable: int,
    found: NDArray[np.int64],
):
    """Write the distance of each pair; indices are the caller's to check.

    Parameters
    ----------
    source, target : int (C,)
    home_start : int32 (N + 1,)
    home : int32 or int64 (E, 3)
        Inner nodes over which node i is joined: ``home[home_start[i]:home_start[i + 1]]``; the inner node, the cost of
        the way to it, and of the way back, `far` where there is no line. An inner node is its own home, at no cost.
    only : int16 (N,)
        Region of the homes of each node that has one or two, in one region; -1 for other nodes.
    inner : int16 (T, 3)
        Region of each inner node, its row and its column there.
    place : int32 (T,)
        Where its ways to and from gateways begin.
    region : int64 (R + 1, 4)
        Where each region's table begins, its columns, the bits of its next nodes, its first gateway.
    table : int32 or int64, flat
        Packed tables of all regions (`router_core.kernels.all_pairs`); no way from `inf` on.
    far : int
    leave, enter : int32 or int64, flat
        Distance from each inner node to each gateway of its region within it, and back.
    across : int64 (P, W)
        Distance between gateways, `unreachable` for no way.
    unreachable : int
    found : int64 (C,), written
    """
    for pair in range(len(source)):
        if source[pair] == target[pair]:
            found[pair] = 0
            continue
        # Unsigned indices: no code then looks whether they count from the end, which is a third of the time.
        leaver, comer = INDEX(source[pair]), INDEX(target[pair])
        first, last = INDEX(home_start[leaver]), INDEX(home_start[leaver + INDEX(1)]) - INDEX(1)
        begin, end = INDEX(home_start[comer]), INDEX(home_start[comer + INDEX(1)]) - INDEX(1)
        if only[leaver] < 0 or only[comer] < 0 or only[leaver] == only[comer]:
            best = _over_all(
                home_start[leaver], home_start[leaver + INDEX(1)], home_start[comer], home_start[comer + INDEX(1)],
                home, inner, place, region, table, inf, far, leave, enter, across,
            )  # fmt: skip
            found[pair] = best if best < far else unreachable
            continue
        # The usual pair without branches, as a wrong guess costs more than additions do: where there is one home it
        # stands for the second as well.
        here, there = INDEX(only[leaver]), INDEX(only[comer])
        gate, far_gate = INDEX(region[here, 3]), INDEX(region[there, 3])
        out, other_out = INDEX(place[INDEX(home[first, 0])]), INDEX(place[INDEX(home[last, 0])])
        back, other_back = INDEX(place[INDEX(home[begin, 0])]), INDEX(place[INDEX(home[end, 0])])
        best = np.int64(far)
        for a in range(INDEX(region[here + INDEX(1), 3]) - gate):
            away = min(np.int64(home[first, 1]) + leave[out + a], np.int64(home[last, 1]) + leave[other_out + a])
            for b in range(INDEX(region[there + INDEX(1), 3]) - far_gate):
                on = min(np.int64(home[begin, 2]) + enter[back + b], np.int64(home[end, 2]) + enter[other_back + b])
                best = min(best, away + across[gate + a, far_gate + b] + on)
        found[pair] = best if best < far else unreachable


@njit(cache=True)
def open_gates(  # type: ignore[no-untyped-def]
    first: int,
    last: int,
    nodes: NDArray[np.int32],
    node_rows: NDArray[np.int32],
    gate_column: NDArray[np.int64],
    to_gates: NDArray[np.int64],
    region: NDArray[np.int64],
    table: NDArray[np.signedinteger],
    inf: int,
    far: int,
    leave: NDArray[np.signedinteger],
    enter: NDArray[np.signedinteger],
    core_lines: int,
    crossing_start: NDArray[np.int64],
    known: NDArray[np.int64],
    closed: int,
    line: NDArray[np.int64],
    cost: NDArray[np.int64],
    count: int,
):
    """Read off solved regions what their gateways need; return how many lines of the overlay change so far.

    Parameters
    ----------
    first, last : int
        Regions ``first:last``.
    nodes : int32 (R + 1,), node_rows : int32 (T,)
        Row of the i-th node of region r: ``node_rows[nodes[r] + i]``.
    gate_column : int64 (P,)
        Number of each gateway in its region.
    to_gates : int64 (R + 1,)
        Where the ways of region r to and from gateways begin.
    region, table, inf, far, leave, enter
        As in `distances`; `leave` and `enter` are written.
    core_lines : int
        Number of the overlay's lines before those that cross regions.
    crossing_start : int64 (R + 1,)
        Lines that cross region r, by pair of different gateways.
    known : int64
        Costs of the overlay's lines as of now.
    closed : int
    line, cost : int64, written from `count` on
        Lines of the overlay that change, and their costs.
    count : int
    """
    for here in range(first, last):
        begin, stride, bits, gate = region[here]
        place = to_gates[here]
        rows = node_rows[nodes[here] : nodes[here + 1]]
        gates = region[here + 1, 3] - gate
        for node in range(len(rows)):
            for a in range(gates):
                column = gate_column[gate + a]
                away = table[begin + rows[node] * stride + column]
                leave[place + node * gates + a] = away >> bits if away < inf else far
                back = table[begin + rows[column] * stride + node]
                enter[place + node * gates + a] = back >> bits if back < inf else far
        crossing = core_lines + crossing_start[here]
        for a in range(gates):
            for b in range(gates):
                if a == b:
                    continue
                way = leave[place + gate_column[gate + a] * gates + b]
                now = way if way < far else closed
                if now != known[crossing]:
                    line[count], cost[count] = crossing, now
                    count += 1
                crossing += 1
    return count
