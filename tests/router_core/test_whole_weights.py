"""Whole weights: an exact sum, nobody a whole unit off, nothing from nothing."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_core.errors import BadInputError
from router_core.table.weights import WEIGHT_TOTAL, whole_weights

PARTS = st.lists(st.integers(0, 10**6), max_size=6)


def by_largest_remainders(parts: list[int], total: int) -> list[int]:
    """The same in fractions, one row at a time."""
    if not any(parts):
        return [0] * len(parts)
    wanted = [Fraction(part, sum(parts)) * total for part in parts]
    weights = [int(value) for value in wanted]
    order = sorted(range(len(parts)), key=lambda place: (weights[place] - wanted[place], place))
    for place in order[: total - sum(weights)]:
        weights[place] += 1
    return weights


@given(st.lists(PARTS, max_size=6), st.sampled_from([1, 2, 7, 100, 2**16, 2**31 - 1]))
def test_laws(rows, total):
    shares = [np.array(row) / sum(row) if any(row) else np.zeros(len(row)) for row in rows]
    start = np.cumsum([0, *map(len, rows)])
    flat = np.concatenate([np.zeros(0), *shares])
    weights = whole_weights(flat, start, total)
    assert weights.dtype == np.int64
    for row, share, first in zip(rows, shares, start, strict=False):
        found = weights[first : first + len(row)]
        assert found.sum() == (total if any(row) else 0)
        assert (found[share == 0] == 0).all()
        assert (np.abs(found - share * total) < 1 + 1e-6).all()


@given(PARTS)
def test_agrees_with_exact_arithmetic_where_remainders_are_far_apart(parts):
    """Powers of two divide without rounding: then floats decide every tie as fractions do."""
    rounded = [part % 64 for part in parts]
    short = 64 - sum(rounded) % 64
    row = [*rounded, short]
    while sum(row) & (sum(row) - 1):
        row.append(64)
    shares = np.array(row) / sum(row)
    for total in (1, 10, WEIGHT_TOTAL):
        assert whole_weights(shares, np.array([0, len(row)]), total).tolist() == by_largest_remainders(row, total)


def test_of_equal_remainders_the_earlier_is_rounded_up():
    assert whole_weights(np.full(3, 1 / 3), np.array([0, 3])).tolist() == [21846, 21845, 21845]
    assert whole_weights(np.full(4, 0.25), np.array([0, 4]), 2).tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("shares", "start", "total", "message"),
    [
        ([0.5, np.nan], [0, 2], 10, r"shares\[1\]: must be finite"),
        ([0.5, np.inf], [0, 2], 10, r"shares\[1\]: must be finite"),
        ([-0.5, 1.5], [0, 2], 10, r"shares\[0\]: must be finite and not negative"),
        ([1.0, 0.5, 0.4], [0, 1, 3], 10, "shares of row 1: must sum to 1, or be all 0"),
        ([1.0], [0, 2], 10, r"shares: must be of shape \(2,\)"),
        ([1.0], [0, 1], 0, "total weight: must lie in"),
        ([1.0], [0, 1], 2**31, "total weight: must lie in"),
    ],
)
def test_shares_that_are_none_are_refused(shares, start, total, message):
    with pytest.raises(BadInputError, match=message):
        whole_weights(np.array(shares), np.array(start), total)
