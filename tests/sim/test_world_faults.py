"""A world in which things fail: what is accounted for, in which order, and what the brain sees of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from made_networks import exchanges

import scenarios
from router_core.background import no_background
from router_core.exchanges import Exchanges
from router_core.platform import Platform
from router_core.transport import Transport
from router_core.units import MINUTE_NS, SECOND_NS
from sim.completion import completion
from sim.data_plane import PlaneCommand, Refusal, SetStationServers, SetStationService, SetStationUp, Snapshot
from sim.faults import NEVER_NS, Fault, FaultKind
from sim.metrics import summary
from sim.reference_plane import ReferencePlane
from sim.replay import DATA_PLANES
from sim.results import BrainMetrics
from sim.telemetry import TelemetryConfig
from sim.world import Record, World, WorldConfig
from strategies.baselines import ecmp
from strategies.brain import Command, Event, SetPlan, TelemetryArrived

SPAN_NS = 10 * MINUTE_NS
BRIEF = Transport(chunk_bytes=2_000_000, retries_max=3, backoff_ns=SECOND_NS, backoff_ns_max=20 * SECOND_NS)


@pytest.fixture(scope="module")
def toy() -> Platform:
    return replace(scenarios.load("toy"), transport=BRIEF)


@pytest.fixture(scope="module")
def batch(toy: Platform) -> Exchanges:
    rng = np.random.default_rng(8)
    ends, count = toy.network.endpoints, 600
    source = rng.integers(len(ends), size=count)
    target = (source + rng.integers(1, len(ends), size=count)) % len(ends)
    at = np.sort(rng.integers(0, SPAN_NS, count))
    sizes = rng.lognormal(0, 1.5, count) * 2e6
    return exchanges(at, ends[source], ends[target], sizes, priority=rng.integers(4, size=count))


class Listener:
    def __init__(self, platform: Platform) -> None:
        self.name = "listener"
        self.samples: list[TelemetryArrived] = []
        self._brain = ecmp(platform.network)

    def handle(self, event: Event) -> list[Command]:
        if isinstance(event, TelemetryArrived):
            self.samples.append(event)
        return self._brain.handle(event)


class Watched(ReferencePlane):
    """Remembers when it was told what, and when it was looked at."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform.network, platform.transport)
        self.told: list[tuple[int, str]] = []
        self._now_ns = 0

    def advance(self, until_ns: int) -> None:
        self._now_ns = until_ns
        super().advance(until_ns)

    def apply(self, command: PlaneCommand) -> None:
        self.told.append((self._now_ns, type(command).__name__))
        super().apply(command)

    def snapshot(self) -> Snapshot:
        self.told.append((self._now_ns, "snapshot"))
        return super().snapshot()


def run(
    platform: Platform, batch: Exchanges, faults: Sequence[Fault], plane=None, brain=None, background=None, **config
) -> tuple[Record, BrainMetrics]:
    config = WorldConfig(**{"slot_ns": MINUTE_NS, "drain_ns": 60 * MINUTE_NS} | config)
    world = World(
        platform.network,
        background or platform.background,
        brain or ecmp(platform.network),
        plane or DATA_PLANES["compiled"](platform.network, platform.transport),
        start=datetime(2024, 3, 5, 9, 0),
        span_ns=SPAN_NS,
        seed=1,
        config=config,
        faults=faults,
    )
    record = world.run(iter([batch]))
    done = completion(record.exchanges, record.outcome, record.ended_ns)
    return record, summary(platform.network, record, done, "ecmp", SPAN_NS, config.slot_ns)


def drawn_faults(platform: Platform, seed: int) -> list[Fault]:
    """Ten faults of a few minutes; stops strike twice as often as the others."""
    rng = np.random.default_rng(seed)
    network, faults = platform.network, []
    for _ in range(10):
        kind = FaultKind(rng.choice([FaultKind.STOP, FaultKind.STOP, FaultKind.SLOW, FaultKind.SERVERS]))
        stations = tuple(rng.choice(network.station_count, 3, replace=False).tolist())
        begin = int(rng.integers(0, SPAN_NS // SECOND_NS)) * SECOND_NS
        faults.append(Fault(kind, stations, begin, begin + int(rng.integers(1, 300)) * SECOND_NS, 3.0, 1))
    return faults


@pytest.mark.parametrize("seed", range(6))
def test_everything_is_accounted_for(toy, batch, seed):
    """Law 1, and the sums that the results carry."""
    record, metrics = run(toy, batch, drawn_faults(toy, seed))
    counts, outcome = metrics.counts, record.outcome
    assert counts.submitted == len(batch) == counts.delivered + counts.refused + counts.in_flight
    assert counts.in_flight == 0, "every fault ends, so does every exchange"
    assert metrics.bytes.submitted == batch.payload_bytes.sum()
    assert metrics.chunks.failed > 0
    assert metrics.chunks.retries == outcome.retries.sum() <= metrics.chunks.failed
    given_up = outcome.refusal == Refusal.GAVE_UP
    assert metrics.refused_by_reason[Refusal.GAVE_UP.text] == given_up.sum()
    assert (outcome.retries[given_up] >= BRIEF.retries_max).all()
    assert (outcome.delivered_ns[given_up] == -1).all()
    rows = record.series.rows
    assert (rows.failed.sum(), rows.spilled.sum()) == (metrics.chunks.failed, metrics.chunks.spilled)


@pytest.mark.parametrize("seed", range(3))
def test_planes_and_the_order_of_faults_make_no_difference(toy, batch, seed):
    faults = drawn_faults(toy, seed)
    usual = run(toy, batch, faults)
    for other in (
        run(toy, batch, faults[::-1]),
        run(toy, batch, faults, plane=ReferencePlane(toy.network, toy.transport)),
    ):
        assert other[1] == usual[1]
        for name in ("delivered_ns", "refusal", "retries"):
            np.testing.assert_array_equal(getattr(other[0].outcome, name), getattr(usual[0].outcome, name))
        for name in ("edge_ns", "held", "retrying"):
            np.testing.assert_array_equal(getattr(other[0].series, name), getattr(usual[0].series, name))


def test_without_faults_nothing_fails(toy, batch):
    _, metrics = run(toy, batch, [])
    assert metrics.counts.delivered == len(batch)
    assert (metrics.chunks.failed, metrics.chunks.retries, metrics.chunks.retrying_peak) == (0, 0, 0)


def test_an_endpoint_cut_off_for_good_gives_up_what_it_sends(toy, batch):
    """And nobody else does: only its own exchanges, and those to it, are refused."""
    network = toy.network
    node = network.node_index["east-finance-1"]
    lines = np.flatnonzero((network.line_source == node) | (network.line_target == node))
    stations = tuple(network.line_station[lines].tolist())
    record, metrics = run(toy, batch, [Fault(FaultKind.STOP, stations, 0, NEVER_NS)])
    refused = record.outcome.refusal == Refusal.GAVE_UP
    np.testing.assert_array_equal(refused, (batch.source == node) | (batch.target == node))
    assert metrics.counts.refused == refused.sum() > 10
    assert metrics.counts.delivered == len(batch) - refused.sum()


def test_at_one_instant_other_users_come_before_faults_and_faults_before_the_sample(toy, batch):
    """A line with other users, so that each of the three commands says something."""
    network = toy.network
    line = int(network.line_station[toy.background.line_profile >= 0][0])
    at = 3 * MINUTE_NS
    faults = [
        Fault(FaultKind.SLOW, (line,), at, NEVER_NS, 2.0),
        Fault(FaultKind.SERVERS, (int(network.node_process_station[0]),), at, NEVER_NS, servers=1),
        Fault(FaultKind.STOP, (line,), at, at + SECOND_NS),
    ]
    plane = Watched(toy)
    run(toy, batch, faults, plane=plane)
    names = [SetStationService.__name__, SetStationService.__name__, SetStationServers.__name__, SetStationUp.__name__]
    # The telemetry's snapshot, then the slot's.
    assert [what for when, what in plane.told if when == at] == [*names, "snapshot", "snapshot"]
    # Its end; then front-ends hear of its begin, a second ago.
    told = [what for when, what in plane.told if when == at + SECOND_NS]
    assert told == [SetStationUp.__name__, SetPlan.__name__]


def test_a_fault_at_the_very_start_is_in_force_at_once(toy, batch):
    _, metrics = run(toy, batch, [Fault(FaultKind.STOP, tuple(range(toy.network.station_count)), 0, NEVER_NS)])
    assert metrics.counts.refused == len(batch)
    assert metrics.stations == []


def test_a_line_that_is_cut_carries_nobody(toy, batch):
    """Telemetry shows other users on a line while it is up, and nothing while it is cut."""
    network = toy.network
    line = int(np.flatnonzero(toy.background.line_profile >= 0)[0])
    station = int(network.line_station[line])
    brain = Listener(toy)
    cut = Fault(FaultKind.STOP, (station,), 150 * SECOND_NS, 390 * SECOND_NS)
    run(toy, batch, [cut], brain=brain, telemetry=TelemetryConfig(noise=0.0))
    told = {sample.observed_ns // MINUTE_NS: float(sample.utilisation[station]) for sample in brain.samples}
    assert all(told[minute] == 0 for minute in (4, 5, 6))
    assert all(told[minute] > 0.01 for minute in (1, 2, 7, 8))


def test_slow_stations_take_as_many_times_as_long(toy, batch):
    """Nobody waits for anybody: one exchange alone takes the sum of its services, each so many times as long."""
    network = toy.network
    single = batch[:1]
    quiet = no_background(network.line_count)
    everywhere = tuple(range(network.station_count))
    took = []
    for factor in (1.0, 3.0):
        faults = [Fault(FaultKind.SLOW, everywhere, 0, NEVER_NS, factor)]
        record, _ = run(toy, single, faults, background=quiet)
        took.append(int(record.outcome.delivered_ns[0] - single.submitted_ns[0]))
    travel = took[0] * 3 - took[1]
    assert 0 < travel < 2 * 20 * 10**6, "propagation is not slowed: twice a few milliseconds are missing"
