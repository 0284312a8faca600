"""Trials: small moves off the busiest station that teach what its load is made of."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.paths.path_set import PathSet

# What part of the flow over the busiest station is moved.
TRIAL_PART: Final = 0.2
# Only to paths whose busiest station is below this part of the peak.
TRIAL_BELOW: Final = 0.8
# Rounds without a move before the first trial; each trial that changed nothing doubles them, up to the last.
TRIAL_AFTER: Final = 5
TRIAL_AFTER_MAX: Final = 320


class Trials:
    """When to try, and what.

    Loads say what goes over a station, not whose traffic it is. A guess that puts it down to pairs that have no other
    way stays where it is, and learns no more, as nothing moves. A trial does not believe the guess: every pair moves a
    part of its flow from the busiest station to its idlest path, and the loads that follow tell.
    """

    def __init__(self, paths: PathSet) -> None:
        self._paths = paths
        self._still = 0
        self._after = TRIAL_AFTER

    def moved(self) -> None:
        """Shares have moved for a reason of their own."""
        self._still, self._after = 0, TRIAL_AFTER

    def due(self) -> bool:
        """Count a round without a move; whether it is time for a trial."""
        self._still += 1
        if self._still < self._after:
            return False
        self._still, self._after = 0, min(2 * self._after, TRIAL_AFTER_MAX)
        return True

    def shares(self, shares: NDArray[np.float64], utilisation: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return shares (P,) that try a little less of the busiest of these stations (S,), None if nobody can."""
        paths = self._paths
        peak = utilisation.max(initial=0.0)
        filled = np.flatnonzero(np.diff(paths.path_start) > 0)
        if not len(filled) or peak <= 0:
            return None
        busiest = np.zeros(paths.path_count)
        busiest[filled] = np.maximum.reduceat(utilisation[paths.path_station], paths.path_start[filled])
        over = np.zeros(paths.path_count, dtype=bool)
        over[np.repeat(np.arange(paths.path_count), np.diff(paths.path_start))[
            paths.path_station == int(utilisation.argmax())
        ]] = True  # fmt: skip
        order = np.lexsort((busiest, paths.path_pair))
        pair, first = np.unique(paths.path_pair[order], return_index=True)
        idlest = order[first]
        able = busiest[idlest] <= TRIAL_BELOW * peak
        moved = TRIAL_PART * np.where(over, shares, 0.0)
        can = np.zeros(paths.pair_count, dtype=bool)
        can[pair[able]] = True
        moved[~can[paths.path_pair]] = 0.0
        if not moved.any():
            return None
        result = shares - moved
        result[idlest[able]] += np.bincount(paths.path_pair, moved, paths.pair_count)[pair[able]]
        return result
