"""The fast split where it reaches the wanted gap, and the exact one where it does not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from router_core.exact.path_programme import best_split, best_split_for_set
from router_core.splits.peak import PeakSolver
from router_core.splits.peak_set import PeakSetSolver
from router_core.splits.split import Split


def split_within(
    solver: PeakSolver,
    demand: NDArray[np.floating] | Sequence[float],
    gap: float,
    *,
    start: NDArray[np.floating] | None = None,
    churn_max: float | None = None,
) -> Split:
    """Return a split certified to be within `gap`; parameters as of `PeakSolver.solve`."""
    found = solver.solve(demand, gap=gap, start=start, churn_max=churn_max)
    if found.gap <= gap:
        return found
    return best_split(solver.paths, solver.unit_load, demand, start=start, churn_max=churn_max)


def set_split_within(
    solver: PeakSetSolver,
    demands: NDArray[np.floating] | Sequence[Sequence[float]],
    gap: float,
    *,
    worst_case: bool = False,
    weights: NDArray[np.floating] | Sequence[float] | None = None,
    start: NDArray[np.floating] | None = None,
) -> Split:
    """Return one split for a set of matrices certified to be within `gap`; parameters as of `PeakSetSolver.solve`."""
    found = solver.solve(demands, worst_case=worst_case, weights=weights, gap=gap, start=start)
    if found.gap <= gap:
        return found
    return best_split_for_set(solver.paths, solver.unit_load, demands, worst_case, weights)
