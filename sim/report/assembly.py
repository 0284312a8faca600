"""Assembles a report: template, style, script, chart library and facts become one file."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from html import escape
from pathlib import Path
from string import Template
from typing import Any, Final

from sim.report.facts import report_facts
from traces.atomic import written_whole

REPORT_FILE: Final = "report.html"
# Pages by name: the file of their sections, what they draw with, how they look, the section that comes first.
FRAME: Final = ("texts.js", "format.js", "parts.js", "look.js", "frame.js", "canvas_map.js")
MAP: Final = ("shared_time.js", "map.js", "map_view.js")
BLOCKS: Final = tuple(
    f"block_{kind}.js" for kind in ("verdict", "facts", "table", "intervals", "scatter", "series", "bars", "map")
)
SCRIPTS: Final = {
    "replay": (*FRAME, "packing.js", "replay_state.js", "week_chart.js", "charts.js", *MAP, "decisions.js", "page.js"),
    "brain": (*FRAME, "week_chart.js", "brain_texts.js", "brain_charts.js", "brain_page.js"),
    "study": (*FRAME, "study_texts.js", "value_forms.js", "scale_ticks.js", "csv_text.js", *BLOCKS, "study_page.js"),
}
STYLES: Final = {"replay": ("page.css",), "brain": ("page.css",), "study": ("page.css", "block.css")}
FIRST: Final = {"replay": "verdict", "brain": "classes", "study": "verdict"}
HERE: Final = Path(__file__).parent


def build(folder: str | Path, against: str | Path | None = None) -> Path:
    """Write the report of a result folder into it.

    Parameters
    ----------
    folder : path
        A result folder (`sim.results`).
    against : path, optional
        Another result folder, of the same network and with slots of the same length, with which the map compares.

    Returns
    -------
    path
        The report: one HTML file that fetches nothing. The same results give the same bytes.

    Raises
    ------
    BadInputError
        If a result is missing or breaks a rule, or the two do not fit together; an older report is then left as it was.
    """
    path = Path(folder) / REPORT_FILE
    write_page(path, "replay", report_facts(Path(folder), None if against is None else Path(against)))
    return path


def write_page(path: Path, kind: str, facts: dict[str, Any]) -> None:
    """Write the page of these facts, whole or not at all; `kind` is one of `SCRIPTS`."""
    text = page(kind, facts)
    with written_whole(path) as draft:
        draft.write_text(text, encoding="utf-8", newline="\n")


def page(kind: str, facts: dict[str, Any]) -> str:
    """Return the HTML of these facts."""
    library = _asset("vendor/echarts.min.js")
    program = '"use strict";(() => {\n' + "\n".join(_asset(name) for name in SCRIPTS[kind]) + "\n})();"
    scripts = [_inline(library), _inline(program)]
    return Template(_asset("page.html")).substitute(
        title=escape(facts["run"]["scenario"]["title_en"]),
        policy=f"default-src 'none'; script-src {' '.join(map(_hash, scripts))}; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'",
        style="\n".join(map(_asset, STYLES[kind])),
        first=FIRST[kind],
        main=Template(_asset(f"{kind}.html")).substitute(week=_asset("week.html")),
        facts=_json(facts),
        library=scripts[0],
        program=scripts[1],
    )


def _asset(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8").strip()


def _inline(script: str) -> str:
    """Refuse a script that would end its own element; ours and the library have no such text."""
    lowered = script.lower()
    if "</script" in lowered or "<!--" in lowered:
        raise AssertionError("a script to inline must not contain '</script' or '<!--'")
    return script


def _json(facts: dict[str, Any]) -> str:
    """JSON that is harmless inside a script element: every `<`, `>` and `&` is written as an escape."""
    text = json.dumps(facts, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def _hash(script: str) -> str:
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"
