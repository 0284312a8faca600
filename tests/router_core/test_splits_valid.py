"""The one validator over every algorithm that splits demand over paths, on drawn problems; and that it finds faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from drawn_problems import Problem, drawn_problems
from hypothesis import given, settings
from hypothesis import strategies as st
from routing_validator import Goal, validate

from router_core.exact.fallback import set_split_within, split_within
from router_core.exact.path_programme import best_split, best_split_for_set
from router_core.paths.path_set import PathSet, path_set
from router_core.paths.route_space import space_of_lines
from router_core.splits.peak import PeakSolver
from router_core.splits.peak_set import PeakSetSolver
from router_core.splits.split import Split

Algorithm = Callable[[PathSet, Goal], Split]


def _limit(goal: Goal) -> dict[str, object]:
    return {} if goal.start is None else {"start": goal.start, "churn_max": goal.churn_max}


def _kind(goal: Goal) -> dict[str, object]:
    return {"worst_case": goal.worst_case, "weights": goal.weights}


# Whatever minimises the peak of one matrix, with or without a limit of churn, joins this table.
ONE_MATRIX: dict[str, Algorithm] = {
    "programme": lambda paths, goal: best_split(
        paths, goal.unit_load, goal.demands[0], tie_by_cost=False, **_limit(goal)
    ),
    "programme-ties": lambda paths, goal: best_split(paths, goal.unit_load, goal.demands[0], **_limit(goal)),
    "programme-of-one": lambda paths, goal: _without_limit(
        goal, lambda: best_split_for_set(paths, goal.unit_load, goal.demands, worst_case=True)
    ),
    "sweeps": lambda paths, goal: PeakSolver(paths, goal.unit_load).solve(goal.demands[0], **_limit(goal)),
    "sweeps-tight": lambda paths, goal: PeakSolver(paths, goal.unit_load).solve(
        goal.demands[0], gap=1e-5, **_limit(goal)
    ),
    "sweeps-or-programme": lambda paths, goal: split_within(
        PeakSolver(paths, goal.unit_load), goal.demands[0], 1e-6, **_limit(goal)
    ),
}

# And whatever minimises the mean or the worst peak of several, this one.
SEVERAL: dict[str, Algorithm] = {
    "programme": lambda paths, goal: best_split_for_set(
        paths, goal.unit_load, goal.demands, tie_by_cost=False, **_kind(goal)
    ),
    "programme-ties": lambda paths, goal: best_split_for_set(paths, goal.unit_load, goal.demands, **_kind(goal)),
    "sweeps": lambda paths, goal: PeakSetSolver(paths, goal.unit_load).solve(goal.demands, **_kind(goal)),
    "sweeps-or-programme": lambda paths, goal: set_split_within(
        PeakSetSolver(paths, goal.unit_load), goal.demands, 1e-6, **_kind(goal)
    ),
}


def _without_limit(goal: Goal, solve: Callable[[], Split]) -> Split:
    if goal.start is not None:
        pytest.skip("no limit of churn in this one")
    return solve()


@pytest.mark.parametrize("name", ONE_MATRIX)
@settings(max_examples=120)
@given(problem=drawn_problems())
def test_one_matrix(name, problem: Problem):
    goal = Goal(problem.unit_load, problem.demand[None])
    validate(ONE_MATRIX[name](problem.paths, goal), goal, ONE_MATRIX["programme"](problem.paths, goal))


@pytest.mark.parametrize("name", [name for name in ONE_MATRIX if name != "programme-of-one"])
@settings(max_examples=80)
@given(problem=drawn_problems(), churn_max=st.sampled_from((0.0, 0.1, 0.5, 1.0)))
def test_one_matrix_with_a_limit_of_churn(name, problem: Problem, churn_max):
    goal = Goal(problem.unit_load, problem.demand[None], start=problem.start, churn_max=churn_max)
    validate(ONE_MATRIX[name](problem.paths, goal), goal, ONE_MATRIX["programme"](problem.paths, goal))


@pytest.mark.parametrize("worst_case", [False, True], ids=["mean", "worst"])
@pytest.mark.parametrize("name", SEVERAL)
@settings(max_examples=50)
@given(problem=drawn_problems(), data=st.data())
def test_several_matrices(name, worst_case, problem: Problem, data):
    weights = np.array(data.draw(st.lists(st.sampled_from((0.0, 1.0, 1.0, 2.5)), min_size=1, max_size=3)))
    weights[0] = weights[0] or 1.0
    orders = [data.draw(st.permutations(range(problem.paths.pair_count))) for _ in weights]
    demands = np.array([problem.demand[:, list(order)] for order in orders])
    goal = Goal(problem.unit_load, demands, weights, worst_case)
    validate(SEVERAL[name](problem.paths, goal), goal, SEVERAL["programme"](problem.paths, goal))


def right() -> tuple[Split, Goal]:
    """A split that is right: a third over the slow one of two parallel lines; and a pair without a way."""
    space = space_of_lines(["a", "b", "c"], np.array([(0, 1), (0, 1), (0, 2)]), np.array([1.0, 2.0, 0.0]))
    paths = path_set(space, [0, 0], [1, 2], [[[0], [1]], []])
    goal = Goal(np.array([[1.0, 0.5, np.inf]]), np.array([[[3.0, 1.0]]]))
    return Split(paths, np.array([1 / 3, 2 / 3]), 1.0, 1.0, 0, np.array([1])), goal


FAULTS = {
    "too much": {"shares": np.array([0.4, 0.7])},
    "less than nothing": {"shares": np.array([-0.1, 1.1])},
    "nothing": {"shares": np.zeros(2)},
    "not a number": {"shares": np.array([np.nan, 1.0])},
    "a better objective than it has": {"objective": 0.99},
    "a worse objective than it has": {"objective": 1.01},
    "a bound above the objective": {"lower_bound": 1.01},
    "a bound below zero": {"lower_bound": -0.1},
    "a lost pair that is not told": {"unrouted": np.empty(0, dtype=np.intp)},
    "a pair told lost that is not": {"unrouted": np.array([0, 1])},
}


def test_the_validator_passes_what_is_right():
    split, goal = right()
    validate(split, goal, best_split(split.paths, goal.unit_load, goal.demands[0], tie_by_cost=False))


@pytest.mark.parametrize("name", FAULTS)
def test_the_validator_finds_a_fault(name):
    split, goal = right()
    with pytest.raises(AssertionError):
        validate(replace(split, **FAULTS[name]), goal)


def test_the_validator_finds_a_bound_that_is_beaten():
    split, goal = right()
    worse = replace(split, shares=np.array([0.5, 0.5]), objective=1.5, lower_bound=1.2)
    validate(worse, goal)
    with pytest.raises(AssertionError):
        validate(worse, goal, split)


def test_the_validator_finds_a_path_that_is_none():
    split, goal = right()
    wrong = {
        "torn": ([0, 0], [[[0, 1], [1]], []]),
        "backwards": ([1, 0], [[[0], [1]], []]),
        "twice": ([0, 0], [[[1], [1]], []]),
        "closed": ([0, 0], [[[0], [2]], []]),
    }
    for sources, given_paths in wrong.values():
        paths = path_set(split.paths.space, sources, [1, 2], given_paths)
        with pytest.raises(AssertionError):
            validate(replace(split, paths=paths), goal)


def test_the_validator_finds_more_churn_than_allowed():
    split, goal = right()
    validate(split, replace(goal, start=np.array([0.4, 0.6]), churn_max=0.1))
    with pytest.raises(AssertionError):
        validate(split, replace(goal, start=np.array([1.0, 0.0]), churn_max=0.1))
