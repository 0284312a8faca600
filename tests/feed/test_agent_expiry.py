"""Which layer holds: every boundary, and clocks that run as they like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feed.agent.expiry import SKEW_NS, Layer, clock_is_behind, layer_at, next_change_ns

SOFT, HARD = 1_000, 5_000


@pytest.mark.parametrize(
    ("now_ns", "layer"),
    [
        (0, Layer.DYNAMIC),
        (SOFT - 1, Layer.DYNAMIC),
        (SOFT, Layer.STATIC),
        (SOFT + 1, Layer.STATIC),
        (HARD - 1, Layer.STATIC),
        (HARD, Layer.LAPSED),
        (10**18, Layer.LAPSED),
    ],
)
def test_boundaries(now_ns, layer):
    assert layer_at(now_ns, SOFT, HARD) == layer


def test_equal_expiries_have_no_static_time():
    assert layer_at(SOFT - 1, SOFT, SOFT) == Layer.DYNAMIC
    assert layer_at(SOFT, SOFT, SOFT) == Layer.LAPSED


@given(st.lists(st.integers(0, 2 * HARD), min_size=1, max_size=30))
def test_what_has_lapsed_stays_lapsed_whatever_the_clock_does(clock):
    layer = Layer.DYNAMIC
    for now_ns in clock:
        after = layer_at(now_ns, SOFT, HARD, layer)
        assert after >= layer
        layer = after
    # So it is as if the clock had shown its latest time alone.
    assert layer == layer_at(max(clock), SOFT, HARD)


@given(st.integers(0, 2 * HARD))
def test_the_next_change_is_when_the_layer_changes(now_ns):
    change_ns = next_change_ns(now_ns, SOFT, HARD)
    if change_ns is None:
        assert layer_at(now_ns, SOFT, HARD) == Layer.LAPSED
    else:
        assert layer_at(change_ns - 1, SOFT, HARD) == layer_at(now_ns, SOFT, HARD) != layer_at(change_ns, SOFT, HARD)


def test_a_clock_that_differs_as_clocks_do_is_not_behind():
    assert not clock_is_behind(10**12 - SKEW_NS, 10**12)
    assert clock_is_behind(10**12 - SKEW_NS - 1, 10**12)
