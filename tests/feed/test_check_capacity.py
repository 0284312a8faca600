"""Loads under a policy: naive sums over endpoints and their ways; overloads are told where they are, and how bad."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from feed_bundles import network_of, plan_of
from feed_checks import SLOTS, catalogue_of, drawn_loads, good, with_ways

from feed.bundle.documents import CapacityDocument
from feed.bundle.parsed import weights_at
from feed.check.capacity import CapacityCheck
from feed.check.check import check_policy
from feed.check.demand import Sent
from feed.check.findings import Rule, Severity
from feed.check.policy_table import policy_paths, policy_table
from feed.check.setting import CheckSetting
from router_core.lending import lending_station
from router_core.paths.route_space import space_of_network
from router_core.plan import Choice, Trunk, route
from strategies.static.holds import released
from strategies.static.week_plan import WEIGHT_TOTAL


def made(name, seed=0, *, away=5, scale=1.0, setting=None):
    network, parsed = network_of(name), good(name, away=away)
    pooled = [network.node_name[node] for node in np.flatnonzero(network.node_pool >= 0).tolist()]
    capacity = parsed.capacity.model_copy(update={"now": {node: 1 + at for at, node in enumerate(sorted(pooled)[:4])}})
    parsed = replace(parsed, capacity=capacity)
    table, loads = policy_table(parsed), drawn_loads(network, seed, scale=scale)
    paths = policy_paths(network, space_of_network(network), table)
    return network, parsed, loads, CapacityCheck(network, table, paths, parsed, loads, setting or CheckSetting())


class Documents:
    """A policy in one slot, as a plan."""

    def __init__(self, parsed, slot, dynamic):
        self.choices = {}
        for source, document in parsed.routes.items():
            now = dict(parsed.now[source].weights) if dynamic and source in parsed.now else {}
            for one in document.targets:
                trunks = tuple(Trunk(way.first, way.last, way.stations) for way in one.ways)
                self.choices[source, one.target] = Choice(trunks, now.get(one.target) or weights_at(one.weights, slot))

    def choice(self, source_group, target_group):
        return self.choices.get((source_group, target_group))


def naive(network, parsed, loads, hour, slot, dynamic):
    """Utilisation (S, M) with every endpoint's share of each series over all its ways, one by one."""
    plan = Documents(parsed, slot, dynamic)
    series, courses = loads.series, Sent(loads, parsed.release).courses(hour) / 3600
    work = np.zeros((network.station_count, len(courses)))
    members = [np.flatnonzero(network.node_group == group).tolist() for group in range(len(network.groups))]
    for d in range(len(series)):
        source, target, kind = (int(x[d]) for x in (series.source_group, series.target_group, series.demand_class))
        choice = plan.choice(source, target)
        for a in members[source] if choice else ():
            for b in members[target]:
                share = series.sent[a, kind] * series.received[b, kind]
                for trunk, weight in zip(choice.trunks, choice.weights, strict=True):
                    rate = share * weight / sum(choice.weights) * courses[:, d]
                    for station in route(network, a, b, trunk) if weight else ():
                        cost = network.station_fixed_ns[station] * 1e-9
                        cost += network.station_ps_per_byte[station] * 1e-12 * series.mean_bytes[d]
                        work[station] += rate * cost
    room = network.station_servers.astype(float)
    servers = {node: weights_at(runs, slot) for node, runs in parsed.capacity.planned.items()}
    servers |= parsed.capacity.now if dynamic else {}
    for node, count in servers.items():
        room[lending_station(network)[network.node_index[node]]] += count
    room[network.line_station] *= loads.available_low[hour]
    return work / room[:, None]


@pytest.mark.parametrize("name", ["toy", "province-1", "province-3"])
@pytest.mark.parametrize("dynamic", [False, True])
def test_utilisation_is_the_naive_sum(name, dynamic):
    network, parsed, loads, check = made(name)
    hour = 17
    moment = check.moment(hour, dynamic=dynamic)
    expected = naive(network, parsed, loads, hour, hour, dynamic)
    np.testing.assert_allclose(moment.utilisation, expected, rtol=1e-9, atol=1e-12)
    assert expected.max() > 0
    rank = math.ceil(0.95 * moment.utilisation.shape[1]) - 1
    np.testing.assert_array_equal(check.quantile(expected), np.sort(expected, axis=1)[:, rank])


@pytest.mark.parametrize("name", ["toy", "province-2"])
def test_what_is_sent_is_what_the_release_plan_lets_go(name):
    network, parsed = network_of(name), good(name)
    loads, plan = drawn_loads(network, 3), plan_of(name, 0, SLOTS)
    sent, hold = Sent(loads, parsed.release), plan.hold[:, loads.series.demand_class]
    assert (plan.hold[:, :, 0] < WEIGHT_TOTAL).all()
    np.testing.assert_allclose(sent.mean(), released(loads.mean, hold, plan.lag_ns), rtol=1e-12)
    every = released(loads.courses(0, SLOTS), hold, plan.lag_ns)
    for hour in (0, 3, 20, SLOTS - 1):
        np.testing.assert_allclose(sent.courses(hour), every[:, hour], rtol=1e-12)


def test_expected_loads_are_those_of_the_mean_in_every_slot():
    network, parsed, loads, check = made("toy", away=0)
    same = replace(loads, available_low=loads.available, draw=lambda first, last: loads.mean[None, first:last])
    exact = CapacityCheck(network, policy_table(parsed), check._paths, parsed, same, CheckSetting())
    trunk = ~check._access
    for hour in range(0, SLOTS, 7):
        expected = exact.moment(hour, dynamic=False).utilisation[:, 0]
        np.testing.assert_allclose(check.expected[trunk, hour], expected[trunk], rtol=1e-9, atol=1e-12)


def test_the_worst_hours_begin_with_the_busiest_and_differ():
    _, _, _, check = made("toy", setting=CheckSetting(slots=5))
    hours = check.worst_hours()
    assert hours[0] == int(np.argmax(check.expected.max(axis=0)))
    assert len(set(hours)) == len(hours) <= 5
    peak = check.expected.max(axis=1)
    if len(hours) < 5:
        assert (check.expected[:, hours].max(axis=1) >= 0.9 * peak - 1e-12).all()


@pytest.mark.parametrize("seed", range(2))
def test_overloads_without_a_failure_are_told_with_their_pairs(seed):
    network, _, _, check = made("toy", seed, scale=6.0)
    moment = check.moment(check.worst_hours()[0], dynamic=False)
    used = check.quantile(moment.utilisation)
    told = {one.place.split(" at ")[0]: one for one in check.overloads(moment)}
    over = np.flatnonzero(used > 0.95)
    assert set(told) == {network.station_name[station] for station in over.tolist()}
    assert told
    for station in over.tolist():
        one = told[network.station_name[station]]
        assert one.value == used[station]
        assert one.rule is Rule.CAPACITY
        if not check._of_ends[station]:
            expected = [check._table.pair_name(pair) for pair in check.failures.pairs_over(moment.weights, station)]
            assert list(one.pairs) == expected


def test_an_overload_refuses_only_where_a_split_would_help():
    network, skewed = network_of("toy"), good("toy")
    for source, document in skewed.routes.items():
        for one in document.targets:
            # Everything by the longest way.
            ways = sorted(one.ways, key=lambda way: (-len(way.stations), way.stations))
            skewed = with_ways(skewed, source, one.target, lambda _, ways=ways: ways, (1,) + (0,) * (len(ways) - 1))
    verdicts = []
    for scale in (0.2, 0.7, 1.0, 30.0):
        found = check_policy(network, catalogue_of("toy"), skewed, forecast=drawn_loads(network, 1, scale=scale))
        verdicts.append({one.severity for one in found.of(Rule.CAPACITY) if one.pairs})
        assert found.refused == (Severity.REFUSE in verdicts[-1])
    assert verdicts[0] == set()
    assert Severity.REFUSE in verdicts[1] | verdicts[2]
    assert verdicts[-1] == {Severity.WARN}


@pytest.mark.parametrize("name", ["toy", "province-1", "province-3"])
def test_failures_are_told_pair_by_pair(name):
    network, _, _, check = made(name, 2)
    moment = check.moment(check.worst_hours()[0], dynamic=False)
    before = check.quantile(moment.utilisation)
    # A limit that some stations keep and others do not, whatever the network.
    limit = float(np.quantile(before[before > 0], 0.9))
    check._setting = CheckSetting(failure_max=limit, compared=1)
    found = check.failures_told([moment])
    assert found
    risks = check._paths.space.risks
    number = {f"after {risk}": place for place, risk in enumerate(risks.name)}
    scale = check._scale(moment)
    told = set()
    for one in found:
        station_name, _, rest = one.place.partition(" at ")
        risk = number[rest.partition(") ")[2]]
        station = network.station_name.index(station_name)
        told.add((risk, station))
        after = check.failures.after(moment.weights, risk)
        flow = moment.flow + scale[risk] * (check.failures.flows(after, moment.demand) - moment.flow)
        half = flow.shape[1] // 2
        used = check._work[0, station] * flow[station, :half] + check._work[1, station] * flow[station, half:]
        value = float(np.sort(used / moment.room[station])[check._rank(half)])
        assert one.value == pytest.approx(value, rel=1e-9)
        assert one.value > limit == one.limit
        assert one.severity is Severity.WARN
        assert one.pairs == tuple(map(check._table.pair_name, check.failures.pairs_over(after, station).tolist()))
        assert one.pairs
    assert told == set(check.after_failures(moment))
    assert "best split" in found[0].said or any("best split" in one.said for one in found)


def test_an_access_line_stands_in_for_the_other_one():
    network, _, _, check = made("toy", scale=1.0)
    moment = check.moment(12, dynamic=False)
    ends = [node for node in network.endpoints.tolist() if len(network.homes[node]) > 1]
    node = ends[0]
    lines = [network.access_station[node, home] for home in network.homes[node]]
    work = (moment.utilisation[lines] * moment.room[lines, None]).sum(axis=0)
    together = check.quantile(work / moment.room[lines, None])
    check._setting = CheckSetting(failure_max=float(together.max()) * (1 - 1e-9))
    told = {one.place: one.value for one in check.access_told(moment)}
    worst = lines[int(np.argmax(together))]
    other = next(line for line in lines if line != worst)
    names = network.station_name
    found = [value for place, value in told.items() if place.startswith(names[worst]) and place.endswith(names[other])]
    assert found == [pytest.approx(float(together.max()))]
    check._setting = CheckSetting(failure_max=1e9)
    assert check.access_told(moment) == []


def test_the_dynamic_layer_is_judged_in_its_own_hours():
    network, whole = network_of("toy"), good("toy", away=8)
    loads = drawn_loads(network, 1, scale=30.0)
    found = check_policy(network, catalogue_of("toy"), whole, forecast=loads)
    assert any("2026-04-30T00:00 (dynamic layer)" in one.place for one in found.findings)
    late = whole.manifest.valid_from + timedelta(days=30)
    manifest = whole.manifest.model_copy(
        update={"valid_from": late, "soft_expiry": late + timedelta(hours=1), "hard_expiry": late + timedelta(days=9)}
    )
    found = check_policy(network, catalogue_of("toy"), replace(whole, manifest=manifest), forecast=loads)
    assert not any("dynamic layer)" in one.place for one in found.findings)
    assert any("dynamic layer was not checked" in note for note in found.notes)


def test_servers_beyond_a_pool_and_of_strangers_are_refused():
    network, parsed = network_of("toy"), good("toy")

    def found(**fields):
        capacity = CapacityDocument(planned=fields.get("planned", {}), now=fields.get("now", {}))
        told = check_policy(network, catalogue_of("toy"), replace(parsed, capacity=capacity, now={}))
        return [(one.place, one.value, one.limit) for one in told.of(Rule.POOL)]

    assert found(planned={"east": ((0, 3),)}) == []
    assert found(planned={"east": ((0, 1), (4, 4))}) == [("pool east-cloud, slot 4", 4.0, 3.0)]
    assert found(planned={"east": ((0, 3),)}, now={"east": 4}) == [("pool east-cloud, now", 4.0, 3.0)]
    assert found(planned={"hill": ((0, 2),)}, now={"west": 2}) == [("pool west-cloud, now", 4.0, 3.0)]
    assert found(now={"nobody": 1, "province-a": 1}) == [
        ("capacity of nobody", None, None),
        ("capacity of province-a", None, None),
    ]
