"""Tasks of fixed work for the seam's benchmark; in a module of their own, which workers load fast."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

MASK = (1 << 64) - 1


def busy(task: tuple[int, int]) -> tuple[int, float]:
    """Step a generator of random bits so many times from a seed; its last state, and how long that took [s]."""
    seed, steps = task
    started = time.perf_counter()
    state = seed
    for _ in range(steps):
        state = (state * 6364136223846793005 + 1442695040888963407) & MASK
    return state, time.perf_counter() - started


def steps_of(seconds: float) -> int:
    """How many steps take so long on a core of this machine that has nothing else to do."""
    steps = 200_000
    return round(steps * seconds / min(busy((1, steps))[1] for _ in range(20)))


class BareProcesses:
    """Plain calls in processes that do nothing else: each has its share of the items before the clock starts.

    That is what cores that work at once can do at best: they take clock rate and caches from each other.
    """

    def __init__(self, pipes: list[Connection]) -> None:
        self._pipes = pipes

    def map(self, items: list[tuple[int, int]]) -> list[int]:
        """Return the last state of every task."""
        count = len(self._pipes)
        for place, pipe in enumerate(self._pipes):
            pipe.send(items[place::count])
        found = [0] * len(items)
        for place, pipe in enumerate(self._pipes):
            found[place::count] = pipe.recv()
        return found


@contextmanager
def bare_processes(count: int) -> Iterator[BareProcesses]:
    """Start so many, and end them."""
    context = multiprocessing.get_context("spawn")
    ends = [context.Pipe() for _ in range(count)]
    processes = [context.Process(target=_answer, args=(theirs,), daemon=True) for _, theirs in ends]
    for process in processes:
        process.start()
    pipes = [ours for ours, _ in ends]
    try:
        bare = BareProcesses(pipes)
        bare.map([(seed, 1_000) for seed in range(count)])
        yield bare
    finally:
        for pipe in pipes:
            pipe.send([])
        for process in processes:
            process.join()


def _answer(pipe: Connection) -> None:
    while items := pipe.recv():
        pipe.send([busy(item)[0] for item in items])
