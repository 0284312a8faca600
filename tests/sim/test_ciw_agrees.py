"""Ciw, a queueing simulator of others' making, delivers each exchange of a small network when the data plane does.

Each station is a Ciw node; the delay after it is one more, with a server for everybody. Ciw's times are floats that
hold whole nanoseconds exactly, so where nothing is shared the instants are equal; shares are rounded up by us alone.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from made_networks import DrawnPlan, Grain, drawn_network, exchanges

from router_core.exchanges import Exchanges
from router_core.network import Network, frozen
from router_core.units import MS_NS, service_ns
from router_core.vocabulary import Discipline, StationRole
from sim.compiled_plane import CompiledPlane
from sim.data_plane import DataPlane
from sim.reference_plane import ReferencePlane
from sim.ways import ways
from strategies.brain import SetPlan

ciw = pytest.importorskip("ciw", reason="Ciw is in the `bench` extra, which `make bench` installs")

EXCHANGES = 400
CLASSES = 3
END_NS = 10**12
# Coarse enough that everybody queues, and with sizes to the byte, so that nothing is simultaneous.
GRAIN = Grain(grid_ns=MS_NS, fixed_max=3, rates_ps=(20_000, 50_000, 80_000), servers_max=3)


def made_case(seed: int, discipline: Discipline) -> tuple[Network, Exchanges, DrawnPlan]:
    """A drawn network whose stations have the discipline; lines alone are shared."""
    random = Random(seed)
    network = drawn_network(random, grain=GRAIN)
    concerned = network.station_role == StationRole.LINE
    if discipline != Discipline.SHARING:
        concerned |= True
    network = replace(
        network, station_discipline=frozen(np.where(concerned, discipline, Discipline.FIFO).astype(np.int8), np.int8)
    )
    draws = np.random.default_rng(seed)
    ends = np.array([draws.choice(network.endpoints, 2, replace=False) for _ in range(EXCHANGES)])
    batch = exchanges(
        np.cumsum(draws.exponential(3 * MS_NS, EXCHANGES)).astype(np.int64),
        ends[:, 0],
        ends[:, 1],
        draws.integers(1, 100_000, EXCHANGES),
        priority=draws.integers(0, CLASSES, EXCHANGES),
    )
    return network, batch, DrawnPlan(random, network)


def delivered_by_ciw(network: Network, batch: Exchanges, routes: list[tuple[int, ...]]) -> np.ndarray:
    """Instants of delivery [ns]."""
    stations = network.station_count
    shared = network.station_discipline == Discipline.SHARING
    by_class = bool((network.station_discipline == Discipline.PRIORITY).any())
    classes = [f"class {rank}" for rank in range(CLASSES)] if by_class else ["all"]
    rank = batch.priority if by_class else np.zeros(len(batch), dtype=np.int8)

    class Visit(ciw.dists.Distribution):
        """What a station takes for an individual, whose number is that of its exchange."""

        def __init__(self, station: int) -> None:
            self.station = station

        def sample(self, t=None, ind=None):
            fixed_ns = int(network.station_fixed_ns[self.station])
            rate = int(network.station_ps_per_byte[self.station])
            return float(service_ns(fixed_ns, rate, int(batch.payload_bytes[ind.id_number - 1])))

    def gaps(name: int, station: int):
        """Arrivals of a class from outside: exchanges that begin at a station."""
        mine = batch.submitted_ns[(rank == name) & (network.node_station[batch.source] == station)]
        if len(mine) == 0:
            return None
        return ciw.dists.Sequential([*np.diff(mine, prepend=0).astype(float).tolist(), float("inf")])

    def onward(ind, simulation):
        """Nodes after the first: a station's number is one more than its index, its delay's lies beyond all those."""
        visits = [node for index in routes[ind.id_number - 1] for node in (index + 1, stations + index + 1)]
        return visits[1:]

    system = ciw.create_network(
        arrival_distributions={
            name: [gaps(position, station) for station in range(stations)] + [None] * stations
            for position, name in enumerate(classes)
        },
        service_distributions={
            name: [Visit(station) for station in range(stations)]
            + [ciw.dists.Deterministic(float(after_ns)) for after_ns in network.station_after_ns]
            for name in classes
        },
        number_of_servers=[
            float("inf") if is_shared else int(servers)
            for is_shared, servers in zip(shared, network.station_servers, strict=True)
        ]
        + [float("inf")] * stations,
        ps_thresholds=[int(servers) for servers in network.station_servers] + [1] * stations,
        priority_classes={name: position for position, name in enumerate(classes)},
        routing={name: ciw.routing.ProcessBased(onward) for name in classes},
    )
    node_class = [ciw.PSNode if is_shared else ciw.Node for is_shared in shared] + [ciw.Node] * stations
    simulation = ciw.Simulation(system, node_class=node_class)
    simulation.simulate_until_max_time(float(END_NS))
    delivered = np.full(len(batch), -1.0)
    for record in simulation.get_all_records():
        delivered[record.id_number - 1] = max(delivered[record.id_number - 1], record.exit_date)
    return delivered


def delivered_by(plane: DataPlane, batch: Exchanges, plan: DrawnPlan) -> np.ndarray:
    plane.apply(SetPlan(plan))
    plane.submit(batch)
    plane.advance(END_NS)
    return plane.outcome().delivered_ns


@pytest.mark.parametrize("discipline", list(Discipline), ids=lambda discipline: discipline.name.lower())
def test_ciw_delivers_when_we_do(discipline):
    network, batch, plan = made_case(7, discipline)
    routes, alone_ns = [], np.zeros(len(batch), dtype=np.int64)
    for number, (source, target) in enumerate(zip(batch.source.tolist(), batch.target.tolist(), strict=True)):
        found = ways(network, plan, source, target)
        routes.append(found.routes[found.choice.pick(number)])
        on_way, size = list(routes[-1]), int(batch.payload_bytes[number])
        takes_ns = service_ns(network.station_fixed_ns[on_way], network.station_ps_per_byte[on_way], size)
        alone_ns[number] = (takes_ns + network.station_after_ns[on_way]).sum()
    theirs = delivered_by_ciw(network, batch, routes)
    assert (theirs - batch.submitted_ns).mean() > 1.2 * alone_ns.mean(), "exchanges must get in each other's way"
    for plane in (CompiledPlane(network), ReferencePlane(network)):
        ours = delivered_by(plane, batch, plan)
        rounding_ns = 1_000 if discipline == Discipline.SHARING else 0
        np.testing.assert_allclose(theirs, ours, rtol=0, atol=rounding_ns)
