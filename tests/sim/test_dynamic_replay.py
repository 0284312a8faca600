"""`dynamic` and `probing` in the world: the laws, faults, noise, tides and surges, and both data planes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from learnt_toy import CALM, USUAL, Days, brain_of, hours, lived, toy
from watched_brain import Watched, check_laws, flaps, in_force, samples, turns, words

from router_core.units import HOUR_NS, MINUTE_NS, SECOND_NS
from sim.faults import Fault, FaultKind
from sim.replay import Replay
from sim.telemetry import TelemetryConfig
from sim.world import WorldConfig
from strategies.brain import ParticlesCollected, RunEnded, SendParticles, SetHandling, SetPlan, SlotStarted
from strategies.decision import DecisionKind, Reason

NETWORK = toy().network
BRAINS = ("dynamic", "probing")
SEEDS = (1, 2, 3)
SURGE = ("emergency@2026-03-09T10:00x8",)
# Of a run that begins at nine.
STRIKES_NS = HOUR_NS


@dataclass(frozen=True, eq=False)
class Run:
    watched: Watched
    replay: Replay


@cache
def run(
    name: str,
    seed: int = 1,
    *,
    begin: float = 9,
    count: float = 1,
    surges: tuple[str, ...] = (),
    days: Days = USUAL,
    before: Days | None = None,
    faults: tuple[Fault, ...] = (),
    noise: float = 0.02,
    again: int = 0,
) -> Run:
    """A replay, once; `again` makes another one of the same. The week before was as today if `before` is not given."""
    watched = Watched(brain_of(name, begin, before or days), NETWORK)
    config = WorldConfig(telemetry=TelemetryConfig(noise=noise))
    trace = hours(begin, count, seed=seed, surges=surges, days=days)
    return Run(watched, lived(watched, trace, seed=seed, faults=faults, config=config))


def line(first: str, last: str) -> tuple[int, ...]:
    """Both directions of a line."""
    node = [NETWORK.node_name.index(name) for name in (first, last)]
    ends = zip(NETWORK.line_source.tolist(), NETWORK.line_target.tolist(), strict=True)
    return tuple(int(NETWORK.line_station[k]) for k, one in enumerate(ends) if sorted(one) == sorted(node))


STOPS = {
    "line": line("province-a", "east-a"),
    "router": (int(NETWORK.node_station[NETWORK.node_name.index("west-a")]),),
    "processing": (int(NETWORK.node_process_station[NETWORK.node_name.index("province")]),),
}
# From within one control period to within another, over the turn of an hour.
STOP_NS, BACK_NS = 50 * MINUTE_NS + 7 * SECOND_NS, 65 * MINUTE_NS + 11 * SECOND_NS


def stopped(what: str) -> tuple[Fault, ...]:
    return (Fault(FaultKind.STOP, STOPS[what], STOP_NS, BACK_NS),)


def each(names: tuple, label: str):
    return pytest.mark.parametrize(label, names, ids=lambda one: f"{label}-{one}")


@each(SEEDS, "seed")
@each(BRAINS, "name")
def test_laws_two_and_seven_hold_and_the_log_tells_all(name: str, seed: int) -> None:
    watched = run(name, seed).watched
    check_laws(watched, NETWORK)
    kinds = {decision.kind for decision in watched.decisions}
    assert {DecisionKind.ROUTES_CHANGED, DecisionKind.BULK_HELD} <= kinds, "something was to be decided"


@each(BRAINS, "name")
def test_what_comes_later_changes_nothing_that_was_said_before(name: str) -> None:
    """Law 6, in the world: two traces, the same until a surge strikes in one of them."""
    plain, struck = (run(name, count=1.5, surges=surges).watched for surges in ((), SURGE))
    before = [
        [(type(said.event), [words(c, NETWORK) for c in said.commands]) for said in one.said
         if said.event.now_ns < STRIKES_NS]
        for one in (plain, struck)
    ]  # fmt: skip
    assert len(before[0]) > 100
    assert before[0] == before[1]
    after = [[words(c, NETWORK) for said in one.said for c in said.commands] for one in (plain, struck)]
    assert after[0] != after[1], "the surge was to be seen"


@each(BRAINS, "name")
def test_equal_runs_are_equal_also_after_others(name: str) -> None:
    """What was learnt is shared by all brains made from it: no run may leave anything in it."""
    first = run(name).watched
    run(name, 2)
    again = run(name, again=1).watched
    assert first is not again
    said = [[[words(c, NETWORK) for c in said.commands] for said in one.said] for one in (first, again)]
    assert said[0] == said[1]


@each((1, 2), "seed")
@each(BRAINS, "name")
def test_both_data_planes_give_identical_integers(name: str, seed: int) -> None:
    """Law 4: and so the brain hears and says the same, to the bit."""
    trace = hours(9.5, 0.1, seed=seed)
    stop = Fault(FaultKind.STOP, STOPS["line"], 2 * MINUTE_NS, 4 * MINUTE_NS)
    found = {}
    for plane in ("compiled", "simpy"):
        watched = Watched(brain_of(name, 9.5), NETWORK)
        replay = lived(
            watched, trace, seed=seed, faults=[stop], data_plane=plane, config=WorldConfig(slot_ns=2 * MINUTE_NS)
        )
        found[plane] = watched, replay
    (ours, compiled), (theirs, simpy) = found.values()
    assert compiled.metrics == simpy.metrics
    said = [[[words(c, NETWORK) for c in one.commands] for one in watched.said] for watched in (ours, theirs)]
    assert said[0] == said[1]
    assert any(one.of(SetPlan) for one in ours.said if not isinstance(one.event, SlotStarted)), "routes changed"


@each(tuple(STOPS), "what")
@each(BRAINS, "name")
def test_routes_leave_what_stops_with_the_alarm_and_come_back(name: str, what: str) -> None:
    watched = run(name, count=1.5, faults=stopped(what)).watched
    check_laws(watched, NETWORK)
    stations = STOPS[what]
    share = {
        routes.now_ns: sum(
            weight
            for pair, choice in routes.choice.items()
            if not all(set(stations) & set(trunk.stations) for trunk in choice.trunks)
            for weight, trunk in zip(routes.shares[pair], choice.trunks, strict=True)
            if set(stations) & set(trunk.stations)
        )
        for routes in watched.routes
    }
    used = np.array(list(share.values()))
    at_ns = np.array(list(share))
    alarm_ns = STOP_NS + WorldConfig().alarm_ns
    assert used[at_ns < STOP_NS][-1] > 0.1
    assert used[at_ns >= alarm_ns][0] == pytest.approx(0.0), "with the alarm itself"
    assert at_ns[at_ns >= alarm_ns][0] == alarm_ns
    assert used[(at_ns >= alarm_ns) & (at_ns < BACK_NS)].max() == pytest.approx(0.0)
    assert used[-1] > 0.1, "what returned is used again"
    lost, back = watched.of_kind(DecisionKind.STATIONS_LOST), watched.of_kind(DecisionKind.STATIONS_BACK)
    assert [one.now_ns for one in lost] == [alarm_ns]
    assert [one.now_ns for one in back] == [BACK_NS + WorldConfig().alarm_ns]
    changed = [one for one in watched.of_kind(DecisionKind.ROUTES_CHANGED) if one.reason is Reason.STATIONS_DOWN]
    assert changed
    if name == "probing":
        looks = [one for one in watched.of_kind(DecisionKind.PARTICLES_SENT) if one.reason is Reason.STATIONS_DOWN]
        assert looks, "a fault is looked at by particles"


@each(SEEDS, "seed")
@each(BRAINS, "name")
def test_noise_makes_no_route_flap(name: str, seed: int) -> None:
    """A fifth of noise on all that telemetry tells, and stations that stay too busy."""
    watched = run(name, seed, count=1.5, noise=0.2).watched
    check_laws(watched, NETWORK)
    assert flaps(watched) == []
    # A way may turn about once in five minutes; most never do.
    count = {way: sum(a[1] != b[1] for a, b in pairwise(m)) for way, m in turns(watched).items()}
    assert count, "there was reason to move"
    assert max(count.values()) <= 90 / 5
    assert np.mean(list(count.values())) < 6


@each(BRAINS, "name")
def test_where_nothing_is_busy_nobody_leaves_home(name: str) -> None:
    """Whatever else happens: noise, other users, and a surge of queries, which are small."""
    watched = run(name, count=1.5, surges=("enrolment@2026-03-09T10:00x8",), noise=0.1, days=CALM).watched
    assert watched.of_kind(DecisionKind.SURGE_FOUND)
    check_laws(watched, NETWORK)
    assert watched.of_kind(DecisionKind.ROUTES_CHANGED, DecisionKind.BULK_HELD, DecisionKind.SERVERS_BORROWED) == []
    assert {said.event.now_ns for said in watched.said if said.of(SetPlan)} <= {0, HOUR_NS}


@each(BRAINS, "name")
def test_a_tide_is_no_surge(name: str) -> None:
    """Three times as much from nine to one, every day of a week and on the next one: nothing is found, or moves."""
    rush = replace(CALM, rush=(9, 13, 3.0))
    tide, surge = (run(name, begin=10, days=rush, before=before).watched for before in (rush, CALM))
    assert surge.of_kind(DecisionKind.SURGE_FOUND), "who has not seen it before takes it for a surge"
    assert tide.of_kind(DecisionKind.SURGE_FOUND) == []
    assert tide.of_kind(DecisionKind.ROUTES_CHANGED) == []


@each(BRAINS, "name")
def test_a_surge_is_told_of_and_its_end_too(name: str) -> None:
    watched = run(name, count=1.5, surges=SURGE).watched
    check_laws(watched, NETWORK)
    found = [one for one in watched.of_kind(DecisionKind.SURGE_FOUND) if one.now_ns >= STRIKES_NS]
    assert found
    assert found[0].now_ns <= STRIKES_NS + 10 * MINUTE_NS
    over = watched.of_kind(DecisionKind.SURGE_OVER)
    assert len(over) <= len(watched.of_kind(DecisionKind.SURGE_FOUND))


def test_held_bulk_is_let_go_in_the_end() -> None:
    done = run("dynamic", 1)
    withheld = done.replay.metrics.withheld
    assert withheld is not None
    assert withheld.exchanges > 0
    last = [c for said in done.watched.said for c in said.of(SetHandling)][-1]
    assert last.handling is not None
    assert isinstance(done.watched.said[-1].event, RunEnded)


def test_particles_are_collected_and_few() -> None:
    """Rounds are numbered upwards, all collected, and small beside the traffic."""
    done = run("probing")
    rounds = [c for said in done.watched.said for c in said.of(SendParticles)]
    numbers = [one.round for one in rounds]
    assert len(rounds) > 30
    assert numbers == sorted(set(numbers))
    collected = {int(said.event.round[0]) for said in done.watched.said if isinstance(said.event, ParticlesCollected)}
    assert len(set(numbers) - collected) <= 3, "all but those under way at the end"
    sent = sum(int(one.payload_bytes.sum()) for one in rounds)
    assert sent <= 50_000 * done.replay.metrics.ended_ns / SECOND_NS
    assert not any(said.of(SendParticles) for said in run("dynamic").watched.said)


def test_known_stops_are_all_that_the_check_of_law_seven_goes_by() -> None:
    """That the check can fail: a brain that says nothing after its first plan breaks it where a line stops."""
    watched = run("dynamic", count=1.5, faults=stopped("line")).watched
    deaf = Watched(watched.brain, NETWORK)
    deaf.said, deaf.routes = watched.said, watched.routes[:1]
    assert any(not up.all() for _, up, _ in in_force(deaf, NETWORK))
    with pytest.raises(AssertionError):
        check_laws(deaf, NETWORK)
    assert len(samples(watched)) >= 90
