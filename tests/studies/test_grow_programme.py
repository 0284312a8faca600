"""The cheapest upgrades against all there are to choose from."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog

from router_core.errors import BadInputError
from router_core.randomness import stream
from sim.studies.growth.programme import UpgradeProblem, cheapest_upgrades


def drawn(seed: int) -> UpgradeProblem:
    """A small problem: two pairs of two paths, four rows, a ladder of two steps, units, and a lender to two rows."""
    random = stream(seed, "upgrades")
    matrices, rows, paths = int(random.integers(1, 4)), 4, 4
    path_pair = np.array([0, 0, 1, 1])
    on = [(int(row), path) for path in range(paths) for row in random.choice(rows, 2, replace=False)]
    blocks = []
    for _ in range(matrices):
        block = np.zeros((rows, paths))
        for row, path in on:
            block[row, path] = random.uniform(0.2, 2.5)
        blocks.append(block)
    gain = np.zeros((rows, 5))
    gain[0, 0], gain[0, 1] = 0.7, 1.9  # a ladder on row 0
    gain[1, 2], gain[2, 3] = 0.6, 0.8
    return UpgradeProblem(
        path_pair=path_pair,
        load=sparse.csr_array(np.vstack(blocks)),
        fixed=random.uniform(0.0, 0.4, (matrices, rows)),
        room=random.uniform(0.3, 1.2, (matrices, rows)),
        gain=sparse.csr_array(gain),
        cost=random.integers(1, 9, 5).astype(np.float64),
        most=np.array([1, 1, 3, 3, 3]),
        ladder=np.array([0, 0, -1, -1, -1]),
        lender=np.array([-1, -1, 0, 0]),
        budget=np.array([random.uniform(0.0, 0.5)]),
        lent_more=sparse.csr_array(np.array([[0.0, 0.0, 0.0, 0.0, 0.5]])),
    )


def suffices(problem: UpgradeProblem, units: NDArray[np.int64], slack: float = 1e-7) -> bool:
    """Whether demand can be split and lent so that all fits, matrix by matrix: scipy's linear programmes."""
    matrices, rows = problem.fixed.shape
    load, gain = problem.load.toarray(), problem.gain.toarray() @ units
    budget = problem.budget + problem.lent_more.toarray() @ units
    paths = load.shape[1]
    lent = np.flatnonzero(problem.lender >= 0)
    for m in range(matrices):
        a = np.zeros((rows + len(budget), paths + len(lent)))
        a[:rows, :paths] = load[m * rows : (m + 1) * rows]
        for place, row in enumerate(lent.tolist()):
            a[row, paths + place] = -1.0
            a[rows + problem.lender[row], paths + place] = 1.0
        b = np.concatenate([problem.room[m] + gain - problem.fixed[m], budget]) + slack
        sums = np.zeros((2, paths + len(lent)))
        sums[problem.path_pair, np.arange(paths)] = 1.0
        if linprog(np.zeros(a.shape[1]), a, b, sums, np.ones(2)).status != 0:
            return False
    return True


def choices(problem: UpgradeProblem) -> list[NDArray[np.int64]]:
    every = product(*(range(int(most) + 1) for most in problem.most))
    found = [np.array(units) for units in every if units[0] + units[1] <= 1]
    return sorted(found, key=lambda units: float(problem.cost @ units))


@pytest.mark.parametrize("seed", range(12))
def test_upgrades_are_sufficient_and_no_choice_is_cheaper(seed: int) -> None:
    problem = drawn(seed)
    answer = cheapest_upgrades(problem, gap=0.0)
    least = next((units for units in choices(problem) if suffices(problem, units)), None)
    if least is None:
        assert answer.beyond.max() > 0
        return
    assert answer.beyond.max() == 0
    assert answer.cost == pytest.approx(float(problem.cost @ least))
    assert suffices(problem, answer.units)
    assert answer.lower_bound == pytest.approx(answer.cost)
    assert np.bincount(problem.path_pair, answer.shares[0]) == pytest.approx([1, 1])


def test_some_problems_need_something_and_some_can_be_helped() -> None:
    """Else the test above would test little."""
    answers = [cheapest_upgrades(drawn(seed), gap=0.0) for seed in range(12)]
    assert sum(one.cost > 0 and one.beyond.max() == 0 for one in answers) >= 5


@pytest.mark.parametrize("seed", range(4))
def test_what_fits_costs_nothing_and_more_demand_never_costs_less(seed: int) -> None:
    problem = drawn(seed)
    roomy = replace(problem, room=problem.room + 20.0)
    assert cheapest_upgrades(roomy).cost == 0
    assert not cheapest_upgrades(roomy).units.any()
    costs = [
        cheapest_upgrades(replace(problem, load=sparse.csr_array(factor * problem.load)), gap=0.0).cost
        for factor in (0.4, 0.6, 0.8)
    ]
    assert costs == sorted(costs)


def test_what_no_upgrade_helps_is_told_and_the_rest_is_still_bought() -> None:
    problem = drawn(1)
    fixed = problem.fixed.copy()
    fixed[:, 3] += 50.0
    stuck = replace(problem, fixed=fixed, lender=np.array([-1, -1, 0, -1]))
    answer = cheapest_upgrades(stuck, gap=0.0)
    assert answer.beyond[3] > 45
    assert not suffices(stuck, answer.units)
    assert suffices(replace(stuck, room=stuck.room + answer.beyond * (1 + 1e-5)), answer.units)


def test_malformed_problems_are_refused() -> None:
    problem = drawn(0)
    for broken, place in (
        (replace(problem, cost=problem.cost - 10), "cost"),
        (replace(problem, cost=problem.cost * np.nan), "cost"),
        (replace(problem, most=problem.most - 5), "most"),
        (replace(problem, path_pair=np.array([0, 0, 2, 2])), "path_pair"),
    ):
        with pytest.raises(BadInputError, match=place):
            cheapest_upgrades(broken)
