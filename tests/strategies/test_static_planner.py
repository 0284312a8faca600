"""From a forecast to a plan, on the small scenario: what the planner says of its plan is so, and holds help."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

import scenarios
from router_core.demand_history import SIZE_BINS, DemandHistory, Relations
from router_core.demand_model import Demand
from router_core.errors import BadInputError
from router_core.lending import lending, lending_station
from router_core.loads import utilisation
from router_core.paths.capacity import platform_capacity
from router_core.paths.route_space import space_of_network
from router_core.paths.survivable import choose_paths
from router_core.splits.split import Split
from router_core.table.build import route_table
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS, MINUTE_NS
from router_core.vocabulary import StationRole
from strategies.classes.class_model import PolicyTemplate
from strategies.static.demand_series import DemandSeries, demand_series
from strategies.static.parts import diff
from strategies.static.slot_planner import PlanSetting
from strategies.static.week_plan import WeekPlan
from strategies.static.week_planner import plan_week
from strategies.tides.forecast import Forecast

PLATFORM = scenarios.load("toy")
NETWORK = PLATFORM.network
PATHS = choose_paths(space_of_network(NETWORK), platform_capacity(NETWORK), 3)
BEGIN = datetime(2026, 3, 17)
QUERY = PolicyTemplate(0, False, 0, 0, 1, "auto")
BULK = PolicyTemplate(3, True, 90 * MINUTE_NS, 8_000_000, 4, "auto")
OFFICE = np.array([0.05] * 9 + [1, 1, 0.6, 0.2, 0.6, 1, 1, 0.7, 0.1] + [0.1] * 6)
SEEDS = range(4)
# Nobody borrows: what the load model says needs no other servers then.
ALONE = PlanSetting(server_target=1e9)


def history(seed: int, hours: int = 24) -> DemandHistory:
    """One busy relation of bulk and one of queries for each of some pairs of endpoints."""
    random = np.random.default_rng(seed)
    ends = NETWORK.endpoints
    pairs = [(int(a), int(b)) for a in ends for b in ends if a != b and random.random() < 0.6]
    rows = sorted((a, b, mode, 1, 3 * (mode == 3)) for a, b in pairs for mode in (2, 3))
    columns = np.array(rows)
    count = len(rows)
    exchanges = random.poisson(random.uniform(20, 80, count) * OFFICE[np.arange(hours) % 24][:, None])
    hour, relation = np.nonzero(exchanges)
    counts = exchanges[hour, relation]
    sizes = counts * np.where(columns[relation, 2] == 3, 5_000_000, 5_000)
    return DemandHistory(
        grid=TimeGrid(BEGIN, HOUR_NS, hours),
        observed=np.ones(hours, dtype=np.bool_),
        relations=Relations(
            *(columns[:, 0:2].T.astype(np.int32)),
            *(columns[:, 2:5].T.astype(np.int8)),
            np.full(count, -1, dtype=np.int64),
            np.zeros((count, SIZE_BINS), dtype=np.int64),
        ),
        hour_start=np.concatenate(([0], np.cumsum(np.bincount(hour, minlength=hours)))),
        relation=relation.astype(np.int32),
        exchanges=counts.astype(np.int64),
        payload_bytes=sizes.astype(np.int64),
    )


def series_of(seed: int) -> tuple[DemandSeries, np.ndarray]:
    past = history(seed)
    return demand_series(past, NETWORK, (past.relations.mode == 3).astype(np.int64), 2)


def forecast(mean: np.ndarray) -> Forecast:
    grid = TimeGrid(BEGIN, HOUR_NS, len(mean))
    return Forecast(grid, mean, 2 * mean, mean, np.zeros(len(mean), dtype=np.bool_))


def planned(seed: int, load: float, setting: PlanSetting) -> tuple[WeekPlan, DemandSeries, np.ndarray, np.ndarray]:
    series, mean = series_of(seed)
    scenes = np.random.default_rng(seed).poisson(load * mean, (3, *mean.shape)).astype(np.float64)
    others = np.tile(np.linspace(0, 0.5, NETWORK.line_count), (24, 1))
    plan = plan_week(NETWORK, PATHS, series, (QUERY, BULK), forecast(load * mean), scenes, others, setting)
    return plan, series, scenes, others


def busy_load(seed: int) -> float:
    """Return how much of the series' demand brings the busiest station to about 1, without holds."""
    plan = planned(seed, 1.0, replace(ALONE, holds=False))[0]
    return 1.0 / float(plan.figures.peak_mean.max())


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed-{seed}-")
def test_series_are_the_history_gathered(seed: int) -> None:
    past = history(seed)
    series, exchanges = series_of(seed)
    expected: dict[tuple[int, int, int], np.ndarray] = {}
    totals: dict[tuple[int, int], float] = {}
    for row in range(len(past.relation)):
        hour = int(np.searchsorted(past.hour_start, row, side="right")) - 1
        relation = int(past.relation[row])
        source, target = int(past.relations.source[relation]), int(past.relations.target[relation])
        kind = int(past.relations.mode[relation] == 3)
        key = (int(NETWORK.node_group[source]), int(NETWORK.node_group[target]), kind)
        expected.setdefault(key, np.zeros(24))[hour] += past.exchanges[row]
        totals[source, kind] = totals.get((source, kind), 0.0) + past.exchanges[row]
    keys = list(
        zip(series.source_group.tolist(), series.target_group.tolist(), series.demand_class.tolist(), strict=True)
    )
    assert keys == sorted(expected)
    np.testing.assert_array_equal(exchanges.T, [expected[key] for key in keys])
    assert series.mean_bytes == pytest.approx(np.where(series.demand_class == 1, 5_000_000, 5_000))
    for (node, kind), total in totals.items():
        whole = sum(
            of
            for (other, k), of in totals.items()
            if k == kind and NETWORK.node_group[other] == NETWORK.node_group[node]
        )
        assert series.sent[node, kind] == pytest.approx(total / whole)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed-{seed}-")
def test_the_peak_that_is_told_is_that_of_the_load_model(seed: int) -> None:
    plan, series, scenes, others = planned(seed, busy_load(seed), replace(ALONE, holds=False))
    trunks = np.ones(NETWORK.station_count, dtype=np.bool_)
    trunks[NETWORK.node_station[NETWORK.endpoints]] = False
    endpoint = np.array(NETWORK.group_endpoint)
    alone = np.array([np.sum(NETWORK.node_group == group) == 1 for group in range(len(NETWORK.groups))])
    assert alone.any()
    for slot in (3, 10, 15):
        shares = plan.shares(slot)
        split = Split(plan.paths, shares, 0.0, 0.0, 0, np.empty(0, dtype=np.intp))
        peaks = []
        for rates in scenes[:, slot] / 3_600:
            demand = Demand(
                endpoint[series.source_group].astype(np.int32),
                endpoint[series.target_group].astype(np.int32),
                rates,
                rates * series.mean_bytes,
            )
            used = utilisation(NETWORK, route_table(NETWORK, split), demand, 1 - others[slot])
            # Access lines of a group of several endpoints stand for their mean; all of it lies on one endpoint here.
            for group, homes in enumerate(NETWORK.groups):
                for home in homes if not alone[group] else ():
                    for ends in ((endpoint[group], home), (home, endpoint[group])):
                        used[NETWORK.access_station[ends]] = 0.0
            peaks.append(used[trunks].max())
        assert plan.figures.peak_mean[slot] == pytest.approx(np.mean(peaks), rel=0.02)
        assert plan.figures.bound[slot] <= plan.figures.peak_mean[slot] * (1 + 1e-9)
        assert plan.figures.peak_high[slot] == pytest.approx(np.max(peaks), rel=0.02)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed-{seed}-")
def test_holds_lower_the_day_s_peak_and_spare_what_cannot_wait(seed: int) -> None:
    load = busy_load(seed)
    without = planned(seed, load, replace(ALONE, holds=False))[0]
    plan = planned(seed, load, ALONE)[0]
    assert plan.figures.peak_mean.max() < 0.9 * without.figures.peak_mean.max()
    assert (plan.hold[:, 0, 0] == 1_000).all()
    assert (plan.hold[:, 1, plan.lag_ns > BULK.hold_max_ns] == 0).all()
    assert (without.hold[:, :, 0] == 1_000).all()
    assert plan.figures.held_share.max() > 0.1
    assert plan.priority.tolist() == [0, 3]


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed-{seed}-")
def test_servers_come_from_the_pools_where_they_lower_the_peak(seed: int) -> None:
    load = 2 * busy_load(seed)
    alone, helped = (planned(seed, load, replace(setting, holds=False))[0] for setting in (ALONE, PlanSetting()))
    lent = lending(NETWORK)
    for pool, budget in enumerate(lent.budget.tolist()):
        assert (helped.servers[:, lent.pool == pool].sum(axis=1) <= budget).all()
    assert not alone.servers.any()
    assert (helped.figures.peak_mean <= alone.figures.peak_mean * 1.05).all()


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed-{seed}-")
def test_borrowed_servers_count_in_the_split_and_in_its_peak(seed: int) -> None:
    # Processing is what is scarce here: a byte takes it two hundred times as long.
    slow = NETWORK.station_ps_per_byte.copy()
    slow[NETWORK.station_role == StationRole.PROCESS] *= 200
    network = replace(NETWORK, station_ps_per_byte=slow)
    paths = choose_paths(space_of_network(network), platform_capacity(network), 3)
    series, mean = series_of(seed)
    others = np.zeros((24, network.line_count))

    def plan_at(load: float, setting: PlanSetting) -> WeekPlan:
        return plan_week(
            network, paths, series, (QUERY, BULK), forecast(load * mean), load * mean[None], others, setting
        )

    load = 1.5 / float(plan_at(1.0, replace(ALONE, holds=False)).figures.peak_mean.max())
    alone, helped = (plan_at(load, replace(setting, holds=False)) for setting in (ALONE, PlanSetting()))
    slot = int(alone.figures.peak_mean.argmax())
    assert helped.servers[slot].any()
    assert helped.figures.peak_mean[slot] < 0.95 * alone.figures.peak_mean[slot]
    # What is told is what the load model says of a network that has these servers for its own.
    more = network.station_servers.copy()
    more[lending_station(network)[helped.node]] += helped.servers[slot]
    split = Split(paths, helped.shares(slot), 0.0, 0.0, 0, np.empty(0, dtype=np.intp))
    endpoint = np.array(network.group_endpoint, dtype=np.int32)
    rates = load * mean[slot] / 3_600
    demand = Demand(endpoint[series.source_group], endpoint[series.target_group], rates, rates * series.mean_bytes)
    used = utilisation(replace(network, station_servers=more), route_table(network, split), demand)
    process = network.station_role == StationRole.PROCESS
    assert helped.figures.peak_mean[slot] == pytest.approx(used[process].max(), rel=0.02)


def test_the_same_demand_all_day_is_planned_once() -> None:
    series, mean = series_of(0)
    level = np.repeat(mean[10:11], 24, axis=0) * busy_load(0)
    plan = plan_week(
        NETWORK, PATHS, series, (QUERY, BULK), forecast(level), level[None], np.zeros((24, NETWORK.line_count)), ALONE
    )
    assert (plan.figures.churn == 0).all()
    assert (plan.weights == plan.weights[0]).all()


def test_nothing_to_do_is_planned_too() -> None:
    series, mean = series_of(0)
    plan = plan_week(
        NETWORK, PATHS, series, (QUERY, BULK), forecast(0 * mean), 0 * mean[None], np.zeros((24, NETWORK.line_count))
    )
    assert not plan.servers.any()
    assert (plan.figures.peak_mean == 0).all()
    assert np.isfinite(plan.figures.churn).all()


def test_equal_input_gives_equal_plans() -> None:
    one, other = (planned(1, 50.0, PlanSetting())[0] for _ in range(2))
    assert diff(one.parts(), other.parts()).empty


def test_wrong_shapes_are_named() -> None:
    series, mean = series_of(0)
    others = np.zeros((24, NETWORK.line_count))
    with pytest.raises(BadInputError, match="scenarios"):
        plan_week(NETWORK, PATHS, series, (QUERY, BULK), forecast(mean), mean[None, :5], others)
    with pytest.raises(BadInputError, match="others"):
        plan_week(NETWORK, PATHS, series, (QUERY, BULK), forecast(mean), mean[None], others[:5])
