"""Places for simulated worlds: any small platform that the format allows, what was learnt of it, and some minutes."""

from __future__ import annotations

import atexit
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache, lru_cache
from hashlib import sha256
from os import W_OK, access
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import numpy as np

import scenarios
from router_core.calendar import day_of
from router_core.digest import digest_of
from router_core.exchanges import NO_DEADLINE, Exchanges, concatenate
from router_core.line_history import LineHistory
from router_core.platform import Platform
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS, SECOND_NS
from router_core.vocabulary import TaskKind
from strategies.static.prepare import Prepared, prepare
from strategies.static.slot_planner import PlanSetting
from swarm.drawing import Draw
from swarm.drawn_scenario import drawn_scenario
from traces.generate import TraceGenerator, write_trace
from traces.history import read_history
from traces.surges import SurgeKind, parse_surge
from traces.tides import hour_means
from traces.writer import write_all

FIRST_DAY, DAYS = datetime(2026, 2, 23), 120
EXCHANGES_MAX = 400
SLOTS_MIN, SLOTS_MAX = 3, 6
# The plan begins so long ahead of the run, and goes on for so long behind it, at least.
AHEAD = timedelta(minutes=5)
BEHIND = timedelta(minutes=100)
# All that is asked for, the slowest station alone would have done so long after the end.
AFTER_S = 600.0


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


@lru_cache(maxsize=16)
def scene(seed: int) -> Scene:
    """Draw a place; equal seeds give equal ones, in every process."""
    draw = Draw(seed, "scene")
    drawn = drawn_scenario(seed)
    folder = Path(mkdtemp(dir=_folder()))
    file = folder / "scenario.toml"
    file.write_text(drawn.text, encoding="utf-8")
    platform = scenarios.load(str(file))
    today = FIRST_DAY + timedelta(days=draw.whole(2, DAYS))
    # At whole minutes, as monitoring's windows begin.
    start = today + timedelta(hours=draw.whole(1, 23), minutes=draw.whole(0, 59))
    if draw.chance(0.35):
        # Some minutes before the next slot.
        start = start.replace(minute=0) + timedelta(minutes=draw.whole(56, 59))
    span = timedelta(seconds=draw.whole(4 * 60, 11 * 60))
    prepared = _prepared(draw, platform, folder, today, start, start + span)
    trace = folder / "run.parquet"
    _run(draw, platform, trace, start, span, drawn.bytes_a_second)
    file.unlink()
    return Scene(seed, drawn.text, platform, prepared, trace, start, round(span.total_seconds()) * SECOND_NS)


def _prepared(
    draw: Draw, platform: Platform, folder: Path, today: datetime, start: datetime, end: datetime
) -> Prepared:
    """Learn from the day before, or from two, and plan the hours around the run."""
    days = 1 + draw.chance(0.2)
    begin = today - timedelta(days=days)
    file = folder / "history.parquet"
    past = TraceGenerator(platform, start=begin, span=today - begin, seed=draw.whole(0, 2**31))
    write_trace(file, past)
    history = read_history([file], platform, until=today)
    file.unlink()
    lines = _line_history(draw, platform, history.grid) if draw.chance(0.6) else None
    first = (start - AHEAD).replace(minute=0)
    if first > today and draw.chance(0.5):
        first -= timedelta(hours=1)
    least = max(-(-(end + BEHIND - first) // timedelta(hours=1)), SLOTS_MIN)
    setting = PlanSetting(
        scenarios=draw.whole(2, 4),
        server_target=draw.of((0.1, 0.5, 0.8)),
        holds=draw.chance(0.7),
        hold_of_lead=draw.between(0.2, 0.9),
        quiet=draw.of((0.0, 0.35)),
        paths=draw.whole(2, 4),
    )
    grid = TimeGrid(first, HOUR_NS, draw.whole(least, max(least, SLOTS_MAX)))
    return prepare(platform.network, history, lines, grid, seed=draw.whole(0, 2**31), setting=setting)


def _line_history(draw: Draw, platform: Platform, grid: TimeGrid) -> LineHistory:
    """What monitoring told of the lines: what others take on average, more or less, and not all of it."""
    working = [day_of(day).working for day in grid.dates()]
    hours = zip(grid.day().tolist(), grid.step_of_day().tolist(), strict=True)
    others = np.stack([platform.background.mean_fraction(hour + 0.5, working[day]) for day, hour in hours])
    others = np.clip(others * draw.random.uniform(0.8, 1.2, others.shape), 0.0, 1.0).astype(np.float32)
    others[draw.random.random(others.shape) < draw.of((0.0, 0.1))] = np.nan
    return LineHistory(grid, others)


def _run(draw: Draw, platform: Platform, path: Path, start: datetime, span: timedelta, bytes_a_second: float) -> None:
    """Write some hundred exchanges: now and then with a surge, many at one instant, or hardly any."""
    wanted = draw.whole(4, 20) if draw.chance(0.1) else draw.whole(160, 380)
    surges = []
    if wanted > 100 and draw.chance(0.4):
        moment = start + timedelta(minutes=draw.whole(1, 3))
        kind = draw.of(list(SurgeKind)).value
        surges.append(parse_surge(f"{kind}@{moment:%Y-%m-%dT%H:%M}x{draw.scale(1.0, 8.0):g}"))
    generator = TraceGenerator(
        platform,
        start=start,
        span=span,
        seed=draw.whole(0, 2**31),
        exchanges_per_day=max(round(wanted / _on_demand_share(platform, start, span)), 1),
        surges=surges,
    )
    batches = list(generator)
    if not batches:
        write_trace(path, generator)
        return
    rows = concatenate(batches)
    most = draw.whole(wanted, EXCHANGES_MAX) if wanted > 100 else 2 * wanted
    if len(rows) > most:
        rows = rows[np.sort(draw.random.permutation(len(rows))[:most])]
    if draw.chance(0.3):
        rows = _tied(rows, draw.of((1, 5, 20, 60)) * SECOND_NS)
    seconds = span.total_seconds()
    budget = bytes_a_second * min(draw.of((0.05, 0.3, 0.8, 1.6)) * seconds, seconds + AFTER_S)
    payload = np.maximum((rows.payload_bytes * (budget / rows.payload_bytes.sum())).astype(np.int64), 1)
    if draw.chance(0.2):
        payload[draw.random.random(len(rows)) < 0.05] = 0
    write_all(path, generator.info, replace(rows, payload_bytes=payload))


def _on_demand_share(platform: Platform, start: datetime, span: timedelta) -> float:
    """Return which share of a plain working day's exchanges comes on demand in the run, on average."""
    on_demand = [kind.kind == TaskKind.EXCHANGE for kind in platform.demand.types]
    total, when = 0.0, start
    while when < start + span:
        after = min(when.replace(minute=0, second=0) + timedelta(hours=1), start + span)
        of_hour = hour_means(platform.demand, when.date(), 1.0)[on_demand, when.hour].sum()
        total += float(of_hour) * ((after - when) / timedelta(hours=1))
        when = after
    return total


def _tied(rows: Exchanges, step_ns: int) -> Exchanges:
    """Have exchanges submitted at whole steps alone, many at one instant."""
    submitted_ns = rows.submitted_ns // step_ns * step_ns
    early_ns = rows.submitted_ns - submitted_ns
    due = np.where(rows.deadline_ns == NO_DEADLINE, NO_DEADLINE, rows.deadline_ns - early_ns)
    return replace(rows, submitted_ns=submitted_ns, deadline_ns=due)


@cache
def _folder() -> Path:
    """A folder in memory where there is one; gone with the process."""
    memory = Path("/dev/shm")
    made = Path(mkdtemp(prefix="scenes-", dir=memory if memory.is_dir() and access(memory, W_OK) else None))
    atexit.register(rmtree, made, ignore_errors=True)
    return made


def fingerprint(of: Scene) -> str:
    """Digest of all that a scene is: equal in every process."""
    document, arrays = of.prepared.parts()
    return digest_of(
        [
            of.text,
            of.platform.digest,
            of.start.isoformat(),
            of.span_ns,
            document,
            arrays,
            sha256(of.trace.read_bytes()).hexdigest(),
        ]
    )
