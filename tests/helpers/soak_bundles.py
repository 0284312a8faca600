"""Forged, altered and replayed packages by the million, `make soak-bundles`: none may be accepted.

Blocks of ten thousand, each of all kinds of `bad_packages` as the tests have them, from a seed of its own. A package
that is accepted, or refused for another reason than it may be, is told with the command that makes it again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import soak_words
from bad_packages import KINDS, checks
from soak_figures import keep_figures, per_hour

from feed.refusals import RefusedBundleError
from router_core.randomness import stream

BLOCK = 10_000


def block(seed: int) -> tuple[int, dict[str, int], str | None]:
    """Try the packages of one seed; return how many, the refusals, and what went wrong."""
    refusals: Counter[str] = Counter()
    for kind, count in KINDS.items():
        draw = stream(seed, kind.__name__)
        for number in range(count):
            one = kind(draw)
            try:
                checks(one.limits).check(one.data, one.known)
            except RefusedBundleError as error:
                refusals[error.refusal.value] += 1
                if error.refusal in one.reasons:
                    continue
                wrong = f"refused as {error.refusal.value}"
            else:
                wrong = "ACCEPTED"
            command = f".venv/bin/python tests/helpers/soak_bundles.py --seed {seed} --bundles {BLOCK}"
            return sum(refusals.values()), refusals, f"{kind.__name__} {number}: {wrong}; {command}"
    return sum(refusals.values()), refusals, None


def main() -> int:
    """Read the words, and try them all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=soak_words.a_seed, default=1)
    parser.add_argument("--bundles", type=soak_words.a_count, default=1_000_000)
    words = parser.parse_args()
    began, tried = time.monotonic(), 0
    refusals: Counter[str] = Counter()
    seeds = range(words.seed, words.seed + max(1, words.bundles // BLOCK))
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        for count, found, wrong in pool.imap_unordered(block, seeds):
            if wrong is not None:
                pool.terminate()
                print(wrong)
                return 1
            tried += count
            refusals.update(found)
    took_s = time.monotonic() - began
    figures = {"tried": tried, "accepted": 0, "seconds": round(took_s), "an_hour": per_hour(tried, took_s)}
    figures |= {f"refused_{name}": count for name, count in sorted(refusals.items())}
    keep_figures("bundles", figures)
    print(f"{tried} packages, none accepted: {json.dumps(figures)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
