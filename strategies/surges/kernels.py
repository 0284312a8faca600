"""One step of all series at once: standardise, whiten, add up the evidence, learn; in tiles that a compiler vectorises.

A tile holds `LANES` series, a row for each of their figures. One array with constant distances between its rows needs
no checks for overlap, so that every loop below becomes vector instructions; with an array a figure none does, and a
step takes five times as long. Figures are float32: they are standard deviations and logarithms of likelihood ratios,
which are worth three digits.
"""

from __future__ import annotations

from math import sqrt
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

LANES: Final = 64

# Rows of a tile: what a step brings,
ACTUAL, EXPECTED, DEVIATION, KNOWN = (row * LANES for row in (0, 1, 2, 3))
# what it makes of that,
LEVEL, SHIFT, LEAST_NOISE, EVENT = (row * LANES for row in (4, 5, 6, 7))
# and what is kept from step to step: the last level, innovation and whether it was known; second moments of levels and
# of differences of innovations; evidence for a surge and for its end; since when, and what came since then.
LAST, ERROR, CHAINED, LAG, VARIANCE, NOISE, STEPS = (row * LANES for row in (9, 10, 11, 12, 13, 14, 15))
EVIDENCE, AGE, SUM_ACTUAL, SUM_EXPECTED, RETURN, ACTIVE, BY_UNIT = (row * LANES for row in (16, 17, 18, 19, 20, 21, 22))
TILE: Final = 23 * LANES

# More than so many units would leave the range of float32 when squared.
UNITS_MAX: Final = 1e15

# Numbers of the setting, in order.
LEAST, DRIFT_MIN, DRIFT_MAX, LIMIT, LIMIT_END, MEMORY, SETTLED, LOW, HIGH = 0, 1, 2, 3, 4, 5, 6, 7, 8
PARAMETERS: Final = 9

_ZERO, _HALF, _ONE, _TWO, _FOUR = (np.float32(number) for number in (0.0, 0.5, 1.0, 2.0, 4.0))
# What happened to a series, added up.
_FOUND, _ENDED, _CROSSED_LOW, _CROSSED_HIGH = (np.float32(number) for number in (1, 2, 4, 8))
_QUARTER = np.float32(0.25)
_PHI_MAX = np.float32(0.95)
# Second moments are kept from outliers: products of levels beyond so many deviations, squares beyond nine variances.
_CUT = np.float32(3.0)
_CUT_SQUARE = np.float32(9.0)
# What cutting takes from the square of a normal deviate, E min(x^2, 9).
_BY_KEPT = np.float32(1.0 / 0.995007)
_TINY = np.float32(1e-6)
# A level counts as this many times its deviation at most; a lower one as no less than minus that when a surge's end
# is looked for.
_LEVEL_MAX = np.float32(8.0)
_RETURN_MAX = np.float32(4.0)


@njit("i8(f4[:, ::1], f8[::1], f8[::1], f8[::1])", cache=True)
def fill(
    tiles: NDArray[np.float32],
    actual: NDArray[np.float64],
    expected: NDArray[np.float64],
    deviation: NDArray[np.float64],
) -> int:
    """Put a step's figures, in units, into the tiles; return how many series have one that is none."""
    count, bad = len(actual), 0
    for t in range(len(tiles)):
        first, tile = t * LANES, tiles[t]
        for j in range(min(LANES, count - first)):
            a, m, d = actual[first + j], expected[first + j], deviation[first + j]
            by_unit = tile[BY_UNIT + j]
            tile[ACTUAL + j] = np.float32(a * by_unit)
            tile[EXPECTED + j] = np.float32(m * by_unit)
            tile[DEVIATION + j] = np.float32(d * by_unit)
            # A sum with NaN is not below anything.
            bad += not ((a >= 0.0) & (m >= 0.0) & (d >= 0.0) & ((a + m + d) * by_unit <= UNITS_MAX))
    return bad


@njit("void(f4[:, ::1], f4[::1], i8[::1])", cache=True, error_model="numpy")
def step(  # noqa: PLR0915 - one loop keeps all of a series in registers
    tiles: NDArray[np.float32], setting: NDArray[np.float32], counts: NDArray[np.int64]
) -> None:
    """Take one step of all series.

    `counts` returns surges found and ended, and how many series' evidence rose above LOW, and HIGH.
    """
    least, drift_min, drift_max, limit = setting[LEAST], setting[DRIFT_MIN], setting[DRIFT_MAX], setting[LIMIT]
    limit_end, memory, settled = setting[LIMIT_END], setting[MEMORY], setting[SETTLED]
    low, high = setting[LOW], setting[HIGH]
    found_all, ended_all, low_all, high_all = 0, 0, 0, 0
    for t in range(len(tiles)):
        tile = tiles[t]
        for j in range(LANES):
            y, m, d = tile[ACTUAL + j], tile[EXPECTED + j], tile[DEVIATION + j]
            d2 = d * d
            least_d2 = m + _QUARTER
            d2 = d2 if d2 > least_d2 else least_d2
            four = _FOUR * m + _ONE
            root = sqrt(four)
            gain = _HALF * sqrt(four / d2)
            tile[LEVEL + j] = (sqrt(y) + sqrt(y + _ONE) - root) * gain
            # What counts alone vary by; thin ones vary less, but no more evenly than that.
            tile[LEAST_NOISE + j] = gain * gain
            tile[SHIFT + j] = (sqrt(_FOUR * least * m + _ONE) - root) * gain
        for j in range(LANES):
            z, shift = tile[LEVEL + j], tile[SHIFT + j]
            chained = tile[CHAINED + j] > _ZERO
            known = tile[KNOWN + j] > _ZERO
            last, variance, noise = tile[LAST + j], tile[VARIANCE + j], tile[NOISE + j]
            active = tile[ACTIVE + j] > _ZERO
            phi = tile[LAG + j] / variance
            phi = phi if phi > _ZERO else _ZERO
            phi = phi if phi < _PHI_MAX else _PHI_MAX
            # One by the deviation of innovations, and of levels.
            least_noise = tile[LEAST_NOISE + j]
            by_noise = _ONE / (noise if noise > least_noise else least_noise)
            by_level = sqrt(by_noise * (_ONE - phi * phi))
            inverse = sqrt(by_noise) if chained else by_level
            phi = phi if chained else _ZERO
            raw = z - phi * last
            error = raw * inverse
            error = error if error < _LEVEL_MAX else _LEVEL_MAX
            drift = shift * inverse
            drift = drift if drift > drift_min else drift_min
            drift = drift if drift < drift_max else drift_max
            part = (_ONE - phi) * drift
            more = tile[EVIDENCE + j] + part * error - _HALF * part * part
            begun = drift * error - _HALF * drift * drift
            evidence = more if more > begun else begun
            evidence = evidence if evidence > _ZERO else _ZERO
            # An outlier falls back at once, and so does what it seemed to say.
            fallen = (z < _QUARTER * shift) & (evidence > _HALF * limit)
            evidence = _HALF * limit if fallen else evidence
            fresh = (begun >= more) | (evidence <= _ZERO)
            keep = active | (not fresh)
            age = tile[AGE + j] + _ONE if keep else _ZERO
            sum_a = (tile[SUM_ACTUAL + j] if keep else _ZERO) + tile[ACTUAL + j]
            sum_m = (tile[SUM_EXPECTED + j] if keep else _ZERO) + tile[EXPECTED + j]
            # Above half of the least surge twice in a row: an outlier alone is none.
            half = _HALF * shift
            lasting = (z >= half) & (last >= half) & chained
            steps = tile[STEPS + j]
            found = known & (not active) & lasting & (evidence >= limit) & (steps >= settled)
            # The end: evidence that levels are expected ones rather than those of the least surge.
            level = z * by_level
            level = level if level > -_RETURN_MAX else -_RETURN_MAX
            rise = shift * by_level
            rise = rise if rise > drift_min else drift_min
            rise = rise if rise < drift_max else drift_max
            back = tile[RETURN + j] + rise * (_HALF * rise - level)
            back = back if (back > _ZERO) & active else _ZERO
            ended = known & active & (back >= limit_end)
            was = tile[EVIDENCE + j]
            watched = known & (not active)
            crossed_low = watched & (was < low) & (evidence >= low)
            crossed_high = watched & (was < high) & (evidence >= high)
            active = (active | found) & (not ended)
            event = (_FOUND if found else _ZERO) + (_ENDED if ended else _ZERO)
            tile[EVENT + j] = (
                event + (_CROSSED_LOW if crossed_low else _ZERO) + (_CROSSED_HIGH if crossed_high else _ZERO)
            )
            # What is not known changes nothing.
            tile[ACTIVE + j] = _ONE if active else _ZERO
            tile[EVIDENCE + j] = (_ZERO if ended else evidence) if known else was
            tile[RETURN + j] = (_ZERO if ended else back) if known else tile[RETURN + j]
            tile[AGE + j] = age if known else tile[AGE + j] + _ONE
            tile[SUM_ACTUAL + j] = sum_a if known else tile[SUM_ACTUAL + j]
            tile[SUM_EXPECTED + j] = sum_m if known else tile[SUM_EXPECTED + j]
            # A surge teaches nothing.
            rate = _ONE / (steps + _TWO)
            rate = rate if rate > memory else memory
            rate = rate if chained & known & (not active) else _ZERO
            change = raw - tile[ERROR + j]
            square = _HALF * change * change
            square = square if square < _CUT_SQUARE * noise else _CUT_SQUARE * noise
            noise = noise + rate * (square * _BY_KEPT - noise)
            tile[NOISE + j] = noise if noise > _TINY else _TINY
            edge = _CUT * sqrt(variance)
            now = z if z < edge else edge
            now = now if now > -edge else -edge
            then = last if last < edge else edge
            then = then if then > -edge else -edge
            tile[LAG + j] += rate * (now * then - tile[LAG + j])
            variance = variance + rate * (now * now - variance)
            tile[VARIANCE + j] = variance if variance > _TINY else _TINY
            tile[STEPS + j] = steps + (_ONE if known & chained & (not active) else _ZERO)
            tile[LAST + j] = z
            tile[ERROR + j] = raw
            tile[CHAINED + j] = tile[KNOWN + j]
        some = 0
        for j in range(LANES):
            some += tile[EVENT + j] != _ZERO
        if some:
            for j in range(LANES):
                happened = int(tile[EVENT + j])
                found_all += happened & 1
                ended_all += happened >> 1 & 1
                low_all += happened >> 2 & 1
                high_all += happened >> 3 & 1
    counts[0], counts[1], counts[2], counts[3] = found_all, ended_all, low_all, high_all
