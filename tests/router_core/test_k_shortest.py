"""k shortest paths against the list of all loopless paths."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import numpy as np
import pytest
from made_spaces import all_paths, check_lawful, cost_of, drawn_platform, drawn_topology

from router_core.errors import BadInputError
from router_core.paths.k_shortest import k_shortest
from router_core.paths.route_space import COST_MAX, RouteSpace, space_of_lines


def seed_ids(seed: int) -> str:
    return f"seed-{seed}-"


def check_against_all(space: RouteSpace, k: int) -> tuple[int, int]:
    """Assert that every pair has its k cheapest paths, by cost and number of stations; return what occurred."""
    found = k_shortest(space, k)
    check_lawful(found)
    pairs = list(zip(*(ends.tolist() for ends in space.all_pairs()), strict=True))
    assert list(zip(found.source.tolist(), found.target.tolist(), strict=True)) == pairs
    few = many = 0
    for pair, (source, target) in enumerate(pairs):
        truth = sorted((cost_of(space, path), len(path)) for path in all_paths(space, source, target))
        got = [(cost_of(space, path), len(path)) for path in found.paths_of(pair)]
        assert got == truth[:k], space.pair_name(source, target)
        few, many = few + (len(truth) < k), many + (len(truth) > k)
    return few, many


@pytest.mark.parametrize("seed", range(60), ids=seed_ids)
def test_finds_the_cheapest_paths_of_a_topology(seed):
    random = Random(seed)
    nodes = random.randint(1, 7)
    cost_max = random.choice((1, 3, 100, None))
    space = drawn_topology(random, nodes, random.randint(0, 18), cost_max=cost_max, both_ways=seed % 3 == 0)
    for k in (1, 2, 4, 9, 1000):
        check_against_all(space, k)


@pytest.mark.parametrize("seed", range(15), ids=seed_ids)
def test_finds_the_cheapest_paths_of_a_platform(seed):
    random = Random(seed)
    _, space = drawn_platform(random, torn=0.2 * (seed % 2))
    for k in (1, 4, 9):
        check_against_all(space, k)


def test_the_drawn_spaces_have_pairs_with_fewer_and_with_more_paths():
    few, many = np.sum([check_against_all(drawn_topology(Random(seed), 6, 18), 4) for seed in range(10)], axis=0)
    assert few > 50
    assert many > 30


@pytest.mark.parametrize("seed", range(5), ids=seed_ids)
def test_pairs_in_any_order_and_more_than_once_get_the_same_paths(seed):
    random = Random(seed)
    space = drawn_topology(random, 8, 30)
    every = k_shortest(space, 3)
    drawn = [random.randrange(every.pair_count) for _ in range(100)]
    some = k_shortest(space, 3, every.source[drawn], every.target[drawn])
    assert [some.paths_of(place) for place in range(100)] == [every.paths_of(pair) for pair in drawn]


@pytest.mark.parametrize("seed", range(10), ids=seed_ids)
def test_longer_lists_begin_with_the_shorter_ones(seed):
    space = drawn_topology(Random(seed), 12, 40, cost_max=1 + seed % 2, both_ways=True)
    lists = [k_shortest(space, k) for k in (2, 4, 7, 40)]
    for short, long in pairwise(lists):
        for pair in range(short.pair_count):
            found = short.paths_of(pair)
            assert long.paths_of(pair)[: len(found)] == found


def test_an_end_whose_entry_is_its_exit_has_the_empty_way_alone():
    space = drawn_topology(Random(1), 4, 12)
    found = k_shortest(space, 5, [2, 0], [2, 0])
    assert [found.paths_of(0), found.paths_of(1)] == [[()], [()]]


def test_no_pairs_and_no_lines():
    space = space_of_lines(["a", "b"], np.empty((0, 2), dtype=int), np.empty(0))
    assert k_shortest(space, 2, [], []).pair_count == 0
    assert k_shortest(space, 2).unconnected.tolist() == [0, 1]


def test_the_dearest_costs_are_exact():
    nodes = 40
    ends = [(node, node + 1) for node in range(nodes - 1) for _ in range(2)]
    cost = np.array([COST_MAX - line % 2 for line in range(len(ends))])
    space = space_of_lines([f"n{node}" for node in range(nodes)], np.array(ends), np.ones(len(ends)), cost)
    found = k_shortest(space, 3, [0], [nodes - 1])
    least = (nodes - 1) * (COST_MAX - 1)
    assert found.path_cost.tolist() == [least, least + 1, least + 1]


def test_costs_whose_sums_do_not_fit_are_refused():
    nodes = 1500
    ends = np.array([(node, node + 1) for node in range(nodes - 1)])
    space = space_of_lines(
        [f"n{node}" for node in range(nodes)], ends, np.ones(nodes - 1), np.full(nodes - 1, COST_MAX)
    )
    with pytest.raises(BadInputError, match=r"station_cost: of a path must sum to less than 2\*\*52"):
        k_shortest(space, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "k: must be a whole number of at least 1"),
        ((1.5,), "k: must be a whole number of at least 1"),
        ((True,), "k: must be a whole number of at least 1"),
        ((1, [0]), "source and target are given both or neither"),
        ((1, [0, 1], [2]), "must be of one length"),
        ((1, [0, 4], [2, 2]), "source of pair 1: must lie in 0..3"),
        ((1, [0], [-1]), "target of pair 0: must lie in 0..3"),
        ((1, [0.0], [1]), "source: must be a row of whole numbers"),
        ((1, [[0]], [1]), "source: must be a row of whole numbers"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    space = drawn_topology(Random(1), 4, 12)
    with pytest.raises(BadInputError, match=message):
        k_shortest(space, *arguments)
