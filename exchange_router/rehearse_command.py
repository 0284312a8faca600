"""`rehearse`: a simulated province behind the real server and real agents, and whether the feed changed anything."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Annotated, Any, Final

import typer

import scenarios
from exchange_router import console
from exchange_router.options import AsJson, Scenario, Seed
from router_core.errors import BadInputError, FailedCheckError
from router_core.units import SECOND_NS

RHYTHMS: Final = ("every-change", "live")


def rehearse(
    trace: Annotated[Path, typer.Option(help="Trace file to replay.  要回放的交换轨迹文件。")],
    prepared: Annotated[Path, typer.Option(help="Brain file of `brain fit`.  策略文件。")],
    scenario: Scenario = "jiangxi",
    brain: Annotated[str, typer.Option(help="static or dynamic.  调度策略。")] = "dynamic",
    faults: Annotated[
        Path | None, typer.Option(help="What fails and when: a TOML file, docs/fault-format.md.  故障文件。")
    ] = None,
    telemetry_s: Annotated[float, typer.Option(help="Length of a window of telemetry [s].  遥测窗口（秒）。")] = 60.0,
    rhythm: Annotated[
        str,
        typer.Option(
            help="every-change: to all at once, and every figure must stay; live: as `serve` publishes.  发布节奏。"
        ),
    ] = RHYTHMS[0],
    record: Annotated[
        Path | None, typer.Option(help="Folder for the recording, for `policy rerun`.  记录目录。")
    ] = None,
    seed: Seed = 1,
    as_json: AsJson = False,
) -> None:
    """Replay a trace behind the real server and agents, and compare.  经由真实服务与代理回放并对比。"""
    from exchange_router.rehearsal import IMMEDIATE  # noqa: PLC0415
    from exchange_router.rehearsal import rehearse as rehearsed  # noqa: PLC0415
    from feed.live.publication import PublicationSetting  # noqa: PLC0415
    from sim.brain_file import read_brain  # noqa: PLC0415 - a web framework and estimators
    from sim.fault_file import read_faults  # noqa: PLC0415
    from sim.replay import replay  # noqa: PLC0415
    from sim.telemetry import TelemetryConfig  # noqa: PLC0415
    from sim.world import WorldConfig  # noqa: PLC0415
    from strategies.registry import Preparation, make_brain  # noqa: PLC0415
    from traces.reader import TraceReader  # noqa: PLC0415
    from traces.validate import open_valid  # noqa: PLC0415

    if rhythm not in RHYTHMS:
        raise BadInputError("--rhythm", f"must be one of {', '.join(RHYTHMS)}", rhythm)
    platform = scenarios.load(scenario)
    with TraceReader(trace) as reader:
        start, span_ns = reader.info.start.replace(tzinfo=None), reader.info.span_ns
    open_valid(trace, platform).close()
    learnt = read_brain(prepared, platform).prepared
    failures = () if faults is None else read_faults(faults, platform.network, span_ns)
    config = WorldConfig(telemetry=TelemetryConfig(period_ns=round(telemetry_s * SECOND_NS)))
    plain_brain = make_brain(brain, platform.network, Preparation(learnt, start, platform.transport))
    # Agents that begin say so, each of them; a rehearsal's own lines would drown in that.
    logging.getLogger("exchange_router").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder, console.bars() as bars:
        plain = replay(
            platform, trace, plain_brain, seed=seed, config=config, faults=failures,
            on_progress=lambda done: bars.update(console.text("plain", "直接"), done),
        )  # fmt: skip
        found = rehearsed(
            platform,
            learnt,
            trace,
            start,
            Path(folder),
            brain=brain,
            seed=seed,
            faults=failures,
            config=config,
            publication=IMMEDIATE if rhythm == RHYTHMS[0] else PublicationSetting(),
            at_once=rhythm == RHYTHMS[0],
            records=record,
            on_progress=lambda done: bars.update(console.text("behind the feed", "经由馈送"), done),
        )
    differing = _differing(plain.metrics.model_dump(), found.replay.metrics.model_dump())
    document = {
        "brain": brain,
        "rhythm": rhythm,
        "published": found.published,
        "applied": found.applied,
        "refused": list(found.refused),
        "requests": found.requests,
        "counts": found.replay.metrics.counts.model_dump(),
        "completion": {
            "plain": plain.metrics.completion.all.model_dump(),
            "behind_the_feed": found.replay.metrics.completion.all.model_dump(),
        },
        "differing": differing,
    }
    _show(document, as_json)
    if rhythm == RHYTHMS[0] and differing:
        raise FailedCheckError(f"behind the feed these figures are others: {', '.join(differing)}")


def _differing(plain: dict[str, Any], found: dict[str, Any]) -> list[str]:
    return sorted(name for name in plain if plain[name] != found[name])


def _show(document: dict[str, Any], as_json: bool) -> None:
    text = console.text
    told = [document["completion"][one]["p99_ns"] for one in ("plain", "behind_the_feed")]
    rows = [
        (text("bundles published", "发布的策略包"), f"{document['published']:,}"),
        (text("put in force by agents", "代理生效次数"), f"{document['applied']:,}"),
        (text("refused by the check", "未通过检查"), f"{len(document['refused'])}"),
        (text("reports to the server", "遥测上报"), f"{document['requests']:,}"),
        (text("delivered", "送达"), f"{document['counts']['delivered']:,} / {document['counts']['submitted']:,}"),
        ("p99", f"{console.duration(told[1])} ({text('plain', '直接回放')}: {console.duration(told[0])})"),
        (
            text("against the plain replay", "与直接回放相比"),
            text("other: ", "不同：") + ", ".join(document["differing"])
            if document["differing"]
            else text("every figure is the same", "全部指标一致"),
        ),
    ]
    console.emit(document, as_json, console.facts(text("Rehearsal", "演练"), rows))
