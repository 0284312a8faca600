"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Scenario = Annotated[str, typer.Option(help="Bundled name or TOML file.  场景名或 TOML 文件。")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the run's random streams.  随机种子。")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.  以 JSON 输出。")]
ValidFrom = Annotated[str | None, typer.Option(help="e.g. 2026-03-17T10:00, local time (default: now).  生效时刻。")]
SoftHours = Annotated[
    float, typer.Option(min=0.001, max=8760, help="The dynamic layer lapses after that.  动态层有效时长（小时）。")
]
HardDays = Annotated[
    float, typer.Option(min=0.001, max=3660, help="The whole counts as outdated after that.  整体有效时长（天）。")
]
