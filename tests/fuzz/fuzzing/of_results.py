"""Targets: what a run leaves behind and a later one reads: brain files, result folders, studies, journals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import pyarrow as pa
from made_brains import make_plan
from made_log import write_log
from made_results import BRAINS, make_results
from made_studies import make_compare

from fuzzing.containers import changed_parquet, parquet_of
from fuzzing.target import Mutate, Target, as_file, hold, own_folder
from fuzzing.texts import changed_lines
from fuzzing.trees import changed_json
from router_core.errors import BadInputError
from router_core.line_history import LineHistory
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS
from sim import policy_folder as policies
from sim.decision_log import DECISIONS_FILE, read_decisions
from sim.explanation import explain
from sim.mode_table import MODES_FILE, MODES_SCHEMA, read_modes
from sim.result_folder import (
    LINES_FILE,
    METRICS_FILE,
    NETWORK_FILE,
    PAIRS_FILE,
    PLAN_FILE,
    RUN_FILE,
    STATIONS_FILE,
    read_line_history,
    read_metrics,
    read_network,
    read_pairs,
    read_plan,
    read_run,
    read_station_slots,
    write_lines,
    write_plan,
)
from sim.studies.study import PAGE_FILE, STUDY_FILE, Study, read_study
from sim.studies.tuning.journal import JOURNAL, Journal
from strategies.decision import Reason, Trust

_BRAIN: Final = BRAINS[0]
_POLICY: Final = ("ends", "paths", "weights", "states", "records")
_JSON: Final = (RUN_FILE, NETWORK_FILE, METRICS_FILE, PLAN_FILE)
_TABLES: Final = (
    STATIONS_FILE,
    PAIRS_FILE,
    LINES_FILE,
    MODES_FILE,
    DECISIONS_FILE,
    *(f"policy/{name}.parquet" for name in _POLICY),
)


@cache
def _folder() -> Path:
    """A result folder of a small province, with everything in it that there can be."""
    folder = make_results(own_folder() / "result", cities=1, counties=1)
    network = read_network(folder)
    write_log(folder, _BRAIN)
    write_plan(folder, _BRAIN, make_plan())
    start = read_run(folder).start.replace(minute=0, second=0, microsecond=0)
    others = np.full((3, len(network.lines.source)), 0.25, dtype=np.float32)
    write_lines(folder, _BRAIN, LineHistory(TimeGrid(start, HOUR_NS, 3), others))
    few = {"hour": [0, 1], "node": [0, 1], "mode": [0, 1], "priority": [0, 3], "bytes": [10, 20]}
    (folder / _BRAIN / MODES_FILE).write_bytes(parquet_of(pa.table(few, schema=MODES_SCHEMA)))
    _write_policies(folder / _BRAIN / policies.POLICY_FOLDER, network)
    return folder


def _neighbours(network: Any) -> tuple[int, list[int]]:
    """A centre, and the front-ends that hang on it."""
    fronts = {node for node, kind in enumerate(network.nodes.kind) if kind == "front_end"}
    homes = [(home, end) for end, home in zip(network.lines.source, network.lines.target, strict=True) if end in fronts]
    home = max({home for home, _ in homes}, key=lambda one: sum(of == one for of, _ in homes))
    return home, sorted({end for of, end in homes if of == home})[:3]


def _write_policies(folder: Path, network: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    home, ends = _neighbours(network)
    stations = len(network.stations.name)
    way = [
        station
        for station in range(stations)
        if network.stations.owner[station] == home and network.stations.role[station] != "line"
    ]
    states: dict[str, Any] = {"record": [0] * stations + [1], "station": [*range(stations), 0]}
    states |= {name: [0.5] * (stations + 1) for name in ("stay_ns", "utilisation", "loss", "confidence", "age_s")}
    states |= dict.fromkeys(("identified", "up"), [True] * (stations + 1))
    tables = {
        "ends": (policies.ENDS_SCHEMA, {"node": ends, "group": list(range(len(ends)))}),
        "paths": (
            policies.PATHS_SCHEMA,
            {"source": [0, 0, 1], "target": [1, 1, 0], "stations": [way, way[:1], way[-1:]]},
        ),
        "weights": (policies.WEIGHTS_SCHEMA, {"record": [0, 0, 0, 1], "path": [0, 1, 2, 0], "weight": [1, 2, 3, 5]}),
        "states": (policies.STATES_SCHEMA, states),
        "records": (
            policies.RECORDS_SCHEMA,
            {
                **{
                    "now_ns": [0, 3_600 * 10**9],
                    "reason": [next(iter(Reason)).value] * 2,
                    "trust": [Trust(0).name.lower()] * 2,
                },
                **{"share_within": [0.5, 0.5], "state_within": [0.5, 0.5]},
            },
        ),
    }
    for name, (schema, columns) in tables.items():
        (folder / f"{name}.parquet").write_bytes(parquet_of(pa.table(columns, schema=schema)))


@cache
def _sound(name: str) -> bytes:
    return _place(name).read_bytes()


def _place(name: str) -> Path:
    folder = _folder()
    return folder / name if name in (RUN_FILE, NETWORK_FILE) else folder / _BRAIN / name


def _result(data: bytes) -> object:
    """The name of a file of a result folder, a line end, and what it holds; the rest of the folder is sound."""
    first, _, text = data.partition(b"\n")
    name = first.decode("latin-1")
    if name not in (*_JSON, *_TABLES):
        raise BadInputError("first line", "must name a file of a result folder", name)
    sound, place = _sound(name), _place(name)
    _asked()
    try:
        place.write_bytes(text)
        return _read(name)
    finally:
        place.write_bytes(sound)


def _read(name: str) -> object:
    """Read a folder with one changed file, as reports and explanations do."""
    folder = _folder()
    run, network = read_run(folder), read_network(folder)
    if name in (RUN_FILE, NETWORK_FILE, METRICS_FILE):
        metrics = read_metrics(folder, _BRAIN, network)
        hold("stations are the network's", all(one.station < len(network.stations.name) for one in metrics.stations))
    if name in (RUN_FILE, NETWORK_FILE, LINES_FILE):
        history = read_line_history(folder, _BRAIN)
        hold("shares are shares", not (history.others > 1).any(), history.others)
    if name == PLAN_FILE:
        return read_plan(folder, _BRAIN)
    if name == STATIONS_FILE:
        return sum(len(part.slot) for part in read_station_slots(folder, _BRAIN, 10_000, len(network.stations.name)))
    if name == PAIRS_FILE:
        return read_pairs(folder, _BRAIN)
    if name == MODES_FILE:
        return read_modes(folder, _BRAIN, len(network.nodes.name))
    if name == DECISIONS_FILE:
        return read_decisions(folder, _BRAIN, 10**18)
    if name.startswith("policy/") or name in (RUN_FILE, NETWORK_FILE, METRICS_FILE):
        for source, target in (_asked(), _asked()[::-1]):
            explain(folder, _BRAIN, source, target)
    return run


@cache
def _asked() -> tuple[str, ...]:
    network = read_network(_folder())
    return tuple(network.nodes.name[end] for end in _neighbours(network)[1][:2])


def _json_seeds() -> list[bytes]:
    return [name.encode() + b"\n" + _sound(name) for name in _JSON]


def _table_seeds() -> list[bytes]:
    return [name.encode() + b"\n" + _sound(name) for name in _TABLES]


def _below(change: Mutate) -> Mutate:
    """Change what is below the first line."""

    def changed(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
        name, _, text = data.partition(b"\n")
        return name + b"\n" + change(text, random, [one.partition(b"\n")[2] for one in others[:6]])

    return changed


def _study(data: bytes) -> object:
    """A study's two documents, a line each."""
    study, _, page = data.partition(b"\n")
    folder = own_folder()
    as_file(study, STUDY_FILE)
    as_file(page, PAGE_FILE)
    return read_study(folder)


def _study_seeds() -> list[bytes]:
    page = make_compare()
    verdict = page.verdict
    study = Study(
        kind="compare", provenance={"seed": 1}, verdict=verdict, seeds=[1, 2], tables=["replays"], found={"a": [1.5]}
    )
    return [study.model_dump_json().encode() + b"\n" + page.model_dump_json().encode()]


def _changed_study(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    study, _, page = data.partition(b"\n")
    if random.random() < 0.4:
        study = changed_json(study, random, ()).replace(b"\n", b" ")
    else:
        page = changed_json(page, random, ())
    return study + b"\n" + page


def _journal(data: bytes) -> object:
    folder = own_folder() / "work"
    folder.mkdir(exist_ok=True)
    (folder / JOURNAL).write_bytes(data)
    with Journal(folder, {"scenario": "toy", "seeds": [1, 2]}) as journal:
        journal.put("a new key", {"value": 1.0})
        hold("what is put is kept", journal.get("a new key") is not None)
        known = journal.get("k1")
    with Journal(folder, {"scenario": "toy", "seeds": [1, 2]}) as journal:
        hold("what was kept is found again", journal.get("a new key") is not None and journal.get("k1") == known)
    return journal


def _journal_seeds() -> list[bytes]:
    lines = [{"order": {"scenario": "toy", "seeds": [1, 2]}}, {"key": "k1", "values": {"p99": 1.5, "late": 0}}]
    return [
        "".join(json.dumps(line) + "\n" for line in lines).encode(),
        b"",
        json.dumps(lines[0]).encode() + b'\n{"key',
    ]


def _changed_journal(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    lines = data.split(b"\n")
    if random.random() < 0.5:
        return changed_lines(data, random, others)
    place = random.randrange(len(lines))
    lines[place] = changed_json(lines[place], random, ()).replace(b"\n", b" ")
    return b"\n".join(lines)


TARGETS = (
    Target(
        "result-json",
        "documents of a result folder, `sim.result_folder`",
        _result,
        _json_seeds,
        _below(changed_json),
        cost=2.5,
    ),
    Target(
        "result-tables",
        "tables of a result folder, `sim.result_folder`, `sim.policy_folder`, `sim.decision_log`, `sim.mode_table`",
        _result,
        _table_seeds,
        _below(changed_parquet(b"")),
        cost=4.0,
    ),
    Target(
        "study", "a study's documents, `sim.studies.study.read_study`", _study, _study_seeds, _changed_study, cost=1.0
    ),
    Target(
        "journal",
        "the journal of `tune`, `sim.studies.tuning.journal`",
        _journal,
        _journal_seeds,
        _changed_journal,
        cost=0.3,
    ),
)
