"""The result folder: what was written is read back, and whatever breaks a rule is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_results import SLOTS, make_metrics, make_network, make_pairs, make_results, make_slots
from pydantic import ValidationError

from router_core.errors import BadInputError
from router_core.line_history import LineHistory
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS
from sim.result_folder import (
    LINES_SCHEMA,
    read_line_history,
    read_metrics,
    read_network,
    read_pairs,
    read_run,
    read_station_slots,
    write_lines,
    write_metrics,
    write_pairs,
    write_station_slots,
)
from sim.results import Completion, Counts, PoolLoad, StationSlots, Tail, network_table


@pytest.fixture(scope="module")
def network():
    return make_network(cities=2, counties=1, seed=3, rename="{}")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_results(tmp_path_factory.mktemp("made") / "out", cities=2, counties=1)


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "out"))


def test_everything_written_is_read_back(tmp_path: Path, network) -> None:
    table = network_table(network)
    slots = make_slots(network, np.random.default_rng(5), balanced=True)
    metrics = make_metrics("ecmp", network, slots, seed=5, slowness=1.0)
    pairs = make_pairs(network, np.random.default_rng(6))
    write_metrics(tmp_path, metrics)
    halves = (StationSlots(**{name: column[part] for name, column in vars(slots).items()}) for part in _halves(slots))
    write_station_slots(tmp_path, "ecmp", halves)
    write_pairs(tmp_path, "ecmp", pairs)

    assert read_metrics(tmp_path, "ecmp", table) == metrics
    parts = list(read_station_slots(tmp_path, "ecmp", SLOTS, network.station_count))
    for name, column in vars(slots).items():
        np.testing.assert_array_equal(np.concatenate([getattr(part, name) for part in parts]), column)
    found = read_pairs(tmp_path, "ecmp")
    for name, column in vars(pairs).items():
        np.testing.assert_array_equal(getattr(found, name), column)
    assert not list(tmp_path.rglob("*.draft"))


@pytest.mark.parametrize("seed", range(3))
def test_the_history_of_lines_is_read_back(folder: Path, seed: int) -> None:
    """Hours and lines of which nothing is known stay so; the history begins with the hour in which the run does."""
    run, lines = read_run(folder), len(read_network(folder).lines.source)
    rng = np.random.default_rng(seed)
    others = rng.random((30, lines), dtype=np.float32)
    others[rng.random(others.shape) < 0.2] = np.nan
    others[12] = np.nan
    others[29, 0] = 1.0
    grid = TimeGrid(run.start.replace(minute=0, second=0, microsecond=0), HOUR_NS, 30)
    write_lines(folder, run.brains[0], LineHistory(grid, others))
    write_lines(folder, run.brains[1], LineHistory(grid.part(0, 0), others[:0]))
    found = read_line_history(folder)
    assert found.grid == grid
    np.testing.assert_array_equal(found.others, others)
    assert read_line_history(folder, run.brains[1]).others.shape == (0, lines)


def test_a_folder_of_an_earlier_version_has_no_history_of_lines(folder: Path) -> None:
    with pytest.raises(BadInputError, match=r"lines.parquet: file: must exist in a result folder"):
        read_line_history(folder)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"hour": [-1]}, r"column hour: must lie in 0\.\."),
        ({"hour": [2**30]}, r"column hour: must lie in 0\.\."),
        ({"line": [10**6]}, r"column line: must lie in 0\.\."),
        ({"others": [1.5]}, r"column others: must lie in 0\.\."),
        ({"others": [float("nan")]}, r"column others: must be finite"),
        ({"hour": [4, 4], "line": [2, 2], "others": [0.0, 0.1]}, r"rows: must name each hour of a line once"),
    ],
)
def test_a_history_of_lines_with_a_fault_is_refused(folder: Path, rows: dict[str, Any], message: str) -> None:
    columns = {"hour": [0], "line": [0], "others": [0.5]} | rows
    path = folder / read_run(folder).brains[0] / "lines.parquet"
    arrays = [pa.array(columns[field.name], field.type) for field in LINES_SCHEMA]
    pq.write_table(pa.table(arrays, schema=LINES_SCHEMA), path)
    with pytest.raises(BadInputError, match=rf"lines.parquet: {message}"):
        read_line_history(folder)


def test_metrics_of_an_earlier_version_hold_nothing_back_and_lend_nothing(folder: Path) -> None:
    path = folder / "ecmp" / "metrics.json"
    stored = json.loads(path.read_text(encoding="utf-8"))
    for key in ("withheld", "pools"):
        del stored[key]
    path.write_text(json.dumps(stored), encoding="utf-8")
    metrics = read_metrics(folder, "ecmp", read_network(folder))
    assert (metrics.withheld, metrics.pools) == (None, [])


def test_a_pool_lends_no_more_than_it_has() -> None:
    PoolLoad(name="cloud", label_zh="云", servers=3, peak=3, server_ns=5, lent=[0, 3])
    for wrong in ({"peak": 4}, {"lent": [4]}, {"peak": 2}):
        with pytest.raises(BadInputError, match=r"pools.cloud: must lend at most 3 servers"):
            PoolLoad(
                **{"name": "cloud", "label_zh": "云", "servers": 3, "peak": 3, "server_ns": 5, "lent": [3]} | wrong
            )


def _halves(slots: StationSlots) -> tuple[slice, slice]:
    middle = len(slots.slot) // 2
    return slice(None, middle), slice(middle, None)


def test_network_table_says_what_the_network_says(network) -> None:
    table = network_table(network)
    for line, station in enumerate(table.lines.station):
        assert table.stations.role[station] == "line"
        assert table.stations.owner[station] == line
        assert network.node_name[network.line_source[line]] == table.nodes.name[table.lines.source[line]]
    # 155 Mbit/s between the province and a city: whole picoseconds a byte round it down by less than 0.1 %.
    rates = {rate for rate, carrier in zip(table.lines.rate_mbps, table.lines.carrier, strict=True) if carrier}
    assert any(154.8 < rate <= 155 for rate in rates)


@given(st.lists(st.integers(0, 10**12), min_size=5, max_size=5), st.integers(1, 10**6))
def test_completion_refuses_percentiles_that_fall(times: list[int], count: int) -> None:
    names = ("p50_ns", "p95_ns", "p99_ns", "p999_ns", "max_ns")
    given_times = dict(zip(names, times, strict=True))

    def make() -> Completion:
        return Completion(count=count, bytes=0, mean_ns=1, deadline_total=0, deadline_missed=0, **given_times)

    if times == sorted(times):
        assert make().max_ns == max(times)
    else:
        with pytest.raises(BadInputError, match="must not decrease"):
            make()


@given(*(st.integers(0, 50) for _ in range(4)))
def test_counts_hold_law_1(submitted: int, delivered: int, in_flight: int, refused: int) -> None:
    def make() -> Counts:
        return Counts(submitted=submitted, delivered=delivered, in_flight=in_flight, refused=refused)

    if submitted == delivered + in_flight + refused:
        make()
    else:
        with pytest.raises(BadInputError, match="submitted must equal"):
            make()


def test_tail_falls() -> None:
    Tail(latency_ns=[1, 1, 5], share_above=[1.0, 0.5, 0.5])
    with pytest.raises(BadInputError, match="must not increase"):
        Tail(latency_ns=[1, 2], share_above=[0.1, 0.2])
    with pytest.raises(BadInputError, match="one length"):
        Tail(latency_ns=[1], share_above=[])
    with pytest.raises(ValidationError):
        Tail(latency_ns=[1], share_above=[float("nan")])


def _edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    stored = json.loads(path.read_text(encoding="utf-8"))
    change(stored)
    path.write_text(json.dumps(stored), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: run.update(format=1), "format"),
        (lambda run: run.update(format=3), "format"),
        (lambda run: run.pop("slot_ns"), "slot_ns"),
        (lambda run: run.update(slot_ns=0), "slot_ns"),
        (lambda run: run.update(brains=[]), "brains"),
        (lambda run: run.update(brains=["ecmp", "ecmp"]), "named once each"),
        (lambda run: run.update(brains=["../ecmp"]), "brains.0"),
        (lambda run: run.update(start="2018-11-07T00:00:00+08:00"), "start"),
        (lambda run: run.update(start="yesterday"), "start"),
        (lambda run: run["provenance"].pop("seed"), "provenance.seed"),
    ],
)
def test_run_with_a_fault_is_refused(folder: Path, change: Callable[[dict[str, Any]], object], message: str) -> None:
    _edit(folder / "run.json", change)
    with pytest.raises(BadInputError) as caught:
        read_run(folder)
    assert caught.value.file == str(folder / "run.json")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table["nodes"]["name"].pop(), "one length"),
        (lambda table: table["lines"]["source"].__setitem__(0, 10**6), "lines.source"),
        (lambda table: table["lines"]["source"].__setitem__(0, -1), "lines.source.0"),
        (lambda table: table["lines"]["station"].__setitem__(0, 10**6), "lines.station"),
        (lambda table: table["lines"]["rate_mbps"].__setitem__(0, 0), "lines.rate_mbps.0"),
        (lambda table: table["nodes"]["kind"].__setitem__(0, "castle"), "must be one of"),
        (lambda table: table["nodes"]["xy"].__setitem__(0, [0, "north"]), "nodes.xy.0.1"),
        (lambda table: table["stations"]["owner"].__setitem__(0, 10**6), "stations.owner.0"),
    ],
)
def test_network_with_a_fault_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    _edit(folder / "network.json", change)
    with pytest.raises(BadInputError, match=r"network\.json") as caught:
        read_network(folder)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda of: of.update(brain="other"), "name of its folder"),
        (lambda of: of["counts"].update(delivered=1), "submitted must equal"),
        (lambda of: of["refused_by_reason"].update(other=1), "counts.refused"),
        (lambda of: of["completion"]["all"].update(p50_ns=None), "needs every time"),
        (lambda of: of["completion"]["all"].update(deadline_missed=10**12), "deadline_total"),
        (lambda of: of["completion"]["by_mode"].update(pigeon=of["completion"]["all"]), "must be one of"),
        (lambda of: of["tide"]["delivered"].pop(), "one length"),
        (lambda of: of["tide"]["bytes"].pop("query"), "same modes"),
        (lambda of: of["stations"][0].update(station=10**6), "stations.0.station"),
        (lambda of: of["stations"][0].update(peak_utilisation=1.5), "peak_utilisation"),
    ],
)
def test_metrics_with_a_fault_are_refused(
    folder: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    path = folder / "ecmp" / "metrics.json"
    _edit(path, change)
    with pytest.raises(BadInputError) as caught:
        read_metrics(folder, "ecmp", read_network(folder))
    assert caught.value.file == str(path)
    assert message in str(caught.value)


def test_keys_and_columns_of_later_versions_are_left_alone(folder: Path) -> None:
    _edit(folder / "run.json", lambda run: run.update(weather="fine"))
    assert read_run(folder).brains == ["shortest-path", "ecmp"]
    path = folder / "ecmp" / "pairs.parquet"
    table = pq.read_table(path)
    pq.write_table(table.append_column("mood", pa.array(["calm"] * len(table))), path)
    assert len(read_pairs(folder, "ecmp").source) == len(table)


def _column(name: str, value: Any, kind: pa.DataType | None = None) -> Callable[[pa.Table], pa.Table]:
    """Set the first value of a column, or its type."""

    def change(table: pa.Table) -> pa.Table:
        column = table.column(name)
        values = column.to_pylist()
        values[0] = value
        index = table.schema.get_field_index(name)
        return table.set_column(index, name, pa.array(values, type=kind or column.type))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_column("slot", SLOTS), "column slot"),
        (_column("slot", -1), "column slot"),
        (_column("station", 10**6), "column station"),
        (_column("utilisation", 1.5), "column utilisation"),
        (_column("utilisation", float("nan")), "must be finite"),
        (_column("utilisation", None), "must have no nulls"),
        (_column("waiting", -1), "column waiting"),
        (_column("spilled", -1), "column spilled"),
        (lambda table: table.drop_columns(["failed"]), "must be present"),
        (_column("waiting", 1, pa.int64()), "must be of type int32"),
        (lambda table: table.drop_columns(["served_bytes"]), "must be present"),
    ],
)
def test_slots_with_a_fault_are_refused(folder: Path, change: Callable[[pa.Table], pa.Table], message: str) -> None:
    path = folder / "ecmp" / "stations.parquet"
    pq.write_table(change(pq.read_table(path)), path)
    with pytest.raises(BadInputError) as caught:
        list(read_station_slots(folder, "ecmp", SLOTS, len(read_network(folder).stations.name)))
    assert caught.value.file == str(path)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["run.json", "network.json", "ecmp/metrics.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"a": NaN}'])
def test_file_that_is_no_such_json_is_refused(folder: Path, name: str, content: bytes) -> None:
    network = read_network(folder)
    (folder / name).write_bytes(content)
    readers = {
        "run.json": read_run,
        "network.json": read_network,
        "ecmp/metrics.json": lambda place: read_metrics(place, "ecmp", network),
    }
    with pytest.raises(BadInputError) as caught:
        readers[name](folder)
    assert caught.value.file == str(folder / name)


def test_interrupted_write_leaves_the_old_file(folder: Path) -> None:
    path = folder / "ecmp" / "stations.parquet"
    before = path.read_bytes()

    def parts():
        yield next(read_station_slots(folder, "ecmp", SLOTS, 10**6))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_station_slots(folder, "ecmp", parts())
    assert path.read_bytes() == before
    assert sorted(entry.name for entry in path.parent.iterdir()) == [
        "metrics.json",
        "pairs.parquet",
        "stations.parquet",
    ]
