"""What shares make of a matrix, and whether they are shares: measured apart from the solvers that are judged by it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from router_core.errors import ExchangeRouterError
from router_core.paths.path_set import PathSet
from sim.evaluation.matrix_task import MatrixTask

SHARE_TOLERANCE: Final = 1e-6


class Meter:
    """Measures shares over one path set; it shares no code with the solvers that it judges."""

    def __init__(self, task: MatrixTask, brain: str, paths: PathSet, unconnected: NDArray[np.intp]) -> None:
        same = np.array_equal(paths.source, task.source) and np.array_equal(paths.target, task.target)
        if not same:
            raise ExchangeRouterError(f"brain {brain}: its paths must be of the pairs of the setting, in their order")
        pathless = np.setdiff1d(paths.unconnected, unconnected)
        if len(pathless):
            raise ExchangeRouterError(f"brain {brain}: {task.pair_name(int(pathless[0]))} is connected but has no path")
        self.paths = paths
        self.connected = np.flatnonzero(np.diff(paths.pair_start))
        self._brain = brain
        self._pair_name = task.pair_name
        # What all of a path's pair adds to each line, were its demand 1; and the lines of each path.
        path = np.repeat(np.arange(paths.path_count), np.diff(paths.path_start))
        shape = (len(task.capacity), paths.path_count)
        self._per_share = sparse.csr_array(
            (1.0 / task.capacity[paths.path_station], (paths.path_station, path)), shape=shape
        )
        self._lines = sparse.csr_array((np.ones(len(path)), (path, paths.path_station)), shape=shape[::-1])

    def check(self, shares: NDArray[np.float64]) -> None:
        """Raise `ExchangeRouterError`, naming brain and pair, unless shares are >= 0 and sum to 1."""
        if shares.shape != (self.paths.path_count,):
            raise ExchangeRouterError(f"brain {self._brain}: shares must be one a path, not {shares.shape}")
        error = np.abs(np.bincount(self.paths.path_pair, shares, self.paths.pair_count)[self.connected] - 1.0)
        wrong = np.concatenate((self.paths.path_pair[~(shares >= 0)], self.connected[~(error <= SHARE_TOLERANCE)]))
        if len(wrong):
            name = self._pair_name(int(wrong[0]))
            raise ExchangeRouterError(f"brain {self._brain}: shares of {name} must not be negative and must sum to 1")

    def utilisation(self, demand: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Utilisation of each line, (S,)."""
        return np.asarray(self._per_share @ (shares * demand[self.paths.path_pair]))

    def delay_s(self, path: NDArray[np.int64], stay_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Delay over each of these paths [s], by the stay at each line (S,) [s]."""
        return np.asarray(self._lines @ stay_s)[path]

    def churn(self, before: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
        """Mean over connected pairs of half the L1 distance of their shares."""
        return float(np.abs(shares - before).sum()) / 2 / max(len(self.connected), 1)
