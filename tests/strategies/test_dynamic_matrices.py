"""`dynamic` over matrices: what it may know, what it does where little is known, surges, and what is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_matrices import SAMPLE, drawn_series, series_of

from router_core.paths.k_shortest import k_shortest
from router_core.units import DAY_NS
from sim.evaluation.evaluate import evaluate
from sim.evaluation.matrix_task import MatrixTask, matrix_task
from sim.evaluation.window import window
from strategies.dynamic.matrix_dynamic import MatrixDynamicBrain
from strategies.dynamic.matrix_jumps import NodeSides
from strategies.dynamic.matrix_outlook import ERRORS, MIXED, WHOLE, MatrixOutlook
from strategies.matrix_brain import IntervalStarted, MatrixObserved, MatrixSetting
from strategies.registry import make_matrix_brain
from traces.matrices import MatrixSeries, read_series

SEEDS = range(4)
MINUTES = 15
STEP_NS = MINUTES * 60 * 10**9
A_DAY = DAY_NS // STEP_NS
# Two ways from 0 to 3, over 1 and over 2, and back.
RING = [(0, 1), (1, 3), (0, 2), (2, 3), (3, 1), (1, 0), (3, 2), (2, 0)]


def setting_of(task: MatrixTask) -> MatrixSetting:
    return MatrixSetting(k_shortest(task.space, 4), task.capacity, 0.001)


def ringed(demand: np.ndarray) -> MatrixSeries:
    """Matrices (T, 4, 4), one every 15 minutes from a midnight on."""
    series = series_of(demand, RING, [100] * len(RING))
    step = np.timedelta64(MINUTES, "m")
    return replace(series, t_utc=np.datetime64("2026-03-02", "s") + np.arange(len(series)) * step)


def noisy(seed: int, steps: int, spread: float = 0.1) -> np.ndarray:
    """Demand of all pairs of four nodes around 10, in time."""
    rng = np.random.default_rng(seed)
    return 10 * np.exp(spread * rng.standard_normal((steps, 4, 4))) * (1 - np.eye(4))


def lived(series: MatrixSeries) -> tuple[list[np.ndarray], MatrixDynamicBrain]:
    """Shares of every interval."""
    task = matrix_task(series)
    brain = MatrixDynamicBrain(setting_of(task))
    result = []
    for index in range(len(series)):
        begin = task.begin_ns(index)
        [command] = brain.handle(IntervalStarted(begin))
        sums = np.bincount(command.paths.path_pair, command.shares, command.paths.pair_count)
        joined = np.diff(command.paths.pair_start) > 0
        assert (command.shares >= 0).all()
        assert np.allclose(sums[joined], 1)
        result.append(command.shares)
        assert brain.handle(MatrixObserved(begin + task.interval_ns, begin, task.demand(index))) == []
    return result, brain


def observed(demand: np.ndarray) -> MatrixOutlook:
    """Return what has seen these matrices, one every 15 minutes from 1970 on."""
    source, target = np.nonzero(1 - np.eye(demand.shape[1]))
    outlook = MatrixOutlook(source, target, demand.shape[1])
    for index, matrix in enumerate(demand):
        outlook.observe(MatrixObserved((index + 1) * STEP_NS, index * STEP_NS, matrix[source, target]))
    return outlook


def moved(before: np.ndarray, after: np.ndarray) -> float:
    return float(np.abs(after - before).sum() / 2)


@pytest.mark.parametrize("now", [1, 5, 12])
@pytest.mark.parametrize("seed", SEEDS)
def test_an_interval_depends_on_nothing_of_itself_or_later(seed, now):
    series = drawn_series(seed, steps=16)
    demand = series.demand_mbps.copy()
    demand[now:] = demand[now:][::-1] * 3 + 7 * (demand[now:] > 0)
    told, sham = lived(series)[0], lived(replace(series, demand_mbps=demand))[0]
    assert all(np.array_equal(a, b) for a, b in zip(told[: now + 1], sham[: now + 1], strict=True))


def test_the_next_interval_does_notice():
    """Or the test above could not fail."""
    demand = noisy(0, 8)
    other = demand.copy()
    other[5, 0, 3] = 60
    told, sham = lived(ringed(demand))[0], lived(ringed(other))[0]
    assert np.array_equal(told[5], sham[5])
    assert moved(told[6], sham[6]) > 0.01


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_again_and_in_any_unit(seed):
    series = drawn_series(seed, steps=12)
    base = lived(series)[0]
    assert all(np.array_equal(a, b) for a, b in zip(base, lived(series)[0], strict=True))
    # A power of two changes no digit.
    scaled = replace(series, demand_mbps=series.demand_mbps * 2.0**20)
    assert all(np.allclose(a, b, atol=1e-9) for a, b in zip(base, lived(scaled)[0], strict=True))


@pytest.mark.parametrize("kind", ["one", "empty", "then empty", "zero pair", "unconnected", "pause"])
def test_shares_are_shares_where_little_is_known(kind):
    demand = noisy(1, 8)
    if kind == "one":
        demand = demand[:1]
    if kind == "empty":
        demand[:] = 0
    if kind == "then empty":
        demand[3:6] = 0
    if kind == "zero pair":
        demand[:, 0, 3] = 0
    series = ringed(demand)
    if kind == "pause":
        times = series.t_utc.copy()
        times[4:] += np.timedelta64(20, "D")
        series = replace(series, t_utc=times)
    if kind == "unconnected":
        series = series_of(demand, RING[:4], [100] * 4)
    shares, _ = lived(series)
    if kind == "empty":
        assert all(np.array_equal(one, shares[0]) for one in shares)
    if kind == "zero pair":
        paths = setting_of(matrix_task(series)).paths
        own = paths.path_pair == np.flatnonzero((paths.source == 0) & (paths.target == 3))[0]
        assert all(np.array_equal(one[own], shares[0][own]) for one in shares)


def test_nothing_known_is_the_split_for_equal_demand():
    task = matrix_task(series_of(np.ones((1, 3, 3)), [(0, 1), (0, 2), (2, 1)], [100, 100, 100]))
    [command] = MatrixDynamicBrain(setting_of(task)).handle(IntervalStarted(task.begin_ns(0)))
    assert command.solved is not None
    assert command.solved.objective == pytest.approx(0.01, rel=0.01)


def test_constant_demand_is_constant_shares():
    shares, brain = lived(ringed(np.repeat(noisy(2, 1, 0.5), 12, axis=0)))
    assert all(np.array_equal(one, shares[2]) for one in shares[2:])
    assert not brain.jumps


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_is_no_surge(seed):
    assert not observed(noisy(seed, 192, 0.2)).jumps


@pytest.mark.parametrize("seed", SEEDS)
def test_a_doubled_spike_is_soon_forgotten(seed):
    """Three intervals later shares are where they would have been but for what noise moves anyway."""
    demand = noisy(seed, 24, 0.02)
    spiked = demand.copy()
    spiked[14, 0, 3] *= 2
    told, _ = lived(ringed(demand))
    sham, brain = lived(ringed(spiked))
    assert not brain.jumps
    paths = setting_of(matrix_task(ringed(demand))).paths
    worst = 0.0
    for index in range(17, 24):
        pair_demand = demand[index][paths.source, paths.target]
        peaks = []
        for shares in (told[index], sham[index]):
            unit = shares * pair_demand[paths.path_pair]
            length = np.diff(paths.path_start)
            peaks.append(np.bincount(paths.path_station, np.repeat(unit, length)).max())
        worst = max(worst, peaks[1] / peaks[0])
    assert worst < 1.03


@pytest.mark.parametrize("sends", [True, False], ids=["sends", "receives"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_surge_is_found_at_once_and_so_is_its_end(seed, sends):
    demand = noisy(seed, 60)
    node = seed % 4
    part = (slice(40, 50), node) if sends else (slice(40, 50), slice(None), node)
    demand[part] *= 4
    begin, end = observed(demand).jumps
    for jump, index in ((begin, 40), (end, 50)):
        assert (jump.node, jump.sends) == (node, sends)
        assert (jump.begin_ns, jump.found_ns) == (index * STEP_NS, (index + 1) * STEP_NS)
    assert 3 < begin.factor < 5.5
    assert 0.18 < end.factor < 0.34


@pytest.mark.parametrize("seed", SEEDS)
def test_scenarios_are_those_of_the_surge_with_the_first_matrix_that_shows_it(seed):
    """A level that only follows the newest matrix would expect three quarters of the surge, and twice its end."""
    demand = noisy(seed, 60)
    demand[40:50, 1] *= 4
    source, target = np.nonzero(1 - np.eye(4))
    outlook = MatrixOutlook(source, target, 4)
    for index in range(60):
        found = outlook.scenarios(index * STEP_NS)
        if index in (41, 45, 51, 55):
            expected = 40.0 if index < 50 else 10.0
            of_node = found[:, source == 1].mean()
            assert abs(of_node / expected - 1) < 0.15
            assert abs(found[:, source != 1].mean() / 10 - 1) < 0.1
        outlook.observe(MatrixObserved((index + 1) * STEP_NS, index * STEP_NS, demand[index][source, target]))


def test_a_tide_of_the_clock_is_a_surge_only_until_it_is_known():
    """A nightly fourfold load: found on the first two days, foreseen from the third on."""
    demand = noisy(5, 5 * A_DAY, 0.05)
    at = np.arange(len(demand)) % A_DAY
    demand[(at >= 8) & (at < 16), 2] *= 4
    source, target = np.nonzero(1 - np.eye(4))
    outlook = MatrixOutlook(source, target, 4)
    foreseen = []
    for index, matrix in enumerate(demand):
        found = outlook.scenarios(index * STEP_NS)
        if index % A_DAY == 8:
            foreseen.append(found[:, source == 2].mean() / 10)
        outlook.observe(MatrixObserved((index + 1) * STEP_NS, index * STEP_NS, matrix[source, target]))
    assert [jump.begin_ns // DAY_NS for jump in outlook.jumps] == [0, 0, 1, 1]
    assert max(foreseen[:2]) < 1.3
    assert min(foreseen[2:]) > 3.5


def test_a_tide_that_stays_away_is_seen_to():
    demand = noisy(5, 4 * A_DAY, 0.05)
    at, day = np.arange(len(demand)) % A_DAY, np.arange(len(demand)) // A_DAY
    demand[(at >= 8) & (at < 16) & (day < 3), 2] *= 4
    source, target = np.nonzero(1 - np.eye(4))
    outlook = MatrixOutlook(source, target, 4)
    for index, matrix in enumerate(demand):
        outlook.observe(MatrixObserved((index + 1) * STEP_NS, index * STEP_NS, matrix[source, target]))
        if index == 3 * A_DAY + 8:
            after = outlook.scenarios((index + 1) * STEP_NS)
    assert outlook.jumps[4].begin_ns == 3 * DAY_NS + 8 * STEP_NS
    assert outlook.jumps[4].factor < 0.4
    assert after[:, source == 2].mean() < 15


def test_errors_are_remembered_whole_and_mixed():
    outlook = observed(noisy(3, ERRORS + 5))
    found = outlook.scenarios((ERRORS + 5) * STEP_NS)
    assert found.shape == (WHOLE + MIXED, 12)
    assert len(np.unique(found[:, 0])) >= WHOLE
    # What moves together stays together in the first half.
    both = np.random.default_rng(1).lognormal(0, 0.3, ERRORS)
    source, target = np.nonzero(1 - np.eye(4))
    outlook = MatrixOutlook(source, target, 4)
    for index, factor in enumerate(both):
        demand = np.full(12, 10.0)
        demand[:6] *= factor
        outlook.observe(MatrixObserved((index + 1) * STEP_NS, index * STEP_NS, demand))
    found = outlook.scenarios(ERRORS * STEP_NS)
    assert np.corrcoef(found[:WHOLE, 0], found[:WHOLE, 1])[0, 1] > 0.99
    assert abs(np.corrcoef(found[WHOLE:, 0], found[WHOLE:, 1])[0, 1]) < 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_shift_is_the_weighted_median_and_no_pair_alone(seed):
    rng = np.random.default_rng(seed)
    source, target = np.nonzero(1 - np.eye(5))
    sides = NodeSides(source, target, 5)
    error, weight = rng.standard_normal(20), rng.integers(0, 4, 20).astype(np.float64)
    shift = sides.shift(error, weight)
    for side in range(10):
        own = source == side if side < 5 else target == side - 5
        long = np.sort(np.repeat(error[own], weight[own].astype(int)))
        assert shift[side] == (long[(len(long) - 1) // 2] if len(long) else 0.0)


@pytest.mark.parametrize("seed", SEEDS)
def test_carried_demand_has_the_totals_of_the_chosen_sides(seed):
    rng = np.random.default_rng(seed)
    source, target = np.nonzero(1 - np.eye(5))
    sides = NodeSides(source, target, 5)
    demand, goal = rng.lognormal(size=20), rng.lognormal(size=20)
    chosen = np.zeros(10, dtype=bool)
    chosen[[0, 5, 6]] = True
    found = sides.carried(demand, chosen, sides.total(goal))
    assert np.allclose(sides.total(found)[chosen], sides.total(goal)[chosen], rtol=1e-3)
    others = (source != 0) & (target != 0) & (target != 1)
    assert np.array_equal(found[others], demand[others])


def test_the_sample_is_routed_better_than_by_the_last_matrix():
    series = read_series(SAMPLE)
    task = matrix_task(series)
    setting = setting_of(task)
    brains = [make_matrix_brain(name, setting) for name in ("dynamic", "reactive", "ecmp")]
    dynamic, reactive, even = evaluate(task, brains, window(series.t_utc, series.t_utc[48], every=2)).brains
    assert dynamic.ratio.mean() < reactive.ratio.mean()
    assert dynamic.ratio.mean() < even.ratio.mean()
    assert np.nanmean(dynamic.churn) < 0.2
