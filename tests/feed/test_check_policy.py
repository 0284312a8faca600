"""The whole check: platform and sharing rules, what is planted is found alone, nothing that parses makes it fall."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import numpy as np
import pytest
from feed_bundles import drawn_bundle, network_of
from feed_checks import catalogue_of, drawn_loads, good, with_ways
from test_check_routes import mutilated

import scenarios
from feed.bundle.documents import RelationsDocument
from feed.bundle.parsed import parse
from feed.check.check import check_policy
from feed.check.findings import ALLOWABLE, Finding, PolicyFindings, Rule, Severity, gathered
from feed.check.setting import CheckSetting, rules_named
from feed.check.sharing import Permissions
from router_core.catalogue import SharingRule
from router_core.errors import BadInputError

TOY = network_of("toy")


@pytest.mark.parametrize("name", ["toy", "province-1", "province-3", "province-4"])
@pytest.mark.parametrize("seed", range(2))
def test_a_good_policy_is_not_refused(name, seed):
    network, parsed = network_of(name), good(name, seed, away=6)
    loads = drawn_loads(network, seed, scale=0.02)
    active = good(name, seed)
    found = check_policy(network, catalogue_of(name), parsed, forecast=loads, active=active)
    assert not found.refused, found.summary()
    assert {one.rule for one in found.findings} <= {Rule.FAILURE, Rule.CAPACITY, Rule.SHARING}
    assert not any("not checked" in note for note in found.notes)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("topology", {"topology": "0" * 64}),
        ("stations", {"stations": 5}),
        ("groups", {"groups": good().platform.groups[::-1]}),
        ("endpoints", {"endpoints": {**good().platform.endpoints, "nobody": 0}}),
    ],
)
def test_a_policy_of_another_platform_is_refused_and_looked_at_no_further(field, change):
    parsed = replace(good(), platform=good().platform.model_copy(update=change))
    found = check_policy(TOY, catalogue_of("toy"), parsed)
    (one,) = found.findings
    assert one.rule is Rule.PLATFORM
    assert one.place == f"platform.json: {field}"
    assert found.refused
    assert found.notes == ("nothing else was checked: the policy is of another platform",)


def test_slots_beyond_all_dates_are_refused():
    release = good().release.model_copy(update={"begin": "9999-12-31T00:00:00"})
    (one,) = check_policy(TOY, catalogue_of("toy"), replace(good(), release=release)).findings
    assert one.place == "release.json: slots"


@pytest.mark.parametrize("name", ["toy", "jiangxi-neighbours"])
def test_who_may_exchange_is_what_the_catalogue_says_of_every_resource(name):
    platform = scenarios.load(name)
    network, catalogue = platform.network, platform.catalogue
    lonely = np.flatnonzero(network.behind_crossing >= 0)[:15]
    some = np.random.default_rng(1).choice(network.endpoints, min(50, len(network.endpoints)), replace=False)
    ends = network.endpoints if name == "toy" else np.union1d(some, lonely)
    source, target = (axis.ravel() for axis in np.meshgrid(ends, ends, indexing="ij"))
    expected = np.zeros(len(source), dtype=bool)
    for resource in range(catalogue.resource_count):
        verdict = catalogue.verdict(network, source, target, np.full(len(source), resource))
        expected |= verdict == SharingRule.PERMITTED
    permissions = Permissions(network, catalogue)
    np.testing.assert_array_equal(permissions.between(source, target), expected)
    assert 0 < expected.sum() < len(expected)
    if name == "toy":
        of_groups = np.zeros((len(network.groups),) * 2, dtype=bool)
        of_groups[network.node_group[source[expected]], network.node_group[target[expected]]] = True
        np.testing.assert_array_equal(permissions.of_groups(), of_groups)


def test_relations_that_the_catalogue_does_not_permit_are_told():
    parsed, catalogue = good(), catalogue_of("toy")
    names = list(parsed.platform.endpoints)
    permissions = Permissions(TOY, catalogue)
    numbers = np.array([TOY.node_index[name] for name in names])
    sender = names[4]
    may = permissions.between(np.full(len(numbers), TOY.node_index[sender]), numbers)
    group = parsed.platform.endpoints[sender]
    rows = tuple((name, 0, 0, 0, 0) for name in sorted(names))
    document = RelationsDocument(source=group, endpoints={sender: rows})
    found = check_policy(TOY, catalogue, replace(parsed, relations={group: document}))
    (one,) = found.of(Rule.RELATION)
    assert found.refused
    assert {target for _, target in one.pairs} == {name for name, kept in zip(names, may, strict=True) if not kept}
    allowed = check_policy(
        TOY, catalogue, replace(parsed, relations={group: document}), setting=CheckSetting(allowed=frozenset(ALLOWABLE))
    )
    assert not allowed.refused


def test_bad_ways_end_the_check_with_a_note():
    parsed = with_ways(good(), 0, 1, lambda ways: [ways[0].model_copy(update={"stations": (0,)})])
    found = check_policy(TOY, catalogue_of("toy"), parsed, forecast=drawn_loads(TOY, 0), active=good())
    assert {one.rule for one in found.findings} <= {Rule.ROUTE, Rule.HOME, Rule.CENTRE}
    assert found.refused
    assert any("some ways are none" in note for note in found.notes)


@pytest.mark.parametrize("seed", range(40))
def test_nothing_that_parses_makes_the_check_fall(seed):
    random = Random(seed)
    name = ("toy", "province-1", "province-3", "province-4")[seed % 4]
    network, parsed = network_of(name), parse(drawn_bundle(name, seed))
    if seed % 3 == 0:
        routes = {}
        for group, document in parsed.routes.items():
            if random.random() < 0.1:
                continue
            targets = tuple(
                one.model_copy(
                    update={
                        "ways": tuple(
                            mutilated(way, network, random) if random.random() < 0.1 else way for way in one.ways
                        )
                    }
                )
                for one in document.targets
                if random.random() < 0.95
            )
            routes[group] = document.model_copy(update={"targets": targets})
        parsed = replace(parsed, routes=routes, now={})
    if seed % 5 == 0:
        parsed = replace(parsed, routes={}, now={})
    if seed % 7 == 0:
        last = datetime(9999, 12, 31, 23, tzinfo=UTC)
        times = {"valid_from": last - timedelta(hours=2), "soft_expiry": last, "hard_expiry": last}
        parsed = replace(parsed, manifest=parsed.manifest.model_copy(update=times))
    setting = CheckSetting(slots=2, allowed=frozenset(ALLOWABLE) if seed % 2 else frozenset())
    scale = random.choice((0.0, 0.1, 5.0))
    active = parse(drawn_bundle(name, seed + 1))
    loads = drawn_loads(network, seed, scale=scale, hours=random.choice((1, 5, 30)))
    found = check_policy(network, catalogue_of(name), parsed, forecast=loads, active=active, setting=setting)
    assert json.loads(json.dumps(found.document(), allow_nan=False))["refused"] == found.refused
    assert found.refused == any(one.severity is Severity.REFUSE for one in found.findings)


def test_findings_are_sorted_counted_and_told_in_a_line():
    found = gathered(
        [
            Finding(Rule.CHANGE, Severity.REFUSE, "b", "x", 1.0),
            Finding(Rule.FAILURE, Severity.WARN, "a", "x", 9.0),
            Finding(Rule.LOOP, Severity.REFUSE, "z", "x"),
            Finding(Rule.FAILURE, Severity.WARN, "a", "x", 10.0),
        ],
        ["note"],
        frozenset(),
    )
    assert [(one.rule, one.value) for one in found.findings] == [
        (Rule.LOOP, None),
        (Rule.CHANGE, 1.0),
        (Rule.FAILURE, 10.0),
        (Rule.FAILURE, 9.0),
    ]
    assert found.summary() == "refused: 1 loop (refuse), 1 change (refuse), 2 failure (warn)"
    assert PolicyFindings(()).summary() == "passed: nothing found"
    assert found.document()["findings"][0]["next"] == Rule.LOOP.next_en
    assert all(rule.next_en and rule.next_zh for rule in Rule)


def test_settings_are_held_to_their_rules():
    for fields in ({"quantile": 0.0}, {"slots": 0}, {"moved_share_max": 1.5}, {"failure_max": -1.0}):
        with pytest.raises(BadInputError, match=next(iter(fields))):
            CheckSetting(**fields)
    assert rules_named(["change"]) == {Rule.CHANGE}
    with pytest.raises(BadInputError, match="--allow"):
        rules_named(["everything"])
    with pytest.raises(BadInputError, match="down"):
        check_policy(TOY, catalogue_of("toy"), good(), down=np.zeros(3, dtype=bool))
