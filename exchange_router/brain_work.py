"""The work of `brain`: reads, learns, writes, and gathers what tables, JSON and page show."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from threadpoolctl import threadpool_limits

import scenarios
from exchange_router import console
from exchange_router.provenance import file_digest, provenance
from router_core.demand_history import DemandHistory
from router_core.errors import BadInputError
from router_core.line_history import LineHistory
from router_core.platform import Platform
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS
from sim.brain_file import BrainFile, read_brain, read_provenance, write_brain
from sim.plan_table import plan_table
from sim.report.assembly import write_page
from sim.report.brain_facts import class_facts, drift_facts, tide_facts
from sim.result_folder import read_line_history, read_network, read_run
from sim.results import network_table
from strategies.classes.drift import drift_of
from strategies.static.outlook import Hindsight, class_outlook, hindsight
from strategies.static.prepare import prepare
from strategies.static.slot_planner import PlanSetting
from strategies.surges.recurring import fit_without_surges
from strategies.tides.fit import fit_tides
from traces.history import read_history

HOURS_A_DAY: Final = 24
STAGES: Final = {
    "history": ("reading the history", "读取历史"),
    "classes": ("finding classes", "归纳类别"),
    "tides": ("learning tides", "学习潮汐"),
    "paths": ("choosing paths", "选择路径"),
    "plan": ("planning", "制定方案"),
}


def learn(
    traces: list[Path],
    scenario: str,
    command_line: str,
    *,
    lines: Path | None,
    lines_brain: str | None,
    begin: str | None,
    days: int,
    seed: int,
    holds: bool,
    without_surges: bool = False,
) -> tuple[Platform, BrainFile]:
    """Learn from traces and plan the days to come."""
    first = None if begin is None else _date(begin)
    platform = scenarios.load(scenario)
    # BLAS adds in another order with other numbers of threads, and equal seeds are to give equal bytes.
    with console.bars() as bars, threadpool_limits(limits=1):

        def tell(stage: str, done: float) -> None:
            bars.update(console.text(*STAGES[stage]), done)

        history = _history(traces, platform, first, tell)
        grid = _planned(history, first, days)
        others = None if lines is None else line_history(lines, lines_brain, platform, grid.begin)
        if others is None:
            free = "no --lines: lines are planned as if nobody else used them", "未给出 --lines：按线路无其他用户规划"
            console.say(console.text(*free))
        learnt = prepare(
            platform.network,
            history,
            others,
            grid,
            seed=seed,
            setting=PlanSetting(holds=holds),
            on_progress=tell,
            fit=fit_without_surges if without_surges else fit_tides,
        )
        classes = learnt.classes
        outlook = class_outlook(history, classes.relation_class, len(classes.classes), grid, seed)
    origin = provenance(
        command_line, scenario=platform.name, scenario_digest=platform.digest, seed=seed, scenario_option=scenario,
        holds=holds, without_surges=without_surges, history=_history_facts(history, traces),
        lines=None if others is None or lines is None else f"{lines.name}, {others.grid.count} h",
    )  # fmt: skip
    return platform, BrainFile(origin, learnt, outlook)


def gather_facts(
    content: BrainFile, platform: Platform, later: DemandHistory | None, *, tides_asked: bool
) -> dict[str, Any]:
    """Return what tables, JSON and page show.

    Parameters
    ----------
    content : BrainFile
    platform : Platform
    later : DemandHistory or None
        What was exchanged since.
    tides_asked : bool
        A later history that holds no hour of the plan is then an error; else the forecast is not held against it.
    """
    prepared, origin = content.prepared, content.provenance
    model, grid = prepared.classes, prepared.plan.grid
    found: Hindsight | None = None
    drift = None
    if later is not None:
        about = later.relations
        row = model.find(about.source, about.target, about.mode, about.kind, about.priority)
        assigned, _ = model.assign(later)
        moved = drift_of(model, later)
        drift = drift_facts(model, moved, assigned[moved.new], int(later.observed.sum()))
        first, last = np.clip([grid.step_of(later.grid.begin), grid.step_of(later.grid.end)], 0, grid.count)
        if tides_asked or first < last:
            label = np.where(row >= 0, model.relation_class[np.maximum(row, 0)], assigned)
            expected = prepared.tides.forecast(grid)
            found = hindsight(platform.network, prepared.series, expected, content.outlook, later, label)
    learnt = class_facts(model)
    return {
        "run": {
            "provenance": {name: value for name, value in origin.items() if name not in ("history", "lines")},
            "scenario": {"name": platform.name, "title_en": platform.title_en, "title_zh": platform.title_zh},
        },
        "history": origin["history"],
        "lines": origin["lines"],
        "holds": origin["holds"],
        "topology": prepared.plan.topology,
        "learnt": learnt,
        "drift": drift,
        "tides": tide_facts(prepared.tides.record, model, content.outlook, found),
        "plan": plan_table(prepared.plan, platform.network).model_dump(mode="json"),
    }


def read(path: Path, scenario: str | None) -> tuple[Platform, BrainFile]:
    """Read a brain file with the platform it was made for, or one that the user names."""
    origin = read_provenance(path)
    platform = scenarios.load(scenario or str(origin.get("scenario_option", origin.get("scenario"))))
    content = read_brain(path, platform)
    if origin.get("scenario_digest") != platform.digest:
        console.say(
            console.text(
                f"{path}: made for another state of scenario {platform.name}, with the same network",
                f"{path}：为场景 {platform.name} 的另一版本生成，网络相同",
            )
        )
    return platform, content


def read_later(traces: list[Path] | None, platform: Platform) -> DemandHistory | None:
    """Read what was exchanged since, if traces are given."""
    if not traces:
        return None
    with console.bars() as bars:
        return read_history(
            traces,
            platform,
            on_progress=lambda done, rows: bars.update(console.text(*STAGES["history"]), done / max(rows, 1)),
        )


def _history(
    traces: list[Path], platform: Platform, first: date | None, tell: Callable[[str, float], None]
) -> DemandHistory:
    """Read the history; what lies behind the first planned day is not known when it is planned."""
    until = None if first is None else datetime(first.year, first.month, first.day)
    try:
        return read_history(
            traces, platform, until=until, on_progress=lambda done, rows: tell("history", done / max(rows, 1))
        )
    except BadInputError as error:
        raise BadInputError("--begin", error.rule, error.value) if error.place == "until" else error from None


def _planned(history: DemandHistory, first: date | None, days: int) -> TimeGrid:
    """Return the hours to plan: whole days, the first one none that the history touches unless it is named."""
    end = history.grid.end
    midnight = end.replace(hour=0, minute=0, second=0, microsecond=0)
    after = midnight if end == midnight else midnight + timedelta(days=1)
    begin = after if first is None else datetime(first.year, first.month, first.day)
    return TimeGrid(begin, HOUR_NS, days * HOURS_A_DAY)


def line_history(folder: Path, brain: str | None, platform: Platform, begin: datetime) -> LineHistory:
    """Read what others took of the lines, as far as it was known when the plan begins."""
    run = read_run(folder)
    if brain is not None and brain not in run.brains:
        raise BadInputError("--lines-brain", f"must be one of {', '.join(run.brains)}", brain)
    if read_network(folder) != network_table(platform.network):
        raise BadInputError("--lines", f"must be a replay of scenario {platform.name}", run.scenario.name, str(folder))
    found = read_line_history(folder, brain)
    known = min(found.grid.count, max(found.grid.step_of(begin), 0))
    if known == 0:
        raise BadInputError("--lines", f"must tell of hours before {begin.isoformat()}", run.start.isoformat())
    return LineHistory(found.grid.part(0, known), found.others[:known])


def _history_facts(history: DemandHistory, traces: list[Path]) -> dict[str, Any]:
    return {
        "begin": history.grid.begin.isoformat(),
        "end": history.grid.end.isoformat(),
        "hours": int(history.observed.sum()),
        "relations": len(history.relations),
        "exchanges": int(history.exchanges.sum()),
        "payload_bytes": int(history.payload_bytes.sum()),
        "traces": [one.name for one in traces],
        "digests": [file_digest(one) for one in traces],
    }


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInputError("--begin", "must be a date such as 2026-03-17", text) from None


def store(path: Path, content: BrainFile) -> None:
    """Write the brain file."""
    write_brain(path, content)


def draw(path: Path | None, facts: dict[str, Any]) -> str | None:
    """Write the page if it was asked for; return where it is."""
    if path is None:
        return None
    write_page(path, "brain", facts)
    return str(path)
