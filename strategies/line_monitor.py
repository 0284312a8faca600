"""What others take of the lines, hour by hour, as a centre can tell from its own telemetry."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.line_history import LineHistory
from router_core.network import Network
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS
from strategies.brain import TelemetryArrived


def others_share(network: Network, event: TelemetryArrived) -> NDArray[np.float64]:
    """Share of each line that others took in a window, (L,); with an agent's error it may lie outside 0..1.

    It is ``utilisation - own bytes * ps_per_byte / (servers * window)``; `LineMonitor` says what that gets wrong.
    """
    station = network.line_station
    ns_per_byte = network.station_ps_per_byte[station] / 1_000 / network.station_servers[station]
    return np.asarray(event.utilisation[station] - event.served_bytes[station] * ns_per_byte / event.window_ns)


class LineMonitor:
    """Turns telemetry into the share of each line that others took, as hourly means.

    In each window the others' share is taken to be ``utilisation - own bytes * ps_per_byte / (servers * window)``, at
    the line's full rate. An interface counter shows just that sum: where others take the share f of a line, a transfer
    that would take the share x of the whole line's time takes ``x / (1 - f)`` of what is left of it, and
    ``x / (1 - f) + f * (1 - x / (1 - f)) = f + x``. What the difference gets wrong:

    - An agent's error stretches utilisation and bytes of a window alike, so it stretches the difference: the mean of
      an hour of n windows errs by noise / sqrt(n) of itself, to neither side. Only a window near 100 % is cut off
      above, which takes up to 0.4 of the noise from it.
    - Bytes count when a service begins, time when it is spent: a transfer that crosses windows moves share from one
      to the other. Hours are therefore summed first, and cut to 0..1 at the end.
    - The time that a service takes whatever its size counts as others': microseconds an exchange.
    - A line that is cut shows nothing, which is 0; one that lost servers to a fault shows its own load too small.

    Parameters
    ----------
    network : Network
    begin : datetime
        Local time of the run's instant 0, without a zone.
    """

    def __init__(self, network: Network, begin: datetime) -> None:
        hour = begin.replace(minute=0, second=0, microsecond=0)
        self._grid = TimeGrid(hour, HOUR_NS, 0)
        self._offset_ns = round((begin - hour).total_seconds() * 1e6) * 1_000
        self._network = network
        self._stations = network.station_count
        self._station = network.line_station
        self._share_ns: dict[int, NDArray[np.float64]] = {}
        self._known_ns: dict[int, int] = {}

    def observe(self, event: TelemetryArrived) -> None:
        """Take in a sample; a window that lies in several hours counts in each by its part of it.

        Raises
        ------
        BadInputError
            If the sample is not one of this network, or its window is empty or begins before the run.
        """
        for name in ("utilisation", "served_bytes"):
            found = getattr(event, name).shape
            if found != (self._stations,):
                raise BadInputError(f"telemetry.{name}", f"must have one value for each of {self._stations}", found)
        if not 0 < event.window_ns <= event.observed_ns:
            raise BadInputError("telemetry.window_ns", f"must lie in 1..{event.observed_ns}", event.window_ns)
        others = others_share(self._network, event)
        wrong = ~np.isfinite(others)
        if wrong.any():
            station = int(self._station[wrong.argmax()])
            value = float(event.utilisation[station])
            raise BadInputError(f"telemetry.utilisation[{station}]", "must be finite", value)
        end_ns = self._offset_ns + event.observed_ns
        begin_ns = end_ns - event.window_ns
        for hour in range(begin_ns // HOUR_NS, -(-end_ns // HOUR_NS)):
            part_ns = min(end_ns, (hour + 1) * HOUR_NS) - max(begin_ns, hour * HOUR_NS)
            self._share_ns[hour] = self._share_ns.get(hour, 0.0) + others * part_ns
            self._known_ns[hour] = self._known_ns.get(hour, 0) + part_ns

    def history(self) -> LineHistory:
        """Return what came so far, from the hour in which the run began to the last hour that a sample speaks of."""
        hours = max(self._known_ns, default=-1) + 1
        others = np.full((hours, len(self._station)), np.nan, dtype=np.float32)
        for hour, share_ns in self._share_ns.items():
            others[hour] = np.clip(share_ns / self._known_ns[hour], 0.0, 1.0)
        return LineHistory(self._grid.part(0, hours), others)
