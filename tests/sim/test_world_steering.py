"""A world whose brain holds tasks back and borrows servers: the laws, and what it comes to by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random

import numpy as np
import pytest
from drawn_handlings import AsItCame, DrawnHandling, HoldAll
from made_networks import drawn_exchanges, drawn_network, exchanges

import scenarios
from router_core.background import Background, no_background
from router_core.errors import BadInputError
from router_core.exchanges import FIELDS, NO_LABEL, Exchanges
from router_core.network import NO_POOL, Network, Pool, frozen
from router_core.network_builder import NetworkBuilder, Service
from router_core.transport import Transport
from router_core.units import HOUR_NS, MINUTE_NS, SECOND_NS
from router_core.vocabulary import NodeKind
from sim.compiled_plane import CompiledPlane
from sim.completion import completion
from sim.faults import NEVER_NS, Fault, FaultKind
from sim.metrics import summary
from sim.other_users import OtherUsers
from sim.reference_plane import ReferencePlane
from sim.results import BrainMetrics
from sim.telemetry import TelemetryConfig
from sim.world import Record, World, WorldConfig
from strategies.baselines import ecmp
from strategies.brain import (
    BorrowServers,
    Command,
    Event,
    Handled,
    Handling,
    SetHandling,
    SlotStarted,
    TelemetryArrived,
)

MORNING = datetime(2024, 3, 5, 9, 0)
GRID_NS = 1_000
SLOT_NS = 10 * GRID_NS
PLANES = {"compiled": CompiledPlane, "simpy": ReferencePlane}
BRIEF = Transport(chunk_bytes=1_024, retries_max=3, backoff_ns=GRID_NS, backoff_ns_max=8 * GRID_NS)


class Steering:
    """A brain of equal-cost ways that gives further commands at the slots named, or halfway at a sample's arrival."""

    def __init__(self, network: Network, at_slot: dict[float, list[Command]]) -> None:
        self.name = "steering"
        self.samples: list[TelemetryArrived] = []
        self.handlings: list[tuple[int, Handling | None]] = []
        self._ways = ecmp(network)
        self._at_slot = at_slot

    def handle(self, event: Event) -> list[Command]:
        further: list[Command] = []
        if isinstance(event, SlotStarted):
            further = self._at_slot.get(event.slot, [])
        elif isinstance(event, TelemetryArrived):
            self.samples.append(event)
            further = self._at_slot.get(len(self.samples) + 0.5, [])
        self.handlings += [(event.now_ns, one.handling) for one in further if isinstance(one, SetHandling)]
        return [*self._ways.handle(event), *further]


@dataclass
class Run:
    """One run of `Steering`; what is not named is as in a world of tiny durations."""

    network: Network
    batch: Exchanges
    at_slot: dict[float, list[Command]]
    span_ns: int
    plane: Callable = CompiledPlane
    cuts: int = 1
    faults: Sequence[Fault] = ()
    background: Background | None = None
    slot_ns: int = SLOT_NS
    drain_ns: int = 10_000 * SLOT_NS
    telemetry: TelemetryConfig | None = None

    def __post_init__(self) -> None:
        telemetry = self.telemetry or TelemetryConfig(3 * self.slot_ns // 2 + 1, GRID_NS, GRID_NS)
        config = WorldConfig(self.slot_ns, 7 * self.slot_ns // 3, self.drain_ns, telemetry)
        self.brain = Steering(self.network, self.at_slot)
        world = World(
            self.network,
            self.background or no_background(self.network.line_count),
            self.brain,
            self.plane(self.network, BRIEF),
            start=MORNING,
            span_ns=self.span_ns,
            seed=1,
            config=config,
            faults=self.faults,
        )
        borders = np.linspace(0, len(self.batch), self.cuts + 1).astype(int)
        self.record: Record = world.run(
            self.batch[a:b] for a, b in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True)
        )
        done = completion(self.record.exchanges, self.record.outcome, self.record.ended_ns)
        self.metrics: BrainMetrics = summary(self.network, self.record, done, "steering", self.span_ns, config.slot_ns)


def drawn(seed: int) -> dict:
    """Draw a world: a network with pools, exchanges, faults, and handlings and borrowings at random slots."""
    random = Random(seed)
    network = drawn_network(random)
    pools = tuple(Pool(f"p{k}", f"云{k}", 6, random.choice((0, 1, 3)) * SLOT_NS // 2) for k in range(2))
    member = [random.choice((NO_POOL, 0, 1)) for _ in range(network.node_count)]
    network = replace(network, pools=pools, node_pool=frozen(member, np.int32))
    batch = drawn_exchanges(random, network, 250, grid_ns=GRID_NS, grid_bytes=400)
    batch = replace(batch, deadline_ns=batch.submitted_ns + 20 * GRID_NS)
    span_ns = (int(batch.submitted_ns[-1]) // SLOT_NS + 1) * SLOT_NS
    slots = span_ns // SLOT_NS
    at_slot: dict[float, list[Command]] = {}
    for _ in range(8):
        handling = DrawnHandling(random.randrange(10**6), grid_ns=GRID_NS, steps_max=60)
        at_slot.setdefault(random.randrange(2 * slots) / 2, []).append(
            SetHandling(random.choice((None, handling, handling)))
        )
    lendable = [node for node, pool in enumerate(member) if pool != NO_POOL]
    for _ in range(12 if lendable else 0):
        # At most one server a node: six nodes of a pool at a time, and others give theirs back.
        lucky = random.sample(lendable, min(6, len(lendable)))
        servers = [int(node in lucky) for node in lendable]
        command = BorrowServers(np.array(lendable, np.int32), np.array(servers, np.int32))
        at_slot.setdefault(random.randrange(2 * slots) / 2, []).append(command)
    faults = []
    for _ in range(random.choice((0, 6))):
        kind = random.choice(list(FaultKind))
        stations = tuple(random.sample(range(network.station_count), 3))
        begin = random.randrange(span_ns // GRID_NS) * GRID_NS
        until = begin + random.randint(1, 40) * GRID_NS
        if kind == FaultKind.POOL:
            # Some minutes on the scale of slots: what a pool lent must have time to come, to go and to come again.
            until = begin + random.randint(1, 3) * SLOT_NS
            faults.append(Fault(kind, (), begin, until, pool=random.randrange(len(pools))))
        else:
            faults.append(Fault(kind, stations, begin, until, 2.0, 1))
    return {"network": network, "batch": batch, "at_slot": at_slot, "span_ns": span_ns, "faults": faults}


def assert_same(one: Record, other: Record) -> None:
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(one.exchanges, name), getattr(other.exchanges, name))
    for part in ("outcome", "series"):
        for name, column in vars(getattr(one, part)).items():
            if name != "rows":
                np.testing.assert_array_equal(column, getattr(getattr(other, part), name), err_msg=name)
    for name, column in vars(one.series.rows).items():
        np.testing.assert_array_equal(column, getattr(other.series.rows, name), err_msg=name)
    np.testing.assert_array_equal(one.lines.others, other.lines.others)
    assert (one.ended_ns, one.holding, one.pools) == (other.ended_ns, other.holding, other.pools)


# The laws, in drawn worlds.


@pytest.mark.parametrize("seed", range(12))
def test_both_planes_and_every_cut_of_the_trace_give_one_record(seed):
    """Laws 4 and 5."""
    world = drawn(seed)
    usual = Run(**world)
    assert_same(usual.record, Run(**world, plane=ReferencePlane, cuts=7).record)
    assert usual.metrics == Run(**world, cuts=250).metrics


@pytest.mark.parametrize("seed", range(24))
def test_everything_is_accounted_for_in_the_traces_order(seed):
    """Laws 1 and 2: nothing is delivered before its hold is over, and times count from the true submission."""
    world = drawn(seed)
    run = Run(**world)
    record, batch = run.record, world["batch"]
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(record.exchanges, name), getattr(batch, name))
    counts = run.metrics.counts
    assert counts.submitted == len(batch) == counts.delivered + counts.refused
    hold_ns, _ = answers(batch, run.brain.handlings)
    done = record.outcome.delivered_ns >= 0
    assert (record.outcome.delivered_ns[done] > (batch.submitted_ns + hold_ns)[done]).all()
    assert record.holding.exchanges == (hold_ns > 0).sum()
    assert record.holding.payload_bytes == batch.payload_bytes[hold_ns > 0].sum()
    assert record.holding.hold_sum_ns == hold_ns.sum()
    late = done & (record.outcome.delivered_ns > batch.deadline_ns)
    assert run.metrics.completion.all.deadline_missed == late.sum() + counts.refused
    for slot, edge_ns in enumerate(record.series.edge_ns[1:].tolist()):
        held = (batch.submitted_ns < edge_ns) & (batch.submitted_ns + hold_ns >= edge_ns)
        assert record.series.withheld[slot] == held.sum()
        assert record.series.withheld_bytes[slot] == batch.payload_bytes[held].sum()
    assert (record.series.lent <= 6).all()
    assert (record.series.rows.utilisation <= 1).all()


def answers(batch: Exchanges, handlings: list[tuple[int, Handling | None]]) -> tuple[np.ndarray, np.ndarray]:
    """Hold and class of each exchange: what the handling in force at its submission answers, asked for alone."""
    hold_ns, priority = np.zeros(len(batch), np.int64), batch.priority.copy()
    for row, at_ns in enumerate(batch.submitted_ns.tolist()):
        handling = next((one for since_ns, one in reversed(handlings) if since_ns <= at_ns), None)
        if handling is not None:
            handled = handling.handle(batch[row : row + 1], row)
            hold_ns[row], priority[row] = handled.hold_ns[0], handled.priority[0]
    return hold_ns, priority


@pytest.mark.parametrize("seed", range(12))
def test_a_hold_is_what_a_later_submission_in_another_class_would_be(seed):
    """The oracle: the trace rewritten by hand and replayed without handling, its rows brought back into order."""
    world = drawn(seed)
    batch, run = world["batch"], Run(**world)
    hold_ns, priority = answers(batch, run.brain.handlings)
    order = np.lexsort((np.arange(len(batch)), batch.submitted_ns + hold_ns))
    rewritten = replace(batch, submitted_ns=batch.submitted_ns + hold_ns, priority=priority)[order]
    span_ns = max(world["span_ns"], int(rewritten.submitted_ns[-1]) + 1)
    plain = {slot: [c for c in them if isinstance(c, BorrowServers)] for slot, them in world["at_slot"].items()}
    held = run.record
    moved = Run(**world | {"batch": rewritten, "at_slot": plain, "span_ns": span_ns}).record
    for name in ("delivered_ns", "refusal", "retries"):
        np.testing.assert_array_equal(getattr(held.outcome, name)[order], getattr(moved.outcome, name))
    assert (hold_ns > 0).sum() > 10
    assert (np.diff(order) < 0).any(), "some overtook others"


@pytest.mark.parametrize("seed", range(6))
def test_a_handling_that_does_nothing_changes_nothing(seed):
    world = drawn(seed)
    plain = {slot: [c for c in them if isinstance(c, BorrowServers)] for slot, them in world["at_slot"].items()}
    idle = {slot: [SetHandling(AsItCame()), *them] for slot, them in ({0: []} | plain).items()}
    assert_same(Run(**world | {"at_slot": plain}).record, Run(**world | {"at_slot": idle}).record)


# Holds, by hand.


@pytest.fixture(scope="module")
def small() -> tuple[Network, int, int]:
    """A centre that takes a second for each exchange, one at a time, and lends from a cloud of three servers."""
    builder = NetworkBuilder(("outer",), (), (Pool("cloud", "云", 3, 90 * SECOND_NS),))
    quick = Service(100, 1, 0)
    slow = Service(1, SECOND_NS, 0)
    centre = builder.add_node("centre", NodeKind.CENTRE, service=quick, process=slow, pool=0)
    ends = [builder.add_node(name, NodeKind.FRONT_END, service=quick) for name in ("a", "b")]
    for end in ends:
        builder.add_line(end, centre, service=quick)
    network = builder.build()
    return network, *ends


def minutes(small: tuple[Network, int, int], batch: Exchanges, at_slot: dict[float, list[Command]], **changes) -> Run:
    """A run whose slots are minutes, with a sample each minute."""
    telemetry = TelemetryConfig(MINUTE_NS, 0, 0, 0.0)
    usual = {"slot_ns": MINUTE_NS, "span_ns": 10 * MINUTE_NS, "drain_ns": HOUR_NS, "telemetry": telemetry}
    return Run(small[0], batch, at_slot, **usual | changes)


def test_the_run_waits_for_what_is_held_until_the_drain_limit(small):
    batch = exchanges([0, MINUTE_NS], *small[1:], 10, deadline_ns=20 * MINUTE_NS)
    hold = {0: [SetHandling(HoldAll(30 * MINUTE_NS))]}
    run = minutes(small, batch, hold)
    assert run.record.ended_ns == 32 * MINUTE_NS
    assert run.metrics.counts.delivered == 2
    assert run.metrics.completion.all.deadline_missed == 2
    assert run.record.outcome.delivered_ns.tolist() == [30 * MINUTE_NS + SECOND_NS + 4, 31 * MINUTE_NS + SECOND_NS + 4]
    held = run.metrics.withheld
    assert (held.exchanges, held.bytes, held.mean_ns, held.max_ns) == (2, 20, 30 * MINUTE_NS, 30 * MINUTE_NS)
    assert (held.peak, held.peak_bytes) == (2, 20)
    assert held.at_slot_end == [1] * 1 + [2] * 29 + [1] * 1 + [0] * 1

    cut = minutes(small, batch, hold, drain_ns=10 * MINUTE_NS)
    assert cut.record.ended_ns == 20 * MINUTE_NS
    assert (cut.metrics.counts.submitted, cut.metrics.counts.in_flight) == (2, 2)
    assert cut.record.outcome.delivered_ns.tolist() == [-1, -1]


def test_holds_are_summed_exactly(small):
    class Longer(HoldAll):
        def handle(self, tasks, first_id):
            return Handled(np.array([0, 10, 21, 50])[first_id:][: len(tasks)], tasks.priority)

    run = minutes(small, exchanges([0, 0, 0, 0], *small[1:], [1, 2, 4, 8]), {0: [SetHandling(Longer(0))]})
    held = run.metrics.withheld
    assert (held.exchanges, held.bytes, held.mean_ns, held.max_ns) == (3, 14, 27, 50)


def test_without_holds_and_loans_the_results_have_none(small):
    run = minutes(small, exchanges([0], *small[1:], 10), {})
    assert (run.metrics.withheld, run.metrics.pools) == (None, [])


def test_a_handling_never_sees_the_true_labels(small):
    seen = []

    class Curious(HoldAll):
        def handle(self, tasks, first_id):
            seen.extend(tasks.demand_type.tolist() + tasks.surge.tolist())
            return super().handle(tasks, first_id)

    batch = exchanges([0, 1], *small[1:], 10, demand_type=2, surge=1)
    run = minutes(small, batch, {0: [SetHandling(Curious(5))]})
    assert seen == [NO_LABEL] * 4
    assert run.record.exchanges.demand_type.tolist() == [2, 2]


def test_a_wrong_answer_ends_the_run_in_one_line(small):
    with pytest.raises(BadInputError, match=r"^handling of exchange 0.hold_ns: must not be negative") as caught:
        minutes(small, exchanges([0], *small[1:], 10), {0: [SetHandling(HoldAll(-1))]})
    assert "\n" not in str(caught.value)


# Borrowed servers, by hand.


def loan(servers: int) -> list[Command]:
    return [BorrowServers(np.array([0], np.int32), np.array([servers], np.int32))]


def crowd(small: tuple[Network, int, int], count: int) -> Exchanges:
    """So many at the first instant that the centre works for minutes."""
    return exchanges(np.zeros(count), *small[1:], 10)


@pytest.mark.parametrize("plane", PLANES)
def test_borrowed_servers_serve_after_their_start(small, plane):
    """One server for 150 s, then three for 30 s, then two: 150 + 90 + 60 exchanges are done at 210 s."""
    at_slot = {1: loan(2), 3: loan(1)}
    run = minutes(small, crowd(small, 300), at_slot, plane=PLANES[plane])
    delivered_s = np.sort(run.record.outcome.delivered_ns) // SECOND_NS
    expected = [*range(1, 151), *np.repeat(range(151, 181), 3), *np.repeat(range(181, 211), 2)]
    # The third server has begun an exchange at 179 s when it is given back at 180 s, and none after.
    np.testing.assert_array_equal(delivered_s, expected)
    load = next(row for row in run.metrics.stations if row.role == "process")
    assert load.peak_utilisation == pytest.approx(1, abs=1e-6)
    (pool,) = run.metrics.pools
    assert (pool.name, pool.servers, pool.peak) == ("cloud", 3, 2)
    assert pool.lent == [0, 2, 2, *[1] * 7]
    assert pool.server_ns == 2 * 120 * SECOND_NS + 7 * MINUTE_NS
    # Every window but the last of work is full, by the servers that were there in it.
    station = small[0].node_process_station[0]
    full = [float(sample.utilisation[station]) for sample in run.brain.samples]
    np.testing.assert_allclose(full[:3], 1, atol=1e-6)
    assert full[3] == pytest.approx(0.5, abs=1e-6), "60 s of 120"
    rows = run.record.series.rows
    shares = rows.utilisation[rows.station == station]
    np.testing.assert_allclose(shares[:4], full[:4], atol=1e-6)


def test_a_loss_of_servers_strikes_a_nodes_own(small):
    """A centre of three that loses two and borrows one has two; when the loss ends, four."""
    network = small[0]
    servers = network.station_servers.copy()
    station = int(network.node_process_station[0])
    servers[station] = 3
    network = replace(network, station_servers=frozen(servers, np.int32))
    loss = Fault(FaultKind.SERVERS, (station,), 0, 3 * MINUTE_NS, servers=1)
    run = minutes((network, *small[1:]), crowd(small, 1_000), {0: loan(1)}, faults=[loss])
    done_s = np.sort(run.record.outcome.delivered_ns) // SECOND_NS
    counts = [int(((done_s > a) & (done_s <= b)).sum()) for a, b in ((0, 90), (90, 180), (180, 240))]
    assert counts == [90, 180, 240]
    lost_for_good = minutes(
        (network, *small[1:]), crowd(small, 10), {0: loan(1), 2: loan(0)}, faults=[replace(loss, until_ns=NEVER_NS)]
    )
    assert lost_for_good.metrics.counts.delivered == 10, "one is always left"


@pytest.mark.parametrize("plane", PLANES)
def test_what_a_pool_lent_is_gone_while_it_fails_and_starts_anew_when_it_returns(small, plane):
    """Two borrowed at 0 serve from 90 s on; the pool fails from 120 s to 240 s; they serve again from 330 s on."""
    failure = Fault(FaultKind.POOL, (), 2 * MINUTE_NS, 4 * MINUTE_NS, pool=0)
    run = minutes(small, crowd(small, 500), {0: loan(2)}, plane=PLANES[plane], faults=[failure])
    done_s = np.sort(run.record.outcome.delivered_ns) // SECOND_NS
    expected = [*range(1, 91), *np.repeat(range(91, 121), 3), *range(121, 331), *np.repeat(range(331, 368), 3)]
    np.testing.assert_array_equal(done_s, expected[:500])
    (pool,) = run.metrics.pools
    assert pool.lent[:6] == [2, 0, 0, 2, 2, 2]
    assert pool.peak == 2


@pytest.mark.parametrize("plane", PLANES)
def test_requests_to_a_pool_that_fails_stand(small, plane):
    """Asked for while it fails, and called off while it fails: what is wanted when it returns is what comes."""
    failure = Fault(FaultKind.POOL, (), MINUTE_NS, 4 * MINUTE_NS, pool=0)
    run = minutes(
        small, crowd(small, 1_000), {0: loan(1), 2: loan(3), 3: loan(2)}, plane=PLANES[plane], faults=[failure]
    )
    assert run.metrics.pools[0].lent[:6] == [0, 0, 0, 2, 2, 2]
    never = minutes(small, crowd(small, 100), {0: loan(1), 2: loan(0)}, plane=PLANES[plane], faults=[failure])
    assert never.metrics.pools[0].server_ns == MINUTE_NS
    without = minutes(small, crowd(small, 100), {}, plane=PLANES[plane])
    gone = replace(failure, from_ns=0, until_ns=NEVER_NS)
    nothing = minutes(small, crowd(small, 100), {0: loan(3)}, plane=PLANES[plane], faults=[gone])
    np.testing.assert_array_equal(nothing.record.outcome.delivered_ns, without.record.outcome.delivered_ns)


def test_a_service_that_outlasts_its_server_makes_no_station_busier_than_full(small):
    network = small[0]
    fixed_ns = network.station_fixed_ns.copy()
    station = int(network.node_process_station[0])
    fixed_ns[station] = 5 * MINUTE_NS
    network = replace(network, station_fixed_ns=frozen(fixed_ns, np.int64))
    run = minutes((network, *small[1:]), crowd(small, 4), {0: loan(3), 2: loan(0)})
    shares = [float(sample.utilisation[station]) for sample in run.brain.samples]
    assert max(shares) == 1.0
    assert run.record.series.rows.utilisation.max() == 1.0
    assert run.metrics.counts.delivered == 4


def test_what_a_pool_cannot_lend_ends_the_run_in_one_line(small):
    with pytest.raises(BadInputError, match=r"^borrow cloud: must ask for no more than the 3 servers") as caught:
        minutes(small, crowd(small, 1), {1: loan(4)})
    assert "\n" not in str(caught.value)


# What a replay's telemetry tells of the lines' other users.


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_the_history_of_lines_is_what_others_took(noise):
    """Against the shares that the world drew itself; own transfers fill the lines up to a half."""
    toy = scenarios.load("toy")
    network = toy.network
    rng, count, span_ns = np.random.default_rng(2), 6_000, 2 * HOUR_NS
    ends = network.endpoints
    source = rng.integers(len(ends), size=count)
    target = (source + rng.integers(1, len(ends), size=count)) % len(ends)
    at = np.sort(rng.integers(0, span_ns, count))
    batch = exchanges(at, ends[source], ends[target], rng.lognormal(0, 1, count) * 4e6)
    world = World(
        network,
        toy.background,
        ecmp(network),
        CompiledPlane(network, toy.transport),
        start=MORNING,
        span_ns=span_ns,
        seed=3,
        config=WorldConfig(telemetry=TelemetryConfig(noise=noise)),
    )
    record = world.run(iter([batch]))
    others = OtherUsers(network, toy.background, MORNING, 3)
    shares = []
    for minute in range(120):
        others.step(minute * MINUTE_NS)
        shares.append(others.fraction.copy())
    truth = np.array(shares).reshape(2, 60, -1).mean(axis=1)
    found = record.lines.others[:2]
    assert record.lines.grid.begin == MORNING
    used = toy.background.line_profile >= 0
    busy = np.zeros(network.line_count)
    rows = record.series.rows
    for line, station in enumerate(network.line_station.tolist()):
        busy[line] = rows.utilisation[(rows.station == station) & (rows.slot < 24)].sum() / 24
    assert busy[used].max() > 0.2, "own load is not small beside the others'"
    np.testing.assert_allclose(found[:, used], truth[:, used], atol=0.02)
    assert np.abs(found[:, used] - truth[:, used]).mean() < 0.005
    assert found[:, ~used].max() < 0.02
