"""Shares as whole weights, so that a choice by hash gives everywhere the same way."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError

# A share is met to within one in 65,536: finer than any demand is known, and small enough to multiply by anything.
WEIGHT_TOTAL: Final = 2**16
# How far the shares of a pair may be from 1 by rounding.
TOLERANCE: Final = 1e-6


def whole_weights(
    shares: NDArray[np.floating], start: NDArray[np.integer], total: int = WEIGHT_TOTAL
) -> NDArray[np.int64]:
    """Round shares to whole weights with an exact sum, by largest remainders (Hamilton's method).

    Parameters
    ----------
    shares : float (P,)
        At least 0; those of a row sum to 1, or are all 0.
    start : int (D + 1,)
        Shares of row d: ``shares[start[d]:start[d + 1]]``.
    total : int
        Sum of a row's weights, 1 .. 2**31 - 1.

    Returns
    -------
    int64 (P,)
        Each less than 1 away from ``share * total``; those of a row sum to `total`, or are all 0 as their shares are.
        Of equal remainders the earlier one is rounded up. A share of 0 has no weight.

    Raises
    ------
    BadInputError
        Naming the share or the row.
    """
    if not 1 <= total < 2**31:
        raise BadInputError("total weight", "must lie in 1..2**31 - 1", total)
    values = np.asarray(shares, dtype=np.float64)
    starts = np.asarray(start, dtype=np.int64)
    if values.shape != (int(starts[-1]),):
        raise BadInputError("shares", f"must be of shape ({int(starts[-1])},)", values.shape)
    wrong = np.flatnonzero(~(values >= 0) | ~np.isfinite(values))
    if len(wrong):
        raise BadInputError(f"shares[{wrong[0]}]", "must be finite and not negative", float(values[wrong[0]]))
    row = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    sums = np.bincount(row, weights=values, minlength=len(starts) - 1)
    off = np.flatnonzero((sums != 0) & (np.abs(sums - 1) > TOLERANCE))
    if len(off):
        raise BadInputError(f"shares of row {off[0]}", "must sum to 1, or be all 0", float(sums[off[0]]))

    wanted = np.divide(values, sums[row], out=np.zeros_like(values), where=values > 0) * total
    weights = np.floor(wanted)
    left = np.where(sums > 0, total, 0) - np.bincount(row, weights=weights, minlength=len(sums))
    # Largest remainders first within a row, a share of 0 last; the sort is stable, so ties go to the earlier one.
    remainder = np.where(values > 0, wanted - weights, -1.0)
    order = np.lexsort((-remainder, row))
    place = np.arange(len(values)) - starts[:-1][row]
    weights[order] += place < left[row]
    result: NDArray[np.int64] = weights.astype(np.int64)
    return result
