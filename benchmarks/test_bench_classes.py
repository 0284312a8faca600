"""Histories read from traces, and the classes of demand found in them.

Goals: adjusted Rand index of pairs of endpoints against the true types >= 0.90, stability over resamples >= 0.99, fit
of 3,080 pairs over 8 weeks within 1 s, a month of 5 M-exchange days read within 4 GB. No constant was chosen on the
histories here: structures, seeds, weeks and rates are others.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from statistics import mean

import numpy as np
import pytest
from drawn_history import drawn_history, restricted, true_pairs
from measured import median_s
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

import scenarios
from router_core.demand_history import DemandHistory
from router_core.platform import Platform
from strategies.classes.features import pairs_of, unit_features
from strategies.classes.fit import fit_classes
from strategies.classes.tally import tally
from traces.generate import TraceGenerator, write_trace
from traces.history import read_history

ARI_LEAST = 0.90
STABILITY_LEAST = 0.99
FIT_S_MOST = 1.0
MEMORY_BYTES_MAX = 4_000_000_000
# Structure (None: the scenario's own), first day, exchanges a working day: eight weeks each.
DRAWN = [
    pytest.param(None, date(2026, 3, 2), 1_000_000, id="own"),
    pytest.param(9_101, date(2025, 6, 2), 1_000_000, id="other"),
    pytest.param(9_103, date(2025, 9, 1), 500_000, id="half"),
    pytest.param(9_104, date(2026, 4, 6), 2_000_000, id="double"),
]
DAYS = 56
DAYS_SMALL = 14
PAIRS = [
    pytest.param(300, id="small"),
    pytest.param(3_080, id="3080", marks=pytest.mark.heavy),
    pytest.param(None, id="all", marks=pytest.mark.heavy),
]

MEMORY_PROGRAM = """
import json, sys
import scenarios
from traces.history import read_history

history = read_history([sys.argv[1]], scenarios.load("jiangxi"))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({"rows": int(history.exchanges.sum()), "peak_bytes": 1024 * int(status["VmHWM"].split()[0])}))
"""


@pytest.fixture(scope="module")
def jiangxi() -> Platform:
    return scenarios.load("jiangxi")


@lru_cache
def drawn(
    platform: Platform, structure: int | None, start: date, rate: int, pairs: int | None
) -> tuple[DemandHistory, NDArray[np.int16]]:
    days = DAYS_SMALL if pairs == 300 else DAYS
    if structure is not None:
        platform = replace(platform, demand=replace(platform.demand, structure_seed=structure))
    history, true = drawn_history(platform, start, days, 41, rate)
    if pairs is None:
        return history, true
    source, _, pair = pairs_of(history)
    kept = np.zeros(len(source), dtype=np.bool_)
    kept[np.random.default_rng(21).permutation(len(source))[:pairs]] = True
    return restricted(history, kept[pair]), true[kept[pair]]


@pytest.mark.parametrize("pairs", PAIRS)
def test_classes(benchmark: BenchmarkFixture, jiangxi: Platform, pairs: int | None) -> None:
    """ARI on pairs, over all the drawn histories; the small size looks at one of them."""
    scores, stabilities, peer = [], [], []
    for one in DRAWN[:1] if pairs == 300 else DRAWN:
        history, true = drawn(jiangxi, *one.values, pairs)  # type: ignore[arg-type]
        wanted = true_pairs(history, true, len(jiangxi.demand.types))
        model = fit_classes(history, jiangxi.network, seed=7)
        scores.append(adjusted_rand_score(wanted, model.mix("pair").dominant))
        stabilities.append(model.stability)
        source, _, pair = pairs_of(history)
        week = tally(history, pair, len(source)).week
        raw = week / np.maximum(week.mean(axis=1, keepdims=True), 1e-12)
        labels = KMeans(len(jiangxi.demand.types), n_init=5, random_state=0).fit_predict(raw)
        peer.append(adjusted_rand_score(wanted, labels))
    benchmark.pedantic(fit_classes, (history, jiangxi.network), {"seed": 7}, rounds=1)
    benchmark.extra_info |= {
        "goal": "classes.ari",
        "value": mean(scores),
        "target": ARI_LEAST,
        "scores": scores,
        "stability": stabilities,
        "raw_week_kmeans": peer,
    }
    assert min(scores) >= (0.8 if pairs == 300 else ARI_LEAST)


@pytest.mark.parametrize("pairs", PAIRS)
def test_stability(benchmark: BenchmarkFixture, jiangxi: Platform, pairs: int | None) -> None:
    """Of the number of classes chosen, and between models of other seeds."""
    history, _ = drawn(jiangxi, *DRAWN[0].values, pairs)  # type: ignore[arg-type]

    def fits() -> list[NDArray[np.int16]]:
        models = [fit_classes(history, jiangxi.network, seed=seed) for seed in (7, 8)]
        stabilities[:] = [model.stability for model in models]
        return [model.relation_class for model in models]

    stabilities: list[float] = []
    labels = benchmark.pedantic(fits, rounds=1)
    benchmark.extra_info |= {
        "goal": "classes.stability",
        "value": min(stabilities),
        "target": STABILITY_LEAST,
        "between_seeds": adjusted_rand_score(*labels),
    }
    assert pairs == 300 or min(stabilities) >= STABILITY_LEAST


@pytest.mark.parametrize("pairs", PAIRS)
def test_fit(benchmark: BenchmarkFixture, jiangxi: Platform, pairs: int | None) -> None:
    """Features, choice of the number, clusters, membership, names: everything from a history in memory."""
    history, _ = drawn(jiangxi, *DRAWN[0].values, pairs)  # type: ignore[arg-type]
    model = benchmark.pedantic(fit_classes, (history, jiangxi.network), {"seed": 7}, rounds=5, warmup_rounds=1)
    assert len(model.classes) >= 6
    assert len(model.relation_class) == len(history.relations)
    benchmark.extra_info |= {"value": median_s(benchmark), "target": FIT_S_MOST}
    if pairs == 3_080:
        benchmark.extra_info["goal"] = "classes.fit"


@pytest.mark.parametrize("pairs", PAIRS[:2])
def test_features(benchmark: BenchmarkFixture, jiangxi: Platform, pairs: int | None) -> None:
    history, _ = drawn(jiangxi, *DRAWN[0].values, pairs)  # type: ignore[arg-type]
    units = len(history.relations)
    found = benchmark.pedantic(unit_features, (history, np.arange(units), units), rounds=5, warmup_rounds=1)
    assert found.values.shape[0] == units
    assert np.isfinite(found.values).all()
    benchmark.extra_info["value"] = median_s(benchmark)


@pytest.mark.parametrize(
    ("exchanges", "days"),
    [pytest.param(100_000, 1, id="small"), pytest.param(5_000_000, 2, id="10m", marks=pytest.mark.heavy)],
)
def test_read(benchmark: BenchmarkFixture, jiangxi: Platform, tmp_path: Path, exchanges: int, days: int) -> None:
    written = write_trace(tmp_path / "t", generator(jiangxi, exchanges, days))
    history = benchmark.pedantic(read_history, ([tmp_path / "t"], jiangxi), rounds=3, warmup_rounds=1)
    assert history.exchanges.sum() == written
    benchmark.extra_info |= {"goal": "history.read", "value": written / median_s(benchmark)}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
@pytest.mark.parametrize(
    ("exchanges", "days"),
    [pytest.param(100_000, 1, id="small"), pytest.param(5_000_000, 31, id="month", marks=pytest.mark.heavy)],
)
def test_memory(benchmark: BenchmarkFixture, jiangxi: Platform, tmp_path: Path, exchanges: int, days: int) -> None:
    written = write_trace(tmp_path / "t", generator(jiangxi, exchanges, days))

    def read() -> dict[str, int]:
        command = [sys.executable, "-c", MEMORY_PROGRAM, str(tmp_path / "t")]
        found: dict[str, int] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        return found

    found = benchmark.pedantic(read, rounds=1)
    assert found["rows"] == written
    benchmark.extra_info |= {"goal": "history.memory", "value": found["peak_bytes"], "target": MEMORY_BYTES_MAX}
    assert found["peak_bytes"] <= MEMORY_BYTES_MAX


def generator(platform: Platform, exchanges: int, days: int) -> TraceGenerator:
    start = date(2026, 3, 1) if days > 2 else date(2026, 3, 17)
    return TraceGenerator(platform, start=start, span=timedelta(days=days), seed=3, exchanges_per_day=exchanges)
