"""`replay`: a trace through the world under one or more brains, results and report."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

import scenarios
from exchange_router import console, provenance
from exchange_router.options import AsJson, Scenario, Seed
from router_core.errors import BadInputError
from router_core.platform import Platform
from sim.replay import DATA_PLANES, Replay
from sim.replay import replay as replay_trace
from sim.report import build
from sim.result_folder import RUN_FILE, write_metrics, write_network, write_pairs, write_run, write_station_slots
from sim.results import BrainMetrics, Provenance, Run, ScenarioTitle, network_table
from sim.world import WorldConfig
from strategies.registry import BRAINS, make_brain
from traces.validate import open_valid

REPORT_FILE = "report.html"


@dataclass(frozen=True, eq=False)
class Job:
    """One brain's replay, as a worker gets it."""

    platform: Platform
    trace: Path
    brain: str
    seed: int
    data_plane: str


def replay(
    trace: Annotated[Path, typer.Option(help="Trace file to replay.  要回放的交换轨迹文件。")],
    out: Annotated[Path, typer.Option(help="Folder for results and report; made new.  结果目录。")],
    scenario: Scenario = "jiangxi",
    brain: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(BRAINS)}; may be repeated (default: all).  调度策略。")
    ] = None,
    data_plane: Annotated[str, typer.Option(help=f"One of {', '.join(DATA_PLANES)}.  数据面实现。")] = "simpy",
    seed: Seed = 1,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes; no influence on results (default: one a core).  并行进程数。")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Replay a trace in the simulated world under one or more brains.  在仿真世界中用一种或多种策略回放交换轨迹。"""
    brains = list(dict.fromkeys(brain or list(BRAINS)))
    _check(brains, data_plane, out)
    platform = scenarios.load(scenario)
    console.say(console.text(f"checking {trace}", f"检查 {trace}"))
    with open_valid(trace, platform) as reader:
        start, rows = reader.info.start.replace(tzinfo=None), reader.rows
    started = time.perf_counter()
    results = _replay_all([Job(platform, trace, name, seed, data_plane) for name in brains], jobs)
    elapsed = time.perf_counter() - started
    origin = provenance.provenance(
        provenance.command(
            "replay", scenario=scenario, trace=trace.name, brain=brains, data_plane=data_plane, seed=seed
        ),
        scenario=platform.name,
        scenario_digest=platform.digest,
        seed=seed,
        trace_digest=_digest(trace),
    )
    run = Run(
        provenance=Provenance.model_validate(origin),
        scenario=ScenarioTitle(name=platform.name, title_en=platform.title_en, title_zh=platform.title_zh),
        start=start,
        slot_ns=WorldConfig().slot_ns,
        brains=brains,
    )
    report = _store(out, platform, run, dict(zip(brains, results, strict=True)))
    metrics = {result.metrics.brain: result.metrics for result in results}
    document: dict[str, Any] = {
        "provenance": origin,
        "out": str(out),
        "report": str(report),
        "brains": {
            name: one.model_dump(
                include={"span_ns", "ended_ns", "counts", "bytes", "refused_by_reason", "completion", "stations"}
            )
            for name, one in metrics.items()
        },
    }
    speed = console.text("exchanges a second in all", "次交换每秒（合计）")
    console.say(f"{rows * len(brains):,} / {elapsed:.1f} s = {rows * len(brains) / elapsed:,.0f} {speed}")
    console.emit(document, as_json, *_tables(metrics))


def _check(brains: list[str], data_plane: str, out: Path) -> None:
    """Refuse what can be refused before minutes are spent."""
    for name in brains:
        if name not in BRAINS:
            raise BadInputError("--brain", f"must be one of {', '.join(BRAINS)}", name)
    if data_plane not in DATA_PLANES:
        raise BadInputError("--data-plane", f"must be one of {', '.join(DATA_PLANES)}", data_plane)
    if out.exists() and not out.is_dir():
        raise BadInputError("--out", "must be a folder", str(out))
    if out.is_dir() and any(out.iterdir()) and not (out / RUN_FILE).is_file():
        raise BadInputError("--out", "must be new, empty, or hold an earlier result that may be replaced", str(out))


def _replay_all(jobs: list[Job], processes: int | None) -> list[Replay]:
    """Run the jobs, side by side where there are cores; the order of results is that of the jobs."""
    workers = min(len(jobs), processes or os.cpu_count() or 1)
    with console.bars() as bars:
        if workers == 1:
            return [_work(job, lambda done, name=job.brain: bars.update(name, done)) for job in jobs]
        context = get_context("spawn")
        progress = [context.Value("d", 0.0) for _ in jobs]
        with ProcessPoolExecutor(workers, context, _remember, (progress,)) as pool:
            futures: list[Future[Replay]] = [pool.submit(_work_apart, index, job) for index, job in enumerate(jobs)]
            pending: set[Future[Replay]] = set(futures)
            while pending:
                _, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
                for job, value in zip(jobs, progress, strict=True):
                    bars.update(job.brain, value.value)
            return [future.result() for future in futures]


def _work(job: Job, on_progress: Any) -> Replay:
    brain = make_brain(job.brain, job.platform.network)
    return replay_trace(
        job.platform, job.trace, brain, seed=job.seed, data_plane=job.data_plane, on_progress=on_progress
    )


_progress: list[Synchronized[float]] = []


def _remember(progress: list[Synchronized[float]]) -> None:
    """Keep the shared figures in the worker: they can only be handed over when it starts."""
    _progress[:] = progress


def _work_apart(index: int, job: Job) -> Replay:
    def tell(done: float) -> None:
        _progress[index].value = done

    return _work(job, tell)


def _store(out: Path, platform: Platform, run: Run, results: dict[str, Replay]) -> Path:
    """Write the whole result beside `out`, then put it in its place: a run that fails leaves the old one."""
    draft = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        draft.mkdir(parents=True)
        write_network(draft, network_table(platform.network))
        for name, result in results.items():
            write_metrics(draft, result.metrics)
            write_station_slots(draft, name, [result.stations])
            write_pairs(draft, name, result.pairs)
        write_run(draft, run)
        build(draft)
        if out.exists():
            shutil.rmtree(out)
        os.replace(draft, out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return out / REPORT_FILE


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tables(metrics: dict[str, BrainMetrics]) -> list[Table]:
    text = console.text
    times = console.table(
        text("Completion times", "完成时间"),
        text("brain / mode", "策略 / 模式"),
        text("delivered", "已送达"),
        "p50",
        "p95",
        "p99",
        "p99.9",
        text("deadlines missed", "超期"),
    )
    flows = console.table(
        text("Exchanges", "交换"),
        text("brain", "策略"),
        text("submitted", "提交"),
        text("delivered", "送达"),
        text("in flight", "在途"),
        text("refused", "拒绝"),
        text("bytes delivered", "送达字节"),
        text("busiest station", "最忙站点"),
        text("in its busiest hour", "最忙小时利用率"),
    )
    for name, one in metrics.items():
        for mode, part in {text("all", "全部"): one.completion.all, **one.completion.by_mode}.items():
            if not part.count:
                continue
            quantiles = (part.p50_ns, part.p95_ns, part.p99_ns, part.p999_ns)
            missed = f"{part.deadline_missed / part.deadline_total:.2%}" if part.deadline_total else "-"
            times.add_row(f"{name} / {mode}", f"{part.count:,}", *map(console.duration, quantiles), missed)
        busiest = one.stations[0] if one.stations else None
        flows.add_row(
            name,
            *(f"{getattr(one.counts, key):,}" for key in ("submitted", "delivered", "in_flight", "refused")),
            console.size(one.bytes.delivered),
            busiest.name if busiest else "-",
            f"{busiest.busy_hour_utilisation:.1%}" if busiest else "-",
        )
    return [flows, times]
