"""What a benchmark measured; nothing where the suite runs it untimed to see that it still works."""

from __future__ import annotations

import math

from pytest_benchmark.fixture import BenchmarkFixture


def median_s(benchmark: BenchmarkFixture) -> float:
    """Median of the rounds [s], not a number if they were not timed."""
    return benchmark.stats.stats.median if benchmark.stats is not None else math.nan
