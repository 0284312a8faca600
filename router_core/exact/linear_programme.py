"""Linear programmes as HiGHS solves them, behind the few calls that ours need."""

from __future__ import annotations

from typing import Final

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from router_core.errors import ExchangeRouterError

INFINITE: Final = highspy.kHighsInf
# Of rows, bounds and reduced costs, where everything is scaled to about 1; HiGHS's own is 1e-7.
TOLERANCE: Final = 1e-9
# Coefficients below this are left out, the least that HiGHS allows; its own is 1e-9.
SMALLEST_COEFFICIENT: Final = 1e-12


class LinearProgramme:
    """Minimise ``cost x`` with ``row_low <= matrix x <= row_high`` and ``low <= x <= high``; one thread.

    Parameters
    ----------
    cost : float64 (N,)
    matrix : sparse (M, N)
        Scaled so that what matters is about 1.
    row_low, row_high : float64 (M,)
    low, high : float64 (N,), optional
        0 and infinite if not given.
    options : HiGHS's options by name
    """

    def __init__(
        self,
        cost: NDArray[np.float64],
        matrix: sparse.coo_array | sparse.csc_array,
        row_low: NDArray[np.float64],
        row_high: NDArray[np.float64],
        low: NDArray[np.float64] | None = None,
        high: NDArray[np.float64] | None = None,
        **options: bool | int | float | str,
    ) -> None:
        columns = sparse.csc_array(matrix)
        columns.sum_duplicates()
        model = highspy.HighsLp()
        model.num_row_, model.num_col_ = columns.shape
        model.col_cost_ = cost
        model.col_lower_ = np.zeros(columns.shape[1]) if low is None else low
        model.col_upper_ = np.full(columns.shape[1], INFINITE) if high is None else high
        model.row_lower_, model.row_upper_ = row_low, row_high
        model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        model.a_matrix_.start_ = columns.indptr
        model.a_matrix_.index_ = columns.indices
        model.a_matrix_.value_ = columns.data
        self._highs = highspy.Highs()
        defaults: dict[str, bool | int | float | str] = {
            "output_flag": False,
            "threads": 1,
            "primal_feasibility_tolerance": TOLERANCE,
            "dual_feasibility_tolerance": TOLERANCE,
            "small_matrix_value": SMALLEST_COEFFICIENT,
        }
        for name, value in (defaults | options).items():
            self._highs.setOptionValue(name, value)
        self._highs.passModel(model)

    def change_cost(self, cost: NDArray[np.float64]) -> None:
        """Ask for another objective; the last solution is where the search goes on."""
        self._highs.changeColsCost(len(cost), np.arange(len(cost), dtype=np.int32), cost)

    def limit(self, column: int, high: float) -> None:
        """Keep a column below a value."""
        self._highs.changeColBounds(column, 0.0, high)

    def solve(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the columns' values (N,) and the rows' duals (M,).

        Raises
        ------
        ExchangeRouterError
            If there is no solution: what calls this makes programmes that have one.
        """
        self._highs.run()
        status = self._highs.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            raise ExchangeRouterError(f"HiGHS did not solve the programme: {self._highs.modelStatusToString(status)}")
        solution = self._highs.getSolution()
        return np.array(solution.col_value), np.array(solution.row_dual)
