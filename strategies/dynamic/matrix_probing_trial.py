"""Trials: small moves off the busiest station that teach what its load is made of."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.paths.path_set import PathSet

# What part of the flow over the busiest station is moved at most.
TRIAL_PART: Final = 0.1
# Rounds without a move before the first trial; each trial that changed nothing doubles them, up to the last.
TRIAL_AFTER: Final = 5
TRIAL_AFTER_MAX: Final = 320


class Trials:
    """When to try, and what.

    Loads say what goes over a station, not whose traffic it is. A guess that puts it down to pairs that have no other
    way stays where it is, and learns no more, as nothing moves. A trial does not believe the guess: every pair moves a
    part of its flow from the busiest station to its idlest path, and the loads that follow tell. What moves is no more
    than that part of what the station carries, so a path is tried only if all of that would fit: whoever it
    belongs to, no trial makes the peak higher.

    Parameters
    ----------
    paths : PathSet
    """

    def __init__(self, paths: PathSet) -> None:
        self._paths = paths
        self._path = np.repeat(np.arange(paths.path_count), np.diff(paths.path_start))
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

    def shares(
        self, shares: NDArray[np.float64], utilisation: NDArray[np.float64], unit_load: NDArray[np.float64]
    ) -> NDArray[np.float64] | None:
        """Return shares (P,) that try a little less of the busiest station, None if nobody can.

        Parameters
        ----------
        shares : float64 (P,)
            In force.
        utilisation : float64 (S,)
            As measured under them.
        unit_load : float64 (S,)
            Utilisation by one unit of demand; infinite where a station is closed.
        """
        paths = self._paths
        peak = utilisation.max(initial=0.0)
        if not peak > 0:
            return None
        station = int(utilisation.argmax())
        # Were all that moves to go there.
        then = utilisation + TRIAL_PART * peak * unit_load / unit_load[station]
        busiest = np.zeros(paths.path_count)
        np.maximum.at(busiest, self._path, then[paths.path_station])
        order = np.lexsort((busiest, paths.path_pair))
        pair, first = np.unique(paths.path_pair[order], return_index=True)
        idlest = order[first]
        able = busiest[idlest] <= peak
        pair, idlest = pair[able], idlest[able]
        over = np.zeros(paths.path_count)
        over[self._path[paths.path_station == station]] = TRIAL_PART
        can = np.zeros(paths.pair_count)
        can[pair] = 1.0
        moved = over * shares * can[paths.path_pair]
        if not moved.any():
            return None
        result = shares - moved
        result[idlest] += np.bincount(paths.path_pair, moved, paths.pair_count)[pair]
        return result
