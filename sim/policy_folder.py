"""<brain>/policy/: writer and reader of a `PolicyTable`; the files are listed in `sim.results`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from router_core.errors import BadInputError
from sim.decision_log import one_of
from sim.parquet_tables import check_range, numbers, read_table
from sim.policy_table import NEVER_S, PolicyTable, StationStates
from sim.results import NetworkTable
from strategies.decision import Reason, Trust
from traces.atomic import written_whole

POLICY_FOLDER: Final = "policy"
TRUST_WORDS: Final = [trust.name.lower() for trust in Trust]


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns.items()])


_INT, _REAL = pa.int32(), pa.float32()
RECORDS_SCHEMA: Final = _schema(
    now_ns=pa.int64(), reason=pa.string(), trust=pa.string(), share_within=_REAL, state_within=_REAL
)
ENDS_SCHEMA: Final = _schema(node=_INT, group=_INT)
PATHS_SCHEMA: Final = _schema(source=_INT, target=_INT, stations=pa.list_(pa.field("element", _INT, nullable=False)))
WEIGHTS_SCHEMA: Final = _schema(record=_INT, path=_INT, weight=_INT)
STATES_SCHEMA: Final = _schema(
    record=_INT,
    station=_INT,
    stay_ns=_REAL,
    utilisation=_REAL,
    loss=_REAL,
    confidence=_REAL,
    age_s=_REAL,
    identified=pa.bool_(),
    up=pa.bool_(),
)
STATE_COLUMNS: Final = STATES_SCHEMA.names[2:]


def write_policies(folder: Path, brain: str, policies: PolicyTable | None) -> None:
    """Write what one brain kept of its policies; nothing if it kept none."""
    if policies is None:
        return
    of = policies
    stations = pa.LargeListArray.from_arrays(of.path_start, pa.array(of.path_station)).cast(
        PATHS_SCHEMA.field("stations").type
    )
    trust = [one.name.lower() for one in of.trust]
    states = [getattr(of.states, name) for name in STATE_COLUMNS]
    for name, schema, columns in (
        ("ends", ENDS_SCHEMA, [of.node, of.group]),
        ("paths", PATHS_SCHEMA, [of.source, of.target, stations]),
        ("weights", WEIGHTS_SCHEMA, [of.weight_record, of.weight_path, of.weight]),
        ("states", STATES_SCHEMA, [of.state_record, of.state_station, *states]),
        # Last: a folder without records holds no policies yet.
        ("records", RECORDS_SCHEMA, [of.now_ns, list(of.reason), trust, of.share_within, of.state_within]),
    ):
        arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
        with written_whole(_file(folder, brain, name)) as place:
            pq.write_table(pa.table(arrays, schema=schema), place, compression="zstd")


def has_policies(folder: Path, brain: str) -> bool:
    """Say whether a brain kept records of its policies."""
    return _file(folder, brain, "records").exists()


def read_policies(folder: Path, brain: str, network: NetworkTable) -> PolicyTable | None:
    """Read what one brain kept of its policies; None if it kept nothing.

    Raises
    ------
    BadInputError
        Naming file, column, rule and value.
    """
    if not has_policies(folder, brain):
        return None
    now_ns, reason, trust, share_within, state_within = _records(_file(folder, brain, "records"))
    records, nodes, stations = len(now_ns), len(network.nodes.name), len(network.stations.name)
    path = _file(folder, brain, "ends")
    table = read_table(path, ENDS_SCHEMA)
    node, group = (_indices(table, name, high, path) for name, high in (("node", nodes), ("group", nodes)))
    _check_rising(node, "node", path, strictly=True)
    groups = int(group.max(initial=-1)) + 1

    path = _file(folder, brain, "paths")
    table = read_table(path, PATHS_SCHEMA)
    source, target = (_indices(table, name, groups, path) for name in ("source", "target"))
    lists = table.column("stations").combine_chunks()
    station = lists.flatten().to_numpy()
    check_range(station, "stations", stations - 1, path)
    lengths = lists.value_lengths().to_numpy()
    start = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))

    path = _file(folder, brain, "weights")
    table = read_table(path, WEIGHTS_SCHEMA)
    weight_record, weight_path = (
        _indices(table, name, high, path) for name, high in (("record", records), ("path", len(source)))
    )
    _check_rising(weight_record, "record", path)
    weight = numbers(table, "weight", path)
    check_range(weight, "weight", None, path)

    path = _file(folder, brain, "states")
    table = read_table(path, STATES_SCHEMA)
    state_record, state_station = (
        _indices(table, name, high, path) for name, high in (("record", records), ("station", stations))
    )
    _check_rising(state_record, "record", path)
    first = np.unique(state_station[state_record == 0])
    if len(first) < stations:
        raise BadInputError(
            "rows", f"must tell of all {stations} stations from the first record", len(first), str(path)
        )
    columns = {name: numbers(table, name, path) for name in STATE_COLUMNS}
    for name, high in (("stay_ns", None), ("utilisation", None), ("loss", 1.0), ("confidence", 1.0)):
        check_range(columns[name], name, high, path)
    check_range(columns["age_s"][columns["age_s"] != NEVER_S], "age_s", None, path)
    return PolicyTable(
        now_ns, reason, trust, share_within, state_within, node, group, source, target, start, station,
        weight_record, weight_path, weight, state_record, state_station, StationStates(**columns),
    )  # fmt: skip


def _records(path: Path) -> tuple[Any, ...]:
    table = read_table(path, RECORDS_SCHEMA)
    if len(table) == 0:
        raise BadInputError("rows", "must not be empty", 0, str(path))
    now_ns, share_within, state_within = (
        numbers(table, name, path) for name in ("now_ns", "share_within", "state_within")
    )
    check_range(now_ns, "now_ns", None, path)
    _check_rising(now_ns, "now_ns", path)
    check_range(share_within, "share_within", 1.0, path)
    check_range(state_within, "state_within", None, path)
    reasons = [
        Reason(one_of(word, list(Reason), f"rows.{row}.reason", path))
        for row, word in enumerate(table.column("reason").to_pylist())
    ]
    trusts = [
        Trust(TRUST_WORDS.index(one_of(word, TRUST_WORDS, f"rows.{row}.trust", path)))
        for row, word in enumerate(table.column("trust").to_pylist())
    ]
    return now_ns, tuple(reasons), tuple(trusts), share_within, state_within


def _file(folder: Path, brain: str, name: str) -> Path:
    return folder / brain / POLICY_FOLDER / f"{name}.parquet"


def _indices(table: pa.Table, name: str, size: int, path: Path) -> NDArray[np.int32]:
    values: NDArray[np.int32] = numbers(table, name, path)
    check_range(values, name, size - 1, path)
    return values


def _check_rising(values: NDArray[np.integer], name: str, path: Path, *, strictly: bool = False) -> None:
    step = np.diff(values)
    bad = np.flatnonzero(step <= 0 if strictly else step < 0)
    if len(bad):
        rule = "must rise" if strictly else "must not fall"
        raise BadInputError(f"column {name}", rule, int(values[bad[0] + 1]), str(path))
