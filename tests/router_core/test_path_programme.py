"""Best splits by programme against the same written out densely for SciPy; the limit of churn, ties, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_problems import Problem, drawn_problems
from hypothesis import given, settings
from hypothesis import strategies as st
from routing_validator import Goal, open_ones
from scipy.optimize import linprog

from router_core.errors import BadInputError
from router_core.exact.path_programme import best_split, best_split_for_set
from router_core.paths.path_set import PathSet, path_set
from router_core.paths.route_space import space_of_lines

# HiGHS's tolerances in SciPy are 1e-7.
TRUTH = 1e-6
OWN_GAP = 1e-8


class Dense:
    """Shares x, peaks u and moves m of the open paths of pairs with demand, as full matrices."""

    def __init__(self, paths: PathSet, goal: Goal) -> None:
        wanted = (goal.demands > 0).any(axis=(0, 1))
        self.path = np.flatnonzero(open_ones(paths, goal.unit_load) & wanted[paths.path_pair])
        self.pair = paths.path_pair[self.path]
        count, matrices = len(self.path), len(goal.demands)
        self.peaks = count + np.arange(matrices)
        self.width = 2 * count + matrices
        self.high: list[tuple[np.ndarray, float]] = []
        for number, demand in enumerate(goal.demands):
            for station in range(paths.space.station_count):
                row = np.zeros(self.width)
                for column, path in enumerate(self.path):
                    for visited in paths.stations(path):
                        if visited == station:
                            row[column] += goal.unit_load[:, station] @ demand[:, self.pair[column]]
                row[self.peaks[number]] = -1.0
                self.high.append((row, 0.0))
        self.whole = [((self.pair == pair).astype(float), 1.0) for pair in np.unique(self.pair)]
        # Of the first matrix: limits of churn and costs are asked of single ones.
        shares = [row / row.sum() for row in goal.demands[0] if row.sum() > 0]
        share = np.mean(shares, axis=0) if shares else np.zeros(len(wanted))
        self.weight = share[self.pair]
        if goal.start is not None:
            for column, path in enumerate(self.path):
                row = np.zeros(self.width)
                row[column] = row[count + matrices + column] = -1.0
                self.high.append((row, -goal.start[path]))
            moves = np.zeros(self.width)
            moves[count + matrices :] = self.weight
            self.high.append((moves, goal.churn_max))

    def solve(self, cost: np.ndarray, *more: tuple[np.ndarray, float]) -> float:
        if not len(self.path):
            return 0.0
        rows, high = zip(*self.high, *more, strict=True) if self.high or more else ((), ())
        whole = np.zeros((len(self.whole), self.width))
        for number, (row, _) in enumerate(self.whole):
            whole[number, : len(self.path)] = row
        above = {"A_ub": np.array(rows), "b_ub": np.array(high)} if rows else {}
        solved = linprog(cost, A_eq=whole, b_eq=np.ones(len(whole)), **above)
        assert solved.status == 0, solved.message
        return float(solved.fun)

    def least_peak(self, goal: Goal) -> float:
        cost = np.zeros(self.width)
        if not goal.worst_case:
            cost[self.peaks] = goal.weights / goal.weights.sum()
            return self.solve(cost)
        # One further column would do; the same peak for all does too.
        cost[self.peaks[0]] = 1.0
        same = []
        for other in self.peaks[1:]:
            row = np.zeros(self.width)
            row[other], row[self.peaks[0]] = 1.0, -1.0
            same.append((row, 0.0))
        return self.solve(cost, *same)

    def least_cost(self, paths: PathSet, peak: float) -> float:
        cost = np.zeros(self.width)
        cost[: len(self.path)] = paths.path_cost[self.path] * self.weight
        row = np.zeros(self.width)
        row[self.peaks[0]] = 1.0
        return self.solve(cost, (row, peak))

    def cost(self, paths: PathSet, shares: np.ndarray) -> float:
        return float((paths.path_cost[self.path] * self.weight) @ shares[self.path])


@settings(max_examples=100)
@given(problem=drawn_problems())
def test_one_matrix_is_the_dense_programme(problem: Problem):
    goal = Goal(problem.unit_load, problem.demand[None])
    truth = Dense(problem.paths, goal).least_peak(goal)
    found = best_split(problem.paths, problem.unit_load, problem.demand)
    assert found.objective == pytest.approx(truth, rel=TRUTH, abs=1e-9)
    assert found.gap <= OWN_GAP


@settings(max_examples=100)
@given(problem=drawn_problems(), churn_max=st.sampled_from((0.0, 0.05, 0.3, 1.0)))
def test_a_limit_of_churn_is_the_dense_programme(problem: Problem, churn_max):
    goal = Goal(problem.unit_load, problem.demand[None], start=problem.start, churn_max=churn_max)
    truth = Dense(problem.paths, goal).least_peak(goal)
    found = best_split(problem.paths, problem.unit_load, problem.demand, start=problem.start, churn_max=churn_max)
    assert found.objective == pytest.approx(truth, rel=TRUTH, abs=1e-9)
    assert found.gap <= OWN_GAP


@pytest.mark.parametrize("worst_case", [False, True], ids=["mean", "worst"])
@settings(max_examples=60)
@given(problem=drawn_problems(), data=st.data())
def test_a_set_is_the_dense_programme(worst_case, problem: Problem, data):
    weights = np.array(data.draw(st.lists(st.sampled_from((1.0, 2.5)), min_size=1, max_size=3)))
    orders = [data.draw(st.permutations(range(problem.paths.pair_count))) for _ in weights]
    demands = np.array([problem.demand[:, list(order)] for order in orders])
    goal = Goal(problem.unit_load, demands, weights, worst_case)
    truth = Dense(problem.paths, goal).least_peak(goal)
    found = best_split_for_set(problem.paths, problem.unit_load, demands, worst_case, weights)
    assert found.objective == pytest.approx(truth, rel=TRUTH, abs=1e-9)
    assert found.gap <= OWN_GAP


@settings(max_examples=60)
@given(problem=drawn_problems())
def test_ties_go_to_the_cheaper_paths(problem: Problem):
    goal = Goal(problem.unit_load, problem.demand[None])
    dense = Dense(problem.paths, goal)
    found = best_split(problem.paths, problem.unit_load, problem.demand)
    least = dense.least_cost(problem.paths, found.objective * (1 + 1e-7) + 1e-9)
    assert dense.cost(problem.paths, found.shares) <= least * (1 + 1e-4) + 1e-6


def parallel() -> tuple[PathSet, np.ndarray]:
    """Three lines in parallel, of capacity 1, 2 and 1."""
    space = space_of_lines(["a", "b"], np.array([(0, 1)] * 3), np.array([1.0, 2.0, 1.0]))
    return path_set(space, [0], [1], [[[0], [1], [2]]]), np.array([1.0, 0.5, 1.0])


def test_churn_is_what_leaves_open_paths():
    paths, load = parallel()
    start = np.array([1.0, 0.0, 0.0])
    for churn_max, peak in ((0.0, 1.0), (0.3, 0.7), (0.75, 0.25), (1.0, 0.25)):
        found = best_split(paths, load, [1.0], start=start, churn_max=churn_max)
        assert found.objective == pytest.approx(peak)
        assert found.lower_bound == pytest.approx(peak)
    # What a closed path carried must move anyway.
    load[0] = np.inf
    found = best_split(paths, load, [1.0], start=np.array([0.5, 0.5, 0.0]), churn_max=0.0)
    assert found.shares == pytest.approx([0.0, 2 / 3, 1 / 3])


def test_all_pairs_of_a_set_that_is_never_asked_for_take_their_cheapest_path():
    paths, load = parallel()
    load[1] = np.inf
    found = best_split(paths, load, [0.0])
    assert (found.shares.tolist(), found.objective, found.lower_bound) == ([1.0, 0.0, 0.0], 0.0, 0.0)
    assert not len(found.unrouted)


def test_a_demand_of_any_size_splits_alike():
    paths, load = parallel()
    shares = [best_split(paths, load, [size]).shares for size in (1e-9, 1.0, 1e12)]
    assert shares[0] == pytest.approx(shares[1])
    assert shares[2] == pytest.approx(shares[1])


REFUSALS = {
    "demand of a - b: must be finite": {"demand": [np.nan]},
    "demand of a - b: must not be negative": {"demand": [-1.0]},
    "demand: must be of shape": {"demand": [1.0, 1.0]},
    "unit_load of a>b#1: must be a number": {"unit_load": [1.0, np.nan, 1.0]},
    "unit_load of a>b#2: must not be negative": {"unit_load": [1.0, 1.0, -1.0]},
    "unit_load: must be of shape": {"unit_load": [1.0]},
    "churn_max: must lie in 0..1": {"start": np.array([1.0, 0.0, 0.0]), "churn_max": 1.5},
    "start: must be given where churn_max is": {"churn_max": 0.5},
    "start shares of a - b: must sum to 1": {"start": np.array([1.0, 0.5, 0.0]), "churn_max": 0.5},
}


@pytest.mark.parametrize("message", REFUSALS)
def test_bad_input_is_refused_by_name(message):
    paths, load = parallel()
    given_ones = {"unit_load": load, "demand": [1.0]} | REFUSALS[message]
    with pytest.raises(BadInputError, match=message.replace("..", r"\.\.")):
        best_split(paths, given_ones.pop("unit_load"), given_ones.pop("demand"), **given_ones)
