"""The guard of the brain's input: what is good passes untouched, what is not is named, counted and told."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime
from random import Random

import numpy as np
import pytest
from made_networks import drawn_network, exchanges

import scenarios
from router_core.errors import BadInputError
from router_core.network import Network
from router_core.transport import Transport
from router_core.units import MINUTE_NS, SECOND_NS
from sim.faults import Fault, FaultKind
from sim.replay import DATA_PLANES
from sim.telemetry import TelemetryConfig
from sim.world import World, WorldConfig
from strategies.baselines import ecmp
from strategies.brain import (
    Command,
    DemandReported,
    Event,
    ParticlesCollected,
    RunEnded,
    SendParticles,
    SlotStarted,
    StationsChanged,
    TelemetryArrived,
)
from strategies.decision import DecisionKind, Reason
from strategies.guard.telemetry_guard import GuardSetting, TelemetryGuard
from strategies.guard.verdict import Flaw, Stream, Verdict

DELAY_NS = 3 * SECOND_NS


def some_network(seed: int = 0) -> Network:
    return drawn_network(Random(seed), transit=4, front_ends=5)


def telemetry(network: Network, minute: int, *, period_ns: int = MINUTE_NS, **changed) -> TelemetryArrived:
    random, stations = np.random.default_rng(minute), network.station_count
    event = TelemetryArrived(
        now_ns=minute * period_ns + DELAY_NS,
        observed_ns=minute * period_ns,
        window_ns=period_ns,
        utilisation=random.random(stations),
        waiting=random.integers(0, 9, stations),
        served_bytes=random.integers(0, 10_000, stations),
        up=np.ones(stations, dtype=bool),
    )
    return replace(event, **changed)


def demand(network: Network, minute: int, rows: int = 12, **changed) -> DemandReported:
    ends = network.endpoints.tolist()
    pairs = sorted((a, b) for a in ends for b in ends if a != b)[:rows]
    source, target = np.array(pairs, dtype=np.int32).T
    few = np.zeros(len(pairs), dtype=np.int8)
    event = DemandReported(
        now_ns=minute * MINUTE_NS + DELAY_NS,
        observed_ns=minute * MINUTE_NS,
        window_ns=MINUTE_NS,
        source=source.copy(),
        target=target.copy(),
        mode=few,
        kind=few.copy(),
        priority=few.copy(),
        exchanges=np.full(len(pairs), 3, dtype=np.int64),
        payload_bytes=np.full(len(pairs), 3_000, dtype=np.int64),
    )
    return replace(event, **changed)


def with_value(column: np.ndarray, row: int, value: float) -> np.ndarray:
    changed = column.copy()
    changed[row] = value
    return changed


def warmed(network: Network, minutes: int = 6, **setting) -> TelemetryGuard:
    """A guard that has seen both streams for some minutes."""
    guard = TelemetryGuard(network, GuardSetting(**setting))
    for minute in range(1, minutes + 1):
        for event in (demand(network, minute), telemetry(network, minute)):
            (verdict,) = guard.check(event)
            assert verdict.event is event
            assert (verdict.flaw, verdict.good) == (None, True)
    return guard


class Watching:
    """A brain that shows its guard everything."""

    def __init__(self, network: Network, setting: GuardSetting) -> None:
        self.name = "watching"
        self._brain = ecmp(network)
        self.guard = TelemetryGuard(network, setting)
        self.verdicts: list[Verdict] = []

    def handle(self, event: Event) -> list[Command]:
        self.verdicts += self.guard.check(event)
        return self._brain.handle(event)


@pytest.mark.parametrize("seed", range(4))
def test_what_the_world_sends_passes_untouched(seed):
    """Heavy load, noise, late samples, stops, losses of servers: nothing of it is absurd."""
    platform = scenarios.load("toy")
    network = platform.network
    transport = Transport(chunk_bytes=2_000_000)
    random = np.random.default_rng(seed)
    ends, count, span_ns = network.endpoints, 1_500, 40 * MINUTE_NS
    source = random.integers(len(ends), size=count)
    target = (source + random.integers(1, len(ends), size=count)) % len(ends)
    at = np.sort(random.integers(0, span_ns, count))
    batch = exchanges(at, ends[source], ends[target], random.lognormal(0, 1.5, count) * 4e6)
    faults = []
    for kind in (FaultKind.STOP, FaultKind.SLOW, FaultKind.SERVERS):
        begin = int(random.integers(0, 20)) * MINUTE_NS
        struck = tuple(random.choice(network.station_count, 4, replace=False).tolist())
        faults.append(Fault(kind, struck, begin, begin + 5 * MINUTE_NS, 3.0 if kind == FaultKind.SLOW else 1.0))
    period_ns = [MINUTE_NS, 20 * SECOND_NS, 90 * SECOND_NS, MINUTE_NS][seed]
    brain = Watching(network, GuardSetting(chunk_bytes=transport.chunk_bytes))
    World(
        network,
        platform.background,
        brain,
        DATA_PLANES["compiled"](network, transport),
        start=datetime(2026, 3, 17, 9, 0),
        span_ns=span_ns,
        seed=seed,
        config=WorldConfig(telemetry=TelemetryConfig(period_ns=period_ns, noise=0.05)),
        faults=faults,
    ).run(iter([batch]))
    assert {verdict.flaw for verdict in brain.verdicts} == {None}
    assert {verdict.stream for verdict in brain.verdicts} >= {Stream.TELEMETRY, Stream.DEMAND, Stream.ALARMS}
    assert not brain.guard.counts
    assert not brain.guard.report()
    assert brain.guard.period_ns == period_ns


NETWORK = some_network()
LAST, NEXT = 6, 7
GOOD = telemetry(NETWORK, NEXT)
WHOLE = {
    "observed after it came": ({"observed_ns": GOOD.now_ns + 1}, Flaw.FUTURE),
    "observed long ago": ({"now_ns": GOOD.now_ns + 4 * MINUTE_NS}, Flaw.LATE),
    "the same again": ({"observed_ns": LAST * MINUTE_NS}, Flaw.DUPLICATED),
    "older than the newest": ({"observed_ns": LAST * MINUTE_NS - SECOND_NS}, Flaw.REORDERED),
    "observed before the run": ({"observed_ns": -1}, Flaw.OUT_OF_RANGE),
    "no window": ({"window_ns": 0}, Flaw.WINDOW),
    "a window back": ({"window_ns": -MINUTE_NS}, Flaw.WINDOW),
    "half a window": ({"window_ns": MINUTE_NS // 2}, Flaw.WINDOW),
    "a window over the last one": ({"window_ns": 2 * MINUTE_NS}, Flaw.WINDOW),
    "the clock runs back": ({"now_ns": LAST * MINUTE_NS, "observed_ns": LAST * MINUTE_NS - 1}, Flaw.CLOCK_BACK),
    "the clock leaps ahead": ({"now_ns": GOOD.now_ns + 3_000 * MINUTE_NS}, Flaw.CLOCK_AHEAD),
    "an instant that is none": ({"observed_ns": float("nan")}, Flaw.SHAPE),
    "a station too few": ({"utilisation": GOOD.utilisation[1:]}, Flaw.SHAPE),
    "another type": ({"waiting": GOOD.waiting.astype(float)}, Flaw.SHAPE),
    "no array": ({"up": GOOD.up.tolist()}, Flaw.SHAPE),
    "a table": ({"served_bytes": GOOD.served_bytes[:, None]}, Flaw.SHAPE),
    "all counters negative": ({"served_bytes": -1 - GOOD.served_bytes}, Flaw.MOSTLY_ABSURD),
}


@pytest.mark.parametrize("case", WHOLE)
def test_a_sample_that_cannot_be_is_refused_by_name(case):
    changed, flaw = WHOLE[case]
    guard = warmed(NETWORK)
    verdict = guard.check(replace(GOOD, **changed))[-1]
    assert verdict.event is None
    assert (verdict.stream, verdict.flaw) == (Stream.TELEMETRY, flaw)
    assert verdict.good is (None if flaw in (Flaw.DUPLICATED, Flaw.REORDERED) else False)
    assert guard.counts[Stream.TELEMETRY, flaw] == 1
    (told,) = [one for one in guard.report() if flaw.value in one.subject]
    assert told.kind is DecisionKind.ALERT
    assert told.reason is verdict.reason
    # And the next one is as good as ever.
    later = telemetry(NETWORK, NEXT + 4)
    assert guard.check(later)[-1].event is later


@pytest.mark.parametrize(
    ("name", "value", "flaw"),
    [
        ("utilisation", np.nan, Flaw.OUT_OF_RANGE),
        ("utilisation", np.inf, Flaw.OUT_OF_RANGE),
        ("utilisation", -0.01, Flaw.OUT_OF_RANGE),
        ("utilisation", 1.01, Flaw.OUT_OF_RANGE),
        ("waiting", -1, Flaw.OUT_OF_RANGE),
        ("served_bytes", -1, Flaw.OUT_OF_RANGE),
        ("served_bytes", 2**62, Flaw.BEYOND_RATE),
    ],
)
def test_an_absurd_station_is_left_out_and_the_others_are_used(name, value, flaw):
    station = int(np.flatnonzero(NETWORK.station_ps_per_byte > 0)[2])
    guard = warmed(NETWORK)
    event = replace(GOOD, **{name: with_value(getattr(GOOD, name), station, value)})
    verdict = guard.check(event)[-1]
    assert verdict.flaw is flaw
    assert verdict.good is True
    assert verdict.ignored.tolist() == [station]
    before = telemetry(NETWORK, LAST)
    for column in ("utilisation", "waiting", "served_bytes"):
        expected = with_value(getattr(GOOD, column), station, getattr(before, column)[station])
        np.testing.assert_array_equal(getattr(verdict.event, column), expected)
    assert guard.ignored_counts[Stream.TELEMETRY, flaw] == 1
    (told,) = guard.report()
    assert NETWORK.station_name[station] in told.subject
    assert told.figures["stations"] == 1


def test_no_station_has_served_more_than_its_rate_allows():
    """Law 3 for counters: one byte beyond the bound is absurd, the bound itself is not."""
    setting = GuardSetting(chunk_bytes=5_000, rate_tolerance=1.0)
    network = NETWORK
    station = int(np.flatnonzero((network.station_ps_per_byte > 0) & (network.station_discipline == 0))[0])
    servers = int(network.station_servers[station])
    most = servers * (MINUTE_NS * 1_000 // int(network.station_ps_per_byte[station]) + 5_000)
    for served, flaw in ((most, None), (most + servers + 1, Flaw.BEYOND_RATE)):
        guard = TelemetryGuard(network, setting)
        event = telemetry(network, 1)
        event = replace(event, served_bytes=with_value(event.served_bytes, station, served))
        assert guard.check(event)[-1].flaw is flaw


def test_an_alarm_knows_better_than_an_older_sample():
    network = NETWORK
    guard = warmed(network)
    at_ns = NEXT * MINUTE_NS + SECOND_NS
    alarm = StationsChanged(at_ns + SECOND_NS, at_ns, np.array([2, 5], np.int32), np.array([False, False]))
    assert guard.check(alarm)[-1].event is alarm
    assert not guard.up[[2, 5]].any()
    sample = guard.check(telemetry(network, NEXT))[-1].event
    assert not sample.up[[2, 5]].any()
    assert sample.up.sum() == network.station_count - 2
    # The same news again, and older ones.
    assert guard.check(replace(alarm, now_ns=GOOD.now_ns))[-1].flaw is Flaw.DUPLICATED
    old = StationsChanged(GOOD.now_ns, at_ns - 1, np.array([2, 3], np.int32), np.array([True, False]))
    verdict = guard.check(old)[-1]
    assert (verdict.flaw, verdict.ignored.tolist()) == (Flaw.REORDERED, [0])
    assert verdict.event.station.tolist() == [3]
    # The next sample is newer than all of them.
    guard.check(telemetry(network, NEXT + 1))
    assert guard.up.all()


@pytest.mark.parametrize(
    ("station", "up", "flaw", "left"),
    [
        ([1, 1], [True, False], Flaw.OUT_OF_RANGE, [1]),
        ([3, 2], [False, False], Flaw.OUT_OF_RANGE, [3]),
        ([-1, 2], [False, False], Flaw.OUT_OF_RANGE, [2]),
        ([2, 10_000], [False, False], Flaw.OUT_OF_RANGE, [2]),
    ],
)
def test_an_alarm_of_stations_that_are_not_there(station, up, flaw, left):
    guard = warmed(NETWORK)
    now_ns = GOOD.now_ns
    verdict = guard.check(StationsChanged(now_ns, now_ns - 1, np.array(station, np.int32), np.array(up)))[-1]
    assert verdict.flaw is flaw
    assert verdict.event.station.tolist() == left
    wrong = StationsChanged(now_ns, now_ns + 1, np.array([1], np.int32), np.array([True]))
    assert guard.check(wrong)[-1].flaw is Flaw.FUTURE
    assert guard.check(replace(wrong, up=np.array([1])))[-1].flaw is Flaw.SHAPE


@pytest.mark.parametrize("period_ns", [SECOND_NS, 10 * SECOND_NS, MINUTE_NS, 10 * MINUTE_NS])
def test_the_period_is_learnt_whatever_is_lost_on_the_way(period_ns):
    network, random = NETWORK, Random(period_ns)
    guard = TelemetryGuard(network)
    for number in range(1, 60):
        if number < 20 or random.random() < 0.7:
            guard.check(replace(telemetry(network, number, period_ns=period_ns), now_ns=number * period_ns + 1))
    assert guard.period_ns == period_ns
    assert not {flaw for _, flaw in guard.counts} - {Flaw.MISSING}


def test_what_is_refused_again_and_again_teaches_no_period():
    guard = warmed(NETWORK)
    absurd = replace(GOOD, utilisation=GOOD.utilisation - 2.0)
    for number in range(30):
        guard.check(replace(absurd, now_ns=GOOD.now_ns + number))
    assert guard.period_ns == MINUTE_NS
    assert guard.check(telemetry(NETWORK, NEXT + 1))[-1].flaw is None


def test_what_does_not_come_is_missing_even_if_nothing_else_happens():
    network = NETWORK
    guard = warmed(network)
    missing = []
    for slot in range(2, 5):
        verdicts = guard.check(SlotStarted(slot * 5 * MINUTE_NS, slot))
        assert verdicts[-1].stream is Stream.CLOCK
        assert verdicts[-1].good is True
        missing.append([(one.stream, one.flaw) for one in verdicts[:-1]])
    # Six minutes were seen: by the tenth three samples are overdue by half a period and more, then five a slot.
    both = [(Stream.TELEMETRY, Flaw.MISSING)], [(Stream.DEMAND, Flaw.MISSING)]
    assert missing == [both[0] * 3 + both[1] * 3, both[0] * 5 + both[1] * 5, both[0] * 5 + both[1] * 5]
    assert {one.reason for one in guard.report()} == {Reason.TELEMETRY_MISSING}


def test_a_clock_that_leaps_is_believed_when_it_lasts_and_never_runs_back():
    network = NETWORK
    guard = warmed(network)
    ahead = 3_000
    # One event from far ahead changes nothing.
    assert guard.check(SlotStarted(ahead * MINUTE_NS, 0))[-1].flaw is Flaw.CLOCK_AHEAD
    assert guard.check(telemetry(network, NEXT))[-1].flaw is None
    # Two at one instant are one sign; three instants are enough.
    flaws = [guard.check(event)[-1].flaw for event in (demand(network, ahead), telemetry(network, ahead))]
    assert flaws == [Flaw.CLOCK_AHEAD] * 2
    assert guard.check(telemetry(network, ahead + 1))[-1].flaw is Flaw.CLOCK_AHEAD
    later = guard.check(telemetry(network, ahead + 2))
    assert later[-1].event is not None
    assert {one.flaw for one in later[:-1]} == {Flaw.MISSING}
    # Whoever comes from before is refused.
    assert guard.check(telemetry(network, NEXT + 1))[-1].flaw is Flaw.CLOCK_BACK
    assert guard.check(SlotStarted(NEXT * MINUTE_NS, 1))[-1].event is None
    assert guard.check(telemetry(network, ahead + 3))[-1].flaw is None
    assert guard.check(RunEnded(0))[-1].event == RunEnded(0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("source", -1),
        ("target", 10**6),
        ("source", int(np.flatnonzero(~NETWORK.is_endpoint)[0])),
        ("mode", 4),
        ("kind", -1),
        ("priority", 8),
        ("exchanges", 0),
        ("exchanges", 2**62),
        ("payload_bytes", -5),
        ("payload_bytes", 2**62),
    ],
)
def test_absurd_rows_of_demand_are_left_out(name, value):
    guard = warmed(NETWORK)
    event = demand(NETWORK, NEXT)
    event = replace(event, **{name: with_value(getattr(event, name), 4, value)})
    verdict = guard.check(event)[-1]
    assert (verdict.flaw, verdict.ignored.tolist()) == (Flaw.OUT_OF_RANGE, [4])
    for field in fields(event)[3:]:
        np.testing.assert_array_equal(getattr(verdict.event, field.name), np.delete(getattr(event, field.name), 4))


def test_relations_that_come_twice_count_once():
    event = demand(NETWORK, NEXT)
    rows = [0, 1, 2, 2, 3, 4, 5, 4, 6, 7, 8]
    event = replace(event, **{field.name: getattr(event, field.name)[rows] for field in fields(event)[3:]})
    verdict = warmed(NETWORK).check(event)[-1]
    assert verdict.ignored.tolist() == [3, 7]
    # What comes after one that is out of order may be in order only with that.
    event = demand(NETWORK, NEXT)
    rows = [0, 5, 2, 3, 6, 7, 8, 9, 10]
    event = replace(event, **{field.name: getattr(event, field.name)[rows] for field in fields(event)[3:]})
    assert warmed(NETWORK).check(event)[-1].ignored.tolist() == [2, 3]
    empty = demand(NETWORK, NEXT)
    empty = replace(empty, **{field.name: getattr(empty, field.name)[:0] for field in fields(empty)[3:]})
    assert warmed(NETWORK).check(empty)[-1].event is empty


def round_of(number: int, particles: int) -> SendParticles:
    few = np.zeros(particles, dtype=np.int8)
    start, station = np.arange(particles + 1, dtype=np.int64), np.zeros(particles, dtype=np.int32)
    return SendParticles(number, start, station, np.full(particles, 100, dtype=np.int64), few, 10 * SECOND_NS)


def collected(number: int, particles: int, sent_ns: int) -> ParticlesCollected:
    return ParticlesCollected(
        now_ns=sent_ns + 10 * SECOND_NS,
        round=np.full(particles, number, dtype=np.int64),
        particle=np.arange(particles, dtype=np.int32),
        sent_ns=np.full(particles, sent_ns, dtype=np.int64),
        received_ns=sent_ns + 1 + np.arange(particles, dtype=np.int64),
    )


def test_rounds_of_particles():
    guard = TelemetryGuard(NETWORK)
    for number in range(3):
        guard.sent(round_of(number, 8), number * MINUTE_NS)
    one = collected(0, 8, 0)
    assert guard.check(one)[-1].event is one
    assert guard.check(one)[-1].flaw is Flaw.DUPLICATED
    assert guard.check(collected(9, 8, 0))[-1].flaw is Flaw.OUT_OF_RANGE
    # A few that cannot be: from the future, before it was sent, no such particle, a second time.
    two = collected(1, 8, MINUTE_NS)
    two.received_ns[1] = two.now_ns + 1
    two.received_ns[3] = two.sent_ns[3] - 1
    verdict = guard.check(two)[-1]
    assert (verdict.flaw, verdict.ignored.tolist()) == (Flaw.OUT_OF_RANGE, [1, 3])
    assert verdict.event.particle.tolist() == [0, 2, 4, 5, 6, 7]
    # Late ones of that round are welcome once.
    three = collected(2, 8, 2 * MINUTE_NS)
    late = replace(
        three,
        round=np.append(three.round, [1, 1]),
        particle=np.append(three.particle, [1, 2]).astype(np.int32),
        sent_ns=np.append(three.sent_ns, [MINUTE_NS] * 2),
        received_ns=np.append(three.received_ns, [MINUTE_NS + 5] * 2),
    )
    assert guard.check(late)[-1].ignored.tolist() == [9]
    # One that is told of twice in a collection counts once.
    guard.sent(round_of(5, 8), 2 * MINUTE_NS)
    twice = collected(5, 8, 2 * MINUTE_NS)
    twice.particle[6] = 2
    assert guard.check(twice)[-1].ignored.tolist() == [6]
    guard.sent(round_of(6, 8), 3 * MINUTE_NS)
    # Nothing of a round comes back.
    lost = collected(6, 8, 3 * MINUTE_NS)
    lost.received_ns[:5] = -1
    verdict = guard.check(lost)[-1]
    assert (verdict.flaw, verdict.good, verdict.reason) == (Flaw.LOST, False, Reason.PARTICLES_MISSING)
    # A round that is never collected.
    guard.sent(round_of(7, 8), 4 * MINUTE_NS)
    for second, overdue in ((14, 0), (16, 1), (18, 0)):
        verdicts = guard.check(SlotStarted(4 * MINUTE_NS + second * SECOND_NS, 0))
        kinds = [(one.stream, one.flaw) for one in verdicts]
        assert kinds.count((Stream.PARTICLES, Flaw.MISSING)) == overdue


def test_the_first_of_a_kind_is_told_at_once_and_all_are_told_in_the_end():
    network = NETWORK
    guard = warmed(network, summary_ns=10 * MINUTE_NS)
    told = []
    for minute in range(NEXT, NEXT + 45):
        event = telemetry(network, minute)
        if minute % 3:
            event = replace(event, utilisation=with_value(event.utilisation, 1, np.nan))
        guard.check(demand(network, minute))
        guard.check(event)
        told += [(minute, one) for one in guard.report()]
    assert told[0][0] == NEXT
    gaps = np.diff([minute for minute, _ in told])
    assert (gaps >= 10).all()
    guard.check(SlotStarted((NEXT + 60) * MINUTE_NS, 0))
    told += [(0, one) for one in guard.report() if one.reason is Reason.TELEMETRY_ABSURD]
    assert sum(one.figures["count"] for _, one in told) == guard.counts[Stream.TELEMETRY, Flaw.OUT_OF_RANGE] == 30


@pytest.mark.parametrize("seed", range(8))
def test_no_input_harms_it_and_what_it_lets_pass_is_lawful(seed):
    """Events with anything wrong in them, in any order."""
    random, network = Random(seed), some_network(seed)
    guard = TelemetryGuard(network)
    instants = (0, -1, 2**62, -(2**62), 5 * MINUTE_NS, 7.5, None)
    numbers = (np.nan, np.inf, -1.0, 2.0, 0.5)
    last_ns = {Stream.TELEMETRY: -1, Stream.DEMAND: -1}
    passed = 0
    for step in range(1, 250):
        event = random.choice((telemetry, demand))(network, max(1, step + random.choice((0, 0, 0, -2, 3))))
        for field in fields(event):
            value = getattr(event, field.name)
            if random.random() < 0.03 and not isinstance(value, np.ndarray):
                event = replace(event, **{field.name: random.choice(instants)})
            elif random.random() < 0.03 and isinstance(value, np.ndarray):
                with np.errstate(invalid="ignore"):
                    changed = with_value(
                        value, random.randrange(len(value)), np.array(random.choice(numbers)).astype(value.dtype)
                    )
                changed = random.choice((changed, changed, changed, value[1:], value.astype(np.float32), None))
                event = replace(event, **{field.name: changed})
        verdict = guard.check(event)[-1]
        guard.report()
        if verdict.event is None:
            assert verdict.flaw is not None
            continue
        passed += 1
        used = verdict.event
        assert last_ns[verdict.stream] < used.observed_ns <= used.now_ns
        last_ns[verdict.stream] = used.observed_ns
        assert used.window_ns > 0
        if isinstance(used, TelemetryArrived):
            assert ((used.utilisation >= 0) & (used.utilisation <= 1)).all()
            assert min(used.waiting.min(), used.served_bytes.min()) >= 0
        else:
            assert network.is_endpoint[used.source].all()
            assert network.is_endpoint[used.target].all()
            assert (used.exchanges >= 1).all()
    assert passed > 20


def test_settings_are_checked():
    for name, value in (("period_ns", 0), ("absurd_share", 1.5), ("rate_tolerance", np.nan), ("late_periods", np.inf)):
        with pytest.raises(BadInputError, match=f"guard.{name}"):
            GuardSetting(**{name: value})
