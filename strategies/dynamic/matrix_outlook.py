"""What the next matrix may be: the level of each pair, times how wrong the level was lately."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.randomness import stream
from router_core.units import DAY_NS
from strategies.dynamic.matrix_jumps import NodeJump, NodeSides
from strategies.matrix_brain import MatrixObserved

# How much the newest matrix counts in the level.
LEVEL_RATE: Final = 0.6
# Errors remembered.
ERRORS: Final = 48
# Of these, the newest so many are used as they came.
WHOLE: Final = 24
# And so many scenarios more take each pair's error from another one.
MIXED: Final = 24
# An error is relative to the pair's level and to this part of it, and of the mean level, more.
FLOOR: Final = 0.05
FLOOR_OF_MEAN: Final = 1e-3
ERROR_MAX: Final = 20.0
# Days back that a step of the same time of day is remembered, and how many of them make it usual.
STEP_DAYS: Final = 7
STEP_TIMES: Final = 2
# After so many times the shortest time between two matrices, errors say nothing of what comes next.
PAUSE: Final = 1.5


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
        self._level: NDArray[np.float64] | None = None
        self._errors = np.zeros((ERRORS, len(source)))
        self._count = 0
        self._last_ns: int | None = None
        self._step_ns: int | None = None
        self._first_day = 0
        # Day, time of day and logarithms of the sides' steps, 0 where there was none.
        self._steps: list[tuple[int, int, NDArray[np.float64]]] = []
        rng = stream(0, "matrix outlook")
        # Drawn once: as errors are replaced one at a time, scenarios change little from one interval to the next.
        self._mix = np.argsort(rng.random((ERRORS, len(source))), axis=0)[:MIXED]

    def observe(self, event: MatrixObserved) -> None:
        """Take in a matrix."""
        day = event.begin_ns // DAY_NS
        if self._level is None:
            self._first_day = day
            if event.demand.any():
                self._level, self._last_ns = event.demand.copy(), event.begin_ns
            return
        expected = self._stepped(event.begin_ns)
        if not self._paused(event.begin_ns):
            self._remember_step(event)
            expected = self._with_jumps(event, expected)
            floor = _floor(expected)
            self._errors[self._count % ERRORS] = _log_ratio(event.demand, expected, floor)
            self._count += 1
        self._level = expected + LEVEL_RATE * (event.demand - expected)

    def scenarios(self, begin_ns: int) -> NDArray[np.float64] | None:
        """Return matrices (M, D) of the interval that begins then; None if nothing was ever observed but zeros.

        Some are the level times all errors of one interval, so that what errs together stays together; some take each
        pair's error from an interval of its own, as what has come together only once may come apart.
        """
        if self._level is None:
            return None
        expected = self._stepped(begin_ns)
        known = min(self._count, ERRORS)
        if not known:
            return expected[None]
        newest = (self._count - 1 - np.arange(min(known, WHOLE))) % ERRORS
        mixed = np.take_along_axis(self._errors, self._mix % known, axis=0)
        factor = np.exp(np.concatenate((self._errors[newest], mixed)))
        floor = _floor(expected)
        result: NDArray[np.float64] = np.maximum((expected + floor) * factor - floor, 0.0)
        return result

    def _paused(self, begin_ns: int) -> bool:
        """Whether matrices are missing before this one."""
        assert self._last_ns is not None, "a level has its time"
        gap, self._last_ns = begin_ns - self._last_ns, begin_ns
        self._step_ns = gap if self._step_ns is None else min(gap, self._step_ns)
        return gap > PAUSE * self._step_ns

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

    def _remember_step(self, event: MatrixObserved) -> None:
        """Keep the steps of this matrix from the level, whether they were expected or not."""
        assert self._level is not None, "there is a level to step from"
        step = self._shift(event.demand, self._level)
        jumped = self._sides.jumped(step)
        day, time = divmod(event.begin_ns, DAY_NS)
        self._steps = [one for one in self._steps if one[0] >= day - STEP_DAYS]
        if jumped.any():
            self._steps.append((day, time, np.where(jumped, step, 0.0)))

    def _stepped(self, begin_ns: int) -> NDArray[np.float64]:
        """Return the level of the interval that begins then, with the steps that are usual at that time of day."""
        assert self._level is not None, "there is a level to step from"
        day, time = divmod(begin_ns, DAY_NS)
        alike = [step for then, at, step in self._steps if at == time and day - STEP_DAYS <= then < day]
        if len(alike) < STEP_TIMES:
            return self._level
        steps = np.array(alike)
        times = (steps != 0).sum(axis=0)
        usual = times >= max(STEP_TIMES, min(day - self._first_day, STEP_DAYS) / 2)
        factor = np.exp(steps.sum(axis=0) / np.maximum(times, 1))
        return self._sides.carried(self._level, usual, factor * self._sides.total(self._level))


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
