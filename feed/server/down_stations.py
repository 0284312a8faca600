"""Which stations are known to be down, and who waits to hear of a change."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feed.clock import Clock
from feed.live.samples import StationSamples
from feed.live.station_states import StationStates
from feed.server.bell import Bell
from feed.server.metrics_out import ServerMetrics
from router_core.errors import BadInputError
from router_core.units import MINUTE_NS

# What is observed later than that is of a clock that is wrong.
AHEAD_NS: Final = MINUTE_NS


class DownStations:
    """The list that front-ends go by, from what telemetry says; replaced as a whole, so any thread may read it.

    Parameters
    ----------
    stations : int
        How many there are.
    clock : Clock
    metrics : ServerMetrics
        Shows how many are down, and how many wait.

    Attributes
    ----------
    now : bool (S,)
        What is down. Not to be written to.
    """

    def __init__(self, stations: int, clock: Clock, metrics: ServerMetrics) -> None:
        self.now: NDArray[np.bool_] = np.zeros(stations, dtype=np.bool_)
        self._states = StationStates(stations)
        self._clock = clock
        self._metrics = metrics
        self._changed = Bell()
        self._released = False

    def hang(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on clients may wait in this loop."""
        self._changed.hang(loop)
        self._released = False

    def release(self) -> None:
        """Let everybody go who waits."""
        self._released = True
        self._changed.ring()

    def take(self, samples: StationSamples) -> None:
        """Take in what stopped and what returned."""
        # A clock that is ahead would have the last word until its time comes.
        if 0 < samples.observed_ns <= self._clock.now_ns() + AHEAD_NS:
            changed, _ = self._states.take(samples.observed_ns, samples.station, samples.up)
            if len(changed):
                self.set(~self._states.up)

    def set(self, down: NDArray[np.bool_]) -> None:
        """Say what is down, bool (S,); from any thread.

        Raises
        ------
        BadInputError
            If it is of another type or shape.
        """
        if down.dtype != np.bool_ or down.shape != self.now.shape:
            raise BadInputError("down", f"must be bool of shape {self.now.shape}", f"{down.dtype} {down.shape}")
        if not np.array_equal(down, self.now):
            self.now = down.copy()
            self._metrics.stations_down.set(int(down.sum()))
            self._changed.ring()

    def etag(self) -> str:
        """Return a name of what is down now: equal sets have equal names."""
        return sha256(np.packbits(self.now).tobytes()).hexdigest()[:16]

    async def other_than(self, have: str | None, wait_s: float) -> str:
        """Return the name of what is down, as soon as it is not `have`, or after a time [s]."""
        deadline = asyncio.get_running_loop().time() + wait_s
        while True:
            rung = self._changed.waits()
            etag, left_s = self.etag(), deadline - asyncio.get_running_loop().time()
            if etag != have or left_s <= 0 or self._released:
                return etag
            with self._metrics.waiters.track_inprogress():
                await rung.within(left_s)
