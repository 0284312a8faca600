"""Tasks of fixed work for the seam's benchmark; in a module of their own, which workers load fast."""

from __future__ import annotations

import time

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
