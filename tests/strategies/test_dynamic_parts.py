"""Parts of the dynamic policy alone: servers, holds, the demand of the moment, stations, patched plans, the log."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from learnt_toy import TODAY, at, learnt, toy
from watched_brain import probe_tasks, read_out

from router_core.exchanges import NO_DEADLINE
from router_core.lending import lending
from router_core.units import HOUR_NS, MINUTE_NS, SECOND_NS
from strategies.brain import DemandReported, TelemetryArrived
from strategies.decision import FIGURES, DecisionKind
from strategies.dynamic.capacity import Capacity
from strategies.dynamic.demand_now import DemandIndex, DemandNow
from strategies.dynamic.journal import Journal
from strategies.dynamic.pacing import Pacing
from strategies.dynamic.patched_plan import PatchedPlan
from strategies.dynamic.setting import DynamicSetting
from strategies.dynamic.stations_now import StationsNow
from strategies.static.path_plans import PathPlans
from strategies.static.plan_in_time import PlanInTime
from strategies.surges.surge import Scope, Surge

NETWORK = toy().network
LENT = lending(NETWORK)
SETTING = DynamicSetting()
SEEDS = range(8)
OWN = NETWORK.station_servers


def seeded(seeds=SEEDS):
    return pytest.mark.parametrize("seed", seeds, ids=lambda seed: f"seed-{seed}-")


# Servers.


@seeded()
def test_servers_follow_the_work_at_once_and_leave_after_the_cool_down(seed: int) -> None:
    """Against the same said slowly: the most asked within the cool-down, one server after the other to the busiest."""
    random = np.random.default_rng(seed)
    cool_ns = 10 * MINUTE_NS
    capacity = Capacity(LENT, OWN, 0.6, cool_ns)
    past: deque[tuple[int, np.ndarray]] = deque()
    now_ns = 0
    for _ in range(60):
        now_ns += int(random.integers(1, 3)) * MINUTE_NS
        work = random.exponential(1.5, NETWORK.station_count) * (random.random(NETWORK.station_count) < 0.4)
        before = capacity.servers
        changed = capacity.step(now_ns, work, np.zeros(len(LENT.node), dtype=np.int32))
        past.append((now_ns, work[LENT.station]))
        asked = np.max([one for then, one in past if then > now_ns - cool_ns], axis=0)
        expected = np.zeros(len(LENT.node), dtype=int)
        for pool, budget in enumerate(LENT.budget.tolist()):
            rows = np.flatnonzero(LENT.pool == pool)
            for _ in range(budget):
                used = asked[rows] / (OWN[LENT.station[rows]] + expected[rows])
                if used.max(initial=0.0) <= 0.6 + 1e-9:
                    break
                expected[rows[used.argmax()]] += 1
        given = np.bincount(LENT.pool, capacity.servers, len(LENT.budget))
        assert (given <= LENT.budget).all()
        assert capacity.left().tolist() == (LENT.budget - given).tolist()
        assert changed.tolist() == np.flatnonzero(capacity.servers != before).tolist()
        scarce = given >= LENT.budget
        loose = ~scarce[LENT.pool]
        np.testing.assert_array_equal(capacity.servers[loose], expected[loose])
        for pool in np.flatnonzero(scarce).tolist():
            # Whoever has a server of a scarce pool would be at least as busy without it as any other is.
            rows = np.flatnonzero(LENT.pool == pool)
            own, has = OWN[LENT.station[rows]], capacity.servers[rows]
            without = np.where(has > 0, asked[rows] / np.maximum(own + has - 1, 1e-9), np.inf)
            assert without.min() >= (asked[rows] / (own + has)).max() - 1e-9


def test_servers_of_the_plan_are_given_whatever_is_measured() -> None:
    capacity = Capacity(LENT, OWN, 0.6, 10 * MINUTE_NS)
    planned = np.zeros(len(LENT.node), dtype=np.int32)
    planned[0] = 2
    idle = np.zeros(NETWORK.station_count)
    assert capacity.step(0, idle, planned).tolist() == [0]
    assert capacity.servers.tolist() == planned.tolist()
    none = np.zeros_like(planned)
    assert [capacity.step(k * MINUTE_NS, idle, none).tolist() for k in range(1, 11)] == [[]] * 9 + [[0]]
    assert not capacity.servers.any()


# Holds.


def pacing() -> Pacing:
    policies = [one.policy for one in learnt().classes.classes]
    return Pacing(NETWORK, learnt().plan.paths, policies, SETTING)


SHARES = learnt().plan.weights[9] / 1_000.0
NONE = np.zeros(NETWORK.station_count)
LINE = next(
    station
    for station in NETWORK.line_station.tolist()
    if NETWORK.station_name[station].startswith("province-a>east-a")
)


def loaded(used: float) -> np.ndarray:
    result = NONE.copy()
    result[LINE] = used
    return result


@seeded(range(4))
def test_nothing_is_held_where_nothing_is_busy(seed: int) -> None:
    random = np.random.default_rng(seed)
    paces = pacing()
    for _ in range(50):
        both = random.random((2, NETWORK.station_count)) * SETTING.pace_target / 2
        paces.step(60.0, *both, random.random(NETWORK.station_count) * 10)
        assert not paces.hold_s.any()
        assert paces.rules(None, learnt().classes, SHARES) is None


def test_a_queue_grows_by_what_bulk_asks_too_much_and_drains_by_what_is_left() -> None:
    """By hand: a minute at 1.4 of which 0.9 may be; then nothing is asked, and nine tenths a second are worked off."""
    paces = pacing()
    for minute in range(1, 6):
        paces.step(60.0, loaded(1.0), loaded(0.4), NONE)
        assert paces.hold_s[LINE] == pytest.approx(minute * 60.0 * 0.5 / 0.5)
    for minute in range(1, 5):
        paces.step(60.0, NONE, NONE, NONE)
        left = max(5 * 30.0 - minute * 54.0, 0.0)
        assert paces.hold_s[LINE] == pytest.approx(left / 0.9 if left / 0.9 >= 5 else 0.0)
    assert not paces.hold_s.any()
    assert (np.delete(paces.hold_s, LINE) == 0).all()


@pytest.mark.parametrize("lead_ns", [MINUTE_NS, 30 * MINUTE_NS, 2 * HOUR_NS, 12 * HOUR_NS, None])
@pytest.mark.parametrize("minutes", [2, 20, 120])
def test_holds_leave_time_before_the_deadline_and_spare_who_cannot_wait(minutes: int, lead_ns: int | None) -> None:
    """But who would be late even so goes behind all others: held longer than its deadline allows, and told apart."""
    paces, classes = pacing(), learnt().classes
    for _ in range(minutes):
        paces.step(60.0, loaded(1.2), loaded(0.7), NONE)
    rules = paces.rules(None, classes, SHARES)
    assert rules is not None
    tasks = probe_tasks(NETWORK, lead_ns or 0)
    if lead_ns is None:
        tasks = replace(tasks, deadline_ns=np.full(len(tasks), NO_DEADLINE, dtype=np.int64))
    handled = rules.handle(tasks, 0)
    again = rules.handle(tasks, 77)
    assert handled.hold_ns.tolist() == again.hold_ns.tolist()
    assert handled.hold_ns.dtype == np.int64
    kind = classes.classify(tasks)
    assert not handled.hold_ns[~paces.deferrable[kind]].any()
    held = np.flatnonzero(handled.hold_ns)
    assert len(held) > 0 or lead_ns == MINUTE_NS
    if lead_ns is None:
        return
    longest_ns = round(paces.hold_s.max() * SECOND_NS)
    beyond = held[handled.hold_ns[held] > SETTING.hold_of_lead * lead_ns]
    # Only where the queue ahead is longer than the deadline would let anybody wait.
    assert not len(beyond) or longest_ns > SETTING.hold_of_lead * lead_ns
    # A part of a batch is handled as it would be in the whole.
    part = np.arange(5, len(tasks), 3)
    assert rules.handle(tasks[part], 0).hold_ns.tolist() == handled.hold_ns[part].tolist()


# The demand of the moment.


class Flat:
    """A forecast that is the same at any time."""

    def __init__(self, rates: np.ndarray) -> None:
        self._rates = rates

    def forecast(self, grid):
        hourly = np.tile(self._rates * 3_600.0, (grid.count, 1))
        return (
            learnt()
            .tides.forecast(grid)
            .__class__(grid=grid, p50=hourly, p95=hourly, mean=hourly, provisional=np.zeros(grid.count, dtype=bool))
        )


def report(now_ns: int, rows: list[tuple[int, int, int, int, int, int, int]]) -> DemandReported:
    columns = list(zip(*sorted(rows), strict=True)) or [()] * 7
    kinds = (np.int32, np.int32, np.int8, np.int8, np.int8, np.int64, np.int64)
    return DemandReported(
        now_ns, now_ns, MINUTE_NS, *(np.array(c, dtype=k) for c, k in zip(columns, kinds, strict=True))
    )


def demand_now(rates: np.ndarray) -> DemandNow:
    prepared = learnt()
    return DemandNow(
        NETWORK, prepared.classes, prepared.series, Flat(rates), prepared.plan.paths, TODAY,
        memory_ns=SETTING.memory_ns, belief=SETTING.belief,
    )  # fmt: skip


def drawn_report(random: np.random.Generator, now_ns: int, rows: int) -> DemandReported:
    ends = NETWORK.endpoints.tolist()
    drawn = {}
    for _ in range(rows):
        source, target = random.choice(ends, 2, replace=False).tolist()
        key = source, target, int(random.integers(4)), int(random.integers(2)), int(random.integers(4))
        drawn[key] = (*key, int(random.integers(1, 9)), int(random.integers(1, 10**7)))
    return report(now_ns, list(drawn.values()))


@seeded()
def test_every_exchange_is_counted_once(seed: int) -> None:
    prepared = learnt()
    index = DemandIndex(NETWORK, prepared.classes, prepared.series, prepared.plan.paths)
    event = drawn_report(np.random.default_rng(seed), MINUTE_NS, 60)
    amounts, strange = index.read(event)
    kind = prepared.classes.classify_relations(event.source, event.target, event.mode, event.kind, event.priority)
    known = {
        key: row
        for row, key in enumerate(
            zip(
                prepared.series.source_group.tolist(),
                prepared.series.target_group.tolist(),
                prepared.series.demand_class.tolist(),
                strict=True,
            )
        )
    }
    expected, other = np.zeros((2, len(known))), np.zeros((2, prepared.plan.paths.pair_count))
    group = NETWORK.node_group
    pair_at = {
        pair: row
        for row, pair in enumerate(
            zip(prepared.plan.paths.source.tolist(), prepared.plan.paths.target.tolist(), strict=True)
        )
    }
    for row in range(len(event.source)):
        ends = int(group[event.source[row]]), int(group[event.target[row]])
        place = known.get((*ends, int(kind[row])))
        if place is not None:
            expected[:, place] += event.exchanges[row], event.payload_bytes[row]
        else:
            other[:, pair_at[ends]] += event.exchanges[row], event.payload_bytes[row]
    np.testing.assert_array_equal(amounts, expected)
    np.testing.assert_array_equal(strange, other)
    assert amounts[0].sum() + strange[0].sum() == event.exchanges.sum()
    assert strange[0].any()


@seeded(range(4))
def test_without_news_it_is_the_forecast_and_with_much_it_is_what_came(seed: int) -> None:
    random = np.random.default_rng(seed)
    series = learnt().series
    rates = random.exponential(0.5, len(series)) + 1e-3
    demand = demand_now(rates)
    np.testing.assert_allclose(demand.rates(0), rates, rtol=1e-9)
    np.testing.assert_allclose(demand.expected(9 * HOUR_NS), rates, rtol=1e-9)
    # As much as was foreseen, for an hour: nothing changes.
    index = DemandIndex(NETWORK, learnt().classes, series, learnt().plan.paths)
    event = drawn_report(random, MINUTE_NS, 40)
    (thick, _), strange = index.read(event)
    demand = demand_now(np.maximum(thick / 60.0, 1e-3))
    for minute in range(1, 61):
        demand.observe(replace(event, now_ns=minute * MINUTE_NS, observed_ns=minute * MINUTE_NS))
    told = demand.rates(HOUR_NS)
    came = np.flatnonzero(thick)
    np.testing.assert_allclose(told[came], thick[came] / 60.0, rtol=0.02)
    by_pair = demand.by_pair(told)
    np.testing.assert_allclose(by_pair - demand.by_pair(told, strange=False), strange / 60.0, rtol=1e-6)
    # Ten times as much: within a quarter of an hour most of it is believed, whatever was foreseen.
    big = replace(event, exchanges=event.exchanges * 10)
    for minute in range(61, 76):
        demand.observe(replace(big, now_ns=minute * MINUTE_NS, observed_ns=minute * MINUTE_NS))
    raised = demand.rates(75 * MINUTE_NS)[came] / told[came]
    assert (raised > 5.0).all()
    assert (raised < 10.5).all()


def test_a_surge_lets_what_is_thin_follow_its_neighbours() -> None:
    series = learnt().series
    rates = np.full(len(series), 1e-4)
    quiet, told = demand_now(rates), demand_now(rates)
    ends = NETWORK.endpoints.tolist()
    event = report(MINUTE_NS, [(ends[0], ends[5], mode, 1, 0, 3, 3_000) for mode in range(4)])
    surge = Surge(0, Scope.SOURCE, ("x",), -1, 0, 0, np.arange(len(series)), 5.0, 1.0, 0.2, 2.0)
    told.follow([surge])
    for demand in (quiet, told):
        demand.observe(event)
    assert told.rates(MINUTE_NS).sum() > quiet.rates(MINUTE_NS).sum()
    told.follow([])
    np.testing.assert_allclose(told.rates(MINUTE_NS), quiet.rates(MINUTE_NS))


# What stations are busy with.


def sample(now_ns: int, utilisation: np.ndarray, served: np.ndarray, waiting: np.ndarray) -> TelemetryArrived:
    stations = NETWORK.station_count
    return TelemetryArrived(now_ns, now_ns, MINUTE_NS, utilisation, waiting, served, np.ones(stations, dtype=bool))


@seeded(range(4))
def test_what_telemetry_tells_steadily_is_believed(seed: int) -> None:
    """Others' share and our own of every line, at any mixture of both, and queues in seconds."""
    random = np.random.default_rng(seed)
    lines = NETWORK.line_station
    stations = StationsNow(NETWORK, 1e6)
    others, own = random.random((2, len(lines))) * 0.5
    used = random.random(NETWORK.station_count)
    used[lines] = others + own
    served = np.zeros(NETWORK.station_count)
    served[lines] = own * MINUTE_NS * NETWORK.station_servers[lines] * 1_000 / NETWORK.station_ps_per_byte[lines]
    waiting = random.integers(0, 50, NETWORK.station_count)
    nothing = np.zeros(NETWORK.station_count, dtype=np.int32)
    for minute in range(1, 30):
        noisy = 1 + 0.02 * random.standard_normal(NETWORK.station_count)
        stations.observe(
            sample(minute * MINUTE_NS, np.clip(used * noisy, 0, 1), np.rint(served * noisy).astype(np.int64), waiting),
            nothing,
        )
    np.testing.assert_allclose(stations.others, others, atol=0.03)
    np.testing.assert_allclose(stations.own, own, atol=0.03)
    np.testing.assert_allclose(stations.busy(OWN), used, atol=0.05)
    np.testing.assert_allclose(stations.busy(2 * OWN), used / 2, atol=0.05)
    assert ((stations.backlog_s > 0) == (waiting > 0)).all()


# Plans.


@seeded(range(4))
def test_a_patched_plan_differs_where_it_says_so_and_nowhere_else(seed: int) -> None:
    random = np.random.default_rng(seed)
    planned = learnt().plan
    base = PathPlans(NETWORK, planned.paths).plan(planned.shares(9))
    plain = read_out(base, NETWORK)
    pairs = list(plain)
    patched = {
        pairs[row]: tuple(random.multinomial(1_000, np.full(len(plain[pairs[row]].trunks), 0.25)).tolist())
        if len(plain[pairs[row]].trunks) == 4
        else tuple([1] * len(plain[pairs[row]].trunks))
        for row in random.choice(len(pairs), 9, replace=False)
    }
    given = dict(patched)
    plan = PatchedPlan(base, given)
    given.clear()
    found = read_out(plan, NETWORK)
    assert len(plan) == 9
    for pair, choice in found.items():
        assert choice.trunks == plain[pair].trunks
        assert choice.weights == patched.get(pair, plain[pair].weights)


@seeded(range(4))
def test_a_plan_in_time_asks_ahead_for_servers_within_the_pools(seed: int) -> None:
    random = np.random.default_rng(seed)
    plan = learnt().plan
    servers = np.zeros_like(plan.servers)
    for slot in range(len(servers)):
        for pool, budget in enumerate(LENT.budget.tolist()):
            rows = np.flatnonzero(LENT.pool == pool)
            servers[slot, rows] = random.multinomial(random.integers(0, budget + 1), np.full(len(rows), 1 / len(rows)))
    in_time = PlanInTime(NETWORK, replace(plan, servers=servers), at(8))
    for minute in range(0, 240, 7):
        now_ns = minute * MINUTE_NS
        slot = in_time.slot(now_ns)
        assert in_time.at(now_ns) == at(8) + timedelta(minutes=minute)
        assert slot == in_time.at(now_ns).hour
        found = in_time.servers(now_ns)
        assert (found >= servers[slot]).all()
        assert (found <= np.maximum(servers[slot], servers[slot + 1])).all()
        assert (np.bincount(LENT.pool, found, len(LENT.budget)) <= LENT.budget).all()
        if minute % 60 < 45:
            assert found.tolist() == servers[slot].tolist(), "not so early"


# The log.


@seeded(range(4))
def test_every_server_that_moves_is_in_the_log_once(seed: int) -> None:
    random = np.random.default_rng(seed)
    journal = Journal(NETWORK, LENT, 15 * MINUTE_NS)
    count = len(LENT.node)
    before, after, planned = random.integers(0, 3, (3, count)).astype(np.int32)
    left = np.full(len(LENT.budget), 4)
    load = random.random(NETWORK.station_count)
    told = journal.servers(90, 80, before, after, planned, load, left, surging=bool(seed % 2))
    moved = {
        kind: sum(one.figures["servers"] for one in told if one.kind is kind)
        for kind in (DecisionKind.SERVERS_BORROWED, DecisionKind.SERVERS_RETURNED)
    }
    change = after.astype(int) - before
    assert moved[DecisionKind.SERVERS_BORROWED] == change[change > 0].sum()
    assert moved[DecisionKind.SERVERS_RETURNED] == -change[change < 0].sum()
    for one in told:
        assert set(one.figures) <= set(FIGURES)
        assert one.observed_ns <= one.now_ns
        sign = 1 if one.kind is DecisionKind.SERVERS_BORROWED else -1
        rows = [int(np.flatnonzero(LENT.node == NETWORK.node_name.index(name))[0]) for name in one.subject]
        assert all(sign * change[row] > 0 for row in rows)


def test_holds_are_told_when_they_begin_grow_and_end_but_not_each_time() -> None:
    journal = Journal(NETWORK, LENT, 15 * MINUTE_NS)
    holds = [0, 10, 11, 14, 16, 16, 9, 0, 0, 5]
    told = [journal.holds(k, k, loaded(float(hold)), 1.0, surging=False) for k, hold in enumerate(holds)]
    kinds = [[one.kind for one in step] for step in told]
    held, released = DecisionKind.BULK_HELD, DecisionKind.BULK_RELEASED
    assert kinds == [[], [held], [], [], [held], [], [held], [released], [], [held]]
    assert told[1][0].subject == (NETWORK.station_name[LINE],)
