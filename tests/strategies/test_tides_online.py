from __future__ import annotations

import numpy as np
import pytest
from made_tides import DAY, made_history

from router_core.randomness import stream
from strategies.tides.fit import fit_tides

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
