"""Payload sizes as tables: one draw is one look-up, and the mean is exact."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from router_core.demand_model import SIZE_QUANTILES, SizeLaw
from router_core.elementary import exp

BYTES_MIN = 1


def unscaled_sizes(law: SizeLaw) -> NDArray[np.float64]:
    """Return the law's quantiles at the middles of `SIZE_QUANTILES` equal steps, before the cut; ascending, [bytes].

    The body is lognormal. Beyond its upper quantile of `tail_share` sizes follow a Pareto law that starts there. The
    table is the law: what lies beyond the last middle, one in 131,072, is as large as that one.
    """
    rank = (np.arange(SIZE_QUANTILES) + 0.5) / SIZE_QUANTILES
    sizes = law.median_bytes * exp(law.sigma * ndtri(rank))
    tail = rank > 1 - law.tail_share
    if tail.any():
        start = law.median_bytes * exp(law.sigma * ndtri(1 - law.tail_share))
        sizes[tail] = start * (law.tail_share / (1 - rank[tail])) ** (1 / law.tail_alpha)
    return np.asarray(sizes)


def size_table(unscaled: NDArray[np.float64], factor: float, bytes_max: int) -> NDArray[np.int64]:
    """Return whole sizes [bytes] after scaling and the cut; every entry is equally likely.

    Parameters
    ----------
    unscaled : float64 (SIZE_QUANTILES,)
        From `unscaled_sizes`.
    factor : float
        Factor of the calibration, > 0.
    bytes_max : int
        No entry is larger, and none is smaller than one byte.
    """
    return np.clip(np.rint(unscaled * factor), BYTES_MIN, bytes_max).astype(np.int64)
