"""Histories cut into days, and what the calendar says of each: which days are alike, and what is special about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.calendar import Day, DayKind
from router_core.errors import BadInputError
from router_core.time_grid import TimeGrid

Calendar = Callable[[date], Day]

# What may be special about a day, each with an effect of its own; a day off is special against a plain weekend.
EVENTS: Final = ("holiday", "make_up", "month_end", "reporting", "yearly", "half_yearly")
WORKING, OFF = 0, 1
KINDS: Final = ("working", "off")


def plain_calendar(when: date) -> Day:
    """Return a day that is a working day or a weekend and nothing else: for networks without a known calendar."""
    when = date(when.year, when.month, when.day)
    kind = DayKind.WEEKEND if when.weekday() >= 5 else DayKind.WORKDAY
    return Day(when, kind, provisional=False, month_end=False, reporting=False, yearly=False, half_yearly=False)


@dataclass(frozen=True, eq=False)
class Almanac:
    """What the calendar says of n days.

    Attributes
    ----------
    kind : int64 (n,)
        `WORKING` or `OFF`.
    event : bool (n, V)
        Which of `EVENTS` a day has.
    weekday : int64 (n,)
        0 is Monday.
    provisional : bool (n,)
    """

    kind: NDArray[np.int64]
    event: NDArray[np.bool_]
    weekday: NDArray[np.int64]
    provisional: NDArray[np.bool_]

    @classmethod
    def of(cls, dates: Sequence[date], calendar: Calendar) -> Almanac:
        """Ask the calendar about each date."""
        days = [calendar(when) for when in dates]
        event = [
            (
                day.kind == DayKind.HOLIDAY,
                day.kind == DayKind.MAKE_UP,
                day.month_end,
                day.reporting,
                day.yearly,
                day.half_yearly,
            )
            for day in days
        ]
        return cls(
            np.array([WORKING if day.working else OFF for day in days], dtype=np.int64),
            np.array(event, dtype=np.bool_).reshape(len(days), len(EVENTS)),
            np.array([when.weekday() for when in dates], dtype=np.int64),
            np.array([day.provisional for day in days], dtype=np.bool_),
        )

    def contexts(self) -> NDArray[np.int64]:
        """Number of each day's context, (n,): equal for days of one kind with the same events, the same everywhere."""
        return np.asarray(self.kind + 2 * (self.event @ (1 << np.arange(len(EVENTS), dtype=np.int64))))

    def part(self, days: slice) -> Almanac:
        """Some of the days."""
        return Almanac(self.kind[days], self.event[days], self.weekday[days], self.provisional[days])


def context_parts(context: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Kind (n,) and events (n, V) that context numbers stand for."""
    bits = context[:, None] // 2 >> np.arange(len(EVENTS), dtype=np.int64)
    return context % 2, (bits & 1).astype(np.bool_)


@dataclass(frozen=True, eq=False)
class DayTable:
    """Demand of D series on n days in a row, each of S steps.

    Attributes
    ----------
    dates : tuple of date
    almanac : Almanac
    demand : float64 (n, S, D)
        0 where nothing is known.
    known : bool (n, S)
    """

    dates: tuple[date, ...]
    almanac: Almanac
    demand: NDArray[np.float64]
    known: NDArray[np.bool_]

    @classmethod
    def of(cls, grid: TimeGrid, demand: NDArray[np.float64], known: NDArray[np.bool_], calendar: Calendar) -> DayTable:
        """Cut a grid into days; steps of its first and last day outside the grid are not known. Copies."""
        dates = grid.dates()
        steps, series = grid.steps_per_day, demand.shape[1]
        first = int(grid.step_of_day()[0]) if grid.count else 0
        table = np.zeros((len(dates) * steps, series))
        seen = np.zeros(len(dates) * steps, dtype=np.bool_)
        table[first : first + grid.count] = np.where(known[:, None], demand, 0.0)
        seen[first : first + grid.count] = known
        shape = (len(dates), steps)
        return cls(dates, Almanac.of(dates, calendar), table.reshape(*shape, series), seen.reshape(shape))

    def __len__(self) -> int:
        return len(self.dates)

    def part(self, first: int, last: int) -> DayTable:
        """Days ``first .. last - 1``; views."""
        days = slice(first, last)
        return DayTable(self.dates[days], self.almanac.part(days), self.demand[days], self.known[days])


def checked_demand(
    place: str, grid: TimeGrid, demand: object, observed: object
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return demand (T, D) and which steps are known (T,); unknown steps may hold anything."""
    values = np.asarray(demand, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != grid.count:
        raise BadInputError(f"{place}.demand", f"must have {grid.count} rows, a column a series", values.shape)
    known = np.ones(grid.count, dtype=np.bool_) if observed is None else np.asarray(observed)
    if known.shape != (grid.count,) or known.dtype != np.bool_:
        raise BadInputError(f"{place}.observed", f"must be {grid.count} truth values", (known.shape, str(known.dtype)))
    seen = values[known]
    bad = ~(np.isfinite(seen) & (seen >= 0))
    if bad.any():
        row, column = np.argwhere(bad)[0]
        step = int(np.flatnonzero(known)[row])
        raise BadInputError(
            f"{place}.demand[{step}, {column}]", "must be finite and not negative", float(seen[row, column])
        )
    return values, known
