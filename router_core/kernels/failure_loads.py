"""What stations carry after each single failure, for `router_core.paths.failure_loads`."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def paths_by_station(  # type: ignore[no-untyped-def]
    path_start: NDArray[np.int64], path_station: NDArray[np.int32], stations: int
):
    """Return the paths that visit each station, each once and ascending, in compressed rows."""
    start = np.zeros(stations + 1, dtype=np.int64)
    seen = np.full(stations, -1, dtype=np.int64)
    for path in range(len(path_start) - 1):
        for place in range(path_start[path], path_start[path + 1]):
            station = path_station[place]
            if seen[station] != path:
                seen[station] = path
                start[station + 1] += 1
    for station in range(stations):
        start[station + 1] += start[station]
    found = np.empty(start[stations], dtype=np.int32)
    filled = start[:-1].copy()
    seen[:] = -1
    for path in range(len(path_start) - 1):
        for place in range(path_start[path], path_start[path + 1]):
            station = path_station[place]
            if seen[station] != path:
                seen[station] = path
                found[filled[station]] = path
                filled[station] += 1
    return start, found


@njit(cache=True)
def add_flows(  # type: ignore[no-untyped-def]
    pair_start: NDArray[np.int64],
    path_start: NDArray[np.int64],
    path_station: NDArray[np.int32],
    weights: NDArray[np.int64],
    demand: NDArray[np.float64],
    flow: NDArray[np.float64],
):
    """Add to `flow` (S, Q) what passes each station when every pair's demand (D, Q) goes by its weights."""
    for pair in range(len(pair_start) - 1):
        total = 0
        for path in range(pair_start[pair], pair_start[pair + 1]):
            total += weights[path]
        for path in range(pair_start[pair], pair_start[pair + 1]):
            if weights[path] > 0:
                share = weights[path] / total
                for place in range(path_start[path], path_start[path + 1]):
                    station = path_station[place]
                    for column in range(demand.shape[1]):
                        flow[station, column] += share * demand[pair, column]


@njit(cache=True)
def stand_in(  # type: ignore[no-untyped-def]
    pair_start: NDArray[np.int64],
    weights: NDArray[np.int64],
    dead: NDArray[np.bool_],
    pair: int,
    result: NDArray[np.int64],
):
    """Write a pair's weights after some of its paths died into `result` from 0 on: those of `LivePlan`.

    A dead path's weight goes to the next live one of positive weight, round and round; if there is none, to the first
    live one; if no path is live the pair carries nothing. Returns whether any path that has weight is dead.
    """
    first, last = pair_start[pair], pair_start[pair + 1]
    moved = False
    last_resort = -1
    live_used = -1
    for path in range(first, last):
        result[path - first] = 0 if dead[path] else weights[path]
        if weights[path] > 0 and dead[path]:
            moved = True
        if not dead[path]:
            if last_resort < 0:
                last_resort = path
            if weights[path] > 0 and live_used < 0:
                live_used = path
    if not moved or last_resort < 0:
        return moved
    to = live_used if live_used >= 0 else last_resort
    # From the last path to the first: `to` is then the next live one of positive weight, round and round.
    for path in range(last - 1, first - 1, -1):
        if weights[path] > 0:
            if dead[path]:
                result[to - first] += weights[path]
            elif live_used >= 0:
                to = path
    return moved


@njit(cache=True)
def all_stand_in(  # type: ignore[no-untyped-def]
    pair_start: NDArray[np.int64],
    weights: NDArray[np.int64],
    dead: NDArray[np.bool_],
    result: NDArray[np.int64],
):
    """Write every pair's weights after some paths died into `result` (P,)."""
    for pair in range(len(pair_start) - 1):
        stand_in(pair_start, weights, dead, pair, result[pair_start[pair] : pair_start[pair + 1]])


@njit(cache=True)
def failure_peaks(  # type: ignore[no-untyped-def]  # noqa: PLR0912 - one loop nest
    pair_start: NDArray[np.int64],
    path_pair: NDArray[np.int32],
    path_start: NDArray[np.int64],
    path_station: NDArray[np.int32],
    by_start: NDArray[np.int64],
    by_path: NDArray[np.int32],
    risk_start: NDArray[np.int64],
    risk_station: NDArray[np.int32],
    weights: NDArray[np.int64],
    demand: NDArray[np.float64],
    flow: NDArray[np.float64],
    unit_load: NDArray[np.float64],
    scale: NDArray[np.float64],
    rank: int,
    above: float,
    peaks: NDArray[np.float64],
):
    """Write into `peaks` (R, S) what stations come to after each risk, where that is new and any course above `above`.

    Demand (D, 2 M) and the flow without a failure (S, 2 M) are exchanges of M courses, then bytes; of a station's M
    utilisations that of rank `rank` counts, from 0, ascending. Of each risk's moves a share `scale` is made.
    """
    pairs, courses = len(pair_start) - 1, demand.shape[1] // 2
    widest = 1
    for pair in range(pairs):
        widest = max(widest, pair_start[pair + 1] - pair_start[pair])
    after = np.empty(widest, dtype=np.int64)
    dead = np.zeros(len(weights), dtype=np.bool_)
    died = np.empty(len(weights), dtype=np.int64)
    pair_seen = np.full(pairs, -1, dtype=np.int64)
    delta = np.zeros(flow.shape, dtype=np.float64)
    station_seen = np.full(len(flow), -1, dtype=np.int64)
    touched = np.empty(len(flow), dtype=np.int64)
    used = np.empty(courses, dtype=np.float64)
    for risk in range(len(risk_start) - 1):
        deaths, touches = 0, 0
        for at in range(risk_start[risk], risk_start[risk + 1]):
            station = risk_station[at]
            for place in range(by_start[station], by_start[station + 1]):
                path = by_path[place]
                if not dead[path]:
                    dead[path] = True
                    died[deaths] = path
                    deaths += 1
        for number in range(deaths):
            pair = path_pair[died[number]]
            if pair_seen[pair] == risk:
                continue
            pair_seen[pair] = risk
            if not stand_in(pair_start, weights, dead, pair, after):
                continue
            first, total = pair_start[pair], 0
            for path in range(first, pair_start[pair + 1]):
                total += weights[path]
            for path in range(first, pair_start[pair + 1]):
                change = after[path - first] - weights[path]
                if change == 0:
                    continue
                share = scale[risk] * change / total
                for place in range(path_start[path], path_start[path + 1]):
                    station = path_station[place]
                    if station_seen[station] != risk:
                        station_seen[station] = risk
                        touched[touches] = station
                        touches += 1
                        delta[station, :] = 0.0
                    for column in range(2 * courses):
                        delta[station, column] += share * demand[pair, column]
        for number in range(touches):
            station = touched[number]
            highest = 0.0
            for course in range(courses):
                exchanges = flow[station, course] + delta[station, course]
                size = flow[station, courses + course] + delta[station, courses + course]
                value = unit_load[0, station] * max(exchanges, 0.0) + unit_load[1, station] * max(size, 0.0)
                used[course] = value
                highest = max(highest, value)
            if highest > above:
                used.sort()
                peaks[risk, station] = used[rank]
        for number in range(deaths):
            dead[died[number]] = False
