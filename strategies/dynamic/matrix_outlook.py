"""What the next matrix may be: the forecast of each pair, times how wrong such forecasts were lately."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.randomness import stream
from router_core.units import DAY_NS
from strategies.dynamic.matrix_forecast import PairForecast
from strategies.dynamic.matrix_jumps import NodeJump, NodeSides
from strategies.matrix_brain import MatrixObserved

# Errors remembered, and how many of them, those at the most similar forecasts, are used of each pair.
ERRORS: Final = 288
ALIKE: Final = 48
# So many scenarios take each pair's error from an interval of its own,
MIXED: Final = 72
# and so many take all errors of one interval, the newest.
WHOLE: Final = 24
# An error is relative to the pair's forecast and to this part of it, and of the mean forecast, more.
FLOOR: Final = 0.05
FLOOR_OF_MEAN: Final = 1e-3
ERROR_MAX: Final = 20.0
# Days back that a step of the same time of day is remembered, and how many of them make it usual.
STEP_DAYS: Final = 7
STEP_TIMES: Final = 2
# After so many times the shortest time between two matrices, errors say nothing of what comes next.
PAUSE: Final = 1.5
# No step or jump changes what is remembered of a pair by more than this factor, or it could not come back.
FACTOR_MAX: Final = 1e3


class MatrixOutlook:
    """Learns from each matrix, as it is observed, what the next one may be.

    Parameters
    ----------
    source, target : int (D,)
        Of each pair.
    node_count : int
    """

    def __init__(self, source: NDArray[np.integer], target: NDArray[np.integer], node_count: int) -> None:
        self.jumps: list[NodeJump] = []
        self._sides = NodeSides(source, target, node_count)
        self._forecast: PairForecast | None = None
        # Errors, and logarithms of the forecasts they belong to, newest first.
        self._errors = np.zeros((0, len(source)))
        self._levels = np.zeros((0, len(source)))
        self._last_ns = 0
        self._step_ns: int | None = None
        self._first_day = 0
        # Day, time of day and logarithms of the sides' steps, 0 where there was none.
        self._steps: list[tuple[int, int, NDArray[np.float64]]] = []
        rng = stream(0, "matrix outlook")
        # Which of a pair's errors, by rank, a scenario takes, 0 .. 1. Drawn once: as errors are replaced one at a time,
        # scenarios change little from one interval to the next.
        self._rank = (np.argsort(rng.random((MIXED, len(source))), axis=0) + 0.5) / MIXED

    def observe(self, event: MatrixObserved) -> None:
        """Take in a matrix."""
        day = event.begin_ns // DAY_NS
        if self._forecast is None:
            self._first_day = day
            if event.demand.any():
                self._forecast, self._last_ns = PairForecast(event.demand), event.begin_ns
            return
        plain = self._forecast.demand
        expected = self._stepped(event.begin_ns, plain)
        missed = self._missed(event.begin_ns)
        if missed:
            self._scale(plain, expected)
            self._forecast.miss(missed)
            self._forecast.follow(event.demand)
            return
        self._remember_step(event, plain)
        expected = self._with_jumps(event, expected)
        self._scale(plain, expected)
        floor = _floor(expected)
        self._errors = _pushed(_log_ratio(event.demand, expected, floor), self._errors)
        self._levels = _pushed(_log(expected + floor), self._levels)
        self._forecast.learn(event.demand)

    def scenarios(self, begin_ns: int) -> NDArray[np.float64] | None:
        """Return matrices (M, D) of the interval that begins then; None if nothing was ever observed but zeros.

        Some are the forecast times all errors of one interval, so that what errs together stays together; some take
        each pair's error from an interval of its own, as what has come together only once may come apart. These are
        errors of forecasts like the present one: a pair that sends in bursts errs otherwise in a burst than between.
        """
        if self._forecast is None:
            return None
        expected = self._stepped(begin_ns, self._forecast.demand)
        known = len(self._errors)
        if not known:
            return expected[None]
        floor = _floor(expected)
        errors = self._errors
        if known > ALIKE:
            distance = np.abs(self._levels - _log(expected + floor))
            errors = np.take_along_axis(errors, np.argpartition(distance, ALIKE - 1, axis=0)[:ALIKE], axis=0)
        errors = np.sort(errors, axis=0)
        mixed = np.take_along_axis(errors, (self._rank * len(errors)).astype(np.int64), axis=0)
        factor = np.exp(np.concatenate((self._errors[:WHOLE], mixed)))
        result: NDArray[np.float64] = np.maximum((expected + floor) * factor - floor, 0.0)
        return result

    def _missed(self, begin_ns: int) -> int:
        """Return how many matrices are missing before this one."""
        gap, self._last_ns = begin_ns - self._last_ns, begin_ns
        self._step_ns = gap if self._step_ns is None else min(gap, self._step_ns)
        return round(gap / self._step_ns) - 1 if gap > PAUSE * self._step_ns else 0

    def _scale(self, before: NDArray[np.float64], after: NDArray[np.float64]) -> None:
        """Carry what is remembered to what is expected now, (D,), from what was expected without steps and jumps."""
        assert self._forecast is not None, "there is a forecast to carry"
        factor = np.divide(after, before, out=np.ones_like(before), where=before > 0)
        moved = factor != 1
        if moved.any():
            factor = np.clip(factor, 1 / FACTOR_MAX, FACTOR_MAX)
            self._forecast.scale(factor)
            self._levels[:, moved] += np.log(factor[moved])

    def _shift(self, demand: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._sides.shift(_log_ratio(demand, expected, _floor(expected)), expected)

    def _with_jumps(self, event: MatrixObserved, expected: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what was expected (D,), carried to the new totals of the nodes that jumped; note these.

        What a node sends is what others receive: the jump that changes the most is taken first, and others only as far
        as it does not explain them.
        """
        shift = self._shift(event.demand, expected)
        total = self._sides.total(event.demand)
        change = np.abs(total - self._sides.total(expected))
        jumped = self._sides.jumped(shift)
        chosen = np.zeros_like(jumped)
        carried, left = expected, jumped
        while left.any():
            side = int(np.argmax(np.where(left, change, -1.0)))
            sends, factor = side < self._sides.count, float(np.exp(shift[side]))
            self.jumps.append(NodeJump(event.begin_ns, event.now_ns, side % self._sides.count, sends, factor))
            chosen[side] = True
            carried = self._sides.carried(expected, chosen, total)
            left = jumped & ~chosen & self._sides.jumped(self._shift(event.demand, carried))
        self._sides.learn(shift, jumped)
        return carried

    def _remember_step(self, event: MatrixObserved, plain: NDArray[np.float64]) -> None:
        """Keep the steps of this matrix from the plain forecast (D,), whether they were expected or not."""
        step = self._shift(event.demand, plain)
        jumped = self._sides.jumped(step)
        day, time = divmod(event.begin_ns, DAY_NS)
        self._steps = [one for one in self._steps if one[0] >= day - STEP_DAYS]
        if jumped.any():
            self._steps.append((day, time, np.where(jumped, step, 0.0)))

    def _stepped(self, begin_ns: int, plain: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the forecast (D,) of the interval that begins then, with the steps that are usual at that time."""
        day, time = divmod(begin_ns, DAY_NS)
        alike = [step for then, at, step in self._steps if at == time and day - STEP_DAYS <= then < day]
        if len(alike) < STEP_TIMES:
            return plain
        steps = np.array(alike)
        times = (steps != 0).sum(axis=0)
        usual = times >= max(STEP_TIMES, min(day - self._first_day, STEP_DAYS) / 2)
        factor = np.exp(steps.sum(axis=0) / np.maximum(times, 1))
        return self._sides.carried(plain, usual, factor * self._sides.total(plain))


def _floor(level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what is added to numerator and denominator of a ratio to the level (D,)."""
    return np.asarray(FLOOR * level + FLOOR_OF_MEAN * level.mean())


def _log_ratio(
    demand: NDArray[np.float64], expected: NDArray[np.float64], floor: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the logarithm of measured over expected demand, (D,)."""
    known = floor > 0
    ratio = np.divide(demand + floor, expected + floor, out=np.ones_like(demand), where=known)
    limit = np.log(ERROR_MAX)
    return np.asarray(np.clip(np.log(ratio), -limit, limit))


def _log(level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logarithm, 0 of what is not positive."""
    return np.asarray(np.log(level, out=np.zeros_like(level), where=level > 0))


def _pushed(row: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rows with a new first one, at most `ERRORS` of them."""
    return np.concatenate((row[None], rows[: ERRORS - 1]))
