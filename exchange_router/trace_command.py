"""`trace`: generate, import, describe and validate what was exchanged."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

import scenarios
from exchange_router import console
from exchange_router.options import AsJson, Scenario, Seed
from exchange_router.provenance import PACKAGE, command, provenance
from exchange_router.trace_import import import_trace
from router_core.errors import BadInputError, FailedCheckError
from router_core.vocabulary import Mode
from traces.generate import TraceGenerator, write_trace
from traces.reader import TraceReader
from traces.surges import parse_surge
from traces.validate import validate_trace

app = typer.Typer(
    help="Traces: generate, import, info, validate.  交换轨迹：生成、导入、信息、校验。",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("import")(import_trace)

TraceFile = Annotated[Path, typer.Argument(help="Trace file.  交换轨迹文件。")]


@app.command("generate")
def generate(
    out: Annotated[Path, typer.Option(help="Trace file to write.  输出文件。")],
    scenario: Scenario = "jiangxi",
    start: Annotated[
        str, typer.Option(help="Local date or date-time at which the trace begins.  起始日期（北京时间）。")
    ] = "2026-03-17",
    days: Annotated[float | None, typer.Option(help="Length in days (default 1).  天数。")] = None,
    hours: Annotated[float | None, typer.Option(help="Length in hours instead.  小时数。")] = None,
    seed: Seed = 1,
    exchanges_per_day: Annotated[
        int | None, typer.Option(help="Of a plain working day (default: the scenario's).  普通工作日交换次数。")
    ] = None,
    load: Annotated[float, typer.Option(help="Factor on the number of exchanges; sizes stay.  负载倍数。")] = 1.0,
    surge: Annotated[
        list[str] | None,
        typer.Option(
            help="KIND[@YYYY-MM-DDTHH:MM][xSIZE], a deadline, enrolment, emergency or correction; repeatable.  浪涌。"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Generate a trace with the tides of a scenario, and surges if asked for.  按场景潮汐生成交换轨迹，可加浪涌。"""
    span = _span(days, hours)
    platform = scenarios.load(scenario)
    console.say(console.text("drawing flows and calibrating sizes", "正在生成交换关系并校准大小"))
    generator = TraceGenerator(
        platform,
        start=_moment(start),
        span=span,
        seed=seed,
        exchanges_per_day=exchanges_per_day,
        load=load,
        surges=[parse_surge(text) for text in surge or []],
    )
    line = command(
        "trace", "generate", scenario=scenario, start=start, days=days, hours=hours, seed=seed,
        exchanges_per_day=exchanges_per_day, load=load, surge=surge,
    )  # fmt: skip
    # The file names command and version but not the commit: equal seeds give equal bytes while nothing else changes.
    made_by = {"command": line, "version": version(PACKAGE), **generator.info.provenance}
    generator.info = replace(generator.info, provenance=made_by)
    with console.bars() as bars:

        def tell(_: int, reached: datetime) -> None:
            bars.update(out.name, (reached - generator.start) / span)

        rows = write_trace(out, generator, tell)
    document = {
        "provenance": provenance(line, scenario=platform.name, scenario_digest=platform.digest, seed=seed),
        "out": str(out),
        "exchanges": rows,
        "bytes": out.stat().st_size,
        "details": made_by,
    }
    text = console.text
    facts = [
        (text("file", "文件"), f"{out} ({console.size(out.stat().st_size)})"),
        (text("exchanges", "交换次数"), f"{rows:,}"),
        (text("begins", "开始"), generator.start.isoformat()),
        (text("length", "长度"), str(span)),
        (
            text("calibrated to", "校准至"),
            f"{made_by['peak_utilisation']:.3f} @ {made_by['peak_station']}, {made_by['peak_hour']:02d}:00",
        ),
    ]
    if made_by["provisional_years"]:
        years = ", ".join(map(str, made_by["provisional_years"]))
        facts.append((text("provisional calendar", "日历为暂定"), years))
    console.emit(document, as_json, console.facts(text("Trace", "交换轨迹"), facts))


@app.command("info")
def info(trace: TraceFile, as_json: AsJson = False) -> None:
    """Show what a trace says about itself, and its totals by mode.  查看交换轨迹信息。"""
    with TraceReader(trace) as reader:
        about, rows = reader.info, reader.rows
        counts, sizes = dict.fromkeys(Mode, 0), dict.fromkeys(Mode, 0)
        for columns in reader.columns(("mode", "payload_bytes")):
            for mode in Mode:
                chosen = columns["mode"] == mode
                counts[mode] += int(chosen.sum())
                sizes[mode] += int(columns["payload_bytes"][chosen].sum())
    document: dict[str, Any] = {
        "file": str(trace),
        "exchanges": rows,
        "start": about.start.isoformat(),
        "span_ns": about.span_ns,
        "scenario": about.scenario,
        "scenario_digest": about.scenario_digest,
        "seed": about.seed,
        "endpoints": len(about.endpoint_name),
        "resources": len(about.resources),
        "demand_types": list(about.demand_types),
        "surges": list(about.surges),
        "by_mode": {mode.name.lower(): {"exchanges": counts[mode], "bytes": sizes[mode]} for mode in Mode},
        "provenance": dict(about.provenance),
    }
    text = console.text
    facts = [
        (text("exchanges", "交换次数"), f"{rows:,}"),
        (text("begins", "开始"), about.start.isoformat()),
        (text("length", "长度"), console.duration(about.span_ns)),
        (text("scenario", "场景"), f"{about.scenario} (sha256 {about.scenario_digest[:16]}...)"),
        (text("seed", "种子"), str(about.seed)),
        (text("surges", "浪涌"), ", ".join(about.surges) or "-"),
        (text("made by", "生成命令"), str(about.provenance.get("command", "-"))),
    ]
    shown = console.table(
        text("By mode", "按模式"), text("mode", "模式"), text("exchanges", "交换次数"), text("bytes", "字节")
    )
    for mode in Mode:
        shown.add_row(mode.name.lower(), f"{counts[mode]:,}", console.size(sizes[mode]))
    console.emit(document, as_json, console.facts(str(trace), facts), shown)


@app.command("validate")
def validate(
    trace: TraceFile,
    scenario: Scenario = "jiangxi",
    rejected: Annotated[
        Path | None, typer.Option(help="Where bad rows go (default: beside the trace).  不合格行的去处。")
    ] = None,
    clean: Annotated[Path | None, typer.Option(help="Write the good rows as a trace.  合格行另存为轨迹。")] = None,
    as_json: AsJson = False,
) -> None:
    """Check every row of a trace against a scenario; bad rows are set aside and named.  校验交换轨迹。"""
    platform = scenarios.load(scenario)
    aside = rejected or trace.with_suffix(".rejected.parquet")
    report = validate_trace(trace, platform, rejected=aside, clean=clean)
    if report.bad_rows == 0 and rejected is None:
        aside.unlink()
    document: dict[str, Any] = {
        "file": str(trace),
        "scenario": platform.name,
        "exchanges": report.rows,
        "bad_rows": report.bad_rows,
        "by_rule": report.counts,
        "rejected": str(aside) if report.bad_rows or rejected else None,
        "clean": str(clean) if clean else None,
    }
    text = console.text
    facts = [
        (text("exchanges", "交换次数"), f"{report.rows:,}"),
        (text("bad rows", "不合格行"), f"{report.bad_rows:,}"),
    ]
    facts += [(rule, f"{count:,}") for rule, count in report.counts.items()]
    facts += [(key, document[key]) for key in ("rejected", "clean") if document[key]]
    console.emit(document, as_json, console.facts(text("Validation", "校验"), facts))
    error = report.error()
    if error is not None:
        raise FailedCheckError(str(error))


def _span(days: float | None, hours: float | None) -> timedelta:
    if days is not None and hours is not None:
        raise BadInputError("--days, --hours", "give one of them", (days, hours))
    length, unit = (hours, "hours") if hours is not None else (1.0 if days is None else days, "days")
    if not 0 < length <= 11_000:
        raise BadInputError(f"--{unit}", "must be above 0 and at most 11,000", length)
    return timedelta(**{unit: length})


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise BadInputError(
            "--start", "must be a date or date-time such as 2026-03-17 or 2026-03-17T10:00", text
        ) from None
