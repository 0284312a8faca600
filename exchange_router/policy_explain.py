"""`policy explain`: what routes exchanges, and why."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from exchange_router import console
from exchange_router.options import AsJson
from exchange_router.policy_tables import explanation_document, explanation_tables
from router_core.errors import BadInputError


def explain(
    result: Annotated[Path, typer.Argument(help="Result folder of a replay.  回放结果目录。")],
    brain: Annotated[str, typer.Option(help="A brain that kept records of its policies.  调度策略。")],
    source: Annotated[str, typer.Option("--from", help="Endpoint that sends, as the scenario names it.  来源节点。")],
    target: Annotated[str, typer.Option("--to", help="Endpoint that receives.  目标节点。")],
    at: Annotated[
        str | None, typer.Option(help="Local time, e.g. 2026-03-17T10:05 (default: end of the trace).  时刻。")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Explain a route: what was known, how old, what alternatives cost.  解释路由：所知信息、时龄、备选代价。"""
    from sim.explanation import explain as explained  # noqa: PLC0415 - it loads Parquet, and other commands need none

    found = explained(result, brain, source, target, None if at is None else _moment(at))
    console.emit(explanation_document(found), as_json, *explanation_tables(found))


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is not None:
        raise BadInputError("--at", "must be a local time such as 2026-03-17T10:05", text)
    return moment
