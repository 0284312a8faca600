"""Centres of the province that are lost for some minutes of a busy morning, and what that run left to be judged.

The study of survival lives the hours: its elements, its windows, its runs without and with a failure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
from watched_plane import WATCHED, Asked, watching

from router_core.exchanges import Exchanges
from router_core.network import Network
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS, MINUTE_NS
from sim.brain_file import OUTLOOK, BrainFile, write_brain
from sim.data_plane import Outcome, Snapshot
from sim.studies.case import BrainChoice, Case, live_case, platform_of
from sim.studies.survival.cut_off import reach_of
from sim.studies.survival.elements import Element, Failure, elements_of, pairs_of, singles
from sim.studies.survival.trial import Baseline, Moment, faults_of, live_baseline
from sim.studies.survival.window import Span
from strategies.static.prepare import prepare
from strategies.tides.forecast import Forecast
from traces.generate import TraceGenerator, write_trace
from traces.history import read_history

SCENARIO = "jiangxi"
# The busiest hour of a working day, as many exchanges as the scenario says.
AT = datetime(2026, 3, 17, 10)
SPAN = Span(2 * MINUTE_NS, 3 * MINUTE_NS, 8 * MINUTE_NS)
# What the brain has learnt matters little here, that it carries ways past failures does: a day and a half, thinly.
PAST_H, PAST_PER_DAY = 32, 20_000


def centres() -> tuple[Element, ...]:
    """The central exchange nodes: the province's, those of its 11 cities and of 44 counties; each is lost whole."""
    return elements_of(platform_of(SCENARIO).network, ("centre",))


def single_losses() -> tuple[Failure, ...]:
    """Any one centre."""
    return singles(centres())


def double_losses() -> tuple[Failure, ...]:
    """Any two centres, in order."""
    return pairs_of(centres(), None, 0).failures


@cache
def quick_brain(folder: Path) -> Path:
    """Learn from a day and a half, plan two hours, and return the brain file: half a minute of work."""
    platform = platform_of(SCENARIO)
    today = AT.replace(hour=8)
    past = folder / "past.parquet"
    hours = timedelta(hours=PAST_H)
    write_trace(
        past,
        TraceGenerator(platform, start=today - hours, span=hours, seed=5, exchanges_per_day=PAST_PER_DAY),
    )
    history = read_history([past], platform, until=today)
    prepared = prepare(platform.network, history, None, TimeGrid(today, HOUR_NS, 3), seed=3)
    forecast = prepared.tides.forecast(prepared.plan.grid)
    of = {name: getattr(forecast, name) for name in OUTLOOK}
    for name in ("p50", "p95", "mean"):
        of[name] = of[name][:, :1].repeat(len(prepared.classes.classes) + 1, axis=1)
    path = folder / "quick.brain"
    write_brain(path, BrainFile({"scenario": SCENARIO}, prepared, Forecast(prepared.plan.grid, **of)))
    return path


def busy_moment(folder: Path, brain: BrainChoice, seed: int = 1, span: Span = SPAN) -> Moment:
    """Draw the minutes around ten, live them without any loss, and return what losses are held against."""
    platform = platform_of(SCENARIO)
    lead, whole = (timedelta(microseconds=length_ns // 1_000) for length_ns in (span.lead_ns, span.whole_ns))
    trace = folder / "morning.parquet"
    write_trace(trace, TraceGenerator(platform, start=AT - lead, span=whole, seed=seed))
    moment = Moment(Case(SCENARIO, trace, brain, seed), AT.isoformat(), span, folder / "baseline.npz")
    live_baseline(moment)
    return moment


@dataclass(frozen=True, eq=False)
class Seen:
    """What a run with a loss left; rows are exchanges, in order of submission.

    Attributes
    ----------
    moment : Moment
    failure : Failure
    rows : Exchanges
    outcome : Outcome
    base : Baseline
        The same without the loss.
    asked : tuple of Asked
        The plans that the data plane was given, and what it asked of them.
    last : Snapshot
        The data plane at the end.
    """

    moment: Moment
    failure: Failure
    rows: Exchanges
    outcome: Outcome
    base: Baseline
    asked: tuple[Asked, ...]
    last: Snapshot

    @property
    def network(self) -> Network:
        """The province's."""
        return platform_of(self.moment.case.scenario).network

    @property
    def down(self) -> np.ndarray:
        """Which stations stop, bool (S,)."""
        down = np.zeros(self.network.station_count, dtype=np.bool_)
        down[list(self.failure.stations)] = True
        return down

    def cut(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Which pairs of endpoints no lawful way joins while the loss lasts, bool (n,)."""
        network = self.network
        pair, of_pair = np.unique(source.astype(np.int64) * network.node_count + target, return_inverse=True)
        first, last = np.divmod(pair, network.node_count)
        return reach_of(network).cut(first.astype(np.int32), last.astype(np.int32), self.down)[of_pair]


def seen_through(moment: Moment, failure: Failure) -> Seen:
    """Live a moment with a loss."""
    with watching() as planes:
        lived = live_case(replace(moment.case, faults=faults_of(failure, moment.span), data_plane=WATCHED))
    with np.load(moment.baseline) as columns:
        base = Baseline(**{name: columns[name] for name in columns.files})
    (plane,) = planes
    record = lived.record
    return Seen(moment, failure, record.exchanges, record.outcome, base, tuple(plane.asked), plane.snapshot())
