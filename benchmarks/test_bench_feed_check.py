"""A full bundle is checked before it is published: static and dynamic layer, all single failures, change.

The bundle is composed and parsed outside the clock (`build + check + sign` adds these). The plan is drawn after the
fitted ones: a pair in five is split, and eighteen times a week some of these splits change. Demand is drawn, of as
many series as a province has; what is measured does not depend on where it goes.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from feed_bundles import drawn_classes
from feed_checks import open_catalogue
from feed_workloads import GUARDS, moved, planned
from made_plans import drawn_plan

import scenarios
from feed.bundle.compose import PolicyContent, compose
from feed.bundle.manifest import make_bundle
from feed.bundle.parsed import Parsed, parse
from feed.check.check import check_policy
from feed.check.findings import Rule
from feed.check.loads import Loads
from router_core.network import Network
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS
from strategies.static.demand_series import DemandSeries

BEGIN = datetime(2026, 3, 16)
CREATED = datetime(2026, 3, 16, 2, tzinfo=UTC)
# Exchanges an hour of all series; a province's busiest hour.
EXCHANGES = 90_000.0


def policy_of(network: Network, slots: int, away: int) -> Parsed:
    plan = planned(drawn_plan(network, 5, begin=BEGIN, slots=slots, classes=3))
    files = compose(network, PolicyContent(plan, drawn_classes(network, 1), moved(plan, away), None), GUARDS, CREATED)
    return parse(
        make_bundle(
            files, epoch=1, created=CREATED, valid_from=CREATED, soft_expiry=CREATED + timedelta(hours=1),
            hard_expiry=CREATED + timedelta(days=7), topology=network.digest, scenario="any", inputs={}, provenance={},
        )
    )  # fmt: skip


def loads_for(network: Network, hours: int, series: int) -> Loads:
    random = np.random.default_rng(7)
    groups, kinds = len(network.groups), 3
    key = np.sort(random.choice(groups * groups * kinds, min(series, groups * groups * kinds), replace=False))
    members = np.bincount(network.node_group[network.endpoints], minlength=groups)
    share = np.zeros((network.node_count, kinds))
    share[network.endpoints] = 1.0 / members[network.node_group[network.endpoints]][:, None]
    of = DemandSeries(
        source_group=(key // kinds // groups).astype(np.int32), target_group=(key // kinds % groups).astype(np.int32),
        demand_class=(key % kinds).astype(np.int32), mean_bytes=random.uniform(1e4, 1e6, len(key)),
        class_count=kinds, sent=share, received=share,
    )  # fmt: skip
    mean = random.exponential(size=(hours, len(key)))
    mean *= EXCHANGES / mean.sum(axis=1, keepdims=True)
    likely = mean * random.uniform(0.5, 1.5, (20, 1, len(key)))
    room = np.full((hours, network.line_count), 0.6)
    return Loads(TimeGrid(BEGIN, HOUR_NS, hours), of, mean, room, room, lambda first, last: likely[:, first:last])


@pytest.mark.parametrize(
    ("scenario", "slots", "series"),
    [("toy", 24, 200), pytest.param("jiangxi", 168, 11_000, marks=pytest.mark.heavy)],
)
def test_full_check(benchmark, scenario, slots, series):
    network = scenarios.load(scenario).network
    catalogue = open_catalogue(network)
    parsed, active = policy_of(network, slots, 300), policy_of(network, slots, 0)
    loads = loads_for(network, slots, series)
    spent = []

    def check():
        begin = time.process_time()
        found = check_policy(network, catalogue, parsed, forecast=loads, active=active)
        spent.append(time.process_time() - begin)
        return found

    check()  # compiles, and draws what is kept between publications
    spent.clear()
    found = benchmark.pedantic(check, rounds=5 if benchmark.enabled else 1)
    assert not found.of(Rule.ROUTE, Rule.HOME, Rule.LOOP, Rule.CENTRE, Rule.COVERAGE, Rule.SURVIVAL, Rule.PLATFORM)
    assert any("capacity was checked" in note for note in found.notes)
    assert not any("not checked" in note for note in found.notes)
    if scenario != "toy":
        benchmark.extra_info |= {"goal": "feed.check", "value": min(spent), "target": 1.5}
