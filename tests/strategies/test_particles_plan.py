"""Rounds of test particles: everything is seen in time, within the budget, over lawful routes."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import numpy as np
import pytest
from made_networks import INSTANT, drawn_network
from trunk_laws import check_trunk

from router_core.errors import BadInputError
from router_core.network import Network
from router_core.network_builder import NetworkBuilder
from router_core.paths.capacity import platform_capacity
from router_core.paths.path_set import PathSet
from router_core.paths.route_space import space_of_network
from router_core.paths.survivable import choose_paths
from router_core.plan import Trunk, route
from router_core.units import SECOND_NS
from router_core.vocabulary import NodeKind
from strategies.particles.probe_plan import ProbePlanner
from strategies.particles.probe_setting import ProbeSetting

SEEDS = range(12)


def drawn(seed: int, **shape) -> tuple[Network, PathSet]:
    network = drawn_network(Random(seed), **({"front_ends": 9, "transit": 6, "extra_lines": 5} | shape))
    return network, choose_paths(space_of_network(network), platform_capacity(network), 3)


def routes_of(command) -> list[tuple[int, ...]]:
    start = command.route_start.tolist()
    station = command.route_station.tolist()
    return [tuple(station[a:b]) for a, b in pairwise(start)]


def check_route(network: Network, stations: tuple[int, ...]) -> None:
    """Assert that it is the route of an exchange between two endpoints."""
    source, target = (int(network.station_owner[stations[place]]) for place in (0, -1))
    first, last = (int(network.station_owner[stations[place]]) for place in (2, -3))
    trunk = Trunk(first, last, stations[2:-2])
    check_trunk(network, trunk, network.homes[source], network.homes[target])
    assert source != target
    assert stations == route(network, source, target, trunk)


def visible(network: Network, paths: PathSet) -> set[int]:
    """Every station that an exchange could pass over these paths, found pair of endpoints by pair."""
    found: set[int] = set()
    for pair, (a, b) in enumerate(zip(paths.source.tolist(), paths.target.tolist(), strict=True)):
        ends = [[node for node in network.endpoints.tolist() if network.node_group[node] == group] for group in (a, b)]
        if a == b and len(ends[0]) < 2:
            continue
        for path in paths.paths_of(pair):
            trunk = [one for one in path if one not in network.access_station.values()]
            found.update(trunk)
            owners = [int(network.station_owner[trunk[place]]) for place in (0, -1)]
            for node in ends[0]:
                found |= {int(network.node_station[node]), network.access_station[node, owners[0]]}
            for node in ends[1]:
                found |= {int(network.node_station[node]), network.access_station[owners[1], node]}
    return found


@pytest.mark.parametrize("rounds", [1, 2, 3, 8])
@pytest.mark.parametrize("seed", SEEDS)
def test_any_rounds_in_a_row_see_every_station(seed, rounds):
    network, paths = drawn(seed, torn=0.2 if seed % 3 == 0 else 0.0)
    planner = ProbePlanner(network, paths, ProbeSetting(rounds=rounds, particles_min=3), seed)
    expected = visible(network, paths)
    seen = []
    for number in range(3 * max(planner.round_count, rounds)):
        command = planner.next_round(number * planner.setting.period_ns)
        seen.append(set() if command is None else set(command.route_station.tolist()))
    for begin in range(len(seen) - rounds + 1):
        assert set().union(*seen[begin : begin + rounds]) == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_routes_are_those_of_exchanges_and_all_get_their_turn(seed):
    network, paths = drawn(seed)
    planner = ProbePlanner(network, paths, ProbeSetting(rounds=4, particles_min=5), seed)
    access = set(network.access_station.values())
    used = set()
    for number in range(planner.round_count):
        command = planner.next_round(number * planner.setting.period_ns)
        for stations in routes_of(command) if command else []:
            check_route(network, stations)
            ends = [int(network.station_owner[stations[place]]) for place in (0, -1)]
            used.add((tuple(int(network.node_group[end]) for end in ends), stations[2:-2]))
    several = {
        (a, b): [tuple(one for one in path if one not in access) for path in paths.paths_of(pair)]
        for pair, (a, b) in enumerate(zip(paths.source.tolist(), paths.target.tolist(), strict=True))
    }
    members = np.bincount(network.node_group[network.endpoints])
    going = {pair: found for pair, found in several.items() if pair[0] != pair[1] or members[pair[0]] > 1}
    every = {(pair, path) for pair, found in going.items() for path in found}
    assert used == every


@pytest.mark.parametrize("seed", SEEDS)
def test_no_span_of_time_takes_more_than_its_budget(seed):
    network, paths = drawn(seed)
    random = Random(seed)
    setting = ProbeSetting(
        rounds=5, period_ns=SECOND_NS, bytes_per_s=60_000.0, burst_s=2.0, particles_min=random.randint(0, 30)
    )
    planner = ProbePlanner(network, paths, setting, seed)
    sent: list[tuple[int, int]] = []
    now_ns, rounds = 0, []
    for _ in range(300):
        now_ns += random.randint(0, SECOND_NS)
        for command in (
            planner.next_round(now_ns),
            planner.around([random.randrange(network.station_count) for _ in range(3)], now_ns),
        ):
            if command is not None:
                sent.append((now_ns, int(command.payload_bytes.sum())))
                rounds.append(command.round)
    assert rounds == sorted(set(rounds))
    assert len(rounds) > 50
    instant = np.array([at for at, _ in sent])
    total = np.concatenate(([0], np.cumsum([size for _, size in sent])))
    for first in range(len(sent)):
        span_s = (instant[first:] - instant[first]) / SECOND_NS
        taken = total[first + 1 :] - total[first]
        assert (taken <= setting.bytes_per_s * (span_s + setting.burst_s + 1)).all()


def test_both_sizes_are_sent_and_change_places():
    network, paths = drawn(3)
    planner = ProbePlanner(network, paths, ProbeSetting(rounds=2, large_share=0.3))
    sizes: dict[tuple[int, ...], set[int]] = {}
    for number in range(40 * planner.round_count):
        command = planner.next_round(number * planner.setting.period_ns)
        for stations, size in zip(routes_of(command), command.payload_bytes.tolist(), strict=True):
            sizes.setdefault(stations[2:-2], set()).add(size)
    assert all(found == {2_000, 64_000} for found in sizes.values())


@pytest.mark.parametrize("seed", SEEDS)
def test_a_round_on_demand_passes_what_it_is_asked_about(seed):
    network, paths = drawn(seed)
    planner = ProbePlanner(network, paths, ProbeSetting(visits=3), seed)
    expected = sorted(visible(network, paths))
    for turn, station in enumerate(expected):
        command = planner.around([station], turn * 1_000 * SECOND_NS)
        found = routes_of(command)
        assert 1 <= len(found) <= 3
        for stations in found:
            assert station in stations
            check_route(network, stations)
    unseen = set(range(network.station_count)) - set(expected)
    assert planner.around(unseen, 10**18) is None


def test_known_down_stations_are_left_out_where_there_is_another_way():
    network, paths = drawn(5)
    planner = ProbePlanner(network, paths)
    lines = [line for line in sorted(visible(network, paths)) if line in set(network.line_station.tolist())]
    avoided = 0
    for turn, down in enumerate(lines):
        up = np.ones(network.station_count, dtype=bool)
        up[down] = False
        other = lines[(turn + 1) % len(lines)]
        with_it, without = (
            routes_of(planner.around([other], (2 * turn + add) * 10**13, up=mask)) for add, mask in ((0, None), (1, up))
        )
        avoided += any(down in one for one in with_it) and not any(down in one for one in without)
    assert avoided > 0


def test_one_node_no_lines_and_a_single_route():
    builder = NetworkBuilder(("outer",))
    builder.add_node("alone", NodeKind.CENTRE, service=INSTANT, process=INSTANT)
    network = builder.build()
    planner = ProbePlanner(network, choose_paths(space_of_network(network), platform_capacity(network), 2))
    assert planner.round_count == 0
    assert planner.next_round(0) is None
    assert planner.around([0], 0) is None
    builder = NetworkBuilder(("outer",))
    centre = builder.add_node("centre", NodeKind.CENTRE, service=INSTANT, process=INSTANT)
    for name in "ab":
        builder.add_line(builder.add_node(name, NodeKind.FRONT_END, service=INSTANT), centre, service=INSTANT)
    network = builder.build()
    planner = ProbePlanner(network, choose_paths(space_of_network(network), platform_capacity(network), 2))
    command = planner.next_round(0)
    assert {stations[2:-2] for stations in routes_of(command)} == {(int(network.node_process_station[centre]),)}


def test_same_seed_same_rounds_and_another_seed_others():
    network, paths = drawn(1)
    setting = ProbeSetting(particles_min=5)

    def all_rounds(seed: int) -> list[list[tuple[int, ...]]]:
        planner = ProbePlanner(network, paths, setting, seed)
        return [routes_of(planner.next_round(number * setting.period_ns)) for number in range(planner.round_count)]

    assert all_rounds(4) == all_rounds(4) != all_rounds(5)


def test_bad_input_is_refused_by_name():
    network, paths = drawn(0)
    with pytest.raises(BadInputError, match=r"bytes_per_s: must be at least .* to see every station in time"):
        ProbePlanner(network, paths, ProbeSetting(bytes_per_s=1.0))
    with pytest.raises(BadInputError, match="stations: must lie in"):
        ProbePlanner(network, paths).around([network.station_count], 0)
    for name, value in {
        "rounds": 0,
        "period_ns": 0,
        "bytes_per_s": float("nan"),
        "large_bytes": 1,
        "priority": 8,
    }.items():
        with pytest.raises(BadInputError, match=rf"particles\.{name}"):
            ProbeSetting(**{name: value})
    with pytest.raises(BadInputError, match="paths"):
        ProbePlanner(drawn(1, front_ends=4)[0], paths)
