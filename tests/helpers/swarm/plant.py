"""Hunt planted bugs in the worlds of the tests: `make soak-planted`, and where the tests' record comes from.

    python tests/helpers/swarm/plant.py            every bug, each in worlds from seed 1 on until one finds it
    python tests/helpers/swarm/plant.py --bug stale-route --worlds 50 --seed 1000

Prints what finds which bug, in which world and after how many; writes build/soak/planted.json. Exit code 1 if a bug is
missed that is not on record as missed, or found that is.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import soak_words
from soak_figures import keep_figures

from swarm.judging import Case, cases_of_tests, life
from swarm.planted import MISSED, PLANTED


@dataclass(frozen=True)
class Hunted:
    """What became of a hunt.

    Attributes
    ----------
    bug : str
    worlds : int
        Lived until it was found, or in all.
    case : Case or None
        The world that found it.
    said : str
        The first law that it broke.
    seconds : float
    """

    bug: str
    worlds: int
    case: Case | None
    said: str
    seconds: float

    def __str__(self) -> str:
        if self.case is None:
            return f"{self.bug:<18} missed in {self.worlds} worlds ({self.seconds:.0f} s)"
        return f"{self.bug:<18} world {self.worlds} ({self.seconds:.0f} s): {self.said}\n    {self.case.command}"


def first_law(bug: str, case: Case) -> str | None:
    """Return what a bug breaks first in a world, or None."""
    planted = next(one for one in PLANTED if one.name == bug)
    with planted.planted():
        try:
            verdict = life(case)
        except Exception as error:  # a world that cannot even be lived to its end tells of the bug as well
            return f"law crash: {type(error).__name__}: {error}"
    return verdict.broken[0] if verdict.broken else None


def hunt(seed: int, worlds: int, bug: str) -> Hunted:
    """Live world after world with a bug, until one breaks a law."""
    began = time.monotonic()
    for number, case in enumerate(cases_of_tests(seed, worlds), 1):
        said = first_law(bug, case)
        if said is not None:
            return Hunted(bug, number, case, said, time.monotonic() - began)
    return Hunted(bug, worlds, None, "", time.monotonic() - began)


def main() -> int:
    """Hunt them all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=soak_words.a_seed, default=1)
    parser.add_argument("--worlds", type=soak_words.a_count, default=200, help="after so many a bug counts as missed")
    parser.add_argument("--jobs", type=soak_words.a_count, default=os.cpu_count() or 1)
    parser.add_argument("--bug", action="append", choices=[one.name for one in PLANTED])
    words = parser.parse_args()
    names = words.bug or [one.name for one in PLANTED]
    found: list[Hunted] = []
    # A process for each bug: what a bug leaves behind in caches harms no other's hunt.
    with multiprocessing.get_context("spawn").Pool(words.jobs, maxtasksperchild=1) as pool:
        for one in pool.imap(partial(hunt, words.seed, words.worlds), names):
            print(one, flush=True)
            found.append(one)
    missed = [one.bug for one in found if one.case is None]
    figures = {"planted": len(found), "found": len(found) - len(missed), "missed": len(missed)}
    figures |= {"seconds": round(sum(one.seconds for one in found))}
    keep_figures("planted", figures)
    print(f"{len(found)} bugs planted, {len(missed)} missed: {', '.join(missed) or 'none'}")
    wrong = [one.bug for one in found if (one.case is None) != (one.bug in MISSED)]
    if wrong:
        print(f"not as it is on record: {', '.join(wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
