"""What a replay costs beside its exchanges: control epochs, a larger nation, snapshots, memory, first use, a command.

Goals are in `docs/benchmarks.md`. Where two sizes of our own are compared they run in turns, as peers do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from interleaved import by_clock, interleaved, warmed
from measured import median_s
from pytest_benchmark.fixture import BenchmarkFixture
from replay_drive import Drive
from replay_workloads import FIFO, NATION, Kind, workload

import scenarios
from router_core.units import MS_NS, SECOND_NS
from traces.generate import TraceGenerator, write_trace

SMALL = 5_000
PLAIN_DAY = date(2026, 3, 17)
DAY = 5_000_000

LINUX = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from Linux's /proc")

# A burst: what was to come in minutes comes within 50 ms, and nearly all of it is under way at their end.
MEMORY_PROGRAM = """
import gc, json, sys
from dataclasses import replace
import numpy as np
import replay_workloads
from replay_workloads import Workload, workload
from replay_drive import Drive
from router_core.units import MS_NS

BURST_NS = 50 * MS_NS

def resident():
    gc.collect()
    return 1024 * int(dict(line.split(":", 1) for line in open("/proc/self/status"))["VmRSS"].split()[0])

calm = workload(getattr(replay_workloads, sys.argv[1]), int(sys.argv[2]))
submitted_ns = calm.exchanges.submitted_ns.copy()
later = submitted_ns >= calm.warm_ns
span_ns = int(submitted_ns[-1]) - calm.warm_ns + 1
submitted_ns[later] = calm.warm_ns + (submitted_ns[later] - calm.warm_ns) // -(-span_ns // BURST_NS)
work = Workload(calm.network, calm.plan, replace(calm.exchanges, submitted_ns=submitted_ns), calm.warm_ns)
drive = Drive(work)
drive.run(work.warm_ns)
before = resident()
drive.run(work.warm_ns + BURST_NS)
after = resident()
print(json.dumps({"grown": after - before, "in_flight": drive.last.in_flight, "timed": work.timed}))
"""
# Of each exchange: when it was delivered, why it was refused, how often it was tried.
OUTCOME_BYTES = 8 + 1 + 4

FIRST_PROGRAM = """
import json, time
started = time.perf_counter()
import numpy as np
import scenarios
from router_core.exchanges import DTYPES, FIELDS, Exchanges
from sim.compiled_plane import CompiledPlane
from strategies.brain import SetPlan
from router_core.equal_cost import EqualCostPlan
imported = time.perf_counter()
platform = scenarios.load("toy")
network = platform.network

def use():
    begun = time.perf_counter()
    plane = CompiledPlane(network, platform.transport)
    plane.apply(SetPlan(EqualCostPlan(network)))
    ends = network.endpoints
    values = {"submitted_ns": np.arange(1000), "source": ends[0], "target": ends[-1], "payload_bytes": 1000}
    columns = {name: np.full(1000, values.get(name, 0), dtype=DTYPES[name]) for name in FIELDS}
    plane.submit(Exchanges(**columns))
    plane.advance(10**15)
    snapshot = plane.snapshot()
    assert snapshot.delivered == 1000
    return time.perf_counter() - begun

print(json.dumps({"import_s": imported - started, "first_s": use(), "second_s": min(use() for _ in range(5))}))
"""


def program(text: str, *arguments: str) -> dict[str, float]:
    """Run a program of its own that prints a document."""
    done = subprocess.run(
        [sys.executable, "-c", text, *arguments],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parent)},
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    "count", [pytest.param(SMALL, id="small"), pytest.param(1_000_000, id="1m", marks=pytest.mark.heavy)]
)
def test_replay_epoch10ms(benchmark: BenchmarkFixture, count: int) -> None:
    """Control may step in every 10 ms; telemetry stays at its second, and in the record it is taken each time, too."""
    work = workload(FIFO, count)
    fine = 10 * MS_NS
    found = interleaved(
        benchmark,
        lambda: Drive(work, epoch_ns=fine),
        {
            "1 s epochs": by_clock(lambda: Drive(work)),
            "10 ms epochs with telemetry": by_clock(lambda: Drive(work, epoch_ns=fine, telemetry_ns=fine)),
        },
        turns=5,
        rounds=1,
    )
    for peer in found.peers.values():
        np.testing.assert_array_equal(found.ours.run.delivered_ns, peer.run.delivered_ns)
    assert found.ours.delivered == len(work)
    peers = found.info["peers"]
    benchmark.extra_info |= {
        **found.info,
        "goal": "replay.epoch10ms",
        "value": found.ours.seconds / peers["1 s epochs"],
        "target": 1.5,
        "with_telemetry": peers["10 ms epochs with telemetry"] / peers["1 s epochs"],
    }


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        pytest.param(Kind(provinces=2), SMALL, id="small"),
        pytest.param(NATION, 1_000_000, id="22k", marks=pytest.mark.heavy),
    ],
)
def test_replay_22k(benchmark: BenchmarkFixture, kind: Kind, count: int) -> None:
    """Each of many provinces is as busy as the one: their exchanges come so many times as densely."""
    work, province = workload(kind, count), workload(FIFO, count)
    found = interleaved(
        benchmark, lambda: Drive(work), {"696 nodes": by_clock(lambda: Drive(province))}, turns=3, rounds=1
    )
    peer = found.peers["696 nodes"]
    assert found.ours.delivered == len(work)
    assert peer.delivered == len(province)
    visits = [run.last.served.sum() / len(run.work) for run in (found.ours.run, peer.run)]
    assert visits[0] == pytest.approx(visits[1], rel=0.1)
    benchmark.extra_info |= {
        **found.info,
        "goal": "replay.22k",
        "value": visits[1] / visits[0] / found.info["ratio"],
        "target": 4,
        "nodes": work.network.node_count,
    }


def test_replay_snapshot(benchmark: BenchmarkFixture) -> None:
    work = workload(FIFO, SMALL)
    drive = warmed(lambda: Drive(work))
    drive.run(work.warm_ns + SECOND_NS // 2)
    snapshot = benchmark(drive.plane.snapshot)
    assert snapshot.in_flight > 0
    assert snapshot.served.sum() > len(work)
    assert len(snapshot.busy_ns) == 3_136
    benchmark.extra_info |= {"goal": "replay.snapshot", "value": 1e6 * median_s(benchmark), "target": 100}


@LINUX
@pytest.mark.parametrize("kind", ["FIFO", "PRIORITY", "SHARED_LINES"])
@pytest.mark.parametrize(
    "count", [pytest.param(20_000, id="small"), pytest.param(1_000_000, id="1m", marks=pytest.mark.heavy)]
)
def test_replay_memory(benchmark: BenchmarkFixture, kind: str, count: int) -> None:
    found = benchmark.pedantic(program, (MEMORY_PROGRAM, kind, str(count)), rounds=1)
    assert found["timed"] == count
    assert found["in_flight"] > 0.8 * count
    value = (found["grown"] - OUTCOME_BYTES * count) / found["in_flight"]
    goal = "replay.memory" if kind == "FIFO" else f"replay.memory.{kind.lower()}"
    benchmark.extra_info |= {"goal": goal, "value": value, "target": 100, **found}


def test_replay_first(benchmark: BenchmarkFixture) -> None:
    """The first use in a new process, against a later one in it: what would be compiled at run time shows here."""
    found = benchmark.pedantic(program, (FIRST_PROGRAM,), rounds=3)
    value = found["import_s"] + found["first_s"] - found["second_s"]
    benchmark.extra_info |= {"goal": "replay.first", "value": value, "target": 1, **found}


@pytest.mark.heavy
def test_replay_day5m(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """The whole command under one brain: start, checking and reading the trace, replay, results and report."""
    platform = scenarios.load("jiangxi")
    trace, out = tmp_path / "day.parquet", tmp_path / "out"
    rows = write_trace(trace, TraceGenerator(platform, start=PLAIN_DAY, seed=1, exchanges_per_day=DAY))
    command = [str(Path(sys.executable).with_name("exchange-router")), "replay", "--scenario", "jiangxi"]
    command += ["--trace", str(trace), "--brain", "ecmp", "--out", str(out)]

    def run() -> tuple[float, float]:
        started, before = time.perf_counter(), os.times()
        subprocess.run(command, check=True, capture_output=True)
        after = os.times()
        cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
        return time.perf_counter() - started, cpu_s

    seconds, cpu_s = benchmark.pedantic(run, rounds=1)
    metrics = json.loads((out / "ecmp" / "metrics.json").read_text())
    assert abs(rows - DAY) < 6 * np.sqrt(DAY)
    assert metrics["counts"]["submitted"] == metrics["counts"]["delivered"] == rows
    assert (out / "report.html").stat().st_size > 0
    benchmark.extra_info |= {"goal": "replay.day5m", "value": seconds, "target": 20, "cpu_s": cpu_s, "exchanges": rows}
