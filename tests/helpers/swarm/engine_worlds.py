"""The networks of worlds that fail, without their feed: the compiled plane against the specification.

What `make soak-sanitized` runs: agents run in greenlets, whose exchange of stacks no address sanitizer understands, so
that the brain steers here by itself. Places, traces, brains, parameters and troubles are those of the seeds.

    python tests/helpers/swarm/engine_worlds.py --seed 1 --worlds 200
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import soak_words
from soak_figures import keep_figures, per_hour, rate

from sim.replay import DATA_PLANES, live
from strategies.registry import Preparation, make_brain
from swarm.judging import Case, cases, quietly
from swarm.network_faults import faults_of

TOLD_EVERY = 100


def difference(case: Case) -> str | None:
    """Live a world's network once under each data plane; say where they differ, None if they do not."""
    spec = case.spec()
    scene = spec.place
    outcomes = []
    for data_plane in DATA_PLANES:
        about = Preparation(scene.prepared, scene.start, scene.platform.transport, spec.setting)
        run = live(
            scene.platform,
            scene.trace,
            make_brain(spec.brain, scene.platform.network, about),
            seed=spec.seed,
            data_plane=data_plane,
            config=spec.rhythms.config,
            faults=faults_of(scene.platform.network, spec.troubles),
        )
        outcomes.append(vars(run.record.outcome))
    one, other = outcomes
    return next((name for name in one if not np.array_equal(one[name], other[name])), None)


def main() -> int:
    """Live many."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=soak_words.a_seed, default=1)
    parser.add_argument("--worlds", type=soak_words.a_count, default=200)
    parser.add_argument("--figures", default="engine-worlds", help="name of what is left in build/soak")
    words = parser.parse_args()
    began = time.monotonic()
    for done, case in enumerate(cases(words.seed, words.worlds), 1):
        with quietly():
            differs = difference(case)
        if differs is not None:
            print(f"{differs} differs between the data planes: {case.command}")
            return 1
        if done % TOLD_EVERY == 0 or done == words.worlds:
            print(rate(done, "worlds", time.monotonic() - began), flush=True)
    took_s = time.monotonic() - began
    keep_figures(words.figures, {"worlds": words.worlds, "worlds an hour": per_hour(words.worlds, took_s)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
