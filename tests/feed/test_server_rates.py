"""Rates: nobody gets more than the bucket gives, whoever waits as told is served, and memory is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feed.server.rates import TokenBuckets
from router_core.errors import BadInputError


@given(st.lists(st.integers(0, 3 * 10**9), min_size=1, max_size=60), st.floats(0.1, 50), st.integers(1, 9))
def test_nobody_gets_more_than_rate_and_burst(gaps_ns: list[int], rate: float, burst: int) -> None:
    buckets = TokenBuckets(rate, burst, 3)
    now_ns = served = 0
    for gap_ns in gaps_ns:
        now_ns += gap_ns
        wait_s = buckets.take("a", now_ns)
        served += wait_s == 0
        assert served <= burst + rate * now_ns / 1e9 + 1e-6
        if wait_s:
            # Who comes back when told to is served; who is told to wait was not charged.
            now_ns += round(wait_s * 1e9) + 1_000
            assert buckets.take("a", now_ns) == 0
            served += 1


def test_a_clock_that_runs_back_locks_nobody_out() -> None:
    buckets = TokenBuckets(1, 2, 3)
    assert [buckets.take("a", 10**15) for _ in range(2)] == [0, 0]
    assert 0 < buckets.take("a", 0) <= 60
    assert buckets.take("a", 10**15 + 2 * 10**9) == 0


def test_memory_is_bounded_and_clients_do_not_share() -> None:
    buckets = TokenBuckets(1e-6, 1, 100)
    assert all(buckets.take(f"client {number}", 0) == 0 for number in range(1_000))
    assert len(buckets) == 100
    assert buckets.take("client 999", 0) > 0


@pytest.mark.parametrize("values", [(0, 1, 1), (-1, 1, 1), (float("nan"), 1, 1), (1, 0.5, 1), (1, 1, 0)])
def test_rates_are_above_0(values: tuple[float, float, int]) -> None:
    with pytest.raises(BadInputError, match="rates"):
        TokenBuckets(*values)
