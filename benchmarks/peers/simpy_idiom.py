"""SimPy as its documentation writes it: a process an exchange, a `Resource` a station, timeouts, and telemetry.

The routes are given; times are integer nanoseconds, which SimPy takes as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray
from replay_workloads import Workload

from router_core.units import SECOND_NS, service_ns

Route = tuple[int, ...]
Process = Generator[simpy.Event, Any, None]


@dataclass
class Station:
    """What a visit needs to know of a station."""

    resource: simpy.Resource
    fixed_ns: int
    ps_per_byte: int
    after_ns: int
    served: int = 0


class SimpyPeer:
    """One run of a workload; `until` lets time pass.

    Parameters
    ----------
    work : Workload
    routes : list of tuple
        Station indices each exchange visits.
    """

    def __init__(self, work: Workload, routes: list[Route]) -> None:
        self.env = simpy.Environment(initial_time=0)
        self.work = work
        self.routes = routes
        self.priority: list[int] = work.exchanges.priority.tolist()
        self.stations = self.make_stations()
        self.delivered_ns = np.full(len(work), -1, dtype=np.int64)
        self.samples = 0
        self.env.process(self.source())
        self.env.process(self.telemetry())

    def run(self, until_ns: int) -> None:
        """Let time pass up to `until_ns`."""
        self.env.run(until=until_ns)

    def make_stations(self) -> list[Any]:
        return self.stations_of(lambda servers: simpy.Resource(self.env, capacity=servers))

    def stations_of(self, resource: Callable[[int], simpy.Resource]) -> list[Station]:
        network = self.work.network
        return [
            Station(resource(servers), fixed_ns, rate, after_ns)
            for servers, fixed_ns, rate, after_ns in zip(
                network.station_servers.tolist(),
                network.station_fixed_ns.tolist(),
                network.station_ps_per_byte.tolist(),
                network.station_after_ns.tolist(),
                strict=True,
            )
        ]

    def source(self) -> Process:
        """Start each exchange's process at its instant of submission."""
        env, exchanges = self.env, self.work.exchanges
        rows = zip(exchanges.submitted_ns.tolist(), exchanges.payload_bytes.tolist(), strict=True)
        for number, (submitted_ns, payload_bytes) in enumerate(rows):
            yield env.timeout(submitted_ns - env.now)
            env.process(self.exchange(number, payload_bytes))

    def exchange(self, number: int, payload_bytes: int) -> Process:
        env = self.env
        for index in self.routes[number]:
            station = self.stations[index]
            with station.resource.request() as request:
                yield request
                station.served += 1
                yield env.timeout(service_ns(station.fixed_ns, station.ps_per_byte, payload_bytes))
            if station.after_ns:
                yield env.timeout(station.after_ns)
        self.delivered_ns[number] = env.now

    def telemetry(self) -> Process:
        """Look at every station each second."""
        while True:
            yield self.env.timeout(SECOND_NS)
            self.sample(self.look())

    def look(self) -> Iterable[tuple[int, int, int]]:
        return (
            (station.resource.count, len(station.resource.queue), station.served)  # type: ignore[arg-type]
            for station in self.stations
        )

    def sample(self, rows: Iterable[tuple[int, int, int]]) -> NDArray[np.int64]:
        self.samples += 1
        return np.array(list(rows), dtype=np.int64)


class SimpyPriority(SimpyPeer):
    """`PriorityResource` at every station, not pre-emptive."""

    def make_stations(self) -> list[Station]:
        return self.stations_of(lambda servers: simpy.PriorityResource(self.env, capacity=servers))

    def exchange(self, number: int, payload_bytes: int) -> Process:
        env = self.env
        for index in self.routes[number]:
            station = self.stations[index]
            with station.resource.request(priority=self.priority[number]) as request:
                yield request
                station.served += 1
                yield env.timeout(service_ns(station.fixed_ns, station.ps_per_byte, payload_bytes))
            if station.after_ns:
                yield env.timeout(station.after_ns)
        self.delivered_ns[number] = env.now
