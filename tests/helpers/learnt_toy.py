"""The toy province with a week behind it: what a brain learnt of it, and hours to replay; each made once a process."""

from __future__ import annotations

import atexit
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import numpy as np

import scenarios
from router_core.exchanges import NO_DEADLINE, concatenate
from router_core.platform import Platform
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS
from sim.faults import Fault
from sim.replay import Replay
from sim.replay import replay as replay_trace
from sim.world import WorldConfig
from strategies.brain import Brain
from strategies.registry import Preparation, make_brain
from strategies.static.prepare import Prepared, prepare
from traces.generate import TraceGenerator
from traces.history import read_history
from traces.surges import parse_surge
from traces.writer import write_all

# A week from Monday on; planned, and replayed, is the Monday after it.
BEGIN, TODAY = datetime(2026, 3, 2), datetime(2026, 3, 9)


@dataclass(frozen=True)
class Days:
    """What days are like: `load` times `per_day` exchanges, of which `per_day` would fill the busiest line at its peak.

    In each rush, from one hour of a day until another, there are so many times as many exchanges.
    """

    load: float = 0.7
    per_day: int = 80_000
    rush: tuple[float, float, float] | None = None


USUAL = Days()
# Many exchanges would fill a line, and few come: nothing is busy.
CALM = Days(0.05, 400_000)


@cache
def toy() -> Platform:
    return scenarios.load("toy")


@cache
def _folder() -> Path:
    made = Path(mkdtemp(prefix="learnt-toy-"))
    atexit.register(rmtree, made, ignore_errors=True)
    return made


@cache
def _trace(begin: datetime, span: timedelta, seed: int, days: Days, surges: tuple[str, ...] = ()) -> Path:
    """A trace; what comes more in a rush is drawn by itself, so that all else stays as it is without."""

    def generator(begin: datetime, span: timedelta, seed: int, load: float, surges: Sequence[str]) -> TraceGenerator:
        return TraceGenerator(
            toy(),
            start=begin,
            span=span,
            seed=seed,
            exchanges_per_day=days.per_day,
            load=load,
            surges=[parse_surge(one) for one in surges],
        )

    usual = generator(begin, span, seed, days.load, surges)
    parts = list(usual)
    if days.rush is not None:
        first, last, times = days.rush
        for day in range((span + timedelta(hours=23)).days + 1):
            midnight = begin.replace(hour=0, minute=0) + timedelta(days=day)
            start, end = midnight + timedelta(hours=first), midnight + timedelta(hours=last)
            start, end = max(start, begin), min(end, begin + span)
            if start < end:
                more = generator(start, end - start, seed + 1_000, (times - 1) * days.load, ())
                later_ns = round((start - begin).total_seconds()) * 10**9
                parts += [
                    replace(
                        part,
                        submitted_ns=part.submitted_ns + later_ns,
                        deadline_ns=np.where(part.deadline_ns == NO_DEADLINE, NO_DEADLINE, part.deadline_ns + later_ns),
                    )
                    for part in more
                ]
    rows = concatenate(parts)
    path = _folder() / f"{_trace.cache_info().currsize}.parquet"
    write_all(path, usual.info, rows[np.argsort(rows.submitted_ns, kind="stable")])
    return path


@cache
def learnt(days: Days = USUAL) -> Prepared:
    """What the week taught."""
    history = read_history([_trace(BEGIN, TODAY - BEGIN, 5, days)], toy(), until=TODAY)
    return prepare(toy().network, history, None, TimeGrid(TODAY, HOUR_NS, 24), seed=3)


def hours(begin: float, count: float, *, seed: int = 7, days: Days = USUAL, surges: tuple[str, ...] = ()) -> Path:
    """A trace of some hours of today."""
    return _trace(at(begin), timedelta(hours=count), seed, days, surges)


def days_on(count: float, *, seed: int = 7, days: Days = USUAL, surges: tuple[str, ...] = ()) -> Path:
    """A trace of some days from today on."""
    return _trace(TODAY, timedelta(days=count), seed, days, surges)


def at(hour: float) -> datetime:
    """Local time today."""
    return TODAY + timedelta(hours=hour)


def brain_of(name: str, hour: float, days: Days = USUAL) -> Brain:
    """A new brain that knows the week, for a run that begins at that hour of today."""
    return make_brain(name, toy().network, Preparation(learnt(days), at(hour), toy().transport))


def lived(
    brain: Brain,
    trace: Path,
    *,
    seed: int = 1,
    faults: Sequence[Fault] = (),
    config: WorldConfig | None = None,
    data_plane: str = "compiled",
) -> Replay:
    """Replay a trace of the toy under a brain; nothing may be lost (law 1)."""
    found = replay_trace(toy(), trace, brain, seed=seed, faults=faults, config=config, data_plane=data_plane)
    counts = found.metrics.counts
    assert counts.submitted == counts.delivered > 0, counts
    return found
