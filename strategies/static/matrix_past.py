"""What is remembered of the days of a series of matrices: a bounded number a day, and each day's smooth course."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.units import DAY_NS

HOURS: Final = 24
HOUR_NS: Final = DAY_NS // HOURS
# Of a day whose matrices come faster than this, every second one is let go, and again.
KEPT_MAX: Final = 576
# Standard deviation of the kernel that smooths a day's course [h]; at least the time between two matrices.
SMOOTH_H: Final = 1.5
# An hour has a course where matrices lie near enough: within about three standard deviations.
NEAR: Final = 1e-2


@dataclass(eq=False)
class PastDay:
    """Matrices of one day, in the order in which they came.

    Attributes
    ----------
    number : int
        Days since 1970-01-01 UTC.
    hour : list of float
        Begin of each matrix's interval since midnight [h].
    demand : list of float64 (D,)
    """

    number: int
    hour: list[float] = field(default_factory=list)
    demand: list[NDArray[np.float64]] = field(default_factory=list)
    _stride: int = 1
    _seen: int = 0

    def add(self, begin_ns: int, demand: NDArray[np.float64]) -> None:
        """Take in a matrix, unless the day has so many that only every second, fourth... one is kept."""
        if self._seen % self._stride == 0:
            self.hour.append((begin_ns % DAY_NS) / HOUR_NS)
            self.demand.append(demand)
        self._seen += 1
        if len(self.hour) > KEPT_MAX:
            self.hour, self.demand, self._stride = self.hour[::2], self.demand[::2], self._stride * 2

    def sample(self, count: int, phase: float) -> NDArray[np.int64]:
        """Return places of about `count` matrices, evenly spaced from `phase` of a step on, 0 <= phase < 1."""
        number = len(self.hour)
        if number <= count:
            return np.arange(number)
        return ((np.arange(count) + phase) * number / count).astype(np.int64)

    def course(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the smooth demand around the middle of each hour, (24, D), and which hours have matrices near them."""
        width = max(SMOOTH_H, HOURS / len(self.hour))
        middle = np.arange(HOURS) + 0.5
        kernel = np.exp(-0.5 * ((middle[:, None] - np.array(self.hour)[None, :]) / width) ** 2)
        mass = kernel.sum(axis=1)
        covered = mass > NEAR
        smooth = (kernel @ np.array(self.demand)) / np.where(covered, mass, 1.0)[:, None]
        return np.where(covered[:, None], smooth, 0.0), covered


def weekend(number: int) -> bool:
    """Whether a day, counted from 1970-01-01, is a Saturday or Sunday; of holidays a series says nothing."""
    # Day 0 was a Thursday.
    return (number + 3) % 7 >= 5
