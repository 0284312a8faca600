"""Least peak over all routes: both ways to find it against each other and against every path there is."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from drawn_problems import Problem, drawn_problems
from hypothesis import given, settings
from made_networks import drawn_network
from made_spaces import all_paths, drawn_topology
from routing_validator import naive_load

from router_core.errors import BadInputError
from router_core.exact.arc_programme import arc_peak
from router_core.exact.commodities import Commodities, commodities
from router_core.exact.least_peak import GAP, Optimum, least_peak
from router_core.exact.path_programme import best_split
from router_core.exact.source_trees import tree_peak
from router_core.paths.path_set import path_set
from router_core.paths.route_space import RouteSpace, space_of_lines, space_of_network

ROUNDS = 200
EXACT = 1e-8
RELATIVE = 1e-9


def seed_ids(seed: int) -> str:
    return f"seed-{seed}-"


def over_every_path(space: RouteSpace, unit_load: np.ndarray, source, target, demand: np.ndarray):
    """The best split over all loopless paths of each pair: no routing does better."""
    paths = path_set(space, source, target, [all_paths(space, a, b) for a, b in zip(source, target, strict=True)])
    return best_split(paths, unit_load, demand, tie_by_cost=False)


def check_bracket(found: Optimum, truth: float) -> None:
    assert 0 <= found.lower_bound <= truth * (1 + EXACT)
    assert truth * (1 - EXACT) <= found.objective
    assert found.gap <= GAP


@settings(max_examples=150)
@given(problem=drawn_problems())
def test_is_the_best_split_over_every_path(problem: Problem):
    space, source, target = problem.paths.space, problem.paths.source.tolist(), problem.paths.target.tolist()
    truth = over_every_path(space, problem.unit_load, source, target, problem.demand)
    found = least_peak(space, problem.unit_load, source, target, problem.demand)
    check_bracket(found, truth.objective)
    assert list(found.unrouted) == truth.unrouted.tolist()
    # Column generation, too, which problems of this size do not go.
    rows = gathered(space, problem.unit_load, source, target, problem.demand)
    if rows.scale > 0:
        peak, bound, _ = tree_peak(rows, EXACT, ROUNDS)
        assert bound * rows.scale <= truth.objective * (1 + EXACT)
        assert peak * rows.scale == pytest.approx(truth.objective, rel=1e-6, abs=RELATIVE)


def gathered(space: RouteSpace, unit_load: np.ndarray, source, target, demand: np.ndarray) -> Commodities:
    return commodities(space, np.atleast_2d(unit_load), np.array(source, int), np.array(target, int), demand)


def drawn_rows(seed: int) -> Commodities:
    """Demand among all nodes of a drawn topology, or in several sizes on a drawn platform."""
    random = Random(seed)
    if seed % 2:
        space = drawn_topology(random, random.randint(4, 14), random.randint(6, 20), both_ways=True)
        capacity = np.array([random.choice((1.0, 1.0, 2.0, random.random())) for _ in range(space.station_count)])
        unit_load = 1 / capacity[None]
    else:
        space = space_of_network(drawn_network(random, transit=7, front_ends=6, extra_lines=6))
        unit_load = np.array([[random.choice((1.0, 0.5, 0.0)) for _ in range(space.station_count)] for _ in range(2)])
    source, target = space.all_pairs()
    demand = np.array([[random.choice((0.0, 1.0, random.random())) for _ in source] for _ in unit_load])
    return commodities(space, unit_load, source, target, demand)


@pytest.mark.parametrize("seed", range(40), ids=seed_ids)
def test_column_generation_and_the_plain_programme_agree(seed):
    rows = drawn_rows(seed)
    plain, plain_bound = arc_peak(rows)
    peak, bound, rounds = tree_peak(rows, EXACT, ROUNDS)
    assert plain_bound == pytest.approx(plain, rel=EXACT)
    assert bound <= plain * (1 + RELATIVE)
    assert peak >= plain_bound * (1 - RELATIVE)
    assert peak - bound <= EXACT * peak
    assert 1 <= rounds < ROUNDS


def test_the_drawn_rows_have_several_sizes_and_take_several_rounds():
    """Else the comparison above would be one of single programmes."""
    drawn = [drawn_rows(seed) for seed in range(40)]
    assert sum(rows.mixes > 2 for rows in drawn) >= 10
    assert sum(tree_peak(rows, EXACT, ROUNDS)[2] > 1 for rows in drawn) >= 10


@pytest.mark.parametrize("seed", range(10), ids=seed_ids)
def test_trees_carry_all_demand_over_cheapest_paths(seed):
    """What the pricing kernel says of loads and costs, worked out path by path over every path."""
    random = Random(seed)
    space = drawn_topology(random, 5, 8, both_ways=True)
    source, target = space.all_pairs()
    demand = np.array([[random.choice((0.0, 1.0, 2.0)) for _ in source]])
    demand[0, 0] = 1.0
    unit_load = np.array([[random.choice((1.0, 0.5)) for _ in range(space.station_count)]])
    rows = commodities(space, unit_load, source, target, demand)
    price = np.array([random.random() for _ in range(rows.stations)])
    load, bound = rows.price(price / price.sum())
    every = path_set(space, source, target, [all_paths(space, a, b) for a, b in zip(source, target, strict=True)])
    weight = np.zeros(space.station_count)
    weight[np.unique(space.graph.arc_station)] = price / price.sum()
    cost = np.array([(weight * unit_load[0])[list(every.stations(path))].sum() for path in range(every.path_count)])
    shares = np.zeros(every.path_count)
    for pair in range(every.pair_count):
        begin, end = every.pair_start[pair : pair + 2]
        shares[begin + cost[begin:end].argmin()] = 1.0
    naive = naive_load(every, shares, demand, unit_load)
    assert load.sum(axis=0) * rows.scale == pytest.approx(naive[np.unique(space.graph.arc_station)])
    assert bound * rows.scale == pytest.approx(float(weight @ naive))


def test_a_bridge_a_loop_and_a_single_node():
    space = space_of_lines(["a", "b"], np.array([(0, 1), (0, 0)]), np.array([2.0, 1.0]))
    found = least_peak(space, [0.5, 1.0], [0, 0], [1, 0], [3.0, 100.0])
    assert (found.objective, found.lower_bound) == (pytest.approx(1.5), pytest.approx(1.5))
    alone = space_of_lines(["a"], np.empty((0, 2), int), np.empty(0))
    assert least_peak(alone, [], [0], [0], [5.0]) == Optimum(0.0, 0.0, 0)
    assert least_peak(alone, [], [], [], []) == Optimum(0.0, 0.0, 0)


def test_lost_pairs_are_told_and_the_others_routed():
    space = space_of_lines(["a", "b", "c"], np.array([(0, 1), (1, 2)]), np.array([2.0, 0.0]))
    found = least_peak(space, [0.5, np.inf], [0, 0, 1, 2], [2, 1, 2, 1], [1.0, 1.0, 0.0, 4.0])
    assert found.unrouted == (0, 3)
    assert found.objective == pytest.approx(0.5)


def test_a_floor_is_the_least_that_is_told():
    space = space_of_lines(["a", "b"], np.array([(0, 1), (0, 1)]), np.array([1.0, 3.0]))
    found = least_peak(space, [1.0, 1 / 3], [0], [1], [1.0], floor=0.7)
    assert (found.objective, found.lower_bound, found.gap) == (0.7, 0.7, 0.0)


@pytest.mark.parametrize("nodes", [9, 16])
def test_where_every_node_has_a_line_to_every_other(nodes):
    """Column generation may not settle there; the answer is as good all the same."""
    rng = np.random.default_rng(nodes)
    ends = np.array([(a, b) for a in range(nodes) for b in range(nodes) if a != b])
    space = space_of_lines([f"n{node}" for node in range(nodes)], ends, np.ones(len(ends)))
    source, target = space.all_pairs()
    demand = rng.lognormal(0, 2, len(source))
    plain, _ = arc_peak(gathered(space, np.ones(len(ends)), source, target, demand[None]))
    rows = gathered(space, np.ones(len(ends)), source, target, demand[None])
    check_bracket(least_peak(space, np.ones(len(ends)), source, target, demand), plain * rows.scale)


def test_who_runs_out_of_rounds_falls_back_on_the_plain_programme(monkeypatch):
    rng = np.random.default_rng(3)
    nodes = 20
    ends = np.array([(a, (a + step) % nodes) for a in range(nodes) for step in (1, 3, 7)])
    capacity = rng.uniform(0.2, 1.0, len(ends))
    space = space_of_lines([f"n{node}" for node in range(nodes)], ends, capacity)
    source, target = space.all_pairs()
    demand = rng.lognormal(0, 1, len(source))
    full = least_peak(space, 1 / capacity, source, target, demand)
    monkeypatch.setattr("router_core.exact.least_peak.ROUNDS_MIN", 1)
    monkeypatch.setattr("router_core.exact.least_peak.SIZE_A_ROUND", 10**9)
    short = least_peak(space, 1 / capacity, source, target, demand)
    assert full.rounds > short.rounds == 1
    check_bracket(short, full.objective)


REFUSALS = {
    "demand of a - b: must be finite": {"demand": [np.inf]},
    "demand of a - b: must not be negative": {"demand": [-2.0]},
    "demand: must be of shape": {"demand": [1.0, 2.0]},
    "unit_load of a>b#0: must be a number": {"unit_load": [np.nan]},
    "unit_load of a>b#0: must not be negative": {"unit_load": [-1.0]},
    "source of pair 0: must lie in 0..1": {"source": [2]},
    "must be a row of whole numbers": {"target": [0.5]},
    "must be of one length": {"target": [0, 1]},
}


@pytest.mark.parametrize("message", REFUSALS)
def test_bad_input_is_refused_by_name(message):
    space = space_of_lines(["a", "b"], np.array([(0, 1)]), np.array([1.0]))
    right = {"unit_load": [1.0], "source": [0], "target": [1], "demand": [1.0]}
    with pytest.raises(BadInputError, match=message.replace("..", r"\.\.")):
        least_peak(space, **(right | REFUSALS[message]))
