"""`compare.day`: two brains, ten seeds, a day of a million exchanges drawn for each, two processes, all by one command.

What is timed is the whole command: drawing, replays, statistics, page. The brain has learnt from other days.
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
from sim.studies.measures import MEASURES
from sim.studies.study import read_study
from traces.generate import TraceGenerator, write_trace
from traces.reader import TraceReader

TARGET_S = 60.0
PAST_SEED = 31
DAY = date(2026, 3, 17)
ARMS = ("ecmp", "static")


@pytest.mark.parametrize(
    ("scenario", "per_day", "past_days", "seeds"),
    [
        pytest.param("toy", 2_000, 7, 3, id="small"),
        pytest.param("jiangxi", None, 28, 10, id="province", marks=pytest.mark.heavy),
    ],
)
def test_a_comparison(
    benchmark: BenchmarkFixture,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    scenario: str,
    per_day: int | None,
    past_days: int,
    seeds: int,
) -> None:
    prepared = _learnt(tmp_path, scenario, per_day, past_days)
    words = ["compare", "--scenario", scenario, "--prepared", str(prepared), "--out", str(tmp_path / "out")]
    words += [word for name in ARMS for word in ("--brain", name)]
    words += ["--start", str(DAY), "--seeds", str(seeds), "--seed", "7", "--workers", "2", "--json"]
    words += ["--work", str(tmp_path / "traces"), *([] if per_day is None else ["--exchanges-per-day", str(per_day)])]
    capsys.readouterr()
    started = time.perf_counter()
    assert benchmark.pedantic(status, (words,), rounds=1) == 0  # type: ignore[no-untyped-call]
    taken_s = time.perf_counter() - started
    document = json.loads(capsys.readouterr().out)
    # Work was done: each seed has a trace of its own, and each arm values of its own under it.
    rows = []
    for trace in (tmp_path / "traces").iterdir():
        with TraceReader(trace) as reader:
            rows.append(reader.rows)
    assert len(rows) == seeds
    study, _ = read_study(tmp_path / "out")
    assert len(set(study.seeds)) == seeds
    runs = pq.read_table(tmp_path / "out" / "runs.parquet").to_pylist()
    assert len(runs) == seeds * len(ARMS) * len(MEASURES)
    assert len({one["value"] for one in runs if one["measure"] == "mean.all"}) == seeds * len(ARMS)
    benchmark.extra_info |= {
        "goal": "compare.day",
        "value": taken_s,
        "target": TARGET_S,
        "replays": seeds * len(ARMS),
        "exchanges": sum(rows) / len(rows),
        "verdict": document["verdict"]["text"][0],
    }


def _learnt(folder: Path, scenario: str, per_day: int | None, days: int) -> Path:
    """Fit a brain to the days before."""
    begin = datetime.combine(DAY, datetime.min.time()) - timedelta(days=days)
    past, brain = folder / "past.parquet", folder / "past.brain"
    generator = TraceGenerator(
        scenarios.load(scenario), start=begin, span=timedelta(days=days), seed=PAST_SEED, exchanges_per_day=per_day
    )
    write_trace(past, generator)
    words = ["brain", "fit", "--scenario", scenario, "--trace", str(past), "--out", str(brain)]
    assert status([*words, "--days", "1", "--json"]) == 0
    return brain
