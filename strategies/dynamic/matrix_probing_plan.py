"""Which paths a round's particles take: every station every round, and all paths in turn."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.paths.path_set import PathSet
from router_core.randomness import stream

# What a full packet of the field holds.
PARTICLE_BYTES: Final = 1_500
# Of the traffic, that particles may add: half of what they are allowed, as traffic is only guessed.
BYTES_SHARE: Final = 0.0025
# In a round; more brought nothing, fewer brought little less.
PARTICLES_MAX: Final = 400
# Where nothing is thought to be carried, so many a round all the same, of those that pass every station: who sends none
# never learns that there is traffic again.
LEAST_PART: Final = 1 / 8
# How often a round's first particles pass each station, where as many paths do.
COVER: Final = 3


class ProbePlan:
    """Chooses paths so that each station is passed several times by short ones, and then goes on through all.

    Parameters
    ----------
    paths : PathSet
    usable : bool (P,)
        Which of them lead anywhere.
    """

    def __init__(self, paths: PathSet, usable: NDArray[np.bool_]) -> None:
        self._first = _cover(paths, usable)
        rest = np.setdiff1d(np.flatnonzero(usable), self._first)
        self._turn = stream(0, "probing-paths").permutation(rest)
        self._least = math.ceil(LEAST_PART * len(self._first))
        self._at = 0
        self._first_at = 0

    def choose(self, traffic_bytes: float) -> NDArray[np.int64]:
        """Return the paths of a round that is thought to carry so much traffic [bytes], int64 (n,)."""
        count = max(int(min(PARTICLES_MAX, traffic_bytes * BYTES_SHARE / PARTICLE_BYTES)), self._least)
        first = _next(self._first, self._first_at, count)
        self._first_at = (self._first_at + len(first)) % max(len(self._first), 1)
        others = _next(self._turn, self._at, count - len(first))
        self._at = (self._at + len(others)) % max(len(self._turn), 1)
        return np.concatenate((first, others))


def _next(ring: NDArray[np.int64], at: int, count: int) -> NDArray[np.int64]:
    """Return the next entries of a ring, each at most once."""
    return ring[(at + np.arange(min(count, len(ring)))) % max(len(ring), 1)]


def _cover(paths: PathSet, usable: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return paths that pass every station `COVER` times, where as many usable ones do: the shortest there are.

    A short path's delay tells its few stations best apart.
    """
    length = np.diff(paths.path_start)
    order = np.argsort(length, kind="stable")
    order = order[usable[order] & (length[order] > 0)]
    passed = np.zeros(paths.space.station_count, dtype=np.int64)
    chosen = []
    for path in order.tolist():
        stations = paths.path_station[paths.path_start[path] : paths.path_start[path + 1]]
        if (passed[stations] < COVER).any():
            passed[stations] += 1
            chosen.append(path)
    return np.array(chosen, dtype=np.int64)
