"""Replays on the SimPy data plane: a small day of the toy, and a day of 1 M exchanges of the province.

Goals: the province's day within 90 s and 1.5 GB, from the start of the process to the metrics.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from measured import median_s
from pytest_benchmark.fixture import BenchmarkFixture

import scenarios
from sim.replay import Replay, replay
from strategies.registry import make_brain
from traces.generate import TraceGenerator, write_trace

PLAIN_DAY = date(2026, 3, 17)
SMALL = 20_000
DAY = 1_000_000
SECONDS_MAX = 90
MEMORY_BYTES_MAX = 1_500_000_000

LINUX = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")

# A process of its own, so that its peak is the replay's alone, and imports and reading the scenario count too.
PROGRAM = """
import json, sys
from pathlib import Path
import scenarios
from sim.replay import replay
from strategies.registry import make_brain

platform = scenarios.load("jiangxi")
result = replay(platform, Path(sys.argv[1]), make_brain("ecmp", platform.network), seed=1, data_plane="simpy")
# Not getrusage: a child inherits its parent's peak there.
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
counts = result.metrics.counts
print(json.dumps({
    "submitted": counts.submitted,
    "delivered": counts.delivered,
    "visits": int(result.stations.served.sum()),
    "pairs": int(result.pairs.count.sum()),
    "peak_bytes": 1024 * int(status["VmHWM"].split()[0]),
}))
"""


@dataclass(frozen=True)
class Measured:
    """What one process did with the province's day."""

    rows: int
    seconds: float
    found: dict[str, int]

    def check(self) -> None:
        """Assert that the day was replayed, whole."""
        assert abs(self.rows - DAY) < 6 * np.sqrt(DAY)
        assert self.found["submitted"] == self.found["delivered"] == self.found["pairs"] == self.rows
        # A front-end, its line, a centre, a line and a front-end at least.
        assert self.found["visits"] >= 5 * self.rows


@pytest.fixture(scope="module")
def province_day(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    path = tmp_path_factory.mktemp("day") / "trace.parquet"
    platform = scenarios.load("jiangxi")
    rows = write_trace(path, TraceGenerator(platform, start=PLAIN_DAY, seed=1, exchanges_per_day=DAY))
    return path, rows


def measure(day: tuple[Path, int]) -> Measured:
    path, rows = day
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(path)], check=True, capture_output=True, text=True)
    return Measured(rows, time.perf_counter() - started, json.loads(done.stdout))


def test_replay_small(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    platform = scenarios.load("toy")
    trace = tmp_path / "trace.parquet"
    rows = write_trace(trace, TraceGenerator(platform, start=PLAIN_DAY, seed=1, exchanges_per_day=SMALL))

    def run() -> Replay:
        return replay(platform, trace, make_brain("ecmp", platform.network), seed=1, data_plane="simpy")

    result = benchmark.pedantic(run, rounds=3, warmup_rounds=1)
    assert abs(rows - SMALL) < 6 * np.sqrt(SMALL)
    assert result.metrics.counts.submitted == result.metrics.counts.delivered == rows
    assert result.stations.served.sum() >= 5 * rows
    benchmark.extra_info["value"] = rows / median_s(benchmark)


@LINUX
@pytest.mark.heavy
def test_replay_day1m(benchmark: BenchmarkFixture, province_day: tuple[Path, int]) -> None:
    measured = benchmark.pedantic(measure, (province_day,), rounds=1)
    measured.check()
    benchmark.extra_info |= {
        "goal": "simpy.day1m",
        "value": measured.seconds,
        "target": SECONDS_MAX,
        "exchanges_per_s": measured.rows / measured.seconds,
        "visits_per_s": measured.found["visits"] / measured.seconds,
    }


@LINUX
@pytest.mark.heavy
def test_replay_day1m_memory(benchmark: BenchmarkFixture, province_day: tuple[Path, int]) -> None:
    measured = benchmark.pedantic(measure, (province_day,), rounds=1)
    measured.check()
    peak = measured.found["peak_bytes"]
    benchmark.extra_info |= {"goal": "simpy.memory", "value": peak, "target": MEMORY_BYTES_MAX}
    assert peak <= MEMORY_BYTES_MAX
