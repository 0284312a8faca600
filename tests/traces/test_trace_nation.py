"""Traces of a small nation: three copies of the toy on two rings."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

import scenarios
from router_core.catalogue import SharingRule
from router_core.exchanges import concatenate
from router_core.platform import Platform
from router_core.vocabulary import Level
from traces.demand import hour_demand
from traces.flows import Flows, Places, build_flows
from traces.generate import TraceGenerator

NATION = """
schema = 1
form = "composition"
name = "three"
title_en = "Three toys"
title_zh = "三个微型省"
template = "toy"
template_label_zh = "省"
members = [
    { name = "red", label_zh = "红省", lon = 110.0, lat = 30.0 },
    { name = "green", label_zh = "绿省", lon = 114.0, lat = 32.0 },
    { name = "blue", label_zh = "蓝省", lon = 118.0, lat = 34.0 },
]

[[rings]]
name = "ring-1"
gateway = "gateway-1"
detour = 1.25
line = { rate_mbps = 1_000.0, fixed_us = 100.0, propagation_ms = 0.1 }
order = ["red", "green", "blue"]

[[rings]]
name = "ring-2"
gateway = "gateway-2"
detour = 1.3
line = { rate_mbps = 1_000.0, fixed_us = 100.0, propagation_ms = 0.1 }
order = ["red", "blue", "green"]

[national]
name = "national-platform"
label_zh = "国家平台"
lon = 110.0
lat = 30.0
member = "red"
service = { servers = 8, fixed_us = 500.0, rate_mbps = 1_000.0 }
line = { rate_mbps = 1_000.0, fixed_us = 100.0, propagation_ms = 0.1 }

[variation]
seed = 1
unit_sigma = 0.2
line_sigma = 0.05

[cross]
seed = 2
granted_share = 0.3
members = 2

[demand]
exchanges_per_day = 6_000
peak_utilisation = 0.6
structure_seed = 3
"""


@pytest.fixture(scope="module")
def nation(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    path = tmp_path_factory.mktemp("nation") / "three.toml"
    path.write_text(NATION, encoding="utf-8")
    return scenarios.load(str(path))


@pytest.fixture(scope="module")
def flows(nation: Platform) -> Flows:
    return build_flows(nation)


def test_provinces_are_told_apart(nation: Platform) -> None:
    places = Places(nation.network, nation.catalogue)
    province = {}
    for unit in places.connected.tolist():
        if nation.catalogue.unit_level[unit] != Level.NATION:
            owner = next(name for name in ("red", "green", "blue") if name in nation.catalogue.unit_name[unit])
            province.setdefault(owner, set()).add(int(places.province[unit]))
    assert sorted(len(found) for found in province.values()) == [1, 1, 1]
    assert len(set.union(*province.values())) == 3


def test_most_is_exchanged_at_home(nation: Platform, flows: Flows) -> None:
    catalogue = nation.catalogue
    places = Places(nation.network, catalogue)
    provider, consumer = catalogue.resource_unit[flows.resource], catalogue.node_unit[flows.target]
    local = ~(places.national[provider] | places.national[consumer])
    abroad = local & (places.province[provider] != places.province[consumer])
    assert abroad.any(), "provinces exchange with each other"
    assert flows.weight[abroad].sum() < 0.2 * flows.weight[local].sum()
    assert places.national[consumer].any()
    assert places.national[provider].any()


def test_nation_is_calibrated_and_permitted(nation: Platform, flows: Flows) -> None:
    generator = TraceGenerator(nation, start=date(2026, 3, 17), seed=1)
    assert abs(generator.workload.calibration.utilisation - 0.6) < 1e-6
    exchanges = concatenate(list(generator))
    assert abs(len(exchanges) - 6_000) < 5 * np.sqrt(6_000)
    verdict = nation.catalogue.verdict(nation.network, exchanges.source, exchanges.target, exchanges.resource)
    assert (verdict == SharingRule.PERMITTED).all()
    demand = hour_demand(generator.workload, None, 10)
    assert len(demand.source) <= len(flows)
