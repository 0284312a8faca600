"""The reference data plane in SimPy: the specification of how exchanges move, written to be read.

A station has `servers` alike and one queue, first come first served. An exchange holds a server for
``fixed_ns + ceil(payload_bytes * ps_per_byte / 1000)`` ns; after that it travels for `after_ns`, holding nothing, and
arrives at the next station of its route as a whole (store and forward).

Simultaneous events happen in order of exchange ids. SimPy orders its queue by (time, priority, sequence), so an
event's priority is its exchange's id: SimPy's own order of simultaneous events, the sequence of scheduling, then
never decides anything. This is sound because every service takes at least 1 ns: no event causes one at its own instant
at another station but through a departure that was already due then.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from simpy import Environment, Event

from router_core.errors import BadInputError
from router_core.exchanges import Exchanges
from router_core.network import Network
from router_core.plan import Choice, Plan, route
from router_core.units import PAYLOAD_BYTES_MAX, PS_PER_BYTE_MAX, service_ns
from sim.data_plane import Outcome, PlaneCommand, Refusal, SetStationRates, Snapshot
from strategies.brain import SetPlan

# SimPy stops a run with an event of priority 0 at the instant asked for; exchanges of that instant come after it.
FIRST_PRIORITY = 1
NOT_DELIVERED = -1


class Station:
    """Servers, their queue, and what they have done so far."""

    __slots__ = (
        "after_ns",
        "busy",
        "due_ns",
        "fixed_ns",
        "ps_per_byte",
        "served",
        "served_bytes",
        "servers",
        "waiting",
        "work_ns",
    )

    def __init__(self, servers: int, fixed_ns: int, ps_per_byte: int, after_ns: int) -> None:
        self.servers = servers
        self.fixed_ns = fixed_ns
        self.ps_per_byte = ps_per_byte
        self.after_ns = after_ns
        self.busy = 0
        self.waiting: deque[Journey] = deque()
        self.served = 0
        self.served_bytes = 0
        self.work_ns = 0  # server time of all services begun
        self.due_ns = 0  # sum of the ends of the services under way

    def busy_ns(self, now_ns: int) -> int:
        """Server time spent up to now: what was begun, less what is still to do of it."""
        return self.work_ns - (self.due_ns - self.busy * now_ns)


class Journey(Event):
    """One exchange on its way; it is its own next event, as it never has more than one."""

    def __init__(self, env: Environment, number: int, payload_bytes: int, stations: tuple[Station, ...]) -> None:
        super().__init__(env)
        self._ok = True
        self._value = None
        self.priority = FIRST_PRIORITY + number
        self.number = number
        self.payload_bytes = payload_bytes
        self.stations = stations
        self.hop = 0


class ReferencePlane:
    """`DataPlane` in SimPy.

    Parameters
    ----------
    network : Network
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._env = Environment(initial_time=0)
        self._stations = [
            Station(*numbers)
            for numbers in zip(
                network.station_servers.tolist(),
                network.station_fixed_ns.tolist(),
                network.station_ps_per_byte.tolist(),
                network.station_after_ns.tolist(),
                strict=True,
            )
        ]
        self._plan: Plan | None = None
        self._routes: dict[tuple[int, int], tuple[Choice, list[tuple[Station, ...]]] | None] = {}
        self._batches: deque[Exchanges] = deque()
        self._feeding = False
        self._submitted = 0
        self._refused = 0
        self._handed_over = 0
        self._last_ns = 0
        self._delivered = 0
        self._delivered_ns = array("q")
        self._refusal = array("b")

    # The contract.

    def submit(self, batch: Exchanges) -> None:
        """Hand over exchanges; raises `BadInputError` naming the first row that breaks a rule."""
        if len(batch) == 0:
            return
        self._check(batch)
        self._last_ns = int(batch.submitted_ns[-1])
        self._handed_over += len(batch)
        self._delivered_ns.extend([NOT_DELIVERED] * len(batch))
        self._refusal.extend([Refusal.NOT_REFUSED] * len(batch))
        self._batches.append(batch)
        if not self._feeding:
            self._feed()

    def advance(self, until_ns: int) -> None:
        """Let everything happen that happens before `until_ns`."""
        now_ns = int(self._env.now)
        if until_ns < now_ns:
            raise ValueError(f"time never runs back: asked for {until_ns} ns at {now_ns} ns")
        if until_ns > now_ns:
            self._env.run(until=until_ns)

    def apply(self, command: PlaneCommand) -> None:
        """Carry out a command now."""
        match command:
            case SetPlan(plan):
                self._plan = plan
                self._routes.clear()
            case SetStationRates(station, ps_per_byte):
                self._check_rates(command)
                for index, rate in zip(station.tolist(), ps_per_byte.tolist(), strict=True):
                    self._stations[index].ps_per_byte = rate

    def snapshot(self) -> Snapshot:
        """Return the state of all stations now."""
        now_ns = int(self._env.now)
        stations = self._stations
        return Snapshot(
            now_ns=now_ns,
            busy_ns=np.array([station.busy_ns(now_ns) for station in stations], dtype=np.int64),
            waiting=np.array([len(station.waiting) for station in stations], dtype=np.int64),
            served=np.array([station.served for station in stations], dtype=np.int64),
            served_bytes=np.array([station.served_bytes for station in stations], dtype=np.int64),
            submitted=self._submitted,
            delivered=self._delivered,
            refused=self._refused,
        )

    def outcome(self) -> Outcome:
        """Return what became of every exchange handed over so far."""
        return Outcome(np.array(self._delivered_ns, dtype=np.int64), np.array(self._refusal, dtype=np.int8))

    # How an exchange moves.

    def _arrive(self, journey: Event) -> None:
        assert isinstance(journey, Journey)
        station = journey.stations[journey.hop]
        if station.busy < station.servers:
            self._start(station, journey)
        else:
            station.waiting.append(journey)

    def _start(self, station: Station, journey: Journey) -> None:
        payload_bytes = journey.payload_bytes
        takes_ns = service_ns(station.fixed_ns, station.ps_per_byte, payload_bytes)
        station.busy += 1
        station.served += 1
        station.served_bytes += payload_bytes
        station.work_ns += takes_ns
        station.due_ns += int(self._env.now) + takes_ns
        self._later(journey, self._depart, takes_ns)

    def _depart(self, journey: Event) -> None:
        assert isinstance(journey, Journey)
        station = journey.stations[journey.hop]
        station.busy -= 1
        station.due_ns -= int(self._env.now)
        if station.waiting:
            self._start(station, station.waiting.popleft())
        journey.hop += 1
        onward = self._arrive if journey.hop < len(journey.stations) else self._deliver
        if station.after_ns:
            self._later(journey, onward, station.after_ns)
        else:
            onward(journey)

    def _deliver(self, journey: Event) -> None:
        assert isinstance(journey, Journey)
        assert self._delivered_ns[journey.number] == NOT_DELIVERED, "nothing is delivered twice"
        self._delivered_ns[journey.number] = int(self._env.now)
        self._delivered += 1

    def _later(self, journey: Journey, act: Callable[[Event], None], delay_ns: int) -> None:
        journey.callbacks = [act]
        self._env.schedule(journey, priority=journey.priority, delay=delay_ns)  # type: ignore[arg-type]

    # How an exchange enters.

    def _feed(self) -> None:
        """Chain the entries of the next batch: each schedules its successor, so the queue holds one at a time."""
        self._feeding = bool(self._batches)
        if not self._batches:
            return
        batch = self._batches.popleft()
        first = self._handed_over - len(batch) - sum(len(waiting) for waiting in self._batches)
        rows = zip(
            range(first, first + len(batch)),
            batch.submitted_ns.tolist(),
            batch.source.tolist(),
            batch.target.tolist(),
            batch.payload_bytes.tolist(),
            strict=True,
        )

        def enter_next() -> None:
            row = next(rows, None)
            if row is None:
                self._feed()
                return
            number, submitted_ns, source, target, payload_bytes = row
            entry = Journey(self._env, number, payload_bytes, ())

            def enter(_: Event) -> None:
                self._enter(entry, source, target)
                enter_next()

            self._later(entry, enter, submitted_ns - int(self._env.now))

        enter_next()

    def _enter(self, journey: Journey, source: int, target: int) -> None:
        self._submitted += 1
        ways = self._ways(source, target)
        if ways is None:
            self._refused += 1
            self._refusal[journey.number] = Refusal.NO_ROUTE
            return
        choice, stations = ways
        journey.stations = stations[choice.pick(journey.number)]
        self._arrive(journey)

    def _ways(self, source: int, target: int) -> tuple[Choice, list[tuple[Station, ...]]] | None:
        key = (source, target)
        if key not in self._routes:
            group = self._network.node_group
            choice = self._plan.choice(int(group[source]), int(group[target])) if self._plan else None
            self._routes[key] = None if choice is None else (choice, self._compose(source, target, choice))
        return self._routes[key]

    def _compose(self, source: int, target: int, choice: Choice) -> list[tuple[Station, ...]]:
        return [
            tuple(self._stations[index] for index in route(self._network, source, target, trunk))
            for trunk in choice.trunks
        ]

    def _check_rates(self, command: SetStationRates) -> None:
        for place, values, below in (
            ("station", command.station, len(self._stations)),
            ("ps_per_byte", command.ps_per_byte, PS_PER_BYTE_MAX + 1),
        ):
            wrong = np.flatnonzero((values < 0) | (values >= below))
            if len(wrong):
                raise BadInputError(f"rates.{place}[{wrong[0]}]", f"must lie in 0..{below - 1}", int(values[wrong[0]]))

    def _check(self, batch: Exchanges) -> None:
        """Refuse by name what would make the plane do nonsense; traces have stricter rules of their own."""
        network = self._network
        submitted = batch.submitted_ns.tolist()
        earliest = max(self._last_ns, int(self._env.now))
        if submitted[0] < earliest:
            raise BadInputError(
                f"exchange {self._handed_over}.submitted_ns", f"must not be before {earliest}", submitted[0]
            )
        for row, (before, after) in enumerate(pairwise(submitted)):
            if after < before:
                place = f"exchange {self._handed_over + row + 1}.submitted_ns"
                raise BadInputError(place, f"must not be before its predecessor's {before}", after)
        for name, ends in (("source", batch.source), ("target", batch.target)):
            good = (ends >= 0) & (ends < network.node_count)
            good[good] = network.is_endpoint[ends[good]]
            if not good.all():
                row = int(np.flatnonzero(~good)[0])
                raise BadInputError(f"exchange {self._handed_over + row}.{name}", "must be an endpoint", int(ends[row]))
        alike = np.flatnonzero(batch.source == batch.target)
        if len(alike):
            place = f"exchange {self._handed_over + int(alike[0])}.target"
            raise BadInputError(place, "must differ from the source", int(batch.target[alike[0]]))
        sizes = batch.payload_bytes
        good = (sizes >= 0) & (sizes <= PAYLOAD_BYTES_MAX)
        if not good.all():
            row = int(np.flatnonzero(~good)[0])
            place = f"exchange {self._handed_over + row}.payload_bytes"
            raise BadInputError(place, f"must lie in 0..{PAYLOAD_BYTES_MAX}", int(sizes[row]))
