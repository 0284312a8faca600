"""Draws the sample series of matrices: make_matrices.py FILE. Nothing in it was measured."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import numpy as np

from router_core.randomness import stream
from traces.matrices import Clock, MatrixSeries, write_series

SEED: Final = 1
STEPS_A_DAY: Final = 48
DAYS: Final = 3
# A ring with two chords; one old line is a quarter of the others, and one place hangs on two lines that are slower yet.
NODES: Final = ("north", "east", "south", "west", "harbour", "hills", "plain", "island")
LINKS: Final = ((0, 1), (1, 2), (2, 3), (3, 0), (1, 4), (4, 2), (0, 5), (5, 3), (5, 6), (6, 4), (6, 7), (4, 7))
CAPACITY_MBPS: Final = (10e3, 10e3, 10e3, 10e3, 10e3, 2.5e3, 10e3, 10e3, 10e3, 10e3, 2.5e3, 2.5e3)


def made_series() -> MatrixSeries:
    """Return gravity matrices under a daily tide, each pair with noise that remembers the step before."""
    rng = stream(SEED, "sample matrices")
    count, steps = len(NODES), STEPS_A_DAY * DAYS
    weight = rng.lognormal(0.0, 0.6, count)
    base = np.outer(weight, weight) / weight.sum() * 1_500.0
    np.fill_diagonal(base, 0.0)
    # Every place has its own busy hour, so that the best split moves through the day.
    peak = rng.uniform(8.0, 18.0, (count, count))
    hour = np.arange(steps) % STEPS_A_DAY * 24.0 / STEPS_A_DAY
    tide = 1.0 + 0.7 * np.cos((hour[:, None, None] - peak) * np.pi / 12.0)
    noise = np.zeros((steps, count, count))
    for step in range(1, steps):
        noise[step] = 0.9 * noise[step - 1] + rng.normal(0.0, 0.12, (count, count))
    return MatrixSeries(
        demand_mbps=np.round(base * tide * np.exp(noise), 3),
        t_utc=Clock(np.datetime64("2026-03-16T00:00:00", "s"), 86_400 // STEPS_A_DAY).times(steps),
        nodes=NODES,
        links=np.array(LINKS),
        directed=False,
        capacity_mbps=np.array(CAPACITY_MBPS),
    )


if __name__ == "__main__":
    write_series(Path(sys.argv[1]), made_series())
