"""Pairs that the network joins have a way, and keep one after every single failure; held against naive searches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from feed_bundles import network_of
from feed_checks import catalogue_of, good, with_ways
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from feed.check.check import check_policy
from feed.check.coverage import check_survival, connected, covered
from feed.check.findings import Rule, Severity
from feed.check.policy_table import policy_paths, policy_table
from feed.check.sharing import Permissions
from router_core.paths.route_space import space_of_network
from router_core.vocabulary import NodeKind

NAMES = ("toy", "province-1", "province-3", "province-6", "province-9")


def joined_by_components(network, down):
    """Ends are joined if homes that they can reach lie in one component with a centre that processes."""
    up = ~(down[network.node_station] | network.is_endpoint)
    line_up = ~down[network.line_station] & up[network.line_source] & up[network.line_target]
    lines = np.flatnonzero(line_up)
    graph = sparse.coo_array(
        (np.ones(len(lines)), (network.line_source[lines], network.line_target[lines])),
        shape=(network.node_count, network.node_count),
    )
    _, part = connected_components(graph, directed=False)
    process = network.node_process_station
    centres = [n for n in network.nodes_of(NodeKind.CENTRE).tolist() if up[n] and not down[process[n]]]
    lawful = {int(part[node]) for node in centres}
    count = len(network.groups)
    result = np.zeros((count, count), dtype=bool)
    parts = [[], []]
    for group, homes in enumerate(network.groups):
        end = network.group_endpoint[group]
        for back in (False, True):
            line = {home: network.access_station[(home, end) if back else (end, home)] for home in homes}
            open_homes = [home for home in homes if up[home] and (len(homes) == 1 or not down[line[home]])]
            parts[back].append({int(part[home]) for home in open_homes} & lawful)
    for source in range(count):
        for target in range(count):
            result[source, target] = bool(parts[0][source] & parts[1][target])
    return result


@pytest.mark.parametrize("name", NAMES)
def test_what_is_joined_is_what_components_say_after_every_risk(name):
    network = network_of(name)
    space = space_of_network(network)
    for risk in range(-1, len(space.risks)):
        down = np.zeros(network.station_count, dtype=bool)
        if risk >= 0:
            down[space.risks.stations(risk)] = True
        np.testing.assert_array_equal(connected(space, down), joined_by_components(network, down), str(risk))


@pytest.mark.parametrize("name", NAMES)
def test_survival_is_what_trying_every_risk_says(name):
    network, parsed = network_of(name), good(name)
    # Few ways are left, so that something is lost.
    for source, document in parsed.routes.items():
        for one in document.targets[::2]:
            parsed = with_ways(parsed, source, one.target, lambda ways: ways[:1])
    table, space = policy_table(parsed), space_of_network(network)
    paths = policy_paths(network, space, table)
    found, unavoidable = check_survival(table, paths)
    told = {(one.place, pair) for one in found for pair in one.pairs}
    expected, lost_anyway = set(), 0
    routed = covered(table, paths, np.zeros(network.station_count, dtype=bool))
    for risk in range(len(space.risks)):
        down = np.zeros(network.station_count, dtype=bool)
        down[space.risks.stations(risk)] = True
        cut, joined = routed & ~covered(table, paths, down), joined_by_components(network, down)
        lost_anyway += int((cut & ~joined).sum())
        for source, target in np.argwhere(cut & joined).tolist():
            expected.add((f"after {space.risks.name[risk]}", (table.names[source], table.names[target])))
    assert told == expected
    assert unavoidable == lost_anyway
    assert expected
    assert all(one.severity is Severity.REFUSE and one.value == len(one.pairs) for one in found)


@pytest.mark.parametrize("name", NAMES)
def test_a_pair_without_a_way_is_told_and_one_without_a_network_is_not(name):
    network, whole = network_of(name), good(name)
    table = policy_table(whole)
    source, target = int(table.source[3]), int(table.target[3])
    parsed = with_ways(whole, source, target, lambda _: None)
    may = Permissions(network, catalogue_of(name)).of_groups()[source, target]
    found = check_policy(network, catalogue_of(name), parsed)
    (one,) = [one for one in found.findings if one.severity is Severity.REFUSE]
    assert one.rule is (Rule.SHARING if may else Rule.COVERAGE)
    assert one.pairs == ((table.names[source], table.names[target]),)
    assert not check_policy(network, catalogue_of(name), whole).refused


def test_a_way_over_what_is_down_covers_nothing():
    network, parsed = network_of("toy"), good()
    table = policy_table(parsed)
    way = int(table.pair_start[next(p for p in range(table.pair_count) if table.source[p] != table.target[p])])
    pair = int(table.pair[way])
    parsed = with_ways(parsed, int(table.source[pair]), int(table.target[pair]), lambda ways: ways[:1])
    down = np.zeros(network.station_count, dtype=bool)
    lines = [s for s in table.stations(way) if network.station_role[s] == 2]
    down[lines[0]] = True
    space = space_of_network(network)
    told = [one.pairs[0] for one in check_policy(network, catalogue_of("toy"), parsed, down=down).findings
            if one.rule in (Rule.COVERAGE, Rule.SHARING) and one.severity is Severity.REFUSE]  # fmt: skip
    assert connected(space, down)[table.source[pair], table.target[pair]]
    assert table.pair_name(pair) in told


def test_a_bundle_without_a_group_lacks_its_pairs():
    parsed = good()
    lost = replace(parsed, routes={group: one for group, one in parsed.routes.items() if group != 2}, now={})
    found = check_policy(network_of("toy"), catalogue_of("toy"), lost)
    told = {one.pairs[0] for one in found.of(Rule.COVERAGE, Rule.SHARING) if one.severity is Severity.REFUSE}
    names = [group.name for group in parsed.platform.groups]
    assert told == {(names[2], names[one.target]) for one in parsed.routes[2].targets}
