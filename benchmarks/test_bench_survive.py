"""`survive.singles`: every single failure of the province at its peak hour, two processes, from the command line.

What is timed is the whole command: checking the trace, cutting the hour out of its day, every failure, page. The brain
has learnt from the weeks before.
"""

from __future__ import annotations

import json
import time
from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import scenarios
from exchange_router.main import status
from sim.studies.study import read_study
from sim.studies.survival.elements import USUAL, elements_of
from traces.generate import TraceGenerator, write_trace

TARGET_S = 600.0
PAST_SEED, SEED = 33, 34
DAY = date(2026, 3, 17)


@pytest.mark.parametrize(
    ("scenario", "per_day", "past_days", "workers"),
    [
        pytest.param("toy", 2_000, 7, "here", id="small"),
        pytest.param("jiangxi", None, 28, "2", id="province", marks=pytest.mark.heavy),
    ],
)
def test_every_single_failure(
    benchmark: BenchmarkFixture,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    scenario: str,
    per_day: int | None,
    past_days: int,
    workers: str,
) -> None:
    midnight = datetime.combine(DAY, datetime.min.time())
    past, day, brain = (tmp_path / name for name in ("past.parquet", "day.parquet", "past.brain"))
    _draw(past, scenario, midnight - timedelta(days=past_days), past_days, PAST_SEED, per_day)
    _draw(day, scenario, midnight, 1, SEED, per_day)
    fit = ["brain", "fit", "--scenario", scenario, "--trace", str(past), "--out", str(brain), "--days", "1", "--json"]
    assert status(fit) == 0
    words = ["survive", "--scenario", scenario, "--brain", "static", "--prepared", str(brain), "--trace", str(day)]
    words += ["--out", str(tmp_path / "out"), "--seed", "7", "--workers", workers, "--json"]
    capsys.readouterr()
    started = time.perf_counter()
    assert benchmark.pedantic(status, (words,), rounds=1) == 0  # type: ignore[no-untyped-call]
    taken_s = time.perf_counter() - started
    document = json.loads(capsys.readouterr().out)
    # Work was done: every element failed, most of them moved something, and no two front-ends' centres cost the same.
    study, _ = read_study(tmp_path / "out")
    count = len(elements_of(scenarios.load(scenario).network, USUAL))
    rows = pq.read_table(tmp_path / "out" / "failures.parquet").to_pylist()
    assert len(rows) == count == study.found["singles"]
    assert len({(row["later_s"], row["sooner_s"], row["retried"]) for row in rows}) > count / 4
    assert study.found["worst"][0]["late"] > 0
    benchmark.extra_info |= {
        "goal": "survive.singles",
        "value": taken_s,
        "target": TARGET_S,
        "failures": count,
        "exchanges": study.found["baselines"][0]["exchanges"],
        "verdict": document["verdict"]["text"][0],
    }


def _draw(path: Path, scenario: str, start: datetime, days: int, seed: int, per_day: int | None) -> None:
    generator = TraceGenerator(
        scenarios.load(scenario), start=start, span=timedelta(days=days), seed=seed, exchanges_per_day=per_day
    )
    write_trace(path, generator)
