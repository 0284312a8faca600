"""The tree mixture's paths are lawful, its weights a distribution, and its best splits near the best of all."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from made_spaces import all_paths, check_lawful, cost_of, drawn_capacity, drawn_platform, drawn_topology, least_peak

from router_core.errors import BadInputError
from router_core.paths.k_shortest import k_shortest
from router_core.paths.path_set import PathSet, path_set
from router_core.paths.route_space import RouteSpace, space_of_lines
from router_core.paths.tree_mixture import Mixture, mix, tree_mixture


def seed_ids(seed: int) -> str:
    return f"seed-{seed}-"


def check_mixture(space: RouteSpace, capacity: np.ndarray, mixture: Mixture, closed: frozenset[int]) -> None:
    for pair, (source, target) in enumerate(
        zip(mixture.paths.source.tolist(), mixture.paths.target.tolist(), strict=True)
    ):
        first, last = mixture.paths.pair_start[pair : pair + 2]
        connected = bool(all_paths(space, source, target, closed))
        assert (last > first) == connected
        if connected:
            weight = mixture.weight[first:last]
            assert weight.sum() == pytest.approx(1)
            assert (np.diff(weight) <= 0).all()
            assert (weight > 0).all()


@pytest.mark.parametrize("seed", range(20), ids=seed_ids)
def test_weights_are_a_distribution_over_lawful_open_paths(seed):
    random = Random(seed)
    if seed % 4 == 0:
        _, space = drawn_platform(random, torn=0.1)
    else:
        space = drawn_topology(random, random.randint(1, 6), random.randint(0, 16))
    capacity = drawn_capacity(random, space)
    closed = frozenset(np.flatnonzero(capacity == 0).tolist())
    mixture = mix(space, capacity, *space.all_pairs(), seed=seed)
    check_mixture(space, capacity, mixture, closed)
    paths = tree_mixture(space, capacity, 3, seed=seed)
    check_lawful(paths)
    assert not closed & set(paths.path_station.tolist())
    counts = np.diff(mixture.paths.pair_start)
    assert np.array_equal(np.diff(paths.pair_start), np.minimum(counts, 3))


def test_equal_weights_are_ranked_by_cost():
    # Two lines of one capacity share their load, so either is taken about as often.
    space = space_of_lines(["a", "b"], np.array([(0, 1), (0, 1)]), np.ones(2), np.array([7, 3]))
    mixture = mix(space, np.ones(2), *space.all_pairs(), seed=0)
    assert mixture.weight.tolist() == [0.5, 0.5]
    paths = tree_mixture(space, np.ones(2), 2, [0], [1])
    assert [cost_of(space, path) for path in paths.paths_of(0)] == [3, 7]


def test_weights_follow_capacity():
    space = space_of_lines(["a", "b"], np.array([(0, 1), (0, 1)]), np.array([30.0, 10.0]))
    assert mix(space, np.array([30.0, 10.0]), *space.all_pairs(), seed=0).weight == pytest.approx(
        [0.75, 0.25], abs=0.051
    )


def test_the_same_seed_draws_the_same_and_another_one_does_not():
    space = drawn_topology(Random(5), 10, 30, both_ways=True)
    capacity = np.ones(space.station_count)
    weights = [mix(space, capacity, *space.all_pairs(), seed=seed).weight.tolist() for seed in (1, 1, 2)]
    assert weights[0] == weights[1] != weights[2]


def test_pairs_in_any_order_and_more_than_once_get_the_same_paths():
    random = Random(9)
    space = drawn_topology(random, 8, 30)
    capacity = drawn_capacity(random, space)
    every = tree_mixture(space, capacity, 4)
    drawn = [random.randrange(every.pair_count) for _ in range(60)]
    some = tree_mixture(space, capacity, 4, every.source[drawn], every.target[drawn])
    assert [some.paths_of(place) for place in range(60)] == [every.paths_of(pair) for pair in drawn]


def test_an_end_whose_entry_is_its_exit_has_the_empty_way():
    space = drawn_topology(Random(1), 4, 12)
    assert tree_mixture(space, np.ones(space.station_count), 3, [2], [2]).paths_of(0) == [()]


def test_infinite_capacities_and_nothing_at_all():
    space = drawn_topology(Random(2), 6, 20, both_ways=True)
    paths = tree_mixture(space, np.full(space.station_count, np.inf), 3)
    check_lawful(paths)
    # Nothing ever fills, so every tree is the one of fewest stations.
    fewest = k_shortest(drawn_topology(Random(2), 6, 20, cost_max=1, both_ways=True), 1)
    assert [len(paths.stations(path)) for path in paths.pair_start[:-1]] == fewest.path_cost.tolist()
    assert tree_mixture(space_of_lines([], np.empty((0, 2), dtype=int), np.empty(0)), np.empty(0), 2).pair_count == 0
    assert tree_mixture(space_of_lines(["a"], np.empty((0, 2), dtype=int), np.empty(0)), np.empty(0), 2).pair_count == 0


def every_path(space: RouteSpace) -> PathSet:
    source, target = space.all_pairs()
    pairs = zip(source.tolist(), target.tolist(), strict=True)
    return path_set(space, source, target, [all_paths(space, *pair) for pair in pairs])


def test_three_paths_a_pair_split_nearly_as_well_as_all_paths():
    """The quality of published networks, on small made ones: gravity demands that the mixture has not drawn."""
    ratios, cheapest = [], []
    for seed in range(12):
        random = Random(seed)
        space = drawn_topology(random, 7, 6, both_ways=True)
        capacity = np.array([float(random.choice((1, 2, 10))) for _ in range(space.station_count)])
        every = every_path(space)
        mass = np.random.default_rng(seed).lognormal(0, 1, (2, space.end_count))
        demand = mass[0][every.source] * mass[1][every.target]
        best = least_peak(every, capacity, demand)
        ratios.append(least_peak(tree_mixture(space, capacity, 3), capacity, demand) / best)
        cheapest.append(least_peak(k_shortest(space, 3), capacity, demand) / best)
    assert min(ratios) > 1 - 1e-6
    assert np.mean(ratios) < 1.02
    assert max(ratios) < 1.1
    assert np.mean(cheapest) > np.mean(ratios)


@pytest.mark.parametrize(
    ("capacity", "message"),
    [
        ([1.0], "capacity: must be of shape"),
        ([1.0, np.nan, 1.0], "capacity of a>b#1: must be a number"),
        ([1.0, 1.0, -1.0], "capacity of b>a#2: must not be negative"),
    ],
)
def test_bad_capacities_are_named(capacity, message):
    space = space_of_lines(["a", "b"], np.array([(0, 1), (0, 1), (1, 0)]), np.ones(3))
    with pytest.raises(BadInputError, match=message):
        tree_mixture(space, np.array(capacity), 2)


def test_no_path_is_refused():
    space = drawn_topology(Random(1), 3, 4)
    with pytest.raises(BadInputError, match="k: must be a whole number of at least 1"):
        tree_mixture(space, np.ones(space.station_count), 0)
