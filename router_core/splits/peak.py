"""The best split for the peak: shares of every path that keep the busiest station as idle as they can."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.kernels.split_sweeps import fill_load, peak_sweeps
from router_core.splits.churn import Descent, Swept
from router_core.splits.open_paths import OpenPaths
from router_core.splits.problem import checked_start, traffic_share
from router_core.splits.solver import GAP, NO_FEES, SWEEPS_MAX, SplitSolver
from router_core.splits.split import Split, checked_demand

# What ties may weigh, as a part of the gap: enough to decide between equals, too little to spoil the peak.
TIE_PART: Final = 0.1
NO_CHANCES: Final = np.empty(0)


class PeakSolver(SplitSolver):
    """Splits demand so that the peak utilisation is least; ties go to the cheaper paths.

    A soft maximum of the stations' utilisation is minimised pair by pair, ever sharper, until a bound by
    linear-programming duality shows that the peak is within the wanted gap of the best: block coordinate descent on an
    exponential potential (Plotkin, Shmoys and Tardos, Mathematics of Operations Research 20, 1995), with shifts that
    are solved for in place of steps of a given length. Most programmes take three to ten sweeps.
    `router_core.exact.path_programme` solves the same exactly.
    """

    def solve(
        self,
        demand: NDArray[np.floating] | Sequence[float],
        *,
        gap: float = GAP,
        start: NDArray[np.floating] | None = None,
        churn_max: float | None = None,
        sweeps_max: int | None = None,
    ) -> Split:
        """Return shares whose peak is within `gap` of the least, and the bound that says so.

        Parameters
        ----------
        demand : float (D,) or (R, D)
            Finite, >= 0.
        gap : float
            Relative distance to the bound at which to stop, > 0. Gaps far below 1e-4 belong to the exact programme;
            where the solver gets no further, the answer's own gap says how far it got.
        start : float (P,), optional
            Shares to begin with, those of an earlier split: then little changes where little must.
        churn_max : float, optional
            How much of all traffic may leave the open paths that it has in `start`, 0 .. 1. The bound then holds for
            splits within this limit.
        sweeps_max : int, optional
            Passes over the pairs at most, >= 0, and as many for each fee that a limit of churn tries, for who must
            answer in time: the split is then the best one found, and its own gap says how good. 0 judges `start`.

        Raises
        ------
        BadInputError
            Naming what is malformed.
        """
        values = checked_demand(demand, self.paths, len(self.unit_load))
        weight = traffic_share(values)
        return self._solve(
            values,
            weight,
            gap,
            start,
            churn_max,
            lambda held: peak_descent(self._open, values[None], NO_CHANCES, weight, held, gap, sweeps_max),
        )

    def utilisation(
        self, demand: NDArray[np.floating] | Sequence[float], shares: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """Return the utilisation of every station, (S,), when these shares (P,) carry the demand on open paths."""
        values = checked_demand(demand, self.paths, len(self.unit_load))
        taken = self._open.taken(checked_start(self.paths, shares))
        paths = self._open
        load = np.empty((1, self.paths.space.station_count))
        fill_load(paths.pair_start, paths.path_start, paths.path_station, paths.unit_load, values[None], taken, load)
        result: NDArray[np.float64] = load[0]
        return result


def peak_descent(
    paths: OpenPaths,
    demands: NDArray[np.float64],
    chance: NDArray[np.float64],
    weight: NDArray[np.float64],
    held: NDArray[np.float64],
    gap: float,
    sweeps_most: int | None,
) -> Descent:
    """Prepare the descent for matrices (M, R, D): to the least mean peak, or without chances to the least worst."""
    if sweeps_most is not None and sweeps_most < 0:
        raise BadInputError("sweeps_max", "must not be negative", sweeps_most)
    limit = SWEEPS_MAX if sweeps_most is None else sweeps_most
    tie = paths.tie(weight, TIE_PART * gap)

    def descent(begin: NDArray[np.float64], fee: float, sweeps_max: int | None) -> Swept:
        shares = begin.copy()
        value, _, bound, sweeps = peak_sweeps(
            paths.pair_start,
            paths.path_start,
            paths.path_station,
            paths.path_pair,
            paths.station_start,
            paths.station_path,
            paths.unit_load,
            demands,
            chance,
            weight,
            paths.more_cost,
            tie,
            held,
            fee * weight if fee > 0 else NO_FEES,
            gap,
            limit if sweeps_max is None else sweeps_max,
            shares,
        )
        return Swept(shares, value, bound, sweeps)

    return descent
