"""`policy rerun`: a recorded live run offline, which must give the identical commands."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from exchange_router import console, provenance
from exchange_router.options import AsJson
from router_core.errors import BadInputError, FailedCheckError


def rerun(
    recording: Annotated[Path, typer.Argument(help="Recording of `serve --record`.  实时运行的记录文件。")],
    prepared: Annotated[Path, typer.Option(help="Brain file that the run went by.  该次运行所用的策略文件。")],
    setting: Annotated[
        Path | None, typer.Option(help="Setting file that the run went by.  该次运行所用的参数文件。")
    ] = None,
    brain: Annotated[
        str | None, typer.Option(help="Another brain than the recorded one, to compare.  用于对比的其他策略。")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell a new brain what a live run was told; its commands must be the same.  离线重放实时运行，命令须完全一致。"""
    import scenarios  # noqa: PLC0415 - help and other verbs need none of these
    from feed.live.recording import read_header, read_recording  # noqa: PLC0415
    from feed.live.rerun import rerun as told_again  # noqa: PLC0415
    from sim.brain_file import read_brain  # noqa: PLC0415 - it loads estimators that other verbs do without
    from sim.brain_setting import read_setting  # noqa: PLC0415
    from strategies.dynamic.setting import DynamicSetting  # noqa: PLC0415
    from strategies.registry import Preparation, make_brain  # noqa: PLC0415

    header = read_header(recording)
    try:
        scenario, recorded, start = header["scenario"], header["brain"], datetime.fromisoformat(header["start"])
    except (KeyError, TypeError, ValueError):
        rule = "must name the scenario, brain and start of the run"
        raise BadInputError("header", rule, sorted(header), str(recording)) from None
    platform = scenarios.load(scenario)
    for name, digest, what in (
        ("scenario", platform.digest, "the scenario"),
        ("brain-file", provenance.file_digest(prepared), "--prepared"),
        ("setting", None if setting is None else provenance.file_digest(setting), "--setting"),
    ):
        then = header.get("inputs", {}).get(name)
        if then != digest:
            shown = "none, as none is given" if digest is None else digest[:12]
            raise BadInputError(f"header.inputs.{name}", f"must be the digest of {what}, {shown}", then, str(recording))
    parameters = DynamicSetting() if setting is None else read_setting(setting)
    preparation = Preparation(read_brain(prepared, platform).prepared, start, platform.transport, parameters)
    found = told_again(
        read_recording(recording), platform.network, make_brain(brain or recorded, platform.network, preparation)
    )
    text = console.text
    document = {
        "recording": str(recording),
        "scenario": scenario,
        "brain": brain or recorded,
        "events": found.events,
        "commands": found.commands,
        "difference": found.difference,
    }
    rows = [
        (text("recording", "记录"), str(recording)),
        (text("brain", "策略"), brain or recorded),
        (text("events told", "事件数"), f"{found.events:,}"),
        (text("commands that agree", "一致的命令数"), f"{found.commands:,}"),
        (text("first difference", "首个差异"), found.difference or text("none", "无")),
    ]
    console.emit(document, as_json, console.facts(text("Rerun", "离线重放"), rows))
    if found.difference is not None:
        raise FailedCheckError(f"{recording}: {found.difference}")
