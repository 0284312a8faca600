"""Telemetry as the centre gets it: the window since the last sample, with noise, some seconds late."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.network import Network
from router_core.randomness import stream
from router_core.units import MINUTE_NS, SECOND_NS
from sim.data_plane import Snapshot
from strategies.brain import TelemetryArrived


@dataclass(frozen=True)
class TelemetryConfig:
    """How the agents sample.

    Attributes
    ----------
    period_ns : int
        From sample to sample [ns], > 0.
    delay_ns, delay_jitter_ns : int
        A sample arrives `delay_ns` plus up to `delay_jitter_ns` after it was taken [ns], >= 0.
    noise : float
        Relative standard deviation of utilisation and bytes, >= 0; one draw for both, as an agent's window is a little
        longer or shorter than it says.
    """

    period_ns: int = MINUTE_NS
    delay_ns: int = 2 * SECOND_NS
    delay_jitter_ns: int = 3 * SECOND_NS
    noise: float = 0.02

    def __post_init__(self) -> None:
        if self.period_ns <= 0 or self.delay_ns < 0 or self.delay_jitter_ns < 0 or not 0 <= self.noise < np.inf:
            raise ValueError(f"telemetry needs a positive period and no negative delay or noise: {self}")


class Sampler:
    """Turns snapshots into what the brain may know of them.

    Parameters
    ----------
    network : Network
    config : TelemetryConfig
    seed : int
        Seed of the run; the stream is ``telemetry``.
    """

    def __init__(self, network: Network, config: TelemetryConfig, seed: int) -> None:
        self._network = network
        self._config = config
        self._draws = stream(seed, "telemetry")
        self._last: Snapshot | None = None
        self._last_borrowed_ns = np.zeros(network.station_count, dtype=np.int64)
        self._servers = network.station_servers.astype(np.float64)
        self._others = np.zeros(network.station_count)

    def sample(
        self,
        snapshot: Snapshot,
        others: NDArray[np.float64],
        borrowed_ns: NDArray[np.int64],
        up: NDArray[np.bool_],
    ) -> tuple[int, TelemetryArrived] | None:
        """Return the delay until the sample arrives [ns] and the event, or `None` for the first snapshot.

        Parameters
        ----------
        snapshot : Snapshot
        others : float64 (L,)
            Share of each line that other users take now.
        borrowed_ns : int64 (S,)
            Time that borrowed servers were there at each station since the start of the run [ns].
        up : bool (S,)
            Which stations work now.
        """
        last, self._last = self._last, snapshot
        last_borrowed_ns, self._last_borrowed_ns = self._last_borrowed_ns, borrowed_ns
        if last is None:
            return None
        config = self._config
        window_ns = snapshot.now_ns - last.now_ns
        busy_ns = snapshot.busy_ns - last.busy_ns
        served_bytes = snapshot.served_bytes - last.served_bytes
        # A service that outlasts a server given back makes a station busier than its servers can be.
        share = np.minimum(busy_ns / (self._servers * window_ns + (borrowed_ns - last_borrowed_ns)), 1.0)
        # An interface counter sees the others' bytes, and ours at the line's full rate.
        self._others[self._network.line_station] = others
        share += (1 - share) * self._others
        factor = np.maximum(1 + config.noise * self._draws.standard_normal(len(share)), 0.0)
        delay_ns = config.delay_ns + int(self._draws.integers(config.delay_jitter_ns + 1))
        return delay_ns, TelemetryArrived(
            now_ns=snapshot.now_ns + delay_ns,
            observed_ns=snapshot.now_ns,
            window_ns=window_ns,
            utilisation=np.minimum(share * factor, 1.0),
            waiting=snapshot.waiting,
            served_bytes=np.rint(served_bytes * factor).astype(np.int64),
            up=up.copy(),
        )
