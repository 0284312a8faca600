"""Small series of matrices for tests: drawn networks with parallel lines, ties, bridges and unconnected pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from traces.matrices import Clock, MatrixSeries

SAMPLE = Path(__file__).resolve().parents[2] / "traces" / "samples" / "made-matrices.npz"
CLOCK = Clock(np.datetime64("2026-03-16T00:00:00", "s"), 900)


def series_of(
    demand: np.ndarray, links: list[tuple[int, int]], capacity: list[float], *, directed: bool = False
) -> MatrixSeries:
    """Return a series of these matrices, nodes named a, b, c..."""
    demand = np.asarray(demand, dtype=np.float64)
    return MatrixSeries(
        demand_mbps=demand,
        t_utc=CLOCK.times(len(demand)),
        nodes=tuple("abcdefghijkl"[: demand.shape[1]]),
        links=np.array(links),
        directed=directed,
        capacity_mbps=np.array(capacity, dtype=np.float64),
    )


def drawn_series(seed: int, steps: int = 8) -> MatrixSeries:
    """Draw a network of 3 to 6 nodes, connected or not, and matrices with zeros, some of them empty."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(3, 7))
    lines = int(rng.integers(count - 1, 3 * count))
    links = [tuple(int(end) for end in rng.choice(count, 2, replace=False)) for _ in range(lines)]
    capacity = rng.choice([100.0, 100.0, 250.0, 1000.0], lines).tolist()
    demand = rng.gamma(1.0, 20.0, (steps, count, count)) * (rng.random((steps, count, count)) < 0.7)
    demand[rng.random(steps) < 0.15] = 0.0
    return series_of(demand, links, capacity, directed=bool(rng.integers(2)))
