"""Law 8 for plain data: what a difference is applied to becomes what it was taken from, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from router_core.errors import BadInputError
from strategies.static.parts import Arrays, apply, diff

KINDS = st.sampled_from([np.int16, np.int64, np.float64, np.bool_])


@st.composite
def parts(draw: st.DrawFn) -> tuple[dict[str, Any], Arrays]:
    names = draw(st.lists(st.sampled_from("abcd"), unique=True))
    arrays = {
        name: draw(hnp.arrays(draw(KINDS), draw(hnp.array_shapes(max_dims=2, min_side=0, max_side=3))))
        for name in names
    }
    return draw(st.dictionaries(st.sampled_from("xy"), st.integers(0, 2))), arrays


def same(one: tuple[dict[str, Any], Arrays], other: tuple[dict[str, Any], Arrays]) -> bool:
    return (
        one[0] == other[0]
        and one[1].keys() == other[1].keys()
        and all(
            a.dtype == other[1][name].dtype
            and a.shape == other[1][name].shape
            and a.tobytes() == other[1][name].tobytes()
            for name, a in one[1].items()
        )
    )


@given(before=parts(), after=parts())
def test_a_difference_leads_from_the_one_to_the_other(before: Any, after: Any) -> None:
    kept = {name: array.copy() for name, array in before[1].items()}
    assert same(apply(diff(before, after), before), after)
    assert same((before[0], kept), before)
    assert diff(before, before).empty
    assert diff(before, after).empty == same(before, after)


def test_a_difference_names_only_what_changes() -> None:
    before = ({"v": 1}, {"a": np.arange(6).reshape(2, 3), "b": np.array([np.nan, -0.0])})
    after = ({"v": 1}, {"a": np.array([[0, 1, 9], [3, 4, 5]]), "b": np.array([np.nan, 0.0])})
    found = diff(before, after)
    assert found.document is None
    assert found.changed == 2
    assert {name: place.tolist() for name, place in found.place.items()} == {"a": [2], "b": [1]}


def test_a_difference_of_something_else_is_refused() -> None:
    found = diff(({}, {"a": np.arange(5)}), ({}, {"a": np.array([0, 1, 2, 3, 9])}))
    with pytest.raises(BadInputError, match=r"difference\.a"):
        apply(found, ({}, {"a": np.arange(3)}))
    with pytest.raises(BadInputError, match=r"difference\.a"):
        apply(found, ({}, {}))
