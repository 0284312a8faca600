"""`concurrency`: ten times the usual arrivals for ten minutes, on the province, under dynamic and probing brains.

Goal: nothing is lost, queues drain, and no way that lost traffic gets some back within five minutes.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from static_week import Week, learn

import scenarios
from router_core.exchanges import concatenate
from router_core.units import HOUR_NS, MINUTE_NS
from sim.replay import Replay, replay
from strategies.brain import Brain, Command, Event, KeepRecord
from strategies.decision import Reason
from strategies.registry import Preparation, make_brain
from traces.generate import TraceGenerator
from traces.writer import write_all

TIMES = 10
RUSH_NS = (30 * MINUTE_NS, 40 * MINUTE_NS)
SETTLE_NS = 5 * MINUTE_NS
PROVINCE = Week("jiangxi", date(2026, 3, 17), 1, 14, 2, 1.0)
SMALL = Week("toy", date(2026, 3, 17), 1, 14, 2, 1.0, 10_000)
SIZES = [
    pytest.param(SMALL, id="small"),
    pytest.param(PROVINCE, id="province", marks=pytest.mark.heavy),
]


class Watched:
    """A brain, and how often a way lost traffic and got some back too soon."""

    def __init__(self, brain: Brain) -> None:
        self.name = brain.name
        self.flaps = 0
        self.changes = 0
        self._brain = brain
        self._weights: np.ndarray | None = None
        self._lost_ns = np.zeros(0)

    def handle(self, event: Event) -> list[Command]:
        commands = self._brain.handle(event)
        for command in commands:
            if isinstance(command, KeepRecord):
                record = command.record
                if self._weights is None:
                    self._lost_ns = np.full(len(record.weights), -np.inf)
                elif record.reason is not Reason.SLOT_BEGAN:
                    more, less = record.weights > self._weights, record.weights < self._weights
                    self.flaps += int((more & (record.now_ns - self._lost_ns < SETTLE_NS)).sum())
                    self._lost_ns[less] = record.now_ns
                    self.changes += 1
                self._weights = record.weights
        return commands


def crowded(week: Week, path: Path) -> tuple[Path, int, int]:
    """Write two hours of a morning with a rush; return the trace, its rows, and those of the rush."""
    platform = scenarios.load(week.scenario)
    begin = datetime(week.begin.year, week.begin.month, week.begin.day, 9, 30)
    parts = []
    for seed in range(TIMES):
        generator = TraceGenerator(
            platform,
            start=begin,
            span=timedelta(hours=2),
            seed=700 + seed,
            load=week.load,
            exchanges_per_day=week.exchanges_per_day,
        )
        rows = concatenate(list(generator))
        inside = (rows.submitted_ns >= RUSH_NS[0]) & (rows.submitted_ns < RUSH_NS[1])
        parts.append(rows if seed == 0 else rows[inside])
    rush = sum(int(((one.submitted_ns >= RUSH_NS[0]) & (one.submitted_ns < RUSH_NS[1])).sum()) for one in parts)
    rows = concatenate(parts)
    rows = rows[np.argsort(rows.submitted_ns, kind="stable")]
    write_all(path, generator.info, rows)
    return path, len(rows), rush


@pytest.mark.parametrize("name", ["dynamic", "probing"])
@pytest.mark.parametrize("week", SIZES)
def test_ten_times_the_arrivals(benchmark: BenchmarkFixture, tmp_path: Path, week: Week, name: str) -> None:
    platform = scenarios.load(week.scenario)
    prepared = learn(week, tmp_path, ("static",))["static"]
    trace, rows, rush = crowded(week, tmp_path / "rush")
    start = datetime(week.begin.year, week.begin.month, week.begin.day, 9, 30)
    watched = Watched(make_brain(name, platform.network, Preparation(prepared, start, platform.transport)))
    found: Replay = benchmark.pedantic(replay, (platform, trace, watched), {"seed": 1}, rounds=1)
    counts = found.metrics.counts
    assert counts.submitted == rows
    assert counts.delivered == rows, "nothing is lost, nothing is left"
    slots = found.stations
    waiting = np.bincount(slots.slot, slots.waiting)
    assert waiting[-1] == 0
    benchmark.extra_info |= {
        "goal": f"concurrency.{name}",
        "value": float(watched.flaps),
        "target": 0.0,
        "exchanges": rows,
        "in_the_rush": rush,
        "most_waiting": int(waiting.max()),
        "drained_after_h": (found.metrics.ended_ns - RUSH_NS[1]) / HOUR_NS,
        "route_changes": watched.changes,
        "p99_query_s": found.metrics.completion.by_mode["query"].p99_ns / 1e9,
    }
    assert watched.flaps == 0
