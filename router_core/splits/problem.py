"""What every split solver reads alike: which paths are open, where to begin, whose traffic counts how much."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.kernels.split_sweeps import wrong_shares
from router_core.paths.path_set import PathSet

# Of the sum of a pair's given shares.
SHARE_TOLERANCE: Final = 1e-6


def traffic_share(demand: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each pair's share of all demand (R, D), as (D,); components count alike, and empty ones not at all."""
    total = demand.sum(axis=1, keepdims=True)
    there = total[:, 0] > 0
    return (demand[there] / total[there]).mean(axis=0) if there.any() else np.zeros(demand.shape[1])


def open_paths(paths: PathSet, unit_load: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which paths pass no closed station, bool (P,), for loads (R, S)."""
    closed = np.isinf(unit_load.max(axis=0))
    shut = np.zeros(len(paths.path_station) + 1, dtype=np.int64)
    np.cumsum(closed[paths.path_station], out=shut[1:])
    return np.asarray(shut[paths.path_start[1:]] == shut[paths.path_start[:-1]])


def cheapest_open(paths: PathSet, usable: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return shares (P,) that put every pair on its cheapest usable path, the first of equals."""
    order = np.lexsort((np.arange(paths.path_count), paths.path_cost, ~usable, paths.path_pair))
    first = order[np.unique(paths.path_pair[order], return_index=True)[1]]
    shares = np.zeros(paths.path_count)
    shares[first[usable[first]]] = 1.0
    return shares


def checked_start(paths: PathSet, start: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return shares to begin with as float64 (P,), or name the first pair whose shares cannot be.

    Raises
    ------
    BadInputError
        If the shape is wrong, or a pair's shares are negative or sum to neither 1 nor 0.
    """
    shares = np.asarray(start, dtype=np.float64)
    if shares.shape != (paths.path_count,):
        raise BadInputError("start", f"must be of shape ({paths.path_count},)", np.shape(start))
    pair = wrong_shares(paths.pair_start, shares, SHARE_TOLERANCE)
    if pair >= 0:
        found = shares[paths.pair_start[pair] : paths.pair_start[pair + 1]]
        rule = "must sum to 1, or be 0" if (found >= 0).all() else "must not be negative"
        name = paths.space.pair_name(int(paths.source[pair]), int(paths.target[pair]))
        raise BadInputError(f"start shares of {name}", rule, found.tolist())
    return shares


def checked_churn(churn_max: float) -> float:
    """Return a limit of churn, which must lie in 0..1."""
    if not 0 <= churn_max <= 1:
        raise BadInputError("churn_max", "must lie in 0..1", churn_max)
    return float(churn_max)
