"""`router_core.spread` for whole arrays of exchanges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def spread_many(exchange_id: NDArray[np.integer], salt: int, total: int) -> NDArray[np.int64]:
    """Return for each id, int >= 0 (n,), the number in [0, total) that `spread` gives.

    Raises
    ------
    ValueError
        If `total` is below 1 or an id or the salt is negative.
    """
    if total < 1:
        raise ValueError(f"spread: total must be at least 1, got {total}")
    if salt < 0 or (exchange_id < 0).any():
        raise ValueError("spread: ids must not be negative")
    mixed = _mix(_mix(exchange_id.astype(np.uint64)) ^ np.uint64(salt))
    return (mixed % np.uint64(total)).astype(np.int64)


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))
