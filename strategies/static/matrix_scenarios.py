"""The likely matrices of a coming slot: whole matrices of past days, moved to its time of day as far as is sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from strategies.static.matrix_past import HOURS, PastDay, weekend

# Together, over all days. Chosen, as the figures below, on weeks that no reported figure is taken from: 160 generalise
# better than 50, by 0.01 of the ratio, 384 than 192 by 0.001, more do not; matrices of the whole day better than those
# near the slot's hour, by 0.01.
MATRICES_MAX: Final = 384
# A day counts half as much as the one two days after it.
HALF_LIFE_DAYS: Final = 2.0
# A day of the coming one's kind, a weekend or not, counts so much more: a guess, better than none in most weeks seen.
LIKE_KIND: Final = 3.0
# How far the course of a single day is believed, as nothing tells whether it will come again.
BELIEF_OF_ONE: Final = 0.5
# A pair's demand is moved by no more than this factor, and hours of nearly nothing count as a tenth of its mean.
MOVE_MAX: Final = 100.0
FLOOR: Final = 0.01


@dataclass(frozen=True, eq=False)
class DayScenarios:
    """What is likely on a day, worked out of earlier days alone.

    Attributes
    ----------
    demand : float64 (M, D)
        Matrices as they came, whole, so that what moves together stays together.
    hour : int64 (M,)
        Of the day, in which each of them came.
    weight : float64 (M,)
        Falling with the age of the day, higher for days of the coming one's kind.
    level : float64 (24, D)
        Logarithm of the usual demand of each hour; 0 throughout for a pair that never had any.
    belief : float64 (D,)
        How far the usual course of a pair's day can be believed, 0..1.
    """

    demand: NDArray[np.float64]
    hour: NDArray[np.int64]
    weight: NDArray[np.float64]
    level: NDArray[np.float64]
    belief: NDArray[np.float64]

    def at(self, hours: slice) -> NDArray[np.float64]:
        """Return the matrices (M, D) moved to these hours of the day."""
        move = self.level[hours].mean(axis=0) - self.level[self.hour]
        limit = np.log(MOVE_MAX)
        moved: NDArray[np.float64] = self.demand * np.exp(self.belief * np.clip(move, -limit, limit))
        return moved


def day_scenarios(days: Sequence[PastDay], coming: int) -> DayScenarios | None:
    """Return what is likely on the day `coming` after these, or None if they carried nothing.

    The usual course of a day is the mean of the past days' smooth ones. A pair's course is believed as far as it came
    again: by the share of its variance that the noise from day to day, estimated between the days, does not explain
    (James and Stein's shrinkage).
    """
    used = [day for day in days if any(matrix.any() for matrix in day.demand)]
    if not used:
        return None
    count = max(MATRICES_MAX // len(used), 1)
    demand, hour, weight = [], [], []
    for rank, day in enumerate(used):
        for place in day.sample(count, rank / len(used)).tolist():
            if day.demand[place].any():
                demand.append(day.demand[place])
                hour.append(min(int(day.hour[place]), HOURS - 1))
                alike = LIKE_KIND if weekend(day.number) == weekend(coming) else 1.0
                weight.append(alike * 0.5 ** ((used[-1].number - day.number) / HALF_LIFE_DAYS))
    if not demand:
        return None
    level, belief = _usual(used)
    return DayScenarios(np.array(demand), np.array(hour), np.array(weight), level, belief)


def _usual(days: Sequence[PastDay]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the logarithm of the usual course of a day, (24, D), and how far it is believed, (D,)."""
    courses, covered = zip(*(day.course() for day in days), strict=True)
    course, there = np.array(courses), np.array(covered)
    times = there.sum(axis=0)
    known = times > 0
    usual = course.sum(axis=0) / np.maximum(times, 1)[:, None]
    mean = usual[known].mean(axis=0)
    usual[~known] = mean
    floor = np.where(mean > 0, FLOOR * mean, 1.0)
    level = np.log(usual + floor)
    whole = there.all(axis=1)
    if whole.sum() < 2:
        return level, np.full(len(mean), BELIEF_OF_ONE)
    shape = np.log(course[whole] + floor)
    shape -= shape.mean(axis=1, keepdims=True)
    common = shape.mean(axis=0)
    signal = (common**2).mean(axis=0)
    noise = ((shape - common) ** 2).mean(axis=1).sum(axis=0) / (len(shape) - 1)
    belief = np.clip(1.0 - noise / len(shape) / np.where(signal > 0, signal, 1.0), 0.0, 1.0)
    return level, np.where(signal > 0, belief, 0.0)
