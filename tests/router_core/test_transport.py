"""How exchanges are carried: chunks, back-off, refusals by name, and which way a retry takes."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_core.errors import BadInputError
from router_core.plan import Choice, Trunk
from router_core.transport import CHUNK_BYTES_MIN, RETRIES_MAX, WHOLE, Transport
from router_core.units import DURATION_NS_MAX, PAYLOAD_BYTES_MAX

SIZE = st.integers(0, PAYLOAD_BYTES_MAX)
BACKOFF = st.integers(1, DURATION_NS_MAX)


@given(SIZE, st.integers(CHUNK_BYTES_MIN, PAYLOAD_BYTES_MAX))
def test_chunks_cover_an_exchange_and_one_fewer_would_not(payload_bytes, chunk_bytes):
    count = Transport(chunk_bytes).chunk_count(payload_bytes)
    assert count * chunk_bytes >= payload_bytes
    assert count == 1 or (count - 1) * chunk_bytes < payload_bytes
    assert count <= 2**30


@given(SIZE)
def test_as_a_whole_is_one_chunk(payload_bytes):
    assert Transport(WHOLE).chunk_count(payload_bytes) == 1


@given(BACKOFF, BACKOFF, st.integers(1, RETRIES_MAX + 1))
def test_backing_off_doubles_up_to_its_limit(one, other, failures):
    low, high = sorted((one, other))
    transport = Transport(backoff_ns=low, backoff_ns_max=high)
    waits = low
    for _ in range(failures - 1):
        waits = min(2 * waits, high)
    assert transport.backoff(failures) == waits


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("chunk_bytes", CHUNK_BYTES_MIN - 1),
        ("chunk_bytes", PAYLOAD_BYTES_MAX + 1),
        ("chunk_bytes", -1),
        ("retries_max", -1),
        ("retries_max", RETRIES_MAX + 1),
        ("backoff_ns", 0),
        ("backoff_ns_max", 10**9 - 1),
        ("backoff_ns_max", DURATION_NS_MAX + 1),
    ],
)
def test_refused_by_name(name, value):
    with pytest.raises(BadInputError) as refused:
        Transport(**{name: value})
    assert refused.value.place == f"transport.{name}"
    assert refused.value.value == value


WEIGHTS = st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(any)
ID = st.integers(0, 2**31)


def choice(weights: list[int]) -> Choice:
    return Choice(tuple(Trunk(0, 0, (place,)) for place in range(len(weights))), tuple(weights))


@given(WEIGHTS, ID, st.integers(0, 3))
def test_retries_go_round_the_open_ways(weights, exchange_id, round_):
    """Each way of positive weight once, in their order, starting at the first attempt's; others never."""
    ways = choice(weights)
    open_ones = [place for place, weight in enumerate(weights) if weight]
    first = round_ * len(open_ones)
    taken = [ways.pick(exchange_id, attempt) for attempt in range(first, first + len(open_ones))]
    assert Counter(taken) == Counter(open_ones)
    assert taken[0] == ways.pick(exchange_id)
    start = open_ones.index(taken[0])
    assert taken == open_ones[start:] + open_ones[:start]
