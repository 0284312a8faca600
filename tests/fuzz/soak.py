"""Fuzz every parser for a night: ``python tests/fuzz/soak.py --inputs 100000000 --seed 1``, or ``make soak-fuzz``.

Exit code 1 if anything was found: each is told as it is found, with the command that replays it.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from fuzzing import paths  # noqa: F401 - it lets the rest be found
from fuzzing.guided import has_guide, work
from fuzzing.shared import Page
from fuzzing.soaking import Soak, table
from fuzzing.table import NAMES
from soak_figures import keep_figures
from soak_words import a_count, a_seed, some_of

NIGHT = 100_000_000


def main(arguments: list[str]) -> int:
    """Soak, and return the exit code."""
    if arguments[:1] == ["--worker"]:
        name, seconds, seed, page, guide = arguments[1:]
        work(name, float(seconds), int(seed), Page(Path(page)), guide=guide == "1")
        return 0
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=a_count, default=NIGHT)
    parser.add_argument("--seed", type=a_seed, default=1)
    parser.add_argument("--processes", type=a_count, default=2)
    parser.add_argument("--targets", type=some_of(NAMES, "target"), default=(), help="comma-separated; all if left out")
    parser.add_argument("--plain", action="store_true", help="without coverage guidance")
    asked = parser.parse_args(arguments)
    names = list(asked.targets or NAMES)
    guide = has_guide() and not asked.plain
    how = (
        "guided by coverage"
        if guide
        else "by the plain mutator" + ("" if asked.plain else ": atheris is not installed")
    )
    print(
        f"seed {asked.seed}: {asked.inputs:,} inputs for {len(names)} targets, {asked.processes} processes, {how}",
        flush=True,
    )
    began_s = time.monotonic()
    soak = Soak(
        asked.inputs,
        asked.seed,
        names,
        guide=guide,
        processes=asked.processes,
        say=lambda line: print(line, flush=True),
    )
    soak.run()
    took_s = time.monotonic() - began_s
    per_hour = soak.given / took_s * 3_600
    print(table(soak.sums))
    keep_figures("fuzz", {"inputs": soak.given, "inputs_an_hour": round(per_hour), "found": soak.found})
    print(
        f"{soak.given:,} inputs in {took_s:,.0f} s, {per_hour / 1e6:.2f} M an hour; {NIGHT / 1e6:.0f} M would take "
        f"{NIGHT / per_hour:.1f} h at this rate; found: {soak.found}"
    )
    return 1 if soak.found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
