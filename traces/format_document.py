"""Writes `docs/trace-format.md` from the schema: ``python -m traces.format_document > docs/trace-format.md``."""

from __future__ import annotations

from router_core.vocabulary import PRIORITY_MAX
from traces.schema import COLUMNS, FORMAT_MAJOR, FORMAT_MINOR, METADATA, METADATA_KEY


def format_document() -> str:
    """Return the description of the trace format as Markdown."""
    lines = [
        "# Trace format",
        "",
        "<!-- Made by `python -m traces.format_document`; edit traces/schema.py instead. -->",
        "",
        f"Version {FORMAT_MAJOR}.{FORMAT_MINOR}. A trace is one Parquet file: one row an exchange,",
        "ordered by submission. The row number is the exchange's id. No column has empty values.",
        "",
        "A reader refuses a file of another major version. A minor version may add keys to the metadata, nothing else.",
        "",
        "## Columns",
        "",
        "| column | type | unit | allowed | meaning |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{column.name}` | {column.arrow_type} | {column.unit} | {column.allowed} | {column.meaning} |"
        for column in COLUMNS
    ]
    lines += [
        "",
        f"Priorities are 0..{PRIORITY_MAX}. The labels `demand_type` and `surge` are known for generated traces only.",
        "They serve to score a brain afterwards; no brain sees them.",
        "",
        "## Metadata",
        "",
        f"The Parquet key `{METADATA_KEY.decode()}` holds a JSON object with sorted keys and no spaces.",
        "",
        "| key | meaning |",
        "| --- | --- |",
    ]
    lines += [f"| `{key}` | {meaning} |" for key, meaning in METADATA]
    lines += [
        "",
        "## What a valid trace obeys",
        "",
        "Beside the allowed values above, every exchange is one that the catalogue of the platform permits: the source",
        "belongs to the unit that provides the resource, the sharing type and its grants allow the receiver, only a",
        "released resource passes between zones, and a centre lies between both ends.",
        "`exchange-router trace validate` names every row that breaks a rule.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(format_document(), end="")
