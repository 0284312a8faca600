"""Test particles in the world: sent when a brain says so, collected in time or later, never counted as exchanges."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from random import Random

import numpy as np
import pytest
from hand_worlds import HandWorld
from made_networks import drawn_exchanges, drawn_network, drawn_trunk, exchanges
from made_rounds import ParticleRow, round_of

from router_core.background import no_background
from router_core.errors import BadInputError
from router_core.exchanges import Exchanges
from router_core.network import Network
from router_core.network_builder import Service
from router_core.plan import route
from router_core.transport import Transport
from router_core.units import DURATION_NS_MAX
from sim.compiled_plane import CompiledPlane
from sim.data_plane import LOST, Collected
from sim.faults import Fault, FaultKind
from sim.particle_rounds import NOT_COME, ParticleRounds
from sim.reference_plane import ReferencePlane
from sim.telemetry import TelemetryConfig
from sim.world import Record, World, WorldConfig
from strategies.baselines import ecmp
from strategies.brain import (
    Command,
    Event,
    ParticlesCollected,
    SendParticles,
    TelemetryArrived,
)

PLANES = [ReferencePlane, CompiledPlane]
SLOT_NS = 1_000
MORNING = datetime(2024, 3, 5, 9, 0)
BRIEF = Transport(chunk_bytes=1_024, retries_max=3, backoff_ns=1_000, backoff_ns_max=8_000)
SLOW = Service(1, 10, 1_000)


class Prober:
    """A brain of equal-cost ways that gives the commands of `at` once their instant has come, and remembers events."""

    name = "prober"

    def __init__(self, network: Network, at: Sequence[tuple[int, Command]]) -> None:
        self.events: list[Event] = []
        self._ways = ecmp(network)
        self._at = list(at)

    def handle(self, event: Event) -> list[Command]:
        self.events.append(event)
        due = [command for at_ns, command in self._at if at_ns <= event.now_ns]
        self._at = [one for one in self._at if one[0] > event.now_ns]
        return [*self._ways.handle(event), *due]

    @property
    def collected(self) -> list[ParticlesCollected]:
        return [event for event in self.events if isinstance(event, ParticlesCollected)]


class WatchedPlane(CompiledPlane):
    """Remembers what was ever sent and collected."""

    def __init__(self, network: Network, transport: Transport | None = None) -> None:
        super().__init__(network, transport)
        self.sent: list[tuple[int, SendParticles, int]] = []
        self.came: dict[int, int] = {}

    def send(self, particles: SendParticles) -> int:
        now_ns, first = self.snapshot().now_ns, super().send(particles)
        self.sent.append((now_ns, particles, first))
        return first

    def collect(self) -> Collected:
        collected = super().collect()
        self.came |= dict(zip(collected.number.tolist(), collected.received_ns.tolist(), strict=True))
        return collected


class Run:
    """One run of `Prober`; slots of a microsecond, telemetry without noise."""

    def __init__(
        self,
        network: Network,
        batch: Exchanges,
        at: Sequence[tuple[int, Command]] = (),
        *,
        plane: type = WatchedPlane,
        span_ns: int = 5 * SLOT_NS,
        faults: Sequence[Fault] = (),
        telemetry: TelemetryConfig | None = None,
        drain_ns: int = 10_000 * SLOT_NS,
    ) -> None:
        telemetry = telemetry or TelemetryConfig(SLOT_NS, 100, 0, 0.0)
        self.brain = Prober(network, at)
        self.plane = plane(network, BRIEF)
        world = World(
            network,
            no_background(network.line_count),
            self.brain,
            self.plane,
            start=MORNING,
            span_ns=span_ns,
            seed=1,
            config=WorldConfig(SLOT_NS, 50 * SLOT_NS, drain_ns, telemetry),
            faults=faults,
        )
        self.record: Record = world.run(iter([batch]))

    @property
    def rows(self) -> list[list[tuple[int, int, int, int]]]:
        """Round, particle, sent, received of each collection."""
        columns = ((one.round, one.particle, one.sent_ns, one.received_ns) for one in self.brain.collected)
        return [list(zip(*(column.tolist() for column in each), strict=True)) for each in columns]


@pytest.fixture
def hand():
    """Every slot's world by hand: a particle of n bytes keeps l0 for 10 + n ns, and takes 6 ns besides."""
    return HandWorld(ReferencePlane, l0=SLOW)


def particles(hand: HandWorld, *sizes: int, line: str = "l0") -> list[ParticleRow]:
    way = [hand.station[name] for name in ("a", "a>c", "heart", line, "d", "d>z", "z")]
    return [(way, size, 0) for size in sizes]


def no_exchanges() -> Exchanges:
    return exchanges([], [], [], [])


@pytest.mark.parametrize("plane", PLANES)
def test_a_round_is_collected_when_it_is_due(hand, plane):
    run = Run(hand.network, no_exchanges(), [(0, round_of(particles(hand, 4, 14), 7, 500))], plane=plane)
    assert [event.now_ns for event in run.brain.collected] == [500]
    # The line is free again at 17, 3 + 14; 24 ns later the second one leaves it.
    assert run.rows == [[(7, 0, 0, 20), (7, 1, 0, 44)]]
    event = run.brain.collected[0]
    columns = (event.round, event.particle, event.sent_ns, event.received_ns)
    assert [column.dtype.name for column in columns] == ["int64", "int32", "int64", "int64"]


@pytest.mark.parametrize("plane", PLANES)
def test_late_ones_come_with_the_next_collection_and_lost_ones_never(hand, plane):
    """Of the first round one comes at 20, one at 2,030; of the second, in which l1 is down, two at 2,040 and 2,050."""
    fault = Fault(FaultKind.STOP, (hand.station["l1"],), 900, 10**6, 1.0, 1)
    rounds = [
        (0, round_of(particles(hand, 4, 2_000), 1, 100)),
        (1_000, round_of(particles(hand, 0, 0) + particles(hand, 0, line="l1"), 2, 500)),
        (1_000, round_of([], 3, 1_500)),
        (3_000, round_of([], 4, 100)),
    ]
    run = Run(hand.network, no_exchanges(), rounds, plane=plane, faults=[fault])
    assert [event.now_ns for event in run.brain.collected] == [100, 1_500, 2_500, 3_100]
    assert run.rows == [
        [(1, 0, 0, 20), (1, 1, 0, NOT_COME)],
        [(2, 0, 1_000, NOT_COME), (2, 1, 1_000, NOT_COME), (2, 2, 1_000, NOT_COME)],
        [(1, 1, 0, 2_030), (2, 0, 1_000, 2_040), (2, 1, 1_000, 2_050)],
        [],
    ]
    assert all(event.received_ns.dtype == np.int64 for event in run.brain.collected)


def test_what_arrives_at_the_instant_of_the_collection_is_late(hand):
    rounds = [(0, round_of(particles(hand, 4), 0, 20)), (0, round_of([], 1, 21))]
    assert Run(hand.network, no_exchanges(), rounds).rows == [[(0, 0, 0, NOT_COME)], [(0, 0, 0, 20)]]


def test_rounds_may_be_collected_in_another_order_than_they_were_sent(hand):
    """What the second collection brings of the first round sent is all of it, and no late one."""
    rounds = [(0, round_of(particles(hand, 4), 1, 900)), (0, round_of(particles(hand, 4), 2, 10))]
    assert Run(hand.network, no_exchanges(), rounds).rows == [[(2, 0, 0, NOT_COME)], [(1, 0, 0, 20), (2, 0, 0, 34)]]


def test_a_collection_comes_before_the_arrival_of_a_sample_and_the_slots_start(hand):
    telemetry = TelemetryConfig(SLOT_NS, SLOT_NS, 0, 0.0)
    run = Run(hand.network, no_exchanges(), [(0, round_of([], 1, 2 * SLOT_NS))], telemetry=telemetry)
    at = [type(event).__name__ for event in run.brain.events if event.now_ns == 2 * SLOT_NS]
    assert at == ["ParticlesCollected", "DemandReported", "TelemetryArrived", "SlotStarted"]


def test_a_round_may_be_sent_when_one_is_collected(hand):
    rounds = [(0, round_of(particles(hand, 4), 1, 100)), (50, round_of(particles(hand, 4), 2, 100))]
    # The second command waits for an event that is not before 50: the first round's collection.
    assert Run(hand.network, no_exchanges(), rounds).rows == [[(1, 0, 0, 20)], [(2, 0, 100, 120)]]


def test_the_run_ends_when_it_would_have_without_particles(hand):
    """They are under way for long after the end; nobody waits for them, nor for their collection."""
    batch = exchanges([0, 4_000], hand.node["a"], hand.node["z"], [5, 5])
    without = Run(hand.network, batch)
    rounds = [(4_000, round_of(particles(hand, 10**6), 1, 10**6))]
    run = Run(hand.network, batch, rounds)
    assert run.record.ended_ns == without.record.ended_ns == 5 * SLOT_NS
    assert run.plane.snapshot().particles_under_way == 1
    assert run.rows == []


def test_particles_are_load_that_telemetry_sees_but_no_exchanges(hand):
    batch = exchanges([0, 0], hand.node["a"], hand.node["z"], [90, 90])
    without, run = (Run(hand.network, batch, at) for at in ((), [(0, round_of(particles(hand, 390), 1, 900))]))
    line = hand.station["l0"]
    seen = [next(event for event in one.brain.events if isinstance(event, TelemetryArrived)) for one in (without, run)]
    # 400 ns of 1,000.
    assert seen[1].utilisation[line] - seen[0].utilisation[line] == pytest.approx(0.4)
    assert seen[1].served_bytes[line] - seen[0].served_bytes[line] == 390
    for one in (without, run):
        assert (one.plane.snapshot().submitted, one.plane.snapshot().delivered) == (2, 2)
        assert len(one.record.outcome.delivered_ns) == 2
    series = [one.record.series.rows for one in (without, run)]
    busy = [one.utilisation[(one.station == line) & (one.slot == 0)].sum() for one in series]
    assert busy[1] - busy[0] == pytest.approx(0.4)


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize(
    ("change", "place", "rule"),
    [
        ({"number": 3}, "particles.round", f"must lie in 4..{2**63 - 1}, that is after earlier ones"),
        ({"number": -1}, "particles.round", f"must lie in 4..{2**63 - 1}, that is after earlier ones"),
        ({"number": 2**63}, "particles.round", f"must lie in 4..{2**63 - 1}, that is after earlier ones"),
        ({"collect_ns": 0}, "particles.collect_ns", f"must lie in 1..{DURATION_NS_MAX}"),
        ({"collect_ns": DURATION_NS_MAX + 1}, "particles.collect_ns", f"must lie in 1..{DURATION_NS_MAX}"),
    ],
    ids=str,
)
def test_a_round_that_cannot_be_is_refused_and_nothing_is_sent(hand, plane, change, place, rule):
    made = plane(hand.network)
    rounds = ParticleRounds(made)
    rounds.send(round_of(particles(hand, 1), 3, 5), 0)
    wrong = {"number": 4, "collect_ns": 5} | change
    with pytest.raises(BadInputError) as told:
        rounds.send(round_of(particles(hand, 1), **wrong), 0)
    assert (told.value.place, told.value.rule) == (place, rule)
    assert made.snapshot().particles_sent == 1
    rounds.send(round_of(particles(hand, 1), 4, 5), 0)
    assert made.snapshot().particles_sent == 2


def test_a_route_that_is_none_ends_the_run_by_name(hand):
    way, size, priority = particles(hand, 1)[0]
    with pytest.raises(BadInputError, match=r"^particle 1\.route\[3\]: must be joined"):
        Run(hand.network, no_exchanges(), [(0, round_of([(way, 1, 0), (way[:3] + way[4:], size, priority)]))])


def test_what_was_collected_is_forgotten(hand):
    """Rounds upon rounds leave nothing behind."""
    plane = CompiledPlane(hand.network)
    rounds, sizes = ParticleRounds(plane), [0] * 2_000

    def probe(first: int, count: int) -> None:
        for number in range(first, first + count):
            now_ns = number * 10**6
            plane.advance(now_ns)
            rounds.send(round_of(particles(hand, *sizes), number, 10**6), now_ns)
            plane.advance(now_ns + 10**6)
            collected = rounds.collect(number, now_ns + 10**6)
            assert (collected.received_ns > now_ns).all()

    probe(0, 3)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    probe(3, 20)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 2_000 * 8  # less than a number of each particle of one round


# In drawn worlds.

DRAWN = range(14)


def drawn(seed: int) -> dict:
    random = Random(seed)
    network = drawn_network(random)
    batch = drawn_exchanges(random, network, 150, grid_ns=100, grid_bytes=400)
    span_ns = (int(batch.submitted_ns[-1]) // SLOT_NS + 1) * SLOT_NS
    ends = network.endpoints.tolist()

    def row() -> ParticleRow:
        source, target = random.sample(ends, 2)
        trunk = drawn_trunk(random, network, random.choice(network.homes[source]), random.choice(network.homes[target]))
        return route(network, source, target, trunk), 100 * random.randrange(20), random.randrange(8)

    at: list[tuple[int, Command]] = []
    number = 0
    for at_ns in sorted(random.randrange(0, 2 * span_ns, 100) for _ in range(12)):
        number += random.randint(1, 3)
        rows = [row() for _ in range(random.choice((0, 1, 5, 20)))]
        at.append((at_ns, round_of(rows, number, random.choice((1, 300, 2_000, 2_000, 9_000)))))
    faults = []
    for _ in range(random.choice((0, 3))):
        begin = random.randrange(0, span_ns, 100)
        stations = tuple(random.sample(range(network.station_count), 3))
        faults.append(Fault(FaultKind.STOP, stations, begin, begin + random.randint(1, 40) * 100, 1.0, 1))
    return {"network": network, "batch": batch, "at": at, "span_ns": span_ns, "faults": faults}


@cache
def drawn_run(seed: int) -> Run:
    return Run(**drawn(seed))


def told_by_hand(run: Run) -> list[list[tuple[int, int, int, int]]]:
    """What each collection must bring: all of its round as it is then, and who came of those collected before it."""
    due = sorted(
        (sent_ns + one.collect_ns, place, one.round, sent_ns, first, len(one.priority))
        for place, (sent_ns, one, first) in enumerate(run.plane.sent)
    )
    came = {number: at_ns for number, at_ns in run.plane.came.items() if at_ns != LOST}
    told: set[int] = set()
    before: list[tuple[int, int, int, int]] = []
    shown = []
    for due_ns, _, number, sent_ns, first, count in due:
        rows = []
        for its, its_sent_ns, its_first, its_count in [(number, sent_ns, first, count), *sorted(before)]:
            for particle in range(its_count):
                at_ns = came.get(its_first + particle, DURATION_NS_MAX)
                arrived = at_ns < due_ns
                if its == number or (arrived and its_first + particle not in told):
                    rows.append((its, particle, its_sent_ns, at_ns if arrived else NOT_COME))
                if arrived:
                    told.add(its_first + particle)
        before.append((number, sent_ns, first, count))
        shown.append(rows)
    return shown


@pytest.mark.parametrize("seed", DRAWN)
def test_each_collection_brings_what_it_must(seed):
    run = drawn_run(seed)
    expected = told_by_hand(run)
    assert run.rows == expected[: len(run.rows)]
    due = sorted(sent_ns + one.collect_ns for sent_ns, one, _ in run.plane.sent)
    assert [event.now_ns for event in run.brain.collected] == [at for at in due if at <= run.record.ended_ns]
    reference = Run(**drawn(seed), plane=ReferencePlane)
    assert reference.rows == run.rows
    np.testing.assert_array_equal(reference.record.outcome.delivered_ns, run.record.outcome.delivered_ns)
    np.testing.assert_array_equal(reference.record.series.rows.utilisation, run.record.series.rows.utilisation)


def test_drawn_worlds_have_late_and_lost_ones():
    late = lost = told = 0
    for seed in DRAWN:
        run = drawn_run(seed)
        late += sum(row[0] != rows[0][0] for rows in run.rows if rows for row in rows)
        lost += sum(at_ns == LOST for at_ns in run.plane.came.values())
        told += sum(map(len, run.rows))
    assert min(late, lost) > 10
    assert told > 500
