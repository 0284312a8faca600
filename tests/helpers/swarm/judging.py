"""A world judged: lived twice to the same end, and no law broken; and one that fails made small."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from swarm.spec import WorldSpec, drawn_spec
from swarm.troubles import PAIRS, Kind
from swarm.world import lived

LIVES_MAX = 200
COMMAND = ".venv/bin/python tests/helpers/swarm/run.py"


@dataclass(frozen=True)
class Case:
    """Names a world, so that one command can make it again.

    Attributes
    ----------
    seed : int
    kinds : tuple of Kind or None
        Kinds of trouble; None: those that the seed draws.
    only : tuple of int or None
        Numbers of the troubles that are left of those drawn; None: all.
    tasks : bool
        Whether business systems give tasks.
    """

    seed: int
    kinds: tuple[Kind, ...] | None = None
    only: tuple[int, ...] | None = None
    tasks: bool = True

    @property
    def command(self) -> str:
        """What replays it."""
        words = [COMMAND, f"--seed {self.seed}"]
        if self.kinds is not None:
            words.append(f"--kinds {','.join(self.kinds) or 'none'}")
        if self.only is not None:
            words.append(f"--only {','.join(map(str, self.only)) or 'none'}")
        return " ".join([*words, *([] if self.tasks else ["--no-tasks"])])

    def spec(self) -> WorldSpec:
        """Draw it."""
        spec = drawn_spec(self.seed, self.kinds)
        if self.only is not None:
            spec = replace(spec, troubles=tuple(spec.troubles[number] for number in self.only))
        if not self.tasks:
            spec = replace(spec, rhythms=replace(spec.rhythms, tasks=0))
        return spec


@dataclass(frozen=True)
class Verdict:
    """What came of a world.

    Attributes
    ----------
    case : Case
    digest : str
    broken : tuple of str
        Laws that were broken, the first one first.
    figures : dict of str to int
    """

    case: Case
    digest: str
    broken: tuple[str, ...]
    figures: dict[str, int]


@contextmanager
def quietly() -> Iterator[None]:
    """What machines log in a world that is full of troubles is no news."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def life(case: Case) -> Verdict:
    """Live a world once."""
    with quietly():
        found = lived(case.spec())
    return Verdict(case, found.digest, tuple(str(one) for one in found.broken), found.figures)


def compared(one: Verdict, other: Verdict) -> Verdict:
    """Judge two lives of one world: they must be the same to the last note (law 5)."""
    if one.digest == other.digest:
        return one
    return replace(one, broken=(*one.broken, "law 5: the same seed gave another digest in another process"))


def judged(case: Case) -> Verdict:
    """Live a world twice here, and judge it."""
    return compared(life(case), life(case))


def verdicts(named: Sequence[Case], jobs: int) -> Iterator[Verdict]:
    """Judge many worlds, the two lives of each in two processes that share nothing; in order."""
    context = multiprocessing.get_context("spawn")
    each = max(jobs // 2, 1)
    # A process keeps what it learnt of networks; a new one now and then keeps memory bounded through a night.
    with (
        context.Pool(each, maxtasksperchild=LIVES_MAX) as first,
        context.Pool(each, maxtasksperchild=LIVES_MAX) as second,
    ):
        yield from map(compared, first.imap(life, named), second.imap(life, named))


def cases(seed: int, count: int) -> Iterator[Case]:
    """Name the worlds of a soak: each kind of trouble alone, then any two together, then what seeds draw."""
    for number in range(count):
        if number < len(Kind):
            yield Case(seed + number, (list(Kind)[number],))
        elif number < len(Kind) + len(PAIRS):
            yield Case(seed + number, PAIRS[number - len(Kind)])
        else:
            yield Case(seed + number)


def cases_of_tests(seed: int, count: int) -> Iterator[Case]:
    """Name the worlds of the tests: each kind of trouble alone, then what seeds draw."""
    for number in range(count):
        yield Case(seed + number, (list(Kind)[number],) if number < len(Kind) else None)


def shrunk(case: Case, fails: Callable[[Case], bool]) -> Case:
    """Return a smaller case that fails too: troubles left out one by one, and then the tasks."""
    spec = case.spec()
    left = list(case.only if case.only is not None else range(len(spec.troubles)))
    for number in list(left):
        fewer = replace(case, only=tuple(one for one in left if one != number))
        if fails(fewer):
            left.remove(number)
    smaller = replace(case, only=tuple(left))
    without = replace(smaller, tasks=False)
    return without if case.tasks and fails(without) else smaller


def told(case: Case, verdict: Verdict) -> Sequence[str]:
    """Say what failed, of what, and how to see it again."""
    troubles = [f"  {one}" for one in case.spec().troubles] or ["  no trouble at all"]
    return [f"seed {case.seed} breaks:", *(f"  {one}" for one in verdict.broken[:5]), "with:", *troubles, case.command]
