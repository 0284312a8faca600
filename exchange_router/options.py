"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Scenario = Annotated[str, typer.Option(help="Bundled name or TOML file.  场景名或 TOML 文件。")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the run's random streams.  随机种子。")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.  以 JSON 输出。")]
