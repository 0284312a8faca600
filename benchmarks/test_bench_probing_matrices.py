"""`probing` over measured matrices: ten rounds each, 5 % noise, 1 % lost, scaled so that every optimum is 0.7.

Beside it, in the same rounds, what is plainly done: all pairs jump to the path of least delay, or move a tenth a round.
Constants were chosen on Abilene's first two days, on GEANT from 2005-01-15 and from 2005-02-05 on (less than a day
each), and on drawn networks; none of these is reported here.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from measured import median_s
from numpy.typing import NDArray
from peers.greedy_probing import GreedyProbing
from pytest_benchmark.fixture import BenchmarkFixture
from threadpoolctl import threadpool_limits

from sim.evaluation.evaluate import evaluate
from sim.evaluation.matrix_task import MatrixTask, matrix_task
from sim.evaluation.path_choice import named_paths
from sim.evaluation.rounds import ProbeRounds
from sim.evaluation.scores import ROUND_FIGURES, BrainScores
from sim.evaluation.window import window
from strategies.matrix_brain import MatrixSetting, ProbeCommand, ProbeEvent, ProbingBrain, RoundStarted
from strategies.registry import make_matrix_brain
from traces.matrices import read_series

SAMPLE = Path(__file__).parents[1] / "traces" / "samples" / "made-matrices.npz"
EVERY = 5
PATHS = "survivable-8"
SCALE = 0.7
DAYS = np.timedelta64(5, "D")
# Changes that nothing announces: so many matrices from all over the window, one after the other.
DISTANT = 12
DISTANT_ROUNDS = 20
pytestmark = pytest.mark.benchmark(timer=time.process_time)


@dataclass(frozen=True)
class Case:
    """A goal: a file, a rate for all lines, and what the mean ratio should be."""

    goal: str
    file: str
    rate: float | None
    target: float


CASES = (
    Case("abilene", "abilene/abilene_2004-03-01_07.npz", None, 1.05),
    Case("geant", "geant/geant_2005-01_02.npz", None, 1.05),
    Case("geant_u", "geant/geant_2005-01_02.npz", 10_000.0, 1.10),
)


class Timed:
    """A brain and how long each of its rounds took."""

    def __init__(self, brain: ProbingBrain) -> None:
        self.name = brain.name
        self._brain = brain
        self._spent = 0.0
        self.seconds: list[float] = []

    def probe(self, event: ProbeEvent) -> list[ProbeCommand]:
        """Pass the event on."""
        begun = time.process_time()
        commands = self._brain.probe(event)
        self._spent += time.process_time() - begun
        if isinstance(event, RoundStarted):
            self.seconds.append(self._spent)
            self._spent = 0.0
        return commands


def lived(
    task: MatrixTask, begin: np.datetime64, every: int, rounds: int, setting: MatrixSetting
) -> tuple[list[BrainScores], Timed]:
    """Let ours and the peers live through the same rounds."""
    ours = make_matrix_brain("probing", setting)
    assert isinstance(ours, ProbingBrain)
    timed = Timed(ours)
    chosen = window(task.series.t_utc, begin, every=every)
    brains: list[ProbingBrain] = [timed, GreedyProbing(setting, 1.0), GreedyProbing(setting, 0.1)]
    with threadpool_limits(1):
        found = evaluate(task, brains, chosen, probes=ProbeRounds(rounds), scale_optimum=SCALE)
    return list(found.brains), timed


def setting_of(task: MatrixTask) -> MatrixSetting:
    return MatrixSetting(named_paths(PATHS, task.space, task.capacity), task.capacity, 0.001)


def figures(scores: BrainScores) -> dict[str, float]:
    """Means over the matrices; of the rounds, also without the first, and without a matrix's first half."""
    assert scores.rounds is not None
    ratio: NDArray[np.float64] = scores.rounds.ratio
    return {
        "mean": float(scores.ratio.mean()),
        "p95": float(np.quantile(scores.ratio, 0.95)),
        "max": float(scores.ratio.max()),
        "first_round": float(ratio[:, 0].mean()),
        "later_rounds": float(ratio[:, 1:].mean()),
        "last_round": float(ratio[:, -1].mean()),
        "second_half_std": float(ratio[:, ratio.shape[1] // 2 :].std(axis=1).mean()),
        "churn": float(np.nanmean(scores.churn)),
        **{name: float(np.nanmean(scores.figure(name))) for name in ROUND_FIGURES},
    }


def report(benchmark: BenchmarkFixture, found: list[BrainScores], timed: Timed, **more: Any) -> None:
    ours, *peers = found
    told = {peer.brain: figures(peer) for peer in peers}
    own = figures(ours)
    benchmark.extra_info |= {
        "value": own["mean"],
        **own,
        "peers": told,
        "ratio": {name: peer["mean"] / own["mean"] for name, peer in told.items()},
        "matrices": len(ours.mlu),
        "round_ms_median": 1e3 * float(np.median(timed.seconds)),
        "round_ms_p99": 1e3 * float(np.quantile(timed.seconds, 0.99)),
        "seconds": median_s(benchmark),
        **more,
    }


def task_of(case: Case) -> tuple[MatrixTask, np.datetime64]:
    """Return a case's task and the begin of its last five days."""
    path = Path(os.environ.get("EXCHANGE_DATA", Path(__file__).parents[2] / "shared" / "data")) / case.file
    if not path.exists():
        pytest.skip(f"published data is not at {path}: set EXCHANGE_DATA")
    task = matrix_task(read_series(path), capacity_mbps=case.rate)
    return task, task.series.t_utc[-1] - DAYS + np.timedelta64(task.interval_ns // 10**9, "s")


@pytest.mark.heavy
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.goal}-")
def test_probing(benchmark: BenchmarkFixture, case: Case) -> None:
    task, begin = task_of(case)
    setting = setting_of(task)
    found, timed = benchmark.pedantic(lambda: lived(task, begin, EVERY, 10, setting), rounds=1)
    assert (found[0].ratio >= 1 - 1e-6).all()
    assert found[0].ratio.mean() <= case.target
    assert all(found[0].ratio.mean() < peer.ratio.mean() for peer in found[1:])
    assert np.nanmax(found[0].figure("probe_share")) <= 0.005
    # As a first round would be by a brain that was told the whole matrix before: what the change itself costs.
    [told] = evaluate(
        task, [make_matrix_brain("reactive", setting)], window(task.series.t_utc, begin, every=EVERY)
    ).brains
    report(
        benchmark, found, timed, goal=f"probing.{case.goal}", target=case.target, told_before=float(told.ratio.mean())
    )  # fmt: skip


@pytest.mark.heavy
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.goal}-")
def test_probing_changes(benchmark: BenchmarkFixture, case: Case) -> None:
    """From one matrix to another of another day and hour, without a word."""
    task, begin = task_of(case)
    first = int(np.searchsorted(task.series.t_utc, begin))
    places = np.linspace(first, len(task.series) - 1, DISTANT).astype(int)
    # Half the window lies between neighbours.
    places = places.reshape(2, -1).T.reshape(-1)
    series = replace(
        task.series, demand_mbps=task.series.demand_mbps[places], t_utc=task.series.t_utc[first : first + DISTANT]
    )
    apart = matrix_task(series, capacity_mbps=case.rate)
    setting = setting_of(apart)
    found, timed = benchmark.pedantic(
        lambda: lived(apart, series.t_utc[0], 1, DISTANT_ROUNDS, setting), rounds=1
    )  # fmt: skip
    rounds = found[0].rounds
    assert rounds is not None
    assert (rounds.ratio[1:, -1] <= 1.10).all()
    report(
        benchmark,
        found,
        timed,
        goal=f"probing.change.{case.goal}",
        target=None,
        rounds_until_settled_max=float(rounds.rounds_until_settled.max()),
        rounds_until_near_each=rounds.rounds_until_near.tolist(),
    )


def test_probing_small(benchmark: BenchmarkFixture) -> None:
    """A day of the bundled sample."""
    task = matrix_task(read_series(SAMPLE))
    setting = setting_of(task)
    begin = task.series.t_utc[0] + np.timedelta64(2, "D")
    found, timed = benchmark.pedantic(lambda: lived(task, begin, EVERY, 10, setting), rounds=1)
    ours, jump, tenth = (scores.ratio.mean() for scores in found)
    assert 1 - 1e-6 <= ours <= 1.05
    assert ours < min(jump, tenth)
    report(benchmark, found, timed, goal="probing.small", target=1.05)
