"""Disjoint pairs against the best of all pairs of paths."""

from __future__ import annotations

from itertools import combinations
from random import Random

import numpy as np
import pytest
from made_spaces import all_paths, check_lawful, cost_of, drawn_platform, drawn_topology

from router_core.paths.disjoint import disjoint_pairs, risk_disjoint_pairs
from router_core.paths.path_set import PathSet
from router_core.paths.route_space import RouteSpace, space_of_lines


def seed_ids(seed: int) -> str:
    return f"seed-{seed}-"


def drawn_space(random: Random, seed: int) -> RouteSpace:
    if seed % 4 == 3:  # many ways of different costs: the second path takes arcs of the first one back
        return drawn_topology(random, 7, 16, cost_max=30)
    return drawn_topology(random, random.randint(1, 6), random.randint(0, 14), both_ways=seed % 2 == 0)


def risks_of(space: RouteSpace, path: tuple[int, ...]) -> set[int]:
    return {risk for risk in range(len(space.risks)) if set(path) & set(space.risks.stations(risk).tolist())}


def check_counts(found: PathSet, ways: list[list[tuple[int, ...]]]) -> None:
    check_lawful(found)
    assert np.diff(found.pair_start).tolist() == [min(2, len(paths)) for paths in ways]
    for pair in range(found.pair_count):
        costs = [cost_of(found.space, path) for path in found.paths_of(pair)]
        assert costs == sorted(costs)


@pytest.mark.parametrize("seed", range(40), ids=seed_ids)
def test_two_paths_share_the_fewest_lines_at_the_least_cost(seed):
    space = drawn_space(Random(seed), seed)
    found = disjoint_pairs(space)
    ways = [all_paths(space, a, b) for a, b in zip(found.source.tolist(), found.target.tolist(), strict=True)]
    check_counts(found, ways)

    def price(two: tuple[tuple[int, ...], ...]) -> tuple[int, int, int]:
        shared = len(set(two[0]) & set(two[1]))
        return shared, sum(cost_of(space, path) for path in two), sum(len(path) for path in two)

    for pair, paths in enumerate(ways):
        if len(paths) > 1:
            assert price(tuple(found.paths_of(pair))) == min(price(two) for two in combinations(paths, 2))
        else:
            assert found.paths_of(pair) == paths


@pytest.mark.parametrize("seed", range(20), ids=seed_ids)
def test_a_cable_of_two_lines_is_shared_only_where_a_line_is(seed):
    space = drawn_topology(Random(seed), 6, 8, both_ways=True)
    found = disjoint_pairs(space)
    cables = [set(space.risks.stations(risk).tolist()) for risk, name in enumerate(space.risks.name) if "cable" in name]
    assert {len(cable) for cable in cables} == {2}
    for pair in range(found.pair_count):
        one, two = map(set, (2 * found.paths_of(pair))[:2])
        assert all(bool(cable & one & two) == bool(cable & one and cable & two) for cable in cables)


@pytest.mark.parametrize("seed", range(8), ids=seed_ids)
def test_pairs_on_a_platform(seed):
    _, space = drawn_platform(Random(seed), torn=0.2 * (seed % 2))
    source, target = space.all_pairs()
    ways = [all_paths(space, a, b) for a, b in zip(source.tolist(), target.tolist(), strict=True)]
    check_counts(disjoint_pairs(space), ways)
    check_lawful(risk_disjoint_pairs(space))


def trap() -> RouteSpace:
    """A cheapest path a-b-c-d over the middle, with which every other path shares a line."""
    ends = [(0, 1), (1, 2), (2, 3), (0, 2), (1, 3)]
    cost = [1, 1, 1, 5, 5]
    lines = np.array(ends + [(b, a) for a, b in ends])
    return space_of_lines(["a", "b", "c", "d"], lines, np.ones(10), np.array(cost * 2))


@pytest.mark.parametrize("maker", [disjoint_pairs, risk_disjoint_pairs])
def test_a_cheapest_path_that_stands_in_the_way_is_given_up(maker):
    found = maker(trap(), [0], [3]).paths_of(0)
    assert sorted(found) == [(0, 4), (3, 2)]


def test_what_the_second_path_takes_back_counts():
    # Around the trap 70 in all; the cheapest path and a line of its own from a to d would make it 75.
    ends = np.array([(0, 1), (1, 2), (2, 3), (0, 2), (1, 3), (0, 3)])
    space = space_of_lines(["a", "b", "c", "d"], ends, np.ones(6), np.array([10, 10, 10, 25, 25, 45]))
    assert sorted(disjoint_pairs(space, [0], [3]).paths_of(0)) == [(0, 4), (3, 2)]


def test_carriers_are_kept_apart_where_single_lines_need_not_be():
    # Two lines from a to b and two from b to c, of two carriers: line-disjoint pairs may mix them.
    ends = np.array([(0, 1), (0, 1), (1, 2), (1, 2)])
    space = space_of_lines(["a", "b", "c"], ends, np.ones(4), np.array([1, 2, 2, 1]), carrier=np.array([0, 1, 0, 1]))
    found = risk_disjoint_pairs(space, [0], [2]).paths_of(0)
    assert sorted(found) == [(0, 2), (1, 3)]


def test_risk_disjoint_pairs_share_hardly_more_risks_than_the_best_two():
    """To share the fewest is NP-hard; on small networks the best of three rarely falls short."""
    pairs = short = 0
    for seed in range(25):
        space = drawn_space(Random(seed), seed)
        found = risk_disjoint_pairs(space)
        ways = [all_paths(space, a, b) for a, b in zip(found.source.tolist(), found.target.tolist(), strict=True)]
        check_counts(found, ways)
        for pair, paths in enumerate(ways):
            if len(paths) < 2:
                continue
            risks = {path: risks_of(space, path) for path in paths}
            one, two = found.paths_of(pair)
            best = min(len(risks[a] & risks[b]) for a, b in combinations(paths, 2))
            assert len(risks[one] & risks[two]) >= best
            pairs += 1
            short += len(risks[one] & risks[two]) > best
    assert pairs > 100
    assert short <= 0.03 * pairs


def test_an_end_whose_entry_is_its_exit_has_the_empty_way():
    space = drawn_topology(Random(1), 4, 12)
    assert disjoint_pairs(space, [2], [2]).paths_of(0) == [()]
    assert risk_disjoint_pairs(space, [2, 2], [2, 2]).paths_of(1) == [()]


def test_nothing_at_all():
    space = space_of_lines([], np.empty((0, 2), dtype=int), np.empty(0))
    assert disjoint_pairs(space).pair_count == 0
    assert risk_disjoint_pairs(space).pair_count == 0
