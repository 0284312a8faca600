"""The calendar that makes the tides: kinds of days and the dates reports are due, as pure functions of a date."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta, timezone
from enum import IntEnum
from functools import lru_cache
from typing import Final

import numpy as np
from chinese_calendar import get_holiday_detail
from numpy.typing import NDArray

# China has had one time zone and no summer time since 1992.
LOCAL_TIME: Final = timezone(timedelta(hours=8))

MONTH_END_DAYS: Final = 2
REPORTING_DUE_DAY: Final = 5
YEARLY_MONTHS: Final = (1, 2)
HALF_YEARLY_MONTHS: Final = (7,)
REPORT_RUSH_DAYS: Final = 5


class DayKind(IntEnum):
    """What a day is by the State Council's timetable; a make-up workday is a worked Saturday or Sunday."""

    WORKDAY = 0
    WEEKEND = 1
    HOLIDAY = 2
    MAKE_UP = 3

    @property
    def working(self) -> bool:
        """Whether offices work on such a day."""
        return self in (DayKind.WORKDAY, DayKind.MAKE_UP)


@dataclass(frozen=True)
class Day:
    """One day of the calendar.

    Attributes
    ----------
    date : date
    kind : DayKind
    provisional : bool
        The official timetable of this year is not known: the kind follows from the day of the week alone.
    month_end : bool
        One of the last two working days of its month.
    reporting : bool
        A working day from the 1st up to the 5th, when progress reports are due.
    yearly : bool
        One of the last five working days of January (province) or February (nation), when yearly reports are due.
    half_yearly : bool
        One of the last five working days of July, when half-year budget reports are due.
    """

    date: date
    kind: DayKind
    provisional: bool
    month_end: bool
    reporting: bool
    yearly: bool
    half_yearly: bool

    @property
    def working(self) -> bool:
        """Whether offices work on this day."""
        return self.kind.working

    @property
    def plain(self) -> bool:
        """Whether it is a working day on which nothing special is due."""
        return self.working and not (self.month_end or self.reporting or self.yearly or self.half_yearly)


@dataclass(frozen=True, eq=False)
class Days:
    """Consecutive days as vectors of length n, for models that look at many at once.

    Attributes
    ----------
    date : datetime64[D] (n,)
    kind : int8 (n,)
        `DayKind`.
    working, provisional, month_end, reporting, yearly, half_yearly : bool (n,)
        As in `Day`.
    """

    date: NDArray[np.datetime64]
    kind: NDArray[np.int8]
    working: NDArray[np.bool_]
    provisional: NDArray[np.bool_]
    month_end: NDArray[np.bool_]
    reporting: NDArray[np.bool_]
    yearly: NDArray[np.bool_]
    half_yearly: NDArray[np.bool_]


def day_of(when: date) -> Day:
    """Return what the calendar says of a local date.

    Years beyond the official timetable fall back to the day of the week and are marked provisional.
    """
    when = date(when.year, when.month, when.day)
    kind, provisional = _kind(when)
    working = _working_days(when.year, when.month)
    rush = when in working[-REPORT_RUSH_DAYS:]
    return Day(
        date=when,
        kind=kind,
        provisional=provisional,
        month_end=when in working[-MONTH_END_DAYS:],
        reporting=kind.working and when.day <= REPORTING_DUE_DAY,
        yearly=rush and when.month in YEARLY_MONTHS,
        half_yearly=rush and when.month in HALF_YEARLY_MONTHS,
    )


def is_working_day(when: date) -> bool:
    """Whether offices work on this local date."""
    return day_of(when).working


def days_from(start: date, count: int) -> Days:
    """Return `count` (>= 0) consecutive days from a local date on."""
    days = [day_of(start + timedelta(days=offset)) for offset in range(count)]

    def flags(name: str) -> NDArray[np.bool_]:
        return np.array([getattr(day, name) for day in days], dtype=np.bool_)

    return Days(
        date=np.array([day.date for day in days], dtype="datetime64[D]"),
        kind=np.array([day.kind for day in days], dtype=np.int8),
        working=flags("working"),
        provisional=flags("provisional"),
        month_end=flags("month_end"),
        reporting=flags("reporting"),
        yearly=flags("yearly"),
        half_yearly=flags("half_yearly"),
    )


def _kind(when: date) -> tuple[DayKind, bool]:
    weekend = when.weekday() >= 5
    try:
        off, name = get_holiday_detail(when)
    except NotImplementedError:
        return (DayKind.WEEKEND if weekend else DayKind.WORKDAY), True
    if off:
        return (DayKind.HOLIDAY if name else DayKind.WEEKEND), False
    return (DayKind.MAKE_UP if weekend else DayKind.WORKDAY), False


@lru_cache(maxsize=1024)
def _working_days(year: int, month: int) -> tuple[date, ...]:
    days = (date(year, month, day) for day in range(1, monthrange(year, month)[1] + 1))
    return tuple(day for day in days if _kind(day)[0].working)
