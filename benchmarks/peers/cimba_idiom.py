"""Cimba (the PyPI package) as its documentation writes it: a model spawned an exchange, a `Resource` a station.

"The resource version is natural when each process carries its own path through the model", say its documents. Model
code is compiled before the clock starts; the time is that of the native engine alone, without the copying of inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cimba as cb
import numpy as np
from cimba import inputs
from interleaved import DRAIN_NS, Done
from replay_workloads import Workload

from router_core.units import SECOND_NS, service_ns


class CimbaStation(cb.Model):
    after_ns: float
    servers: cb.Resource


class CimbaExchange(cb.Model):
    network: cb.Ref[CimbaNetwork]
    number: int

    @cb.process
    def travel(self) -> None:
        network = self.network
        for visit in range(network.first_visit[self.number], network.first_visit[self.number + 1]):
            station = network.stations[network.visit_station[visit]]
            station.servers.acquire()
            cb.hold(network.visit_ns[visit])
            station.servers.release()
            if station.after_ns > 0.0:
                cb.hold(station.after_ns)
        network.delivered += 1
        network.completion_ns += cb.now() - network.submitted_ns[self.number]
        cb.release(self)


class CimbaNetwork(cb.Model):
    """Times are float nanoseconds: whole numbers below 2**53, so they stay exact."""

    stations: list[CimbaStation]
    gap_ns: cb.Input[float]
    submitted_ns: cb.Array[float]
    first_visit: cb.Array[int]
    visit_station: cb.Array[int]
    visit_ns: cb.Array[float]
    delivered: cb.Output[float] = 0.0
    completion_ns: cb.Output[float] = 0.0
    free: cb.Output[float] = 0.0

    @cb.process
    def source(self) -> None:
        for number in range(len(self.submitted_ns)):
            cb.hold(self.gap_ns.next())
            cb.spawn(CimbaExchange, network=self, number=number)

    @cb.process
    def telemetry(self) -> None:
        while True:
            cb.hold(1e9)
            self.free = 0.0
            for index in range(len(self.stations)):
                self.free += self.stations[index].servers.available()


def cimba_peer(work: Workload) -> Callable[[], Done]:
    """Return a peer that runs the whole workload, each time on an empty network."""
    assert SECOND_NS == 1e9, "telemetry holds a literal"
    network, exchanges, routes = work.network, work.exchanges, work.routes
    lengths = [len(route) for route in routes]
    station = np.fromiter((index for route in routes for index in route), dtype=np.int64)
    fixed_ns, rate = network.station_fixed_ns[station], network.station_ps_per_byte[station]
    payload: Any = np.repeat(exchanges.payload_bytes, lengths)
    visit_ns = service_ns(fixed_ns, rate, payload)
    model = CimbaNetwork()
    stations = []
    for servers, after_ns in zip(network.station_servers.tolist(), network.station_after_ns.tolist(), strict=True):
        one = CimbaStation()
        one.servers = cb.Resource(capacity=servers)
        one.after_ns = float(after_ns)
        stations.append(one)
    model.stations = stations
    model.gap_ns = inputs.trace(np.diff(exchanges.submitted_ns, prepend=0).astype(float))
    model.submitted_ns = cb.Array(exchanges.submitted_ns.astype(float).tolist())
    model.first_visit = cb.Array(np.concatenate(([0], np.cumsum(lengths))).tolist())
    model.visit_station = cb.Array(station.tolist())
    model.visit_ns = cb.Array(visit_ns.astype(float).tolist())
    window = cb.Window(duration=float(exchanges.submitted_ns[-1] + DRAIN_NS))
    experiment = cb.Experiment(model, window=window, seed=1)

    def run() -> Done:
        results = experiment.run(workers=1)
        assert not results.failed.any(), results.failure_reasons
        found = results[model]
        delivered, completion_ns = (int(values.values.item()) for values in (found.delivered, found.completion_ns))
        return Done(len(work), results.meta["native_wall_time"], delivered, completion_ns, results)

    return run
