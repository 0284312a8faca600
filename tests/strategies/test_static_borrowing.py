"""Borrowed servers: as few as bring the busiest down, within what the pools have."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from router_core.lending import Lending
from strategies.static.borrowing import borrowed


def made(pool: list[int], budget: list[int]) -> Lending:
    count = len(pool)
    index = np.arange(count, dtype=np.int32)
    return Lending(index, index, np.array(pool, dtype=np.int32), np.array(budget), np.zeros(count, dtype=np.int64))


@pytest.mark.parametrize("seed", range(30), ids=lambda seed: f"seed-{seed}-")
def test_no_other_way_of_lending_leaves_a_lower_peak_nor_needs_fewer(seed: int) -> None:
    random = np.random.default_rng(seed)
    own = random.integers(1, 4, 3)
    work = random.uniform(0, 4, 3)
    budget = int(random.integers(0, 6))
    lending = made([0, 0, 0], [budget])
    target = 0.6
    ours = borrowed(lending, own, work, target)
    assert 0 <= ours.sum() <= budget

    def peak(given: np.ndarray) -> float:
        return float((work / (own + given)).max())

    everything = [np.array(given) for given in itertools.product(range(budget + 1), repeat=3) if sum(given) <= budget]
    least = min(peak(given) for given in everything)
    if least > target:
        assert peak(ours) == pytest.approx(least)
    else:
        assert peak(ours) <= target + 1e-6
        assert ours.sum() == min(given.sum() for given in everything if peak(given) <= target + 1e-9)


def test_pools_do_not_help_each_other() -> None:
    given = borrowed(made([0, 1], [3, 0]), np.array([1, 1]), np.array([2.0, 2.0]), 0.5)
    assert given.tolist() == [3, 0]
