"""The province is what the platform's documents say, and what they do not say obeys the rules."""

from dataclasses import fields

import numpy as np
import pytest

import scenarios
from router_core.catalogue import SharingRule
from router_core.network import NO_CARRIER, NO_POOL
from router_core.units import mbps
from router_core.vocabulary import Level, NodeKind, SharingType, StationRole, TaskKind


@pytest.fixture(scope="module")
def platform():
    return scenarios.load("jiangxi")


@pytest.fixture(scope="module")
def network(platform):
    return platform.network


@pytest.fixture(scope="module")
def catalogue(platform):
    return platform.catalogue


def count_by_level(levels):
    return {level: int((np.asarray(levels) == level).sum()) for level in Level}


def test_centres_are_1_11_44(network):
    centres = network.nodes_of(NodeKind.CENTRE)
    assert count_by_level(network.node_level[centres]) == {
        Level.NATION: 0,
        Level.PROVINCE: 1,
        Level.CITY: 11,
        Level.COUNTY: 44,
    }


def test_front_ends_are_115_and_525(network):
    by_level = count_by_level(network.node_level[network.nodes_of(NodeKind.FRONT_END)])
    assert by_level[Level.PROVINCE] == 115
    assert by_level[Level.CITY] + by_level[Level.COUNTY] == 525


def test_units_are_93_and_403_and_the_national_platform(catalogue):
    by_level = count_by_level(catalogue.unit_level)
    assert by_level[Level.PROVINCE] == 93
    assert by_level[Level.CITY] + by_level[Level.COUNTY] == 403
    assert by_level[Level.NATION] == 1


def test_business_systems_are_90_and_123(catalogue):
    level = catalogue.unit_level[catalogue.system_unit]
    assert (level == Level.PROVINCE).sum() == 90
    assert np.isin(level, (Level.CITY, Level.COUNTY)).sum() == 123
    assert len(catalogue.system_name) == 213


def test_cities_go_by_their_names(network):
    cities = {
        "nanchang": "南昌",
        "jiujiang": "九江",
        "jingdezhen": "景德镇",
        "pingxiang": "萍乡",
        "xinyu": "新余",
        "yingtan": "鹰潭",
        "ganzhou": "赣州",
        "jian": "吉安",
        "yichun": "宜春",
        "fuzhou": "抚州",
        "shangrao": "上饶",
    }
    for city, label in cities.items():
        node = network.node_index[city]
        assert network.node_kind[node] == NodeKind.CENTRE
        assert network.node_level[node] == Level.CITY
        assert network.node_label_zh[node].startswith(label)


def test_every_site_has_two_routers(network):
    for centre in network.nodes_of(NodeKind.CENTRE):
        site = network.node_site == network.node_site[centre]
        assert (network.node_kind[site] == NodeKind.ROUTER).sum() == 2


def test_sites_are_joined_by_one_line_of_each_carrier_at_the_given_rates(network):
    """155 Mbit/s to each city, 100 Mbit/s to each county, both carriers, on different routers."""
    carried = np.flatnonzero(network.line_carrier != NO_CARRIER)[::2]
    rates = {Level.CITY: 155, Level.COUNTY: 100}
    ends = {}
    for line in carried:
        upper, lower = sorted(
            (network.line_source[line], network.line_target[line]), key=lambda node: network.node_level[node]
        )
        level = Level(network.node_level[lower])
        assert network.node_level[upper] == level - 1
        rate = mbps(int(network.station_ps_per_byte[network.line_station[line]]))
        assert rate <= rates[level], "rounding never exceeds the rate"
        assert rate == pytest.approx(rates[level], rel=1e-4)
        ends.setdefault(int(network.node_site[lower]), []).append((int(network.line_carrier[line]), lower, upper))
    assert len(ends) == 55
    for lines in ends.values():
        assert sorted(carrier for carrier, _, _ in lines) == [0, 1]
        assert len({lower for _, lower, _ in lines}) == 2
        assert len({upper for _, _, upper in lines}) == 2


def test_propagation_is_at_least_that_of_light_in_glass(network):
    """No line between places is faster than 200 km a millisecond over the great circle."""
    for line in np.flatnonzero(network.line_carrier != NO_CARRIER):
        a, b = network.node_xy[network.line_source[line]], network.node_xy[network.line_target[line]]
        # Degrees to kilometres at 28 degrees north, from below: the map is flatter than the earth.
        flat_km = np.hypot((a[0] - b[0]) * 110 * np.cos(np.radians(30)), (a[1] - b[1]) * 110)
        assert network.station_after_ns[network.line_station[line]] >= flat_km / 200 * 1e6


def test_inner_front_ends_hang_on_the_crossing_alone(network):
    inner = np.flatnonzero(network.node_zone == network.zones.index("inner"))
    crossing = network.node_index["crossing"]
    assert 0 < len(inner) < 115
    for node in inner:
        assert network.node_kind[node] == NodeKind.FRONT_END
        assert network.homes[int(node)] == (crossing,)
        assert network.node_pool[node] == NO_POOL
    for node, homes in network.homes.items():
        if crossing in homes:
            assert network.node_zone[node] == network.zones.index("inner")


def test_a_units_front_ends_are_all_in_one_zone(network, catalogue):
    for unit in range(catalogue.unit_count):
        assert len(set(network.node_zone[catalogue.node_unit == unit].tolist())) == 1


def test_dual_homed_front_ends_have_their_own_site_first(network):
    dual = {node: homes for node, homes in network.homes.items() if network.node_kind[node] == NodeKind.FRONT_END}
    dual = {node: homes for node, homes in dual.items() if len(homes) > 1}
    assert 0.1 < len(dual) / 640 < 0.5
    other_city = 0
    for node, (main, second) in dual.items():
        assert network.node_site[main] == network.node_site[node] != network.node_site[second]
        assert network.node_kind[second] == NodeKind.CENTRE
        assert network.node_level[second] <= network.node_level[node]
        other_city += network.node_level[second] == network.node_level[node] == Level.CITY
    assert 0 < other_city < len(dual)


def test_the_national_platform_hangs_on_both_gateways(network, catalogue):
    (node,) = network.nodes_of(NodeKind.EXTERNAL)
    assert [network.node_name[home] for home in network.homes[int(node)]] == ["gateway-1", "gateway-2"]
    assert catalogue.unit_level[catalogue.node_unit[node]] == Level.NATION


def test_every_place_has_its_cloud(network):
    assert len(network.pools) == 12
    for pool in network.pools:
        assert pool.servers > 0
        assert pool.start_ns > 0
    for centre in network.nodes_of(NodeKind.CENTRE):
        assert network.node_pool[centre] != NO_POOL


def test_county_processing_is_slower_than_city_and_province(network):
    speed = {}
    for centre in network.nodes_of(NodeKind.CENTRE):
        station = network.node_process_station[centre]
        assert network.station_role[station] == StationRole.PROCESS
        speed[Level(network.node_level[centre])] = (
            network.station_servers[station] / (network.station_ps_per_byte[station])
        )
    assert speed[Level.COUNTY] < speed[Level.CITY] < speed[Level.PROVINCE]


def test_endpoints_and_nothing_else_have_units(network, catalogue):
    assert ((catalogue.node_unit >= 0) == network.is_endpoint).all()
    assert set(catalogue.node_unit[network.endpoints].tolist()) == set(range(catalogue.unit_count))


def test_front_ends_stand_where_their_units_are(network, catalogue):
    front_ends = network.nodes_of(NodeKind.FRONT_END)
    assert (catalogue.unit_level[catalogue.node_unit[front_ends]] == network.node_level[front_ends]).all()


def test_catalogue_is_of_the_stated_size_and_shares(catalogue):
    own = slice(8, None)
    assert 1_500 <= catalogue.resource_count <= 2_500
    shares = np.bincount(catalogue.resource_sharing[own], minlength=3) / (catalogue.resource_count - 8)
    assert shares == pytest.approx([0.45, 0.45, 0.10], abs=0.04)
    assert len(set(catalogue.resource_name)) == catalogue.resource_count
    assert len(set(catalogue.unit_name)) == catalogue.unit_count


def test_high_use_data_comes_from_the_provincial_centre(network, catalogue):
    heaviest = np.argsort(-catalogue.resource_weight)[:8]
    assert set(heaviest.tolist()) == set(range(8))
    (unit,) = set(catalogue.resource_unit[:8].tolist())
    nodes = np.flatnonzero(catalogue.node_unit == unit)
    assert len(nodes) > 1
    for node in nodes:
        assert network.homes[int(node)] == (network.node_index["province"],)


def test_grants_are_of_conditional_resources_ascending_and_not_to_the_provider(catalogue):
    granted = np.diff(catalogue.grant_start)
    assert (granted[catalogue.resource_sharing != SharingType.CONDITIONAL] == 0).all()
    assert (granted[catalogue.resource_sharing == SharingType.CONDITIONAL] > 0).all()
    for resource in range(catalogue.resource_count):
        units = catalogue.grant_unit[catalogue.grant_start[resource] : catalogue.grant_start[resource + 1]]
        assert (np.diff(units) > 0).all()
        assert catalogue.resource_unit[resource] not in units


def test_grants_prefer_the_providers_sector_and_region(catalogue):
    owner = np.repeat(catalogue.resource_unit, np.diff(catalogue.grant_start))
    for attribute in (catalogue.unit_sector, catalogue.unit_city):
        chance = np.mean(attribute[catalogue.resource_unit][:, None] == attribute[None, :])
        assert np.mean(attribute[owner] == attribute[catalogue.grant_unit]) > 1.5 * chance


def test_what_inner_units_provide_is_released(network, catalogue):
    inner = set(catalogue.node_unit[network.node_zone == network.zones.index("inner")].tolist())
    theirs = np.isin(catalogue.resource_unit, list(inner))
    assert catalogue.resource_released[theirs].all()
    assert 0.2 < catalogue.resource_released[~theirs].mean() < 0.5


def test_a_systems_resources_are_its_units(catalogue):
    has = catalogue.resource_system >= 0
    assert (catalogue.system_unit[catalogue.resource_system[has]] == catalogue.resource_unit[has]).all()


def test_released_resource_may_cross_and_another_may_not(network, catalogue):
    """The catalogue's own verdict on an exchange from an outer front-end to an inner one."""
    inner = int(np.flatnonzero(network.node_zone == network.zones.index("inner"))[0])
    free = catalogue.resource_sharing == SharingType.UNCONDITIONAL
    outer_unit = network.node_zone[[int(np.flatnonzero(catalogue.node_unit == u)[0]) for u in catalogue.resource_unit]]
    for released, expected in ((True, SharingRule.PERMITTED), (False, SharingRule.MAY_NOT_CROSS_ZONES)):
        resource = np.flatnonzero(free & (outer_unit == 0) & (catalogue.resource_released == released))[0]
        source = np.flatnonzero(catalogue.node_unit == catalogue.resource_unit[resource])[:1]
        assert catalogue.verdict(network, source, np.array([inner]), np.array([resource])) == [expected]


def test_background_is_uneven_between_carriers_and_changes_over_the_day(platform):
    network, background = platform.network, platform.background
    a, b = (network.line_carrier == index for index in (0, 1))
    morning = background.mean_fraction(10.5, working_day=True)
    evening = background.mean_fraction(20.0, working_day=True)
    assert 0.10 < morning[a].mean() < 0.30
    assert 0.40 < morning[b].mean() < 0.60
    assert evening[a].mean() > evening[b].mean(), "in the evening it is the other carrier that is loaded"
    assert (morning[network.line_carrier == NO_CARRIER] == 0).all()
    assert background.line_scale[a | b].std() > 0.05
    assert morning.max() < 0.9


def test_demand_has_eight_types_of_all_modes_and_kinds(platform):
    demand = platform.demand
    assert demand.exchanges_per_day == 1_000_000
    assert demand.peak_utilisation == 0.8
    assert len(demand.types) == 8
    assert len({item.mode for item in demand.types}) == 4
    assert {item.kind for item in demand.types} == set(TaskKind)
    assert sum(item.share for item in demand.types) == pytest.approx(1)
    night = next(item for item in demand.types if item.name == "nightly_sync")
    assert [hour for hour, weight in enumerate(night.hours) if weight > 0] == [0, 1, 2, 3, 4]
    yearly = next(item for item in demand.types if item.name == "annual_reports")
    assert yearly.yearly > 10 * yearly.month_end


def test_arrays_are_read_only(platform):
    for part in (platform.network, platform.catalogue, platform.background):
        for field in fields(part):
            value = getattr(part, field.name)
            assert not isinstance(value, np.ndarray) or not value.flags.writeable, field.name


def test_neighbours_add_city_lines_and_change_nothing_else(platform, network):
    variant = scenarios.load("jiangxi-neighbours")
    more = variant.network
    assert more.node_name == network.node_name
    assert (more.line_source[: network.line_count] == network.line_source).all()
    assert more.line_count > network.line_count
    added = range(network.line_count, more.line_count)
    joined = set()
    for line in added:
        ends = (more.line_source[line], more.line_target[line])
        assert all(more.node_kind[end] == NodeKind.ROUTER and more.node_level[end] == Level.CITY for end in ends)
        assert variant.background.line_profile[line] >= 0
        joined |= {int(more.node_site[end]) for end in ends}
    assert len(joined) == 11
    assert variant.name == "jiangxi-neighbours"
    assert variant.digest != platform.digest
