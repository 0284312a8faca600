"""The reference data plane, behind the contract that all data planes keep."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from router_core.exchanges import Exchanges
from router_core.network import Network
from router_core.transport import Transport
from sim.data_plane import (
    Collected,
    Outcome,
    PlaneCommand,
    SetStationServers,
    SetStationService,
    SetStationUp,
    Snapshot,
)
from sim.particle_checks import ParticleCheck
from sim.plane_checks import check_batch, check_command
from sim.reference.agenda import Agenda
from sim.reference.carrier import Carrier
from sim.reference.journey import Exchange, Part, Particle
from sim.reference.ledger import Ledger
from sim.reference.plan_in_force import PlanInForce
from sim.reference.station import Station
from strategies.brain import SendParticles, SetPlan

Row = tuple[int, int, int, int, int, int]


class ReferencePlane:
    """`DataPlane` in SimPy.

    Parameters
    ----------
    network : Network
    transport : Transport, optional

    Attributes
    ----------
    stations : list of Station, length S
        To be looked at, as the whole plane is.
    """

    def __init__(self, network: Network, transport: Transport | None = None) -> None:
        self._network = network
        self._transport = transport or Transport()
        self._agenda = Agenda()
        self._ledger = Ledger()
        self._carrier = Carrier(network, self._transport, self._agenda, self._ledger)
        self._particle_check = ParticleCheck(network)
        self.stations = self._carrier.stations
        self._batches: deque[Iterator[Row]] = deque()
        self._expecting = False
        self._last_ns = 0

    # The contract.

    def submit(self, batch: Exchanges) -> None:
        """Hand over exchanges; raises `BadInputError` naming the first row that breaks a rule."""
        first_id = len(self._ledger)
        check_batch(self._network, batch, first_id, max(self._last_ns, self._agenda.now_ns))
        if len(batch) == 0:
            return
        self._last_ns = int(batch.submitted_ns[-1])
        self._ledger.open(len(batch))
        self._batches.append(_rows(first_id, batch))
        if not self._expecting:
            self._expect_next()

    def advance(self, until_ns: int) -> None:
        """Let everything happen that happens before `until_ns`."""
        now_ns = self._agenda.now_ns
        if until_ns < now_ns:
            raise ValueError(f"time never runs back: asked for {until_ns} ns at {now_ns} ns")
        if until_ns > now_ns:
            self._agenda.run(until=until_ns)

    def apply(self, command: PlaneCommand) -> None:
        """Carry out a command now; a plan with a bad way is refused when that way is asked for."""
        check_command(self._network, command)
        stations = self.stations
        match command:
            case SetPlan(plan, reroute):
                self._carrier.set_plan(PlanInForce(self._network, plan), reroute=reroute)
            case SetStationService(station, fixed_ns, ps_per_byte):
                rows = zip(station.tolist(), fixed_ns.tolist(), ps_per_byte.tolist(), strict=True)
                for index, fixed, rate in rows:
                    stations[index].set_service(fixed, rate)
            case SetStationServers(station, servers):
                for index, count in zip(station.tolist(), servers.tolist(), strict=True):
                    stations[index].set_servers(count)
            case SetStationUp(station, up):
                for index, is_up in zip(station.tolist(), up.tolist(), strict=True):
                    stations[index].set_up(is_up)

    def send(self, particles: SendParticles) -> int:
        """Send test particles now; raises `BadInputError` naming the first one that breaks a rule."""
        first = self._ledger.particles_sent
        self._particle_check.check(particles, first)
        stations, start = particles.route_station.tolist(), particles.route_start.tolist()
        rows = zip(start[:-1], start[1:], particles.payload_bytes.tolist(), particles.priority.tolist(), strict=True)
        for number, (begin, end, payload_bytes, priority) in enumerate(rows, first):
            self._carrier.send(Particle(self._agenda, number, tuple(stations[begin:end]), payload_bytes, priority))
        return first

    def collect(self) -> Collected:
        """Return the particles that have come or were lost since this was last asked, and forget them."""
        return self._ledger.collect()

    def snapshot(self) -> Snapshot:
        """Return the state of all stations now.

        Raises
        ------
        OverflowError
            If the server time of a station passes 2**63 ns; the plane goes on.
        """
        ledger = self._ledger
        for station in self.stations:
            if station.busy_ns >= 2**63:
                raise OverflowError(f"server time beyond 2**63 ns at {station.place}")

        def column(read: Callable[[Station], int]) -> NDArray[np.int64]:
            return np.array([read(station) for station in self.stations], dtype=np.int64)

        return Snapshot(
            now_ns=self._agenda.now_ns,
            busy_ns=column(lambda station: station.busy_ns),
            waiting=column(lambda station: station.waiting),
            served=column(lambda station: station.served),
            served_bytes=column(lambda station: station.served_bytes),
            spilled=column(lambda station: station.spilled),
            failed=column(lambda station: station.failed),
            submitted=ledger.submitted,
            delivered=ledger.delivered,
            refused=ledger.refused,
            held=sum(front_end.held for front_end in self._carrier.front_ends.values()),
            retrying=ledger.retrying,
            particles_sent=ledger.particles_sent,
            particles_received=ledger.particles_received,
            particles_lost=ledger.particles_lost,
        )

    def outcome(self) -> Outcome:
        """Return what became of every exchange handed over so far."""
        return self._ledger.outcome()

    # Entries are chained: each puts the next one on the agenda, which so holds one of them at a time.

    def _expect_next(self) -> None:
        row = None
        while row is None and self._batches:
            row = next(self._batches[0], None)
            if row is None:
                self._batches.popleft()
        self._expecting = row is not None
        if row is not None:
            number, submitted_ns, source, target, payload_bytes, priority = row
            chunk_count = self._transport.chunk_count(payload_bytes)
            exchange = Exchange(number, source, target, payload_bytes, priority, chunk_count)
            first = exchange.chunk(self._agenda, self._transport, 0)
            self._agenda.after(submitted_ns - self._agenda.now_ns, first.rank, first, self._enter, "entry")

    def _enter(self, first: Part) -> None:
        self._expect_next()
        self._carrier.enter(first)


def _rows(first_id: int, batch: Exchanges) -> Iterator[Row]:
    """Yield id, instant, source, target, size and class of each exchange, as Python's integers."""
    columns = (batch.submitted_ns, batch.source, batch.target, batch.payload_bytes, batch.priority)
    lists = [column.tolist() for column in columns]
    yield from zip(range(first_id, first_id + len(batch)), *lists, strict=True)
