"""What stations are busy with at the moment, as telemetry tells it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.loads import server_time
from router_core.network import Network
from router_core.units import SECOND_NS
from strategies.brain import TelemetryArrived
from strategies.line_monitor import others_share

# An agent's noise is a few per cent, and others' use of a line changes within minutes.
MEMORY_S: Final = 150.0


class StationsNow:
    """Running means of telemetry.

    Parameters
    ----------
    network : Network
    waiting_bytes : float
        Mean size of chunks that wait: nobody counts the bytes of a queue.

    Attributes
    ----------
    others, own : float64 (L,)
        Share of each line's time that other users, and exchanges, take, 0..1.
    backlog_s : float64 (S,)
        Time that all servers of a station would take for what waits there [s].
    """

    def __init__(self, network: Network, waiting_bytes: float) -> None:
        self._network = network
        self._weight = 0.0
        self.others: NDArray[np.float64] = np.zeros(network.line_count)
        self.own: NDArray[np.float64] = np.zeros(network.line_count)
        self._work = np.zeros(network.station_count)
        self.backlog_s: NDArray[np.float64] = np.zeros(network.station_count)
        self._service_s = server_time(network, 1.0, waiting_bytes)

    def observe(self, event: TelemetryArrived, borrowed: NDArray[np.integer]) -> None:
        """Take in a sample; `borrowed` (S,) servers are there beside the stations' own."""
        window_s = event.window_ns / SECOND_NS
        self._weight = self._weight * float(np.exp(-window_s / MEMORY_S)) + window_s
        new = window_s / self._weight
        servers = self._network.station_servers + borrowed
        others = np.clip(others_share(self._network, event), 0.0, 1.0)
        own = np.maximum(event.utilisation[self._network.line_station] - others, 0.0)
        self.others += new * (others - self.others)
        self.own += new * (own - self.own)
        self._work += new * (event.utilisation * servers - self._work)
        self.backlog_s = event.waiting * self._service_s / servers

    def busy(self, servers: NDArray[np.integer]) -> NDArray[np.float64]:
        """Utilisation of each station by the work that it had, with so many servers, (S,)."""
        return np.asarray(self._work / servers)
