"""What every split solver reads alike: which paths are open, where to begin, whose traffic counts how much."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.kernels.split_sweeps import wrong_shares
from router_core.paths.path_set import PathSet
from router_core.splits.split import checked_demand

# Of the sum of a pair's given shares.
SHARE_TOLERANCE: Final = 1e-6


def checked_matrices(
    demands: NDArray[np.floating] | Sequence[Sequence[float]], paths: PathSet, components: int
) -> NDArray[np.float64]:
    """Return matrices as float64 (M, components, D), or name what is wrong with them.

    Parameters
    ----------
    demands : float (M, D) or (M, components, D)
        M >= 1.

    Raises
    ------
    BadInputError
        If the shape is wrong, or a value is negative or not finite.
    """
    given = np.asarray(demands, dtype=np.float64)
    if given.ndim not in (2, 3) or not len(given):
        raise BadInputError("demands", "must be of shape (M, D) or (M, R, D) with M at least 1", np.shape(demands))
    return np.stack([checked_demand(matrix, paths, components) for matrix in given])


def checked_weights(weights: NDArray[np.floating] | Sequence[float] | None, count: int) -> NDArray[np.float64]:
    """Return weights of matrices, float64 (count,), scaled to sum to one; equal ones if none are given.

    Raises
    ------
    BadInputError
        If they are too few or many, negative, not finite or all 0.
    """
    result = np.ones(count) if weights is None else np.asarray(weights, dtype=np.float64)
    if result.shape != (count,):
        raise BadInputError("weights", f"must be of shape ({count},)", result.shape)
    if not (np.isfinite(result).all() and (result >= 0).all() and result.any()):
        raise BadInputError("weights", "must be finite, not negative and not all 0", result.tolist())
    return np.asarray(result / result.sum())


def traffic_share(demand: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each pair's share of all demand (R, D), as (D,); components count alike, and empty ones not at all."""
    total = demand.sum(axis=1, keepdims=True)
    there = total[:, 0] > 0
    return (demand[there] / total[there]).mean(axis=0) if there.any() else np.zeros(demand.shape[1])


def closed_stations(unit_load: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which stations are closed, bool (S,), by loads (R, S)."""
    return np.asarray(np.isinf(unit_load.max(axis=0)))


def open_paths(paths: PathSet, closed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which paths pass no closed station, bool (P,)."""
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
