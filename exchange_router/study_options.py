"""Options that the studies share: which traffic, how many workers, which brain."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from router_core.errors import BadInputError
from sim.studies.traffic import Draw, Traffic

HOURS_MAX: Final = 366 * 24.0

Out = Annotated[Path, typer.Option(help="Folder for tables and report; made new.  结果目录。")]
Workers = Annotated[
    str | None,
    typer.Option(
        help="here, N processes, or spark:MASTER; no influence on results (default: a process a core).  并行方式。"
    ),
]
Change = Annotated[
    list[str] | None,
    typer.Option(help="Change of the scenario, e.g. 'demand x1.2'; may be repeated.  场景变化。"),
]
Traces = Annotated[list[Path] | None, typer.Option("--trace", help="Trace file; may be repeated.  交换轨迹文件。")]
Start = Annotated[
    str | None,
    typer.Option(help="Instead of traces: draw one from this local time for each seed.  按种子生成轨迹的起始时间。"),
]
Hours = Annotated[float, typer.Option(help="Length of drawn traces.  生成轨迹的小时数。")]
PerDay = Annotated[
    int | None, typer.Option(help="Of a plain working day, when drawn (default: the scenario's).  日交换次数。")
]
Load = Annotated[float, typer.Option(help="Factor on the number of drawn exchanges.  负载倍数。")]
Surge = Annotated[list[str] | None, typer.Option(help="As `trace generate --surge`, when drawn; repeatable.  浪涌。")]
Prepared = Annotated[Path | None, typer.Option(help="Brain file of `brain fit`, for those that learn.  策略文件。")]
Setting = Annotated[Path | None, typer.Option(help="Setting file of the dynamic policy.  动态策略参数文件。")]
WarmUp = Annotated[
    float | None,
    typer.Option(help="Seconds at the start that do not count (default: found from the runs).  预热时间（秒）。"),
]


def traffic(
    traces: list[Path] | None,
    start: str | None,
    hours: float,
    exchanges_per_day: int | None,
    load: float,
    surges: list[str] | None,
) -> Traffic:
    """Return the traffic that these options ask for; raises `BadInputError`."""
    if start is None:
        return Traffic(traces=tuple(traces or ()))
    try:
        begin = datetime.fromisoformat(start)
    except ValueError:
        raise BadInputError("--start", "must be a local date or date-time such as 2026-03-17", start) from None
    if begin.tzinfo is not None:
        raise BadInputError("--start", "must be local time, without a zone", start)
    if not 0.0 < hours <= HOURS_MAX:
        raise BadInputError("--hours", f"must be above 0 and at most {HOURS_MAX:g}", hours)
    draw = Draw(begin, timedelta(hours=hours), exchanges_per_day, load, tuple(surges or ()))
    return Traffic(traces=tuple(traces or ()), draw=draw)
