"""Loops of the alerts over paths. Called by `deadline_risk` and `alerts` alone."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def pair_delays(
    pairs: NDArray[np.int64],
    pair_start: NDArray[np.int64],
    path_start: NDArray[np.int64],
    path_station: NDArray[np.int32],
    weights: NDArray[np.int32],
    live: NDArray[np.bool_],
    figures: NDArray[np.float64],
    least_share: float,
    deviations: float,
    result: NDArray[np.float64],
    worst: NDArray[np.int64],
) -> None:
    """Reckon what the exchanges of these pairs take from home to home, by the ways that they use.

    A pair uses its live ways of positive weight; its first live one if there is none. `figures` (S, 4) are what a
    station takes whatever comes, its mean wait, the deviation of that, and what a byte takes. Row d of `result` gets
    (mean, pessimistic, a byte at all stations, a byte at the slowest one); the last three are the worst among ways
    with at least `least_share` of the weight, or that with most. `worst` gets the way with the greatest pessimistic
    delay, -1 for a pair without a live way, whose row is 0.
    """
    for pair in pairs:
        first, end = pair_start[pair], pair_start[pair + 1]
        total = most = 0
        resort = -1
        for path in range(first, end):
            if live[path]:
                total += weights[path]
                most = max(most, weights[path])
                if resort < 0:
                    resort = path
        mean = high = byte_sum = byte_most = 0.0
        worst[pair] = resort
        for path in range(first, end):
            share = 0.0
            if live[path]:
                share = weights[path] / total if total > 0 else (1.0 if path == resort else 0.0)
            if share <= 0.0:
                continue
            fixed = wait = variance = bytes_all = slowest = 0.0
            for place in range(path_start[path], path_start[path + 1]):
                station = path_station[place]
                fixed += figures[station, 0]
                wait += figures[station, 1]
                variance += figures[station, 2] ** 2
                bytes_all += figures[station, 3]
                slowest = max(slowest, figures[station, 3])
            mean += share * (fixed + wait)
            if share >= least_share or weights[path] == most:
                delay = fixed + wait + deviations * sqrt(variance)
                if delay > high:
                    high = delay
                    worst[pair] = path
                byte_sum = max(byte_sum, bytes_all)
                byte_most = max(byte_most, slowest)
        result[pair, 0] = mean
        result[pair, 1] = high
        result[pair, 2] = byte_sum
        result[pair, 3] = byte_most


@njit(cache=True)
def live_paths(
    path_start: NDArray[np.int64], path_station: NDArray[np.int32], up: NDArray[np.bool_], live: NDArray[np.bool_]
) -> None:
    """Say of each path whether all of its stations work."""
    for path in range(len(path_start) - 1):
        live[path] = True
        for place in range(path_start[path], path_start[path + 1]):
            if not up[path_station[place]]:
                live[path] = False
                break


@njit(cache=True)
def with_ends(
    pairs: NDArray[np.float64],
    worst: NDArray[np.int64],
    source: NDArray[np.int32],
    target: NDArray[np.int32],
    out: NDArray[np.float64],
    back: NDArray[np.float64],
    result: NDArray[np.float64],
) -> None:
    """Add to what `pair_delays` found of pairs, (D, 4), what their two ends take, (G, 4) each in the same columns.

    Row c of `result` (4, D) gets column c; a pair without a live way gets 0.
    """
    for pair in range(len(pairs)):
        a, b = source[pair], target[pair]
        if worst[pair] < 0:
            result[:, pair] = 0.0
            continue
        for column in range(3):
            result[column, pair] = pairs[pair, column] + out[a, column] + back[b, column]
        result[3, pair] = max(pairs[pair, 3], out[a, 3], back[b, 3])


@njit(cache=True)
def judge_deadlines(
    class_start: NDArray[np.int64],
    cell_pair: NDArray[np.int64],
    delays: NDArray[np.float64],
    worst: NDArray[np.int64],
    chunk_bytes: NDArray[np.int64],
    further_bytes: NDArray[np.int64],
    hold_ns: NDArray[np.int64],
    from_ns: NDArray[np.float64],
    over_ns: NDArray[np.float64],
    late_ns: NDArray[np.float64],
    at_risk: NDArray[np.bool_],
) -> None:
    """Reckon what a large exchange of each class takes between the pairs where it occurs, and whether it is at risk.

    Cells of class k are ``class_start[k]:class_start[k + 1]``, each with its pair; `delays` are those of `with_ends`.
    `late_ns` gets the delay of a cell and `at_risk` whether it is above `from_ns` of the class, or was at risk before
    and is above `over_ns`. A pair without a live way is not at risk, but without a route.
    """
    for row in range(len(class_start) - 1):
        for cell in range(class_start[row], class_start[row + 1]):
            pair = cell_pair[cell]
            late = delays[1, pair] + delays[2, pair] * chunk_bytes[row] + delays[3, pair] * further_bytes[row]
            late += hold_ns[row]
            late_ns[cell] = late
            at_risk[cell] = worst[pair] >= 0 and late > (over_ns[row] if at_risk[cell] else from_ns[row])


@njit(cache=True)
def slowest_stations(
    paths: NDArray[np.int64],
    path_start: NDArray[np.int64],
    path_station: NDArray[np.int32],
    delay: NDArray[np.float64],
    station: NDArray[np.int32],
) -> None:
    """Name the station of each of these paths with the greatest delay, the first of equals; -1 for an empty path."""
    for row in range(len(paths)):
        most = -1.0
        station[row] = -1
        for place in range(path_start[paths[row]], path_start[paths[row] + 1]):
            if delay[path_station[place]] > most:
                most = delay[path_station[place]]
                station[row] = path_station[place]
