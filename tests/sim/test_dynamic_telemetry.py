"""Telemetry that is late, missing, mangled or absurd, in the world: how far the brain falls, what it does, and back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
from learnt_toy import at, brain_of, hours, learnt, lived, toy
from mangled import FLAWS, OBSERVED, Mangled, clock, lost
from watched_brain import Watched, check_laws, samples

from router_core.errors import BadInputError
from router_core.lending import lending
from router_core.units import HOUR_NS, MINUTE_NS
from strategies.brain import ParticlesCollected, SetHandling, SlotStarted
from strategies.decision import DecisionKind, Reason, Trust
from strategies.static.plan_in_time import PlanInTime

NETWORK = toy().network
BRAINS = ("dynamic", "probing")
FROM_NS, UNTIL_NS = 20 * MINUTE_NS, 42 * MINUTE_NS
# Until trust is lost, and a step more; and until it is won back, rung by rung.
FALL_NS, CLIMB_NS = 6 * MINUTE_NS, 12 * MINUTE_NS


def live(name: str, mangle, *, begin: float = 9.5) -> Watched:
    watched = Watched(brain_of(name, begin), NETWORK, mangle)
    lived(watched, hours(begin, 1.0))
    return watched


@cache
def flawed(flaw: str, name: str) -> tuple[Watched, int]:
    """A run, once, and how many events were mangled."""
    make, kinds, _ = FLAWS[flaw]
    mangle = Mangled(FROM_NS, UNTIL_NS, make(), kinds)
    return live(name, mangle, begin=9.0), mangle.count


def steps(watched: Watched) -> list[tuple[int, str, str, Reason]]:
    return [(one.now_ns, *one.subject, one.reason) for one in watched.of_kind(DecisionKind.TRUST_CHANGED)]


# With particles too, where that could make a difference.
CASES = [("dynamic", flaw) for flaw in FLAWS]
CASES += [("probing", flaw) for flaw in ("all-lost", "late", "swapped", "nan", "demand-lost", "clock-back")]


@pytest.mark.parametrize(("name", "flaw"), CASES)
def test_it_falls_says_so_and_climbs_back(flaw: str, name: str) -> None:
    falls = FLAWS[flaw][2]
    watched, mangled = flawed(flaw, name)
    assert mangled >= 20
    check_laws(watched, NETWORK)
    told = steps(watched)
    down = [(one[1], one[2]) for one in told if Trust[one[2].upper().replace("-", "_")] is Trust.STATIC]
    if falls:
        assert (("dynamic" if name == "dynamic" else down[0][0]), "static") == down[0]
        first = next(one for one in told if one[2] == "static")
        assert FROM_NS <= first[0] <= FROM_NS + FALL_NS
        assert first[3] in (Reason.TELEMETRY_MISSING, Reason.TELEMETRY_LATE, Reason.TELEMETRY_ABSURD)
    elif falls is not None:
        assert down == []
    assert watched.brain.trust is (Trust.PROBING if name == "probing" else Trust.DYNAMIC)
    if told:
        back = [one for one in told if one[2] == name]
        assert back, told
        assert back[-1][0] <= UNTIL_NS + CLIMB_NS


@pytest.mark.parametrize(
    ("name", "flaw"),
    [(name, flaw) for name, flaw in CASES if FLAWS[flaw][2]],
)
def test_without_trust_in_telemetry_all_is_as_planned(flaw: str, name: str) -> None:
    """Within a quarter of an hour routes go half of the way home, or further, and servers are given back towards those
    of the plan."""
    watched, _ = flawed(flaw, name)
    told = steps(watched)
    fell_ns = next(one[0] for one in told if one[2] == "static")
    rose_ns = next(one[0] for one in told if one[1] == "static" and one[2] == "dynamic")
    assert fell_ns + 15 * MINUTE_NS <= UNTIL_NS < rose_ns
    plan = PlanInTime(NETWORK, learnt().plan, at(9.0))
    before, after = (state_at(watched, plan, now_ns) for now_ns in (fell_ns, UNTIL_NS - 1))
    assert before.away > 0.5, "some were away"
    assert after.away <= before.away / 2
    planned = dict(zip(lending(NETWORK).node.tolist(), plan.servers(fell_ns).tolist(), strict=True))
    for node, least in planned.items():
        assert least <= after.servers.get(node, 0) <= max(before.servers.get(node, 0), least)


@dataclass(frozen=True)
class State:
    """How far routes are from home, in whole pairs, and servers of nodes."""

    away: float
    servers: dict[int, int]


def state_at(watched: Watched, plan: PlanInTime, now_ns: int) -> State:
    routes = next(one for one in reversed(watched.routes) if one.now_ns <= now_ns)
    paths, slot = plan.plan.paths, plan.slot(now_ns)
    away = 0.0
    for pair, ends in enumerate(zip(paths.source.tolist(), paths.target.tolist(), strict=True)):
        home = plan.plan.weights[slot, paths.pair_start[pair] : paths.pair_start[pair + 1]] / 1_000
        away += float(np.abs(np.array(routes.shares[ends]) - home).sum()) / 2
    servers = [given for at_ns, given in watched.servers if at_ns <= now_ns]
    return State(away, servers[-1] if servers else {})


def test_without_particles_it_goes_by_telemetry_and_back() -> None:
    watched = live("probing", Mangled(FROM_NS, UNTIL_NS, lost, (ParticlesCollected,)))
    check_laws(watched, NETWORK)
    told = steps(watched)
    assert [one[1:3] for one in told] == [("probing", "dynamic"), ("dynamic", "probing")]
    assert told[0][3] is Reason.PARTICLES_MISSING
    assert told[1][3] is Reason.PARTICLES_BACK
    assert FROM_NS < told[0][0] <= FROM_NS + FALL_NS
    assert UNTIL_NS <= told[1][0] <= UNTIL_NS + CLIMB_NS
    between = [one for one in samples(watched) if told[0][0] < one.event.now_ns < told[1][0]]
    assert any(one.commands for one in between), "it goes on steering"


def test_a_clock_that_leaps_for_a_moment_is_not_believed() -> None:
    """Two minutes of samples three hours ahead: fewer than would be believed, and the brain lives on."""
    watched = live("dynamic", Mangled(FROM_NS, FROM_NS + MINUTE_NS, clock(3 * HOUR_NS), OBSERVED))
    check_laws(watched, NETWORK)
    assert all(decision.now_ns <= 2 * HOUR_NS for decision in watched.decisions)
    assert steps(watched) == []


@pytest.mark.parametrize("name", BRAINS, ids=lambda name: f"brain-{name}")
def test_a_plan_that_fails_leaves_the_last_good_one(name: str, monkeypatch) -> None:
    """The table of the second slot cannot be made for a quarter of an hour: what is in force stays, and is said."""
    now_ns = [0]
    fails = range(30 * MINUTE_NS, 45 * MINUTE_NS)

    def made(*given):
        if now_ns[0] in fails:
            raise BadInputError("plan", "must be sound", "it is not")
        return make(*given)

    def clocked(event):
        now_ns[0] = event.now_ns
        return (event,)

    watched = Watched(brain_of(name, 9.5), NETWORK, clocked)
    make = watched.brain._plans.plan
    monkeypatch.setattr(watched.brain._plans, "plan", made)
    # The second hour's plan differs from the first one's in any case.
    plan = watched.brain._plan
    weights = plan.weights.copy()
    first, last = plan.paths.pair_start[:-1], plan.paths.pair_start[1:]
    for begin, end in zip(first.tolist(), last.tolist(), strict=True):
        weights[10, begin:end] = np.roll(weights[9, begin:end], 1)
    changed = replace(plan, weights=weights)
    watched.brain._plan = changed
    watched.brain._in_time = PlanInTime(NETWORK, changed, at(9.5))
    lived(watched, hours(9.5, 1.25))
    check_laws(watched, NETWORK)
    told = steps(watched)
    assert told[0][2:] == ("last-good", Reason.PLAN_REFUSED)
    assert told[0][0] == fails.start
    assert [one[2] for one in told[1:]] == ["static", "dynamic", "probing"][: 3 if name == "probing" else 2]
    assert told[1][0] == fails.stop
    lasting = [said for said in watched.said if fails.start <= said.event.now_ns < fails.stop]
    assert not [c for said in lasting for c in said.of(SetHandling)]
    assert not [routes for routes in watched.routes if fails.start <= routes.now_ns < fails.stop]
    assert any(isinstance(said.event, SlotStarted) for said in lasting)
