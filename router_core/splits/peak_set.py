"""One split for a set of matrices: of least mean peak, or of least worst peak, over all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from router_core.splits.peak import NO_CHANCES, peak_descent
from router_core.splits.problem import checked_matrices, checked_weights, traffic_share
from router_core.splits.solver import GAP, SplitSolver
from router_core.splits.split import Split


class PeakSetSolver(SplitSolver):
    """As `PeakSolver`, for demand that is only known to be one of several matrices.

    The mean is the sample average of a stochastic programme, the worst case a robust one; ties go to the paths that
    are cheaper for the mean matrix.
    """

    def solve(
        self,
        demands: NDArray[np.floating] | Sequence[Sequence[float]],
        *,
        worst_case: bool = False,
        weights: NDArray[np.floating] | Sequence[float] | None = None,
        gap: float = GAP,
        start: NDArray[np.floating] | None = None,
        churn_max: float | None = None,
        sweeps_max: int | None = None,
    ) -> Split:
        """Return the shares whose mean or worst peak is within `gap` of the least, and the bound that says so.

        Parameters
        ----------
        demands : float (M, D) or (M, R, D)
            M >= 1 matrices; finite, >= 0.
        worst_case : bool
            Minimise the worst peak instead of the mean.
        weights : float (M,), optional
            Of each matrix in the mean, >= 0, not all 0; equal if not given. A matrix of weight 0 does not count, in the
            worst case neither.
        gap, start, churn_max, sweeps_max
            As in `PeakSolver.solve`; churn counts the traffic of the mean matrix.

        Raises
        ------
        BadInputError
            Naming what is malformed.
        """
        values = checked_matrices(demands, self.paths, len(self.unit_load))
        chances = checked_weights(weights, len(values))
        used = chances > 0
        values, chances = values[used], chances[used] / chances[used].sum()
        weight = np.array([traffic_share(matrix) for matrix in values]).T @ chances
        counted = NO_CHANCES if worst_case else chances
        return self._solve(
            values,
            weight,
            gap,
            start,
            churn_max,
            lambda held: peak_descent(self._open, values, counted, weight, held, gap, sweeps_max),
        )
