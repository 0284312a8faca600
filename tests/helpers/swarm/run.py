"""Live worlds of the swarm: `make soak-worlds`, and the command that a failing world is told by.

    python tests/helpers/swarm/run.py --seed 1 --worlds 500       many worlds from a seed on, on all cores
    python tests/helpers/swarm/run.py --seed 17                   one world, and what happened in it
    python tests/helpers/swarm/run.py --seed 17 --kinds line-cut,disk-full --only 0,2

Exit code 1 if a law is broken; the failing world is made smaller, and its command is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import soak_words
from soak_figures import keep_figures, per_hour, rate

from swarm.judging import Case, cases, judged, life, quietly, shrunk, told, verdicts
from swarm.troubles import Kind
from swarm.world import lived

TOLD_EVERY = 100


def main() -> int:
    """Read the words, and do what they say."""
    parser = _parser()
    words = parser.parse_args()
    if words.worlds is None:
        case = _case(words)
        drawn = len(replace(case, only=None).spec().troubles)
        beyond = [number for number in case.only or () if number >= drawn]
        if beyond:
            parser.error(f"argument --only: must be below the number of this world's troubles, {drawn}; got {beyond}")
        return _one(case)
    return _many(words.seed, words.worlds, words.jobs, words.figures)


def case_of(words: Sequence[str]) -> Case:
    """Return the world that words name."""
    return _case(_parser().parse_args(words))


def _case(words: argparse.Namespace) -> Case:
    kinds = None if words.kinds is None else tuple(Kind(name) for name in words.kinds)
    return Case(words.seed, kinds, words.only, not words.no_tasks)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=soak_words.a_seed, default=1)
    parser.add_argument(
        "--worlds", type=soak_words.a_count, help="so many worlds from the seed on; without it that one alone"
    )
    parser.add_argument("--jobs", type=soak_words.a_count, default=os.cpu_count() or 1)
    parser.add_argument(
        "--kinds",
        type=soak_words.some_of(list(Kind), "kind of trouble"),
        help="kinds of trouble, by commas; 'none' for none",
    )
    parser.add_argument("--only", type=soak_words.numbers, help="numbers of the troubles that are left, by commas")
    parser.add_argument("--no-tasks", action="store_true")
    parser.add_argument("--figures", default="worlds", help="name of what is left in build/soak")
    return parser


def _one(case: Case) -> int:
    """Live one world, tell its journal, and judge it."""
    with quietly():
        found = lived(case.spec())
    for line in found.journal:
        print(line)
    print(json.dumps({"digest": found.digest} | found.figures))
    verdict = judged(case)
    if not verdict.broken:
        print("no law is broken")
        return 0
    print("\n".join(told(case, verdict)))
    return 1


def _many(seed: int, count: int, jobs: int, name: str) -> int:
    began = time.monotonic()
    figures: dict[str, int] = {}
    for done, verdict in enumerate(verdicts(tuple(cases(seed, count)), jobs), 1):
        if verdict.broken:
            print("\n".join(told(verdict.case, verdict)), flush=True)
            small = shrunk(verdict.case, lambda case: bool(life(case).broken))
            print("made smaller:")
            print("\n".join(told(small, judged(small))), flush=True)
            return 1
        for figure, value in verdict.figures.items():
            figures[figure] = figures.get(figure, 0) + value
        if done % TOLD_EVERY == 0 or done == count:
            print(rate(done, "worlds", time.monotonic() - began), flush=True)
    took_s = time.monotonic() - began
    figures |= {"worlds": count, "seconds": round(took_s), "worlds_per_hour": per_hour(count, took_s)}
    keep_figures(name, figures)
    print(f"{count} worlds, each lived twice, no law broken: {json.dumps(figures)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
