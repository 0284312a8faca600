"""The loop: brains live through the matrices of a series, and each decision meets the matrix that it was made for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import shortest_path

from router_core.errors import ExchangeRouterError
from router_core.paths.path_set import PathSet
from sim.evaluation.matrix_task import MatrixTask
from sim.evaluation.scores import BrainScores, Evaluation
from sim.evaluation.window import Window
from sim.evaluation.yardstick import optimal_mlus
from strategies.matrix_brain import Clairvoyant, IntervalStarted, MatrixBrain, MatrixObserved, SetShares

SHARE_TOLERANCE: Final = 1e-6
# What the optimum is called in progress reports.
OPTIMUM: Final = "optimum"

Progress = Callable[[str, float], None]


def evaluate(
    task: MatrixTask,
    brains: Sequence[MatrixBrain | Clairvoyant],
    chosen: Window,
    on_progress: Progress = lambda _name, _done: None,
) -> Evaluation:
    """Score brains on the chosen matrices of a task.

    Brains decide at every interval of the window, whether it is scored or not: a sample does not change what they do.

    Parameters
    ----------
    task : MatrixTask
    brains : sequence of MatrixBrain or Clairvoyant
        New ones: they must not have seen any matrix.
    chosen : Window
    on_progress : callable, optional
        Told a brain's name, or "optimum", and what share of its work is done.

    Raises
    ------
    ExchangeRouterError
        If a brain's shares are no shares.
    """
    unconnected = unconnected_pairs(task)
    optimal = optimal_mlus(task, chosen.scored, lambda done: on_progress(OPTIMUM, done))
    scores = []
    for brain in brains:
        decisions = _foreseen(task, brain, chosen) if isinstance(brain, Clairvoyant) else _lived(task, brain, chosen)
        scores.append(_score(task, brain.name, decisions, chosen, optimal, unconnected, on_progress))
    demand = np.zeros(len(unconnected))
    for index in chosen.scored:
        demand += task.demand(index)[unconnected]
    return Evaluation(
        t_utc=task.series.t_utc[chosen.scored],
        brains=tuple(scores),
        without_demand=int((optimal == 0).sum()),
        unconnected={
            task.pair_name(pair): float(amount) / len(chosen.scored)
            for pair, amount in zip(unconnected.tolist(), demand, strict=True)
        },
    )


def unconnected_pairs(task: MatrixTask) -> NDArray[np.intp]:
    """Return the pairs that no path joins, ascending."""
    ends = task.series.directed_lines()[0]
    count = task.series.node_count
    reach = sparse.csr_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(count, count))
    distance = shortest_path(reach, unweighted=True)
    return np.flatnonzero(np.isinf(distance[task.source, task.target]))


def _lived(task: MatrixTask, brain: MatrixBrain, chosen: Window) -> Iterator[SetShares]:
    """Yield what holds in each interval of the window, decided before the interval's matrix is told."""
    commands: list[SetShares] = []
    for index in range(chosen.first):
        commands += brain.handle(_observed(task, index))
    for index in range(chosen.first, chosen.end):
        commands += brain.handle(IntervalStarted(task.begin_ns(index)))
        if not commands:
            raise ExchangeRouterError(f"brain {brain.name}: no shares at the first interval")
        commands = commands[-1:]
        yield commands[0]
        commands += brain.handle(_observed(task, index))


def _foreseen(task: MatrixTask, oracle: Clairvoyant, chosen: Window) -> Iterator[SetShares]:
    """Yield what holds in each interval of the window, decided by its own matrix."""
    for index in range(chosen.first, chosen.end):
        yield oracle.foresee(task.demand(index))


def _observed(task: MatrixTask, index: int) -> MatrixObserved:
    begin_ns = task.begin_ns(index)
    return MatrixObserved(begin_ns + task.interval_ns, begin_ns, task.demand(index))


def _score(
    task: MatrixTask,
    name: str,
    decisions: Iterator[SetShares],
    chosen: Window,
    optimal: NDArray[np.float64],
    unconnected: NDArray[np.intp],
    on_progress: Progress,
) -> BrainScores:
    """Measure a brain's decisions against the matrices they met."""
    row = {int(index): number for number, index in enumerate(chosen.scored)}
    mlu, churn, bound, gap = (np.full(len(row), np.nan) for _ in range(4))
    meter: _Meter | None = None
    before: NDArray[np.float64] | None = None
    for index, decision in enumerate(decisions, chosen.first):
        if meter is None or meter.paths is not decision.paths:
            # The shares of one path set do not compare with those of another: no churn at such a change.
            meter, before = _Meter(task, name, decision.paths, unconnected), None
        meter.check(decision.shares)
        number = row.get(index)
        if number is not None:
            mlu[number] = meter.utilisation(task.demand(index), decision.shares).max(initial=0.0)
            if before is not None:
                churn[number] = meter.churn(before, decision.shares)
            if decision.solved is not None:
                bound[number], gap[number] = decision.solved.lower_bound, decision.solved.gap
            on_progress(name, (index + 1 - chosen.first) / (chosen.end - chosen.first))
        before = decision.shares
    on_progress(name, 1.0)
    return BrainScores(name, mlu, optimal, churn, bound, gap)


class _Meter:
    """Measures shares over one path set; it shares no code with the solvers that it judges."""

    def __init__(self, task: MatrixTask, brain: str, paths: PathSet, unconnected: NDArray[np.intp]) -> None:
        same = np.array_equal(paths.source, task.source) and np.array_equal(paths.target, task.target)
        if not same:
            raise ExchangeRouterError(f"brain {brain}: its paths must be of the pairs of the setting, in their order")
        pathless = np.setdiff1d(paths.unconnected, unconnected)
        if len(pathless):
            raise ExchangeRouterError(f"brain {brain}: {task.pair_name(int(pathless[0]))} is connected but has no path")
        self.paths = paths
        self.connected = np.flatnonzero(np.diff(paths.pair_start))
        self._brain = brain
        self._pair_name = task.pair_name
        # What all of a path's pair adds to each line, were its demand 1.
        path = np.repeat(np.arange(paths.path_count), np.diff(paths.path_start))
        self._per_share = sparse.csr_array(
            (1.0 / task.capacity[paths.path_station], (paths.path_station, path)),
            shape=(len(task.capacity), paths.path_count),
        )

    def check(self, shares: NDArray[np.float64]) -> None:
        """Raise `ExchangeRouterError`, naming brain and pair, unless shares are >= 0 and sum to 1."""
        if shares.shape != (self.paths.path_count,):
            raise ExchangeRouterError(f"brain {self._brain}: shares must be one a path, not {shares.shape}")
        error = np.abs(np.bincount(self.paths.path_pair, shares, self.paths.pair_count)[self.connected] - 1.0)
        wrong = np.concatenate((self.paths.path_pair[~(shares >= 0)], self.connected[~(error <= SHARE_TOLERANCE)]))
        if len(wrong):
            name = self._pair_name(int(wrong[0]))
            raise ExchangeRouterError(f"brain {self._brain}: shares of {name} must not be negative and must sum to 1")

    def utilisation(self, demand: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Utilisation of each line, (S,)."""
        return np.asarray(self._per_share @ (shares * demand[self.paths.path_pair]))

    def churn(self, before: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
        """Mean over connected pairs of half the L1 distance of their shares."""
        return float(np.abs(shares - before).sum()) / 2 / max(len(self.connected), 1)
