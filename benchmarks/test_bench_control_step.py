"""`control.step`: what the brain needs in a minute of a surge, from telemetry to the commands it gives.

A brain is driven through an emergency in the province by the simulated world, and all that the world tells it is
recorded. Brains of the same kind are then told the record, with nothing around them: a control step is what a minute's
report of demand, telemetry and collected particles take together, in one thread. A step that another process disturbs
takes longer than its work, so of several passes each step counts with its fastest.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture
from static_week import PAST_SEED

import scenarios
from router_core.platform import Platform
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS, MINUTE_NS
from sim.replay import replay
from strategies.brain import (
    BorrowServers,
    Command,
    DemandReported,
    Event,
    KeepRecord,
    LogDecision,
    ParticlesCollected,
    SendParticles,
    SetHandling,
    SetPlan,
    TelemetryArrived,
)
from strategies.decision import DecisionKind
from strategies.registry import Preparation, make_brain
from strategies.static.prepare import Prepared, prepare
from traces.generate import TraceGenerator, write_trace
from traces.history import read_history
from traces.surges import parse_surge

TARGET_S = 10e-3
DAY = date(2026, 3, 31)
BEGIN = datetime(2026, 3, 31, 8)
SPAN = timedelta(hours=4)
SURGE = "emergency@2026-03-31T10:00x6"
SEED = 31
# Until then a brain knows nothing yet.
FIRST_MINUTES = 3
STEP = {DemandReported: "demand", TelemetryArrived: "telemetry", ParticlesCollected: "particles"}
SIZES = [
    pytest.param("toy", 10_000, 1.5, 1, id="small"),
    pytest.param("jiangxi", None, 1.0, 3, id="province", marks=pytest.mark.heavy),
]
BRAINS = ["dynamic", "probing"]


class Recorder:
    """A brain, what it was told, and what it commanded."""

    def __init__(self, platform: Platform, prepared: Prepared, name: str) -> None:
        self._brain = make_brain(name, platform.network, Preparation(prepared, BEGIN, platform.transport))
        self.name = name
        self.events: list[Event] = []
        self.commands: list[list[Command]] = []

    def handle(self, event: Event) -> list[Command]:
        """Hand on, and remember both sides."""
        self.events.append(event)
        self.commands.append(self._brain.handle(event))
        return self.commands[-1]


@dataclass(frozen=True)
class Learnt:
    """A platform, what was learnt of it, and a trace with a surge."""

    platform: Platform
    prepared: Prepared
    trace: Path


def learn(scenario: str, exchanges_per_day: int | None, load: float, folder: Path) -> Learnt:
    """Two weeks to learn from, the last day of which is replayed for the lines, and the morning that is judged."""
    platform = scenarios.load(scenario)

    def trace(name: str, begin: date, span: timedelta, seed: int, *surges: str) -> Path:
        made = TraceGenerator(
            platform, start=begin, span=span, seed=seed, load=load, exchanges_per_day=exchanges_per_day,
            surges=[parse_surge(one) for one in surges],
        )  # fmt: skip
        write_trace(folder / name, made)
        return folder / name

    day = timedelta(days=1)
    past = trace("past", DAY - 14 * day, 14 * day, PAST_SEED)
    last = trace("last", DAY - day, day, PAST_SEED)
    lines = replay(platform, last, make_brain("ecmp", platform.network), seed=PAST_SEED).lines
    history = read_history([past], platform)
    prepared = prepare(platform.network, history, lines, TimeGrid(history.grid.end, HOUR_NS, 24), seed=1)
    return Learnt(platform, prepared, trace("morning", BEGIN, SPAN, SEED, SURGE))


def told_again(learnt: Learnt, recorded: Recorder, passes: int) -> tuple[dict[str, NDArray[np.float64]], Recorder]:
    """Tell new brains what was recorded; return process time and wall of each part of each minute, and the last one.

    Arrays are (2, minutes) [s]: the least of the passes.
    """
    minutes = 1 + recorded.events[-1].now_ns // MINUTE_NS
    least = {part: np.full((2, minutes), np.inf) for part in STEP.values()}
    for _ in range(passes):
        again = Recorder(learnt.platform, learnt.prepared, recorded.name)
        spent = {part: np.zeros((2, minutes)) for part in STEP.values()}
        for event in recorded.events:
            before = time.process_time(), time.perf_counter()
            again.handle(event)
            after = time.process_time(), time.perf_counter()
            if type(event) in STEP:
                spent[STEP[type(event)]][:, event.now_ns // MINUTE_NS] += np.subtract(after, before)
        least = {part: np.minimum(least[part], spent[part]) for part in least}
    return least, again


def same(one: Command, other: Command) -> bool:  # noqa: PLR0911 - one line a command
    """Whether two commands ask for the same; of records and holds, whether both are there."""
    match one, other:
        case BorrowServers(), BorrowServers():
            return np.array_equal(one.node, other.node) and np.array_equal(one.servers, other.servers)
        case SendParticles(), SendParticles():
            columns = ("route_start", "route_station", "payload_bytes", "priority")
            return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in columns)
        case LogDecision(), LogDecision():
            return one.decision == other.decision
        case SetPlan(), SetPlan():
            return one.reroute == other.reroute
        case KeepRecord(), KeepRecord():
            return np.array_equal(one.record.weights, other.record.weights)
        case SetHandling(), SetHandling():
            return (one.handling is None) == (other.handling is None)
        case _:
            return False


def figures(seconds: NDArray[np.float64]) -> dict[str, float]:
    """Median, 99th percentile and greatest [s]."""
    return {
        "p50_s": float(np.median(seconds)),
        "p99_s": float(np.quantile(seconds, 0.99)),
        "max_s": float(seconds.max()),
    }


@pytest.fixture(scope="module")
def learnt(request: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Learnt, int]:
    scenario, exchanges_per_day, load, passes = request.param
    return learn(scenario, exchanges_per_day, load, tmp_path_factory.mktemp(scenario)), passes


@pytest.mark.parametrize(
    "learnt", [pytest.param(one.values, id=one.id, marks=one.marks) for one in SIZES], indirect=True
)
@pytest.mark.parametrize("name", BRAINS)
def test_a_control_step(benchmark: BenchmarkFixture, learnt: tuple[Learnt, int], name: str) -> None:
    world, passes = learnt
    recorded = Recorder(world.platform, world.prepared, name)
    replay(world.platform, world.trace, recorded, seed=SEED)
    told, again = benchmark.pedantic(told_again, (world, recorded, passes), rounds=1)  # type: ignore[no-untyped-call]

    # It did its work, and the same as in the world.
    decided = {one.decision.kind for of in again.commands for one in of if isinstance(one, LogDecision)}
    assert DecisionKind.SURGE_FOUND in decided
    assert DecisionKind.ROUTES_CHANGED in decided
    collected = sum(len(one.round) for one in recorded.events if isinstance(one, ParticlesCollected))
    assert (collected > 0) == (name == "probing")
    for first, second in zip(recorded.commands, again.commands, strict=True):
        assert len(first) == len(second)
        assert all(same(one, other) for one, other in zip(first, second, strict=True))

    sampled = np.flatnonzero(told["telemetry"][0] > 0)
    sampled = sampled[sampled >= FIRST_MINUTES]
    whole = sum(told.values())
    assert isinstance(whole, np.ndarray)
    cpu, wall = whole[:, sampled]
    benchmark.extra_info |= {
        "goal": "control.step",
        "value": figures(cpu)["p99_s"],
        "target": TARGET_S,
        "steps": len(sampled),
        "passes": passes,
        "process_time": figures(cpu),
        "wall": figures(wall),
        "parts": {part: figures(seconds[0, sampled]) for part, seconds in told.items()},
    }
