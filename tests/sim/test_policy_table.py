"""Policies kept in little room: what is told of any of them is as near to the truth as the table says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scripted_brain import drawn_state, drawn_weights

import scenarios
from router_core.errors import BadInputError
from router_core.link_state import LinkState
from router_core.paths.k_shortest import k_shortest
from router_core.paths.path_set import path_set
from router_core.paths.route_space import space_of_network
from router_core.units import MINUTE_NS, SECOND_NS
from sim import policy_table as module
from sim.policy_folder import has_policies, read_policies, write_policies
from sim.policy_table import (
    AGE_LEAST_S,
    AGE_RATIO,
    CONFIDENCE_STEP,
    LOSS_STEP,
    NEVER_S,
    STAY_LEAST_NS,
    STAY_RATIO,
    UTILISATION_STEP,
    PolicyTable,
    StationStates,
    policy_table,
)
from sim.results import network_table
from strategies.decision import Reason, Trust
from strategies.policy_record import PolicyRecord

NETWORK = scenarios.load("toy").network
PATHS = k_shortest(space_of_network(NETWORK), 3)
ROUNDING = 1 / 4096


def drawn_records(seed: int, count: int = 12, period_ns: int = MINUTE_NS) -> list[PolicyRecord]:
    """Records of which each moves some pairs and most stations a little; two in a row may be at one instant."""
    rng = np.random.default_rng(seed)
    records = []
    weights, state = drawn_weights(PATHS, rng), drawn_state(NETWORK, 0, rng)
    for number in range(count):
        now_ns = number // 2 * 2 * period_ns
        fresh, moved = drawn_weights(PATHS, rng), rng.random(PATHS.pair_count) < 0.3
        weights = np.where(moved[PATHS.path_pair], fresh, weights).astype(np.int32)
        other = drawn_state(NETWORK, now_ns, rng)
        some = rng.random(NETWORK.station_count) < 0.3
        names = [field.name for field in fields(LinkState)[1:]]
        state = LinkState(now_ns, *(np.where(some, getattr(other, name), getattr(state, name)) for name in names))
        reason, trust = list(Reason)[number % len(Reason)], Trust(number % len(Trust))
        records.append(PolicyRecord(now_ns, reason, trust, PATHS, weights, state))
    return records


def shares(weights: np.ndarray) -> np.ndarray:
    total = np.zeros(PATHS.pair_count)
    np.add.at(total, PATHS.path_pair, weights)
    whole = total[PATHS.path_pair]
    return np.divide(weights, whole, out=np.zeros(len(weights)), where=whole > 0)


def within(table: PolicyTable, number: int, record: PolicyRecord) -> None:
    """Hold what is told of a record against the record itself, one station and one path at a time."""
    told = table.weights_at(number)
    away = np.abs(shares(told) - shares(record.weights)).max()
    assert away <= table.share_within[number] + 1e-6
    states, state, bound = table.states_at(number), record.state, float(table.state_within[number]) + 0.01
    age_s = np.where(state.observed_ns < 0, NEVER_S, (record.now_ns - state.observed_ns) / SECOND_NS)
    for station in range(NETWORK.station_count):
        for name, step in (("utilisation", UTILISATION_STEP), ("loss", LOSS_STEP), ("confidence", CONFIDENCE_STEP)):
            true = getattr(state, name)[station]
            assert abs(getattr(states, name)[station] - true) <= step * bound + ROUNDING * true, name
        for true, shown, least, ratio in (
            (state.stay_ns[station], states.stay_ns[station], STAY_LEAST_NS, STAY_RATIO),
            (max(age_s[station], 0.0), max(states.age_s[station], 0.0), AGE_LEAST_S, AGE_RATIO),
        ):
            assert abs(np.log((true + least) / (shown + least))) <= np.log(ratio) * bound + ROUNDING
        assert (states.age_s[station] == NEVER_S) == (age_s[station] == NEVER_S)
        assert states.up[station] == state.up[station]
        assert states.identified[station] == state.identified[station]


@pytest.mark.parametrize("seed", range(4))
def test_every_record_is_told_within_its_bounds(seed: int) -> None:
    records = drawn_records(seed)
    table = policy_table(records, NETWORK)
    assert table is not None
    assert (table.share_within == 0).all(), "there is room for all weights"
    assert table.reason == tuple(record.reason for record in records)
    assert table.trust == tuple(record.trust for record in records)
    for number, record in enumerate(records):
        np.testing.assert_array_equal(table.weights_at(number), record.weights)
        within(table, number, record)
    assert len(table.weight) < len(records) * PATHS.path_count * 0.6
    assert len(table.state_station) < len(records) * NETWORK.station_count * 0.6


@pytest.mark.parametrize("seed", range(3))
def test_where_room_is_short_the_largest_changes_are_kept_and_the_bounds_hold(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATHS_A_MINUTE", 9)
    monkeypatch.setattr(module, "STATIONS_A_MINUTE", 20)
    monkeypatch.setattr(module, "SAVED_MAX", 1)
    records = drawn_records(seed, count=20)
    table = policy_table(records, NETWORK)
    assert table is not None
    assert table.share_within.max() > 0.05
    assert table.state_within.max() > 1.0
    for number, record in enumerate(records):
        within(table, number, record)
    minutes = records[-1].now_ns / MINUTE_NS
    assert len(table.weight) <= PATHS.path_count + 9 * minutes


def test_an_instant_is_told_by_the_last_record_at_or_before_it() -> None:
    records = drawn_records(1, count=6)
    table = policy_table(records, NETWORK)
    assert table is not None
    for at_ns in (0, 1, 2 * MINUTE_NS - 1, 2 * MINUTE_NS, 10**15):
        assert table.record_at(at_ns) == max(n for n, one in enumerate(records) if one.now_ns <= at_ns)
    assert table.record_at(-1) is None


def test_paths_are_found_by_their_groups() -> None:
    table = policy_table(drawn_records(1, count=1), NETWORK)
    assert table is not None
    for pair, (source, target) in enumerate(zip(PATHS.source.tolist(), PATHS.target.tolist(), strict=True)):
        found = [tuple(table.stations_of(path).tolist()) for path in table.paths_between(source, target).tolist()]
        assert found == PATHS.paths_of(pair)
    assert dict(zip(table.node.tolist(), table.group.tolist(), strict=True)) == {
        node: int(NETWORK.node_group[node]) for node in NETWORK.endpoints.tolist()
    }


def test_nothing_kept_is_nothing_written(tmp_path: Path) -> None:
    assert policy_table([], NETWORK) is None
    write_policies(tmp_path, "b", None)
    assert not has_policies(tmp_path, "b")
    assert read_policies(tmp_path, "b", network_table(NETWORK)) is None
    assert not list(tmp_path.iterdir())


def test_what_is_written_is_read_back_and_equal_to_the_byte(tmp_path: Path) -> None:
    table = policy_table(drawn_records(2), NETWORK)
    assert table is not None
    for folder in ("one", "two"):
        write_policies(tmp_path / folder, "b", table)
    found = read_policies(tmp_path / "one", "b", network_table(NETWORK))
    assert found is not None
    for field in fields(PolicyTable):
        left, right = getattr(found, field.name), getattr(table, field.name)
        if isinstance(left, StationStates):
            for part in fields(StationStates):
                np.testing.assert_array_equal(getattr(left, part.name), getattr(right, part.name))
        elif isinstance(left, np.ndarray):
            assert left.dtype == right.dtype, field.name
            np.testing.assert_array_equal(left, right)
        else:
            assert left == right
    for path in (tmp_path / "one").rglob("*.parquet"):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"now_ns": -1}, r"policies\[1\].now_ns: must be at least 0"),
        ({"weights": np.zeros(3, dtype=np.int32)}, r"policies\[1\].weights: must be int32 of shape"),
        ({"weights": np.zeros(PATHS.path_count)}, r"policies\[1\].weights: must be int32 of shape"),
        ({"weights": np.full(PATHS.path_count, -1, dtype=np.int32)}, r"policies\[1\].weights\[0\]: must be at least 0"),
        ({"paths": path_set(PATHS.space, [0], [1], [[[1]]])}, r"policies\[1\].paths: must be the same object"),
        ({"now_ns": 0, "state": drawn_state(NETWORK, 9, np.random.default_rng(1))}, r"state.now_ns: must be at most 0"),
    ],
)
def test_a_record_that_does_not_fit_is_refused_by_name(change: dict[str, Any], message: str) -> None:
    first = drawn_records(1, count=1)[0]
    with pytest.raises(BadInputError, match=message):
        policy_table([first, replace(first, **change)], NETWORK)


def _set(name: str, column: str, value: Any, row: int = 0) -> tuple[str, Callable[[pa.Table], pa.Table]]:
    def change(table: pa.Table) -> pa.Table:
        values = table.column(column).to_pylist()
        values[row] = value
        index = table.schema.get_field_index(column)
        field = table.schema.field(column).with_nullable(True)
        return table.set_column(index, field, pa.array(values, type=field.type))

    return name, change


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (_set("records", "reason", "mood"), r"rows.0.reason: must be one of"),
        (_set("records", "trust", "blind"), r"rows.0.trust: must be one of"),
        (_set("records", "now_ns", -1), r"column now_ns: must be at least 0"),
        (_set("records", "now_ns", 10**18), r"column now_ns: must not fall"),
        (_set("records", "share_within", float("nan")), r"column share_within: must be finite"),
        (_set("ends", "node", 10**6, -1), r"column node: must lie in 0\.\."),
        (_set("ends", "node", 27), r"column node: must rise"),
        (_set("paths", "source", 99), r"column source: must lie in 0\.\."),
        (_set("paths", "stations", [10**6]), r"column stations: must lie in 0\.\."),
        (_set("weights", "weight", -1), r"column weight: must be at least 0"),
        (_set("weights", "path", 10**6), r"column path: must lie in 0\.\."),
        (_set("weights", "record", 3), r"column record: must not fall"),
        (_set("weights", "weight", None), r"column weight: must have no nulls"),
        (_set("states", "station", 1), r"rows: must tell of all 110 stations"),
        (_set("states", "stay_ns", float("inf")), r"column stay_ns: must be finite"),
        (_set("states", "confidence", 1.5), r"column confidence: must lie in 0\.\.1"),
        (_set("states", "age_s", -2.0), r"column age_s: must be at least 0"),
        (("records", lambda table: table.drop_columns(["trust"])), r"column trust: must be present"),
        (("records", lambda table: table.slice(0, 0)), r"rows: must not be empty"),
    ],
)
def test_a_table_with_a_fault_is_refused_by_name(
    tmp_path: Path, fault: tuple[str, Callable[[pa.Table], pa.Table]], message: str
) -> None:
    write_policies(tmp_path, "b", policy_table(drawn_records(1, count=4), NETWORK))
    name, change = fault
    path = tmp_path / "b" / "policy" / f"{name}.parquet"
    pq.write_table(change(pq.read_table(path)), path)
    with pytest.raises(BadInputError, match=message) as caught:
        read_policies(tmp_path, "b", network_table(NETWORK))
    assert caught.value.file == str(path)


@pytest.mark.parametrize("name", ["paths", "ends", "weights", "states"])
def test_a_file_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    write_policies(tmp_path, "b", policy_table(drawn_records(1, count=2), NETWORK))
    (tmp_path / "b" / "policy" / f"{name}.parquet").unlink()
    with pytest.raises(BadInputError, match=rf"{name}.parquet: file: must exist"):
        read_policies(tmp_path, "b", network_table(NETWORK))
