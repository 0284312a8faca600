"""Loops of the analysis of test particles over sparse rows: for `particle_log`, `tomography` and `resolution` alone."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Noise that no model explains: of a particle's time on top of what stations vary, and of any [ns].
NOISE_SHARE = 0.01
NOISE_NS = 1_000.0


@njit(cache=True)
def merge_visits(
    route_start: NDArray[np.int64],
    route_station: NDArray[np.int32],
    mark: NDArray[np.int64],
    start: NDArray[np.int64],
    station: NDArray[np.int32],
    visits: NDArray[np.float64],
) -> int:
    """Count each station once a route, with its visits; returns how many entries were written. `mark` (S,) is -1."""
    count = 0
    for row in range(len(route_start) - 1):
        start[row] = count
        for at in range(route_start[row], route_start[row + 1]):
            one = route_station[at]
            if mark[one] >= start[row] and mark[one] < count and station[mark[one]] == one:
                visits[mark[one]] += 1.0
            else:
                mark[one] = count
                station[count] = one
                visits[count] = 1.0
                count += 1
    start[len(route_start) - 1] = count
    return count


@njit(cache=True)
def predicted(
    start: NDArray[np.int64],
    station: NDArray[np.int32],
    visits: NDArray[np.float64],
    size: NDArray[np.float64],
    steady: NDArray[np.float64],
    per_byte: NDArray[np.float64],
    more_per_byte: NDArray[np.float64],
    wait: NDArray[np.float64],
    service: NDArray[np.float64],
    alone: NDArray[np.float64],
    more_total: NDArray[np.float64],
    variance: NDArray[np.float64],
) -> None:
    """Write each row's time without load, what is expected on top, and the variance of its waits; [ns], [ns^2].

    A mean wait w in a queue M/M/1 of mean service s has the variance w * (w + 2 s): at an idle station most wait not at
    all.
    """
    for row in range(len(start) - 1):
        base, more, square = 0.0, 0.0, 0.0
        for at in range(start[row], start[row + 1]):
            one = station[at]
            base += visits[at] * (steady[one] + size[row] * per_byte[one])
            more += visits[at] * (wait[one] + size[row] * more_per_byte[one])
            square += visits[at] * wait[one] * (wait[one] + 2.0 * service[one])
        alone[row] = base
        more_total[row] = more
        variance[row] = square


@njit(cache=True)
def by_column(
    start: NDArray[np.int64],
    station: NDArray[np.int32],
    visits: NDArray[np.float64],
    column_start: NDArray[np.int64],
    row_of: NDArray[np.int32],
    times: NDArray[np.float64],
) -> None:
    """Sort entries by station, rows ascending: those of s from ``column_start[s]`` up to ``column_start[s + 1]``."""
    column_start[:] = 0
    for at in range(len(station)):
        column_start[station[at] + 1] += 1
    for one in range(len(column_start) - 1):
        column_start[one + 1] += column_start[one]
    place = column_start[:-1].copy()
    for row in range(len(start) - 1):
        for at in range(start[row], start[row + 1]):
            row_of[place[station[at]]] = row
            times[place[station[at]]] = visits[at]
            place[station[at]] += 1


@njit(cache=True)
def weigh_rows(
    residual: NDArray[np.float64],
    total: NDArray[np.float64],
    variance: NDArray[np.float64],
    share: NDArray[np.float64],
    censored: NDArray[np.bool_],
    scale: float,
    huber: float,
    weight: NDArray[np.float64],
) -> None:
    """Weigh rows by their variance, less where they are far off (Huber), not at all where a bound is kept anyway.

    An error counts no more than one of `huber` standard deviations.
    """
    for row in range(len(residual)):
        spread = scale * variance[row] + (NOISE_SHARE * total[row]) ** 2 + NOISE_NS**2
        error = abs(residual[row])
        robust = 1.0
        if error * error > huber * huber * spread:
            robust = huber * np.sqrt(spread) / error
        if censored[row] and residual[row] <= 0.0:
            robust = 0.0
        weight[row] = share[row] * robust / spread


@njit(cache=True)
def descend(
    column_start: NDArray[np.int64],
    row_of: NDArray[np.int32],
    times: NDArray[np.float64],
    size: NDArray[np.float64],
    weight: NDArray[np.float64],
    wait_prior: NDArray[np.float64],
    wait_weight: NDArray[np.float64],
    byte_prior: NDArray[np.float64],
    byte_weight: NDArray[np.float64],
    sweeps: int,
    tolerance: float,
    wait: NDArray[np.float64],
    per_byte: NDArray[np.float64],
    residual: NDArray[np.float64],
) -> int:
    """Coordinate descent of weighted least squares, no value negative: a station's wait, then its time a byte.

    The cost is ``sum weight * residual**2 + sum wait_weight * (wait - wait_prior)**2`` and the like for times a byte;
    no step raises it. `residual` (R,) is what the times are above expectation, kept up to date. Stops when no
    step moves a residual by more than `tolerance` of its spread; returns the sweeps done. A station without rows
    returns to its prior; so does a time a byte of infinite weight.
    """
    done = 0
    for _ in range(sweeps):
        done += 1
        moved = 0.0
        for one in range(len(wait)):
            first, stop = column_start[one], column_start[one + 1]
            if first == stop:
                wait[one] = wait_prior[one]
                per_byte[one] = byte_prior[one]
                continue
            slope, curve, byte_slope, cross, byte_curve = 0.0, 0.0, 0.0, 0.0, 0.0
            for place in range(first, stop):
                row = row_of[place]
                part = times[place] * weight[row]
                bytes_ = size[row]
                slope += part * residual[row]
                byte_slope += part * bytes_ * residual[row]
                part *= times[place]
                curve += part
                cross += part * bytes_
                byte_curve += part * bytes_ * bytes_
            new = wait[one] + (slope + wait_weight[one] * (wait_prior[one] - wait[one])) / (curve + wait_weight[one])
            step = max(new, 0.0) - wait[one]
            wait[one] += step
            if byte_weight[one] == np.inf:
                byte_step = byte_prior[one] - per_byte[one]
            else:
                pull = byte_weight[one] * (byte_prior[one] - per_byte[one])
                new = per_byte[one] + (byte_slope - cross * step + pull) / (byte_curve + byte_weight[one])
                byte_step = max(new, 0.0) - per_byte[one]
            per_byte[one] += byte_step
            if step == 0.0 and byte_step == 0.0:
                continue
            for place in range(first, stop):
                row = row_of[place]
                residual[row] -= times[place] * (step + byte_step * size[row])
            change = step * step * curve + byte_step * byte_step * byte_curve
            moved = max(moved, change / (stop - first))
        if moved <= tolerance * tolerance:
            break
    return done


@njit(cache=True)
def lost_on_route(
    start: NDArray[np.int64],
    station: NDArray[np.int32],
    loss: NDArray[np.float64],
    rows: NDArray[np.int64],
    lost: NDArray[np.float64],
) -> None:
    """Write the probability that a particle is lost on the way, for some rows."""
    for place in range(len(rows)):
        kept = 1.0
        for at in range(start[rows[place]], start[rows[place] + 1]):
            kept *= 1.0 - loss[station[at]]
        lost[place] = 1.0 - kept


@njit(cache=True)
def blame(
    start: NDArray[np.int64],
    station: NDArray[np.int32],
    share: NDArray[np.float64],
    lost: NDArray[np.float64],
    before: float,
    visits_before: float,
    rounds: int,
    loss: NDArray[np.float64],
) -> None:
    """Share out losses among the stations of their routes (EM): each by its own loss, which starts where it stood.

    A row counts `share`, of which `lost` (<= share) is lost. `before` and `visits_before` are the prior's loss and how
    many visits it is worth.
    """
    passed = np.zeros(len(loss))
    failed = np.empty(len(loss))
    for row in range(len(start) - 1):
        for at in range(start[row], start[row + 1]):
            passed[station[at]] += share[row]
    for _ in range(rounds):
        failed[:] = visits_before * before
        for row in range(len(start) - 1):
            if lost[row] <= 0.0:
                continue
            total = 0.0
            for at in range(start[row], start[row + 1]):
                total += loss[station[at]]
            for at in range(start[row], start[row + 1]):
                failed[station[at]] += lost[row] * loss[station[at]] / total
        for one in range(len(loss)):
            loss[one] = min(failed[one] / (passed[one] + visits_before), 1.0)


@njit(cache=True)
def gather(
    start: NDArray[np.int64],
    station: NDArray[np.int32],
    visits: NDArray[np.float64],
    weight: NDArray[np.float64],
    place: NDArray[np.int32],
    spread: NDArray[np.float64],
    matrix: NDArray[np.float64],
) -> None:
    """Add the rows' information on chosen stations, in units of their prior spread, to the upper half of a matrix."""
    room = 0
    for row in range(len(start) - 1):
        room = max(room, start[row + 1] - start[row])
    at_place, value = np.empty(room, np.int64), np.empty(room)
    for row in range(len(start) - 1):
        count = 0
        for at in range(start[row], start[row + 1]):
            i = place[station[at]]
            if i >= 0:
                at_place[count], value[count] = i, visits[at] * spread[station[at]]
                count += 1
        for one in range(count):
            i, left = at_place[one], weight[row] * value[one]
            for other in range(count):
                if at_place[other] >= i:
                    matrix[i, at_place[other]] += left * value[other]


@njit(cache=True)
def factor(matrix: NDArray[np.float64], begin: int, work: int) -> int:
    """Go on with the Cholesky factor of a matrix (upper half, in place) from row `begin`, for so much work at least.

    Returns the row at which to go on; all is done when that is its size.
    """
    count = len(matrix)
    row = begin
    while row < count and work > 0:
        root = np.sqrt(matrix[row, row])
        for k in range(row, count):
            matrix[row, k] /= root
        # A copy and slices: what cannot overlap becomes vector code, three times as fast.
        top = matrix[row, row:].copy()
        for i in range(row + 1, count):
            times = top[i - row]
            work -= 1
            if times == 0.0:
                continue
            line, rest = matrix[i, i:], top[i - row :]
            for k in range(len(line)):
                line[k] -= times * rest[k]
            work -= count - i
        row += 1
    return row


@njit(cache=True)
def inverse_diagonal(
    matrix: NDArray[np.float64], begin: int, work: int, line: NDArray[np.float64], result: NDArray[np.float64]
) -> int:
    """Go on with the diagonal of the inverse of a factored matrix, from row `begin`, as `factor` does."""
    count = len(matrix)
    row = begin
    while row < count and work > 0:
        line[row:] = 0.0
        line[row] = 1.0
        total = 0.0
        for i in range(row, count):
            work -= 1
            if line[i] == 0.0:
                continue
            value = line[i] / matrix[i, i]
            total += value * value
            rest, column = line[i + 1 :], matrix[i, i + 1 :]
            for k in range(len(rest)):
                rest[k] -= value * column[k]
            work -= count - i
        result[row] = total
        row += 1
    return row


@njit(cache=True)
def bound_others(
    start: NDArray[np.int64],
    station: NDArray[np.int32],
    visits: NDArray[np.float64],
    weight: NDArray[np.float64],
    place: NDArray[np.int32],
    spread: NDArray[np.float64],
    value: NDArray[np.float64],
) -> None:
    """Write a lower bound of the resolution of stations that are not in the matrix (place < 0).

    By the row that says most: what is left unknown of the other stations of that row stays, while noise averages out.
    """
    least = np.full(len(spread), np.inf)
    told = np.zeros(len(spread))
    for row in range(len(start) - 1):
        if weight[row] <= 0.0:
            continue
        total = 0.0
        for at in range(start[row], start[row + 1]):
            unknown = visits[at] * spread[station[at]]
            total += unknown * unknown * (1.0 - value[station[at]])
        for at in range(start[row], start[row + 1]):
            one = station[at]
            if place[one] < 0:
                unknown = visits[at] * spread[one]
                others = (total - unknown * unknown * (1.0 - value[one])) / (visits[at] * visits[at])
                least[one] = min(least[one], max(others, 0.0))
                told[one] += weight[row] * visits[at] * visits[at]
    for one in range(len(spread)):
        if place[one] < 0:
            value[one] = 0.0
            if told[one] > 0.0 and spread[one] > 0.0:
                before = spread[one] * spread[one]
                value[one] = before / (before + least[one] + 1.0 / told[one])
