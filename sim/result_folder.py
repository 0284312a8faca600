"""Writer and reader of a result folder; its tables are described in `sim.results`.

Whatever is read is checked; what breaks a rule raises `BadInputError` naming file, place, rule and value. A file is
written beside its place and then moved there, so a folder never holds half a file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ValidationError

from router_core.errors import BadInputError
from router_core.line_history import LineHistory
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS
from sim.parquet_tables import check_range, numbers, read_rows, read_table
from sim.plan_table import PlanTable
from sim.results import NO_TIME_NS, UTILISATION_MAX, BrainMetrics, NetworkTable, PairTable, Run, StationSlots
from traces.atomic import written_whole

RUN_FILE: Final = "run.json"
NETWORK_FILE: Final = "network.json"
METRICS_FILE: Final = "metrics.json"
STATIONS_FILE: Final = "stations.parquet"
PAIRS_FILE: Final = "pairs.parquet"
LINES_FILE: Final = "lines.parquet"
PLAN_FILE: Final = "plan.json"

STATIONS_SCHEMA: Final = pa.schema(
    [
        pa.field("slot", pa.int32(), nullable=False),
        pa.field("station", pa.int32(), nullable=False),
        pa.field("utilisation", pa.float32(), nullable=False),
        pa.field("waiting", pa.int32(), nullable=False),
        pa.field("served", pa.int64(), nullable=False),
        pa.field("served_bytes", pa.int64(), nullable=False),
        pa.field("spilled", pa.int64(), nullable=False),
        pa.field("failed", pa.int64(), nullable=False),
    ]
)
PAIRS_SCHEMA: Final = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("target", pa.string(), nullable=False),
        pa.field("submitted", pa.int64(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("p50_ns", pa.int64()),
        pa.field("p95_ns", pa.int64()),
        pa.field("p99_ns", pa.int64()),
        pa.field("p999_ns", pa.int64()),
        pa.field("max_ns", pa.int64()),
        pa.field("deadline_total", pa.int64(), nullable=False),
        pa.field("deadline_missed", pa.int64(), nullable=False),
    ]
)
# Hours count from the one in which the run begins; an hour of a line without a row is one of which nothing is known.
LINES_SCHEMA: Final = pa.schema(
    [
        pa.field("hour", pa.int32(), nullable=False),
        pa.field("line", pa.int32(), nullable=False),
        pa.field("others", pa.float32(), nullable=False),
    ]
)
HOURS_MAX: Final = 1 << 15  # of a history of lines: more than three years; a damaged file shall not ask for all memory

Stored = TypeVar("Stored", bound=BaseModel)


def write_run(folder: Path, run: Run) -> None:
    """Write run.json. Write it last: a folder without it is no result yet."""
    _write_json(folder / RUN_FILE, run, indent=2)


def write_network(folder: Path, network: NetworkTable) -> None:
    """Write network.json."""
    _write_json(folder / NETWORK_FILE, network)


def write_metrics(folder: Path, metrics: BrainMetrics) -> None:
    """Write the metrics of one brain into its folder."""
    _write_json(folder / metrics.brain / METRICS_FILE, metrics)


def write_station_slots(folder: Path, brain: str, parts: Iterable[StationSlots]) -> None:
    """Write the slots of one brain's stations, part by part; rows in ascending order of slot, then station."""
    with written_whole(folder / brain / STATIONS_FILE) as place, pq.ParquetWriter(place, STATIONS_SCHEMA) as writer:
        for part in parts:
            columns = [getattr(part, field.name) for field in STATIONS_SCHEMA]
            writer.write_batch(pa.record_batch(columns, schema=STATIONS_SCHEMA))


def write_pairs(folder: Path, brain: str, pairs: PairTable) -> None:
    """Write one brain's completion times by pair; a missing time becomes null."""
    columns = []
    for field in PAIRS_SCHEMA:
        values = getattr(pairs, field.name)
        missing = values == NO_TIME_NS if field.nullable else None
        columns.append(pa.array(values, type=field.type, mask=missing))
    with written_whole(folder / brain / PAIRS_FILE) as place:
        pq.write_table(pa.table(columns, schema=PAIRS_SCHEMA), place)


def write_lines(folder: Path, brain: str, lines: LineHistory) -> None:
    """Write what other users took of the lines, as one brain's telemetry told it; the history begins with the run."""
    hour, line = np.nonzero(~np.isnan(lines.others))
    columns = [hour.astype(np.int32), line.astype(np.int32), lines.others[hour, line]]
    with written_whole(folder / brain / LINES_FILE) as place:
        pq.write_table(pa.table(columns, schema=LINES_SCHEMA), place)


def write_plan(folder: Path, brain: str, plan: PlanTable) -> None:
    """Write what a prepared brain had planned."""
    _write_json(folder / brain / PLAN_FILE, plan)


def read_run(folder: Path) -> Run:
    """Read run.json."""
    return _read_json(folder / RUN_FILE, Run)


def read_network(folder: Path) -> NetworkTable:
    """Read network.json."""
    return _read_json(folder / NETWORK_FILE, NetworkTable)


def read_metrics(folder: Path, brain: str, network: NetworkTable) -> BrainMetrics:
    """Read one brain's metrics; its stations must be stations of the network."""
    path = folder / brain / METRICS_FILE
    metrics = _read_json(path, BrainMetrics)
    if metrics.brain != brain:
        raise BadInputError("brain", f"must be the name of its folder, {brain}", metrics.brain, str(path))
    stations = len(network.stations.name)
    for row, load in enumerate(metrics.stations):
        if load.station >= stations:
            raise BadInputError(f"stations.{row}.station", f"must lie below {stations}", load.station, str(path))
    return metrics


def read_plan(folder: Path, brain: str) -> PlanTable | None:
    """Read what a brain had planned; None if it is no prepared one."""
    path = folder / brain / PLAN_FILE
    return _read_json(path, PlanTable) if path.exists() else None


def read_station_slots(folder: Path, brain: str, slots: int, stations: int) -> Iterator[StationSlots]:
    """Yield one brain's slots part by part, so that a large network need not fit in memory.

    Parameters
    ----------
    folder, brain
        Where to read.
    slots, stations : int
        Every row's slot and station must lie below these.
    """
    path = folder / brain / STATIONS_FILE
    for batch in read_rows(path, STATIONS_SCHEMA):
        part = StationSlots(**{field.name: numbers(batch, field.name, path) for field in STATIONS_SCHEMA})
        for name, high in (("slot", slots - 1), ("station", stations - 1), ("utilisation", UTILISATION_MAX)):
            check_range(getattr(part, name), name, high, path)
        for name in ("waiting", "served", "served_bytes", "spilled", "failed"):
            check_range(getattr(part, name), name, None, path)
        yield part


def read_pairs(folder: Path, brain: str) -> PairTable:
    """Read one brain's completion times by pair."""
    path = folder / brain / PAIRS_FILE
    table = read_table(path, PAIRS_SCHEMA)
    columns: dict[str, Any] = {}
    for field in PAIRS_SCHEMA:
        column = table.column(field.name)
        if field.type == pa.string():
            columns[field.name] = column.to_pylist()
            continue
        check_range(column.drop_null().to_numpy(), field.name, None, path)
        columns[field.name] = column.fill_null(NO_TIME_NS).to_numpy()
    return PairTable(**columns)


def read_line_history(folder: Path, brain: str | None = None) -> LineHistory:
    """Read what other users took of the lines, hour by hour.

    Parameters
    ----------
    folder : Path
        A result folder.
    brain : str, optional
        Whose telemetry; the first brain's if not given. Brains of one run see the same other users.

    Returns
    -------
    LineHistory
        Lines in the order of `read_network`; up to the last hour of which anything is known.

    Raises
    ------
    BadInputError
        If a file is missing or breaks a rule. Folders of earlier versions have no such history.
    """
    run, network = read_run(folder), read_network(folder)
    path = folder / (run.brains[0] if brain is None else brain) / LINES_FILE
    table = read_table(path, LINES_SCHEMA)
    hour, line, others = (table.column(name).to_numpy() for name in LINES_SCHEMA.names)
    lines = len(network.lines.source)
    for values, name, high in ((hour, "hour", HOURS_MAX - 1), (line, "line", lines - 1), (others, "others", 1.0)):
        if not np.isfinite(values).all():
            raise BadInputError(f"column {name}", "must be finite", "NaN or infinity", str(path))
        check_range(values, name, high, path)
    cell = hour.astype(np.int64) * lines + line
    if len(np.unique(cell)) < len(cell):
        raise BadInputError("rows", "must name each hour of a line once", len(cell) - len(np.unique(cell)), str(path))
    hours = int(hour.max()) + 1 if len(hour) else 0
    table_of = np.full((hours, lines), np.nan, dtype=np.float32)
    table_of[hour, line] = others
    return LineHistory(TimeGrid(run.start.replace(minute=0, second=0, microsecond=0), HOUR_NS, hours), table_of)


def _read_json(path: Path, kind: type[Stored]) -> Stored:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadInputError("file", "must exist in a result folder", path.name, str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError("file", "must be readable UTF-8 text", str(error), str(path)) from None
    try:
        stored = json.loads(text)
    except ValueError as error:
        raise BadInputError("file", "must be JSON", str(error), str(path)) from None
    except RecursionError:
        raise BadInputError("file", "must not nest so deeply", "too many brackets", str(path)) from None
    try:
        return kind.model_validate(stored)
    except BadInputError as error:
        raise error.within(str(path)) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "file"
        rule = first["msg"].removeprefix("Value error, ")
        raise BadInputError(place, rule, first["input"], str(path)) from None


def _write_json(path: Path, table: BaseModel, indent: int | None = None) -> None:
    separators = (",", ":") if indent is None else None
    text = json.dumps(table.model_dump(mode="json"), ensure_ascii=False, indent=indent, separators=separators)
    with written_whole(path) as place:
        place.write_text(text + "\n", encoding="utf-8")
