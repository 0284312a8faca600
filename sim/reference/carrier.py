"""How chunks move: they enter, set out, arrive, go on, are delivered; or fail, and try again, or are lost."""

from __future__ import annotations

from typing import Final

from router_core.network import Network
from router_core.transport import Transport
from router_core.vocabulary import Discipline, StationRole
from sim.data_plane import Refusal
from sim.reference.agenda import Agenda
from sim.reference.front_end import FrontEnd
from sim.reference.journey import Chunk, Exchange, Part, Particle
from sim.reference.ledger import Ledger
from sim.reference.plan_in_force import PlanInForce
from sim.reference.queue_station import QueueStation
from sim.reference.sharing_station import SharingStation
from sim.reference.station import Station

KINDS: Final[dict[int, type[Station]]] = {
    Discipline.FIFO: QueueStation,
    Discipline.PRIORITY: QueueStation,
    Discipline.SHARING: SharingStation,
}


class Carrier:
    """Carries chunks from endpoint to endpoint. What it does to a chunk is that chunk's own move.

    Parameters
    ----------
    network : Network
    transport : Transport
    agenda : Agenda
    ledger : Ledger

    Attributes
    ----------
    stations : list of Station, length S
    front_ends : dict of int to FrontEnd
        By node.
    plan : PlanInForce
    """

    def __init__(self, network: Network, transport: Transport, agenda: Agenda, ledger: Ledger) -> None:
        self._transport = transport
        self._agenda = agenda
        self._ledger = ledger
        self._node_name = network.node_name
        self._after_ns = network.station_after_ns.tolist()
        self._is_process = (network.station_role == StationRole.PROCESS).tolist()
        self._under_way: dict[int, Part] = {}
        self.plan = PlanInForce(network, None)
        self.stations = [
            KINDS[discipline](network, index, agenda, self._leave, self._fail)
            for index, discipline in enumerate(network.station_discipline.tolist())
        ]
        self.front_ends = {node: FrontEnd(network, node, agenda, self._set_out) for node in network.endpoints.tolist()}

    # How a chunk enters.

    def enter(self, chunk: Part) -> None:
        """A chunk enters: the first one of an exchange when that was submitted."""
        exchange = chunk.exchange
        if chunk.number == 0:
            self._ledger.submitted += 1
            if self.plan.ways(exchange.source, exchange.target) is None:
                self._ledger.refuse(exchange.number, Refusal.NO_ROUTE)
                return
        self.front_ends[exchange.source].enter(chunk)

    def _set_out(self, chunk: Part) -> None:
        """An admitted chunk takes its route, for the first time or once again."""
        way = self.plan.way(chunk)
        if way is None:
            self._fail(chunk)
            return
        chunk.way, chunk.hop = way, 0
        self._under_way[chunk.key] = chunk
        self._arrive(chunk)

    def send(self, particle: Particle) -> None:
        """Let a test particle set out in its move of this instant: it has its route, and needs no credit."""
        self._ledger.particles_sent += 1
        self._agenda.after(0, particle.rank, particle, self._arrive, "entry")

    # How it moves.

    def _arrive(self, chunk: Chunk) -> None:
        if isinstance(chunk, Part) and chunk.hop == 1 and chunk.number == chunk.exchange.last_sent:
            self._send_next(chunk.exchange)
        self.stations[chunk.way[chunk.hop]].arrive(chunk)

    def _send_next(self, exchange: Exchange) -> None:
        """Let the next chunk of an exchange enter at this instant, unless that was the last one or it was given up."""
        if exchange.last_sent + 1 < exchange.chunk_count and not exchange.given_up:
            exchange.last_sent += 1
            chunk = exchange.chunk(self._agenda, self._transport, exchange.last_sent)
            self._agenda.after(0, chunk.rank, chunk, self.enter, "entry")

    def _leave(self, chunk: Chunk) -> None:
        """Its service has ended."""
        station = chunk.way[chunk.hop]
        after_ns = self._after_ns[station]
        if after_ns:
            self._agenda.after(after_ns, chunk.rank, chunk, self._reach, self.stations[station].place)
        else:
            self._reach(chunk)

    def _reach(self, chunk: Chunk) -> None:
        """It has travelled; where to is looked up only now, as it may have been rerouted."""
        chunk.hop += 1
        if chunk.hop < len(chunk.way):
            self._arrive(chunk)
        else:
            self._deliver(chunk)

    def _deliver(self, chunk: Chunk) -> None:
        if isinstance(chunk, Particle):
            self._ledger.receive(chunk.number, self._agenda.now_ns)
            return
        assert isinstance(chunk, Part), "a chunk is part of an exchange, or a particle"
        exchange = chunk.exchange
        # A chunk given up is never delivered, so neither is an exchange given up, whatever else of it arrives.
        exchange.undelivered -= 1
        if exchange.undelivered == 0:
            self._ledger.deliver(exchange.number, self._agenda.now_ns)
        self._finish(chunk)

    def _finish(self, chunk: Part) -> None:
        self._under_way.pop(chunk.key, None)
        self.front_ends[chunk.exchange.source].take_back(chunk)

    # How it fails: on arrival or for want of a way in its own move; or when a station stops, before all moves.

    def _fail(self, chunk: Chunk) -> None:
        if isinstance(chunk, Particle):
            self._ledger.lose(chunk.number)
            return
        assert isinstance(chunk, Part), "a chunk is part of an exchange, or a particle"
        exchange = chunk.exchange
        chunk.failures += 1
        if chunk.failures > self._transport.retries_max:
            if not exchange.given_up:
                exchange.given_up = True
                self._ledger.refuse(exchange.number, Refusal.GAVE_UP)
            self._finish(chunk)
            return
        self._under_way.pop(chunk.key, None)
        self._ledger.try_again(exchange.number)
        backoff_ns = self._transport.backoff(chunk.failures)
        self._agenda.after(backoff_ns, chunk.rank, chunk, self._try_again, f"node {self._node_name[exchange.source]}")

    def _try_again(self, chunk: Part) -> None:
        self._ledger.retrying -= 1
        self._set_out(chunk)

    # How a plan changes.

    def set_plan(self, plan: PlanInForce, *, reroute: bool) -> None:
        """Put a plan in force, before all moves; raises `BadInputError`, and then changes nothing."""
        under_way = list(self._under_way.values()) if reroute else []
        # By endpoints, so that of several pairs without a lawful way all planes name the same one.
        under_way.sort(key=lambda chunk: (chunk.exchange.source, chunk.exchange.target))
        turns = [(chunk, self._turn(chunk, plan)) for chunk in under_way]
        for chunk, turn in turns:
            if turn is not None:
                chunk.way, chunk.hop = turn
        self.plan = plan

    def _turn(self, chunk: Part, plan: PlanInForce) -> tuple[tuple[int, ...], int] | None:
        """Return the new way and the place on it where the chunk is, `None` if it is on none."""
        way = plan.way(chunk)
        if way is not None:
            here, processed = chunk.way[chunk.hop], self._processed(chunk.way, chunk.hop)
            for hop, station in enumerate(way):
                if station == here and self._processed(way, hop) == processed:
                    return way, hop
        return None

    def _processed(self, way: tuple[int, ...], hop: int) -> int:
        """How many processing stations a way has passed at a place on it."""
        return sum(self._is_process[station] for station in way[: hop + 1])
