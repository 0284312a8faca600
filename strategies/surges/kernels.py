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

# Rows of a tile, kept from step to step: the last level, innovation and whether it was known; second moments of levels
# and of differences of innovations; evidence for a surge and for its end; since when, and what came since then; what
# the forecast is multiplied with.
LAST, ERROR, CHAINED, LAG, VARIANCE, NOISE, STEPS = (row * LANES for row in (0, 1, 2, 3, 4, 5, 6))
EVIDENCE, AGE, SUM_ACTUAL, SUM_EXPECTED, RETURN, ACTIVE, BY_UNIT, BIAS = (row * LANES for row in range(7, 15))
TILE: Final = 15 * LANES
# Rows of what a step brings and makes of that; one tile's are in the processor's nearest cache, so nothing of them goes
# to memory.
ACTUAL, EXPECTED, DEVIATION, KNOWN, LEVEL, SHIFT, LEAST_NOISE, EVENT = (row * LANES for row in range(8))
SCRATCH: Final = 8 * LANES

# More than so many units would leave the range of float32 when squared.
UNITS_MAX: Final = 1e15

# Numbers of the setting, in order.
LEAST, DRIFT_MIN, DRIFT_MAX, LIMIT, LIMIT_END, MEMORY, SETTLED, LOW, HIGH, FOLLOW = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9
PARAMETERS: Final = 10

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
_QUIET = np.float32(0.6)
# A forecast is no more wrong than this, or it is a surge; what comes counts up to twice of what is expected and some
# more; so many units are not much to learn from.
_BIAS_MIN, _BIAS_MAX = np.float32(1.0), np.float32(1.3)
_BIAS_SOME = np.float32(4.0)
_BIAS_PRIOR = np.float32(20.0)
_BIAS_BEGIN = np.float32(8.0)


@njit(
    "i8(f4[:, ::1], f4[::1], f8[::1], f8[::1], f8[::1], b1[::1], i8[::1], i8[::1], i8[::1])",
    cache=True,
    error_model="numpy",
)
def step(  # noqa: PLR0912, PLR0915 - one loop keeps all of a series in registers
    tiles: NDArray[np.float32],
    setting: NDArray[np.float32],
    actual: NDArray[np.float64],
    expected: NDArray[np.float64],
    deviation: NDArray[np.float64],
    known_all: NDArray[np.bool_],
    found_series: NDArray[np.int64],
    ended_series: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> int:
    """Take one step of all series; return how many have a figure that is none, and change nothing if there is one.

    `counts` returns surges found and ended, listed in `found_series` and `ended_series`, and how many series' evidence
    rose above LOW, and HIGH.
    """
    count, bad = len(actual), 0
    for t in range(len(tiles)):
        first, tile = t * LANES, tiles[t]
        for j in range(min(LANES, count - first)):
            a, m0, d0 = actual[first + j], expected[first + j], deviation[first + j]
            # A sum with NaN is not below anything.
            bad += not ((a >= 0.0) & (m0 >= 0.0) & (d0 >= 0.0) & ((a + m0 + d0) * tile[BY_UNIT + j] <= UNITS_MAX))
    if bad:
        return bad
    least, drift_min, drift_max, limit = setting[LEAST], setting[DRIFT_MIN], setting[DRIFT_MAX], setting[LIMIT]
    limit_end, memory, settled = setting[LIMIT_END], setting[MEMORY], setting[SETTLED]
    low, high, follow = setting[LOW], setting[HIGH], setting[FOLLOW]
    # A single quiet step is no end.
    quiet_max = _QUIET * limit_end
    scratch = np.zeros(SCRATCH, dtype=np.float32)
    found_all, ended_all, low_all, high_all = 0, 0, 0, 0
    for t in range(len(tiles)):
        tile, first = tiles[t], t * LANES
        if first + LANES > count:
            scratch[:] = _ZERO
        for j in range(min(LANES, count - first)):
            by_unit = tile[BY_UNIT + j]
            scratch[ACTUAL + j] = np.float32(actual[first + j] * by_unit)
            scratch[EXPECTED + j] = np.float32(expected[first + j] * by_unit)
            scratch[DEVIATION + j] = np.float32(deviation[first + j] * by_unit)
            scratch[KNOWN + j] = np.float32(known_all[first + j])
        for j in range(LANES):
            bias = tile[BIAS + j]
            y, m, d = scratch[ACTUAL + j], bias * scratch[EXPECTED + j], bias * scratch[DEVIATION + j]
            d2 = d * d
            least_d2 = m + _QUARTER
            d2 = d2 if d2 > least_d2 else least_d2
            four = _FOUR * m + _ONE
            root = sqrt(four)
            gain = _HALF * sqrt(four / d2)
            scratch[LEVEL + j] = (sqrt(y) + sqrt(y + _ONE) - root) * gain
            # What counts alone vary by; thin ones vary less, but no more evenly than that.
            scratch[LEAST_NOISE + j] = gain * gain
            scratch[SHIFT + j] = (sqrt(_FOUR * least * m + _ONE) - root) * gain
        for j in range(LANES):
            z, shift = scratch[LEVEL + j], scratch[SHIFT + j]
            chained = tile[CHAINED + j] > _ZERO
            known = scratch[KNOWN + j] > _ZERO
            last, variance, noise = tile[LAST + j], tile[VARIANCE + j], tile[NOISE + j]
            active = tile[ACTIVE + j] > _ZERO
            phi = tile[LAG + j] / variance
            phi = phi if phi > _ZERO else _ZERO
            phi = phi if phi < _PHI_MAX else _PHI_MAX
            # One by the deviation of innovations, and of levels.
            least_noise = scratch[LEAST_NOISE + j]
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
            sum_a = (tile[SUM_ACTUAL + j] if keep else _ZERO) + scratch[ACTUAL + j]
            sum_m = (tile[SUM_EXPECTED + j] if keep else _ZERO) + scratch[EXPECTED + j]
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
            quiet = rise * (_HALF * rise - level)
            back = tile[RETURN + j] + (quiet if quiet < quiet_max else quiet_max)
            back = back if (back > _ZERO) & active else _ZERO
            ended = known & active & (back >= limit_end)
            was = tile[EVIDENCE + j]
            watched = known & (not active)
            crossed_low = watched & (was < low) & (evidence >= low)
            crossed_high = watched & (was < high) & (evidence >= high)
            active = (active | found) & (not ended)
            event = (_FOUND if found else _ZERO) + (_ENDED if ended else _ZERO)
            scratch[EVENT + j] = (
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
            # What evidence is gathered from is no bias yet.
            y, m, bias = scratch[ACTUAL + j], scratch[EXPECTED + j], tile[BIAS + j]
            most = _TWO * m + _BIAS_SOME
            begin = _ONE / (steps + _BIAS_BEGIN)
            speed = begin if begin > follow else follow
            speed = speed if known & (not active) & (evidence < low) & (follow > _ZERO) else _ZERO
            bias = bias + speed * ((y if y < most else most) - bias * m) / (m + _BIAS_PRIOR)
            bias = bias if bias > _BIAS_MIN else _BIAS_MIN
            tile[BIAS + j] = bias if bias < _BIAS_MAX else _BIAS_MAX
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
            tile[CHAINED + j] = scratch[KNOWN + j]
        some = 0
        for j in range(LANES):
            some += scratch[EVENT + j] != _ZERO
        if some:
            for j in range(LANES):
                happened = int(scratch[EVENT + j])
                if happened & 1:
                    found_series[found_all] = first + j
                    found_all += 1
                if happened & 2:
                    ended_series[ended_all] = first + j
                    ended_all += 1
                low_all += happened >> 2 & 1
                high_all += happened >> 3 & 1
    counts[0], counts[1], counts[2], counts[3] = found_all, ended_all, low_all, high_all
    return 0
