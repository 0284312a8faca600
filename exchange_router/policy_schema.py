"""`policy schema`: the JSON Schema of every document of a bundle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from exchange_router import console
from exchange_router.options import AsJson


def schema(
    out: Annotated[Path, typer.Option(help="Folder to write to.  输出目录。")] = Path("docs/schema"),
    as_json: AsJson = False,
) -> None:
    """Write the JSON Schema (2020-12) of every document of a bundle.  输出策略包各文档的 JSON Schema。"""
    from feed.bundle.json_schema import schemas  # noqa: PLC0415 - help needs no models
    from feed.durable import READABLE, write_durably  # noqa: PLC0415

    found = schemas()
    for name, content in found.items():
        text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
        write_durably(out / f"{name}.json", text.encode(), READABLE)
    rows = [(name, str(out / f"{name}.json")) for name in found]
    console.emit(
        {"schemas": [{"name": name, "file": file} for name, file in rows]},
        as_json,
        console.facts(console.text("Written", "已输出"), rows),
    )
