"""`report`: remakes the HTML report from stored results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exchange_router import console
from exchange_router.options import AsJson
from router_core.errors import BadInputError
from sim.report import build
from sim.studies.study import is_study, redraw_study


def report(
    folder: Annotated[Path, typer.Argument(help="Result folder of a replay or of a study.  回放或研究的结果目录。")],
    against: Annotated[
        Path | None,
        typer.Option(help="Another result folder of the same network, to compare with.  用于对比的另一结果目录。"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Remake the HTML report from stored results.  由已存结果重新生成 HTML 报告。"""
    if is_study(folder):
        if against is not None:
            raise BadInputError("--against", "must go with results of replays; for studies, use `compare`", str(folder))
        path = redraw_study(folder)
    else:
        path = build(folder, against)
    rows = [
        (console.text("report", "报告"), str(path)),
        (console.text("size", "大小"), console.size(path.stat().st_size)),
    ]
    document = {"report": str(path), "bytes": path.stat().st_size}
    console.emit(document, as_json, console.facts(console.text("Report", "报告"), rows))
