"""Which stations work, by the newest word on each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class StationStates:
    """Takes words on stations in any order; one that was observed earlier than what is known brings nothing back.

    Parameters
    ----------
    stations : int
        How many there are.

    Attributes
    ----------
    up : bool (S,)
        All that were never heard of count as up.
    told_ns : int64 (S,)
        When the newest word on each was observed [ns]; 0: there is none.
    """

    def __init__(self, stations: int) -> None:
        self.up: NDArray[np.bool_] = np.ones(stations, dtype=np.bool_)
        self.told_ns: NDArray[np.int64] = np.zeros(stations, dtype=np.int64)

    def take(
        self, observed_ns: int, station: NDArray[np.int32], up: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Take in what was observed at an instant [ns], > 0; return which stations changed, ascending, and to what."""
        newer = self.told_ns[station] < observed_ns
        station, up = station[newer], up[newer]
        self.told_ns[station] = observed_ns
        changed = self.up[station] != up
        self.up[station] = up
        order = np.argsort(station[changed], kind="stable")
        return station[changed][order], up[changed][order]
