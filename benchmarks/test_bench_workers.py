"""`seam.loky`, `seam.spark`: what the seam takes, on tasks of a second of fixed work.

Two peers run in turns with the seam, so that a busy machine slows all: plain calls one after another, divided by the
number of cores (`value`); and the same plain calls in as many bare processes (`against_bare`), because cores that work
at once take clock rate and caches from each other, which no seam can help. Workers are opened and have done a little
before the clock starts, as a study of minutes opens them once; how long that takes is told beside (`opened_s`), and
what the overhead would be with it (`with_opening`). `between` is the wall time against the tasks' own times in the
workers.
"""

from __future__ import annotations

import shutil
import time
from statistics import median
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from seam_tasks import bare_processes, busy, steps_of

from sim.workers import Workers, open_workers

CORES = 2


@pytest.mark.parametrize(
    ("tasks", "task_s", "turns"),
    [pytest.param(8, 0.01, 1, id="small"), pytest.param(20, 1.0, 3, id="1s", marks=pytest.mark.heavy)],
)
@pytest.mark.parametrize(
    ("goal", "text", "target"),
    [
        pytest.param("seam.here", "here", None, id="here"),
        pytest.param("seam.loky", f"loky:{CORES}", 0.10, id="loky"),
        pytest.param("seam.spark", f"spark:local-cluster[{CORES},1,1024]", 0.25, id="spark"),
    ],
)
def test_overhead(
    benchmark: BenchmarkFixture, goal: str, text: str, target: float | None, tasks: int, task_s: float, turns: int
) -> None:
    if text.startswith("spark"):
        pytest.importorskip("pyspark", reason="PySpark is not installed")
        if shutil.which("java") is None:
            pytest.skip("Java is not installed")
    cores = 1 if text == "here" else CORES
    items = [(seed, steps_of(task_s)) for seed in range(tasks)]
    plain_s: list[float] = []
    bare_s: list[float] = []
    wall_s: list[float] = []
    in_tasks_s: list[float] = []
    found: list[Any] = []
    expected: list[int] = []

    def turn() -> tuple[tuple[Workers], dict[str, Any]]:
        started = time.perf_counter()
        expected[:] = [busy(item)[0] for item in items]
        plain_s.append(time.perf_counter() - started)
        started = time.perf_counter()
        assert bare.map(items) == expected
        bare_s.append(time.perf_counter() - started)
        return (workers,), {}

    def work(workers: Workers) -> None:
        started = time.perf_counter()
        found[:] = workers.map(busy, items)
        wall_s.append(time.perf_counter() - started)
        in_tasks_s.append(sum(seconds for _, seconds in found))

    with bare_processes(cores) as bare:
        started = time.perf_counter()
        with open_workers(text) as workers:
            workers.map(busy, [(seed, 1_000) for seed in range(4 * cores)])
            opened_s = time.perf_counter() - started
            benchmark.pedantic(work, setup=turn, rounds=turns)
    assert [state for state, _ in found] == expected
    value = median(wall / (plain / cores) for wall, plain in zip(wall_s, plain_s, strict=True)) - 1
    benchmark.extra_info |= {
        "goal": goal,
        "value": value,
        "target": target,
        "tasks": tasks,
        "task_s": median(plain_s) / tasks,
        "opened_s": opened_s,
        "with_opening": value + opened_s / (median(plain_s) / cores),
        "between": median(wall / (inside / cores) for wall, inside in zip(wall_s, in_tasks_s, strict=True)) - 1,
        "against_bare": median(wall / peer for wall, peer in zip(wall_s, bare_s, strict=True)) - 1,
        "peers": {"plain": median(plain_s), "bare": median(bare_s)},
        "ratio": {"plain": median(plain_s) / median(wall_s), "bare": median(bare_s) / median(wall_s)},
    }
