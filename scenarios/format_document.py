"""Writes `docs/scenario-format.md`: ``python -m scenarios.format_document > docs/scenario-format.md``."""

from __future__ import annotations

from typing import Any, Final

from scenarios.model import Model
from scenarios.model_composition import CompositionModel
from scenarios.model_explicit import ExplicitModel
from scenarios.model_levels import LevelsModel

HEAD: Final = """# Scenario format

<!-- Made by `python -m scenarios.format_document`; edit the models in scenarios/ instead. -->

A scenario is a TOML file: network, catalogue, other users of the lines, demand. Version 1 (`schema = 1`).
Units stand in the keys (`rate_mbps`, `fixed_us`, `propagation_ms`) and are converted once to nanoseconds,
picoseconds a byte and bytes. A key that is unknown, missing or out of range is refused with file, key path,
rule and value; nothing is built then. `exchange-router scenario validate FILE` checks a file.

`form` says which of three shapes the file has. The bundled files are the commented examples:

| form | for | example |
| --- | --- | --- |
| `levels` | a province by its levels; sites, front-ends and catalogue are drawn | `scenarios/jiangxi.toml` |
| `explicit` | every node and line by itself; what `trace import` writes | `scenarios/toy.toml` |
| `composition` | copies of a template, joined by rings | `scenarios/national.toml` |

## Variants

A file may extend another one, by bundled name or path, and say only what differs: tables merge, arrays of tables
get longer, other values replace. A variant has its own name and titles.

```toml
schema = 1
extends = "jiangxi"
name = "jiangxi-calm"
title_en = "Jiangxi on a calm day"
title_zh = "江西省（低负载）"

[demand]
peak_utilisation = 0.5
```

## Changes

A scenario can have changes, such as `demand x1.2` or `counties +3`, by the key `changes` or by the option of a study:
[scenario changes](scenario-changes.md).
"""

FORMS: Final[tuple[tuple[str, type[Model]], ...]] = (
    ("levels", LevelsModel),
    ("explicit", ExplicitModel),
    ("composition", CompositionModel),
)


def format_document() -> str:
    """Return the description of the scenario format as Markdown: every table once, where a form first uses it."""
    lines = [HEAD]
    told: set[str] = set()
    for form, model in FORMS:
        schema = model.model_json_schema(by_alias=True)
        lines += [f"## Form `{form}`", ""]
        lines += _table(schema)
        for name, table in schema.get("$defs", {}).items():
            if name not in told:
                told.add(name)
                lines += [f"### {_title(name)}", "", _told(table), "", *_table(table)]
    return "\n".join(lines)


def _told(table: dict[str, Any]) -> str:
    return " ".join(str(table.get("description", "")).split())


def _table(table: dict[str, Any]) -> list[str]:
    required = table.get("required", [])
    lines = ["| key | type | allowed | default |", "| --- | --- | --- | --- |"]
    for key, value in sorted(table.get("properties", {}).items(), key=lambda item: item[0] not in required):
        kind, allowed = _kind(value)
        default = "required" if key in required else f"`{_toml(value.get('default'))}`"
        lines.append(f"| `{key}` | {kind} | {allowed} | {default} |")
    return [*lines, ""]


def _kind(value: dict[str, Any]) -> tuple[str, str]:
    """Return type and allowed values in words."""
    if "anyOf" in value:
        value = next(part for part in value["anyOf"] if part.get("type") != "null")
    if "$ref" in value:
        return f"table: {_title(value['$ref'].rsplit('/', 1)[1])}", ""
    if "const" in value or "enum" in value:
        choices = value.get("enum", [value.get("const")])
        return "text", ", ".join(f"`{choice}`" for choice in choices)
    if value.get("type") == "array":
        kind, allowed = _kind(value["items"]) if "items" in value else ("value", "")
        bounds = _bounds(value, "minItems", "maxItems")
        return f"array of {kind}", "; ".join(part for part in (allowed, bounds and f"{bounds} entries") if part)
    if value.get("type") == "object":
        kind, allowed = _kind(value.get("additionalProperties") or {})
        return f"table of {kind}", allowed
    if value.get("type") == "string":
        bounds = _bounds(value, "minLength", "maxLength")
        return "text", f"{bounds} letters" if bounds else ""
    words = {"integer": "whole number", "number": "number", "boolean": "true or false"}
    return words.get(str(value.get("type")), "value"), _bounds(value, "minimum", "maximum")


def _bounds(value: dict[str, Any], low: str, high: str) -> str:
    parts = [f"at least {value[low]:g}" if low in value else "", f"at most {value[high]:g}" if high in value else ""]
    if "exclusiveMinimum" in value:
        parts.append(f"above {value['exclusiveMinimum']:g}")
    if "exclusiveMaximum" in value:
        parts.append(f"below {value['exclusiveMaximum']:g}")
    return ", ".join(part for part in parts if part)


def _toml(value: object) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _title(name: str) -> str:
    """Turn a model's name into words: `ServiceModel` -> service."""
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).split()
    return " ".join(word for word in words if word != "model") or name


if __name__ == "__main__":
    print(format_document(), end="")
