"""What the centre's brain is told of the network is what the network did, and no more than that."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from feed.live.recording import read_recording
from strategies.brain import TelemetryArrived
from swarm.centre_machine import CentreMachine
from swarm.context import Context
from swarm.troubles import Kind

# With these the brain may be told less, or late; it is the guard's business.
HARMLESS = {Kind.NODE_CRASH, Kind.LINE_CUT, Kind.SLOW_LINE, Kind.POOL_EMPTY, Kind.AGENT_KILLED, Kind.TOPOLOGY_STALE}
HARMLESS |= {Kind.BUNDLE_CORRUPTED, Kind.BUNDLE_REPLAYED, Kind.BUNDLE_ROTTEN, Kind.TELEMETRY_TWICE}


class TelemetryLaw:
    """Law 6, window by window.

    Parameters
    ----------
    context : Context
    centre : CentreMachine
    """

    def __init__(self, context: Context, centre: CentreMachine) -> None:
        self._context = context
        self._centre = centre
        self._truth: dict[int, NDArray[np.int64]] = {}
        self._zero_ns = context.zero_ns + context.begin_ns

    def told(self, event: TelemetryArrived) -> None:
        """Take in what the world says of a window, by the instant at which it ended."""
        self._truth[self._zero_ns + event.observed_ns] = event.served_bytes.copy()

    def ended(self) -> None:
        """Compare with what the centre's brain was told, by its recordings."""
        context = self._context
        kinds = {one.kind for one in context.spec.troubles}
        if Kind.TELEMETRY_ABSURD in kinds:
            return
        told = 0
        for path, start_ns in self._centre.recordings:
            for one in read_recording(path):
                if isinstance(one.event, TelemetryArrived):
                    told += self._window(start_ns + one.event.observed_ns, one.event)
        # The last windows may still be open when the world ends.
        expected = len(self._truth) - 2
        if kinds <= HARMLESS and told < expected:
            context.journal.breaks("6", f"the brain was told of {told} windows, and there were {len(self._truth)}")

    def _window(self, observed_ns: int, event: TelemetryArrived) -> bool:
        truth = self._truth.get(observed_ns)
        if truth is None:
            # A window without any sample: nobody told of it, or it was before the world began.
            if event.served_bytes.any():
                self._context.journal.breaks("6", f"the brain was told of a window at {observed_ns} ns that never was")
            return False
        over = event.served_bytes > truth
        if over.any():
            name = self._context.network.station_name[int(np.argmax(over))]
            self._context.journal.breaks("6", f"the brain was told that {name} served more than it did")
        return True
