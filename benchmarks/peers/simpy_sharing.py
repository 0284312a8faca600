"""Processor sharing in SimPy: a process a line that is interrupted when somebody joins, as SimPy has no such resource.

It keeps its clients in a heap by the virtual time at which they are done, so an arrival costs a logarithm and not a
walk over all clients: better than the usual recipe, and in the peer's favour.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush
from math import ceil

import simpy

from peers.simpy_idiom import Process, SimpyPeer, Station
from router_core.units import service_ns
from router_core.vocabulary import Discipline


class SharedLine:
    """A line whose clients each get an equal share; times are floats, as shares are."""

    def __init__(self, env: simpy.Environment, fixed_ns: int, ps_per_byte: int, after_ns: int) -> None:
        self.env = env
        self.fixed_ns = fixed_ns
        self.ps_per_byte = ps_per_byte
        self.after_ns = after_ns
        self.served = 0
        self.virtual = 0.0
        self.seen_ns = 0
        self.clients: list[tuple[float, int, simpy.Event]] = []
        self.process = env.process(self.serve())

    def join(self, work_ns: int) -> simpy.Event:
        """Return an event that happens when the client is done."""
        self.pass_time()
        self.served += 1
        done = self.env.event()
        heappush(self.clients, (self.virtual + work_ns, self.served, done))
        self.process.interrupt()
        return done

    def pass_time(self) -> None:
        if self.clients:
            self.virtual += (self.env.now - self.seen_ns) / len(self.clients)
        self.seen_ns = int(self.env.now)

    def serve(self) -> Process:
        env = self.env
        while True:
            try:
                if not self.clients:
                    yield env.event()
                rest = max(0.0, self.clients[0][0] - self.virtual)
                # Whole nanoseconds, not before the work is done.
                yield env.timeout(ceil(rest * len(self.clients) - 1e-3))
                self.pass_time()
                _, _, done = heappop(self.clients)
                done.succeed()
            except simpy.Interrupt:
                pass


class SimpySharing(SimpyPeer):
    """Lines are shared; nodes are first come, first served, with a `Resource`."""

    def make_stations(self) -> list[Station | SharedLine]:
        network = self.work.network
        shared = (network.station_discipline == Discipline.SHARING).tolist()
        return [
            SharedLine(self.env, station.fixed_ns, station.ps_per_byte, station.after_ns) if is_shared else station
            for is_shared, station in zip(shared, super().make_stations(), strict=True)
        ]

    def exchange(self, number: int, payload_bytes: int) -> Process:
        env = self.env
        for index in self.routes[number]:
            station = self.stations[index]
            work_ns = service_ns(station.fixed_ns, station.ps_per_byte, payload_bytes)
            if isinstance(station, SharedLine):
                yield station.join(work_ns)
            else:
                with station.resource.request() as request:
                    yield request
                    station.served += 1
                    yield env.timeout(work_ns)
            if station.after_ns:
                yield env.timeout(station.after_ns)
        self.delivered_ns[number] = env.now

    def look(self) -> Iterable[tuple[int, int, int]]:
        return (
            (len(station.clients), 0, station.served)
            if isinstance(station, SharedLine)
            else (station.resource.count, len(station.resource.queue), station.served)
            for station in self.stations
        )
