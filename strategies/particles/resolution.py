"""How far observations tell stations apart: the resolution of a regularised regression, worked out in portions."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from strategies.particles.tomography_kernels import bound_others, factor, gather, inverse_diagonal

# Multiplications a portion may take, some tenths of a millisecond; and stations that are worked out jointly at most, as
# the work grows with their cube. A province's are done every ten rounds or so, a small network's at once.
WORK: Final = 1_500_000
STATIONS_MAX: Final = 384


class Resolution:
    """Diagonal of the resolution matrix, 0..1 for each of S stations: 1 - variance after by variance before.

    1: observations alone say what the station's wait is. 0: they say nothing of it, or nothing of it alone. It is that
    of all rows jointly, so stations of which only the sum is known share it: two in a row get 1/2 each at most.

    One computation takes several portions and uses the rows that were there when it began; meanwhile the last result
    stands. The stations of which the rows say most are worked out jointly; beyond `STATIONS_MAX` of them, what is told
    of the others is a lower bound, and their unknown waits count as noise of each row.

    Parameters
    ----------
    stations : int
    """

    def __init__(self, stations: int) -> None:
        self.value = np.zeros(stations)
        self._stations = np.empty(0, dtype=np.int64)
        self._place = np.full(stations, -1, dtype=np.int32)
        self._matrix = np.empty((0, 0))
        self._line = np.empty(0)
        self._after = np.empty(0)
        self._next = 0

    def step(
        self,
        start: NDArray[np.int64],
        station: NDArray[np.int32],
        visits: NDArray[np.float64],
        weight: NDArray[np.float64],
        spread: NDArray[np.float64],
    ) -> None:
        """Do one portion of work; begin anew with these rows where the last computation is complete.

        Parameters
        ----------
        start, station, visits
            Rows, compressed.
        weight : float64 (R,)
            Inverse variance of each.
        spread : float64 (S,)
            Standard deviation of each station's wait before any row.
        """
        if self._next == 0:
            self._begin(start, station, visits, weight, spread)
        count, work = len(self._matrix), WORK
        if self._next < count:
            begun = self._next
            self._next = factor(self._matrix, begun, work)
            work -= (self._next - begun) * count * count // 3
        if self._next >= count and work > 0:
            done = inverse_diagonal(self._matrix, self._next - count, work, self._line, self._after)
            self._next = count + done
        if self._next >= 2 * count:
            self.value[self._stations] = np.clip(1.0 - self._after, 0.0, 1.0)
            bound_others(start, station, visits, weight, self._place, spread, self.value)
            self._next = 0

    def _begin(
        self,
        start: NDArray[np.int64],
        station: NDArray[np.int32],
        visits: NDArray[np.float64],
        weight: NDArray[np.float64],
        spread: NDArray[np.float64],
    ) -> None:
        per_entry = np.repeat(weight, np.diff(start)) * visits**2
        informed = np.bincount(station, per_entry, len(spread)) * spread**2
        chosen = np.flatnonzero(informed > 0)
        noise = weight
        if len(chosen) > STATIONS_MAX:
            chosen = np.sort(np.argsort(-informed, kind="stable")[:STATIONS_MAX])
            unknown = visits**2 * spread[station] ** 2
            joint = np.zeros(len(spread), dtype=np.bool_)
            joint[chosen] = True
            unknown[joint[station]] = 0.0
            row = np.repeat(np.arange(len(weight)), np.diff(start))
            noise = weight / (1 + weight * np.bincount(row, unknown, len(weight)))
        # Stations of few rows first: eliminating them fills in little.
        rows = np.bincount(station, minlength=len(spread))
        chosen = chosen[np.argsort(rows[chosen], kind="stable")]
        self._place[:] = -1
        self._place[chosen] = np.arange(len(chosen))
        self._stations = chosen
        self._matrix = np.eye(len(chosen))
        gather(start, station, visits, noise, self._place, spread, self._matrix)
        self._line, self._after = np.empty(len(chosen)), np.empty(len(chosen))
