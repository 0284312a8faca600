"""A stationary world of station delays for the analysis of particles: what goes out comes back, noisy or not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.delay_cost import delay_cost
from router_core.network import Network
from router_core.vocabulary import StationRole
from strategies.brain import ParticlesCollected, SendParticles, TelemetryArrived


@dataclass
class MadeDelays:
    """Waits and stretched times a byte of every station, which stay as they are.

    `wait_ns` (S,) mean waits, `more` (S,) further nanoseconds a byte; `visit` how a wait varies from visit to visit
    (standard deviation by mean, gamma), `noise` that of a particle's whole time, `lost` the share of particles lost.
    """

    network: Network
    wait_ns: NDArray[np.float64]
    more: NDArray[np.float64]
    random: np.random.Generator
    visit: float = 0.0
    noise: float = 0.0
    lost: float = 0.0
    outliers: float = 0.0

    def stay_ns(self, usual_bytes: float) -> NDArray[np.float64]:
        network = self.network
        steady = network.station_fixed_ns + network.station_after_ns
        return steady + usual_bytes * (network.station_ps_per_byte / 1_000 + self.more) + self.wait_ns

    def delays(self, command: SendParticles) -> NDArray[np.int64]:
        """Times under way, -1 for the lost."""
        network, random = self.network, self.random
        station, start = command.route_station, command.route_start
        size = np.repeat(command.payload_bytes, np.diff(start))
        steady = network.station_fixed_ns[station] + network.station_after_ns[station]
        wait = self.wait_ns[station]
        if self.visit:
            shape = 1 / self.visit**2
            wait = wait * random.gamma(shape, 1 / shape, len(wait))
        base = np.add.reduceat(steady + size * network.station_ps_per_byte[station] / 1_000, start[:-1])
        total = base + np.add.reduceat(wait + size * self.more[station], start[:-1])
        count = len(total)
        if self.noise:
            total = np.maximum(total * (1 + self.noise * random.standard_normal(count)), base)
        gross = random.random(count) < self.outliers
        total = np.where(gross, total * random.uniform(5, 50, count), total)
        return np.where(random.random(count) < self.lost, -1, np.ceil(total).astype(np.int64))

    def collected(self, command: SendParticles, sent_ns: int) -> ParticlesCollected:
        """The round as it is collected."""
        delay = self.delays(command)
        now_ns = sent_ns + command.collect_ns
        received = np.where((delay >= 0) & (sent_ns + delay <= now_ns), sent_ns + delay, -1)
        count = len(delay)
        return ParticlesCollected(
            now_ns,
            np.full(count, command.round, np.int64),
            np.arange(count, dtype=np.int32),
            np.full(count, sent_ns, np.int64),
            received,
        )


def made_round(
    number: int, routes: list[list[int]], size: list[int] | int = 1_000, collect_ns: int = 30 * 10**9
) -> SendParticles:
    """A round over given routes."""
    count = len(routes)
    return SendParticles(
        number,
        np.cumsum([0, *map(len, routes)]).astype(np.int64),
        np.array([station for route in routes for station in route], dtype=np.int32),
        np.full(count, size, dtype=np.int64) if isinstance(size, int) else np.array(size, dtype=np.int64),
        np.zeros(count, dtype=np.int8),
        collect_ns,
    )


def loaded(network: Network, random: np.random.Generator, peak: float, usual_bytes: float, variation: float):
    """Draw a load of all stations up to `peak`: (utilisation, others' share, wait, further time a byte), each (S,).

    Waits are the queueing formula's, times a factor that no formula knows (lognormal, a third either way).
    """
    stations = network.station_count
    is_line = network.station_role == StationRole.LINE
    own = peak * random.beta(2.0, 1.5, stations)
    others = np.where(is_line & (random.random(stations) < 0.5), 0.5 * random.random(stations), 0.0)
    cost = delay_cost(network, usual_bytes, variation, available=1 - others[network.line_station])
    wait_ns = (cost.stay_s(own) - cost.linear * cost.service_s / cost.servers).clip(0) * 1e9
    wait_ns = wait_ns * np.exp(0.3 * random.standard_normal(stations))
    more = network.station_ps_per_byte / 1_000 * others / (1 - others)
    return own + others - own * others, others, wait_ns, more


def waiting(random: np.random.Generator, network: Network, utilisation, others, wait_ns, usual_bytes: float):
    """Draw how many wait at one instant: by Little's law wait times rate in the mean, geometric as in M/M/1."""
    service_ns = network.station_fixed_ns + usual_bytes * network.station_ps_per_byte / 1_000 / (1 - others)
    busy = (utilisation - others) / (1 - others)
    mean = np.maximum(wait_ns * busy * network.station_servers / service_ns, 1e-12)
    return random.geometric(1 / (1 + mean)) - 1


def telemetry(
    network: Network,
    now_ns: int,
    utilisation,
    others,
    waiting=None,
    *,
    window_ns: int = 60 * 10**9,
    noise=None,
    up=None,
):
    """A sample of that load, 2 s late; own bytes are what the rest of the utilisation takes."""
    stations = network.station_count
    factor = 1.0 if noise is None else np.maximum(1 + 0.02 * noise.standard_normal(stations), 0)
    per_byte_ns = np.maximum(network.station_ps_per_byte, 1) / 1_000 / network.station_servers
    own = np.clip(utilisation - others, 0, 1)
    return TelemetryArrived(
        now_ns,
        now_ns - 2 * 10**9,
        window_ns,
        np.clip(utilisation * factor, 0, 1),
        np.zeros(stations, dtype=np.int64) if waiting is None else waiting,
        np.rint(own / per_byte_ns * window_ns * factor).astype(np.int64),
        np.ones(stations, dtype=bool) if up is None else up,
    )
