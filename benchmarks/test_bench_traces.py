"""Traces at scale: generated and written, read, and in how much memory.

Goals: generate and write 1 M exchanges/s, read 5 M rows/s, a day of 5 M exchanges within 1.5 GB; all on one core.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from measured import median_s
from pytest_benchmark.fixture import BenchmarkFixture

import scenarios
from router_core.platform import Platform
from traces.generate import TraceGenerator, write_trace
from traces.reader import TraceReader
from traces.validate import validate_trace

PLAIN_DAY = date(2026, 3, 17)
SCALES = [pytest.param(200_000, id="small"), pytest.param(5_000_000, id="5m", marks=pytest.mark.heavy)]
MEMORY_BYTES_MAX = 1_500_000_000

# A process of its own for each step, so that its peak is that step's alone.
MEMORY_PROGRAM = """
import json, sys
from datetime import date
import scenarios
from traces.generate import TraceGenerator, write_trace
from traces.reader import TraceReader

step, path, exchanges = sys.argv[1], sys.argv[2], int(sys.argv[3])
platform = scenarios.load("jiangxi")
if step == "generate":
    rows = write_trace(path, TraceGenerator(platform, start=date(2026, 3, 17), seed=1, exchanges_per_day=exchanges))
else:
    with TraceReader(path) as reader:
        rows = len(reader.read_all(platform))
# Not getrusage: a child inherits its parent's peak there.
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({"rows": rows, "peak_bytes": 1024 * int(status["VmHWM"].split()[0])}))
"""


@pytest.fixture(scope="module")
def jiangxi() -> Platform:
    return scenarios.load("jiangxi")


def generator_of(platform: Platform, exchanges: int) -> TraceGenerator:
    return TraceGenerator(platform, start=PLAIN_DAY, seed=1, exchanges_per_day=exchanges)


def close_to(rows: int, exchanges: int) -> bool:
    """Whether a day's Poisson count is one of that mean."""
    return abs(rows - exchanges) < 6 * np.sqrt(exchanges)


@pytest.mark.parametrize("exchanges", SCALES)
def test_generate(benchmark: BenchmarkFixture, jiangxi: Platform, tmp_path: Path, exchanges: int) -> None:
    generator = generator_of(jiangxi, exchanges)
    rows = benchmark.pedantic(write_trace, (tmp_path / "t", generator), rounds=3, warmup_rounds=1)
    assert close_to(rows, exchanges)
    with TraceReader(tmp_path / "t") as reader:
        assert reader.rows == rows
    rate(benchmark, "trace.generate", rows)


@pytest.mark.parametrize("exchanges", SCALES)
def test_read(benchmark: BenchmarkFixture, jiangxi: Platform, tmp_path: Path, exchanges: int) -> None:
    written = write_trace(tmp_path / "t", generator_of(jiangxi, exchanges))

    def read() -> int:
        with TraceReader(tmp_path / "t") as reader:
            return len(reader.read_all(jiangxi))

    rows = benchmark.pedantic(read, rounds=5, warmup_rounds=1)
    assert rows == written
    rate(benchmark, "trace.read", rows)


@pytest.mark.parametrize("exchanges", SCALES)
def test_validate(benchmark: BenchmarkFixture, jiangxi: Platform, tmp_path: Path, exchanges: int) -> None:
    written = write_trace(tmp_path / "t", generator_of(jiangxi, exchanges))
    report = benchmark.pedantic(validate_trace, (tmp_path / "t", jiangxi), rounds=3, warmup_rounds=1)
    assert (report.rows, report.bad_rows) == (written, 0)
    benchmark.extra_info["value"] = written / median_s(benchmark)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
@pytest.mark.parametrize("exchanges", SCALES)
def test_memory(benchmark: BenchmarkFixture, tmp_path: Path, exchanges: int) -> None:
    def both() -> list[dict[str, int]]:
        return [run(step, tmp_path / "t", exchanges) for step in ("generate", "read")]

    generated, read = benchmark.pedantic(both, rounds=1)
    assert close_to(generated["rows"], exchanges)
    assert read["rows"] == generated["rows"]
    peak = max(generated["peak_bytes"], read["peak_bytes"])
    benchmark.extra_info |= {
        "goal": "trace.memory",
        "value": peak,
        "generate_peak_bytes": generated["peak_bytes"],
        "read_peak_bytes": read["peak_bytes"],
    }
    assert peak <= MEMORY_BYTES_MAX


def run(step: str, path: Path, exchanges: int) -> dict[str, int]:
    command = [sys.executable, "-c", MEMORY_PROGRAM, step, str(path), str(exchanges)]
    found: dict[str, int] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def rate(benchmark: BenchmarkFixture, goal: str, rows: int) -> None:
    """Store rows a second of the median round."""
    benchmark.extra_info |= {"goal": goal, "value": rows / median_s(benchmark)}
