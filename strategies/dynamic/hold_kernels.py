"""Loops over paths of what holds bulk back. Called by `pacing` alone."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def longest_holds(
    pair_start: NDArray[np.int64],
    path_start: NDArray[np.uint64],
    path_station: NDArray[np.uint32],
    shares: NDArray[np.float64],
    share_min: float,
    hold_ns: NDArray[np.int64],
    result: NDArray[np.int64],
) -> None:
    """Write the longest of each kind of hold (S, R) on the ways that take `share_min` of a pair at least, (D, R)."""
    result[:] = 0
    for pair in range(len(pair_start) - 1):
        for path in range(pair_start[pair], pair_start[pair + 1]):
            if shares[path] >= share_min:
                for k in range(path_start[path], path_start[path + 1]):
                    for kind in range(hold_ns.shape[1]):
                        result[pair, kind] = max(result[pair, kind], hold_ns[path_station[k], kind])
