"""Distances of single pairs by composition through gateways, for `router_core.best.regional_pairs`."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Stands for no way while parts are added: nine of them still fit 64 bits.
FAR = 2**59


@njit(cache=True, forceinline=True)
def _entry(table, place, bits, inf):  # type: ignore[no-untyped-def]
    """Distance in a packed entry."""
    return np.int64(table[place] >> bits) if table[place] < inf else FAR


@njit(cache=True, forceinline=True)
def _run_end(home, inner, place, end):  # type: ignore[no-untyped-def]
    """End of the homes from `place` on that lie in one region."""
    region = inner[home[place], 0]
    while place < end and inner[home[place], 0] == region:
        place += 1
    return place


@njit(cache=True, forceinline=True)
def _to(  # type: ignore[no-untyped-def]
    first, last, column, home, inner, access, closed, table, offset, stride, bits, inf
):
    """Distance from an end, by its homes `first:last`, to a node of their region."""
    best = FAR
    for place in range(first, last):
        if access[place] < closed:
            part = _entry(table, offset + inner[home[place], 1] * stride + column, bits, inf)
            best = min(best, access[place] + part)
    return best


@njit(cache=True, forceinline=True)
def _from(  # type: ignore[no-untyped-def]
    first, last, row, home, inner, access, closed, table, offset, stride, bits, inf
):
    """Distance from a node of a region to an end, by its homes `first:last` there."""
    best = FAR
    for place in range(first, last):
        if access[place] < closed:
            part = _entry(table, offset + row * stride + inner[home[place], 2], bits, inf)
            best = min(best, access[place] + part)
    return best


@njit(cache=True)
def distances(  # type: ignore[no-untyped-def]
    source: NDArray[np.signedinteger],
    target: NDArray[np.signedinteger],
    home_start: NDArray[np.int32],
    home: NDArray[np.signedinteger],
    inner: NDArray[np.int16],
    out_cost: NDArray[np.signedinteger],
    in_cost: NDArray[np.signedinteger],
    region: NDArray[np.int64],
    table: NDArray[np.signedinteger],
    inf: int,
    gate: NDArray[np.int32],
    overlay: NDArray[np.signedinteger],
    overlay_bits: int,
    overlay_inf: int,
    closed: int,
    unreachable: int,
    found: NDArray[np.int64],
):
    """Write the distance of each pair; indices are the caller's to check.

    Parameters
    ----------
    source, target : int (C,)
    home_start : int32 (N + 1,)
    home : int16 or int32 (E,)
        Inner nodes over which node i is joined, by region: ``home[home_start[i]:home_start[i + 1]]``; an inner node is
        its own home.
    inner : int16 (T, 3)
        Region of each inner node, its row and its column there.
    out_cost, in_cost : int32 or int64 (E,)
        Cost from the node to that home and back, `closed` or more where there is no line; 0 to itself.
    region : int64 (R + 1, 4)
        Where each region's table begins, its columns, the bits of its next nodes, its first gateway.
    table : int32 or int64, flat
        Packed tables of all regions (`router_core.kernels.all_pairs`); no way from `inf` on.
    gate : int32 (P, 3)
        Row and column of each gateway in its region, row in the overlay; its column there is its number.
    overlay : int32 or int64 (P, W), overlay_bits, overlay_inf
        Packed table of the gateways.
    closed, unreachable : int
    found : int64 (C,), written
    """
    for pair in range(len(source)):
        if source[pair] == target[pair]:
            found[pair] = 0
            continue
        best = FAR
        source_end, target_end = home_start[source[pair] + 1], home_start[target[pair] + 1]
        first = home_start[source[pair]]
        while first < source_end:
            here = inner[home[first], 0]
            last = _run_end(home, inner, first, source_end)
            offset, stride, bits = region[here, 0], region[here, 1], region[here, 2]
            begin = home_start[target[pair]]
            while begin < target_end:
                there = inner[home[begin], 0]
                end = _run_end(home, inner, begin, target_end)
                if here == there:
                    for place in range(begin, end):
                        if in_cost[place] < closed:
                            way = _to(
                                first, last, inner[home[place], 2],
                                home, inner, out_cost, closed, table, offset, stride, bits, inf,
                            )  # fmt: skip
                            best = min(best, way + in_cost[place])
                far_offset, far_stride, far_bits = region[there, 0], region[there, 1], region[there, 2]
                for leave in range(region[here, 3], region[here + 1, 3]):
                    way = _to(
                        first, last, gate[leave, 1],
                        home, inner, out_cost, closed, table, offset, stride, bits, inf,
                    )  # fmt: skip
                    # What is no shorter already need not look at where to enter.
                    if way < best:
                        for enter in range(region[there, 3], region[there + 1, 3]):
                            across = overlay[gate[leave, 2], enter]
                            if across < overlay_inf and way + (across >> overlay_bits) < best:
                                rest = _from(
                                    begin, end, gate[enter, 0],
                                    home, inner, in_cost, closed, table, far_offset, far_stride, far_bits, inf,
                                )  # fmt: skip
                                best = min(best, way + (across >> overlay_bits) + rest)
                begin = end
            first = last
        found[pair] = best if best < FAR else unreachable


@njit(cache=True)
def changed_crossings(  # type: ignore[no-untyped-def]
    table: NDArray[np.signedinteger],
    cell: NDArray[np.int64],
    first: int,
    last: int,
    bits: int,
    inf: int,
    closed: int,
    base: int,
    known: NDArray[np.int64],
    number: NDArray[np.int64],
    cost: NDArray[np.int64],
):
    """Collect the ways between gateways through one region that cost something else now; return how many.

    Parameters
    ----------
    table : int32 or int64, flat
    cell : int64 (X,)
        Entry of each crossing in the table; those of the region are ``first:last``.
    bits, inf, closed : int
        Of the table, and what a crossing without a way costs.
    base : int
        Number of crossing 0 among the lines of the overlay.
    known : int64
        Costs of the overlay's lines as of now.
    number, cost : int64, written
        Lines of the overlay that change, and their costs.
    """
    count = 0
    for crossing in range(first, last):
        entry = table[cell[crossing]]
        now = np.int64(entry >> bits) if entry < inf else closed
        if now != known[base + crossing]:
            number[count], cost[count] = base + crossing, now
            count += 1
    return count
