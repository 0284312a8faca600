"""Every bundled scenario: laws that hold for any platform, and what the toy and the nation promise."""

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

import scenarios
from router_core.catalogue import SharingRule
from router_core.vocabulary import Level, NodeKind, SharingType

SMALL = ("toy", "jiangxi", "jiangxi-neighbours")


@pytest.fixture(scope="module")
def platforms():
    return {name: scenarios.load(name) for name in scenarios.names()}


def test_names_are_those_of_the_design():
    assert scenarios.names() == ("jiangxi", "jiangxi-neighbours", "toy", "national")


@pytest.mark.parametrize("name", scenarios.names())
def test_titles_are_those_of_the_platform(platforms, name):
    platform = platforms[name]
    assert scenarios.titles(name) == (platform.title_en, platform.title_zh)
    assert platform.name == name


@pytest.mark.parametrize("name", SMALL)
def test_same_file_gives_the_same_digest(platforms, name):
    again = scenarios.load(name)
    assert again.digest == platforms[name].digest
    assert again.network.digest == platforms[name].network.digest


def test_digests_differ(platforms):
    assert len({platform.digest for platform in platforms.values()}) == len(platforms)


@pytest.mark.parametrize("name", scenarios.names())
def test_every_endpoint_reaches_every_other_through_a_centre(platforms, name):
    """Without endpoints the network is one piece, and every endpoint hangs on it."""
    network = platforms[name].network
    inside = ~network.is_endpoint
    lines = inside[network.line_source] & inside[network.line_target]
    ends = network.line_source[lines], network.line_target[lines]
    shape = (network.node_count, network.node_count)
    _, label = connected_components(coo_array((np.ones(lines.sum()), ends), shape=shape))
    assert len(set(label[inside].tolist())) == 1
    assert all(len(homes) >= 1 for homes in network.homes.values())
    assert not network.is_endpoint[[home for homes in network.homes.values() for home in homes]].any()


@pytest.mark.parametrize("name", scenarios.names())
def test_every_resource_can_leave_from_somewhere(platforms, name):
    platform = platforms[name]
    owners = set(platform.catalogue.node_unit[platform.network.endpoints].tolist())
    assert set(platform.catalogue.resource_unit.tolist()) <= owners


@pytest.mark.parametrize("name", scenarios.names())
def test_grants_are_sorted_and_unique(platforms, name):
    catalogue = platforms[name].catalogue
    owner = np.repeat(np.arange(catalogue.resource_count), np.diff(catalogue.grant_start))
    key = owner * catalogue.unit_count + catalogue.grant_unit
    assert (np.diff(key) > 0).all()
    assert (catalogue.resource_sharing[owner] == SharingType.CONDITIONAL).all()


def test_toy_is_small_and_has_one_of_everything(platforms):
    platform = platforms["toy"]
    network = platform.network
    assert len(network.nodes_of(NodeKind.CENTRE)) == 4
    assert len(network.nodes_of(NodeKind.FRONT_END)) == 12
    assert len(network.carriers) == 2
    inner = np.flatnonzero(network.node_zone == network.zones.index("inner"))
    assert [network.node_name[node] for node in inner] == ["province-security-1"]
    assert [network.node_name[node] for node, homes in network.homes.items() if len(homes) > 1] == [
        "national-platform",
        "west-tax-2",
    ]
    assert platform.demand.exchanges_per_day == 2_000
    assert len(platform.demand.types) >= 4


def test_toy_grants_what_its_file_says(platforms):
    """A few verdicts read off the file by hand."""
    platform = platforms["toy"]
    network, catalogue = platform.network, platform.catalogue
    resource = {name: index for index, name in enumerate(catalogue.resource_name)}
    cases = [
        ("province-data-1", "hill-health-1", "population", SharingRule.PERMITTED),
        ("province-data-1", "province-security-1", "licences", SharingRule.NOT_GRANTED),
        ("province-finance-1", "east-finance-1", "audit-notes", SharingRule.NOT_SHARED),
        ("province-finance-1", "east-tax-1", "treasury", SharingRule.NOT_GRANTED),
        ("province-finance-1", "east-finance-1", "treasury", SharingRule.PERMITTED),
        ("province-finance-1", "province-security-1", "budget-plans", SharingRule.MAY_NOT_CROSS_ZONES),
        ("province-security-1", "east-tax-1", "case-files", SharingRule.PERMITTED),
        ("east-tax-1", "hill-health-1", "population", SharingRule.NOT_THE_PROVIDER),
        ("national-platform", "west-tax-2", "national-registers", SharingRule.PERMITTED),
        ("province", "west-tax-2", "population", SharingRule.NOT_AN_ENDPOINT),
    ]
    source = np.array([network.node_index[case[0]] for case in cases])
    target = np.array([network.node_index[case[1]] for case in cases])
    asked = np.array([resource[case[2]] for case in cases])
    assert catalogue.verdict(network, source, target, asked).tolist() == [case[3] for case in cases]


def test_nation_is_31_provinces_on_two_rings(platforms):
    nation, province = platforms["national"].network, platforms["jiangxi"].network
    for kind in (NodeKind.CENTRE, NodeKind.FRONT_END, NodeKind.ROUTER, NodeKind.CROSSING, NodeKind.GATEWAY):
        assert len(nation.nodes_of(kind)) == 31 * len(province.nodes_of(kind))
    assert len(nation.nodes_of(NodeKind.CENTRE)) + len(nation.nodes_of(NodeKind.FRONT_END)) == 21_576
    for ring in ("ring-1", "ring-2"):
        lines = np.flatnonzero(nation.line_carrier == nation.carriers.index(ring))
        source, target = nation.line_source[lines], nation.line_target[lines]
        assert (nation.node_kind[source] == NodeKind.GATEWAY).all()
        after = {}
        for a, b in zip(source[::2].tolist(), target[::2].tolist(), strict=True):
            after[a] = b
        first = here = next(iter(after))
        seen = []
        while True:
            seen.append(here)
            here = after[here]
            if here == first:
                break
        assert len(seen) == 31, "one ring, not several"
        assert {nation.node_name[node].split(".")[1] for node in seen} == {f"gateway-{ring[-1]}"}


def test_nation_has_one_national_platform_on_both_rings(platforms):
    platform = platforms["national"]
    nation = platform.network
    (node,) = nation.nodes_of(NodeKind.EXTERNAL)
    assert [nation.node_name[home] for home in nation.homes[int(node)]] == ["beijing.gateway-1", "beijing.gateway-2"]
    assert (platform.catalogue.unit_level == Level.NATION).sum() == 1


def test_nation_shares_across_provinces_but_not_everything(platforms):
    catalogue, template = platforms["national"].catalogue, platforms["jiangxi"].catalogue
    assert catalogue.unit_count == 31 * (template.unit_count - 1) + 1
    owner = catalogue.resource_unit[np.repeat(np.arange(catalogue.resource_count), np.diff(catalogue.grant_start))]
    per_member = template.unit_count - 1
    members = [units // per_member for units in (owner, catalogue.grant_unit)]
    inland = (members[0] < 31) & (members[1] < 31)
    across = (members[0] != members[1]) & inland
    assert 0 < across.sum() < 0.05 * len(owner)
    assert (catalogue.unit_sector[owner[across]] == catalogue.unit_sector[catalogue.grant_unit[across]]).all()
    assert len(set(catalogue.unit_city.tolist())) == 31 * 12 + 1


def test_nation_keeps_each_provinces_grants(platforms):
    """Within the first and the last member the template's grants reappear one for one."""
    catalogue, template = platforms["national"].catalogue, platforms["jiangxi"].catalogue
    names = {name: index for index, name in enumerate(catalogue.resource_name)}
    units = {name: index for index, name in enumerate(catalogue.unit_name)}
    for member in ("beijing", "xinjiang"):
        for resource in range(0, template.resource_count, 97):
            name = template.resource_name[resource]
            copy = names.get(f"{member}.{name}", names.get(name))
            granted = template.grant_unit[template.grant_start[resource] : template.grant_start[resource + 1]]
            wanted = {
                units.get(f"{member}.{template.unit_name[unit]}", units.get(template.unit_name[unit]))
                for unit in granted
            }
            got = set(catalogue.grant_unit[catalogue.grant_start[copy] : catalogue.grant_start[copy + 1]].tolist())
            assert None not in wanted
            assert wanted <= got


def test_nation_varies_background_and_weights(platforms):
    nation, province = platforms["national"], platforms["jiangxi"]
    units = province.catalogue.unit_count - 1
    first, second = (nation.catalogue.unit_weight[k * units : (k + 1) * units] for k in (0, 1))
    assert (first != second).all()
    lines = nation.background.line_profile >= 0
    assert lines.sum() == 31 * (province.background.line_profile >= 0).sum()
    assert (nation.background.line_scale[~lines] == 1).all()
    assert nation.demand.types == province.demand.types
