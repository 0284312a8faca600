"""Faults in SimPy: a station that stops interrupts every process that waits or is served there; they try again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import simpy
from replay_workloads import Outage, Workload

from peers.simpy_idiom import Process, Route, SimpyPeer, Station
from router_core.transport import Transport
from router_core.units import service_ns


class StoppingStation:
    """A station with the processes that are in it."""

    def __init__(self, station: Station) -> None:
        self.resource = station.resource
        self.fixed_ns = station.fixed_ns
        self.ps_per_byte = station.ps_per_byte
        self.after_ns = station.after_ns
        self.served = 0
        self.up = True
        self.inside: set[simpy.Process] = set()

    def stop(self) -> None:
        self.up = False
        for process in self.inside:
            process.interrupt()
        self.inside.clear()


class SimpyFaults(SimpyPeer):
    """Stations stop and return; an exchange that fails backs off, and goes over its next way.

    Parameters
    ----------
    work : Workload
    attempts : list of tuple
        The ways of each exchange, for its first attempt, its second, and so on, round and round.
    outages : tuple of Outage
    transport : Transport
    """

    def __init__(
        self, work: Workload, attempts: list[tuple[Route, ...]], outages: tuple[Outage, ...], transport: Transport
    ) -> None:
        super().__init__(work, [])
        self.attempts = attempts
        self.transport = transport
        self.retries = 0
        for outage in outages:
            self.env.process(self.outage(outage))

    def make_stations(self) -> list[Any]:
        return [StoppingStation(station) for station in super().make_stations()]

    def outage(self, outage: Outage) -> Process:
        station = self.stations[outage.station]
        yield self.env.timeout(outage.from_ns)
        station.stop()
        yield self.env.timeout(outage.until_ns - outage.from_ns)
        station.up = True

    def exchange(self, number: int, payload_bytes: int) -> Process:
        env, failures = self.env, 0
        routes = self.attempts[number]
        me = env.active_process
        assert me is not None
        while True:
            for index in routes[failures % len(routes)]:
                station = self.stations[index]
                if not station.up:
                    break
                station.inside.add(me)
                try:
                    with station.resource.request() as request:
                        yield request
                        station.served += 1
                        yield env.timeout(service_ns(station.fixed_ns, station.ps_per_byte, payload_bytes))
                except simpy.Interrupt:
                    break
                station.inside.remove(me)
                if station.after_ns:
                    yield env.timeout(station.after_ns)
            else:
                self.delivered_ns[number] = env.now
                return
            failures += 1
            self.retries += 1
            yield env.timeout(self.transport.backoff(failures))

    def look(self) -> Iterable[tuple[int, int, int]]:
        return ((station.resource.count, len(station.resource.queue), station.served) for station in self.stations)
