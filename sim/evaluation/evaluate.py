"""The loop: brains live through the matrices of a series, and each decision meets the matrix that it was made for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import shortest_path

from router_core.errors import BadInputError, ExchangeRouterError
from sim.evaluation.matrix_task import MatrixTask
from sim.evaluation.meter import Meter
from sim.evaluation.rounds import ProbeRounds, score_rounds
from sim.evaluation.scores import BrainScores, Evaluation
from sim.evaluation.window import Window
from sim.evaluation.yardstick import optimal_mlus
from strategies.matrix_brain import Clairvoyant, IntervalStarted, MatrixBrain, MatrixObserved, ProbingBrain, SetShares

# What the optimum is called in progress reports.
OPTIMUM: Final = "optimum"

Progress = Callable[[str, float], None]


def evaluate(
    task: MatrixTask,
    brains: Sequence[MatrixBrain | Clairvoyant | ProbingBrain],
    chosen: Window,
    on_progress: Progress = lambda _name, _done: None,
    *,
    probes: ProbeRounds | None = None,
    scale_optimum: float | None = None,
) -> Evaluation:
    """Score brains on the chosen matrices of a task.

    Brains decide at every interval of the window, whether it is scored or not: a sample does not change what they do.

    Parameters
    ----------
    task : MatrixTask
    brains : sequence of MatrixBrain, Clairvoyant or ProbingBrain
        New ones: they must not have seen any matrix.
    chosen : Window
    on_progress : callable, optional
        Told a brain's name, or "optimum", and what share of its work is done.
    probes : ProbeRounds, optional
        The rounds of a probing brain; the usual ones if not given.
    scale_optimum : float, optional
        Every matrix is scaled so that its optimum is this, > 0. What brains are told of a matrix is as it was measured,
        so ratios change for a probing brain alone: its particles see the delays of the scaled load.

    Raises
    ------
    BadInputError
        If `scale_optimum` is not finite and positive.
    ExchangeRouterError
        If a brain's shares are no shares.
    """
    if scale_optimum is not None and not 0 < scale_optimum < np.inf:
        raise BadInputError("scale_optimum", "must be finite and positive", scale_optimum)
    unconnected = unconnected_pairs(task)
    # A probing brain lives through every matrix at its scale, another one's scores are scaled when all is done.
    every = scale_optimum is not None and any(isinstance(brain, ProbingBrain) for brain in brains)
    solved = np.arange(chosen.first, chosen.end) if every else chosen.scored
    own = optimal_mlus(task, solved, lambda done: on_progress(OPTIMUM, done))
    scale = np.ones(len(own))
    if scale_optimum is not None:
        np.divide(scale_optimum, own, out=scale, where=own > 0)
    taken = np.searchsorted(solved, chosen.scored)
    optimal, factor = own[taken], scale[taken]
    scores = []
    for brain in brains:
        if isinstance(brain, ProbingBrain):
            loads = scale if every else np.ones(chosen.end - chosen.first)
            scores.append(
                score_rounds(
                    task, brain, chosen, optimal * factor, loads, unconnected, probes or ProbeRounds(), on_progress
                )
            )
            continue
        decisions = _foreseen(task, brain, chosen) if isinstance(brain, Clairvoyant) else _lived(task, brain, chosen)
        found = _score(task, brain.name, decisions, chosen, optimal, unconnected, on_progress)
        if scale_optimum is not None:
            found = replace(found, mlu=found.mlu * factor, optimal_mlu=optimal * factor)
        scores.append(found)
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
    meter: Meter | None = None
    before: NDArray[np.float64] | None = None
    for index, decision in enumerate(decisions, chosen.first):
        if meter is None or meter.paths is not decision.paths:
            # The shares of one path set do not compare with those of another: no churn at such a change.
            meter, before = Meter(task, name, decision.paths, unconnected), None
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
