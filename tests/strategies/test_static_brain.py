"""The static plan and the brain that carries it out: data that comes back whole, and commands that keep its rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from made_networks import exchanges
from made_plans import drawn_plan

import scenarios
from router_core.errors import BadInputError
from router_core.exchanges import NO_DEADLINE, Exchanges
from router_core.lending import lending
from router_core.units import HOUR_NS, MINUTE_NS
from strategies.brain import BorrowServers, Command, RunEnded, SetHandling, SetPlan, SlotStarted
from strategies.static.parts import apply, diff
from strategies.static.static_brain import StaticBrain
from strategies.static.task_rules import TaskRules
from strategies.static.week_plan import WEIGHT_TOTAL, WeekPlan

NETWORK = scenarios.load("toy").network
# A Thursday; the Friday after it is a holiday, the Saturday the day after.
BEGIN = datetime(2026, 4, 30)
CLASSES = 3
SEEDS = range(6)


class ByMode:
    """Classes are modes: what a test can tell at once."""

    def classify(self, tasks: Exchanges) -> np.ndarray:
        return (tasks.mode % CLASSES).astype(np.int16)


def plan_of(seed: int, slots: int = 30) -> WeekPlan:
    return drawn_plan(NETWORK, seed, begin=BEGIN, slots=slots, classes=CLASSES)


def lived(brain: StaticBrain, slots: int, step_ns: int = 5 * MINUTE_NS) -> list[tuple[int, list[Command]]]:
    return [(slot * step_ns, brain.handle(SlotStarted(slot * step_ns, slot))) for slot in range(slots)]


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed-{seed}-")
def test_a_plan_comes_back_from_its_parts_and_from_its_difference(seed: int) -> None:
    plan, other = plan_of(seed), plan_of(seed + 100)
    document, arrays = apply(diff(plan.parts(), other.parts()), plan.parts())
    again = WeekPlan.from_parts(document, arrays, NETWORK)
    assert diff(again.parts(), other.parts()).empty
    assert again.grid == other.grid
    assert again.hold_of_lead == other.hold_of_lead


def test_a_plan_of_another_network_is_refused() -> None:
    plan = plan_of(0)
    other = scenarios.load("jiangxi").network
    with pytest.raises(BadInputError, match="topology"):
        WeekPlan.from_parts(*plan.parts(), other)
    with pytest.raises(BadInputError, match="topology"):
        StaticBrain(other, plan, ByMode(), BEGIN)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("weights", lambda array: array + 1),
        ("servers", lambda array: array - 100),
        ("hold", lambda array: array * 2),
        ("lag_ns", lambda array: array + 1),
        ("priority", lambda array: array + 8),
        ("provisional", lambda array: array[1:]),
        ("hold_of_lead", lambda _: 1.0),
    ],
)
def test_a_plan_that_breaks_a_rule_is_refused(name: str, change) -> None:
    plan = plan_of(0)
    with pytest.raises(BadInputError, match=f"plan.{name}"):
        replace(plan, **{name: change(getattr(plan, name))})


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed-{seed}-")
def test_pools_are_never_asked_for_more_than_they_have(seed: int) -> None:
    plan = plan_of(seed)
    lent = lending(NETWORK)
    asked = {int(node): 0 for node in lent.node}
    pool_of = dict(zip(lent.node.tolist(), lent.pool.tolist(), strict=True))
    for now_ns, commands in lived(StaticBrain(NETWORK, plan, ByMode(), BEGIN), 12 * 30):
        for command in commands:
            if isinstance(command, BorrowServers):
                asked |= dict(zip(command.node.tolist(), command.servers.tolist(), strict=True))
                for pool, budget in enumerate(lent.budget.tolist()):
                    assert sum(servers for node, servers in asked.items() if pool_of[node] == pool) <= budget
        if now_ns % HOUR_NS == 0:
            planned = plan.servers[now_ns // HOUR_NS]
            assert all(asked[node] >= servers for node, servers in zip(lent.node.tolist(), planned, strict=True))


def test_servers_are_asked_for_before_the_tide_and_given_back_after_it() -> None:
    plan = plan_of(0, slots=3)
    servers = np.zeros_like(plan.servers)
    servers[1, 0] = 1
    plan = replace(plan, servers=servers)
    start_ns = int(lending(NETWORK).start_ns[0])
    steps = lived(StaticBrain(NETWORK, plan, ByMode(), BEGIN), 36, MINUTE_NS * 5)
    said = [(now, c.servers.tolist()) for now, commands in steps for c in commands if isinstance(c, BorrowServers)]
    assert [servers for _, servers in said] == [[1], [0]]
    assert HOUR_NS - start_ns - 15 * MINUTE_NS <= said[0][0] <= HOUR_NS - start_ns
    assert said[1][0] == 2 * HOUR_NS


def test_a_plan_is_set_when_shares_change_and_a_handling_every_slot() -> None:
    plan = plan_of(1)
    changes = [0] + [k for k in range(1, 30) if not np.array_equal(plan.weights[k], plan.weights[k - 1])]
    assert 1 < len(changes) < 30
    steps = lived(StaticBrain(NETWORK, plan, ByMode(), BEGIN), 12 * 30)
    assert [now // HOUR_NS for now, cs in steps for c in cs if isinstance(c, SetPlan)] == changes
    assert [now // HOUR_NS for now, cs in steps for c in cs if isinstance(c, SetHandling)] == list(range(30))
    without = lived(StaticBrain(NETWORK, plan, ByMode(), BEGIN, holds=False), 12 * 30)
    assert not any(isinstance(c, SetHandling) for _, cs in without for c in cs)
    assert StaticBrain(NETWORK, plan, ByMode(), BEGIN).handle(RunEnded(5)) == []


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed-{seed}-")
def test_a_route_has_the_shares_of_the_plan(seed: int) -> None:
    plan = plan_of(seed, slots=1)
    commands = StaticBrain(NETWORK, plan, ByMode(), BEGIN).handle(SlotStarted(0, 0))
    table = next(c.plan for c in commands if isinstance(c, SetPlan))
    paths = plan.paths
    for pair in range(0, paths.pair_count, 7):
        rows = slice(int(paths.pair_start[pair]), int(paths.pair_start[pair + 1]))
        choice = table.choice(int(paths.source[pair]), int(paths.target[pair]))
        shares = np.array(choice.weights) / sum(choice.weights)
        np.testing.assert_allclose(shares, plan.weights[0, rows] / WEIGHT_TOTAL, atol=2e-5)


def test_outside_the_planned_days_the_likest_slot_holds() -> None:
    plan = plan_of(0, slots=72)  # Thursday at work, Friday (holiday), Saturday
    assert [plan.slot_at(BEGIN + timedelta(hours=h)) for h in (0, 71)] == [0, 71]
    assert plan.slot_at(datetime(2026, 5, 14, 9, 30)) == 9  # a Thursday at work
    assert plan.slot_at(datetime(2026, 5, 12, 9, 30)) == 9  # a Tuesday at work: the only working day there is
    assert plan.slot_at(datetime(2026, 5, 16, 23)) == 71  # a Saturday off
    assert plan.slot_at(datetime(2026, 5, 15, 9)) == 9  # a Friday at work: not the Friday off
    assert plan.slot_at(datetime(2026, 4, 26, 9)) == 24 * 2 + 9  # a Sunday off: the last of the days off
    morning = plan_of(0, slots=3)
    assert morning.slot_at(datetime(2026, 5, 14, 22)) == 0  # two hours from midnight


def tasks(count: int, lead_ns: int | None) -> Exchanges:
    submitted = np.arange(count, dtype=np.int64) * 1_000_000
    return exchanges(
        submitted,
        source=np.arange(count) % 5,
        target=5,
        payload_bytes=1,
        mode=np.arange(count) % 4,
        deadline_ns=NO_DEADLINE if lead_ns is None else submitted + lead_ns,
    )


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed-{seed}-")
def test_holds_follow_their_weights_and_depend_on_the_id_alone(seed: int) -> None:
    plan = plan_of(seed)
    rules, batch = TaskRules(plan, 3, ByMode()), tasks(20_000, None)
    found = rules.handle(batch, first_id=50)
    kind = ByMode().classify(batch)
    assert found.priority.tolist() == plan.priority[kind].tolist()
    for one in range(CLASSES):
        held = found.hold_ns[kind == one]
        share = np.array([(held == lag).mean() for lag in plan.lag_ns.tolist()])
        np.testing.assert_allclose(share, plan.hold[3, one] / WEIGHT_TOTAL, atol=0.02)
    rows = np.arange(7_000, 9_000)
    assert rules.handle(batch[rows], first_id=7_050).hold_ns.tolist() == found.hold_ns[rows].tolist()


@pytest.mark.parametrize("lead_ns", [0, MINUTE_NS, HOUR_NS, 5 * HOUR_NS])
def test_no_hold_takes_more_of_a_deadline_than_the_plan_allows(lead_ns: int) -> None:
    plan = plan_of(0)
    held = TaskRules(plan, 0, ByMode()).handle(tasks(5_000, lead_ns), 0).hold_ns
    assert (held <= plan.hold_of_lead * lead_ns).all()
    assert held.any() == (lead_ns > 0)
