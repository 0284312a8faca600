"""The calendar that makes the tides: kinds of days and the dates reports are due, as pure functions of a date."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta, timezone
from enum import IntEnum
from functools import lru_cache
from typing import Final

from chinese_calendar import get_holiday_detail

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


def _kind(when: date) -> tuple[DayKind, bool]:
    weekend = when.weekday() >= 5
    try:
        off, name = get_holiday_detail(when)
    except NotImplementedError:  # how the library says that a year's timetable is not published
        return (DayKind.WEEKEND if weekend else DayKind.WORKDAY), True
    if off:
        return (DayKind.HOLIDAY if name else DayKind.WEEKEND), False
    return (DayKind.MAKE_UP if weekend else DayKind.WORKDAY), False


@lru_cache(maxsize=1024)
def _working_days(year: int, month: int) -> tuple[date, ...]:
    days = (date(year, month, day) for day in range(1, monthrange(year, month)[1] + 1))
    return tuple(day for day in days if _kind(day)[0].working)
