"""A week under the static policy and under the baselines: one history to learn from, other traces to be judged on."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from scipy import stats

import scenarios
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS
from sim.clairvoyant import clairvoyant
from sim.replay import replay
from sim.world import WorldConfig
from strategies.registry import Preparation, make_brain
from strategies.static.prepare import Prepared, prepare
from strategies.static.slot_planner import PlanSetting
from traces.generate import TraceGenerator, write_trace
from traces.history import read_history
from traces.surges import parse_surge

# Seed of the history and of the world in which its last days were replayed for the lines; no judged trace has it.
PAST_SEED = 77_001
BASELINES = ("shortest-path", "ecmp")
STATIC = ("static", "static-no-holds")
CLAIRVOYANT = "clairvoyant"
# What somebody sits and waits for.
INTERACTIVE = ("query", "docking")


@dataclass(frozen=True)
class Week:
    """Which days are learnt from and which are judged.

    Attributes
    ----------
    scenario : str
    begin : date
        First judged day.
    days, past_days, line_days : int
        Judged days, days of history before them, and days at its end whose replay tells what others take of lines.
    load : float
    exchanges_per_day : int or None
    surges : tuple of str
        What strikes the judged days, as `traces.surges.parse_surge` reads it.
    """

    scenario: str
    begin: date
    days: int
    past_days: int
    line_days: int
    load: float
    exchanges_per_day: int | None = None
    surges: tuple[str, ...] = ()

    def trace(self, path: Path, begin: date, days: int, seed: int) -> Path:
        """Generate a trace; the surges are those of the judged days."""
        platform = scenarios.load(self.scenario)
        generator = TraceGenerator(
            platform,
            start=begin,
            span=timedelta(days=days),
            seed=seed,
            load=self.load,
            exchanges_per_day=self.exchanges_per_day,
            surges=[parse_surge(text) for text in self.surges] if begin == self.begin else [],
        )
        write_trace(path, generator)
        return path


@dataclass(frozen=True)
class Outcome:
    """What a replay was worth: 99th percentile of completion [s] by mode, deadlines missed and set, and counts."""

    p99_s: dict[str, float]
    missed: int
    deadlines: int
    submitted: int
    delivered: int


def learn(week: Week, folder: Path, kinds: Sequence[str] = STATIC) -> dict[str, Prepared]:
    """Generate the history, replay its end under `ecmp` for the lines, and prepare the static policy of these kinds."""
    platform = scenarios.load(week.scenario)
    past = week.trace(folder / "past", week.begin - timedelta(days=week.past_days), week.past_days, PAST_SEED)
    # Streams are cut by date: the last days generated alone are the last days of the history.
    late = week.trace(folder / "late", week.begin - timedelta(days=week.line_days), week.line_days, PAST_SEED)
    lines = replay(platform, late, make_brain("ecmp", platform.network), seed=PAST_SEED).lines
    history = read_history([past], platform)
    grid = TimeGrid(history.grid.end, HOUR_NS, 24 * week.days)
    return {
        name: prepare(platform.network, history, lines, grid, seed=1, setting=PlanSetting(holds=name == "static"))
        for name in kinds
    }


def judge(
    week: Week,
    prepared: dict[str, Prepared],
    folder: Path,
    seeds: range,
    names: Sequence[str] = (*BASELINES, *STATIC),
) -> dict[str, list[Outcome]]:
    """Replay each seed's week under all brains; two processes, which do not influence results.

    A brain without a preparation of its own goes by that of ``static``.
    """
    jobs = []
    for seed in seeds:
        trace = week.trace(folder / f"week-{seed}", week.begin, week.days, seed)
        for name in names:
            by = None if name in BASELINES else prepared.get(name, prepared["static"])
            jobs.append((week, trace, name, by, seed))
    found: dict[str, list[Outcome]] = {name: [] for name in names}
    with ProcessPoolExecutor(2) as pool:
        for job, outcome in zip(jobs, pool.map(_judged, jobs), strict=True):
            found[job[2]].append(outcome)
    return found


def _judged(job: tuple[Week, Path, str, Prepared | None, int]) -> Outcome:
    week, trace, name, prepared, seed = job
    platform = scenarios.load(week.scenario)
    if prepared is None:
        brain = make_brain(name, platform.network)
    elif name == CLAIRVOYANT:
        start = prepared.plan.grid.begin
        brain = clairvoyant(platform, trace, prepared, start=start, seed=seed, config=WorldConfig())
    else:
        brain = make_brain(name, platform.network, Preparation(prepared, prepared.plan.grid.begin, platform.transport))
    metrics = replay(platform, trace, brain, seed=seed).metrics
    return Outcome(
        p99_s={mode: one.p99_ns / 1e9 for mode, one in metrics.completion.by_mode.items() if one.p99_ns is not None},
        missed=metrics.completion.all.deadline_missed,
        deadlines=metrics.completion.all.deadline_total,
        submitted=metrics.counts.submitted,
        delivered=metrics.counts.delivered,
    )


def interval(values: list[float]) -> tuple[float, float]:
    """95 % confidence interval of the mean, by Student's t."""
    mean, error = float(np.mean(values)), float(stats.sem(values))
    low, high = stats.t.interval(0.95, len(values) - 1, mean, error) if error > 0 else (mean, mean)
    return float(low), float(high)


def figures(outcomes: list[Outcome]) -> dict[str, tuple[float, float, float]]:
    """Mean and interval of each figure."""
    columns = {f"p99_s.{mode}": [one.p99_s[mode] for one in outcomes] for mode in INTERACTIVE}
    columns["missed_share"] = [one.missed / one.deadlines for one in outcomes]
    return {name: (float(np.mean(column)), *interval(column)) for name, column in columns.items()}
