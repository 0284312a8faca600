"""A loaded platform with test particles on the compiled plane, and what its stations' stays truly are.

The demand is that of the scenario's busiest hour, pair by pair, scaled so that the busiest station is used as wanted
under `ecmp`; other users load the lines as they do. The truth is Little's law: the mean number of exchanges that wait
at a station, sampled each second, by its rate of services begun, is the mean wait; service, stretched by other users,
and propagation are added for the usual size. A particle meets that too if exchanges come independently of one another,
so they do: by Poisson, each whole, of exponential sizes. (Of a generated trace Little's law tells another thing: most
chunks are parts of large files and wait for those before them of the same file, which no particle does.) All travel in
one class, as stations count those who wait of all classes together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

import scenarios
from router_core.equal_cost import EqualCostPlan
from router_core.exchanges import DTYPES, FIELDS, NO_DEADLINE, NO_LABEL, Exchanges
from router_core.link_state import LinkState
from router_core.loads import utilisation
from router_core.paths.capacity import platform_capacity
from router_core.paths.path_set import PathSet
from router_core.paths.route_space import space_of_network
from router_core.paths.survivable import choose_paths
from router_core.platform import Platform
from router_core.randomness import stream
from router_core.units import MINUTE_NS, SECOND_NS
from sim.compiled_plane import CompiledPlane
from sim.other_users import OtherUsers
from sim.particle_rounds import ParticleRounds
from sim.telemetry import Sampler, TelemetryConfig
from strategies.brain import SendParticles, SetPlan
from strategies.particles.estimator_setting import EstimatorSetting
from strategies.particles.probe_plan import ProbePlanner
from strategies.particles.probe_setting import ProbeSetting
from strategies.particles.tomography import LinkStateEstimator
from traces.demand import busiest_hour, hour_demand
from traces.workload import build_workload

DAY = date(2026, 3, 18)


@dataclass(frozen=True)
class ParticleWorld:
    """Which platform at which load, how long it runs in, and how long it is measured."""

    scenario: str
    utilisation: float
    hour: int
    warm_up_minutes: int
    minutes: int
    mean_bytes: float = 500_000.0
    exchanges_per_day: int | None = None

    @cached_property
    def platform(self) -> Platform:
        return scenarios.load(self.scenario)

    @cached_property
    def paths(self) -> PathSet:
        network = self.platform.network
        return choose_paths(space_of_network(network), platform_capacity(network), 4)

    def trace(self, seed: int) -> Exchanges:
        """Exchanges for the whole run, ordered by submission."""
        network = self.platform.network
        workload = build_workload(self.platform, self.exchanges_per_day)
        hourly = hour_demand(workload, None, busiest_hour(workload))
        demand = replace(hourly, exchanges_per_s=hourly.bytes_per_s / self.mean_bytes)
        available = 1 - self.platform.background.mean_fraction(self.hour + 0.5, working_day=True)
        peak = utilisation(network, EqualCostPlan(network), demand, available).max()
        random = stream(seed, "particle-world")
        mean = demand.exchanges_per_s * (self.utilisation / peak) * (self.span_ns / SECOND_NS)
        row = np.repeat(np.arange(len(mean)), random.poisson(mean))
        random.shuffle(row)
        count = len(row)
        size = np.maximum(np.rint(random.exponential(self.mean_bytes, count)), 1)
        submitted = np.sort(random.integers(0, self.span_ns, count))
        given = {"submitted_ns": submitted, "source": demand.source[row], "target": demand.target[row]}
        values = {"payload_bytes": size, "deadline_ns": NO_DEADLINE, "demand_type": NO_LABEL, "surge": NO_LABEL} | given
        return Exchanges(**{name: np.full(count, values.get(name, 0), dtype=DTYPES[name]) for name in FIELDS})

    @property
    def span_ns(self) -> int:
        return (self.warm_up_minutes + self.minutes) * MINUTE_NS


@dataclass(frozen=True)
class Measured:
    """Stays [ns] and loads of all stations, estimates by what they rest on, and what was sent."""

    stay_ns: NDArray[np.float64]
    load: NDArray[np.float64]
    served: NDArray[np.int64]
    states: dict[str, LinkState]
    resolution: dict[str, NDArray[np.float64]]
    particle_bytes: int
    traffic_bytes: int
    particles: int
    lost: int

    def error(self, name: str, rows: NDArray[np.bool_]) -> float:
        """Median relative error of stays at these stations."""
        return float(np.median(np.abs(self.states[name].stay_ns / self.stay_ns - 1)[rows])) if rows.any() else np.nan


def measure(world: ParticleWorld, setting: ProbeSetting, estimator: EstimatorSetting, seed: int) -> Measured:
    """Run it; the estimators see what a brain would."""
    network = world.platform.network
    trace = world.trace(seed)
    estimator = replace(estimator, usual_bytes=world.mean_bytes, squared_variation=1.0)
    estimators = {name: LinkStateEstimator(network, estimator) for name in ("telemetry", "particles", "both")}
    planner = ProbePlanner(network, world.paths, setting, seed)
    plane = CompiledPlane(network)
    plane.apply(SetPlan(EqualCostPlan(network)))
    plane.submit(trace)
    rounds = ParticleRounds(plane)
    start = datetime.combine(DAY, time(world.hour))
    others = OtherUsers(network, world.platform.background, start, seed)
    sampler = Sampler(network, TelemetryConfig(), seed)
    still = np.zeros(network.station_count, dtype=np.int64)
    up = np.ones(network.station_count, dtype=np.bool_)
    waiting = np.zeros(network.station_count)
    taken, looks, sent_bytes = np.zeros(network.line_count), 0, 0
    due: list[tuple[int, SendParticles]] = []
    first = None
    for now_ns in range(0, world.span_ns + 1, SECOND_NS):
        plane.advance(now_ns)
        if now_ns % MINUTE_NS == 0:
            plane.apply(others.step(now_ns))
        shot = plane.snapshot()
        if now_ns >= world.warm_up_minutes * MINUTE_NS:
            first = first or shot
            waiting += shot.waiting
            taken += others.fraction
            looks += 1
        if now_ns % MINUTE_NS == 0:
            sample = sampler.sample(shot, others.fraction, still, up)
            for name in ("telemetry", "both") if sample else ():
                estimators[name].observe_telemetry(sample[1])
        while due and due[0][0] <= now_ns:
            event = rounds.collect(due.pop(0)[1].round, now_ns)
            for name in ("particles", "both"):
                estimators[name].observe_particles(event)
                estimators[name].state(now_ns + 10 * SECOND_NS)
        command = planner.next_round(now_ns)
        if command is not None and now_ns + command.collect_ns <= world.span_ns:
            rounds.send(command, now_ns)
            due.append((now_ns + command.collect_ns, command))
            sent_bytes += int(command.payload_bytes.sum())
            for name in ("particles", "both"):
                estimators[name].sent(command, now_ns)
    assert first is not None
    served = shot.served - first.served
    seconds = (shot.now_ns - first.now_ns) / SECOND_NS
    wait_ns = np.divide(waiting / looks * seconds * 1e9, served, out=np.zeros(len(served)), where=served > 0)
    left = np.ones(network.station_count)
    left[network.line_station] = 1 - taken / looks
    service_ns = network.station_fixed_ns + estimator.usual_bytes * network.station_ps_per_byte / 1_000 / left
    return Measured(
        stay_ns=service_ns + network.station_after_ns + wait_ns,
        load=(shot.busy_ns - first.busy_ns) / (seconds * 1e9 * network.station_servers),
        served=served,
        states={name: one.state(world.span_ns + 10 * SECOND_NS) for name, one in estimators.items()},
        resolution={name: one.resolution for name, one in estimators.items()},
        particle_bytes=sent_bytes,
        traffic_bytes=int(trace.payload_bytes.sum()),
        particles=shot.particles_sent,
        lost=shot.particles_lost,
    )
