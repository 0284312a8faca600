"""Worlds that fail in every way the platform can, each from one seed: no law is broken, and equal seeds live alike.

Each kind of trouble comes alone first, then what seeds draw; two processes live each world, and must agree to the last
note.
"""

from __future__ import annotations

import os

import pytest
from swarm.judging import Case, cases_of_tests, life, shrunk, told, verdicts
from swarm.troubles import Kind

SEED = int(os.environ.get("SWARM_SEED", "1"))
WORLDS = int(os.environ.get("SWARM_WORLDS", "200"))


def test_no_world_breaks_a_law_and_equal_seeds_live_alike() -> None:
    struck: set[str] = set()
    total: dict[str, int] = {}
    for verdict in verdicts(tuple(cases_of_tests(SEED, WORLDS)), os.cpu_count() or 1):
        assert not verdict.broken, "\n" + "\n".join(told(verdict.case, verdict))
        struck |= {one.kind for one in verdict.case.spec().troubles}
        total = {name: total.get(name, 0) + value for name, value in verdict.figures.items()}
    assert struck == set(Kind), "every kind of trouble struck somewhere"
    for name in ("policies", "applied", "tasks", "tampered"):
        assert total[name] > WORLDS / 10, f"a swarm in which hardly anything happens shows nothing: {total}"
    assert total["lives"] > 4 * WORLDS, f"processes were killed and started again: {total}"


def test_what_fails_is_made_smaller_and_fails_still() -> None:
    case = Case(14)
    count = len(case.spec().troubles)
    assert count > 3

    def fails(one: Case) -> bool:
        return Kind.KEY_ROTATED in {trouble.kind for trouble in one.spec().troubles}

    small = shrunk(case, fails)
    assert [one.kind for one in small.spec().troubles] == [Kind.KEY_ROTATED]
    assert not small.tasks
    assert small.command.endswith(f"--only {small.only[0]} --no-tasks")


@pytest.mark.parametrize("case", [Case(3), Case(5, (Kind.LINE_CUT, Kind.DISK_FULL)), Case(7, (), (), tasks=False)])
def test_the_command_of_a_world_makes_that_world(case: Case) -> None:
    from swarm.run import case_of  # noqa: PLC0415

    words = case.command.split()[2:]
    assert case_of(words) == case
    assert life(case).digest == life(case_of(words)).digest
