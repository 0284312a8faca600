"""`static` over matrices: each day runs on splits prepared from the days before it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.splits.peak import PeakSolver
from router_core.splits.peak_set import PeakSetSolver
from router_core.units import DAY_NS
from strategies.matrix_brain import MatrixCommand, MatrixEvent, MatrixObserved, MatrixSetting, SetShares
from strategies.static.matrix_past import HOURS, PastDay
from strategies.static.matrix_scenarios import DayScenarios, day_scenarios

# A split holds so long [h]; with one, twice as many changes bring nothing.
SLOT_H: Final = 2
SLOT_NS: Final = SLOT_H * DAY_NS // HOURS
# Days with matrices that are remembered.
DAYS_MAX: Final = 7
# Nearer to the bound costs time and churn, and what comes differs from the set by more than that.
PLAN_GAP: Final = 0.005
# Matrices are measured in their own optimum; a hundredth of that makes no difference.
SCALE_GAP: Final = 0.02


class MatrixStaticBrain:
    """Prepares one split for each slot of a day: least mean ratio to the optimum over a set of likely matrices.

    A day (00:00 to 24:00 UTC) is planned from what was over when it began. The set holds whole matrices of up to seven
    earlier days, moved to the slot's time of day (`day_scenarios`), each divided by its own least peak: so the mean
    peak of the set is the mean ratio. Each slot begins with the shares of the one before, so little changes.

    Where nothing is known yet, shares are the best for equal demand of all pairs; a day that follows nothing but
    empty matrices keeps the shares that there are, and so does a pair whose demand was always 0.

    Parameters
    ----------
    setting : MatrixSetting
    """

    name = "static"

    def __init__(self, setting: MatrixSetting) -> None:
        self._paths = setting.paths
        self._solver = PeakSetSolver(setting.paths, setting.unit_load)
        self._scale = PeakSolver(setting.paths, setting.unit_load)
        self._gap = max(setting.gap, PLAN_GAP)
        first = self._scale.solve(np.ones(setting.paths.pair_count), gap=self._gap)
        self._held: SetShares = SetShares(setting.paths, first.shares, first)
        self._days: list[PastDay] = []
        self._late: list[MatrixObserved] = []
        self._scenarios: DayScenarios | None = None
        self._day: int | None = None
        self._slot: int | None = None

    def handle(self, event: MatrixEvent) -> list[MatrixCommand]:
        """Remember what is observed; as a slot begins, return its split."""
        if isinstance(event, MatrixObserved):
            self._late.append(event)
            return []
        day, slot = event.now_ns // DAY_NS, event.now_ns // SLOT_NS
        if slot == self._slot:
            return []
        self._slot = slot
        if day != self._day:
            self._day = day
            self._take_in(day)
            self._scenarios = day_scenarios(self._days, day)
        if self._scenarios is not None:
            hour = slot * SLOT_H % HOURS
            self._held = self._solved(self._scenarios.at(slice(hour, hour + SLOT_H)), self._scenarios.weight)
        return [self._held]

    def _take_in(self, day: int) -> None:
        """Sort what was over when this day began into the days of its beginning; the rest is too fresh."""
        begin = day * DAY_NS
        fresh = [event for event in self._late if event.now_ns > begin]
        for event in self._late:
            if event.now_ns <= begin:
                number = event.begin_ns // DAY_NS
                if not self._days or self._days[-1].number != number:
                    self._days = [*self._days[-(DAYS_MAX - 1) :], PastDay(number)]
                self._days[-1].add(event.begin_ns, event.demand)
        self._late = fresh

    def _solved(self, demands: NDArray[np.float64], weight: NDArray[np.float64]) -> SetShares:
        """Return one split for a set of matrices; what no path can carry has no say."""
        least = np.array([self._scale.solve(one, gap=SCALE_GAP).objective for one in demands])
        carried = least > 0
        if not carried.any():
            return self._held
        ratios = demands[carried] / least[carried, None]
        solved = self._solver.solve(ratios, weights=weight[carried], gap=self._gap, start=self._held.shares)
        # A pair that no matrix of the set has demand for keeps its shares whatever the solver does with it.
        asked = ratios.any(axis=0)[self._paths.path_pair]
        shares = np.where(asked, solved.shares, self._held.shares)
        return SetShares(self._paths, shares, solved)
