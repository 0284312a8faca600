"""Compare data planes over as many drawn worlds as asked for; stop at the first difference and shrink it.

``python tests/helpers/soak.py --seed 1 --worlds 10000``, or ``make soak``: exit code 0 with a summary of what happened
in these worlds, or 1 with the smallest world found that shows the difference.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from compare_planes import PlaneFactory, compare, difference, drive
from drawn_worlds import drawn_world, kind_of
from faulty_planes import FAULTY
from plain_worlds import World
from shrinking import shrink
from world_features import happened
from world_text import describe, replay_command

from sim.reference_plane import ReferencePlane

SEEDS_A_TASK = 20


def plane_named(name: str) -> PlaneFactory:
    """Return the plane of that name; the compiled one is imported only when asked for."""
    if name == "compiled":
        from sim.compiled_plane import CompiledPlane  # noqa: PLC0415

        return CompiledPlane
    return ReferencePlane if name == "reference" else FAULTY[name]


def check_seeds(seeds: Sequence[int], name: str) -> tuple[int | None, Counter[str]]:
    """Compare the worlds of some seeds; return the first seed that fails, and in how many worlds what happened."""
    plane, counts = plane_named(name), Counter[str]()
    for seed in seeds:
        world = drawn_world(seed)
        trail = drive(world, ReferencePlane)
        if difference(world, trail, drive(world, plane)):
            return seed, counts
        counts.update(happened(world, trail) | {f"a {kind_of(seed)} world"})
    return None, counts


def failure(seed: int, name: str, *, seconds: float = 60.0) -> str:
    """Shrink the failing world of a seed and tell it on one screen."""
    plane, names = plane_named(name), ("reference", name)

    def fails(world: World) -> bool:
        return compare(world, ReferencePlane, plane, hangs_s=seconds / 10) is not None

    world = shrink(drawn_world(seed), fails, seconds=seconds)
    return describe(world, str(compare(world, ReferencePlane, plane, names)))


def soak(first: int, worlds: int, name: str, processes: int) -> int:
    """Compare worlds on several processes; return the exit code."""
    seeds = range(first, first + worlds)
    tasks = [seeds[begin : begin + SEEDS_A_TASK] for begin in range(0, worlds, SEEDS_A_TASK)]
    counts: Counter[str] = Counter()
    done = 0
    with ProcessPoolExecutor(processes) as pool:
        running = {pool.submit(check_seeds, task, name): task for task in tasks}
        for future in as_completed(running):
            failed, seen = _result(future, running[future])
            if failed is not None:
                pool.shutdown(cancel_futures=True)
                print(f"\nseed {failed} fails, shrinking it", file=sys.stderr)
                print(failure(failed, name))
                return 1
            counts += seen
            done += len(running[future])
            print(f"\r{done} of {worlds} worlds agree", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(f"reference and {name} give the same integers in {worlds} worlds, seeds {first} and on; so many of them had:")
    for feature, count in sorted(counts.items()):
        print(f"  {count:7} {feature}")
    return 0


def _result(future: Future[tuple[int | None, Counter[str]]], seeds: Sequence[int]) -> tuple[int | None, Counter[str]]:
    try:
        return future.result()
    except BrokenProcessPool:
        # Nothing can be shrunk here: whatever took the process down would take this one down too.
        print(f"\na process died on a seed of {seeds[0]}..{seeds[-1]} or beside it", file=sys.stderr)
        print(f"try them one by one, as in: {replay_command(seeds[0])}", file=sys.stderr)
        raise


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and soak."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="first seed")
    parser.add_argument("--worlds", type=int, default=10_000, help="how many seeds")
    parser.add_argument("--plane", default="compiled", choices=["compiled", "reference", *FAULTY])
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args(arguments)
    return soak(options.seed, options.worlds, options.plane, options.processes)


if __name__ == "__main__":
    sys.exit(main())
