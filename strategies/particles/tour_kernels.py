"""Loops of the plan of test particles: which route, between which endpoints, in which round; for `tours` alone."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Paths of a station that are looked at to find a good one for it.
LOOKED_AT = 12


@njit(cache=True)
def plan_tour(  # noqa: PLR0912, PLR0915  # one loop nest that numba compiles whole
    path_start: NDArray[np.int64],
    path_station: NDArray[np.int32],
    out_slot: NDArray[np.int32],
    in_slot: NDArray[np.int32],
    slot_start: NDArray[np.int64],
    slot_endpoint: NDArray[np.int32],
    stations: NDArray[np.int64],
    row_start: NDArray[np.int64],
    row: NDArray[np.int32],
    order: NDArray[np.int64],
    used: NDArray[np.int64],
    turn: NDArray[np.int64],
    out_next: NDArray[np.int64],
    in_next: NDArray[np.int64],
    fill: int,
    path: NDArray[np.int32],
    out_place: NDArray[np.int32],
    in_place: NDArray[np.int32],
) -> int:
    """Choose particles that together see every station of any path and both access lines of every slot's endpoints.

    Greedy: for each station of `stations` (those with few paths first) that is not seen yet, the path among its next
    few that sees most that is new; then paths with a fresh access line at both ends, then at one; then paths for their
    own sake up to `fill` particles. Paths that earlier tours used least come first, equals in `order`.
    Paths of station s are ``row[row_start[s]:row_start[s + 1]]``. Writes each particle's path and the places of its
    ends among the slots' endpoints, as many as it returns. `used`, `turn` and the next ends go on from tour to tour.
    """
    paths = len(out_slot)
    least = used.min() if paths else 0
    seen = np.zeros(len(row_start) - 1, dtype=np.bool_)
    out_done = np.zeros(len(slot_endpoint), dtype=np.bool_)
    in_done = np.zeros(len(slot_endpoint), dtype=np.bool_)
    out_left = np.diff(slot_start)
    in_left = np.diff(slot_start)
    ends = np.empty(2, dtype=np.int64)
    count = 0
    for turned in range(-1, len(stations)):
        # First comes a path that was used least, whatever it sees, so that every tour brings all paths nearer.
        station = stations[max(turned, 0)]
        if len(path) == count or (turned >= 0 and seen[station]):
            continue
        first, ways = row_start[station], row_start[station + 1] - row_start[station]
        best, best_new, best_used = -1, -1, np.int64(0)
        for _ in range(min(LOOKED_AT, ways)):
            place = row[first + turn[station] % ways]
            turn[station] += 1
            new = 0
            for at in range(path_start[place], path_start[place + 1]):
                new += not seen[path_station[at]]
            better = used[place] < best_used or (used[place] == best_used and new > best_new)
            if best < 0 or better:
                best, best_new, best_used = place, new, used[place]
        if turned < 0:
            for place in order:
                if used[place] == least:
                    best = place
                    break
        for at in range(path_start[best], path_start[best + 1]):
            seen[path_station[at]] = True
        _choose_ends(best, out_slot, in_slot, slot_start, slot_endpoint, out_done, in_done, out_next, in_next, ends, 0)
        out_left[out_slot[best]] -= not out_done[ends[0]]
        in_left[in_slot[best]] -= not in_done[ends[1]]
        out_done[ends[0]] = True
        in_done[ends[1]] = True
        path[count], out_place[count], in_place[count] = best, ends[0], ends[1]
        count += 1
        used[best] += 1
    for step in range(6):
        fresh_min = (2, 2, 1, 1, 0, 0)[step]
        rare = step % 2 == 0
        again = True
        while again:
            again = False
            for place in order:
                if count == len(path) or (fresh_min == 0 and count >= fill):
                    break
                if rare and used[place] > least:
                    continue
                if (out_left[out_slot[place]] > 0) + (in_left[in_slot[place]] > 0) < fresh_min:
                    continue
                if not _choose_ends(
                    place,
                    out_slot,
                    in_slot,
                    slot_start,
                    slot_endpoint,
                    out_done,
                    in_done,
                    out_next,
                    in_next,
                    ends,
                    fresh_min,
                ):
                    continue
                out_left[out_slot[place]] -= not out_done[ends[0]]
                in_left[in_slot[place]] -= not in_done[ends[1]]
                out_done[ends[0]] = True
                in_done[ends[1]] = True
                path[count], out_place[count], in_place[count] = place, ends[0], ends[1]
                count += 1
                used[place] += 1
                # Once more around: a path may bring several fresh endpoints, one after the other.
                again = again or (fresh_min > 0 and not rare)
    return count


@njit(cache=True)
def _choose_ends(
    place: int,
    out_slot: NDArray[np.int32],
    in_slot: NDArray[np.int32],
    slot_start: NDArray[np.int64],
    slot_endpoint: NDArray[np.int32],
    out_done: NDArray[np.bool_],
    in_done: NDArray[np.bool_],
    out_next: NDArray[np.int64],
    in_next: NDArray[np.int64],
    ends: NDArray[np.int64],
    fresh_min: int,
) -> bool:
    """Choose two different endpoints for a path; False if that brings fewer fresh access lines than wanted."""
    out, home = out_slot[place], in_slot[place]
    a = _next(out, -1, slot_start, slot_endpoint, out_done, out_next)
    b = _next(home, slot_endpoint[a], slot_start, slot_endpoint, in_done, in_next)
    if b < 0 or (not out_done[a]) + (not in_done[b]) < fresh_min:
        return False
    out_next[out] = a + 1 - slot_start[out]
    in_next[home] = b + 1 - slot_start[home]
    ends[0], ends[1] = a, b
    return True


@njit(cache=True)
def _next(
    slot: int,
    other: int,
    slot_start: NDArray[np.int64],
    slot_endpoint: NDArray[np.int32],
    done: NDArray[np.bool_],
    turn: NDArray[np.int64],
) -> int:
    """Place of a slot's next endpoint that is not done, else of the next in turn; never `other`; -1: none."""
    first, members = slot_start[slot], slot_start[slot + 1] - slot_start[slot]
    found = np.int64(-1)
    for step in range(members):
        place = first + (turn[slot] + step) % members
        if slot_endpoint[place] == other:
            continue
        if not done[place]:
            return int(place)
        if found < 0:
            found = place
    return int(found)


@njit(cache=True)
def deal_rounds(
    route_start: NDArray[np.int64],
    route_station: NDArray[np.int32],
    work: NDArray[np.float64],
    rounds: int,
    station_count: int,
    dealt: NDArray[np.int32],
) -> None:
    """Deal a tour's particles to rounds of equal size, each to that where it shares least with those there already.

    `work` (S,) is what sharing a station costs. Particles of a round set out at one instant: where they meet they
    would measure each other.
    """
    particles = len(route_start) - 1
    room = -(-particles // rounds)
    met = np.zeros((rounds, station_count), dtype=np.int32)
    size = np.zeros(rounds, dtype=np.int64)
    for row in range(particles):
        best = -1
        best_cost = np.inf
        for one in range(rounds):
            if size[one] >= room:
                continue
            cost = 0.0
            for at in range(route_start[row], route_start[row + 1]):
                cost += work[route_station[at]] * met[one, route_station[at]]
            if cost < best_cost or (cost == best_cost and size[one] < size[best]):
                best_cost = cost
                best = one
        dealt[row] = best
        size[best] += 1
        for at in range(route_start[row], route_start[row + 1]):
            met[best, route_station[at]] += 1
