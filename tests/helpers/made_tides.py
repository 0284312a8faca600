"""Histories made by hand for the tests of tides: known means, drawn counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray

from router_core.calendar import day_of
from router_core.randomness import stream
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS

DAY = 24
MONTH_END, HOLIDAY, OFF = 2.5, 0.4, 0.3


@dataclass(frozen=True, eq=False)
class Made:
    grid: TimeGrid
    demand: NDArray[np.float64]
    mean: NDArray[np.float64]

    def part(self, first: int, last: int) -> Made:
        """Some days."""
        hours = slice(first * DAY, last * DAY)
        return Made(self.grid.part(hours.start, hours.stop), self.demand[hours], self.mean[hours])


def hours_from(first: date, days: int) -> TimeGrid:
    return TimeGrid(datetime.combine(first, time()), HOUR_NS, days * DAY)


def made_history(seed: int, *, first: date = date(2026, 3, 9), days: int = 56, series: int = 40) -> Made:
    """Poisson counts: half of the series are offices, which answer to the calendar, half machines, which do not.

    The last quarter of the series is a tenth as large, the last series is silent.
    """
    random = stream(seed, "made tides")
    hour = np.arange(DAY)
    office = np.where((hour >= 9) & (hour < 18), 1.0, 0.05)
    size = random.uniform(5.0, 30.0, series)
    size[3 * series // 4 :] /= 10.0
    size[-1] = 0.0
    mean = np.empty((days, DAY, series))
    for number in range(days):
        day = day_of(first + timedelta(days=number))
        level = (1.0 if day.working else OFF) * (MONTH_END if day.month_end else 1.0)
        level *= HOLIDAY if day.kind.name == "HOLIDAY" else 1.0
        mean[number, :, ::2] = office[:, None] * level * size[::2]
        mean[number, :, 1::2] = 0.5 * size[1::2]
    flat = mean.reshape(-1, series)
    return Made(hours_from(first, days), random.poisson(flat).astype(np.float64), flat)


def wape(demand: NDArray[np.float64], forecast: NDArray[np.float64]) -> float:
    return float(np.abs(demand - forecast).sum() / demand.sum())
