"""Digests: equal for equal things, different for anything that differs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_networks import drawn_network

import scenarios
from router_core.digest import digest_of
from router_core.network import Network, Pool
from router_core.transport import Transport
from router_core.vocabulary import Level


def changed(value: object) -> Iterator[object]:
    """Many ways to change one number, letter or element of a value: at the ends and the middle of long ones."""
    match value:
        case np.ndarray():
            yield from changed_array(value)
        case tuple():
            yield (*value, "more")
            for place in {0, len(value) // 2, len(value) - 1} if value else ():
                for other in changed(value[place]):
                    yield (*value[:place], other, *value[place + 1 :])
        case bool():
            yield not value
        case Enum():
            yield from (other for other in type(value) if other != value)
        case str():
            yield value + "x"
        case int() | float():
            yield value + 1
        case _:
            assert is_dataclass(value), f"teach this test to change a {type(value).__name__}"
            for field in fields(value):
                for other in changed(getattr(value, field.name)):
                    yield replace(value, **{field.name: other})


def changed_array(value: np.ndarray) -> Iterator[np.ndarray]:
    yield value.astype(np.float32 if value.dtype != np.float32 else np.float64)
    yield value[:, None]
    yield np.append(value.ravel(), value.ravel()[:1] if value.size else 0).astype(value.dtype)
    for place in {0, value.size // 2, value.size - 1} if value.size else ():
        other = value.copy().ravel()
        other[place] = not other[place] if value.dtype == np.bool_ else other[place] + 1
        yield other.reshape(value.shape)


@pytest.fixture(scope="module")
def network() -> Network:
    drawn = drawn_network(Random(1), transit=3, front_ends=3)
    return replace(drawn, pools=(Pool("cloud", "云", 3, 10**9),))


def test_any_change_of_a_network_changes_its_digest(network):
    digests = [network.digest, *(other.digest for other in changed(network))]
    assert len(digests) > 4 * len(fields(network))
    assert len(set(digests)) == len(digests)


def test_any_change_of_a_scenario_changes_its_digest():
    # With chunks, because one more than no chunks is not a size that a transport takes.
    platform = replace(scenarios.load("toy"), transport=Transport(chunk_bytes=8_000_000))
    for field in fields(platform):
        others = list(changed(getattr(platform, field.name)))
        assert others, field.name
        digests = {digest_of(other) for other in others}
        assert digest_of(getattr(platform, field.name)) not in digests
        whole = replace(platform, **{field.name: others[-1]})
        assert whole.digest != platform.digest


def test_equal_networks_have_equal_digests():
    one, other = (drawn_network(Random(7)) for _ in range(2))
    assert one is not other
    assert one.digest == other.digest == digest_of(one)
    assert len(one.digest) == 64
    assert scenarios.load("toy").digest == scenarios.load("toy").digest


def test_layout_in_memory_does_not_count():
    table = np.arange(12).reshape(3, 4)
    assert (
        digest_of(table)
        == digest_of(np.asfortranarray(table))
        == digest_of(np.arange(24).reshape(3, 8)[:, :4] * 0 + table)
    )


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(PLAIN, PLAIN)
def test_what_differs_has_another_digest(one, other):
    """`repr` tells apart what `==` joins (1, 1.0 and True), so it says what is the same value here."""
    assert (digest_of(one) == digest_of(other)) == (canonical(one) == canonical(other))


def canonical(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{key!r}:{canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, tuple):
        return "(" + ",".join(canonical(item) for item in value) + ")"
    return repr(value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ab", "c"), ("a", "bc")),
        ((("a",), "b"), (("a", "b"),)),
        (1, True),
        (1, 1.0),
        ("1", 1),
        (None, "None"),
        (np.zeros(2, np.int32), np.zeros(1, np.int64)),
        (np.zeros((1, 2)), np.zeros((2, 1))),
        (np.zeros(0, np.int32), np.zeros(0, np.int64)),
        ({"a": 1, "b": 2}, {"a": 2, "b": 1}),
        (Level.CITY, int(Level.CITY)),
    ],
)
def test_look_alikes_differ(one, other):
    assert digest_of(one) != digest_of(other)


def test_order_of_keys_does_not_count():
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", np.int64(1), Level])
def test_what_has_no_canonical_form_has_no_digest(value):
    with pytest.raises(TypeError, match="no canonical form"):
        digest_of(value)


def test_names_of_fields_and_classes_count():
    @dataclass(frozen=True)
    class One:
        a: int

    @dataclass(frozen=True)
    class Other:
        a: int

    @dataclass(frozen=True)
    class Renamed:
        b: int

    Renamed.__name__ = "One"
    assert len({digest_of(One(1)), digest_of(Other(1)), digest_of(Renamed(1))}) == 3
