from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
from made_tides import DAY, made_history

from router_core.randomness import stream
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS
from strategies.tides.fit import fit_tides, plain_calendar

SEEDS = [pytest.param(seed, id=f"seed{seed}") for seed in (1, 2, 3)]


@pytest.mark.parametrize("seed", SEEDS)
def test_observing_changes_only_the_new_tides(seed: int) -> None:
    made = made_history(seed)
    past, week = made.part(0, 49), made.part(49, 56)
    tides = fit_tides(past.grid, past.demand)
    before = tides.forecast(week.grid)
    after = tides.observe(week.grid, week.demand)
    again = tides.forecast(week.grid)
    assert np.array_equal(before.p95, again.p95)
    assert np.array_equal(before.mean, again.mean)
    assert after.grid.end == week.grid.end
    assert len(after.recent) == 28
    assert len(after.errors.kind) == 14


@pytest.mark.parametrize("seed", SEEDS)
def test_a_lasting_rise_is_followed(seed: int) -> None:
    made = made_history(seed, days=49)
    past, rest = made.part(0, 42), made.part(42, 49)
    tides = fit_tides(past.grid, past.demand)
    raised = tides.observe(rest.grid, rest.demand * 4.0)
    ahead = made.grid.part(49 * DAY, 50 * DAY)
    told, learnt = tides.forecast(ahead).mean[:, :20].sum(), raised.forecast(ahead).mean[:, :20].sum()
    assert 2.5 < learnt / told < 5.0


@pytest.mark.parametrize("seed", SEEDS)
def test_bands_widen_until_they_cover_wilder_demand(seed: int) -> None:
    # Demand gets bursty, as had never been seen: gamma noise of the same mean upon each cell.
    made = made_history(seed, days=77)
    random = stream(seed, "wild")
    wild = np.rint(made.demand * random.gamma(2.0, 0.5, made.demand.shape))
    tides = fit_tides(made.part(0, 49).grid, made.part(0, 49).demand)
    thick = made.mean >= 4
    covered = []
    for day in range(49, 77):
        hours = slice(day * DAY, (day + 1) * DAY)
        grid = made.grid.part(hours.start, hours.stop)
        covered.append(float((wild[hours] <= tides.forecast(grid).p95)[thick[hours]].mean()))
        tides = tides.observe(grid, wild[hours])
    assert covered[0] < 0.90
    assert np.mean(covered[-10:]) > 0.925


@pytest.mark.parametrize("seed", SEEDS)
def test_observing_in_pieces_sums_to_the_same_history(seed: int) -> None:
    made = made_history(seed)
    tides = fit_tides(made.part(0, 49).grid, made.part(0, 49).demand)
    pieces = tides
    for first, last in ((49 * DAY, 49 * DAY + 7), (49 * DAY + 7, 51 * DAY)):
        pieces = pieces.observe(made.grid.part(first, last), made.demand[first:last])
    whole = tides.observe(made.grid.part(49 * DAY, 51 * DAY), made.demand[49 * DAY : 51 * DAY])
    assert pieces.grid == whole.grid
    np.testing.assert_array_equal(pieces.totals.days, whole.totals.days)
    np.testing.assert_allclose(pieces.totals.total.sum(), whole.totals.total.sum(), rtol=1e-3)
    np.testing.assert_array_equal(pieces.recent.known, whole.recent.known)


@pytest.mark.parametrize("seed", SEEDS)
def test_scenarios_vary_as_demand_does_and_move_together(seed: int) -> None:
    # A common factor a day on all offices: what scenarios must keep, and what independent draws would lose.
    made = made_history(seed, days=70)
    common = stream(seed, "common").lognormal(0.0, 0.3, 70).repeat(DAY)
    demand = stream(seed, "again").poisson(made.mean * common[:, None]).astype(np.float64)
    tides = fit_tides(made.part(0, 42).grid, demand[: 42 * DAY])
    for day in range(42, 70):
        grid = made.grid.part(day * DAY, (day + 1) * DAY)
        tides = tides.observe(grid, demand[day * DAY : (day + 1) * DAY])
    ahead = made.grid.part(70 * DAY, 71 * DAY)
    drawn = tides.scenarios(ahead, 60, 1)
    assert (drawn >= 0).all()
    totals = drawn.sum(axis=(1, 2))
    mean = tides.forecast(ahead).mean.sum()
    assert 0.7 < totals.mean() / mean < 1.4
    # Independent noise alone would give 2 %.
    assert totals.std() / totals.mean() > 0.08


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("mean", [0.02, 0.5, 50.0])
def test_scenarios_of_thin_demand_add_up_to_what_is_expected(seed: int, mean: float) -> None:
    random = np.random.default_rng(seed)
    grid = TimeGrid(datetime(2026, 3, 2), HOUR_NS, 24 * 28)
    office = np.where((np.arange(24) >= 9) & (np.arange(24) < 17), 2.0, 0.1)
    demand = random.poisson(mean * np.tile(office, 28)[:, None] * random.lognormal(0, 1, 300)).astype(float)
    tides = fit_tides(grid, demand, calendar=plain_calendar)
    ahead = grid.part(24 * 28, 24 * 29)
    drawn = tides.scenarios(ahead, 40, seed)
    assert drawn.sum() / 40 == pytest.approx(tides.forecast(ahead).mean.sum(), rel=0.1)
    assert (drawn >= 0).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_thin_demand_is_not_left_to_the_last_days(seed: int) -> None:
    # What an absolute error of means would prefer: few of the cells that the last days leave empty stay empty.
    random = np.random.default_rng(seed)
    grid = TimeGrid(datetime(2026, 3, 2), HOUR_NS, 24 * 28)
    truth = 0.05 * random.lognormal(0, 0.5, 400)
    tides = fit_tides(grid, random.poisson(truth, (24 * 28, 400)).astype(float), calendar=plain_calendar)
    weights = dict(tides.record.weights)
    assert weights["recent-days"] + weights["seasonal-naive"] <= 0.2
    mean = tides.forecast(grid.part(24 * 28, 24 * 29)).mean
    assert mean.sum() == pytest.approx(24 * truth.sum(), rel=0.1)
