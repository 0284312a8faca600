"""The choice by hash: even, the same everywhere, and apart for different salts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive_plane import naive_pick, naive_spread, splitmix64
from scipy import stats

from router_core.plan import Choice, Trunk
from router_core.spread import spread

ID = st.integers(0, 2**63 - 1)
# The ids are fixed, so these tests always end alike; a good hash that is drawn anew fails one of them so rarely.
LEVEL = 1e-6
IDS = range(60_000)


@given(ID, ID, st.integers(1, 2**63 - 1))
def test_agrees_with_the_same_arithmetic_in_python(exchange_id, salt, total):
    found = spread(exchange_id, salt, total)
    assert found == naive_spread(exchange_id, salt, total)
    assert 0 <= found < total


def test_the_oracle_gives_the_published_outputs():
    """The first numbers of splitmix64 seeded with 0, as its authors' code prints them."""
    golden = 0x9E3779B97F4A7C15
    assert [splitmix64(golden * place) for place in range(3)] == [
        0xE220A8397B1DCDAF,
        0x6E789E6AA1B965F4,
        0x06C45D188009454F,
    ]


@pytest.mark.parametrize("salt", [0, 1, 2**40])
@pytest.mark.parametrize("total", [2, 3, 7, 8, 100])
def test_neighbouring_ids_spread_evenly(total, salt):
    counts = np.bincount([spread(number, salt, total) for number in IDS], minlength=total)
    assert stats.chisquare(counts).pvalue > LEVEL


@pytest.mark.parametrize("stride", [2, 8, 64, 1_000])
def test_every_nth_id_spreads_evenly(stride):
    """The exchanges of one recurring task have ids some constant apart; they must not all go one way."""
    counts = np.bincount([spread(number * stride, 0, 8) for number in IDS[:20_000]], minlength=8)
    assert stats.chisquare(counts).pvalue > LEVEL


@pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 2), (0, 7)])
def test_choices_with_different_salts_are_independent(first, second):
    pairs = [spread(number, first, 6) * 6 + spread(number, second, 6) for number in IDS]
    assert stats.chisquare(np.bincount(pairs, minlength=36)).pvalue > LEVEL


def test_consecutive_choices_are_independent():
    choices = np.array([spread(number, 0, 5) for number in IDS])
    assert stats.chisquare(np.bincount(choices[:-1] * 5 + choices[1:], minlength=25)).pvalue > LEVEL


@pytest.mark.parametrize("arguments", [(0, 0, 0), (0, 0, -1), (-1, 0, 2), (0, -1, 2)])
def test_nonsense_is_refused(arguments):
    with pytest.raises(ValueError, match="spread"):
        spread(*arguments)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6).filter(any), ID)
def test_a_trunk_of_a_choice_is_picked_by_its_tickets(weights, exchange_id):
    trunks = tuple(Trunk(0, 0, (place,)) for place in range(len(weights)))
    choice = Choice(trunks, tuple(weights))
    place = choice.pick(exchange_id)
    assert place == naive_pick(choice, exchange_id)
    assert weights[place] > 0


def test_weights_become_shares():
    weights = (5, 0, 1, 2)
    choice = Choice(tuple(Trunk(0, 0, (place,)) for place in range(4)), weights)
    counts = np.bincount([choice.pick(number) for number in IDS], minlength=4)
    assert counts[1] == 0
    used = [0, 2, 3]
    expected = np.array(weights)[used] / sum(weights) * len(IDS)
    assert stats.chisquare(counts[used], expected).pvalue > LEVEL
