"""Equal-cost plans against every way there is, counted out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from random import Random

import pytest
from made_networks import INSTANT, Grain, drawn_network
from trunk_laws import check_choice

import scenarios
from router_core.equal_cost import PATHS_MAX, EqualCostPlan
from router_core.network import Network
from router_core.network_builder import NetworkBuilder, Service
from router_core.plan import Trunk
from router_core.vocabulary import NodeKind, StationRole

ALL = 10**6
# Costs from a handful of values, so that many ways cost the same.
TIED = Grain(grid_ns=1, fixed_max=2, rates_ps=(0, 0, 0, 0, 1), servers_max=1)


def seed_ids(seed: int) -> str:
    return f"seed-{seed}-"


def cost_of(network: Network, station: int) -> int:
    """Time for a megabyte without propagation; nothing for processing."""
    if network.station_role[station] == StationRole.PROCESS:
        return 0
    return int(network.station_fixed_ns[station] + network.station_ps_per_byte[station] * 1_000)


def every_way(network: Network, first: int, last: int) -> Iterator[tuple[int, ...]]:
    """All ways that pass no node twice in one processing state and are processed at the first centre they meet."""
    lines: dict[int, list[tuple[int, int]]] = {}
    for line, station in enumerate(network.line_station.tolist()):
        source, target = int(network.line_source[line]), int(network.line_target[line])
        if not network.is_endpoint[[source, target]].any():
            lines.setdefault(source, []).append((target, station))

    def go(node: int, processed: bool, seen: frozenset, behind: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if (node, processed) in seen:
            return
        seen |= {(node, processed)}
        if not processed and network.node_kind[node] == NodeKind.CENTRE:
            processed = True
            seen |= {(node, processed)}
            behind = (*behind, int(network.node_process_station[node]))
        else:
            behind = (*behind, int(network.node_station[node]))
        if node == last and processed:
            yield behind
        for target, station in lines.get(node, ()):
            yield from go(target, processed, seen, (*behind, station))

    return go(first, False, frozenset(), ())


def cheapest(network: Network, source_group: int, target_group: int) -> set[Trunk]:
    """All trunks of least cost, counting the access lines of the groups' first endpoints."""
    members = {int(group): node for node, group in reversed(list(enumerate(network.node_group.tolist())))}
    source, target = members[source_group], members[target_group]
    found: dict[int, set[Trunk]] = {}
    for first, last in product(network.groups[source_group], network.groups[target_group]):
        access = network.access_station[source, first], network.access_station[last, target]
        for way in every_way(network, first, last):
            cost = sum(cost_of(network, station) for station in (*way, *access))
            found.setdefault(cost, set()).add(Trunk(first, last, way))
    return found[min(found)] if found else set()


def pairs_of(network: Network) -> list[tuple[int, int]]:
    return list(product(range(len(network.groups)), repeat=2))


@pytest.mark.parametrize("seed", range(60), ids=seed_ids)
def test_trunks_are_all_the_cheapest_ways(seed):
    random = Random(seed)
    network = drawn_network(random, transit=random.randint(2, 6), torn=random.choice((0, 0.3)), grain=TIED)
    plan = EqualCostPlan(network, paths_max=ALL)
    for pair in pairs_of(network):
        choice = plan.choice(*pair)
        trunks = cheapest(network, *pair)
        if choice is None:
            assert not trunks
            continue
        assert set(choice.trunks) == trunks
        assert len(choice.trunks) == len(trunks)
        assert set(choice.weights) == {1}
        check_choice(network, choice, *pair)


def test_drawn_networks_have_ties():
    plans = [EqualCostPlan(drawn_network(Random(seed), grain=TIED), ALL) for seed in range(20)]
    choices = [plan.choice(*pair) for plan in plans for pair in pairs_of(plan.network)]
    assert sum(len(choice.trunks) > 1 for choice in choices) > 60


def test_torn_networks_have_pairs_without_a_way():
    lost = found = 0
    for seed in range(30):
        network = drawn_network(Random(seed), torn=0.5, extra_lines=1, grain=TIED)
        plan = EqualCostPlan(network)
        for pair in pairs_of(network):
            if plan.choice(*pair) is None:
                lost += 1
                assert cheapest(network, *pair) == set()
            else:
                found += 1
    assert lost > 50
    assert found > 50


@pytest.mark.parametrize("seed", range(20), ids=seed_ids)
@pytest.mark.parametrize("paths_max", [1, 2, 3])
def test_no_more_than_paths_max_and_those_the_first(seed, paths_max):
    network = drawn_network(Random(seed), extra_lines=6, grain=TIED)
    everything, few = EqualCostPlan(network, ALL), EqualCostPlan(network, paths_max)
    for pair in pairs_of(network):
        assert few.choice(*pair).trunks == everything.choice(*pair).trunks[:paths_max]


def test_asking_in_another_order_changes_nothing():
    network = drawn_network(Random(4), grain=TIED)
    one, other = EqualCostPlan(network), EqualCostPlan(network)
    forwards = {pair: one.choice(*pair) for pair in pairs_of(network)}
    backwards = {pair: other.choice(*pair) for pair in reversed(pairs_of(network))}
    assert forwards == backwards
    assert {pair: one.choice(*pair) for pair in pairs_of(network)} == forwards


@pytest.mark.parametrize("name", ["toy", "jiangxi"])
def test_scenarios_have_a_lawful_choice_for_every_pair(name):
    network = scenarios.load(name).network
    plan = EqualCostPlan(network)
    pairs = pairs_of(network)
    for pair in pairs if len(pairs) < 1_000 else Random(0).sample(pairs, 1_000):
        choice = plan.choice(*pair)
        if pair[0] == pair[1] and choice is None:
            continue  # two endpoints behind one crossing
        assert choice is not None, pair
        assert len(choice.trunks) <= PATHS_MAX
        check_choice(network, choice, *pair)


def two_carriers(rates: tuple[int, int]) -> tuple[Network, EqualCostPlan, tuple[int, int]]:
    builder = NetworkBuilder(("outer",), ("a", "b"))
    centres = [builder.add_node(name, NodeKind.CENTRE, service=INSTANT, process=INSTANT) for name in ("x", "y")]
    lines = [builder.add_line(*centres, service=Service(1, 1, rate), carrier=k)[0] for k, rate in enumerate(rates)]
    for number, centre in enumerate(centres):
        builder.add_line(builder.add_node(f"f{number}", NodeKind.FRONT_END, service=INSTANT), centre, service=INSTANT)
    network = builder.build()
    return network, EqualCostPlan(network), tuple(int(network.line_station[line]) for line in lines)


def test_two_carriers_of_one_rate_share_and_the_slower_one_idles():
    network, plan, lines = two_carriers((1_000, 1_000))
    choice = plan.choice(0, 1)
    assert [trunk.stations[1] for trunk in choice.trunks] == sorted(lines)
    assert choice.weights == (1, 1)
    network, plan, lines = two_carriers((1_001, 1_000))
    assert [trunk.stations[1] for trunk in plan.choice(0, 1).trunks] == [lines[1]]
    # Processed at the first centre, passed at the second.
    trunk = plan.choice(0, 1).trunks[0]
    assert trunk.stations[0] == network.node_process_station[0]
    assert trunk.stations[2] == network.node_station[1]


def test_a_crossing_is_passed_and_the_first_centre_behind_it_processes():
    builder = NetworkBuilder(("inner", "outer"))
    crossing = builder.add_node("crossing", NodeKind.CROSSING, service=INSTANT, zone=0)
    centre = builder.add_node("centre", NodeKind.CENTRE, service=INSTANT, process=INSTANT, zone=1)
    line, back = builder.add_line(crossing, centre, service=INSTANT)
    inside = builder.add_node("inside", NodeKind.FRONT_END, service=INSTANT, zone=0)
    outside = builder.add_node("outside", NodeKind.FRONT_END, service=INSTANT, zone=1)
    builder.add_line(inside, crossing, service=INSTANT)
    builder.add_line(outside, centre, service=INSTANT)
    network = builder.build()
    group = network.node_group
    plan = EqualCostPlan(network)
    out = plan.choice(group[inside], group[outside]).trunks
    process = int(network.node_process_station[centre])
    passing = int(network.node_station[crossing])
    assert out == (Trunk(crossing, centre, (passing, int(network.line_station[line]), process)),)
    home = plan.choice(group[outside], group[inside]).trunks
    assert home == (Trunk(centre, crossing, (process, int(network.line_station[back]), passing)),)


def test_access_lines_count():
    """Of two homes alike the one behind the faster access line is taken."""
    builder = NetworkBuilder(("outer",))
    centres = [builder.add_node(name, NodeKind.CENTRE, service=INSTANT, process=INSTANT) for name in ("x", "y")]
    hub = builder.add_node("hub", NodeKind.CENTRE, service=INSTANT, process=INSTANT)
    for centre in centres:
        builder.add_line(centre, hub, service=INSTANT)
    slow_x, slow_y, target = (builder.add_node(name, NodeKind.FRONT_END, service=INSTANT) for name in ("p", "q", "t"))
    for node, rates in ((slow_x, (2_000, 1_000)), (slow_y, (1_000, 2_000))):
        for centre, rate in zip(centres, rates, strict=True):
            builder.add_line(node, centre, service=Service(1, 1, rate))
    builder.add_line(target, hub, service=INSTANT)
    network = builder.build()
    plan, group = EqualCostPlan(network), network.node_group
    assert group[slow_x] != group[slow_y]
    assert [trunk.first for trunk in plan.choice(group[slow_x], group[target]).trunks] == [centres[1]]
    assert [trunk.last for trunk in plan.choice(group[target], group[slow_y]).trunks] == [centres[0]]


@pytest.mark.parametrize("paths_max", [0, -1])
def test_paths_max_is_checked(paths_max):
    with pytest.raises(ValueError, match="paths_max"):
        EqualCostPlan(two_carriers((1, 1))[0], paths_max)
