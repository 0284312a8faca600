"""The ladder of trust: down at once for a cause, up rung by rung, and no flapping."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from made_networks import drawn_network

from router_core.errors import BadInputError
from router_core.units import HOUR_NS, MINUTE_NS, SECOND_NS
from strategies.brain import DemandReported, SlotStarted, TelemetryArrived
from strategies.decision import Decision, DecisionKind, Reason, Trust
from strategies.guard.ladder import LadderSetting, TrustLadder
from strategies.guard.telemetry_guard import TelemetryGuard
from strategies.guard.verdict import Flaw, Stream, Verdict

SETTING = LadderSetting()
BOTH = (Stream.TELEMETRY, Stream.DEMAND)
GOOD = SlotStarted(0, 0)  # any event will do
FLAW = {Stream.TELEMETRY: Flaw.OUT_OF_RANGE, Stream.DEMAND: Flaw.MISSING, Stream.PARTICLES: Flaw.LOST}


class Run:
    """A ladder and its clock: a minute an observation."""

    def __init__(self, top: Trust = Trust.PROBING, start: Trust | None = None, **setting) -> None:
        self.ladder = TrustLadder(top, LadderSetting(**setting), start)
        self.now_ns = 0
        self.log: list[Decision] = []

    def see(self, *streams: Stream, good: bool, times: int = 1) -> Trust:
        for _ in range(times):
            self.now_ns += MINUTE_NS
            for stream in streams:
                event, flaw = (GOOD, None) if good else (None, FLAW[stream])
                self.log += self.ladder.judge(Verdict(stream, self.now_ns, event, flaw, self.now_ns - SECOND_NS))
        return self.ladder.trust

    def plan(self, *, good: bool) -> Trust:
        self.now_ns += MINUTE_NS
        self.log += self.ladder.plan(self.now_ns, good=good)
        return self.ladder.trust


def test_each_cause_has_its_rung_and_all_is_won_back_rung_by_rung():
    run = Run()
    assert run.see(Stream.PARTICLES, good=False) is Trust.PROBING
    assert run.see(Stream.PARTICLES, good=False) is Trust.DYNAMIC
    assert run.see(Stream.TELEMETRY, good=False, times=2) is Trust.DYNAMIC
    assert run.see(Stream.TELEMETRY, good=False) is Trust.STATIC
    assert run.plan(good=False) is Trust.LAST_GOOD
    # Back: each rung for what it stands on, seen from the one below.
    assert run.see(*BOTH, Stream.PARTICLES, good=True, times=20) is Trust.LAST_GOOD
    assert run.plan(good=True) is Trust.STATIC
    assert run.see(*BOTH, good=True, times=2) is Trust.STATIC
    assert run.see(*BOTH, good=True) is Trust.DYNAMIC
    assert run.see(Stream.PARTICLES, good=True) is Trust.DYNAMIC
    assert run.see(Stream.PARTICLES, good=True) is Trust.PROBING
    assert [(one.subject, one.reason) for one in run.log] == [
        (("probing", "dynamic"), Reason.PARTICLES_MISSING),
        (("dynamic", "static"), Reason.TELEMETRY_ABSURD),
        (("static", "last-good"), Reason.PLAN_REFUSED),
        (("last-good", "static"), Reason.SLOT_BEGAN),
        (("static", "dynamic"), Reason.TELEMETRY_GOOD),
        (("dynamic", "probing"), Reason.PARTICLES_BACK),
    ]
    assert {one.kind for one in run.log} == {DecisionKind.TRUST_CHANGED}


@pytest.mark.parametrize("stream", BOTH)
def test_telemetry_takes_all_that_stands_on_it(stream):
    run = Run()
    assert run.see(stream, good=False, times=3) is Trust.STATIC
    assert run.log[-1].subject == ("probing", "static")
    # Particles alone do not help.
    assert run.see(Stream.PARTICLES, good=True, times=50) is Trust.STATIC
    # Nor does one of the two streams.
    other = BOTH[1 - BOTH.index(stream)]
    assert run.see(other, good=True, times=50) is Trust.STATIC
    assert run.see(stream, good=True, times=3) is Trust.DYNAMIC


def test_no_brain_climbs_above_its_top():
    run = Run(Trust.DYNAMIC, Trust.STATIC)
    assert run.see(*BOTH, Stream.PARTICLES, good=True, times=100) is Trust.DYNAMIC
    assert run.see(Stream.PARTICLES, good=False, times=9) is Trust.DYNAMIC
    assert Run(Trust.STATIC).see(*BOTH, good=True, times=9) is Trust.STATIC
    with pytest.raises(BadInputError, match=r"ladder\.start: must not be above dynamic"):
        TrustLadder(Trust.DYNAMIC, start=Trust.PROBING)


def test_single_failures_and_neutral_verdicts_change_nothing():
    run = Run()
    for _ in range(50):
        run.see(*BOTH, Stream.PARTICLES, good=False)
        run.see(*BOTH, Stream.PARTICLES, good=True)
    assert not run.log
    run.see(*BOTH, good=False, times=2)
    again = Verdict(Stream.TELEMETRY, run.now_ns, None, Flaw.DUPLICATED)
    assert not run.ladder.judge(*[again] * 10)
    assert not run.ladder.judge(*[replace(again, flaw=Flaw.REORDERED)] * 10)
    assert run.see(Stream.TELEMETRY, good=False) is Trust.STATIC


def test_each_relapse_doubles_what_is_asked_up_to_a_bound_and_calm_forgives():
    run = Run(Trust.DYNAMIC, doublings_max=3)
    asked = []
    for _ in range(6):
        run.see(*BOTH, good=False, times=3)
        count = 0
        while run.ladder.trust is Trust.STATIC:
            run.see(*BOTH, good=True)
            count += 1
        asked.append(count)
    # The first fall is no relapse: nothing had been won before.
    assert asked == [3, 6, 12, 24, 24, 24]
    run.see(*BOTH, good=True, times=HOUR_NS // MINUTE_NS)
    run.see(*BOTH, good=False, times=3)
    assert run.ladder.asked(Trust.DYNAMIC) == {"telemetry": 3, "demand": 3}


@pytest.mark.parametrize("seed", range(6))
def test_it_does_not_flap_whatever_comes(seed):
    """Never more than a rung up at a time, and never up without a good observation, nor down without a bad one."""
    random = Random(seed)
    run = Run()
    share = random.choice((0.2, 0.5, 0.7))
    changes_before = 0
    for _ in range(3_000):
        stream = random.choice((*BOTH, Stream.PARTICLES, "plan"))
        good = random.random() > share
        was = run.ladder.trust
        now = run.plan(good=good) if stream == "plan" else run.see(stream, good=good)
        assert len(run.log) - changes_before <= 1
        changes_before = len(run.log)
        if now < was:
            assert good
            assert now == was - 1
        if now > was:
            assert not good
    words = [trust.name.lower().replace("_", "-") for trust in Trust]
    for one, other in zip(run.log[:-1], run.log[1:], strict=True):
        assert one.subject[1] == other.subject[0]
    assert {word for one in run.log for word in one.subject} <= set(words)


def test_the_worst_weather_makes_few_changes():
    """Bad for as long as makes it fall, good for as long as one would ask at first, again and again for a day."""
    run = Run(Trust.DYNAMIC)
    while run.now_ns < 24 * HOUR_NS:
        run.see(*BOTH, good=False, times=SETTING.telemetry_bad)
        run.see(*BOTH, good=True, times=SETTING.telemetry_good)
    assert len(run.log) <= 3
    # Even weather made for it cannot do it more often than the doublings let it.
    run = Run(Trust.DYNAMIC)
    while run.now_ns < 24 * HOUR_NS:
        run.see(*BOTH, good=run.ladder.trust is Trust.STATIC)
    assert len(run.log) <= 2 * (5 + 24 * 60 // (3 + SETTING.telemetry_good * 2**5) + 2)


def test_guard_and_ladder_fall_when_nothing_comes_but_slots():
    network = drawn_network(Random(2))
    stations = network.station_count
    guard, ladder, log = TelemetryGuard(network), TrustLadder(Trust.DYNAMIC), []

    def tell(event) -> None:
        log.extend(ladder.judge(*guard.check(event)))

    def minute(number: int) -> None:
        now_ns, observed_ns = number * MINUTE_NS + SECOND_NS, number * MINUTE_NS
        few, ends = np.zeros(1, dtype=np.int8), network.endpoints.astype(np.int32)
        one = np.ones(1, dtype=np.int64)
        tell(DemandReported(now_ns, observed_ns, MINUTE_NS, ends[:1], ends[1:2], few, few, few, one, one))
        zero = np.zeros(stations, dtype=np.int64)
        up = np.ones(stations, dtype=bool)
        tell(TelemetryArrived(now_ns, observed_ns, MINUTE_NS, np.zeros(stations), zero, zero, up))

    for number in range(1, 11):
        minute(number)
    for slot in range(3, 6):
        tell(SlotStarted(slot * 5 * MINUTE_NS, slot))
    assert ladder.trust is Trust.STATIC
    (fall,) = log
    assert (fall.reason, fall.now_ns, fall.observed_ns) == (Reason.TELEMETRY_MISSING, 15 * MINUTE_NS, 10 * MINUTE_NS)
    for number in range(25, 29):
        minute(number)
    assert ladder.trust is Trust.DYNAMIC
    assert log[-1].now_ns == 27 * MINUTE_NS + SECOND_NS


def test_settings_are_checked():
    for name, value in (("telemetry_bad", 0), ("plan_good", 0), ("doublings_max", -1), ("calm_ns", -1)):
        with pytest.raises(BadInputError, match=f"ladder.{name}"):
            LadderSetting(**{name: value})
