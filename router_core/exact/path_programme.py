"""The best split over given paths, by linear programming: what the fast solvers are measured against.

Variables are the shares of the paths and the peaks; every station and matrix gives a row. Peaks are minimised first;
then, with the peaks held, the cost of the paths: the first programme is degenerate, and a plan should not wander for
nothing. The bound is not HiGHS's word: prices of the stations, wherever they come from, bound every split from below
by the cheapest priced path of each pair (Lagrangian duality), and that sum is worked out here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from router_core.errors import BadInputError
from router_core.exact.linear_programme import INFINITE, LinearProgramme
from router_core.paths.path_set import PathSet
from router_core.paths.unit_load import checked_unit_load
from router_core.splits.problem import (
    cheapest_open,
    checked_churn,
    checked_matrices,
    checked_start,
    checked_weights,
    closed_stations,
    open_paths,
    traffic_share,
)
from router_core.splits.split import Split, checked_demand

# How far above the least peak the cheapest split may lie, relatively: the tolerance of the rows that hold it.
PEAK_SLACK: Final = 1e-9


def best_split(
    paths: PathSet,
    unit_load: NDArray[np.floating] | Sequence[float],
    demand: NDArray[np.floating] | Sequence[float],
    *,
    tie_by_cost: bool = True,
    start: NDArray[np.floating] | None = None,
    churn_max: float | None = None,
) -> Split:
    """Return the split of least peak utilisation, of these the one of least mean path cost.

    Parameters
    ----------
    paths : PathSet
    unit_load : float (S,) or (R, S)
        Utilisation of a station by one unit of each of R components of demand, >= 0; infinite closes the station, and
        with it every path over it.
    demand : float (D,) or (R, D)
        Finite, >= 0.
    tie_by_cost : bool
        Solve the second programme, too.
    start, churn_max : float (P,) and float, optional
        Shares of an earlier split, and how much may change from them, 0 .. 1: the share of all traffic that leaves an
        open path it was on. That is half the L1 distance of the shares, weighted by demand (`traffic_share`). What was
        on a path that is now closed must move anyway, and does not count; nor does a pair that had no shares.

    Returns
    -------
    Split
        Pairs without demand are given their cheapest open path.

    Raises
    ------
    BadInputError
        Naming what is malformed.
    """
    loads = checked_unit_load(unit_load, paths.space)
    programme = _PathProgramme(paths, loads, checked_demand(demand, paths, len(loads))[None], np.ones(1))
    if churn_max is not None:
        if start is None:
            raise BadInputError("start", "must be given where churn_max is", None)
        programme.limit_churn(checked_start(paths, start), checked_churn(churn_max))
    return programme.solve(worst_case=False, tie_by_cost=tie_by_cost)


def best_split_for_set(
    paths: PathSet,
    unit_load: NDArray[np.floating] | Sequence[float],
    demands: NDArray[np.floating] | Sequence[Sequence[float]],
    worst_case: bool,
    weights: NDArray[np.floating] | Sequence[float] | None = None,
    *,
    tie_by_cost: bool = True,
) -> Split:
    """Return one split for a set of matrices: of least mean peak, or of least worst peak.

    Parameters
    ----------
    paths, unit_load, tie_by_cost
        As in `best_split`.
    demands : float (M, D) or (M, R, D)
        M >= 1 matrices.
    worst_case : bool
        Minimise the worst peak instead of the mean.
    weights : float (M,), optional
        Of each matrix in the mean, >= 0, not all 0; equal if not given. The worst case heeds only which are positive.

    Returns
    -------
    Split
        Its objective is the mean, or the worst, of the matrices' peaks.
    """
    loads = checked_unit_load(unit_load, paths.space)
    matrices = checked_matrices(demands, paths, len(loads))
    chances = checked_weights(weights, len(matrices))
    used = chances > 0
    programme = _PathProgramme(paths, loads, matrices[used], chances[used])
    return programme.solve(worst_case=worst_case, tie_by_cost=tie_by_cost)


class _PathProgramme:
    """The programme of M matrices over the open paths of the pairs with demand."""

    def __init__(
        self,
        paths: PathSet,
        unit_load: NDArray[np.float64],
        demands: NDArray[np.float64],
        chances: NDArray[np.float64],
    ) -> None:
        self.paths = paths
        self.matrices = len(demands)
        self.chance = chances
        usable = open_paths(paths, closed_stations(unit_load))
        wanted = demands.max(axis=(0, 1), initial=0.0) > 0
        served = np.bincount(paths.path_pair, usable, paths.pair_count) > 0
        self.unrouted = np.flatnonzero(wanted & ~served)
        self.shares = cheapest_open(paths, usable)
        self.path = np.flatnonzero(usable & wanted[paths.path_pair])
        self.pairs, self.path_pair = np.unique(paths.path_pair[self.path], return_inverse=True)
        self.weight = np.array([traffic_share(demand) for demand in demands]).T @ self.chance
        # Entries (matrix * S + station, path), S stations on the way: utilisation by all demand of the path's pair.
        length = np.diff(paths.path_start)[self.path]
        entry = np.repeat(np.arange(len(self.path)), length)
        before = np.cumsum(length) - length
        place = np.arange(length.sum()) - np.repeat(before - paths.path_start[self.path], length)
        station = paths.path_station[place]
        pair = self.pairs[self.path_pair[entry]]
        loads = np.einsum("re,mre->me", unit_load[:, station], demands[:, :, pair])
        visited, station = np.unique(station, return_inverse=True)
        self.stations = len(visited)
        row = np.arange(self.matrices)[:, None] * self.stations + station
        self.load = sparse.csc_array(
            (loads.ravel(), (row.ravel(), np.tile(entry, self.matrices))),
            shape=(self.matrices * self.stations, len(self.path)),
        )
        self._limit: tuple[NDArray[np.float64], float] | None = None

    def limit_churn(self, start: NDArray[np.float64], churn_max: float) -> None:
        """Let no more than this share of the traffic leave the open paths of `start`."""
        self._limit = start[self.path], churn_max

    def solve(self, *, worst_case: bool, tie_by_cost: bool) -> Split:
        """Solve both programmes, and work out the certificate."""
        if not len(self.path):
            return Split(self.paths, self.shares, 0.0, 0.0, 0, self.unrouted)
        combine = np.max if worst_case else self._mean
        even = 1.0 / np.bincount(self.path_pair)[self.path_pair]
        scale = float(combine(self._peaks(even))) or 1.0
        programme, peaks = self._programme(scale, worst_case)
        values, duals = programme.solve()
        rows = self.matrices * self.stations
        price = np.maximum(-duals[:rows], 0.0).reshape(self.matrices, self.stations)
        # The dual of the limit is in the programme's unit of utilisation.
        toll = scale * max(-float(duals[rows + len(self.pairs)]), 0.0) if self._limit else 0.0
        bound = self._bound(price, toll, worst_case)
        if tie_by_cost:
            for column in peaks:
                programme.limit(column, values[column] + PEAK_SLACK * values[peaks].max())
            programme.change_cost(self._path_costs(len(values)))
            values, _ = programme.solve()
        found = np.maximum(values[: len(self.path)], 0.0)
        found /= np.bincount(self.path_pair, found)[self.path_pair]
        self.shares[self.path] = found
        objective = float(combine(self._peaks(found)))
        # Beyond what rounding does, a bound above the objective would be no bound.
        assert bound <= objective * (1 + 1e-6), (bound, objective)
        return Split(self.paths, self.shares, objective, min(bound, objective), 0, self.unrouted)

    def _mean(self, peaks: NDArray[np.float64]) -> float:
        return float(self.chance @ peaks)

    def _peaks(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Peak of each matrix, (M,), under shares of the programme's own paths."""
        return np.asarray((self.load @ shares).reshape(self.matrices, self.stations).max(axis=1, initial=0.0))

    def _programme(self, scale: float, worst_case: bool) -> tuple[LinearProgramme, NDArray[np.intp]]:
        """Return the programme in units of `scale`, and the columns of its peaks.

        Columns: shares, peaks, and what leaves each path of the start. Rows: stations of each matrix, pairs, then the
        limit of churn and what leaves.
        """
        own, pairs, rows = len(self.path), len(self.pairs), self.load.shape[0]
        count = 1 if worst_case else self.matrices
        peaks = own + np.arange(count)
        matrix_of_row = np.zeros(rows, dtype=np.int64) if worst_case else np.arange(rows) // max(self.stations, 1)
        load = self.load.tocoo()
        entries = [  # row, column, value
            (load.coords[0], load.coords[1], load.data / scale),
            (np.arange(rows), peaks[matrix_of_row], np.full(rows, -1.0)),
            (rows + self.path_pair, np.arange(own), np.ones(own)),
        ]
        low = [np.full(rows, -INFINITE), np.ones(pairs)]
        high = [np.zeros(rows), np.ones(pairs)]
        columns = own + count
        if self._limit:
            start, churn_max = self._limit
            held = np.flatnonzero(start)
            leaves = columns + np.arange(len(held))
            weight = self.weight[self.pairs[self.path_pair[held]]]
            first = rows + pairs
            entries.append((np.full(len(held), first), leaves, weight))
            entries += [(first + 1 + np.arange(len(held)), column, np.ones(len(held))) for column in (held, leaves)]
            low += [np.array([-INFINITE]), start[held]]
            high += [np.array([churn_max]), np.full(len(held), INFINITE)]
            columns += len(held)
        row_low, row_high = np.concatenate(low), np.concatenate(high)
        cost = np.zeros(columns)
        cost[peaks] = 1.0 if worst_case else self.chance
        row, column, value = (np.concatenate(parts) for parts in zip(*entries, strict=True))
        matrix = sparse.coo_array((value, (row, column)), shape=(len(row_low), columns))
        return LinearProgramme(cost, matrix, row_low, row_high), peaks

    def _path_costs(self, columns: int) -> NDArray[np.float64]:
        """Return what shares cost more than their pair's cheapest path, weighted and scaled, on so many columns."""
        cost = self.paths.path_cost[self.path].astype(np.float64)
        least = np.full(len(self.pairs), np.inf)
        np.minimum.at(least, self.path_pair, cost)
        more = (cost - least[self.path_pair]) * self.weight[self.pairs[self.path_pair]]
        result = np.zeros(columns)
        result[: len(cost)] = more / (more.max(initial=0.0) or 1.0)
        return result

    def _bound(self, price: NDArray[np.float64], toll: float, worst_case: bool) -> float:
        """Return what no shares go below: the priced cost of every pair's cheapest choice.

        Prices (M, S) are scaled to what a valid bound needs: to sum to each matrix's chance, or to 1 in the worst case.
        Traffic that leaves a path of the start pays the toll, and the limit of churn gives that much back.
        """
        total = np.full(self.matrices, price.sum()) if worst_case else price.sum(axis=1)
        due = np.ones(self.matrices) if worst_case else self.chance
        factor = np.divide(due, total, out=np.zeros(self.matrices), where=total > 0)
        priced = np.asarray((price * factor[:, None]).ravel() @ self.load)
        least = np.full(len(self.pairs), np.inf)
        np.minimum.at(least, self.path_pair, priced)
        if not self._limit:
            return float(least.sum())
        start, churn_max = self._limit
        stay = np.minimum(priced, (least + toll * self.weight[self.pairs])[self.path_pair])
        free = 1.0 - np.bincount(self.path_pair, start, len(self.pairs))
        return float((start * stay).sum() + (free * least).sum() - toll * churn_max)
