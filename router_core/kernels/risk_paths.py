"""Paths that fail apart, for `router_core.paths.disjoint` and `router_core.paths.survivable`.

Searches correct labels first in, first out: a label is (fines, cost), compared in this order, and arcs of a flow may be
taken back at a negative cost, which a heap would not allow.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

FAR = np.int64(2**62)


@njit(cache=True)
def _search(  # type: ignore[no-untyped-def]
    arc_start,
    arc_tail,
    arc_head,
    arc_station,
    in_start,
    in_arc,
    cost,
    fine,
    closed,
    used,
    flow,
    start,
    fines,
    distance,
    came_by,
    queue,
    waiting,
):
    """Find the ways of fewest fines, then least cost, to every state over stations that are not closed.

    With `flow`, an arc that is used once costs another fine to use again, and may be used backwards, which gives its
    cost back. `came_by` holds the arc by which a state was reached, -2 - arc if backwards, -1 at the start.
    """
    states = len(arc_start) - 1
    fines[:] = FAR
    distance[:] = FAR
    fines[start], distance[start], came_by[start] = 0, 0, -1
    queue[0] = start
    first, last = 0, 1
    while first != last:
        state = queue[first]
        first = first + 1 if first < states else 0
        waiting[state] = False
        forward = arc_start[state + 1] - arc_start[state]
        both = forward + (in_start[state + 1] - in_start[state] if flow else 0)
        for place in range(both):
            if place < forward:
                arc = arc_start[state] + place
                station = arc_station[arc]
                if closed[station]:
                    continue
                new_fines = fines[state] + fine[station] + (1 if flow and used[arc] > 0 else 0)
                total = distance[state] + cost[arc]
                head, by = arc_head[arc], arc
            else:
                arc = in_arc[in_start[state] + place - forward]
                if used[arc] == 0:
                    continue
                new_fines, total = fines[state], distance[state] - cost[arc]
                head, by = arc_tail[arc], -2 - arc
            if new_fines < fines[head] or (new_fines == fines[head] and total < distance[head]):
                fines[head], distance[head], came_by[head] = new_fines, total, by
                if not waiting[head]:
                    waiting[head] = True
                    queue[last] = head
                    last = last + 1 if last < states else 0


@njit(cache=True)
def disjoint_two(  # type: ignore[no-untyped-def]  # noqa: PLR0912, PLR0915 - one loop nest
    arc_start: NDArray[np.int64],
    arc_tail: NDArray[np.int32],
    arc_head: NDArray[np.int32],
    arc_station: NDArray[np.int32],
    in_start: NDArray[np.int64],
    in_arc: NDArray[np.int32],
    arc_cost: NDArray[np.int64],
    station_count: int,
    pair_entry: NDArray[np.int64],
    pair_exit: NDArray[np.int64],
):
    """Return two paths of each pair that share the fewest arcs and then cost least in all, the cheaper one first.

    A flow of two units, sent one after the other; indices are the caller's to check. D pairs, A arcs.

    Parameters
    ----------
    arc_start, arc_tail, arc_head, arc_station, in_start, in_arc
        The routing graph in compressed rows, and the arcs that enter each state.
    arc_cost : int64 (A,)
        At least 1; the sum over a loopless path must fit.
    station_count : int
    pair_entry, pair_exit : int64 (D,)

    Returns
    -------
    pair_start : int64 (D + 1,)
        A pair has one path if it has no other, and none if it is not connected.
    path_start : int64 (P + 1,)
    path_station : int32 (K,)
    """
    states, pairs = len(arc_start) - 1, len(pair_entry)
    fines, distance = np.empty(states, np.int64), np.empty(states, np.int64)
    came_by, queue = np.empty(states, np.int64), np.empty(states + 1, np.int64)
    waiting, used = np.zeros(states, np.bool_), np.zeros(len(arc_head), np.int8)
    fine, closed = np.zeros(station_count, np.int64), np.zeros(station_count, np.bool_)
    two, length, total = np.empty((2, states), np.int32), np.zeros(2, np.int64), np.zeros(2, np.int64)
    pair_start, path_start = np.zeros(pairs + 1, np.int64), np.zeros(2 * pairs + 1, np.int64)
    path_station = np.empty(16 * pairs + 2 * states, np.int32)
    paths, filled = 0, 0
    for pair in range(pairs):
        start, end = pair_entry[pair], pair_exit[pair]
        pair_start[pair + 1] = paths
        if start == end:
            paths += 1
            path_start[paths] = filled
            pair_start[pair + 1] = paths
            continue
        for unit in range(2):
            _search(
                arc_start,
                arc_tail,
                arc_head,
                arc_station,
                in_start,
                in_arc,
                arc_cost,
                fine,
                closed,
                used,
                unit == 1,
                start,
                fines,
                distance,
                came_by,
                queue,
                waiting,
            )
            if fines[end] == FAR:
                break
            state = end
            while state != start:
                by = came_by[state]
                if by >= 0:
                    used[by] += 1
                    state = arc_tail[by]
                else:
                    used[-2 - by] -= 1
                    state = arc_head[-2 - by]
        if fines[end] == FAR:
            continue
        for unit in range(2):
            length[unit], total[unit] = 0, 0
            state = start
            while state != end:
                arc = arc_start[state]
                while used[arc] == 0:
                    arc += 1
                used[arc] -= 1
                two[unit, length[unit]] = arc
                length[unit] += 1
                total[unit] += arc_cost[arc]
                state = arc_head[arc]
        same = length[0] == length[1] and (two[0, : length[0]] == two[1, : length[1]]).all()
        if filled + length[0] + length[1] > len(path_station):
            path_station = np.concatenate((path_station, np.empty(len(path_station) + 2 * states, np.int32)))
        for rank in range(1 if same else 2):
            unit = rank if total[0] <= total[1] else 1 - rank
            for index in range(length[unit]):
                path_station[filled + index] = arc_station[two[unit, index]]
            filled += length[unit]
            paths += 1
            path_start[paths] = filled
        pair_start[pair + 1] = paths
    return pair_start, path_start[: paths + 1], path_station[:filled]


@njit(cache=True)
def _reach(  # type: ignore[no-untyped-def]
    arc_start, arc_head, arc_station, shut, stamp, start, exits, queue, reached, alive
):
    """Write which exits the stations that are not shut lead to from a start."""
    reached[:] = False
    reached[start] = True
    queue[0] = start
    first, last = 0, 1
    while first < last:
        state = queue[first]
        first += 1
        for arc in range(arc_start[state], arc_start[state + 1]):
            station, head = arc_station[arc], arc_head[arc]
            if not (reached[head] or shut[station] == stamp):
                reached[head] = True
                queue[last] = head
                last += 1
    for end in range(len(exits)):
        alive[end] = reached[exits[end]]


@njit(cache=True)
def common_risks(  # type: ignore[no-untyped-def]
    arc_start: NDArray[np.int64],
    arc_head: NDArray[np.int32],
    arc_station: NDArray[np.int32],
    entry: NDArray[np.int64],
    exits: NDArray[np.int64],
    risk_start: NDArray[np.int64],
    risk_station: NDArray[np.int32],
    at_start: NDArray[np.int64],
    at_risk: NDArray[np.int32],
    order: NDArray[np.int64],
    pair_source: NDArray[np.int32],
    pair_target: NDArray[np.int32],
    pair_start: NDArray[np.int64],
    path_start: NDArray[np.int64],
    path_station: NDArray[np.int32],
):
    """Return every (pair, risk) such that all paths of the pair fail with the risk, and whether the graph has another.

    Indices are the caller's to check. D pairs, R risks, S stations, G ends.

    Parameters
    ----------
    arc_start, arc_head, arc_station
        The routing graph in compressed rows.
    entry, exits : int64 (G,)
    risk_start, risk_station, at_start, at_risk
        Stations of each risk, and risks of each station, in compressed rows.
    order : int64 (D,)
        The pairs in the order in which to work: those of one source together.
    pair_source, pair_target, pair_start, path_start, path_station
        The paths.

    Returns
    -------
    pair : int32 (N,)
        In the order of work; pairs without a path are left out.
    risk : int32 (N,)
    avoidable : bool (N,)
    """
    states, risks = len(arc_start) - 1, len(risk_start) - 1
    hit, in_row, shut = np.zeros(risks, np.int64), np.zeros(risks, np.int64), np.zeros(len(at_start) - 1, np.int64)
    tested = np.zeros(risks, np.int64)  # of which source, + 1, the row of `alive` is
    alive = np.empty((risks, len(exits)), np.bool_)
    queue, reached = np.empty(states, np.int64), np.empty(states, np.bool_)
    room = 16
    found_pair, found_risk, avoidable = np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.bool_)
    found, stamp, row = 0, 0, 0
    for pair in order:
        first, last = pair_start[pair], pair_start[pair + 1]
        source = pair_source[pair]
        # `in_row` counts, from the row of this pair on, how many paths in a row a risk is common to.
        for path in range(first, last):
            for position in range(path_start[path], path_start[path + 1]):
                station = path_station[position]
                for place in range(at_start[station], at_start[station + 1]):
                    risk = at_risk[place]
                    if path == first or in_row[risk] == row + path - first:
                        in_row[risk] = row + path - first + 1
        for position in range(path_start[first], path_start[first + 1] if last > first else path_start[first]):
            station = path_station[position]
            for place in range(at_start[station], at_start[station + 1]):
                risk = at_risk[place]
                if in_row[risk] != row + last - first or hit[risk] == pair + 1:
                    continue
                hit[risk] = pair + 1
                if tested[risk] != source + 1:
                    tested[risk] = source + 1
                    stamp += 1
                    for index in range(risk_start[risk], risk_start[risk + 1]):
                        shut[risk_station[index]] = stamp
                    _reach(
                        arc_start,
                        arc_head,
                        arc_station,
                        shut,
                        stamp,
                        entry[source],
                        exits,
                        queue,
                        reached,
                        alive[risk],
                    )
                if found == room:
                    room *= 2
                    found_pair = np.concatenate((found_pair, found_pair))
                    found_risk = np.concatenate((found_risk, found_risk))
                    avoidable = np.concatenate((avoidable, avoidable))
                found_pair[found], found_risk[found] = pair, risk
                avoidable[found] = alive[risk, pair_target[pair]]
                found += 1
        row += last - first + 1
    return found_pair[:found], found_risk[:found], avoidable[:found]


@njit(cache=True)
def avoiding_path(  # type: ignore[no-untyped-def]
    arc_start: NDArray[np.int64],
    arc_tail: NDArray[np.int32],
    arc_head: NDArray[np.int32],
    arc_station: NDArray[np.int32],
    arc_cost: NDArray[np.int64],
    fine: NDArray[np.int64],
    closed: NDArray[np.bool_],
    start: int,
    end: int,
):
    """Return the stations of the path that pays the fewest fines and then costs least.

    Indices are the caller's to check.

    Parameters
    ----------
    arc_start, arc_tail, arc_head, arc_station
        The routing graph in compressed rows.
    arc_cost : int64 (A,)
        At least 1; the sum over a loopless path must fit.
    fine : int64 (S,)
        What a visit to each station pays.
    closed : bool (S,)
        Stations that the path may not visit.
    start, end : int
        States.

    Returns
    -------
    int32 (K,)
        Empty if there is no path.
    """
    states = len(arc_start) - 1
    fines, distance = np.empty(states, np.int64), np.empty(states, np.int64)
    came_by, queue = np.empty(states, np.int64), np.empty(states + 1, np.int64)
    _search(
        arc_start,
        arc_tail,
        arc_head,
        arc_station,
        arc_start,
        arc_tail,
        arc_cost,
        fine,
        closed,
        np.zeros(1, np.int8),
        False,
        start,
        fines,
        distance,
        came_by,
        queue,
        np.zeros(states, np.bool_),
    )
    path = np.empty(states, np.int32)
    place = states
    if fines[end] < FAR:
        state = end
        while state != start:
            place -= 1
            path[place] = arc_station[came_by[state]]
            state = arc_tail[came_by[state]]
    return path[place:]
