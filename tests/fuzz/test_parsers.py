"""Every parser, a hundred thousand inputs: what it takes keeps its laws, what it refuses is one clear line.

The same inputs every time: those of `SEED`. `make soak-fuzz` gives a hundred million others.
"""

from __future__ import annotations

import pytest
from fuzzing import paths  # noqa: F401 - it lets the rest be found
from fuzzing.driving import Driven, drive, kept, known_inputs, material, told
from fuzzing.guided import has_guide
from fuzzing.paths import CORPUS, CRASHES
from fuzzing.table import NAMES, ROOMS, target_of
from fuzzing.target import Target

SEED = 1
INPUTS = 100_000
# Nobody gets fewer, however slow; a whole brain file takes as long as a hundred others.
LEAST = 1_000


def shares() -> dict[str, int]:
    """Inputs of each target: the slow ones the least, the others by how quick they are."""
    costs = {name: target_of(name).cost for name in NAMES}
    quick = sum(min(1 / cost, 5.0) for cost in costs.values())
    left = INPUTS - LEAST * len(costs)
    return {name: LEAST + int(left * min(1 / cost, 5.0) / quick) + 1 for name, cost in costs.items()}


def checked(driven: Driven, folder) -> None:
    assert not driven.findings, "\n\n".join(told(one, folder) for one in driven.findings)


@pytest.fixture(scope="module", params=list(NAMES))
def target(request: pytest.FixtureRequest) -> Target:
    return target_of(request.param)


def test_the_corpus_and_all_that_ever_broke_a_parser_break_it_no_more(target: Target) -> None:
    driven = known_inputs(target)
    checked(driven, None)
    assert driven.taken, "seeds are inputs that a parser takes"


def test_no_input_makes_a_parser_fail_hang_or_grow(target: Target) -> None:
    count = shares()[target.name]
    driven = drive(target, count, SEED)
    checked(driven, None)
    assert driven.inputs == count
    assert 0 < driven.taken < count, (
        "changed inputs are taken and refused, so what is behind the first layer is reached"
    )


def test_the_targets_share_a_hundred_thousand_inputs() -> None:
    assert sum(shares().values()) >= INPUTS
    assert min(shares().values()) >= LEAST


def test_every_file_of_the_corpus_is_small_and_of_a_target() -> None:
    files = [path for folder in (CORPUS, CRASHES) for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 1_500_000
    assert {path.parent.name for path in files} <= set(NAMES)
    for name in NAMES:
        assert len(kept(CORPUS, name)) <= 100


def test_a_room_has_the_targets_that_the_table_says() -> None:
    assert set(NAMES.values()) == set(ROOMS)
    for name in NAMES:
        assert target_of(name).name == name


def test_inputs_are_those_of_the_seed() -> None:
    """A failure must come again wherever the tests run."""
    from fuzzing.driving import drawn  # noqa: PLC0415 - beside its one use

    for name in ("setting", "trust", "matrices", "http-wire"):
        target = target_of(name)
        parts = material(target)
        assert [drawn(target, parts, 7, k) for k in range(50)] == [drawn(target, parts, 7, k) for k in range(50)]


def test_whether_coverage_guides_the_soak_is_said() -> None:
    """Without atheris the soak goes on by the plain mutator, and its first line says so."""
    assert isinstance(has_guide(), bool)
