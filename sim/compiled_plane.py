"""The compiled data plane: `DataPlane` on the engine of `router_core`."""

from __future__ import annotations

from operator import itemgetter
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from router_core.engine import Engine, Run
from router_core.errors import BadInputError
from router_core.exchanges import Exchanges
from router_core.network import Network
from router_core.plan import EndpointPlan, Plan, Trunk, route
from router_core.transport import Transport
from router_core.vocabulary import StationRole
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
from sim.ways import checked_choice
from strategies.brain import SendParticles, SetPlan

# Between two stretches of so many events signals are looked at: a stretch takes some hundredths of a second.
EVENTS_A_STRETCH: Final = 500_000
NO_PLACE: Final = -1

Scalar = TypeVar("Scalar", bound=np.generic)


class _Taken(NamedTuple):
    """A choice, without the trunks that have no weight: which are left, and their weights."""

    trunks: tuple[Trunk, ...]
    positions: list[int]
    weights: list[int]


# What a plan chooses for two groups of endpoints.
_Chosen = dict[tuple[int, int], _Taken | None]


class CompiledPlane:
    """`DataPlane`, compiled; the same integers as `ReferencePlane`.

    Parameters
    ----------
    network : Network
    transport : Transport, optional
    """

    def __init__(self, network: Network, transport: Transport | None = None) -> None:
        self._network = network
        transport = transport or Transport()
        self._engine = Engine(
            {
                "servers": network.station_servers.copy(),
                "fixed_ns": network.station_fixed_ns.copy(),
                "ps_per_byte": network.station_ps_per_byte.copy(),
                "after_ns": network.station_after_ns.copy(),
                "discipline": network.station_discipline.copy(),
                "buffer_bytes": network.station_buffer_bytes.copy(),
                "spill_fixed_ns": network.station_spill_fixed_ns.copy(),
                "spill_ps_per_byte": network.station_spill_ps_per_byte.copy(),
                "processes": (network.station_role == StationRole.PROCESS).astype(np.int8),
            },
            network.node_credit_bytes.copy(),
            network.node_credit_return_ns.copy(),
            chunk_bytes=transport.chunk_bytes,
            retries_max=transport.retries_max,
            backoff_ns=transport.backoff_ns,
            backoff_ns_max=transport.backoff_ns_max,
        )
        self._particle_check = ParticleCheck(network)
        self._sent = 0
        self._plan: Plan | None = None
        self._places: dict[tuple[int, ...], int] = {}
        # Of each pair the trunks it had last and where they stand: plans of one brain differ by their weights alone.
        self._places_of: dict[int, tuple[tuple[Trunk, ...], list[int]]] = {}
        # Of two groups of endpoints the trunks that were checked last: all endpoints of a group have the same homes.
        self._checked: dict[tuple[int, int], tuple[Trunk, ...]] = {}
        self._chosen = _chosen(None)
        self._group: list[int] = network.node_group.tolist()
        self._last_ns = 0

    def submit(self, batch: Exchanges) -> None:
        """Hand over exchanges; raises `BadInputError` naming the first row that breaks a rule."""
        engine = self._engine
        check_batch(self._network, batch, engine.handed_over, max(self._last_ns, engine.now_ns))
        if len(batch) == 0:
            return
        pair = np.empty(len(batch), dtype=np.int32)
        engine.pairs(np.ascontiguousarray(batch.source), np.ascontiguousarray(batch.target), pair)
        engine.submit(
            np.ascontiguousarray(batch.submitted_ns),
            pair,
            np.ascontiguousarray(batch.payload_bytes),
            np.ascontiguousarray(batch.priority),
        )
        self._last_ns = int(batch.submitted_ns[-1])

    def advance(self, until_ns: int) -> None:
        """Let everything happen that happens before `until_ns`.

        Raises
        ------
        OverflowError
            If an instant passes 2**62 ns; the plane can do nothing more then.
        """
        engine = self._engine
        if until_ns < engine.now_ns:
            raise ValueError(f"time never runs back: asked for {until_ns} ns at {engine.now_ns} ns")
        try:
            while (how := engine.run(until_ns, EVENTS_A_STRETCH)) != Run.DONE:
                if how == Run.WANTS_WAYS:
                    self._bind_wanted(engine.wanted(until_ns))
        except OverflowError as error:
            raise self._beyond(error) from None

    def apply(self, command: PlaneCommand) -> None:
        """Carry out a command now."""
        engine = self._engine
        check_command(self._network, command)
        try:
            match command:
                case SetPlan(plan, reroute):
                    # All ways first: a plan that is refused leaves the old one in force.
                    # By endpoints, so that of several pairs without a lawful way all planes name the same one.
                    under_way = sorted(engine.under_way(), key=itemgetter(1, 2)) if reroute else []
                    chosen = _chosen(plan)
                    found = [(*ends, self._choice(*ends[1:], plan, chosen)) for ends in under_way]
                    self._plan, self._chosen = plan, chosen
                    engine.forget_ways()
                    for pair, source, target, taken in found:
                        self._bind(pair, source, target, taken)
                    if reroute:
                        engine.reroute()
                case SetStationService(station, fixed_ns, ps_per_byte):
                    engine.set_service(_own(station), _own(fixed_ns), _own(ps_per_byte))
                case SetStationServers(station, servers):
                    engine.set_servers(_own(station), _own(servers))
                case SetStationUp(station, up):
                    engine.set_up(_own(station), up.astype(np.uint8))
        except OverflowError as error:
            raise self._beyond(error) from None

    def send(self, particles: SendParticles) -> int:
        """Send test particles now; raises `BadInputError` naming the first one that breaks a rule."""
        first, count = self._sent, len(particles.payload_bytes)
        self._particle_check.check(particles, first)
        if count:
            self._engine.send(
                np.ascontiguousarray(particles.route_start),
                np.ascontiguousarray(particles.route_station),
                np.ascontiguousarray(particles.payload_bytes),
                np.ascontiguousarray(particles.priority),
            )
            self._sent += count
        return first

    def collect(self) -> Collected:
        """Return the particles that have come or were lost since this was last asked, and forget them."""
        count = self._engine.ended
        number, received_ns = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
        self._engine.collect(number, received_ns)
        order = number.argsort()
        return Collected(number[order], received_ns[order])

    def snapshot(self) -> Snapshot:
        """Return the state of all stations now.

        Raises
        ------
        OverflowError
            If the server time of a station passes 2**63 ns; the plane goes on.
        """
        table = np.empty((6, self._network.station_count), dtype=np.int64)
        try:
            submitted, delivered, refused, held, retrying, *particles = self._engine.snapshot(table)
        except OverflowError as error:
            raise OverflowError(f"server time beyond 2**63 ns at {self._station(error)}") from None
        busy_ns, waiting, served, served_bytes, spilled, failed = table
        sent, received, lost = particles
        return Snapshot(
            now_ns=self._engine.now_ns,
            busy_ns=busy_ns,
            waiting=waiting,
            served=served,
            served_bytes=served_bytes,
            spilled=spilled,
            failed=failed,
            submitted=submitted,
            delivered=delivered,
            refused=refused,
            held=held,
            retrying=retrying,
            particles_sent=sent,
            particles_received=received,
            particles_lost=lost,
        )

    def outcome(self) -> Outcome:
        """Return what became of every exchange handed over so far."""
        count = self._engine.handed_over
        outcome = Outcome(np.empty(count, np.int64), np.empty(count, np.int8), np.empty(count, np.int32))
        self._engine.outcome(outcome.delivered_ns, outcome.refusal, outcome.retries)
        return outcome

    def _bind_wanted(self, wanted: list[tuple[int, int, int]]) -> None:
        """Give pairs their ways: the one that is wanted now, which comes first, and those wanted soon."""
        for position, (pair, source, target) in enumerate(wanted):
            try:
                self._bind(pair, source, target, self._choice(source, target, self._plan, self._chosen))
            except BadInputError:
                if position == 0:
                    raise
                # Not yet wanted: it is asked for again when it is, unless another is found wrong before.
                return

    def _choice(self, source: int, target: int, plan: Plan | None, chosen: _Chosen | None) -> _Taken | None:
        """Ask a plan for the ways between two endpoints, of which `chosen` may know, and check what is new of them."""
        groups = self._group[source], self._group[target]
        if chosen is not None and groups in chosen:
            return chosen[groups]
        choice = checked_choice(self._network, plan, source, target, self._checked.get(groups))
        taken = None
        if choice is not None:
            self._checked[groups] = choice.trunks
            positions = [position for position, weight in enumerate(choice.weights) if weight]
            taken = _Taken(choice.trunks, positions, [choice.weights[position] for position in positions])
        if chosen is not None:
            chosen[groups] = taken
        return taken

    def _bind(self, pair: int, source: int, target: int, taken: _Taken | None) -> None:
        """Give a pair of endpoints its ways under the plan in force."""
        if taken is None:
            self._engine.bind(pair, [], [])
            return
        trunks, positions, weights = taken
        known = self._places_of.get(pair)
        if known is None or known[0] is not trunks:
            known = self._places_of[pair] = (trunks, [NO_PLACE] * len(trunks))
        places = known[1]
        for position in positions:
            if places[position] == NO_PLACE:
                places[position] = self._place(route(self._network, source, target, trunks[position]))
        self._engine.bind(pair, [places[position] for position in positions], weights)

    def _place(self, stations: tuple[int, ...]) -> int:
        if stations not in self._places:
            self._places[stations] = self._engine.intern(stations)
        return self._places[stations]

    def _beyond(self, error: OverflowError) -> OverflowError:
        return OverflowError(f"instant beyond 2**62 ns at {self._station(error)}")

    def _station(self, error: OverflowError) -> str:
        """Name the station that the engine's error is about."""
        return f"station {self._network.station_name[int(error.args[0])]}"


def _own(array: NDArray[Scalar]) -> NDArray[Scalar]:
    return np.array(array)


def _chosen(plan: Plan | None) -> _Chosen | None:
    """Return where a plan's choices are kept, as many pairs of endpoints ask for each; not where endpoints differ."""
    return None if isinstance(plan, EndpointPlan) else {}
