"""What each night found: a line of JSON a night, in a file outside git, and read back with what is broken left out."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.gates.gate import Report


@dataclass(frozen=True)
class Figure:
    """A number of a night.

    Attributes
    ----------
    value : float
    limit : float or None
        The largest value that holds; None where there is none.
    target : float or None
        What a benchmark should reach, whichever way.
    unit : str
    """

    value: float
    limit: float | None = None
    target: float | None = None
    unit: str = ""


@dataclass(frozen=True)
class Night:
    """What one night found.

    Attributes
    ----------
    date : str
        ISO date and time, UTC.
    commit : str
    toolchain : dict
        By gate.
    figures : dict
        By name, of which the first word tells where it comes from.
    failed : tuple of str
        Parts of the night, and figures above their limits.
    """

    date: str
    commit: str
    toolchain: dict[str, str]
    figures: dict[str, Figure]
    failed: tuple[str, ...] = ()


@dataclass(frozen=True)
class History:
    """Nights in order of their dates, and what is wrong with the lines that were left out."""

    nights: tuple[Night, ...]
    broken: tuple[str, ...] = ()


def append(path: Path, night: Night) -> None:
    """Add a night; a line that an earlier end of power cut short stays one broken line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cut_short = path.exists() and (content := path.read_bytes()) and not content.endswith(b"\n")
    line = json.dumps(asdict(night), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    with path.open("a", encoding="utf-8") as file:
        file.write(("\n" if cut_short else "") + line + "\n")


def read(path: Path) -> History:
    """Read all nights; what is no night is told by its line."""
    nights, broken = [], []
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            nights.append(_night(json.loads(line.decode("utf-8"))))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            broken.append(f"line {number}: {type(error).__name__}: {error}")
    return History(tuple(sorted(nights, key=lambda night: night.date)), tuple(broken))


def gate_figures(reports: Iterable[Report]) -> dict[str, Figure]:
    """Return the gates' figures with their limits."""
    return {
        f"gate {verdict.gate}: {verdict.figure}": Figure(verdict.measured, verdict.limit, unit=verdict.unit.strip())
        for report in reports
        for verdict in report.verdicts
        if verdict.measured is not None
    }


def bench_figures(document: Mapping[str, Any]) -> dict[str, Figure]:
    """Return medians of all benchmarks [s], ratios to their peers, and values of goals, of pytest-benchmark's file."""
    found: dict[str, Figure] = {}
    for one in document["benchmarks"]:
        info, name = one.get("extra_info", {}), one["fullname"].removeprefix("benchmarks/test_bench_")
        _add(found, f"median: {name}", Figure(one["stats"]["median"], unit="s"))
        if "goal" in info and "value" in info:
            _add(found, f"goal: {info['goal']}", Figure(info["value"], target=info.get("target")))
        ratios = info.get("ratio", {})
        for peer, ratio in ratios.items() if isinstance(ratios, dict) else [("fastest peer", ratios)]:
            _add(found, f"times as fast as {peer}: {name}", Figure(ratio))
    return found


def soak_figures(folder: Path) -> dict[str, Figure]:
    """Return what soaks left: each a document ``{"name": ..., "figures": {...}}``."""
    found: dict[str, Figure] = {}
    for path in sorted(folder.glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        for name, value in document["figures"].items():
            _add(found, f"soak {document['name']}: {name}", Figure(value))
    return found


def _add(found: dict[str, Figure], name: str, figure: Figure) -> None:
    """Add a figure, unless it is none: a benchmark may say that it has nothing to say."""
    if _number(figure.value):
        found[name] = figure if figure.target is None or _number(figure.target) else Figure(figure.value)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _night(plain: Any) -> Night:
    figures = {str(name): _figure(one) for name, one in plain["figures"].items()}
    datetime.fromisoformat(plain["date"])
    toolchain = {str(name): str(value) for name, value in plain["toolchain"].items()}
    return Night(plain["date"], str(plain["commit"]), toolchain, figures, tuple(map(str, plain["failed"])))


def _figure(plain: Any) -> Figure:
    figure = Figure(**plain)
    for name in ("value", "limit", "target"):
        value = getattr(figure, name)
        if not (_number(value) or (value is None and name != "value")):
            raise ValueError(f"{name} must be a number, got {value!r}")
    return figure
