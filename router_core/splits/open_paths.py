"""The open paths of a set as the arrays that sweeps walk, and the way from their shares to those of all paths."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from router_core.kernels.split_sweeps import fill_use
from router_core.paths.path_set import PathSet
from router_core.splits.problem import cheapest_open, open_paths


class OpenPaths:
    """Paths that pass no closed station, worked out once for a path set and its unit loads.

    Parameters
    ----------
    paths : PathSet
    unit_load : float64 (R, S)
        Infinite closes a station.
    """

    def __init__(self, paths: PathSet, unit_load: NDArray[np.float64]) -> None:
        usable = open_paths(paths, unit_load)
        self.path_count = paths.path_count
        self.cheapest_first = cheapest_open(paths, usable)
        self.served = np.bincount(paths.path_pair, usable, paths.pair_count) > 0
        self.pair_start, self.path_start, self.path_station = paths.pair_start, paths.path_start, paths.path_station
        self.path_pair, cost = paths.path_pair, paths.path_cost.astype(np.float64)
        # Positions of the open paths among all, or `None` where all are open, as they mostly are.
        self.position = None if usable.all() else np.flatnonzero(usable)
        if self.position is not None:
            length = np.diff(paths.path_start)
            self.path_station = paths.path_station[np.repeat(usable, length)]
            self.path_start = np.concatenate(([0], np.cumsum(length[usable])))
            self.path_pair, cost = paths.path_pair[usable], cost[usable]
            counts = np.bincount(self.path_pair, minlength=paths.pair_count)
            self.pair_start = np.concatenate(([0], np.cumsum(counts)))
        least = np.full(paths.pair_count, np.inf)
        np.minimum.at(least, self.path_pair, cost)
        self.least_cost = np.where(np.isfinite(least), least, 0.0)
        self.more_cost = cost - self.least_cost[self.path_pair]
        self.unit_load = np.where(np.isinf(unit_load), 0.0, unit_load)

    def use(self, demand: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what all of each pair's demand (R, D) would use of each station of each open path."""
        result = np.empty(len(self.path_station))
        fill_use(self.pair_start, self.path_start, self.path_station, self.unit_load, demand, result)
        return result

    def tie(self, weight: NDArray[np.float64], part: float) -> NDArray[np.float64]:
        """Return a small cost of each open path, by what it costs more than the cheapest of its pair.

        Parameters
        ----------
        weight : float64 (D,)
            Each pair's share of the traffic.
        part : float
            What all traffic would pay if it cost as much more again as its cheapest paths cost.
        """
        total = float(weight @ self.least_cost)
        return self.more_cost * weight[self.path_pair] * (part / total if total > 0 else 0.0)

    def begin(self, start: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """Return shares of the open paths to begin with: what is open of `start`, made whole, or the cheapest paths."""
        if start is None:
            return self._taken(self.cheapest_first)
        shares = self._taken(start)
        total = np.bincount(self.path_pair, shares, len(self.served))
        left = (total > 0)[self.path_pair]
        whole = np.divide(shares, total[self.path_pair], out=np.zeros_like(shares), where=left)
        return np.where(left, whole, self._taken(self.cheapest_first))

    def held(self, start: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what of `start` lies on open paths, which is what churn counts."""
        return self._taken(start)

    def spread(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return shares of all paths, (P,)."""
        if self.position is None:
            return shares
        result = np.zeros(self.path_count)
        result[self.position] = shares
        return result

    def _taken(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        return shares.copy() if self.position is None else shares[self.position]
