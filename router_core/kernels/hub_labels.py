"""Best routes in a sparse graph whose costs change: one order of elimination, and labels along its tree.

For `router_core.best.hub_labels`. States are numbered by rank. Position p is a pair of states that the elimination
joins: ``low[p]`` and, above it, ``up[p]``. Column 0 of `weight` and `via` is the way up, column 1 the way down. A way
is one station (``via < 0``, its complement) or leads over a lower state (``via >= 0``).

Customisable contraction hierarchies (Dibbelt, Strasser and Wagner, ACM J. Exp. Algorithmics 21 (2016)) with labels
along the elimination tree (tree decomposition labels: Ouyang, Qin, Chang, Lin, Zhang and Zhu, SIGMOD 2018).
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Stands for no way: more than any route, and two of them still fit 64 bits.
FAR = 2**60
NONE = 2**31 - 1


@njit(cache=True)
def _complete(  # type: ignore[no-untyped-def]
    state, cost, up_start, low, down_start, down, triangle_start, triangle, arc_start, arc_station, weight, via
):
    """Make the ways between a state and those above it anew, from stations and from ways over lower states."""
    for place in range(2 * up_start[state], 2 * up_start[state + 1]):
        best, over = np.int64(FAR), np.int64(NONE)
        for arc in range(arc_start[place], arc_start[place + 1]):
            if cost[arc_station[arc]] < best:
                best, over = cost[arc_station[arc]], ~np.int64(arc_station[arc])
        weight[place >> 1, place & 1] = best
        via[place >> 1, place & 1] = over
    for place in range(down_start[state], down_start[state + 1]):
        first = down[place]
        middle = low[first]
        for other in range(first + 1, up_start[middle + 1]):
            joined = triangle[triangle_start[first] + other - first - 1]
            upward = weight[first, 1] + weight[other, 0]
            if upward < weight[joined, 0]:
                weight[joined, 0], via[joined, 0] = upward, middle
            downward = weight[other, 1] + weight[first, 0]
            if downward < weight[joined, 1]:
                weight[joined, 1], via[joined, 1] = downward, middle


@njit(cache=True)
def solve(  # type: ignore[no-untyped-def]
    cost: NDArray[np.int64],
    up_start: NDArray[np.int32],
    low: NDArray[np.int32],
    down_start: NDArray[np.int32],
    down: NDArray[np.int32],
    triangle_start: NDArray[np.int64],
    triangle: NDArray[np.int32],
    arc_start: NDArray[np.int32],
    arc_station: NDArray[np.int32],
    weight: NDArray[np.int64],
    via: NDArray[np.int32],
):
    """Make all ways anew; costs are the caller's to check. P positions, V states, S stations.

    Parameters
    ----------
    cost : int64 (S,)
        1 or more; more than `FAR` closes a station.
    up_start, low : int32 (V + 1,), (P,)
        Positions whose lower state is x: ``up_start[x]:up_start[x + 1]``, ascending by the upper one.
    down_start, down : int32 (V + 1,), (P,)
        Positions whose upper state is x: ``down[down_start[x]:down_start[x + 1]]``, ascending.
    triangle_start : int64 (P + 1,), triangle : int32
        Positions that join ``up[p]`` with the further states above ``low[p]``, in their order.
    arc_start, arc_station : int32 (2 P + 1,), int32
        Stations that lead up at p: ``arc_station[arc_start[2 p]:arc_start[2 p + 1]]``; then those that lead down.
    weight, via : int64 (P, 2), int32 (P, 2), written
    """
    for state in range(len(up_start) - 1):
        _complete(
            state, cost, up_start, low, down_start, down, triangle_start, triangle, arc_start, arc_station, weight, via
        )


@njit(cache=True)
def update(  # type: ignore[no-untyped-def]
    station: NDArray[np.int64],
    changed: NDArray[np.int64],
    station_start: NDArray[np.int32],
    station_low: NDArray[np.int32],
    reach: NDArray[np.int32],
    ordered: NDArray[np.int32],
    stale: NDArray[np.bool_],
    up: NDArray[np.int32],
    cost: NDArray[np.int64],
    up_start: NDArray[np.int32],
    low: NDArray[np.int32],
    down_start: NDArray[np.int32],
    down: NDArray[np.int32],
    triangle_start: NDArray[np.int64],
    triangle: NDArray[np.int32],
    arc_start: NDArray[np.int32],
    arc_station: NDArray[np.int32],
    weight: NDArray[np.int64],
    via: NDArray[np.int32],
):
    """Change some stations: what they touch is made anew, and what lies above as far as a way changes its cost.

    Parameters as in `solve`, and

    Parameters
    ----------
    station, changed : int64 (C,)
        Stations, each once, and their costs.
    station_start, station_low : int32 (S + 1,), int32
        Lower state of each arc of a station: ``station_low[station_start[s]:station_start[s + 1]]``.
    reach : int32 (V, 2)
        Terminals below state x: ``ordered[reach[x, 0]:reach[x, 1]]``.
    stale : bool (K,), written
        True is set for terminals whose label no longer holds.
    up : int32 (P,)
    cost : int64 (S,), written
    """
    states = len(up_start) - 1
    dirty = np.zeros(states, np.bool_)
    begin = states
    for number in range(len(station)):
        this = station[number]
        if cost[this] == changed[number]:
            continue
        cost[this] = changed[number]
        for place in range(station_start[this], station_start[this + 1]):
            dirty[station_low[place]] = True
            begin = min(begin, station_low[place])
    for state in range(begin, states):
        if not dirty[state]:
            continue
        first, last = up_start[state], up_start[state + 1]
        before = weight[first:last].copy()
        _complete(
            state, cost, up_start, low, down_start, down, triangle_start, triangle, arc_start, arc_station, weight, via
        )
        differs = False
        for place in range(first, last):
            if weight[place, 0] != before[place - first, 0] or weight[place, 1] != before[place - first, 1]:
                differs = True
        if differs:
            for place in range(first, last):
                dirty[up[place]] = True
            for place in range(reach[state, 0], reach[state, 1]):
                stale[ordered[place]] = True


@njit(cache=True)
def _relabel(  # type: ignore[no-untyped-def]
    terminal, side, rank, parent, depth, label_start, label, came_by, up_start, up, weight
):
    """Make the distances between a terminal and the states above it anew, by depth in the tree.

    Side 0 leads away from the terminal, side 1 towards it. `came_by` notes the position of the last step to each depth.
    """
    begin = label_start[terminal]
    label[begin : label_start[terminal + 1]] = FAR
    state = rank[terminal]
    label[begin + depth[state]] = 0
    came_by[depth[state]] = -1
    while state >= 0:
        so_far = label[begin + depth[state]]
        if so_far < FAR:
            for place in range(up_start[state], up_start[state + 1]):
                total = so_far + weight[place, side]
                if total < label[begin + depth[up[place]]]:
                    label[begin + depth[up[place]]] = total
                    came_by[depth[up[place]]] = place
        state = parent[state]


@njit(cache=True)
def _meet(source, target, label_start, label, chain):  # type: ignore[no-untyped-def]
    """Distance of two terminals: the states above both are those before their branches part."""
    begin, other = label_start[source], label_start[target]
    least = 0
    most = min(label_start[source + 1] - begin, label_start[target + 1] - other)
    while least < most:
        middle = (least + most + 1) >> 1
        if chain[begin + middle - 1] == chain[other + middle - 1]:
            least = middle
        else:
            most = middle - 1
    best = np.int64(FAR)
    for depth in range(least):
        best = min(best, label[begin + depth] + label[other + depth])
    return best


@njit(cache=True)
def distances(  # type: ignore[no-untyped-def]
    source: NDArray[np.int64],
    target: NDArray[np.int64],
    rank: NDArray[np.int32],
    parent: NDArray[np.int32],
    depth: NDArray[np.int32],
    label_start: NDArray[np.int64],
    label: NDArray[np.int64],
    chain: NDArray[np.int32],
    stale: NDArray[np.bool_],
    entries: int,
    up_start: NDArray[np.int32],
    up: NDArray[np.int32],
    weight: NDArray[np.int64],
    unreachable: int,
    found: NDArray[np.int64],
):
    """Write the distance of each pair of an entry and an exit.

    Parameters
    ----------
    source, target : int64 (C,)
        Terminals: entries come first.
    rank : int32 (K,)
        State of each terminal.
    parent, depth : int32 (V,)
        Of each state in the tree; -1 above a root, whose depth is 0.
    label_start, label, chain : int64 (K + 1,), int64, int32
        Distance to (of entries) or from (of exits) each state above a terminal, by depth, and these states.
    stale : bool (K,), written
        Labels to make anew before they are used.
    entries : int
        Number of entries.
    up_start, up, weight
        As above.
    unreachable : int
    found : int64 (C,), written
    """
    came_by = np.empty(len(parent), np.int32)
    for pair in range(len(source)):
        for terminal in (source[pair], target[pair]):
            if stale[terminal]:
                side = 0 if terminal < entries else 1
                _relabel(terminal, side, rank, parent, depth, label_start, label, came_by, up_start, up, weight)
                stale[terminal] = False
        best = _meet(source[pair], target[pair], label_start, label, chain)
        found[pair] = best if best < FAR else unreachable


@njit(cache=True)
def _find(low_state, state, up_start, up):  # type: ignore[no-untyped-def]
    """Position that joins two states."""
    first, last = up_start[low_state], up_start[low_state + 1] - 1
    while first < last:
        middle = (first + last) >> 1
        if up[middle] < state:
            first = middle + 1
        else:
            last = middle
    return first


@njit(cache=True)
def _expand(place, side, low, up_start, up, via, waiting, station, count):  # type: ignore[no-untyped-def]
    """Write the stations of a way in order, from `count` on; return how many there are then."""
    waiting[0] = 2 * place + side
    size = 1
    while size:
        size -= 1
        place, side = waiting[size] >> 1, waiting[size] & 1
        middle = via[place, side]
        if middle < 0:
            station[count] = ~middle
            count += 1
            continue
        ends = (_find(middle, low[place], up_start, up), _find(middle, up[place], up_start, up))
        # What comes first is put on top.
        waiting[size] = 2 * ends[1 - side]
        waiting[size + 1] = 2 * ends[side] + 1
        size += 2
    return count


@njit(cache=True)
def routes(  # type: ignore[no-untyped-def]
    source: NDArray[np.int64],
    target: NDArray[np.int64],
    rank: NDArray[np.int32],
    parent: NDArray[np.int32],
    depth: NDArray[np.int32],
    label_start: NDArray[np.int64],
    label: NDArray[np.int64],
    chain: NDArray[np.int32],
    stale: NDArray[np.bool_],
    entries: int,
    up_start: NDArray[np.int32],
    up: NDArray[np.int32],
    weight: NDArray[np.int64],
    low: NDArray[np.int32],
    via: NDArray[np.int32],
    first_pair: int,
    route_start: NDArray[np.int64],
    station: NDArray[np.int32],
):
    """Write the stations of the best route of each pair from `first_pair` on; return how many pairs are done.

    It stops before a pair for which there might be no room left: a route has fewer stations than there are states.

    Parameters as in `distances` and `solve`, and

    Parameters
    ----------
    route_start : int64 (C + 1,), written behind `first_pair`
    station : int32, written
    """
    states = len(parent)
    came_by, turned = np.empty(states, np.int32), np.empty(states, np.int32)
    waiting = np.empty(2 * states + 2, np.int64)
    for pair in range(first_pair, len(source)):
        count = route_start[pair]
        if len(station) - count < states:
            return pair
        for terminal in (source[pair], target[pair]):
            side = 0 if terminal < entries else 1
            steps = turned if side else came_by
            _relabel(terminal, side, rank, parent, depth, label_start, label, steps, up_start, up, weight)
            stale[terminal] = False
        best = _meet(source[pair], target[pair], label_start, label, chain)
        if best < FAR:
            top, begin, other = 0, label_start[source[pair]], label_start[target[pair]]
            while label[begin + top] + label[other + top] != best:
                top += 1
            # Up to the top backwards: the positions are put aside first.
            size, at = 0, top
            while came_by[at] >= 0:
                waiting[states + size] = came_by[at]
                size += 1
                at = depth[low[came_by[at]]]
            for step in range(size - 1, -1, -1):
                count = _expand(waiting[states + step], 0, low, up_start, up, via, waiting, station, count)
            at = top
            while turned[at] >= 0:
                count = _expand(turned[at], 1, low, up_start, up, via, waiting, station, count)
                at = depth[low[turned[at]]]
        route_start[pair + 1] = count
    return len(source)
