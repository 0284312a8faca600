"""Paths of the platform's space give back the trunks they were made of; any other path is refused."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from made_networks import DrawnPlan, drawn_network
from made_splits import paths_of_plan

import scenarios
from router_core.equal_cost import EqualCostPlan
from router_core.errors import BadInputError
from router_core.paths.path_set import PathSet, path_set
from router_core.paths.route_space import space_of_network
from router_core.paths.trunks import path_trunks


@pytest.mark.parametrize("seed", range(6))
def test_the_trunks_of_a_plan_come_back(seed):
    random = Random(seed)
    network = drawn_network(random, dual_homed=0.5)
    plan = DrawnPlan(random, network, without_route=0.1)
    paths, choices = paths_of_plan(network, plan)
    found = path_trunks(network, paths)
    for pair, choice in enumerate(choices):
        trunks = [found.trunk(path) for path in range(paths.pair_start[pair], paths.pair_start[pair + 1])]
        assert trunks == (list(dict.fromkeys(choice.trunks)) if choice else [])


def test_those_of_a_scenario_come_back():
    network = scenarios.load("toy").network
    paths, choices = paths_of_plan(network, EqualCostPlan(network))
    found = path_trunks(network, paths)
    assert [found.trunk(path) for path in range(paths.path_count)] == [t for choice in choices for t in choice.trunks]


@pytest.mark.parametrize("seed", range(6))
def test_pairs_are_found_by_the_stations_on_their_paths(seed):
    random = Random(seed)
    network = drawn_network(random, dual_homed=0.5)
    paths, _ = paths_of_plan(network, DrawnPlan(random, network, without_route=0.1))
    start, pair = paths.pairs_of_stations
    assert len(start) == network.station_count + 1
    for station in range(network.station_count):
        over = [pair for pair in range(paths.pair_count) if any(station in path for path in paths.paths_of(pair))]
        assert pair[start[station] : start[station + 1]].tolist() == over


def one_path(paths: PathSet, pair: int, stations: list[int]) -> PathSet:
    return path_set(paths.space, [paths.source[pair]], [paths.target[pair]], [[stations]])


def test_a_path_that_does_not_lead_from_home_to_home_is_refused():
    network = drawn_network(Random(1), transit=8, front_ends=10, dual_homed=0.5)
    paths, _ = paths_of_plan(network, DrawnPlan(Random(1), network))
    homes = [len(group) for group in network.groups]
    found = path_trunks(network, paths)
    for several in ((1, 1), (1, 2), (2, 1), (2, 2)):
        path = next(
            path
            for path, pair in enumerate(paths.path_pair.tolist())
            if (homes[paths.source[pair]], homes[paths.target[pair]]) == several
            and found.first[path] != found.last[path]
        )
        pair, good = int(paths.path_pair[path]), list(paths.stations(path))
        assert path_trunks(network, one_path(paths, pair, good)).trunk(0).stations
        # Access lines of other groups, to other homes, and the wrong way round.
        other_lines = set(network.access_station.values())
        wrong = [[line, *good[1:]] for line in other_lines - {good[0]} if several[0] > 1]
        wrong += [[*good[:-1], line] for line in other_lines - {good[-1]} if several[1] > 1]
        end = int(network.node_station[network.endpoints[0]])
        wrong += [[], good[1:], good[:-1], [end, *good], [*good, end], good[::-1]]
        for stations in wrong:
            with pytest.raises(BadInputError, match=r"^path 0 of f\d - f\d: must "):
                path_trunks(network, one_path(paths, pair, stations))


def test_another_networks_paths_are_refused():
    network = scenarios.load("toy").network
    paths, _ = paths_of_plan(network, EqualCostPlan(network))
    other = drawn_network(Random(1))
    with pytest.raises(BadInputError, match="must be of the network's space"):
        path_trunks(other, paths)
    empty = path_set(space_of_network(other), [], [], [])
    assert len(path_trunks(other, empty).first) == 0
    assert len(path_trunks(other, replace(empty)).last) == 0
