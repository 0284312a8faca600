"""Surges of the past: those of the calendar are tides, and those that came once teach none."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from made_tides import DAY, hours_from, made_history

import scenarios
from router_core.calendar import day_of
from router_core.errors import BadInputError
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS
from strategies.static.prepare import prepare
from strategies.surges.recurring import PastSurge, cells_of, fit_without_surges, past_surges, recurring
from strategies.tides.fit import fit_tides
from traces.generate import TraceGenerator, write_trace
from traces.history import read_history

SEEDS = pytest.mark.parametrize("seed", range(3))
GRID = hours_from(date(2026, 3, 2), 70)


def at(when: datetime, series: int = 0) -> PastSurge:
    first = GRID.step_of(when)
    return PastSurge(series, first, first + 2)


def test_the_same_time_of_three_weeks_is_a_tide_and_of_two_is_none():
    mondays = [at(datetime(2026, 3, day, 10)) for day in (2, 9, 23)]
    assert recurring(mondays, GRID) == (True, True, True)
    assert recurring(mondays[:2], GRID) == (False, False)
    other = [*mondays[:2], at(datetime(2026, 3, 23, 10), series=1)]
    assert recurring(other, GRID) == (False, False, False)
    later = [*mondays[:2], at(datetime(2026, 3, 23, 16))]
    assert recurring(later, GRID) == (False, False, False)
    # Twice in one week is one week.
    assert recurring([*mondays[:2], at(datetime(2026, 3, 9, 11))], GRID) == (False, False, False)


def test_the_same_working_day_of_two_months_is_a_tide():
    def working(year: int, month: int) -> list[date]:
        days = (date(year, month, day) for day in range(1, 29))
        return [day for day in days if day_of(day).working]

    march, april = working(2026, 3)[4], working(2026, 4)[4]
    pair = [at(datetime(one.year, one.month, one.day, 9)) for one in (march, april)]
    assert recurring(pair, GRID) == (True, True)
    # The last working day of two months, whatever its number.
    ends = [at(datetime(2026, 3, 31, 15)), at(datetime(2026, 4, 30, 15))]
    assert recurring(ends, GRID) == (True, True)
    days_off = [at(datetime(2026, 3, 7, 9)), at(datetime(2026, 4, 18, 9))]
    assert recurring(days_off, GRID) == (False, False)
    assert recurring([], GRID) == ()


@SEEDS
def test_planted_surges_are_found_and_little_else(seed):
    made = made_history(seed, days=42)
    demand = made.demand.copy()
    first = 30 * DAY + 10
    # Machines, at four times their mean and more for six hours.
    struck = np.arange(1, 28, 4)
    demand[first : first + 6, struck] += made.mean[first : first + 6, struck] * 3 + 30
    found = past_surges(made.grid, np.round(demand), made.mean)
    hit = {one.series for one in found if first - 1 <= one.first <= first + 2 and first + 3 <= one.last <= first + 8}
    assert hit == set(struck.tolist())
    assert len(found) <= len(struck) + 2
    mask = cells_of(found, demand.shape)
    assert mask.sum() == sum(one.last - one.first + 1 for one in found)
    assert not past_surges(made.grid, made.mean, made.mean)


@SEEDS
def test_a_surge_that_came_once_teaches_no_tide_and_one_of_every_week_does(seed):
    made = made_history(seed, days=35)
    ahead = made.grid.part(35 * DAY, 42 * DAY)
    usual = fit_tides(made.grid, made.demand).forecast(ahead).mean

    def with_surges(days: list[int]) -> np.ndarray:
        demand = made.demand.copy()
        for day in days:
            hours = slice(day * DAY + 10, day * DAY + 15)
            demand[hours, 1:28:4] += np.round(9 * made.mean[hours, 1:28:4] + 20)
        return demand

    hours = 1 * DAY + np.arange(10, 15)  # the same day of the week, ahead
    column = np.arange(1, 28, 4)
    once = with_surges([29])
    kept = fit_without_surges(made.grid, once).forecast(ahead).mean[np.ix_(hours, column)]
    taught = fit_tides(made.grid, once).forecast(ahead).mean[np.ix_(hours, column)]
    true = usual[np.ix_(hours, column)]
    assert np.abs(kept / true - 1).mean() <= np.abs(taught / true - 1).mean()
    assert kept.mean() == pytest.approx(true.mean(), rel=0.1)
    weekly = with_surges([1, 8, 15, 22, 29])
    assert np.array_equal(
        fit_without_surges(made.grid, weekly).forecast(ahead).mean[np.ix_(hours, column)] > 1.5 * true,
        fit_tides(made.grid, weekly).forecast(ahead).mean[np.ix_(hours, column)] > 1.5 * true,
    )


def test_a_history_without_surges_is_fitted_as_ever():
    made = made_history(4, days=21)
    plain, spared = fit_tides(made.grid, made.demand), fit_without_surges(made.grid, made.demand)
    if not past_surges(made.grid, made.demand, plain.forecast(made.grid).mean, unit=plain.scale.unit):
        assert np.array_equal(plain.forecast(made.grid).mean, spared.forecast(made.grid).mean)


def test_hours_of_which_nothing_is_known_are_left_out():
    made = made_history(5, days=21)
    observed = np.ones(made.grid.count, dtype=bool)
    observed[100:140] = False
    demand = made.demand.copy()
    demand[100:140] = np.nan
    found = past_surges(made.grid, demand, made.mean, observed=observed)
    assert all(not 100 <= one.first < 139 for one in found)
    with pytest.raises(BadInputError, match=r"history\.expected"):
        past_surges(made.grid, made.demand, made.mean[:-1])
    with pytest.raises(BadInputError, match=r"history\.demand"):
        past_surges(made.grid, -1.0 - made.demand, made.mean)


def test_a_policy_can_be_prepared_without_what_surges_teach(tmp_path: Path) -> None:
    platform, start = scenarios.load("toy"), datetime(2026, 3, 2)
    path = tmp_path / "trace"
    write_trace(
        path, TraceGenerator(platform, start=start, span=timedelta(days=8), seed=5, exchanges_per_day=4_000, load=1.5)
    )
    calls = []

    def fit(*args, **named):
        calls.append(args[1].shape)
        return fit_without_surges(*args, **named)

    grid = TimeGrid(start + timedelta(days=8), HOUR_NS, 24)
    made = prepare(platform.network, read_history([path], platform), None, grid, fit=fit)
    assert calls == [(8 * 24, len(made.series))]
