"""A few paths for each of many pairs, as flat arrays that kernels walk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from router_core.network import frozen
from router_core.paths.route_space import RouteSpace


@dataclass(frozen=True, eq=False)
class PathSet:
    """Paths of D pairs, in compressed rows; arrays are read-only.

    Attributes
    ----------
    space : RouteSpace
    source, target : int32 (D,)
        Ends of each pair.
    pair_start : int64 (D + 1,)
        Paths of pair d: ``pair_start[d]:pair_start[d + 1]``, different ones, in order of preference; none if the pair
        is not connected.
    path_start : int64 (P + 1,)
        Stations of path p: ``path_station[path_start[p]:path_start[p + 1]]``, in order; a path may be empty where the
        entry of its source is the exit of its target.
    path_station : int32 (K,)
    """

    space: RouteSpace
    source: NDArray[np.int32]
    target: NDArray[np.int32]
    pair_start: NDArray[np.int64]
    path_start: NDArray[np.int64]
    path_station: NDArray[np.int32]

    @property
    def pair_count(self) -> int:
        """Number of pairs D."""
        return len(self.source)

    @property
    def path_count(self) -> int:
        """Number of paths P."""
        return len(self.path_start) - 1

    @cached_property
    def path_cost(self) -> NDArray[np.int64]:
        """Sum of the costs of each path's stations, (P,)."""
        total = np.concatenate(([0], np.cumsum(self.space.station_cost[self.path_station])))
        return frozen(total[self.path_start[1:]] - total[self.path_start[:-1]], np.int64)

    @cached_property
    def path_pair(self) -> NDArray[np.int32]:
        """Pair of each path, (P,)."""
        return frozen(np.repeat(np.arange(self.pair_count), np.diff(self.pair_start)), np.int32)

    @cached_property
    def pairs_of_stations(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pairs with a path over each station, each once and ascending, and where those of each begin, (S + 1,)."""
        pairs, stations = max(self.pair_count, 1), len(self.space.station_cost)
        code = self.path_station.astype(np.int64) * pairs + np.repeat(self.path_pair, np.diff(self.path_start))
        code = np.unique(code)
        start = np.searchsorted(code, np.arange(stations + 1, dtype=np.int64) * pairs)
        return frozen(start, np.int64), frozen(code % pairs, np.int64)

    @cached_property
    def unconnected(self) -> NDArray[np.intp]:
        """Pairs without a path, ascending."""
        return np.flatnonzero(np.diff(self.pair_start) == 0)

    def stations(self, path: int) -> tuple[int, ...]:
        """Stations of a path in order."""
        return tuple(self.path_station[self.path_start[path] : self.path_start[path + 1]].tolist())

    def paths_of(self, pair: int) -> list[tuple[int, ...]]:
        """Stations of each path of a pair, in order of preference."""
        return [self.stations(path) for path in range(self.pair_start[pair], self.pair_start[pair + 1])]


def path_set(
    space: RouteSpace,
    source: Sequence[int] | NDArray[np.integer],
    target: Sequence[int] | NDArray[np.integer],
    paths: Sequence[Sequence[Sequence[int]]],
) -> PathSet:
    """Make a set from lists: for each pair, its paths as sequences of stations."""
    flat = [path for of_pair in paths for path in of_pair]
    stations = [station for path in flat for station in path]
    return PathSet(
        space,
        frozen(source, np.int32),
        frozen(target, np.int32),
        frozen(np.cumsum([0, *map(len, paths)]), np.int64),
        frozen(np.cumsum([0, *map(len, flat)]), np.int64),
        frozen(stations, np.int32),
    )
