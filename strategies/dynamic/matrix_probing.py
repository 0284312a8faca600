"""`probing` over matrices: splits by what test particles bring, and by nothing else."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from router_core.delay_cost import delay_cost_of_lines
from router_core.splits.peak import PeakSolver
from router_core.splits.peak_set import PeakSetSolver
from strategies.dynamic.matrix_probing_demand import DemandGuess
from strategies.dynamic.matrix_probing_loads import DelayReader
from strategies.dynamic.matrix_probing_plan import PARTICLE_BYTES, ProbePlan
from strategies.dynamic.matrix_probing_trial import Trials
from strategies.matrix_brain import (
    MatrixSetting,
    ParticlesReturned,
    ProbeCommand,
    ProbeEvent,
    RoundStarted,
    SendOver,
    SetShares,
)

# Before anything is known the network is thought to be so busy [utilisation of the busiest station].
FIRST_PEAK: Final = 0.5
# Nearer to the bound costs time, and the guess is no better than that.
PLAN_GAP: Final = 0.005
# Work of a round's solver at most, in stations of paths passed, and its sweeps at least: it bounds the time, as most
# rounds need a few sweeps and one in a hundred would need hundreds. On measured series ratios were no worse for the
# first 15 to 60 alone; on some small drawn networks, where a sweep costs next to nothing, they were a little.
VISITS_MAX: Final = 400_000
SWEEPS_LEAST: Final = 20
# Shares stay where others promise no more than this, relatively: a guess differs by that from round to round.
KEEP: Final = 0.02
# How far shares go towards the promised ones: for a small promise, and for one of `LARGE` and above, as after a surge.
# All the way was found to overshoot: by up to 1.4 of the peak before, at 0.6 by 1.07 (drawn networks).
STEP_SMALL: Final = 0.15
STEP_LARGE: Final = 0.6
LARGE: Final = 0.25
# A move that turns out to have made things worse halves the next steps, down to this part; each good one mends that.
CARE_MIN: Final = 1 / 16


class MatrixProbingBrain:
    """Reads loads from delays, demand from loads, and moves some way to the split that is best for likely demands.

    All pairs are decided together, by a model that knows what their moves do to each other, so none jumps to where the
    others jump as well. The set of likely demands agrees on the loads as they are and differs in what made them: a
    split far from the present one is judged by what is not known, one near it by what is, so that steps are as bold as
    knowledge allows. A step that hindsight regrets halves the next ones (a trust region).

    Parameters
    ----------
    setting : MatrixSetting
    """

    name = "probing"

    def __init__(self, setting: MatrixSetting) -> None:
        paths = self._paths = setting.paths
        self._gap = max(setting.gap, PLAN_GAP)
        self._solver = PeakSetSolver(paths, setting.unit_load)
        self._sweeps_max = max(SWEEPS_LEAST, VISITS_MAX // max(len(paths.path_station), 1))
        served = np.diff(paths.pair_start) > 0
        first = np.where(served, _by_capacity(setting), 0.0)
        split = PeakSolver(paths, setting.unit_load).solve(first, gap=self._gap)
        if split.objective > 0:
            first *= FIRST_PEAK / split.objective
        self._shares = split.shares
        closed = setting.capacity <= 0
        path = np.repeat(np.arange(paths.path_count), np.diff(paths.path_start))
        passes = sparse.csr_array(
            (np.ones(len(path)), (path, paths.path_station)), shape=(paths.path_count, len(closed))
        )
        self._unit_load = setting.unit_load
        finite = np.where(closed, 0.0, setting.unit_load)
        self._load = sparse.csr_array(passes.multiply(finite).T)
        self._reader = DelayReader(passes, delay_cost_of_lines(np.where(closed, 1.0, setting.capacity)))
        self._guess = DemandGuess(paths, finite, first)
        self._plan = ProbePlan(paths, passes @ closed == 0)
        self._trials = Trials(paths)
        self._loads = np.zeros(len(closed))
        self._before: NDArray[np.float64] | None = None
        self._care = 1.0
        self._fresh = False
        self._told = False

    def probe(self, event: ProbeEvent) -> list[ProbeCommand]:
        """Learn from particles; as a round begins, move if that is worth it, and send the next ones."""
        if isinstance(event, ParticlesReturned):
            self._learn(event)
            return []
        commands: list[ProbeCommand] = []
        if self._fresh:
            self._fresh = False
            moved = self._decided()
            if moved is not None:
                self._before, self._shares, self._told = self._shares, moved, False
        if not self._told:
            self._told = True
            commands.append(SetShares(self._paths, self._shares))
        return [*commands, self._particles(event)]

    def _learn(self, event: ParticlesReturned) -> None:
        came = ~np.isnan(event.delay_s)
        if not came.any():
            return
        expected = self._guess.expect(self._shares)
        loads = self._reader.read(event.path[came], event.delay_s[came], *expected)
        self._guess.learn(loads)
        self._loads = loads.utilisation
        self._fresh = True

    def _decided(self) -> NDArray[np.float64] | None:
        """Return the shares to go over to, or None to stay."""
        likely = self._guess.likely()
        held = self._mean_peak(likely, self._shares)
        if self._before is not None:
            regretted = self._mean_peak(likely, self._before) < held
            self._care = max(self._care / 2, CARE_MIN) if regretted else min(self._care * 2, 1.0)
            self._before = None
        unit_load = self._unit_load * self._guess.slowness
        best = self._solver.loaded(unit_load).solve(
            likely, gap=self._gap, start=self._shares, sweeps_max=self._sweeps_max
        )
        promise = 1 - best.objective / held if held > 0 else 0.0
        if promise <= KEEP:
            return self._trials.shares(self._shares, self._loads, unit_load) if self._trials.due() else None
        self._trials.moved()
        step = self._care * (STEP_SMALL + (STEP_LARGE - STEP_SMALL) * min(promise / LARGE, 1.0))
        shares: NDArray[np.float64] = self._shares + step * (best.shares - self._shares)
        return shares

    def _mean_peak(self, demands: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
        """Mean over demands (M, D) of the peak utilisation."""
        used = np.asarray(self._load @ (demands[:, self._paths.path_pair] * shares).T) * self._guess.slowness[:, None]
        return float(used.max(axis=0, initial=0.0).mean())

    def _particles(self, event: RoundStarted) -> SendOver:
        traffic_bytes = float(self._guess.demand.sum()) * event.unit_bytes
        return SendOver(self._plan.choose(traffic_bytes), PARTICLE_BYTES)


def _by_capacity(setting: MatrixSetting) -> NDArray[np.float64]:
    """Return a demand (D,) by what lines can take out of each source and into each target: all there is to go by."""
    paths = setting.paths
    count = np.diff(paths.path_start)
    there = count > 0
    pair, start = paths.path_pair[there], paths.path_start[:-1][there]
    last = paths.path_start[1:][there] - 1
    ends = []
    for end, place in ((paths.source, start), (paths.target, last)):
        station = paths.path_station[place]
        seen = np.unique(np.stack((end[pair], station)), axis=1)
        rate = np.bincount(seen[0], setting.capacity[seen[1]], int(end.max(initial=0)) + 1)
        ends.append(rate[end])
    return np.asarray(ends[0] * ends[1])
