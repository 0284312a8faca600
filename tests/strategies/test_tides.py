from __future__ import annotations

import json
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_tides import DAY, HOLIDAY, MONTH_END, hours_from, made_history, wape
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.randomness import stream
from router_core.time_grid import TimeGrid
from router_core.units import MINUTE_NS
from strategies.tides.days import plain_calendar
from strategies.tides.fit import fit_tides
from strategies.tides.forecast import Forecast
from strategies.tides.models import MODELS
from strategies.tides.tides import Tides

SEEDS = [pytest.param(seed, id=f"seed{seed}") for seed in (1, 2, 3)]
ONE = [pytest.param(1, id="seed1")]


def check(forecast: Forecast, grid: TimeGrid, series: int) -> None:
    for values in (forecast.p50, forecast.p95, forecast.mean):
        assert values.shape == (grid.count, series)
        assert np.isfinite(values).all()
        assert (values >= 0).all()
    assert (forecast.p50 <= forecast.p95).all()
    assert forecast.provisional.shape == (grid.count,)


def same(a: Forecast, b: Forecast) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("p50", "p95", "mean", "provisional"))


@pytest.mark.parametrize("seed", SEEDS)
def test_planted_effects_are_found_and_the_oracle_is_near(seed: int) -> None:
    # Seven weeks with a month end and a holiday; the eighth has both again.
    made = made_history(seed)
    past, week = made.part(0, 49), made.part(49, 56)
    forecast = fit_tides(past.grid, past.demand).forecast(week.grid)
    check(forecast, week.grid, 40)
    assert wape(week.demand, forecast.mean) <= 1.08 * wape(week.demand, week.mean)
    days = forecast.mean.reshape(7, DAY, -1).sum(axis=1)[:, :20:2].sum(axis=1)
    assert days[2:4].mean() / days[:2].mean() == pytest.approx(MONTH_END, rel=0.05)
    saturday = fit_tides(past.grid, past.demand).forecast(hours_from(date(2026, 5, 16), 1))
    plain = saturday.mean[:, :20:2].sum()
    assert days[4:].mean() / plain == pytest.approx(HOLIDAY, rel=0.08)
    machines = forecast.mean.reshape(7, DAY, -1).sum(axis=1)[:, 1:20:2].sum(axis=1)
    assert machines[2:4].mean() / machines[:2].mean() == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize("seed", SEEDS)
def test_bands_cover_fresh_data(seed: int) -> None:
    made = made_history(seed + 10, series=80)
    past, week = made.part(0, 49), made.part(49, 56)
    forecast = fit_tides(past.grid, past.demand).forecast(week.grid)
    thick = week.mean >= 4
    covered = float((week.demand <= forecast.p95)[thick].mean())
    assert 0.92 <= covered <= 0.98
    below = float((week.demand <= forecast.p50)[thick].mean())
    assert 0.42 <= below <= 0.66  # counts tie with their median


@pytest.mark.parametrize("seed", SEEDS)
def test_the_future_does_not_change_what_was_known_before(seed: int) -> None:
    made, other = made_history(seed), made_history(seed)
    other.demand[30 * DAY :] = 7.0
    week = made.grid.part(30 * DAY, 37 * DAY)
    known = np.arange(56 * DAY) < 30 * DAY
    forecasts = [fit_tides(history.grid, history.demand, observed=known).forecast(week) for history in (made, other)]
    assert same(*forecasts)
    cut = fit_tides(made.grid.part(0, 30 * DAY), made.demand[: 30 * DAY]).forecast(week)
    assert same(cut, forecasts[0])


@pytest.mark.parametrize("seed", ONE)
def test_fitting_again_gives_the_same_bits(seed: int) -> None:
    made = made_history(seed, days=28)
    week = made.grid.part(28 * DAY, 35 * DAY)
    first, second = (fit_tides(made.grid, made.demand, seed=seed) for seed in (0, 5))
    assert same(first.forecast(week), second.forecast(week))
    assert np.array_equal(first.scenarios(week, 3, 7), second.scenarios(week, 3, 7))
    assert not np.array_equal(first.scenarios(week, 3, 7), first.scenarios(week, 3, 8))


@pytest.mark.parametrize("factor", [0.125, 1024.0, 3.7, 1e9])
def test_demand_in_another_unit_is_the_same_forecast_in_that_unit(factor: float) -> None:
    made = made_history(4, days=28)
    week = made.grid.part(28 * DAY, 35 * DAY)
    plain = fit_tides(made.grid, made.demand).forecast(week)
    scaled = fit_tides(made.grid, made.demand * factor).forecast(week)
    for name in ("mean", "p50", "p95"):
        ours, theirs = getattr(plain, name) * factor, getattr(scaled, name)
        if np.log2(factor) % 1 == 0:
            assert np.array_equal(ours, theirs)
        else:
            assert np.mean(np.isclose(ours, theirs, rtol=1e-6)) > 0.999


def test_the_order_of_series_does_not_count() -> None:
    made = made_history(5, days=28)
    week = made.grid.part(28 * DAY, 35 * DAY)
    order = stream(5, "order").permutation(40)
    plain = fit_tides(made.grid, made.demand).forecast(week)
    shuffled = fit_tides(made.grid, made.demand[:, order]).forecast(week)
    np.testing.assert_allclose(shuffled.mean, plain.mean[:, order], rtol=1e-6)


@pytest.mark.parametrize("grouped", [False, True], ids=["free", "grouped"])
def test_parts_go_round(grouped: bool) -> None:
    made = made_history(6, days=28)
    week = made.grid.part(28 * DAY, 35 * DAY)
    group = np.arange(40) % 2 * 7 if grouped else None
    tides = fit_tides(made.grid, made.demand, group=group)
    document, arrays = tides.parts()
    back = Tides.from_parts(json.loads(json.dumps(document, allow_nan=False)), arrays)
    assert repr(back.record) == repr(tides.record)  # NaN is not equal to itself
    assert same(back.forecast(week), tides.forecast(week))
    came = made.demand[: 7 * DAY]
    assert same(back.observe(week, came).forecast(week), tides.observe(week, came).forecast(week))
    assert np.array_equal(back.scenarios(week, 2, 1), tides.scenarios(week, 2, 1))


def test_the_choice_is_recorded() -> None:
    made = made_history(7)
    record = fit_tides(made.grid, made.demand, group=np.arange(40) % 2).record
    assert (record.first, record.last) == ("2026-04-27", "2026-05-03")
    assert tuple(score.model for score in record.scores) == (*MODELS, "blend")
    assert sum(weight for _, weight in record.weights) == pytest.approx(1.0)
    assert record.groups == (0, 1)
    best = min(score.wape for score in record.scores[:-1])
    assert record.scores[-1].wape <= 1.02 * best
    assert record.scores[0].wape < record.scores[-2].wape  # pooled against seasonal naive
    assert all(len(score.wape_by_group) == 2 for score in record.scores)


@pytest.mark.parametrize("seed", SEEDS)
def test_new_vanished_and_silent_series(seed: int) -> None:
    made = made_history(seed, days=42, series=24)
    demand = made.demand.copy()
    demand[: 37 * DAY, 0] = 0.0  # appeared on Wednesday of the last week
    demand[38 * DAY :, 2] = 0.0  # vanished on Thursday
    # Models are compared over the last week, in which one series appears; the others are as ever.
    tides = fit_tides(made.grid, demand)
    day = made.grid.part(42 * DAY, 43 * DAY)
    truth = made_history(seed, days=43, series=24).mean[-DAY:]
    forecast = tides.forecast(day)
    check(forecast, day, 24)
    assert 0.6 < forecast.mean[:, 0].sum() / truth[:, 0].sum() < 1.5
    assert forecast.mean[:, 2].sum() < 0.2 * truth[:, 2].sum()
    assert not forecast.p95[:, -1].any()
    assert not tides.scenarios(day, 2, 1)[:, :, -1].any()


@pytest.mark.parametrize("seed", SEEDS)
def test_gaps_and_an_outlier_do_little(seed: int) -> None:
    made = made_history(seed)
    past, week = made.part(0, 49), made.part(49, 56)
    clean = wape(week.demand, fit_tides(past.grid, past.demand).forecast(week.grid).mean)
    demand, known = past.demand.copy(), np.ones(49 * DAY, dtype=np.bool_)
    known[200:260] = False
    demand[200:260] = np.nan
    demand[500, 0] = 1e6
    tides = fit_tides(past.grid, demand, observed=known)
    assert tides.record.outliers >= 1
    assert wape(week.demand, tides.forecast(week.grid).mean) <= 1.05 * clean


HISTORIES = st.tuples(
    st.integers(1, 60), st.integers(0, 23), st.integers(0, 4), st.sampled_from(["zero", "constant", "one", "drawn"])
)


@settings(max_examples=40, derandomize=True)
@given(HISTORIES, st.sampled_from([60, 15]), st.integers(0, 2**16))
def test_any_short_history_gives_finite_forecasts(history: tuple[int, int, int, str], minutes: int, seed: int) -> None:
    count, begin, series, kind = history
    whole = TimeGrid(hours_from(date(2026, 4, 3), 1).begin, minutes * MINUTE_NS, 0)
    grid = whole.part(begin, begin + count)
    random = stream(seed, "short")
    demand = {
        "zero": np.zeros((count, series)),
        "constant": np.full((count, series), 3.25),
        "one": np.where(np.arange(count)[:, None] == count // 2, 5.0, 0.0) * np.ones(series),
        "drawn": random.exponential(10.0, (count, series)),
    }[kind]
    tides = fit_tides(grid, demand, observed=np.arange(count) != 1)
    ahead = grid.part(count, count + 200)
    check(tides.forecast(ahead), ahead, series)
    assert np.isfinite(tides.scenarios(ahead, 2, 0)).all()
    more = tides.observe(grid.part(count, count + 30), np.ones((30, series)))
    check(more.forecast(ahead), ahead, series)
    if kind == "constant" and count > 4:
        np.testing.assert_allclose(tides.forecast(ahead.part(0, 1)).mean, 3.25, rtol=0.6)


def test_years_without_published_holidays_are_provisional() -> None:
    made = made_history(8, days=14, series=4)
    tides = fit_tides(made.grid, made.demand)
    ahead = hours_from(date(2090, 12, 31), 2)
    assert tides.forecast(ahead).provisional.all()
    assert not tides.forecast(made.grid).provisional.any()
    plain = fit_tides(made.grid, made.demand, calendar=plain_calendar)
    assert not plain.forecast(ahead).provisional.any()


def _history() -> tuple[TimeGrid, NDArray[np.float64]]:
    made = made_history(9, days=3, series=3)
    return made.grid, made.demand


def test_bad_input_is_refused_by_name() -> None:
    grid, demand = _history()
    for place, change in (
        ("history.demand[5, 1]", {"value": np.nan}),
        ("history.demand[5, 1]", {"value": -1.0}),
        ("history.demand[5, 1]", {"value": np.inf}),
    ):
        broken = demand.copy()
        broken[5, 1] = change["value"]
        with pytest.raises(BadInputError) as caught:
            fit_tides(grid, broken)
        assert caught.value.place == place
    for call, place in (
        (lambda: fit_tides(grid, demand[1:]), "history.demand"),
        (lambda: fit_tides(grid, demand, observed=np.zeros(3, dtype=np.bool_)), "history.observed"),
        (lambda: fit_tides(grid, demand, observed=np.zeros(72, dtype=np.bool_)), "history"),
        (lambda: fit_tides(grid, demand, group=np.zeros(2, dtype=np.int64)), "group"),
        (lambda: fit_tides(grid, demand, seed=-1), "seed"),
        (lambda: fit_tides(grid, demand).forecast(TimeGrid(grid.begin, MINUTE_NS, 1)), "grid.step_ns"),
        (lambda: fit_tides(grid, demand).observe(grid, demand), "observe.grid"),
        (lambda: fit_tides(grid, demand).observe(grid.part(72, 144), demand[:, 1:]), "observe.demand"),
        (lambda: fit_tides(grid, demand).scenarios(grid, -1, 0), "scenarios.count"),
    ):
        with pytest.raises(BadInputError) as caught:
            call()
        assert caught.value.place == place
