from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from router_core.catalogue import SharingRule
from router_core.digest import digest_of
from router_core.errors import BadInputError
from router_core.platform import Platform
from router_core.units import DAY_NS
from router_core.vocabulary import SharingType, TaskKind
from traces.flows import Flows, build_flows, gravity


@pytest.fixture(scope="module")
def flows(jiangxi: Platform) -> Flows:
    return build_flows(jiangxi)


@pytest.mark.parametrize("name", ["toy", "jiangxi"])
def test_every_flow_is_permitted(name: str, request: pytest.FixtureRequest) -> None:
    platform: Platform = request.getfixturevalue(name)
    flows = build_flows(platform)
    verdict = platform.catalogue.verdict(platform.network, flows.source, flows.target, flows.resource)
    assert (verdict == SharingRule.PERMITTED).all()
    assert (np.diff(flows.type_start) > 0).all()
    assert len(flows.type_start) == len(platform.demand.types) + 1


def test_weights_are_shares(flows: Flows, jiangxi: Platform) -> None:
    assert (flows.weight > 0).all()
    assert np.allclose(np.add.reduceat(flows.weight, flows.type_start[:-1]), 1.0)
    assert np.array_equal(flows.kinds(), np.repeat(np.arange(len(jiangxi.demand.types)), np.diff(flows.type_start)))


def test_a_type_exchanges_a_resource_with_a_unit_once(flows: Flows, jiangxi: Platform) -> None:
    consumer = jiangxi.catalogue.node_unit[flows.target]
    rows = np.stack([flows.kinds(), flows.resource, consumer])
    assert np.unique(rows, axis=1).shape == rows.shape


def test_flows_belong_to_the_scenario(jiangxi: Platform, flows: Flows) -> None:
    assert digest_of(build_flows(jiangxi)) == digest_of(flows)
    other = replace(jiangxi, demand=replace(jiangxi.demand, structure_seed=jiangxi.demand.structure_seed + 1))
    assert digest_of(build_flows(other)) != digest_of(flows)


def test_timetables(flows: Flows, jiangxi: Platform) -> None:
    for index, kind in enumerate(jiangxi.demand.types):
        rows = flows.rows(index)
        for phase, hours in ((flows.phase_ns[rows], kind.hours), (flows.off_phase_ns[rows], kind.off_hours)):
            assert ((phase >= 0) & (phase < max(kind.period_ns, 1))).all()
            if kind.period_ns == DAY_NS:
                minutes = 60 * np.count_nonzero(hours)
                assert len(np.unique(phase)) > min(len(phase) // 4, minutes // 2), "tasks do not start all at once"


def test_there_are_six_types_of_visible_structure(flows: Flows, jiangxi: Platform) -> None:
    """Fan-out and direction of the flows go with what the types say."""
    types = jiangxi.demand.types
    assert len(types) >= 6
    level = jiangxi.catalogue.unit_level
    provider = level[jiangxi.catalogue.resource_unit[flows.resource]]
    consumer = level[jiangxi.catalogue.node_unit[flows.target]]
    fan_out, upward = [], []
    for index in range(len(types)):
        rows = flows.rows(index)
        fan_out.append((rows.stop - rows.start) / len(np.unique(flows.resource[rows])))
        upward.append(float(flows.weight[rows][consumer[rows] < provider[rows]].sum()))
    stated = np.array([kind.fan_out for kind in types])
    assert np.corrcoef(stated, fan_out)[0, 1] > 0.9
    assert max(fan_out) > 3 * min(fan_out)
    wish = np.array([kind.upward / kind.downward for kind in types])
    assert min(np.array(upward)[wish >= 4], default=1.0) > max(np.array(upward)[wish <= 1.5])


def test_demand_follows_gravity(toy: Platform) -> None:
    """Over many structures, a pair's share of a resource's use is its share of the gravity."""
    kind = replace(
        next(kind for kind in toy.demand.types if kind.kind == TaskKind.EXCHANGE),
        name="tested",
        share=1.0,
        same_sector=4.0,
        same_region=3.0,
        upward=5.0,
        downward=0.5,
        fan_out=1,
    )
    catalogue = toy.catalogue
    resource = catalogue.resource_name.index("east-invoices")
    provider = int(catalogue.resource_unit[resource])
    use = np.zeros(catalogue.unit_count)
    for seed in range(400):
        demand = replace(toy.demand, types=(kind,), structure_seed=seed)
        flows = build_flows(replace(toy, demand=demand))
        rows = flows.resource == resource
        np.add.at(use, catalogue.node_unit[flows.target[rows]], flows.weight[rows] / flows.weight[rows].max())
    others = np.flatnonzero(np.arange(catalogue.unit_count) != provider)
    pull = np.sqrt(gravity(kind, catalogue, provider, others))
    # With one consumer a structure, how often a unit is chosen goes with the root of its gravity.
    assert np.allclose(use[others] / use.sum(), pull / pull.sum(), atol=5 * np.sqrt(0.25 / 400))
    assert use[provider] == 0


def test_gravity_factors(toy: Platform) -> None:
    catalogue = toy.catalogue
    kind = replace(toy.demand.types[0], same_sector=2.0, same_region=3.0, upward=5.0, downward=7.0)
    names = catalogue.unit_name

    def factor(provider: str, consumer: str) -> float:
        index = names.index(consumer)
        found: NDArray[np.float64] = gravity(kind, catalogue, names.index(provider), np.array([index]))
        return round(float(found[0] / catalogue.unit_weight[index]), 9)

    assert factor("east-tax", "west-tax") == 2.0
    assert factor("east-tax", "east-finance") == 3.0
    assert factor("east-tax", "province-security") == 5.0
    assert factor("province-security", "east-tax") == 7.0
    assert factor("province-data", "east-tax") == 7.0
    assert factor("hill-health", "west-health") == 2.0 * 3.0 * 5.0
    assert factor("west-health", "hill-health") == 2.0 * 3.0 * 7.0


def test_nothing_to_exchange(toy: Platform) -> None:
    closed = np.full_like(toy.catalogue.resource_sharing, SharingType.NOT_SHARED)
    with pytest.raises(BadInputError, match="needs a resource that is shared"):
        build_flows(replace(toy, catalogue=replace(toy.catalogue, resource_sharing=closed)))
    conditional = np.full_like(toy.catalogue.resource_sharing, SharingType.CONDITIONAL)
    nobody = replace(
        toy.catalogue,
        resource_sharing=conditional,
        grant_start=np.zeros_like(toy.catalogue.grant_start),
        grant_unit=toy.catalogue.grant_unit[:0],
    )
    with pytest.raises(BadInputError, match=r"demand type .*: needs at least one exchange"):
        build_flows(replace(toy, catalogue=nobody))
