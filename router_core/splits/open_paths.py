"""The open paths of a set as the arrays that sweeps walk, and the way from their shares to those of all paths."""

from __future__ import annotations

from copy import copy
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.kernels.split_sweeps import make_whole
from router_core.paths.path_set import PathSet
from router_core.splits.problem import cheapest_open, closed_stations, open_paths

# Of the mean cost of cheapest paths.
DETOUR_MAX: Final = 4.0


class OpenPaths:
    """Paths that pass no closed station, worked out once for a path set and its unit loads.

    Parameters
    ----------
    paths : PathSet
    unit_load : float64 (R, S)
        Infinite closes a station.
    """

    def __init__(self, paths: PathSet, unit_load: NDArray[np.float64]) -> None:
        self._closed = closed_stations(unit_load)
        usable = open_paths(paths, self._closed)
        self.path_count = paths.path_count
        self.pair_start, path_start = paths.pair_start, paths.path_start
        path_station, path_pair, cost = paths.path_station, paths.path_pair, paths.path_cost.astype(np.float64)
        # Positions of the open paths among all, or `None` where all are open, as they mostly are.
        self.position = None if usable.all() else np.flatnonzero(usable)
        if self.position is not None:
            length = np.diff(paths.path_start)
            path_station = path_station[np.repeat(usable, length)]
            path_start = np.concatenate(([0], np.cumsum(length[usable])))
            path_pair, cost = path_pair[usable], cost[usable]
            self.pair_start = np.concatenate(([0], np.cumsum(np.bincount(path_pair, minlength=paths.pair_count))))
        self.served = np.diff(self.pair_start) > 0
        least = np.full(paths.pair_count, np.inf)
        np.minimum.at(least, path_pair, cost)
        self.least_cost = np.where(self.served, least, 0.0)
        # Long detours count alike: what breaks ties must not outweigh what it breaks them for.
        usual = float(self.least_cost[self.served].mean()) if self.served.any() else 0.0
        self.more_cost = np.minimum(cost - self.least_cost[path_pair], DETOUR_MAX * usual)
        self.cheapest = self.taken(cheapest_open(paths, usable))
        self.unit_load = np.where(self._closed, 0.0, unit_load)
        # The paths that visit each station, for pricing by station: most stations are too idle to have a price.
        path = np.repeat(np.arange(len(cost)), np.diff(path_start))
        visits = np.bincount(path_station, minlength=unit_load.shape[1])
        self.station_path = path[np.argsort(path_station, kind="stable")].astype(np.uint32)
        # What the innermost loops read is unsigned: `kernels.split_sweeps` says why.
        self.path_station, self.path_pair = path_station.astype(np.uint32), path_pair.astype(np.uint32)
        self.path_start = path_start.astype(np.uint64)
        self.station_start = np.concatenate(([0], np.cumsum(visits))).astype(np.uint64)

    def loaded(self, unit_load: NDArray[np.float64]) -> OpenPaths | None:
        """Return the same paths under other loads, or None if other stations are closed."""
        if not np.array_equal(closed_stations(unit_load), self._closed):
            return None
        other = copy(self)
        other.unit_load = np.where(self._closed, 0.0, unit_load)
        return other

    def tie(self, weight: NDArray[np.float64], part: float) -> float:
        """Return the factor by which `more_cost` and a pair's share of traffic, (D,), break ties.

        All traffic then pays `part` if it costs twice what its cheapest paths cost.
        """
        total = float(weight @ self.least_cost)
        return part / total if total > 0 else 0.0

    def begin(self, start: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """Return shares of the open paths to begin with: what is open of `start`, made whole, or the cheapest paths."""
        if start is None:
            return self.cheapest.copy()
        shares = self.taken(start)
        make_whole(self.pair_start, self.cheapest, shares)
        return shares

    def taken(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what of the shares of all paths, (P,), lies on open ones, as a copy."""
        return shares.copy() if self.position is None else shares[self.position]

    def spread(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return shares of all paths, (P,), from those of the open ones."""
        if self.position is None:
            return shares
        result = np.zeros(self.path_count)
        result[self.position] = shares
        return result
