"""Laws of the world around a data plane: determinism, what telemetry may know, order of events, other users."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest
from made_networks import drawn_exchanges, drawn_network, exchanges

import scenarios
from router_core.background import FRACTION_MAX, Background, BackgroundProfile, no_background
from router_core.equal_cost import PATHS_MAX
from router_core.errors import BadInputError
from router_core.exchanges import FIELDS, Exchanges
from router_core.network import Network
from router_core.network_builder import NetworkBuilder, Service
from router_core.platform import Platform
from router_core.units import HOUR_NS, MINUTE_NS, SECOND_NS
from router_core.vocabulary import NodeKind
from sim.completion import completion
from sim.data_plane import PlaneCommand, SetStationService
from sim.metrics import summary
from sim.other_users import CONFERENCE_HOURS, OtherUsers
from sim.reference_plane import ReferencePlane
from sim.replay import DATA_PLANES, replay
from sim.telemetry import Sampler, TelemetryConfig
from sim.world import Record, World, WorldConfig
from strategies.baselines import ecmp
from strategies.brain import (
    Brain,
    Command,
    DemandReported,
    Event,
    RunEnded,
    SetPlan,
    SlotStarted,
    TelemetryArrived,
)
from strategies.registry import BRAINS, make_brain
from traces.generate import TraceGenerator, write_trace
from traces.reader import TraceReader

TUESDAY = datetime(2024, 3, 5, 9, 0)
SATURDAY = datetime(2024, 3, 9, 9, 0)
SPAN_NS = 40 * MINUTE_NS


class Listener:
    """A brain that does what another one does, and remembers what it was told."""

    def __init__(self, brain: Brain) -> None:
        self.name = brain.name
        self.events: list[Event] = []
        self._brain = brain

    def handle(self, event: Event) -> list[Command]:
        self.events.append(event)
        return self._brain.handle(event)


class WatchedPlane(ReferencePlane):
    """Remembers the rates that were set."""

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self.rates: list[tuple[int, list[int], list[int]]] = []

    def apply(self, command: PlaneCommand) -> None:
        if isinstance(command, SetStationService):
            self.rates.append((self.snapshot().now_ns, command.station.tolist(), command.ps_per_byte.tolist()))
        super().apply(command)


class Run:
    """One run of `ecmp` in a world; `change` overrides parts of the configuration."""

    def __init__(
        self,
        platform: tuple[Network, Background],
        batch: Exchanges,
        *,
        seed: int = 1,
        cuts: int = 3,
        span_ns: int = SPAN_NS,
        **config: object,
    ) -> None:
        network, background = platform
        self.brain = Listener(ecmp(network))
        self.plane = WatchedPlane(network)
        self.progress: list[int] = []
        self.config = WorldConfig(**config)
        world = World(
            network,
            background,
            self.brain,
            self.plane,
            start=TUESDAY,
            span_ns=span_ns,
            seed=seed,
            config=self.config,
            on_progress=self.progress.append,
        )
        borders = np.linspace(0, len(batch), cuts + 1).astype(int)
        self.record = world.run(batch[a:b] for a, b in pairwise(borders.tolist()))
        done = completion(self.record.exchanges, self.record.outcome, self.record.ended_ns)
        self.metrics = summary(network, self.record, done, self.brain.name, span_ns, self.config.slot_ns)

    def told(self, kind: type) -> list:
        return [event for event in self.brain.events if isinstance(event, kind)]


@pytest.fixture(scope="module")
def toy() -> Platform:
    return scenarios.load("toy")


@pytest.fixture(scope="module")
def small(toy: Platform) -> tuple[Network, Background]:
    return toy.network, toy.background


@pytest.fixture(scope="module")
def batch(toy: Platform) -> Exchanges:
    return made_batch(toy.network)


def made_batch(network: Network, count: int = 1_500, span_ns: int = SPAN_NS, sizes: float = 3e6) -> Exchanges:
    rng = np.random.default_rng(3)
    ends = network.endpoints
    source = rng.integers(len(ends), size=count)
    target = (source + rng.integers(1, len(ends), size=count)) % len(ends)
    submitted_ns = np.sort(rng.integers(0, span_ns, count))
    due = np.where(rng.random(count) < 0.5, submitted_ns + 5 * SECOND_NS, -1)
    return exchanges(
        submitted_ns,
        ends[source],
        ends[target],
        rng.lognormal(0, 1.5, count) * sizes,
        mode=rng.integers(4, size=count),
        priority=rng.integers(3, size=count),
        deadline_ns=due,
    )


def assert_same_outcome(one: Record, other: Record) -> None:
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(one.exchanges, name), getattr(other.exchanges, name))
    np.testing.assert_array_equal(one.outcome.delivered_ns, other.outcome.delivered_ns)
    np.testing.assert_array_equal(one.outcome.refusal, other.outcome.refusal)
    np.testing.assert_array_equal(one.series.edge_ns, other.series.edge_ns)
    for name in ("slot", "station", "utilisation", "waiting", "served", "served_bytes"):
        np.testing.assert_array_equal(getattr(one.series.rows, name), getattr(other.series.rows, name))
    assert one.ended_ns == other.ended_ns


# Law 5: the seed decides everything.


@pytest.mark.parametrize("seed", range(5))
def test_same_seed_same_run(small, batch, seed):
    one, other = Run(small, batch, seed=seed), Run(small, batch, seed=seed)
    assert_same_outcome(one.record, other.record)
    assert one.metrics.model_dump_json() == other.metrics.model_dump_json()
    assert one.plane.rates == other.plane.rates
    assert_same_events(one.brain.events, other.brain.events)


def assert_same_events(one: list[Event], other: list[Event]) -> None:
    assert [(type(event), event.now_ns) for event in one] == [(type(event), event.now_ns) for event in other]
    for a, b in zip(one, other, strict=True):
        if isinstance(a, TelemetryArrived):
            assert (a.observed_ns, a.window_ns) == (b.observed_ns, b.window_ns)
            for name in ("utilisation", "waiting", "served_bytes"):
                np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_another_seed_another_run(small, batch):
    one, other = Run(small, batch, seed=1), Run(small, batch, seed=2)
    assert one.plane.rates != other.plane.rates
    assert (one.record.outcome.delivered_ns != other.record.outcome.delivered_ns).any()
    assert one.metrics != other.metrics


@pytest.mark.parametrize("cuts", [1, 40, 1_500])
def test_how_the_trace_is_read_has_no_influence(small, batch, cuts):
    usual, other = Run(small, batch), Run(small, batch, cuts=cuts)
    assert_same_outcome(usual.record, other.record)
    assert_same_events(usual.brain.events, other.brain.events)


@pytest.mark.parametrize(
    "telemetry",
    [
        TelemetryConfig(noise=0.5),
        TelemetryConfig(delay_ns=0, delay_jitter_ns=0),
        TelemetryConfig(period_ns=7 * SECOND_NS, delay_jitter_ns=MINUTE_NS),
    ],
    ids=["noisy", "at once", "often and late"],
)
def test_telemetry_touches_nothing_else(small, batch, telemetry):
    """Each consumer of randomness has its own stream: sampling otherwise leaves the other users as they were."""
    usual, other = Run(small, batch), Run(small, batch, telemetry=telemetry)
    assert usual.plane.rates == other.plane.rates
    assert_same_outcome(usual.record, other.record)


# Law 6: what the brain may know, and when.


@pytest.mark.parametrize("seed", range(5))
def test_front_ends_report_every_task_once_in_the_window_in_which_it_came(small, batch, seed):
    """Window after window, relation by relation; what came after the last sample is never told."""
    run = Run(small, batch, seed=seed)
    reports = run.told(DemandReported)
    assert len(reports) >= 7
    ends = np.array([report.observed_ns for report in reports])
    order = np.argsort(ends)
    begins = ends[order] - np.array([report.window_ns for report in reports])[order]
    np.testing.assert_array_equal(begins, np.concatenate(([0], ends[order][:-1])))
    for report in reports:
        assert report.observed_ns < report.now_ns
        inside = slice(*batch.submitted_ns.searchsorted([report.observed_ns - report.window_ns, report.observed_ns]))
        tasks = batch[inside]
        wanted: dict[tuple[int, ...], list[int]] = {}
        columns = (tasks.source, tasks.target, tasks.mode, tasks.kind, tasks.priority, tasks.payload_bytes)
        for *relation, size in zip(*(column.tolist() for column in columns), strict=True):
            wanted.setdefault(tuple(relation), []).append(size)
        columns = (report.source, report.target, report.mode, report.kind, report.priority)
        told = list(zip(*(column.tolist() for column in columns), strict=True))
        assert told == sorted(wanted)
        assert report.exchanges.tolist() == [len(wanted[relation]) for relation in told]
        assert report.payload_bytes.tolist() == [sum(wanted[relation]) for relation in told]


@pytest.mark.parametrize("seed", range(5))
def test_events_come_in_order(small, batch, seed):
    """In order of time; at one instant demand, the telemetry it came with, the slot's start; the end at the end."""
    telemetry = TelemetryConfig(period_ns=MINUTE_NS, delay_ns=MINUTE_NS, delay_jitter_ns=0)
    run = Run(small, batch, seed=seed, telemetry=telemetry)
    events = run.brain.events
    assert isinstance(events[0], SlotStarted)
    assert events[-1] == RunEnded(run.record.ended_ns)
    assert len(run.told(RunEnded)) == 1
    for before, after in pairwise(events[:-1]):
        assert before.now_ns <= after.now_ns
        if before.now_ns == after.now_ns:
            assert (type(before), type(after)) in (
                (DemandReported, TelemetryArrived),
                (TelemetryArrived, SlotStarted),
            )
    slots = run.told(SlotStarted)
    assert [(event.slot, event.now_ns) for event in slots] == [(k, k * run.config.slot_ns) for k in range(len(slots))]
    together = {event.now_ns for event in slots} & {event.now_ns for event in run.told(TelemetryArrived)}
    assert len(together) >= 7, "the case at one instant did occur"
    assert run.progress == [event.now_ns for event in slots] + [run.record.ended_ns]


@pytest.mark.parametrize("seed", range(5))
def test_telemetry_is_late_and_never_from_the_future(small, batch, seed):
    telemetry = TelemetryConfig(period_ns=20 * SECOND_NS, delay_ns=SECOND_NS, delay_jitter_ns=4 * SECOND_NS)
    run = Run(small, batch, seed=seed, telemetry=telemetry)
    samples = run.told(TelemetryArrived)
    delays = {event.now_ns - event.observed_ns for event in samples}
    assert min(delays) >= SECOND_NS
    assert max(delays) <= 5 * SECOND_NS
    assert len(delays) > len(samples) / 2
    assert [event.observed_ns for event in samples] == [20 * SECOND_NS * (k + 1) for k in range(len(samples))]
    assert {event.window_ns for event in samples} == {20 * SECOND_NS}
    stations = small[0].station_count
    for event in samples:
        assert event.utilisation.shape == event.waiting.shape == event.served_bytes.shape == (stations,)
        assert (event.utilisation >= 0).all()
        assert (event.utilisation <= 1).all()
        assert (event.served_bytes >= 0).all()


def test_telemetry_without_noise_is_the_truth(small, batch):
    """Then the windows' bytes and server time sum up to what the plane did; with noise they come near it."""
    network = small[0]
    quiet, noisy = (
        Run((network, no_background(network.line_count)), batch, telemetry=TelemetryConfig(noise=noise))
        for noise in (0.0, 0.1)
    )
    end = quiet.told(TelemetryArrived)[-1].observed_ns
    plane = ReferencePlane(network)
    plane.apply(ecmp(network).handle(SlotStarted(0, 0))[0])
    plane.submit(batch)
    plane.advance(end)
    truth = plane.snapshot()
    served_bytes = sum(event.served_bytes for event in quiet.told(TelemetryArrived))
    np.testing.assert_array_equal(served_bytes, truth.served_bytes)
    busy_s = sum(event.utilisation * event.window_ns for event in quiet.told(TelemetryArrived)) * 1e-9
    np.testing.assert_allclose(busy_s, truth.busy_ns / network.station_servers * 1e-9, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(quiet.told(TelemetryArrived)[3].waiting, _waiting_at(network, batch, 4 * MINUTE_NS))

    # Each window's factor is 1 + 0.1 z; an error beyond 6 sigma in 10^5 windows has a chance of 2e-4.
    for exact, blurred in zip(quiet.told(TelemetryArrived), noisy.told(TelemetryArrived), strict=True):
        assert (np.abs(blurred.served_bytes - exact.served_bytes) <= 0.6 * exact.served_bytes + 1).all()
        assert (np.abs(blurred.utilisation - exact.utilisation) <= 0.6 * exact.utilisation).all()
    blurred = np.array([event.served_bytes for event in noisy.told(TelemetryArrived)], dtype=float)
    exact = np.array([event.served_bytes for event in quiet.told(TelemetryArrived)], dtype=float)
    big = exact > 1e6
    assert big.sum() > 1_000
    relative = blurred[big] / exact[big] - 1
    assert abs(relative.std() - 0.1) < 0.1 * 6 / np.sqrt(2 * big.sum())
    assert abs(relative.mean()) < 0.1 * 6 / np.sqrt(big.sum())


def _waiting_at(network: Network, batch: Exchanges, now_ns: int):
    plane = ReferencePlane(network)
    plane.apply(ecmp(network).handle(SlotStarted(0, 0))[0])
    plane.submit(batch)
    plane.advance(now_ns)
    return plane.snapshot().waiting


def test_lines_count_their_other_users(small, batch):
    """An idle line that others fill to a third shows a third, as its interface counter does."""
    network = small[0]
    idle = ReferencePlane(network)
    sampler = Sampler(network, TelemetryConfig(noise=0.0), seed=1)
    others, borrowed_ns = np.linspace(0, 0.9, network.line_count), np.zeros(network.station_count, np.int64)
    up = np.ones(network.station_count, np.bool_)
    assert sampler.sample(idle.snapshot(), others, borrowed_ns, up) is None
    idle.advance(MINUTE_NS)
    _, event = sampler.sample(idle.snapshot(), others, borrowed_ns, up)
    np.testing.assert_allclose(event.utilisation[network.line_station], others)
    inside = np.setdiff1d(np.arange(network.station_count), network.line_station)
    assert not event.utilisation[inside].any()


@pytest.mark.parametrize(
    "wrong", [{"period_ns": 0}, {"delay_ns": -1}, {"delay_jitter_ns": -1}, {"noise": -0.1}, {"noise": float("nan")}]
)
def test_telemetry_config_is_checked(wrong):
    with pytest.raises(ValueError, match="telemetry"):
        TelemetryConfig(**wrong)


@pytest.mark.parametrize("wrong", [{"slot_ns": 0}, {"background_ns": -1}, {"drain_ns": -1}])
def test_world_config_is_checked(wrong):
    with pytest.raises(ValueError, match="rhythms"):
        WorldConfig(**wrong)


# The end of a run.


def test_a_run_goes_on_until_all_is_delivered(small, batch):
    run = Run(small, batch)
    assert run.metrics.counts.in_flight == 0
    assert run.metrics.counts.delivered == len(batch)
    assert run.record.ended_ns >= SPAN_NS
    assert run.record.ended_ns >= run.record.outcome.delivered_ns.max()
    assert run.record.ended_ns % run.config.slot_ns == 0


def overloaded() -> tuple[tuple[Network, Background], Exchanges]:
    """A centre that takes a second for each exchange, and two exchanges a second for ten minutes."""
    builder = NetworkBuilder(("outer",))
    quick = Service(8, 1_000, 0)
    centre = builder.add_node("centre", NodeKind.CENTRE, service=quick, process=Service(1, SECOND_NS, 0))
    ends = [builder.add_node(name, NodeKind.FRONT_END, service=quick) for name in ("a", "b")]
    for end in ends:
        builder.add_line(end, centre, service=quick)
    network = builder.build()
    submitted_ns = np.arange(1_200) * (SECOND_NS // 2)
    batch = exchanges(submitted_ns, *ends, 1_000, deadline_ns=submitted_ns + MINUTE_NS)
    return (network, no_background(network.line_count)), batch


def test_the_drain_limit_leaves_the_rest_in_flight_and_counted():
    platform, batch = overloaded()
    span_ns = 10 * MINUTE_NS
    run = Run(platform, batch, span_ns=span_ns, drain_ns=5 * MINUTE_NS)
    assert run.record.ended_ns == 15 * MINUTE_NS
    counts = run.metrics.counts
    # One exchange a second, the last one has begun but not ended.
    assert counts.submitted == 1_200
    assert counts.delivered == pytest.approx(900, abs=1)
    assert counts.in_flight == counts.submitted - counts.delivered
    assert run.metrics.bytes.in_flight == 1_000 * counts.in_flight
    late = (run.record.outcome.delivered_ns > batch.deadline_ns) | (run.record.outcome.delivered_ns < 0)
    assert run.metrics.completion.all.deadline_missed == late.sum() > 700

    at_once = Run(platform, batch, span_ns=span_ns, drain_ns=0)
    assert at_once.record.ended_ns == span_ns
    patient = Run(platform, batch, span_ns=span_ns)
    assert patient.metrics.counts.in_flight == 0
    assert patient.record.ended_ns == 25 * MINUTE_NS, "1,200 s of work end just after a border: one slot more"


def test_an_exchange_beyond_the_span_is_refused(small, batch):
    """It would be in the record without ever having been carried."""
    first = int(np.searchsorted(batch.submitted_ns, SPAN_NS // 2))
    with pytest.raises(BadInputError, match=rf"^exchange {first}.submitted_ns: must lie before the end of the trace"):
        Run(small, batch, span_ns=SPAN_NS // 2)


def test_an_empty_trace_is_a_run_too(small, batch):
    run = Run(small, batch[:0], cuts=1)
    assert run.record.ended_ns == SPAN_NS
    assert run.metrics.counts.submitted == 0
    assert run.metrics.completion.all.p99_ns is None
    assert run.metrics.stations == []


# The whole pipeline, from a trace's file to metrics.


@pytest.fixture(scope="module")
def sample(toy: Platform, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trace") / "hours.parquet"
    write_trace(path, TraceGenerator(toy, start=TUESDAY, span=timedelta(hours=3), seed=4))
    return path


@pytest.mark.parametrize("name", BRAINS)
def test_replay_is_the_world_around_a_file(toy, sample, name):
    result = replay(toy, sample, make_brain(name, toy.network), seed=2)
    with TraceReader(sample) as reader:
        batch = reader.read_all(toy)
        span_ns = reader.info.span_ns
    assert len(batch) > 100
    brain = make_brain(name, toy.network)
    world = World(
        toy.network, toy.background, brain, ReferencePlane(toy.network), start=TUESDAY, span_ns=span_ns, seed=2
    )
    record = world.run(iter([batch]))
    done = completion(record.exchanges, record.outcome, record.ended_ns)
    assert result.metrics == summary(toy.network, record, done, name, span_ns, WorldConfig().slot_ns)
    assert result.metrics.counts.delivered == len(batch)
    assert result.pairs.submitted.sum() == len(batch)
    np.testing.assert_array_equal(result.stations.served, record.series.rows.served)


def test_replay_tells_how_far_it_is(toy, sample):
    shares: list[float] = []
    replay(toy, sample, make_brain("ecmp", toy.network), seed=2, on_progress=shares.append)
    assert shares[0] == 0
    assert shares == sorted(shares)
    assert shares[-1] >= 1


def test_a_run_beyond_all_time_is_one_line_of_bad_input(toy, sample, monkeypatch):
    class Endless(ReferencePlane):
        def advance(self, until_ns: int) -> None:
            raise OverflowError("instant beyond 2**62 ns at station hub")

    monkeypatch.setitem(DATA_PLANES, "endless", Endless)
    with pytest.raises(BadInputError, match=r"^replay: .* at station hub"):
        replay(toy, sample, make_brain("ecmp", toy.network), seed=1, data_plane="endless")


def test_an_unknown_data_plane_or_brain_is_refused(toy, sample):
    with pytest.raises(BadInputError, match=r"^data plane: must be one of compiled, simpy"):
        replay(toy, sample, make_brain("ecmp", toy.network), seed=2, data_plane="abacus")
    with pytest.raises(BadInputError, match=r"^brain: must be one of shortest-path, ecmp"):
        make_brain("oracle", toy.network)


@pytest.mark.parametrize("name", BRAINS)
def test_a_baseline_sets_one_plan_at_the_first_slot(toy, name):
    brain = make_brain(name, toy.network)
    assert brain.name == name
    (command,) = brain.handle(SlotStarted(0, 0))
    assert isinstance(command, SetPlan)
    ways = 1 if name == "shortest-path" else PATHS_MAX
    groups = range(len(toy.network.groups))
    choices = [command.plan.choice(a, b) for a in groups for b in groups]
    assert max(len(choice.trunks) for choice in choices if choice) <= ways
    assert brain.handle(SlotStarted(1, 1)) == brain.handle(RunEnded(2)) == []


# The other users of the lines.


def flat(level: float, **changes: float) -> BackgroundProfile:
    values = {"jitter": 0.1, "conference_probability": 0.0, "conference_fraction": 0.0} | changes
    return BackgroundProfile("flat", (level,) * 24, (level / 2,) * 24, **values)


def many_lines(count: int = 200) -> Network:
    builder = NetworkBuilder(("outer",))
    service = Service(1, 1_000, 1_000)
    nodes = [builder.add_node(name, NodeKind.CENTRE, service=service, process=service) for name in ("a", "b")]
    for _ in range(count):
        builder.add_line(*nodes, service=service)
    return builder.build()


def background(network: Network, *profiles: BackgroundProfile, scale: float = 1.0) -> Background:
    """Lines follow the profiles in turn; every tenth line has no other users."""
    line = np.arange(network.line_count)
    profile = np.where(line % 10 == 9, -1, line % len(profiles)).astype(np.int32)
    return Background(profiles, profile, np.full(len(line), scale))


def steps(others: OtherUsers, first_ns: int, count: int) -> np.ndarray:
    """Shares of `count` minutes from an instant, (count, L)."""
    rows = []
    for minute in range(count):
        others.step(first_ns + minute * MINUTE_NS)
        rows.append(others.fraction.copy())
    return np.array(rows)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("start", [TUESDAY, SATURDAY], ids=["working day", "weekend"])
def test_hourly_mean_follows_the_profile(seed, start):
    """Deviations are independent between lines, so the mean over lines and an hour lies near the profile's level."""
    network = many_lines()
    hours = tuple(0.05 + 0.03 * hour % 0.6 for hour in range(24))
    rising = BackgroundProfile("rising", hours, hours[::-1], 0.2, 0.0, 0.0)
    load = background(network, rising, flat(0.3), scale=0.8)
    others = OtherUsers(network, load, start, seed)
    shares = steps(others, 0, 4 * 60)
    for hour in range(4):
        minutes = np.arange(60) / 60 + start.hour + hour
        expected = np.mean([load.mean_fraction(minute, start == TUESDAY) for minute in minutes], axis=0)
        found = shares[60 * hour : 60 * (hour + 1)].mean(axis=0)
        for profile, jitter in ((0, 0.2), (1, 0.1)):
            lines = load.line_profile == profile
            # AR(1) with persistence 0.9: an hour is worth three independent draws at least; six sigma.
            error = 6 * jitter / np.sqrt(3 * lines.sum())
            assert found[lines].mean() == pytest.approx(expected[lines].mean(), rel=error)
    assert not shares[:, load.line_profile == -1].any()
    # The share varies as much as `jitter` says, and has a memory.
    one = shares[:, load.line_profile == 1] / (0.8 * (0.3 if start == TUESDAY else 0.15)) - 1
    assert one.std() == pytest.approx(0.1, rel=0.1)
    assert np.corrcoef(one[:-1].ravel(), one[1:].ravel())[0, 1] == pytest.approx(0.9, abs=0.05)


@pytest.mark.parametrize("seed", range(4))
def test_shares_stay_within_bounds_and_slow_the_lines(seed):
    network = many_lines(40)
    load = background(network, flat(0.9, jitter=1.0), flat(0.02, jitter=3.0))
    others = OtherUsers(network, load, TUESDAY, seed)
    used = np.flatnonzero(load.line_profile >= 0)
    for minute in range(200):
        rates = others.step(minute * MINUTE_NS)
        share = others.fraction
        assert (share >= 0).all()
        assert (share <= FRACTION_MAX).all()
        np.testing.assert_array_equal(rates.station, network.line_station[used])
        full = network.station_ps_per_byte[rates.station]
        # What is left is never more than the line less the others, and the rounding is below a picosecond.
        assert (rates.ps_per_byte >= full / (1 - share[used]) * (1 - 1e-12)).all()
        assert (rates.ps_per_byte < full / (1 - share[used]) + 1).all()


def test_conferences_are_held_on_working_days_at_their_hours():
    network = many_lines(10)
    always = flat(0.2, jitter=0.0, conference_probability=1.0, conference_fraction=0.25)
    seen = set()
    for seed in range(20):
        midnight = TUESDAY.replace(hour=0)
        others = OtherUsers(network, background(network, always), midnight, seed)
        shares = np.array([_share_at(others, hour * HOUR_NS) for hour in range(24)])
        held = np.flatnonzero(shares > 0.3)
        assert set(np.round(shares, 9).tolist()) == {0.2, 0.45}
        assert len(held) == 2
        seen.add((int(held[0]), int(held[-1]) + 1))
        saturday = midnight + timedelta(days=4)
        others = OtherUsers(network, background(network, always), saturday, seed)
        assert {round(_share_at(others, hour * HOUR_NS), 9) for hour in range(24)} == {0.1}
    assert seen == set(CONFERENCE_HOURS)


def _share_at(others: OtherUsers, now_ns: int) -> float:
    others.step(now_ns)
    return float(others.fraction[0])


def test_without_other_users_nothing_is_slowed(small):
    network = small[0]
    others = OtherUsers(network, no_background(network.line_count), TUESDAY, 1)
    rates = others.step(0)
    assert len(rates.station) == len(rates.ps_per_byte) == 0
    assert not others.fraction.any()


@pytest.mark.parametrize("hour", [0.0, 0.25, np.nextafter(0.5, 0), 0.5, 12.0, 23.5, 23.999999, 24.0])
def test_mean_fraction_is_defined_at_every_hour(hour):
    profile = BackgroundProfile("steps", tuple(h / 100 for h in range(24)), (0.0,) * 24, 0.0, 0.0, 0.0)
    load = Background((profile,), np.zeros(1, np.int32), np.ones(1))
    share = float(load.mean_fraction(float(hour), True)[0])
    before, after = int(np.floor(hour - 0.5)) % 24, int(np.ceil(hour - 0.5)) % 24
    low, high = sorted((before / 100, after / 100))
    assert low - 1e-12 <= share <= high + 1e-12
    assert load.mean_fraction(float(hour), False)[0] == 0


@pytest.mark.parametrize("seed", range(6))
def test_any_world_ends_with_everything_accounted_for(seed):
    """Random networks, far too much or too little to do: law 1 holds in the metrics, whatever the brain did."""
    random = Random(seed)
    network = drawn_network(random)
    batch = drawn_exchanges(random, network, 300, grid_ns=10 * SECOND_NS, grid_bytes=10**9 * (seed % 3))
    span_ns = int(batch.submitted_ns[-1]) + 1
    run = Run((network, no_background(network.line_count)), batch, span_ns=span_ns, drain_ns=MINUTE_NS * seed)
    counts, sizes = run.metrics.counts, run.metrics.bytes
    assert counts.submitted == len(batch) == counts.delivered + counts.in_flight + counts.refused
    assert sizes.submitted == batch.payload_bytes.sum() == sizes.delivered + sizes.in_flight + sizes.refused
    assert counts.refused == 0
    assert (run.record.outcome.delivered_ns < run.record.ended_ns).all()
