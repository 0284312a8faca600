"""`replay`: a trace through the world under one or more brains, results and report."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer

import scenarios
from exchange_router import console, provenance
from exchange_router.options import AsJson, Scenario, Seed
from exchange_router.replay_tables import replay_tables
from exchange_router.watch import watching
from router_core.errors import BadInputError
from router_core.platform import Platform
from router_core.units import SECOND_NS
from sim.brain_setting import read_setting
from sim.clairvoyant import clairvoyant
from sim.decision_log import write_decisions
from sim.fault_file import read_faults
from sim.faults import Fault
from sim.mode_table import write_modes
from sim.plan_table import PlanTable, plan_table
from sim.policy_folder import write_policies
from sim.replay import DATA_PLANES, DEFAULT_DATA_PLANE, Replay
from sim.replay import replay as replay_trace
from sim.report import build
from sim.result_folder import (
    RUN_FILE,
    write_lines,
    write_metrics,
    write_network,
    write_pairs,
    write_plan,
    write_run,
    write_station_slots,
)
from sim.results import Provenance, Run, ScenarioTitle, network_table
from sim.telemetry import TelemetryConfig
from sim.workers import open_workers, tell
from sim.world import WorldConfig
from strategies.brain import Brain
from strategies.dynamic.setting import DynamicSetting
from strategies.registry import BRAINS, PREPARED_BRAINS, SET_BRAINS, Preparation, make_brain
from traces.reader import TraceReader
from traces.validate import open_valid

REPORT_FILE: Final = "report.html"
TELEMETRY_S_MIN: Final = 0.001
TELEMETRY_S_MAX: Final = 86_400.0
# It is no brain, as it sees the trace before its time: a yardstick beside those that learn.
CLAIRVOYANT: Final = "clairvoyant"
LEARNED: Final = (*PREPARED_BRAINS, CLAIRVOYANT)
NAMES: Final = (*BRAINS, *LEARNED)


@dataclass(frozen=True, eq=False)
class Job:
    """One brain's replay, as a worker gets it."""

    platform: Platform
    trace: Path
    brain: str
    seed: int
    data_plane: str
    config: WorldConfig
    faults: tuple[Fault, ...]
    prepared: Path | None
    setting: DynamicSetting
    start: datetime
    watch: bool


def replay(
    trace: Annotated[Path, typer.Option(help="Trace file to replay.  要回放的交换轨迹文件。")],
    out: Annotated[Path, typer.Option(help="Folder for results and report; made new.  结果目录。")],
    scenario: Scenario = "jiangxi",
    brain: Annotated[
        list[str] | None,
        typer.Option(
            help=f"One of {', '.join(NAMES)}; may be repeated "
            f"(default: {', '.join(BRAINS)}, and static if prepared).  调度策略。"
        ),
    ] = None,
    prepared: Annotated[
        Path | None, typer.Option(help="Brain file of `brain fit`, for those that learn.  学习型策略所需的文件。")
    ] = None,
    setting: Annotated[
        Path | None, typer.Option(help="Setting file of the dynamic policy, as `tune` writes it.  动态策略参数文件。")
    ] = None,
    data_plane: Annotated[
        str, typer.Option(help=f"One of {', '.join(DATA_PLANES)}.  数据面实现。")
    ] = DEFAULT_DATA_PLANE,
    faults: Annotated[
        Path | None, typer.Option(help="What fails and when: a TOML file, docs/fault-format.md.  故障文件。")
    ] = None,
    telemetry_s: Annotated[
        float, typer.Option(help="Seconds from one telemetry sample to the next.  遥测采样间隔（秒）。")
    ] = 60.0,
    seed: Seed = 1,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes; no influence on results (default: one a core).  并行进程数。")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show the day as it goes, on stderr.  在终端实时显示回放过程。")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Replay a trace in the simulated world under one or more brains.  在仿真世界中用一种或多种策略回放交换轨迹。"""
    brains = list(dict.fromkeys(brain or [*BRAINS, *(["static"] if prepared else [])]))
    _check(brains, prepared, setting, data_plane, telemetry_s, out)
    parameters = DynamicSetting() if setting is None else read_setting(setting)
    platform = scenarios.load(scenario)
    with TraceReader(trace) as reader:
        start, span_ns, rows = reader.info.start.replace(tzinfo=None), reader.info.span_ns, reader.rows
    plan = None if prepared is None else _plan_of(prepared, platform, start, span_ns)
    failures = () if faults is None else read_faults(faults, platform.network, span_ns)
    console.say(console.text(f"checking {trace}", f"检查 {trace}"))
    open_valid(trace, platform).close()
    config = WorldConfig(telemetry=TelemetryConfig(period_ns=round(telemetry_s * SECOND_NS)))
    started = time.perf_counter()
    results = _replay_all(
        [
            Job(platform, trace, name, seed, data_plane, config, failures, prepared, parameters, start, watch)
            for name in brains
        ],
        jobs,
    )
    elapsed = time.perf_counter() - started
    origin = provenance.provenance(
        provenance.command(
            "replay",
            scenario=scenario,
            trace=trace.name,
            brain=brains,
            prepared=prepared and prepared.name,
            setting=setting and setting.name,
            data_plane=data_plane,
            faults=faults and faults.name,
            telemetry_s=telemetry_s,
            seed=seed,
        ),
        scenario=platform.name,
        scenario_digest=platform.digest,
        seed=seed,
        trace_digest=provenance.file_digest(trace),
        faults_digest=None if faults is None else provenance.file_digest(faults),
        prepared_digest=None if prepared is None else provenance.file_digest(prepared),
        setting_digest=None if setting is None else provenance.file_digest(setting),
    )
    run = Run(
        provenance=Provenance.model_validate(origin),
        scenario=ScenarioTitle(name=platform.name, title_en=platform.title_en, title_zh=platform.title_zh),
        start=start,
        slot_ns=config.slot_ns,
        brains=brains,
    )
    report = _store(out, platform, run, dict(zip(brains, results, strict=True)), plan)
    metrics = {result.metrics.brain: result.metrics for result in results}
    document: dict[str, Any] = {
        "provenance": origin,
        "out": str(out),
        "report": str(report),
        "brains": {
            name: one.model_dump(
                include={
                    "span_ns",
                    "ended_ns",
                    "counts",
                    "bytes",
                    "refused_by_reason",
                    "chunks",
                    "completion",
                    "stations",
                    "withheld",
                    "pools",
                    "decisions",
                }
            )
            for name, one in metrics.items()
        },
    }
    speed = console.text("exchanges a second in all", "次交换每秒（合计）")
    console.say(f"{rows * len(brains):,} / {elapsed:.1f} s = {rows * len(brains) / elapsed:,.0f} {speed}")
    console.emit(document, as_json, *replay_tables(metrics))


def _check(
    brains: list[str], prepared: Path | None, setting: Path | None, data_plane: str, telemetry_s: float, out: Path
) -> None:
    """Refuse what can be refused before minutes are spent."""
    for name in brains:
        if name not in NAMES:
            raise BadInputError("--brain", f"must be one of {', '.join(NAMES)}", name)
        if name in LEARNED and prepared is None:
            raise BadInputError("--brain", "needs --prepared with a file of `brain fit`", name)
    if prepared is not None and not any(name in LEARNED for name in brains):
        rule = f"must go with a brain that uses it, one of {', '.join(LEARNED)}"
        raise BadInputError("--prepared", rule, str(prepared))
    if setting is not None and not any(name in SET_BRAINS for name in brains):
        rule = f"must go with a brain that uses it, one of {', '.join(SET_BRAINS)}"
        raise BadInputError("--setting", rule, str(setting))
    if data_plane not in DATA_PLANES:
        raise BadInputError("--data-plane", f"must be one of {', '.join(DATA_PLANES)}", data_plane)
    if not TELEMETRY_S_MIN <= telemetry_s <= TELEMETRY_S_MAX:
        raise BadInputError("--telemetry-s", f"must lie in {TELEMETRY_S_MIN:g}..{TELEMETRY_S_MAX:g}", telemetry_s)
    if out.exists() and not out.is_dir():
        raise BadInputError("--out", "must be a folder", str(out))
    if out.is_dir() and any(out.iterdir()) and not (out / RUN_FILE).is_file():
        raise BadInputError("--out", "must be new, empty, or hold an earlier result that may be replaced", str(out))


def _plan_of(path: Path, platform: Platform, start: datetime, span_ns: int) -> PlanTable:
    """Refuse a file that does not fit, say if its days are not the trace's, and return what pictures show of it."""
    from sim.brain_file import read_brain  # noqa: PLC0415 - it loads estimators that most replays do without

    plan = read_brain(path, platform).prepared.plan
    end = start + timedelta(microseconds=span_ns // 1_000)
    if start < plan.grid.begin or end > plan.grid.end:
        planned = f"{plan.grid.begin.isoformat()} - {plan.grid.end.isoformat()}"
        console.say(
            console.text(
                f"{path}: plans {planned}; for other hours it takes the most similar ones",
                f"{path}：规划范围 {planned}；范围之外取最相似的时段",
            )
        )
    return plan_table(plan, platform.network)


def _replay_all(jobs: list[Job], processes: int | None) -> list[Replay]:
    """Run the jobs, side by side where there are cores; the order of results is that of the jobs."""
    workers = min(len(jobs), processes or os.cpu_count() or 1)
    with ExitStack() as shown:
        if jobs[0].watch:
            hear: Callable[[str, Any], None] = shown.enter_context(watching([job.brain for job in jobs], jobs[0].start))
        else:
            hear = shown.enter_context(console.bars()).update
        crew = shown.enter_context(open_workers(str(workers) if workers > 1 else "here"))
        return crew.map(_work, jobs, on_news=lambda index, news: hear(jobs[index].brain, news))


def _work(job: Job) -> Replay:
    return replay_trace(
        job.platform,
        job.trace,
        _brain(job),
        seed=job.seed,
        data_plane=job.data_plane,
        config=job.config,
        faults=job.faults,
        on_progress=None if job.watch else tell,
        on_moment=tell if job.watch else None,
    )


def _brain(job: Job) -> Brain:
    """Make the brain where it is needed: in the worker, because arrays are dear to hand over."""
    if job.prepared is None or job.brain not in LEARNED:
        return make_brain(job.brain, job.platform.network)
    from sim.brain_file import read_brain  # noqa: PLC0415 - it loads estimators that most replays do without

    prepared = read_brain(job.prepared, job.platform).prepared
    if job.brain == CLAIRVOYANT:
        return clairvoyant(job.platform, job.trace, prepared, start=job.start, seed=job.seed, config=job.config)
    preparation = Preparation(prepared, job.start, job.platform.transport, job.setting)
    return make_brain(job.brain, job.platform.network, preparation)


def _store(out: Path, platform: Platform, run: Run, results: dict[str, Replay], plan: PlanTable | None) -> Path:
    """Write the whole result beside `out`, then put it in its place: a run that fails leaves the old one."""
    draft, earlier = (out.with_name(f".{out.name}.{os.getpid()}.{what}") for what in ("part", "earlier"))
    try:
        draft.mkdir(parents=True)
        write_network(draft, network_table(platform.network))
        for name, result in results.items():
            write_metrics(draft, result.metrics)
            write_station_slots(draft, name, [result.stations])
            write_pairs(draft, name, result.pairs)
            write_lines(draft, name, result.lines)
            write_modes(draft, name, result.modes)
            write_decisions(draft, name, result.decisions)
            write_policies(draft, name, result.policies)
            if plan is not None and name in LEARNED:
                write_plan(draft, name, plan)
        write_run(draft, run)
        build(draft)
        if out.exists():
            os.replace(out, earlier)
        os.replace(draft, out)
    finally:
        if earlier.exists() and not out.exists():
            os.replace(earlier, out)
        for left_over in (draft, earlier):
            shutil.rmtree(left_over, ignore_errors=True)
    return out / REPORT_FILE
