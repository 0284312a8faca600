"""The least peak utilisation of each matrix over all routes there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.exact.least_peak import least_peak
from sim.evaluation.matrix_task import MatrixTask

# Far below what a ratio is read to, and no dearer than a looser one: most matrices end with an exact optimum.
OPTIMUM_GAP: Final = 1e-6


def optimal_mlus(
    task: MatrixTask,
    indices: NDArray[np.int64],
    on_progress: Callable[[float], None],
) -> NDArray[np.float64]:
    """Return the least peak utilisation of each matrix that is asked for, float64 (K,).

    Pairs that no path joins are left out.

    Parameters
    ----------
    task : MatrixTask
    indices : int64 (K,)
        Positions in the series.
    on_progress : callable
        Told what share is done.
    """
    unit_load = 1.0 / task.capacity
    result = np.empty(len(indices))
    for number, index in enumerate(indices.tolist()):
        found = least_peak(task.space, unit_load, task.source, task.target, task.demand(index), OPTIMUM_GAP)
        result[number] = found.objective
        on_progress((number + 1) / len(indices))
    return result
