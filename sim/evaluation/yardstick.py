"""The least peak utilisation of each matrix over all routes there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog

from sim.evaluation.matrix_task import MatrixTask


def optimal_mlus(
    task: MatrixTask,
    routed: NDArray[np.float64],
    indices: NDArray[np.int64],
    on_progress: Callable[[float], None],
) -> NDArray[np.float64]:
    """Return the least peak utilisation of each matrix that is asked for, float64 (K,).

    Parameters
    ----------
    task : MatrixTask
    routed : float64 (D,)
        1 for each pair that has a path, else 0.
    indices : int64 (K,)
        Positions in the series.
    on_progress : callable
        Told what share is done.
    """
    count, lines = task.series.node_count, len(task.capacity)
    ends = task.series.directed_lines()[0]
    keep = np.array([(s, v) for s in range(count) for v in range(count) if v != s])
    node: Any = sparse.csr_array(
        (
            np.concatenate((np.ones(lines), -np.ones(lines))),
            (np.concatenate((ends[:, 1], ends[:, 0])), np.tile(np.arange(lines), 2)),
        ),
        shape=(count, lines),
    )
    balance: Any = sparse.block_diag([node] * count, format="csr")[keep[:, 0] * count + keep[:, 1]]
    balance = sparse.hstack([balance, sparse.csr_array((len(keep), 1))], format="csr")
    load: Any = sparse.hstack(
        [*[sparse.diags_array(1 / task.capacity)] * count, sparse.csr_array(-np.ones((lines, 1)))], format="csr"
    )
    cost = np.zeros(count * lines + 1)
    cost[-1] = 1
    result = np.empty(len(indices))
    for number, index in enumerate(indices):
        matrix = np.zeros((count, count))
        matrix[task.source, task.target] = task.demand(index) * routed
        found = linprog(cost, load, np.zeros(lines), balance, matrix[keep[:, 0], keep[:, 1]])
        result[number] = found.fun
        on_progress((number + 1) / len(indices))
    return result
