"""Compare data planes over as many drawn worlds as asked for; stop at the first difference and shrink it.

``python tests/helpers/soak_planes.py --seed 1 --worlds 10000``, or ``make soak-planes``: exit code 0 with a summary of
what happened in these worlds, or 1 with the smallest world found that shows the difference. With ``--tables`` the plans
of each world are looked up in route tables too; ``make soak-sanitized`` does that under sanitizers.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import soak_words
from compare_planes import PlaneFactory, compare, difference, drive
from drawn_worlds import drawn_world, kind_of
from faulty_planes import FAULTY
from plain_worlds import World
from shrinking import shrink
from soak_figures import keep_figures, per_hour, rate
from table_worlds import table_difference
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


@dataclass(frozen=True)
class Part:
    """Some seeds for one process.

    Attributes
    ----------
    seeds : sequence of int
    name : str
        Of the plane.
    tables : bool
        Whether plans are looked up in route tables too.
    notes : Path or None
        Where a process says which seed it is at, should that take it down.
    """

    seeds: Sequence[int]
    name: str
    tables: bool = False
    notes: Path | None = None


def check_seeds(seeds: Sequence[int], name: str) -> tuple[int | None, Counter[str]]:
    """Compare the worlds of some seeds; return the first seed that fails, and in how many worlds what happened."""
    return check_part(Part(seeds, name))


def check_part(part: Part) -> tuple[int | None, Counter[str]]:
    """Compare the worlds of a part, as `check_seeds`."""
    plane, counts = plane_named(part.name), Counter[str]()
    for seed in part.seeds:
        if part.notes is not None:
            (part.notes / str(os.getpid())).write_text(str(seed))
        world = drawn_world(seed)
        trail = drive(world, ReferencePlane)
        if difference(world, trail, drive(world, plane)) or (part.tables and table_difference(world)):
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


def soak(first: int, worlds: int, name: str, processes: int, *, tables: bool = False, figures: str = "") -> int:
    """Compare worlds on several processes; return the exit code."""
    seeds, began_s = range(first, first + worlds), time.monotonic()
    counts: Counter[str] = Counter()
    done = 0
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(processes) as pool:
        parts = [
            Part(seeds[begin : begin + SEEDS_A_TASK], name, tables, Path(folder))
            for begin in range(0, worlds, SEEDS_A_TASK)
        ]
        running = {pool.submit(check_part, one): one for one in parts}
        for future in as_completed(running):
            try:
                failed, seen = future.result()
            except BrokenProcessPool:
                return _told_dead(Path(folder), name, tables=tables)
            if failed is not None:
                pool.shutdown(cancel_futures=True)
                print(f"\nseed {failed} fails, shrinking it", file=sys.stderr)
                print(_told_failed(failed, name))
                return 1
            counts += seen
            done += len(running[future].seeds)
            print(f"\r{done} of {worlds} worlds agree", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    took_s = time.monotonic() - began_s
    print(rate(worlds, "worlds", took_s))
    print(f"reference and {name} give the same integers in {worlds} worlds, seeds {first} and on; so many of them had:")
    for feature, count in sorted(counts.items()):
        print(f"  {count:7} {feature}")
    if figures:
        keep_figures(figures, {"worlds": worlds, "worlds an hour": per_hour(worlds, took_s)})
    return 0


def _told_failed(seed: int, name: str) -> str:
    """Tell a difference between planes shrunk, and one between table and plan in its line."""
    world = drawn_world(seed)
    if compare(world, ReferencePlane, plane_named(name)) is None:
        return f"{table_difference(world)}\nreplay: {replay_command(seed)}"
    return failure(seed, name)


def _told_dead(notes: Path, name: str, *, tables: bool) -> int:
    """Find out which seed took its process down, and tell it.

    Nothing can be shrunk here: whatever took the process down would take this one down too.
    """
    # A process that was ended while it wrote left nothing; it is not the one that died by itself.
    suspects = sorted({int(text) for text in (path.read_text() for path in notes.iterdir()) if text})
    print(f"\na process died; it was at one of the seeds {suspects}, which are tried one by one", file=sys.stderr)
    for seed in suspects:
        with ProcessPoolExecutor(1) as pool:
            try:
                pool.submit(check_part, Part((seed,), name, tables)).result()
            except BrokenProcessPool:
                print(f"seed {seed} takes its process down\nreplay: {replay_command(seed)}")
                return 1
    print(f"none of the seeds {suspects} does so alone: try those before them")
    return 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and soak."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=soak_words.a_seed, default=1, help="first seed")
    parser.add_argument("--worlds", type=soak_words.a_count, default=10_000, help="how many seeds")
    parser.add_argument("--plane", default="compiled", choices=["compiled", "reference", *FAULTY])
    parser.add_argument("--processes", type=soak_words.a_count, default=2)
    parser.add_argument("--tables", action="store_true", help="look plans up in route tables too")
    parser.add_argument("--figures", default="", help="keep figures under this name in build/soak")
    asked = parser.parse_args(arguments)
    return soak(asked.seed, asked.worlds, asked.plane, asked.processes, tables=asked.tables, figures=asked.figures)


if __name__ == "__main__":
    sys.exit(main())
