"""Sums of a history by kind of day and step of day: all that the pooled model needs of it, whatever its length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strategies.tides.days import DayTable


@dataclass(frozen=True, eq=False)
class Totals:
    """Sums over the days of each context.

    Attributes
    ----------
    context : int64 (C,)
        Numbers of `Almanac.contexts`, ascending.
    total : float64 (C, S, D)
        Demand of all days of the context.
    days : float64 (C, S)
        On how many of them a step was known.
    """

    context: NDArray[np.int64]
    total: NDArray[np.float64]
    days: NDArray[np.float64]

    @classmethod
    def of(cls, table: DayTable) -> Totals:
        """Sum a table of days."""
        context, place = np.unique(table.almanac.contexts(), return_inverse=True)
        steps, series = table.demand.shape[1:]
        total = np.zeros((len(context), steps, series))
        days = np.zeros((len(context), steps))
        for day, row in enumerate(place.tolist()):
            total[row] += table.demand[day]
            days[row] += table.known[day]
        return cls(context, total, days)

    def plus(self, other: Totals) -> Totals:
        """Sums over both."""
        context = np.union1d(self.context, other.context)
        total = np.zeros((len(context), *self.total.shape[1:]))
        days = np.zeros((len(context), self.days.shape[1]))
        for part in (self, other):
            rows = np.searchsorted(context, part.context)
            total[rows] += part.total
            days[rows] += part.days
        return Totals(context, total, days)
