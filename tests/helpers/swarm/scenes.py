"""Random places for simulated worlds: a small province, what was learnt of it, and some minutes of its traffic.

The scenario is a text in the explicit form, drawn as a part of the toy province with numbers, homes and disciplines of
its own, and read as any scenario is.
"""

from __future__ import annotations

import atexit
import json
import tomllib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import numpy as np

import scenarios
from router_core.exchanges import NO_DEADLINE, concatenate
from router_core.platform import Platform
from router_core.randomness import stream
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS, MINUTE_NS, SECOND_NS
from strategies.static.prepare import Prepared, prepare
from traces.generate import TraceGenerator
from traces.history import read_history
from traces.reader import TraceReader
from traces.surges import parse_surge
from traces.writer import write_all

Table = dict[str, Any]
TEMPLATE = Path(scenarios.__file__).parent / "toy.toml"
DAY = datetime(2026, 3, 9)
TODAY = DAY + timedelta(days=1)
HISTORY_EXCHANGES = 3_000
SLOTS = 4


@dataclass(frozen=True, eq=False)
class Scene:
    """A place.

    Attributes
    ----------
    seed : int
    text : str
        The scenario.
    platform : Platform
    prepared : Prepared
    trace : Path
    start : datetime
        Local time of the trace's instant 0, without a zone.
    span_ns : int
        Length of the trace [ns].
    """

    seed: int
    text: str
    platform: Platform
    prepared: Prepared
    trace: Path
    start: datetime
    span_ns: int


@lru_cache(maxsize=8)
def scene(seed: int) -> Scene:
    """Draw a place; equal seeds give equal ones, in every process."""
    draw = stream(seed, "scene")
    folder = Path(mkdtemp(dir=_folder()))
    text = scenario_text(seed)
    (folder / "scenario.toml").write_text(text, encoding="utf-8")
    platform = scenarios.load(str(folder / "scenario.toml"))
    busy = float(draw.uniform(0.2, 0.9))
    yesterday = _trace(platform, folder / "history.parquet", DAY, timedelta(days=1), seed, busy, HISTORY_EXCHANGES)
    hour = int(draw.integers(7, 19))
    history = read_history([yesterday], platform, until=TODAY)
    grid = TimeGrid(TODAY + timedelta(hours=hour - 1), HOUR_NS, SLOTS)
    prepared = prepare(platform.network, history, None, grid, seed=seed)
    minutes = int(draw.integers(5, 13))
    # Some runs begin a few minutes before the next slot.
    start = TODAY + timedelta(hours=hour, minutes=int(draw.choice([0, 7, 30, 53, 56])))
    span = timedelta(minutes=minutes)
    trace = _run(platform, folder / "run.parquet", start, span, seed, draw)
    return Scene(seed, text, platform, prepared, trace, start, minutes * MINUTE_NS)


def _run(
    platform: Platform, path: Path, start: datetime, span: timedelta, seed: int, draw: np.random.Generator
) -> Path:
    """Some hundred exchanges, now and then with a surge, or many at one instant."""
    wanted = int(draw.choice([20, 150, 300]))
    surges = []
    if draw.random() < 0.4:
        at = start + timedelta(minutes=int(draw.integers(0, 4)))
        surges.append(f"emergency@{at:%Y-%m-%dT%H:%M}x{int(draw.integers(3, 8))}")
    per_day = round(wanted * timedelta(days=1) / span / 2)
    trace = _trace(platform, path, start, span, seed + 1, float(draw.uniform(0.3, 1.0)), per_day, tuple(surges))
    if draw.random() < 0.3:
        _tie(platform, trace, int(draw.integers(1, 10)) * SECOND_NS)
    return trace


def _tie(platform: Platform, trace: Path, step_ns: int) -> None:
    """Have exchanges submitted at whole steps alone, many at one instant."""
    with TraceReader(trace) as reader:
        info, parts = reader.info, list(reader.batches(platform))
    whole = []
    for part in parts:
        submitted_ns = part.submitted_ns // step_ns * step_ns
        early_ns = part.submitted_ns - submitted_ns
        due = part.deadline_ns == NO_DEADLINE
        whole.append(
            replace(
                part,
                submitted_ns=submitted_ns,
                deadline_ns=np.where(due, NO_DEADLINE, part.deadline_ns - early_ns),
            )
        )
    write_all(trace, info, concatenate(whole))


def _trace(
    platform: Platform,
    path: Path,
    start: datetime,
    span: timedelta,
    seed: int,
    load: float,
    per_day: int,
    surges: tuple[str, ...] = (),
) -> Path:
    made = TraceGenerator(
        platform,
        start=start,
        span=span,
        seed=seed,
        exchanges_per_day=per_day,
        load=load,
        surges=[parse_surge(one) for one in surges],
    )
    write_all(path, made.info, concatenate(list(made)))
    return path


@cache
def _folder() -> Path:
    memory = Path("/dev/shm")
    made = Path(mkdtemp(prefix="scenes-", dir=memory if memory.is_dir() else None))
    atexit.register(rmtree, made, ignore_errors=True)
    return made


@cache
def _template() -> str:
    return TEMPLATE.read_text(encoding="utf-8")


def scenario_text(seed: int) -> str:
    """Draw the scenario."""
    draw = stream(seed, "scenario")
    found = tomllib.loads(_template())
    _leave_out(found, draw)
    _alter(found, draw)
    found["name"] = "drawn"
    found["transport"] = {
        "retries": int(draw.choice([8, 16])),
        "backoff_s": float(draw.choice([0.5, 2.0])),
        "backoff_max_s": float(draw.choice([30.0, 120.0])),
    } | ({"chunk_mb": float(draw.choice([1.0, 8.0]))} if draw.random() < 0.5 else {})
    return toml_text(found)


def _leave_out(found: Table, draw: np.random.Generator) -> None:
    """Keep some sites, front-ends and units, and of everything else what belongs to them."""
    sites = {0, 1 if draw.random() < 0.5 else 2} | {site for site in (1, 2) if draw.random() < 0.5}
    if 2 in sites and draw.random() < 0.4:
        sites.add(3)
    crossing, nation = draw.random() < 0.3, draw.random() < 0.2
    ends: list[Table] = []
    rest: list[Table] = []
    for node in found["nodes"]:
        if node["kind"] in ("front_end", "external"):
            ends.append(node)
        elif node["kind"] == "crossing":
            rest += [node] if crossing else []
        elif node["kind"] == "gateway":
            rest += [node] if nation else []
        elif node["site"] in sites:
            rest.append(node)
    candidates = [
        node
        for node in ends
        if (node["kind"] == "external" and nation)
        or (node["kind"] == "front_end" and node["site"] in sites and (crossing or node["zone"] == "outer"))
    ]
    must = [next(node for node in candidates if node["site"] == site) for site in sorted(sites)]
    must += [node for node in candidates if node["kind"] == "external" or node["zone"] == "inner"]
    others = [node for node in candidates if node not in must]
    count = int(draw.integers(0, max(1, min(len(others), 5 - len(must)) + 1)))
    chosen = [others[place] for place in sorted(draw.permutation(len(others))[:count].tolist())]
    kept = [node for node in candidates if node in must or node in chosen]
    found["nodes"] = rest + kept
    names = {node["name"] for node in found["nodes"]}
    found["lines"] = [line for line in found["lines"] if line["a"] in names and line["b"] in names]
    units = {node["unit"] for node in kept}
    found["units"] = [unit for unit in found["units"] if unit["name"] in units]
    found["systems"] = [one for one in found["systems"] if one["unit"] in units]
    found["resources"] = [one for one in found["resources"] if one["unit"] in units]
    for one in found["resources"]:
        if "grants" in one:
            one["grants"] = [unit for unit in one["grants"] if unit in units and unit != one["unit"]]
            if not one["grants"]:
                one["sharing"] = "unconditional"
                del one["grants"]
    found["background"] = [
        one for one in found["background"] if any(line.get("background") == one["name"] for line in found["lines"])
    ]
    pools = {node.get("pool") for node in found["nodes"]}
    found["pools"] = [one for one in found["pools"] if one["name"] in pools]


def _alter(found: Table, draw: np.random.Generator) -> None:
    """Give everything numbers of its own."""
    for line in found["lines"]:
        line["propagation_ms"] = round(line["propagation_ms"] * float(draw.uniform(0.5, 3.0)), 3)
        if "carrier" in line:
            line["rate_mbps"] = round(line["rate_mbps"] * float(draw.uniform(0.5, 2.0)), 1)
    for node in found["nodes"]:
        for part in ("service", "process"):
            if part in node:
                node[part]["servers"] = max(1, round(node[part]["servers"] * float(draw.choice([0.5, 1.0, 2.0]))))
                node[part]["fixed_us"] = round(node[part]["fixed_us"] * float(draw.uniform(0.5, 2.0)), 1)
    for pool in found["pools"]:
        pool["servers"] = int(draw.integers(1, 9))
        pool["start_s"] = float(draw.choice([5.0, 60.0, 180.0]))
    for node in found["nodes"]:
        centres = [one["name"] for one in found["nodes"] if one["kind"] == "centre"]
        homes = [line["b"] for line in found["lines"] if line["a"] == node["name"]]
        free = [name for name in centres if name not in homes]
        if node["kind"] == "front_end" and node["zone"] == "outer" and len(homes) == 1 and free and draw.random() < 0.3:
            other = free[int(draw.integers(len(free)))]
            found["lines"].append(
                {"a": node["name"], "b": other, "rate_mbps": 20.0, "fixed_us": 100.0, "propagation_ms": 0.7}
            )


def toml_text(found: Table) -> str:
    """Write a document as TOML: everything below the top inline."""
    return "".join(f"{key} = {_value(value)}\n" for key, value in found.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)
