"""`tune.trials`: a hundred trials of `tune` on traffic of 200,000 exchanges, two processes, from the command line.

Two hours of a working morning with a public enrolment in them are drawn for each scene; the brain has learnt from the
weeks before. What is timed is the whole command: drawing, search, score on scenes set aside, page. The verdict is told
beside: whether what was found beats the defaults there.
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
from traces.generate import TraceGenerator, write_trace
from traces.reader import TraceReader

TARGET_S = 600.0
PAST_SEED = 32
DAY = date(2026, 3, 17)
SURGE = "enrolment@2026-03-17T09:30x6"


@pytest.mark.parametrize(
    ("scenario", "per_day", "past_days", "hours", "trials"),
    [
        pytest.param("toy", 10_000, 7, 1.0, 9, id="small"),
        pytest.param("jiangxi", None, 28, 2.2, 100, id="province", marks=pytest.mark.heavy),
    ],
)
def test_a_search(
    benchmark: BenchmarkFixture,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    scenario: str,
    per_day: int | None,
    past_days: int,
    hours: float,
    trials: int,
) -> None:
    prepared = _learnt(tmp_path, scenario, per_day, past_days)
    words = ["tune", "--scenario", scenario, "--prepared", str(prepared), "--out", str(tmp_path / "out")]
    words += ["--start", f"{DAY}T09:00", "--hours", str(hours), "--surge", SURGE]
    words += ["--trials", str(trials), "--seed", "7", "--workers", "2", "--json"]
    words += [] if per_day is None else ["--exchanges-per-day", str(per_day)]
    capsys.readouterr()
    started = time.perf_counter()
    assert benchmark.pedantic(status, (words,), rounds=1) == 0  # type: ignore[no-untyped-call]
    taken_s = time.perf_counter() - started
    document = json.loads(capsys.readouterr().out)
    study, _ = read_study(tmp_path / "out")
    found = study.found
    # Work was done: all trials, each in a scene at least, and every scene of the front in full.
    table = pq.read_table(tmp_path / "out" / "trials.parquet").to_pydict()
    assert len(table["trial"]) == trials + 1
    assert min(table["scenes"]) >= 1
    scenes = len(found["scenes"])
    assert all(table["scenes"][number] == scenes for number in found["front"])
    rows = []
    for trace in (tmp_path / "out.work" / "traces").iterdir():
        with TraceReader(trace) as reader:
            rows.append(reader.rows)
    benchmark.extra_info |= {
        "goal": "tune.trials",
        "value": taken_s,
        "target": TARGET_S,
        "trials": trials,
        "replays": found["replays"],
        "pruned": found["pruned"],
        "exchanges": sum(rows) / len(rows),
        "verdict": document["verdict"]["text"][0],
        "unseen": found["unseen"],
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
