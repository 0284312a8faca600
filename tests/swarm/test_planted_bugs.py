"""Bugs planted one by one in the product: a world of the tests finds each, or it is on record as missed, and why."""

from __future__ import annotations

from itertools import islice

import pytest
from swarm.judging import Case, cases_of_tests
from swarm.plant import first_law
from swarm.planted import FOUND, MISSED, PLANTED

NAMES = [one.name for one in PLANTED]
# A bug that is on record as missed is looked for in so many worlds, so that the record does not outlive its reason.
LOOKED_FOR = 2


def world(number: int) -> Case:
    """Return a world of the tests by its number, from 1 on."""
    return next(islice(cases_of_tests(1, number), number - 1, None))


def test_every_planted_bug_is_on_record_once() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert sorted([*FOUND, *MISSED]) == sorted(NAMES)
    assert len(FOUND) > 20
    assert all(MISSED.values()), "with its reason"


@pytest.mark.parametrize("name", FOUND)
def test_the_swarm_finds_it(name: str) -> None:
    number, law = FOUND[name]
    case = world(number)
    said = first_law(name, case)
    assert said is not None, f"no law is broken by {name} in {case.command}"
    assert said.startswith(f"law {law} "), said


@pytest.mark.parametrize("name", MISSED)
def test_what_is_named_as_missed_is_missed(name: str) -> None:
    for number in range(1, LOOKED_FOR + 1):
        assert first_law(name, world(number)) is None, f"found in {world(number).command}: put it on record"


def test_a_bug_is_there_for_as_long_as_it_is_planted() -> None:
    for one in PLANTED:
        owner, name = one.owner()
        held = owner if isinstance(owner, dict) else vars(owner)
        before = held.get(name)
        with one.planted():
            assert held.get(name) is not before, one.name
        assert held.get(name) is before, one.name
