"""Splits of one matrix after another that change no more than they must."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from router_core.splits.peak import PeakSolver
from strategies.matrix_brain import MatrixSetting, SetShares


class SteadySplits:
    """Solves matrices in turn; a pair without demand keeps the shares that it had.

    The first shares of all put each pair on its most preferred path.

    Parameters
    ----------
    setting : MatrixSetting
    """

    def __init__(self, setting: MatrixSetting) -> None:
        self._paths = setting.paths
        self._solver = PeakSolver(setting.paths, setting.unit_load)
        self._gap = setting.gap
        self._shares = preferred(setting)

    def for_matrix(self, demand: NDArray[np.float64]) -> SetShares:
        """Return shares of least peak utilisation under this demand (D,), of these the ones with the cheapest paths."""
        solved = self._solver.solve(demand, gap=self._gap, start=self._shares)
        self._shares = np.where((demand > 0)[self._paths.path_pair], solved.shares, self._shares)
        return SetShares(self._paths, self._shares, solved)


def preferred(setting: MatrixSetting) -> NDArray[np.float64]:
    """Return shares (P,) that put each pair on its first path."""
    paths = setting.paths
    shares = np.zeros(paths.path_count)
    shares[paths.pair_start[:-1][np.diff(paths.pair_start) > 0]] = 1.0
    return shares
