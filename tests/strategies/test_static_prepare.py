"""From traces to a static policy: law 6, what it is made of, and what is refused."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import scenarios
from router_core.errors import BadInputError
from router_core.platform import Platform
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS
from strategies.static.parts import diff
from strategies.static.prepare import Prepared, prepare
from traces.generate import TraceGenerator, write_trace
from traces.history import read_history
from traces.surges import parse_surge

START = datetime(2026, 3, 2)
NOW = datetime(2026, 3, 16)
AFTER = "emergency@2026-03-16T10:00x8"
BEFORE = "emergency@2026-03-12T10:00x8"


@pytest.fixture(scope="module")
def toy() -> Platform:
    return scenarios.load("toy")


def trace(platform: Platform, path: Path, surge: str | None = None, seed: int = 5) -> Path:
    surges = () if surge is None else (parse_surge(surge),)
    span = timedelta(days=16)
    write_trace(
        path,
        TraceGenerator(platform, start=START, span=span, seed=seed, exchanges_per_day=4_000, load=1.5, surges=surges),
    )
    return path


def prepared(platform: Platform, path: Path, seed: int = 3) -> Prepared:
    history = read_history([path], platform, until=NOW)
    return prepare(platform.network, history, None, TimeGrid(NOW, HOUR_NS, 24), seed=seed)


def test_what_comes_later_changes_nothing_and_what_came_does(toy: Platform, tmp_path: Path) -> None:
    plain = prepared(toy, trace(toy, tmp_path / "plain"))
    later = prepared(toy, trace(toy, tmp_path / "later", AFTER))
    assert diff(plain.parts(), later.parts()).empty
    assert not diff(plain.parts(), prepared(toy, trace(toy, tmp_path / "other", BEFORE)).parts()).empty


def test_it_comes_back_from_its_parts_and_can_be_carried_out(toy: Platform, tmp_path: Path) -> None:
    one = prepared(toy, trace(toy, tmp_path / "t"))
    again = Prepared.from_parts(*one.parts(), toy.network)
    assert diff(one.parts(), again.parts()).empty
    assert again.plan.grid == TimeGrid(NOW, HOUR_NS, 24)
    assert np.isfinite(again.plan.figures.peak_mean).all()
    forecast = again.tides.forecast(again.plan.grid)
    assert np.isfinite(forecast.p95).all()
    # A plan is for every pair of groups that a way joins, whether the past had it or not.
    sums = np.add.reduceat(one.plan.weights, one.plan.paths.pair_start[:-1], axis=1)
    assert (sums == 1_000).all()


def test_too_little_is_refused_by_name(toy: Platform, tmp_path: Path) -> None:
    path = trace(toy, tmp_path / "t")
    grid = TimeGrid(NOW, HOUR_NS, 24)
    short = read_history([path], toy, until=START + timedelta(hours=20))
    with pytest.raises(BadInputError, match="history: must cover at least 24 whole hours"):
        prepare(toy.network, short, None, grid)
    whole = read_history([path], toy)
    with pytest.raises(BadInputError, match=r"plan\.begin: must not begin before the history ends"):
        prepare(toy.network, whole, None, grid)
    quiet = whole.part(0, 0)
    assert quiet.hours == 0
    with pytest.raises(BadInputError, match="history"):
        prepare(toy.network, quiet, None, grid)
