"""`dynamic` over matrices: every interval runs on one split for the set of what its matrix may be."""

from __future__ import annotations

from typing import Final

import numpy as np

from router_core.splits.peak import PeakSolver
from router_core.splits.peak_set import PeakSetSolver
from strategies.dynamic.matrix_jumps import NodeJump
from strategies.dynamic.matrix_outlook import MatrixOutlook
from strategies.matrix_brain import MatrixCommand, MatrixEvent, MatrixObserved, MatrixSetting, SetShares

# Nearer to the best for the set costs time and changes more, and gains nothing.
SOLVE_GAP: Final = 0.015
# What is held stays while it is within this of the bound.
KEEP_GAP: Final = 0.015
# Scenarios are measured in their own optimum; two hundredths of that make no difference.
SCALE_GAP: Final = 0.02


class MatrixDynamicBrain:
    """Solves, as an interval begins, the least mean ratio to the optimum over scenarios of its matrix.

    Scenarios are whole matrices (`MatrixOutlook`), from the last matrix observed and earlier ones, each divided by its
    own least peak. Shares in force stay while they are nearly the best, and sweeps begin with them, so little changes
    where little must. When all of a node's demand jumps, the forecast of its pairs is carried to its new totals
    with the first matrix that shows it.

    Where nothing is known yet, shares are the best for equal demand of all pairs. A pair that no scenario has demand
    for keeps its shares.

    Parameters
    ----------
    setting : MatrixSetting
    """

    name = "dynamic"

    def __init__(self, setting: MatrixSetting) -> None:
        self._paths = setting.paths
        self._solver = PeakSetSolver(setting.paths, setting.unit_load)
        self._scale = PeakSolver(setting.paths, setting.unit_load)
        self._gap = max(setting.gap, SOLVE_GAP)
        first = self._scale.solve(np.ones(setting.paths.pair_count), gap=self._gap)
        self._held = SetShares(setting.paths, first.shares, first)
        self._outlook = MatrixOutlook(setting.paths.source, setting.paths.target, setting.paths.space.end_count)

    @property
    def jumps(self) -> tuple[NodeJump, ...]:
        """All jumps of nodes found so far, in the order in which they were found."""
        return tuple(self._outlook.jumps)

    def handle(self, event: MatrixEvent) -> list[MatrixCommand]:
        """Learn from what is observed; as an interval begins, return its split."""
        if isinstance(event, MatrixObserved):
            self._outlook.observe(event)
            return []
        demands = self._outlook.scenarios(event.now_ns)
        if demands is None:
            return [self._held]
        least = np.array([self._scale.solve(one, gap=SCALE_GAP).objective for one in demands])
        carried = least > 0
        if carried.any():
            ratios = demands[carried] / least[carried, None]
            solved = self._solver.solve(ratios, gap=self._gap, start=self._held.shares)
            held = np.mean([self._scale.utilisation(one, self._held.shares).max() for one in ratios])
            if held > (1 + KEEP_GAP) * solved.lower_bound:
                asked = ratios.any(axis=0)[self._paths.path_pair]
                self._held = SetShares(self._paths, np.where(asked, solved.shares, self._held.shares), solved)
        return [self._held]
