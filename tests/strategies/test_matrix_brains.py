"""What every brain over matrices must keep, whatever it does; a new one in the table is held to it."""

from __future__ import annotations

import numpy as np
import pytest
from made_matrices import drawn_series, series_of

from router_core.errors import BadInputError
from router_core.paths.k_shortest import k_shortest
from router_core.splits.split import Split
from sim.evaluation.matrix_task import MatrixTask, matrix_task
from strategies import steady_splits
from strategies.matrix_baselines import EQUAL_PATHS_MAX
from strategies.matrix_brain import (
    Clairvoyant,
    IntervalStarted,
    MatrixObserved,
    MatrixSetting,
    ParticlesReturned,
    ProbingBrain,
    RoundStarted,
    SendOver,
    SetShares,
)
from strategies.registry import MATRIX_BRAINS, make_matrix_brain

SEEDS = range(6)
# By the one call that each contract has.
CALLS = {"handle", "foresee", "probe"}


def setting_of(task: MatrixTask, k: int = 4) -> MatrixSetting:
    return MatrixSetting(k_shortest(task.space, k), task.capacity, 0.001)


def with_call(call: str) -> list[str]:
    """Names of the table whose brains are called like that."""
    setting = setting_of(matrix_task(drawn_series(0)))
    return [name for name in MATRIX_BRAINS if hasattr(make_matrix_brain(name, setting), call)]


TOLD, FORESEEING, PROBING = (with_call(call) for call in ("handle", "foresee", "probe"))


def probed(brain: ProbingBrain, task: MatrixTask, rounds: int = 12) -> list[SetShares]:
    """Every round's shares; its particles bring whatever the dice say, from microseconds to hours, and some nothing."""
    rng = np.random.default_rng(5)
    held: list[SetShares] = []
    result = []
    for number in range(rounds):
        now_ns = number * task.interval_ns
        commands = brain.probe(RoundStarted(now_ns, 10.0 ** rng.integers(0, 12)))
        held += [command for command in commands if isinstance(command, SetShares)]
        result.append(held[-1])
        sent = [command.path for command in commands if isinstance(command, SendOver)]
        path = np.concatenate((np.empty(0, dtype=np.int64), *sent))
        assert ((path >= 0) & (path < held[-1].paths.path_count)).all()
        delay_s = 10.0 ** rng.uniform(-6, 4) * rng.lognormal(0, 1, len(path))
        delay_s[rng.random(len(path)) < 0.2] = np.nan
        assert brain.probe(ParticlesReturned(now_ns + task.interval_ns, path, delay_s)) == []
    return result


def lived(name: str, task: MatrixTask, learned: int = 2) -> list[SetShares]:
    """Every interval's shares of a new brain, or every round's."""
    brain = make_matrix_brain(name, setting_of(task))
    if isinstance(brain, Clairvoyant):
        return [brain.foresee(task.demand(index)) for index in range(len(task.series))]
    if isinstance(brain, ProbingBrain):
        return probed(brain, task)
    held: list[SetShares] = []
    result = []
    for index in range(len(task.series)):
        begin = task.begin_ns(index)
        if index >= learned:
            held += brain.handle(IntervalStarted(begin))
            result.append(held[-1])
        held += brain.handle(MatrixObserved(begin + task.interval_ns, begin, task.demand(index)))
    return result


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", MATRIX_BRAINS)
def test_shares_are_shares(name, seed):
    task = matrix_task(drawn_series(seed))
    for decision in lived(name, task):
        paths = decision.paths
        assert np.array_equal(paths.source, task.source)
        assert np.array_equal(paths.target, task.target)
        assert np.array_equal(paths.unconnected, k_shortest(task.space, 1).unconnected)
        assert (decision.shares >= 0).all()
        total = np.bincount(paths.path_pair, decision.shares, paths.pair_count)
        assert total == pytest.approx((np.diff(paths.pair_start) > 0).astype(float), abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", MATRIX_BRAINS)
def test_equal_events_give_equal_shares(name, seed):
    task = matrix_task(drawn_series(seed))
    first, again = lived(name, task), lived(name, task)
    assert all(np.array_equal(a.shares, b.shares) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", TOLD)
def test_nothing_to_learn_from_is_no_obstacle(name, seed):
    task = matrix_task(drawn_series(seed))
    assert len(lived(name, task, learned=0)) == len(task.series)


@pytest.mark.parametrize("name", TOLD + FORESEEING)
def test_a_pair_without_demand_keeps_its_split(name):
    """Two ways from a to b: 150 fill both, then the pair falls silent while the others go on."""
    demand = np.zeros((6, 3, 3))
    demand[:, 0, 1] = [0, 150, 150, 0, 0, 0]
    demand[:, 2, 1] = [10, 20, 30, 40, 50, 60]
    task = matrix_task(series_of(demand, [(0, 1), (0, 2), (2, 1)], [100, 100, 100]))
    pair = int(np.flatnonzero((task.source == 0) & (task.target == 1))[0])
    last = {
        index: decision.shares[decision.paths.path_pair == pair]
        for index, decision in enumerate(lived(name, task, learned=0))
    }
    assert np.array_equal(last[4], last[5])
    if name == "clairvoyant":
        assert np.array_equal(last[2], last[4])
        assert last[2].min() > 0.2


@pytest.mark.parametrize("name", MATRIX_BRAINS)
def test_brains_are_told_apart_by_what_they_can_be_asked(name):
    """One call each: no other has that by which a matrix is handed over early, and who probes none that takes one."""
    brain = make_matrix_brain(name, setting_of(matrix_task(drawn_series(0))))
    assert brain.name == name
    [call] = [call for call in CALLS if hasattr(brain, call)]
    assert call == {"clairvoyant": "foresee", "probing": "probe"}.get(name, "handle")
    assert isinstance(brain, Clairvoyant) == (call == "foresee")
    assert isinstance(brain, ProbingBrain) == (call == "probe")


class Forgetful:
    """A solver that puts every pair on its last path."""

    def __init__(self, paths, unit_load):
        self.paths = paths

    def solve(self, demand, **options):
        shares = np.zeros(self.paths.path_count)
        shares[self.paths.pair_start[1:] - 1] = 1.0
        return Split(self.paths, shares, 1.0, 1.0, 1, np.empty(0, dtype=np.intp))


def test_a_pair_without_demand_keeps_its_split_whatever_the_solver_does(monkeypatch):
    monkeypatch.setattr(steady_splits, "PeakSolver", Forgetful)
    setting = setting_of(matrix_task(series_of(np.ones((1, 3, 3)), [(0, 1), (0, 2), (2, 1)], [100, 100, 100])))
    paths = setting.paths
    demand = np.ones(paths.pair_count)
    demand[0] = 0.0
    shares = steady_splits.SteadySplits(setting).for_matrix(demand).shares
    assert [np.argmax(shares[paths.path_pair == pair]) for pair in range(paths.pair_count)] == [0] + [1] * 5


@pytest.mark.parametrize("learned", [1, 3])
@pytest.mark.parametrize("seed", SEEDS)
def test_reactive_is_the_clairvoyant_one_interval_late(seed, learned):
    task = matrix_task(drawn_series(seed))
    late, hindsight = lived("reactive", task, learned), lived("clairvoyant", task)
    for index, decision in enumerate(late, learned - 1):
        assert decision.solved is not None
        assert hindsight[index].solved is not None
        assert decision.solved.objective == pytest.approx(hindsight[index].solved.objective, rel=2e-3)


def test_ecmp_spreads_evenly_over_the_cheapest_ways_and_shortest_path_takes_one():
    """From a to b: two lines side by side, and a way over c that costs more."""
    links = [(0, 1), (0, 1), (0, 2), (2, 1)]
    task = matrix_task(series_of(np.ones((1, 3, 3)), links, [100, 100, 100, 100]))
    pair = int(np.flatnonzero((task.source == 0) & (task.target == 1))[0])
    [even], [single] = lived("ecmp", task, learned=0), lived("shortest-path", task, learned=0)
    of_pair = even.shares[even.paths.path_pair == pair]
    assert sorted(of_pair[of_pair > 0]) == [0.5, 0.5]
    used = [even.paths.stations(path) for path in np.flatnonzero(even.paths.path_pair == pair) if even.shares[path]]
    assert sorted(used) == [(0,), (1,)]
    assert single.paths.paths_of(pair) in ([(0,)], [(1,)])


def test_ecmp_keeps_so_many_ways_at_most():
    lines = EQUAL_PATHS_MAX + 3
    task = matrix_task(series_of(np.ones((1, 2, 2)), [(0, 1)] * lines, [100] * lines, directed=True))
    [even] = lived("ecmp", task, learned=0)
    assert even.shares.tolist() == [1 / EQUAL_PATHS_MAX] * EQUAL_PATHS_MAX


def test_an_unknown_name_and_a_setting_that_makes_no_sense_are_refused():
    task = matrix_task(drawn_series(0))
    with pytest.raises(BadInputError, match="best"):
        make_matrix_brain("best", setting_of(task))
    paths = k_shortest(task.space, 2)
    with pytest.raises(BadInputError, match="capacity"):
        MatrixSetting(paths, task.capacity[1:], 0.01)
    for gap in (0.0, 1.0, float("nan")):
        with pytest.raises(BadInputError, match="gap"):
            MatrixSetting(paths, task.capacity, gap)
