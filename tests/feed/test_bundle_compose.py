"""What a bundle says is what the brain meant: ways, weights, classes, holds and servers, for every pair and slot."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from feed_bundles import CLASSES, GUARDS, VALID_FROM, bundle_of, drawn_content, network_of, plan_of

from feed.bundle.archive import pack, unpack
from feed.bundle.compose import Composer, compose, platform_document
from feed.bundle.documents import now_file
from feed.bundle.parsed import Parsed, parse, weights_at
from feed.bundle.rows import priorities, row_count, rows
from router_core.errors import BadInputError
from router_core.network import Network
from router_core.plan import Choice, Trunk
from router_core.vocabulary import PRIORITY_MAX, Mode, TaskKind
from strategies.dynamic.patched_plan import PatchedPlan
from strategies.static.path_plans import PathPlans

WORLDS = ("toy", "province-0", "province-1", "province-2")
SEEDS = range(3)


def parsed_of(name: str, seed: int, **more) -> tuple[Network, Parsed]:
    network = network_of(name)
    files = compose(network, drawn_content(name, seed, **more), GUARDS, VALID_FROM)
    return network, parse(unpack(pack(bundle_of(network, files))))


def said(parsed: Parsed, source: int, target: int, slot: int, *, dynamic: bool) -> Choice | None:
    """Read a choice from the documents, the plain way."""
    found = [one for one in parsed.routes[source].targets if one.target == target]
    if not found:
        return None
    weights = [weights for begin, weights in found[0].weights if begin <= slot][-1]
    if dynamic and source in parsed.now:
        weights = dict(parsed.now[source].weights).get(target, weights)
    return Choice(tuple(Trunk(way.first, way.last, way.stations) for way in found[0].ways), weights)


@pytest.mark.parametrize("name", WORLDS)
def test_choices_are_those_of_the_brain_for_every_pair_and_slot(name: str) -> None:
    network, parsed = parsed_of(name, 1)
    content = drawn_content(name, 1)
    plan, plans = content.plan, PathPlans(network, content.plan.paths)
    groups = range(len(network.groups))
    pairs = [(source, target) for source in groups for target in groups]
    assert any(plan.weights[slot].tobytes() != plan.weights[0].tobytes() for slot in range(plan.grid.count))
    for slot in range(plan.grid.count):
        static = plans.plan(plan.shares(slot))
        patched = PatchedPlan(static, content.away)
        for pair in pairs:
            own = said(parsed, *pair, slot, dynamic=False)
            assert own == static.choice(*pair), (pair, slot)
            assert said(parsed, *pair, slot, dynamic=True) == patched.choice(*pair), (pair, slot)
    if name == "province-0":
        assert any(said(parsed, *pair, 0, dynamic=False) is None for pair in pairs)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed-{seed}-")
@pytest.mark.parametrize("name", WORLDS[:2])
def test_classes_of_all_relations_are_those_of_the_model(name: str, seed: int) -> None:
    network, parsed = parsed_of(name, seed, plan_seed=seed)
    model = drawn_content(name, seed, plan_seed=seed).classes
    known = {
        (source, *row[:4]): row[4]
        for document in parsed.relations.values()
        for source, of in document.endpoints.items()
        for row in of
    }
    ways = [(mode, kind, priority) for mode in Mode for kind in TaskKind for priority in range(PRIORITY_MAX + 1)]
    ends = [(source, target) for source in network.endpoints.tolist() for target in network.endpoints.tolist()]
    columns = np.array([(*pair, *way) for pair in ends for way in ways]).T
    expected = model.classify_relations(*columns)
    names = network.node_name
    for (source, target, *way), wanted in zip(columns.T.tolist(), expected.tolist(), strict=True):
        fallback = parsed.classes.fallback[(way[0] * len(TaskKind) + way[1]) * (PRIORITY_MAX + 1) + way[2]]
        assert known.get((names[source], names[target], *way), fallback) == wanted
    assert 0 < len(known) < len(model.source)
    listed = {name for document in parsed.relations.values() for name in document.endpoints}
    assert listed == {names[node] for node in network.endpoints.tolist()}


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed-{seed}-")
def test_holds_windows_and_servers_are_those_of_the_plan_and_of_now(seed: int) -> None:
    network, parsed = parsed_of("toy", seed, plan_seed=seed)
    content = drawn_content("toy", seed, plan_seed=seed)
    plan, release = content.plan, parsed.release
    assert (release.lag_ns, release.hold_of_lead) == (tuple(plan.lag_ns.tolist()), plan.hold_of_lead)
    for slot in range(plan.grid.count):
        for kind in range(CLASSES):
            assert list(weights_at(release.hold[kind], slot)) == plan.hold[slot, kind].tolist()
        for place, node in enumerate(plan.node.tolist()):
            runs = parsed.capacity.planned.get(network.node_name[node], ((0, 0),))
            assert weights_at(runs, slot) == plan.servers[slot, place]
            now = parsed.capacity.now.get(network.node_name[node], weights_at(runs, slot))
            assert now == content.servers[place]
    assert parsed.grid() == plan.grid
    assert [one.priority for one in parsed.classes.classes] == plan.priority.tolist()
    assert [one.hold_max_ns for one in parsed.classes.classes] == [
        k.policy.hold_max_ns for k in content.classes.classes
    ]
    hold_ns = np.zeros_like(content.pair_hold_ns)
    for group, document in parsed.now.items():
        assert document.hold_of_lead == content.hold_of_lead
        for target, first, last in document.holds:
            hold_ns[:, group, target] = first, last
    assert np.array_equal(hold_ns, content.pair_hold_ns)


def test_where_all_is_as_planned_there_is_no_dynamic_layer() -> None:
    _, parsed = parsed_of("toy", 0, moved=0.0, held=0.0)
    assert not parsed.now


def test_a_composer_gives_what_a_new_one_gives_whatever_came_before() -> None:
    network = network_of("toy")
    composer = Composer(network)
    base = drawn_content("toy", 0)
    for seed, hours in ((0, 0), (1, 0), (1, 5), (0, 5), (2, 0)):
        other = drawn_content("toy", seed)
        content = replace(base, away=other.away, pair_hold_ns=other.pair_hold_ns, servers=other.servers)
        at = VALID_FROM + timedelta(hours=hours)
        assert composer.compose(content, GUARDS, at) == compose(network, content, GUARDS, at)
    later = drawn_content("toy", 0, plan_seed=1)
    assert composer.compose(later, GUARDS, VALID_FROM) == compose(network, later, GUARDS, VALID_FROM)


def test_parts_that_do_not_fit_are_refused_by_name() -> None:
    network, content = network_of("toy"), drawn_content("toy", 0)
    pair = next(iter(content.away))
    for wrong, place in (
        ({"away": {pair: (1,) * 60}}, "away"),
        ({"away": {pair: (0,) * len(content.away[pair])}}, "away"),
        ({"pair_hold_ns": content.pair_hold_ns[:1]}, "pair_hold_ns"),
        ({"pair_hold_ns": -content.pair_hold_ns}, "pair_hold_ns"),
        ({"servers": content.servers[:-1]}, "servers"),
        ({"plan": replace(content.plan, topology="0" * 64)}, "plan.topology"),
    ):
        with pytest.raises(BadInputError, match=place):
            compose(network, replace(content, **wrong), GUARDS)
    with pytest.raises(BadInputError, match=r"a/b.*must be named without /"):
        platform_document(replace(network, node_name=("a/b", *network.node_name[1:])))


def test_groups_with_the_same_homes_have_names_of_their_own() -> None:
    for name in ("toy", "jiangxi", "jiangxi-neighbours"):
        network = network_of(name)
        document = platform_document(network)
        homes = [tuple(network.node_name[home] for home in group) for group in network.groups]
        assert [group.homes for group in document.groups] == homes
        assert len({group.name for group in document.groups}) == len(homes)
        for node in network.endpoints.tolist():
            assert document.endpoints[network.node_name[node]] == network.node_group[node]


@pytest.mark.parametrize("name", WORLDS)
def test_rows_are_front_ends_by_target_groups_by_classes_of_service(name: str) -> None:
    network, parsed = parsed_of(name, 2)
    total, slot = 0, 7
    for scope, group in parsed.platform.endpoints.items():
        found = list(rows(parsed, scope, slot))
        total += len(found)
        for row in found[:20]:
            target = [one.name for one in parsed.platform.groups].index(row.target)
            choice = said(parsed, group, target, slot, dynamic=True)
            assert choice is not None
            assert choice.weights == row.weights
        assert len(found) == len(parsed.routes[group].targets) * len(priorities(parsed))
    assert total == row_count(parsed)
    assert set(priorities(parsed)) == set(plan_of(name, 0).priority.tolist())
    assert network.digest == parsed.manifest.topology


def test_the_clock_of_a_bundle_is_that_of_its_plan() -> None:
    _, parsed = parsed_of("toy", 0)
    clock, plan = parsed.clock(), plan_of("toy", 0)
    for hours in range(-200, 400, 7):
        when = datetime(2026, 4, 30) + timedelta(hours=hours, minutes=13)
        assert clock.slot_at(when) == plan.slot_at(when)
    assert now_file(3) == "now/00003.json"
