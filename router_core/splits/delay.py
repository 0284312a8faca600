"""The best split for delay: shares of every path that keep exchanges under way for as short a time as they can."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.delay_cost import DelayCost
from router_core.errors import BadInputError
from router_core.kernels.split_sweeps import delay_sweeps
from router_core.paths.path_set import PathSet
from router_core.splits.churn import Descent, Swept
from router_core.splits.problem import traffic_share
from router_core.splits.solver import NO_FEES, SWEEPS_MAX, SplitSolver
from router_core.splits.split import Split, checked_demand

GAP: Final = 1e-3


class DelaySolver(SplitSolver):
    """Splits demand so that the mean number of chunks under way, and with it their mean delay, is least.

    The cost of a station is that of the queues that the simulator has (`router_core.delay_cost`): convex in its
    utilisation, steep where it is busy. Pair by pair, the two paths that differ most in marginal cost are equalised by
    Newton's method (gradient projection over paths: Bertsekas and Gallager, Data Networks, 1992, section 5.7).

    Parameters
    ----------
    paths, unit_load
        As of `SplitSolver`.
    cost : DelayCost
        Of the S stations.

    Raises
    ------
    BadInputError
        If the cost is of other stations, or a unit load is malformed.
    """

    def __init__(self, paths: PathSet, unit_load: NDArray[np.floating] | Sequence[float], cost: DelayCost) -> None:
        super().__init__(paths, unit_load)
        if cost.linear.shape != (paths.space.station_count,):
            raise BadInputError("cost", f"must be of {paths.space.station_count} stations", len(cost.linear))
        self._curve = np.stack((cost.linear, cost.queue, cost.power, cost.bend))

    def solve(
        self,
        demand: NDArray[np.floating] | Sequence[float],
        *,
        gap: float = GAP,
        start: NDArray[np.floating] | None = None,
        churn_max: float | None = None,
    ) -> Split:
        """Return shares whose cost is within `gap` of the least, and the bound that says so.

        Parameters
        ----------
        demand, gap, start, churn_max
            As in `PeakSolver.solve`; there is no load that is too much, only one that costs much.

        Returns
        -------
        Split
            Its objective is the mean number of chunks in all stations: seconds of delay that arise in a second.

        Raises
        ------
        BadInputError
            Naming what is malformed.
        """
        values = checked_demand(demand, self.paths, len(self.unit_load))
        weight = traffic_share(values)
        return self._solve(
            values, weight, gap, start, churn_max, lambda held: self._descent(values[None], weight, held, gap)
        )

    def _descent(
        self, demand: NDArray[np.float64], weight: NDArray[np.float64], held: NDArray[np.float64], gap: float
    ) -> Descent:
        paths = self._open

        def descent(begin: NDArray[np.float64], fee: float, sweeps_max: int | None) -> Swept:
            shares = begin.copy()
            value, _, bound, sweeps = delay_sweeps(
                paths.pair_start,
                paths.path_start,
                paths.path_station,
                paths.path_pair,
                paths.station_start,
                paths.station_path,
                paths.unit_load,
                demand,
                self._curve,
                held,
                fee * weight if fee > 0 else NO_FEES,
                gap,
                SWEEPS_MAX if sweeps_max is None else sweeps_max,
                shares,
            )
            return Swept(shares, value, bound, sweeps)

        return descent
