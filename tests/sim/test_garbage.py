"""The garbage collector is looked after, and left as it was."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from sim.garbage import NEW_OBJECTS, collected_rarely


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@pytest.mark.parametrize(
    ("given", "within"),
    [((700, 10, 10), (NEW_OBJECTS, 10, 10)), ((90_000, 5, 7), (90_000, 5, 7)), ((0, 10, 10), (0, 10, 10))],
    ids=["usual", "rarer-already", "not-at-all"],
)
def test_it_looks_less_often_and_never_more(given: tuple[int, int, int], within: tuple[int, int, int]) -> None:
    def fail_within() -> None:
        with collected_rarely():
            seen.append(gc.get_threshold())
            raise RuntimeError("within")

    seen: list[tuple[int, int, int]] = []
    gc.set_threshold(*given)
    with pytest.raises(RuntimeError, match="within"):
        fail_within()
    assert seen == [within]
    assert gc.get_threshold() == given
