from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_core.calendar import DayKind, day_of, is_working_day

KNOWN_DATES = st.dates(date(2004, 1, 1), date(2026, 12, 31))
ANY_DATES = st.dates(date(1950, 1, 1), date(2200, 12, 31))


@pytest.mark.parametrize(
    ("when", "kind"),
    [
        (date(2026, 1, 1), DayKind.HOLIDAY),
        (date(2026, 1, 4), DayKind.MAKE_UP),  # a Sunday worked for New Year
        (date(2026, 2, 14), DayKind.MAKE_UP),  # a Saturday worked for Spring Festival
        (date(2026, 2, 15), DayKind.HOLIDAY),
        (date(2026, 2, 17), DayKind.HOLIDAY),  # the first day of the lunar year
        (date(2026, 2, 23), DayKind.HOLIDAY),
        (date(2026, 2, 24), DayKind.WORKDAY),
        (date(2026, 2, 28), DayKind.MAKE_UP),
        (date(2026, 3, 14), DayKind.WEEKEND),
        (date(2026, 3, 17), DayKind.WORKDAY),
        (date(2026, 9, 20), DayKind.MAKE_UP),
        (date(2026, 10, 1), DayKind.HOLIDAY),
        (date(2026, 10, 7), DayKind.HOLIDAY),
        (date(2026, 10, 8), DayKind.WORKDAY),
        (date(2026, 10, 10), DayKind.MAKE_UP),
        (date(2025, 10, 8), DayKind.HOLIDAY),
    ],
)
def test_official_timetable(when: date, kind: DayKind) -> None:
    day = day_of(when)
    assert (day.kind, day.provisional) == (kind, False)
    assert is_working_day(when) == (kind in (DayKind.WORKDAY, DayKind.MAKE_UP))


def test_make_up_day_can_be_a_month_end() -> None:
    ends = [day.date for day in map(day_of, dates(date(2026, 2, 1), 28)) if day.month_end]
    assert ends == [date(2026, 2, 27), date(2026, 2, 28)]


def test_reports_are_due() -> None:
    reporting = [day.date.day for day in map(day_of, dates(date(2026, 3, 1), 31)) if day.reporting]
    assert reporting == [2, 3, 4, 5]
    assert not any(day_of(when).reporting for when in dates(date(2026, 10, 1), 7))
    yearly = [day.date.day for day in map(day_of, dates(date(2026, 1, 1), 31)) if day.yearly]
    assert yearly == [26, 27, 28, 29, 30]
    half_yearly = [day.date for day in map(day_of, dates(date(2026, 1, 1), 365)) if day.half_yearly]
    assert half_yearly == dates(date(2026, 7, 27), 5)


def test_years_beyond_the_table_are_provisional() -> None:
    assert day_of(date(2031, 10, 1)).provisional
    assert day_of(date(2031, 10, 1)).kind == DayKind.WORKDAY
    assert day_of(date(2031, 10, 4)).kind == DayKind.WEEKEND
    assert day_of(date(1999, 10, 1)).provisional


@given(ANY_DATES)
def test_due_days_are_working_days_in_their_months(when: date) -> None:
    day = day_of(when)
    due = day.month_end, day.reporting, day.yearly, day.half_yearly
    assert day.working or not any(due)
    assert day.plain == (day.working and not any(due))
    assert not day.yearly or when.month in (1, 2)
    assert not day.half_yearly or when.month == 7
    assert not day.reporting or when.day <= 5


@given(ANY_DATES)
def test_each_month_has_two_ends(when: date) -> None:
    first = when.replace(day=1)
    month = [day for day in map(day_of, dates(first, 31)) if day.date.month == first.month]
    working = [day for day in month if day.working]
    assert [day for day in month if day.month_end] == working[-2:]
    rushes = [day for day in month if day.yearly or day.half_yearly]
    assert rushes == (working[-5:] if first.month in (1, 2, 7) else [])


def dates(start: date, count: int) -> list[date]:
    return [start + timedelta(days=offset) for offset in range(count)]
