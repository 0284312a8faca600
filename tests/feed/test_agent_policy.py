"""A package gives an endpoint the very ways, holds and classes that the simulated brain's plans give."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from feed_agent import NOW_NS, bundle, content, scopes
from learnt_toy import TODAY, learnt, toy

from feed.agent.agent_policy import AgentPolicy
from feed.bundle.package import package
from feed.bundle.parsed import parse
from feed.clock import local_of
from router_core.exchanges import NO_DEADLINE, Exchanges
from router_core.live_plan import LivePlan
from router_core.plan import choice_between
from router_core.randomness import stream
from router_core.units import DAY_NS, HOUR_NS, SECOND_NS
from strategies.dynamic.pacing import PacedRules
from strategies.dynamic.patched_plan import PatchedPlan
from strategies.static.path_plans import PathPlans
from strategies.static.task_rules import TaskRules

NETWORK = toy().network


def policy_of(scope: str, of=None) -> AgentPolicy:
    return AgentPolicy(NETWORK, parse(package(bundle(1, of=of), scope)), scope)


def group_of(scope: str) -> int:
    return int(NETWORK.node_group[NETWORK.node_index[scope]])


def drawn_away(seed: int) -> dict[tuple[int, int], tuple[int, ...]]:
    """Other weights for some pairs."""
    draw, paths = stream(seed, "away"), learnt().plan.paths
    away = {}
    for pair in draw.permutation(paths.pair_count)[:12].tolist():
        ways = int(paths.pair_start[pair + 1] - paths.pair_start[pair])
        if ways:
            weights = draw.integers(0, 5, ways)
            weights[draw.integers(ways)] += 1
            away[int(paths.source[pair]), int(paths.target[pair])] = tuple(weights.tolist())
    return away


def drawn_tasks(seed: int, source: int, count: int = 400) -> Exchanges:
    draw = stream(seed, "tasks")
    others = np.setdiff1d(NETWORK.endpoints, [source])
    submitted_ns = np.sort(draw.integers(0, HOUR_NS, count))
    lead_ns = draw.integers(0, 12 * HOUR_NS, count)
    return Exchanges(
        submitted_ns=submitted_ns,
        source=np.full(count, source, dtype=np.int32),
        target=draw.choice(others, count).astype(np.int32),
        payload_bytes=draw.integers(0, 2**30, count),
        mode=draw.integers(0, 4, count).astype(np.int8),
        kind=draw.integers(0, 2, count).astype(np.int8),
        resource=np.zeros(count, dtype=np.int32),
        priority=draw.integers(0, 8, count).astype(np.int8),
        deadline_ns=np.where(draw.random(count) < 0.3, NO_DEADLINE, submitted_ns + lead_ns),
        demand_type=np.full(count, -1, dtype=np.int8),
        surge=np.full(count, -1, dtype=np.int8),
    )


@pytest.mark.parametrize("scope", scopes())
def test_ways_are_those_of_the_plan_in_every_slot(scope):
    policy, plans = policy_of(scope), PathPlans(NETWORK, learnt().plan.paths)
    found = 0
    for slot in range(learnt().plan.grid.count):
        plan = plans.plan(learnt().plan.shares(slot))
        for target in range(len(NETWORK.groups)):
            wanted = plan.choice(group_of(scope), target)
            assert policy.choice(target, slot, dynamic=False) == wanted
            assert policy.choice(target, slot, dynamic=True) == wanted
            found += wanted is not None
    assert found


@pytest.mark.parametrize("seed", range(4))
def test_the_dynamic_layer_is_the_patched_plan_and_ends_with_it(seed):
    away = drawn_away(seed)
    base = PathPlans(NETWORK, learnt().plan.paths).plan(learnt().plan.shares(7))
    patched = PatchedPlan(base, away)
    moved = 0
    for scope in scopes():
        policy = policy_of(scope, content(away))
        for target in range(len(NETWORK.groups)):
            ends = group_of(scope), target
            assert policy.plan(7, True).choice(*ends) == patched.choice(*ends)
            assert policy.plan(7, False).choice(*ends) == base.choice(*ends)
            moved += patched.choice(*ends) != base.choice(*ends)
    assert moved


@pytest.mark.parametrize("seed", range(4))
def test_local_alternates_are_those_of_the_simulated_front_end(seed):
    down = stream(seed, "down").random(NETWORK.station_count) < 0.15
    base = PathPlans(NETWORK, learnt().plan.paths).plan(learnt().plan.shares(3))
    stood_in = 0
    for scope in scopes():
        node = NETWORK.node_index[scope]
        mine, wanted = LivePlan(policy_of(scope).plan(3, False), NETWORK, down), LivePlan(base, NETWORK, down)
        for target in NETWORK.endpoints.tolist():
            assert mine.between(node, target) == wanted.between(node, target)
            stood_in += wanted.between(node, target) != choice_between(base, NETWORK, node, target)
    assert stood_in


@pytest.mark.parametrize("seed", range(4))
def test_holds_and_classes_are_those_of_the_brain(seed):
    draw, groups = stream(seed, "holds"), len(NETWORK.groups)
    ends = [(one, other) for one in range(groups) for other in range(groups)]
    holds = {pair: (int(draw.integers(0, 2 * HOUR_NS)), int(draw.integers(2 * HOUR_NS, 6 * HOUR_NS))) for pair in ends}
    made = content(holds=holds)
    classes = learnt().classes
    held = 0
    for scope in scopes():
        node, policy = NETWORK.node_index[scope], policy_of(scope, made)
        tasks = drawn_tasks(seed, node)
        for slot in (0, 9, 23):
            rules = TaskRules(learnt().plan, slot, classes)
            policies = [one.policy for one in classes.classes]
            paced = PacedRules(
                rules,
                classes,
                made.pair_hold_ns,
                NETWORK.node_group,
                np.array([one.hold_max_ns for one in policies]),
                np.array([one.deferrable for one in policies]),
                made.hold_of_lead,
            )
            for dynamic, wanted in ((False, rules), (True, paced)):
                one, other = policy.handling(slot, dynamic).handle(tasks, 1_000), wanted.handle(tasks, 1_000)
                np.testing.assert_array_equal(one.hold_ns, other.hold_ns)
                np.testing.assert_array_equal(one.priority, other.priority)
                held += int((one.hold_ns > 0).sum())
        names = [policy.class_name(tasks[row : row + 1]) for row in range(50)]
        assert names == [classes.classes[kind].name for kind in classes.classify(tasks[:50])]
    assert held


@pytest.mark.parametrize("hours", [-40.0, -0.5, 0.0, 3.99, 4.0, 23.99, 24.0, 400.5])
def test_slots_follow_the_local_clock_within_the_grid_and_beyond(hours):
    policy = policy_of(scopes()[0])
    midnight_ns = NOW_NS - 10 * HOUR_NS
    now_ns = midnight_ns + round(hours * HOUR_NS)
    assert local_of(midnight_ns) == TODAY
    assert policy.slot_at(now_ns) == learnt().plan.slot_at(TODAY + timedelta(hours=hours))
    after_ns = policy.next_slot_ns(now_ns)
    assert 0 < after_ns - now_ns <= HOUR_NS
    assert after_ns % HOUR_NS == 0
    assert (after_ns - midnight_ns) % DAY_NS % (3_600 * SECOND_NS) == 0
