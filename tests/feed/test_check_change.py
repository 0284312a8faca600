"""The change against the active policy: as another measure has it, within limits, and what must not be lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from feed_bundles import drawn_bundle, network_of
from feed_checks import catalogue_of, good, with_ways

from feed.bundle.changes import changes
from feed.bundle.documents import GuardsDocument, NowDocument, PlatformDocument
from feed.bundle.parsed import parse, weights_at
from feed.check.change import change_of, check_change
from feed.check.check import check_policy
from feed.check.findings import Rule, Severity
from feed.check.policy_table import policy_table
from feed.check.setting import CheckSetting
from router_core.errors import BadInputError
from router_core.units import HOUR_NS

LOOSE = CheckSetting(moved_share_max=1.0)


def told(parsed, active, setting=LOOSE):
    return [(one.place, one.severity) for one in check_change(policy_table(parsed), parsed, active, setting)]


@pytest.mark.parametrize("name", ["toy", "province-1", "province-3"])
@pytest.mark.parametrize("seed", range(3))
def test_what_moves_at_once_is_what_the_other_measure_says(name, seed):
    before, after = parse(drawn_bundle(name, seed)), parse(drawn_bundle(name, seed + 10, plan_seed=seed % 2))
    if seed == 2:  # pairs of one policy alone, and ways that come and go
        table = policy_table(before)
        source, target = int(table.source[0]), int(table.target[0])
        after = with_ways(after, source, target, lambda _: None)
        after = with_ways(after, int(table.source[5]), int(table.target[5]), lambda ways: ways[::-1][:1])
    change = change_of(policy_table(after), after, before)
    other = changes(before, after)
    expected = {(one.source, one.target): one.now for one in other.moved}
    expected |= dict.fromkeys((*other.appeared, *other.vanished), 1.0)
    names = [group.name for group in before.platform.groups]
    for code, moved in zip(change.code.tolist(), change.now.tolist(), strict=True):
        source, target = divmod(code, change.groups)
        assert moved == pytest.approx(expected.get((names[source], names[target]), 0.0), abs=1e-9)
    assert len(change.code) == other.pairs + len(other.appeared) + len(other.vanished)


def test_what_moves_over_the_plan_is_the_mean_of_its_slots():
    before, after = good("toy", 0), good("toy", 1)
    change = change_of(policy_table(after), after, before)
    row = dict(zip(change.code.tolist(), change.planned.tolist(), strict=True))
    for source, document in after.routes.items():
        for one, old in zip(document.targets, before.routes[source].targets, strict=True):
            assert one.ways == old.ways
            apart = []
            for slot in range(after.release.slots):
                new, was = (np.array(weights_at(of.weights, slot)) for of in (one, old))
                apart.append(np.abs(new / new.sum() - was / was.sum()).sum() / 2)
            assert row[source * change.groups + one.target] == pytest.approx(np.mean(apart))


def test_the_dynamic_layer_in_force_counts_until_it_ends():
    before, after = good("toy", away=30), good("toy")
    assert change_of(policy_table(after), after, before).now.sum() > 0
    later = before.manifest.soft_expiry + timedelta(hours=1)
    manifest = after.manifest.model_copy(
        update={
            "valid_from": later,
            "soft_expiry": later + timedelta(hours=1),
            "hard_expiry": later + timedelta(days=9),
        }
    )
    after = replace(after, manifest=manifest)
    assert change_of(policy_table(after), after, before).now.sum() == 0


def test_limits_refuse_and_can_be_allowed():
    network, before, after = network_of("toy"), good("toy", 0), good("toy", 1)
    moved = float(change_of(policy_table(after), after, before).now.mean())
    assert 0.05 < moved < 1

    def found(**fields):
        return check_policy(network, catalogue_of("toy"), after, active=before, setting=CheckSetting(**fields))

    assert not found(moved_share_max=1.0).refused
    assert not found(moved_share_max=1.0).of(Rule.CHANGE)
    tight = found(moved_share_max=moved / 2)
    assert tight.refused
    worst = next(one for one in tight.of(Rule.CHANGE) if "takes over" in one.place)
    assert worst.value == pytest.approx(moved)
    assert worst.pairs
    allowed = found(moved_share_max=moved / 2, allowed=frozenset({Rule.CHANGE}))
    assert not allowed.refused
    assert all("(allowed)" in one.said for one in allowed.of(Rule.CHANGE))
    assert len(allowed.findings) == len(tight.findings)
    with pytest.raises(BadInputError, match="--allow"):
        CheckSetting(allowed=frozenset({Rule.LOOP}))


def test_the_same_policy_changes_nothing():
    parsed = good("toy", away=10)
    assert told(parsed, parsed, CheckSetting(moved_share_max=0.0)) == []


def test_lost_endpoints_and_other_groups_are_told():
    parsed = good()
    platform = parsed.platform
    fewer = PlatformDocument(
        topology=platform.topology,
        stations=platform.stations,
        groups=platform.groups,
        endpoints={name: group for name, group in platform.endpoints.items() if name != "east-tax-1"},
    )
    lost = [name for name in platform.endpoints if name not in fewer.endpoints]
    found = told(replace(parsed, platform=fewer), parsed)
    assert [place for place, _ in found] == (["endpoints"] if lost else [])
    others = replace(parsed, platform=platform.model_copy(update={"groups": platform.groups[:-1]}))
    assert ("groups", Severity.REFUSE) in told(parsed, others)


def test_guards_that_front_ends_would_refuse_by_are_told():
    before, after = good("toy", 0), good("toy", 1)
    change = change_of(policy_table(after), after, before)
    groups = [group.name for group in after.platform.groups]
    mean = [change.now[change.code // change.groups == group].mean() for group in range(len(groups))]
    limit = float(np.median(mean))
    strict = replace(after, guards=GuardsDocument(hold_ns_max=10**15, moved_share_max=limit, reachable_share_min=0.5))
    expected = {f"weight of {groups[group]}" for group in range(len(groups)) if mean[group] > limit}
    assert {place for place, _ in told(strict, before)} == expected
    few = before
    targets = before.routes[0].targets
    for one in targets[: len(targets) // 2 + 1]:
        few = with_ways(few, 0, one.target, lambda _: None)
    assert [place for place, _ in told(few, before)] == [f"targets of {groups[0]}"]


def test_longer_holds_are_told_by_guard_and_against_the_active_policy():
    parsed = good()
    held = NowDocument(source=1, weights=(), holds=((0, 3 * HOUR_NS, HOUR_NS),), hold_of_lead=0.5)
    after = replace(parsed, now={1: held})
    name = parsed.platform.groups[1].name
    assert told(after, parsed) == [(f"dynamic layer of {name}", Severity.REFUSE)]
    assert told(after, parsed, CheckSetting(hold_growth_ns_max=3 * HOUR_NS, moved_share_max=1.0)) == []
    guards = parsed.guards.model_copy(update={"hold_ns_max": 3 * HOUR_NS - 1})
    found = check_policy(network_of("toy"), catalogue_of("toy"), replace(after, guards=guards))
    places = {one.place for one in found.of(Rule.HOLD)}
    assert f"dynamic layer of {name}" in places
    longest = {f"release plan of class {one.name}" for one in parsed.classes.classes}
    assert places == longest | {f"dynamic layer of {name}"}
    assert found.refused
