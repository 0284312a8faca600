"""`static` over matrices: what it may know, what it does where little is known, and that its set is the likely one."""

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
from strategies.matrix_brain import IntervalStarted, MatrixObserved, MatrixSetting
from strategies.registry import make_matrix_brain
from strategies.static import matrix_plan
from strategies.static.matrix_past import HOUR_NS, HOURS, KEPT_MAX, PastDay, weekend
from strategies.static.matrix_plan import SLOT_H, MatrixStaticBrain
from strategies.static.matrix_scenarios import MATRICES_MAX, day_scenarios
from traces.matrices import MatrixSeries, read_series

SEEDS = range(4)
STEPS_A_DAY = 6


def setting_of(task: MatrixTask) -> MatrixSetting:
    return MatrixSetting(k_shortest(task.space, 4), task.capacity, 0.001)


def lived(series: MatrixSeries) -> list[np.ndarray]:
    """Shares of every interval."""
    task = matrix_task(series)
    brain = MatrixStaticBrain(setting_of(task))
    held, result = [], []
    for index in range(len(series)):
        begin = task.begin_ns(index)
        held += brain.handle(IntervalStarted(begin))
        result.append(held[-1].shares)
        assert np.isfinite(result[-1]).all()
        brain.handle(MatrixObserved(begin + task.interval_ns, begin, task.demand(index)))
    return result


def days_of(seed: int, days: int = 4) -> MatrixSeries:
    """A drawn series with a matrix every four hours."""
    series = drawn_series(seed, steps=days * STEPS_A_DAY)
    step = np.timedelta64(24 // STEPS_A_DAY, "h")
    return replace(series, t_utc=series.t_utc[0] + np.arange(len(series)) * step)


def past_day(number: int, demand: np.ndarray) -> PastDay:
    day = PastDay(number)
    for place, matrix in enumerate(demand):
        day.add(number * DAY_NS + place * DAY_NS // len(demand), matrix)
    return day


@pytest.mark.parametrize("day", [1, 2, 3])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_depends_on_nothing_of_itself_or_later(seed, day):
    series = days_of(seed)
    demand = series.demand_mbps.copy()
    demand[day * STEPS_A_DAY :] = demand[day * STEPS_A_DAY :][::-1] * 3 + 7
    told, sham = lived(series), lived(replace(series, demand_mbps=demand))
    end = (day + 1) * STEPS_A_DAY
    assert all(np.array_equal(a, b) for a, b in zip(told[:end], sham[:end], strict=True))


def test_the_next_day_does_notice():
    """Or the test above could not fail."""
    series = days_of(1)
    demand = series.demand_mbps.copy()
    demand[STEPS_A_DAY:] = demand[STEPS_A_DAY:][::-1] * 3 + 7
    told, sham = lived(series)[2 * STEPS_A_DAY :], lived(replace(series, demand_mbps=demand))[2 * STEPS_A_DAY :]
    assert not any(np.array_equal(a, b) for a, b in zip(told, sham, strict=True))


def test_an_interval_that_ends_within_the_day_is_not_of_the_past():
    """Matrices of five hours: the one that midnight cuts ends after the day began."""
    series = replace(days_of(1, 2), t_utc=days_of(1, 2).t_utc[0] + np.arange(12) * np.timedelta64(5, "h"))
    assert (series.t_utc[4] - series.t_utc[0]).astype("timedelta64[h]").astype(int) == 20
    demand = series.demand_mbps.copy()
    demand[4] = demand[4] * 9 + np.arange(series.node_count)
    told, sham = lived(series), lived(replace(series, demand_mbps=demand))
    assert all(np.array_equal(a, b) for a, b in zip(told[:10], sham[:10], strict=True))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_set_holds_whole_matrices_and_moves_them_by_the_time_of_day(seed):
    """A pair that is twenty times as busy in one half of each day is so in the set; one without a course stays."""
    rng = np.random.default_rng(seed)
    course = np.where(np.arange(24) < 12, 20.0, 1.0)
    days = []
    for number in range(3):
        demand = np.stack([course, np.full(24, 5.0), np.zeros(24), rng.lognormal(0, 1, 24)], axis=1)
        days.append(past_day(number, demand * rng.lognormal(0, 0.05, (24, 4))))
    likely = day_scenarios(days, days[-1].number + 1)
    assert likely is not None
    assert likely.belief[0] > 0.95
    assert likely.belief[2] == 0
    assert likely.belief[3] < likely.belief[0]
    raw = np.concatenate([day.demand for day in days])
    assert all((row == raw).all(axis=1).any() for row in likely.demand)
    early, late = likely.at(slice(4, 6)), likely.at(slice(18, 20))
    quiet = likely.hour > 14
    assert np.median(early[quiet, 0]) > 2.5 * np.median(late[quiet, 0])
    assert early[:, 1] == pytest.approx(late[:, 1], rel=0.1)
    assert not early[:, 2].any()


def test_later_days_weigh_more_and_no_day_has_more_matrices():
    days = [past_day(number, np.ones((48, 2))) for number in (0, 4, 6)]
    likely = day_scenarios(days, days[-1].number + 1)
    assert likely is not None
    assert (np.unique(likely.weight) / likely.weight.max()).tolist() == [0.125, 0.5, 1.0]
    assert len(likely.demand) <= MATRICES_MAX
    week = day_scenarios([past_day(number, np.ones((288, 2))) for number in range(7)], 7)
    assert week is not None
    assert MATRICES_MAX - 7 <= len(week.demand) <= MATRICES_MAX
    assert set(range(HOURS)) == set(week.hour.tolist())


def test_a_day_of_many_matrices_keeps_some_from_all_hours():
    day = PastDay(0)
    for second in range(0, 86_400, 10):
        day.add(second * 10**9, np.array([1.0]))
    assert KEPT_MAX / 2 <= len(day.hour) <= KEPT_MAX
    assert np.diff(day.hour) == pytest.approx(np.diff(day.hour)[0])
    assert day.hour[-1] > 23.9


def test_hours_without_matrices_have_the_mean():
    """Two days that were measured in the morning alone."""
    mornings = []
    for number in range(2):
        day = PastDay(number)
        for hour in range(4):
            day.add(number * DAY_NS + hour * HOUR_NS, np.array([2.0, 0.0]))
        mornings.append(day)
    likely = day_scenarios(mornings, mornings[-1].number + 1)
    assert likely is not None
    assert likely.at(slice(20, 22)) == pytest.approx(likely.demand)


def test_two_busy_hours_get_two_splits():
    """Days alike: a to b may spread over c while c is idle, the first half of a day, and hardly in the other."""
    demand = np.zeros((4 * 24, 3, 3))
    night = np.tile(np.arange(24) < 12, 4)
    demand[:, 0, 1] = 100
    demand[:, 2, 1] = np.where(night, 1, 90)
    series = series_of(demand, [(0, 1), (0, 2), (2, 1)], [100, 100, 100], directed=True)
    series = replace(series, t_utc=series.t_utc[0] + np.arange(len(series)) * np.timedelta64(1, "h"))
    task = matrix_task(series)
    found = evaluate(task, [MatrixStaticBrain(setting_of(task))], window(series.t_utc, series.t_utc[48]))
    ratio = found.brains[0].ratio.reshape(2, 24)
    assert ratio[:, 2:8].mean() < 1.12
    assert ratio[:, 14:22].mean() < 1.2  # one split for both halves: 1.45
    assert np.nanmax(found.brains[0].churn) > 0.02


@pytest.mark.parametrize("kind", ["constant", "zero", "zero then some", "days missing", "new pair"])
@pytest.mark.parametrize("seed", SEEDS)
def test_where_little_is_known_shares_are_shares(kind, seed):
    series = days_of(seed)
    demand, times = series.demand_mbps.copy(), series.t_utc.copy()
    if kind == "constant":
        demand[:] = demand[0]
    elif kind == "zero":
        demand[:] = 0
    elif kind == "zero then some":
        demand[: 2 * STEPS_A_DAY] = 0
    elif kind == "days missing":
        times[STEPS_A_DAY + 2 :] += np.timedelta64(40, "D")
    else:
        demand[: 2 * STEPS_A_DAY, 0, 1] = 0
    shares = lived(replace(series, demand_mbps=demand, t_utc=times))
    if kind == "constant":
        last = shares[2 * STEPS_A_DAY :]
        assert max(np.abs(a - last[0]).max() for a in last) < 0.5
    if kind == "zero":
        assert all(np.array_equal(one, shares[0]) for one in shares)


def test_nothing_to_learn_from_is_the_split_for_equal_demand():
    series = series_of(np.ones((1, 3, 3)), [(0, 1), (0, 2), (2, 1)], [100, 100, 100])
    task = matrix_task(series)
    brain = MatrixStaticBrain(setting_of(task))
    [command] = brain.handle(IntervalStarted(task.begin_ns(0)))
    assert command.solved is not None
    assert command.solved.objective == pytest.approx(0.01, rel=0.01)
    assert brain.handle(IntervalStarted(task.begin_ns(0) + 1)) == []


def test_a_slot_has_one_split():
    series = days_of(2, 3)
    series = replace(series, t_utc=series.t_utc[0] + np.arange(len(series)) * np.timedelta64(1, "h") * 3)
    task = matrix_task(series)
    brain = MatrixStaticBrain(setting_of(task))
    told = [len(brain.handle(IntervalStarted(minute * 60 * 10**9))) for minute in range(0, 24 * 60, 30)]
    assert sum(told) == 24 // SLOT_H


def test_the_sample_is_routed_better_than_by_the_shortest_path():
    series = read_series(SAMPLE)
    task = matrix_task(series)
    setting = setting_of(task)
    brains = [make_matrix_brain(name, setting) for name in ("static", "ecmp", "clairvoyant")]
    static, even, best = evaluate(task, brains, window(series.t_utc, series.t_utc[48], every=3)).brains
    assert best.ratio.mean() - 1e-3 <= static.ratio.mean() < 1 + 0.4 * (even.ratio.mean() - 1)


def test_days_that_are_forgotten_do_not_count(monkeypatch):
    """With one day remembered, an earlier one may have been anything."""
    monkeypatch.setattr(matrix_plan, "DAYS_MAX", 1)
    series = days_of(3, 3)
    task = matrix_task(series)
    sets = []
    for factor in (1, 5):
        demand = series.demand_mbps.copy()
        demand[:STEPS_A_DAY] *= factor
        brain = MatrixStaticBrain(setting_of(task))
        told = matrix_task(replace(series, demand_mbps=demand))
        for index in range(2 * STEPS_A_DAY):
            begin = task.begin_ns(index)
            brain.handle(MatrixObserved(begin + task.interval_ns, begin, told.demand(index)))
        [command] = brain.handle(IntervalStarted(task.begin_ns(2 * STEPS_A_DAY)))
        sets.append(command.shares)
    assert np.array_equal(*sets)


def test_weekends_are_saturdays_and_sundays() -> None:
    first = np.datetime64("1970-01-01")
    for day in np.arange("2004-02-25", "2004-03-10", dtype="datetime64[D]"):
        assert weekend(int((day - first).astype(int))) == (day.astype(object).weekday() >= 5)


def test_a_weekend_is_planned_from_weekends_first() -> None:
    days = []
    for number in range(4, 9):  # Monday to Friday, 1970-01-05 and on
        day = PastDay(number)
        day.add(number * DAY_NS, np.ones(2))
        days.append(day)
    saturday = PastDay(9)
    saturday.add(9 * DAY_NS, np.full(2, 5.0))
    alike = day_scenarios([*days, saturday], 10)
    other = day_scenarios([*days, saturday], 11)
    assert alike is not None
    assert other is not None
    share = [of.weight[of.demand[:, 0] == 5.0].sum() / of.weight.sum() for of in (alike, other)]
    assert share[0] > 1.5 * share[1]
