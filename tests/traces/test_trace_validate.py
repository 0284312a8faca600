from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import traces.writer
from router_core.catalogue import Catalogue, SharingRule
from router_core.errors import BadInputError
from router_core.exchanges import FIELDS, Exchanges
from router_core.network import NO_POOL
from router_core.network_builder import NetworkBuilder, Service
from router_core.platform import Platform
from router_core.units import DAY_NS, PAYLOAD_BYTES_MAX
from router_core.vocabulary import NodeKind, SharingType
from traces.reader import TraceReader
from traces.row_rules import ROW_RULES
from traces.schema import TraceInfo, trace_info
from traces.validate import open_valid, validate_trace
from traces.writer import write_all

Rows = dict[str, NDArray[np.generic]]
Planter = Callable[[Rows, int, Platform], None]
ONE_FILE_EACH = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def put(column: str, value: int) -> Planter:
    def plant(rows: Rows, row: int, platform: Platform) -> None:
        rows[column][row] = value

    return plant


def earlier(rows: Rows, row: int, platform: Platform) -> None:
    rows["submitted_ns"][row] = rows["submitted_ns"][row - 1] - 1


def due_at_once(rows: Rows, row: int, platform: Platform) -> None:
    rows["deadline_ns"][row] = rows["submitted_ns"][row]


def to_itself(rows: Rows, row: int, platform: Platform) -> None:
    rows["target"][row] = rows["source"][row]


def exchange(source: str, target: str, resource: str) -> Planter:
    def plant(rows: Rows, row: int, platform: Platform) -> None:
        rows["source"][row] = platform.network.node_index[source]
        rows["target"][row] = platform.network.node_index[target]
        rows["resource"][row] = platform.catalogue.resource_name.index(resource)

    return plant


def to_node(name: str) -> Planter:
    def plant(rows: Rows, row: int, platform: Platform) -> None:
        rows["target"][row] = platform.network.node_index[name]

    return plant


PLANTED: tuple[tuple[str, Planter], ...] = (
    ("time_range", put("submitted_ns", -1)),
    ("time_range", put("submitted_ns", DAY_NS)),
    ("time_order", earlier),
    ("payload", put("payload_bytes", -1)),
    ("payload", put("payload_bytes", PAYLOAD_BYTES_MAX + 1)),
    ("mode", put("mode", 4)),
    ("mode", put("mode", -1)),
    ("kind", put("kind", 2)),
    ("priority", put("priority", 8)),
    ("priority", put("priority", -1)),
    ("deadline", due_at_once),
    ("deadline", put("deadline_ns", -2)),
    ("demand_type", put("demand_type", 5)),
    ("demand_type", put("demand_type", -2)),
    ("surge", put("surge", 0)),
    ("unknown_resource", put("resource", 10**6)),
    ("unknown_resource", put("resource", -1)),
    ("not_an_endpoint", put("source", 10**6)),
    ("not_an_endpoint", put("target", -1)),
    ("not_an_endpoint", to_node("province")),
    ("same_endpoint", to_itself),
    ("not_the_provider", exchange("west-health-1", "east-tax-1", "population")),
    ("not_shared", exchange("province-finance-1", "east-tax-1", "audit-notes")),
    ("not_granted", exchange("province-finance-1", "west-tax-1", "treasury")),
    ("may_not_cross_zones", exchange("province-finance-1", "province-security-1", "budget-plans")),
)


def arrays(exchanges: Exchanges) -> Rows:
    return {name: getattr(exchanges, name).copy() for name in FIELDS}


@pytest.fixture(scope="module")
def info(toy: Platform) -> TraceInfo:
    types = tuple(kind.name for kind in toy.demand.types)
    return trace_info(toy, start=datetime(2026, 3, 17), span_ns=DAY_NS, demand_types=types)


@pytest.fixture(scope="module")
def spaced(toy_day: Exchanges) -> Exchanges:
    """The toy's day, no two exchanges at once, so that a row can be put before another."""
    times = toy_day.submitted_ns
    return toy_day[np.concatenate([[True], np.diff(times) > 1])]


def test_a_generated_trace_is_valid(toy: Platform, info: TraceInfo, toy_day: Exchanges, trace_file: Path) -> None:
    write_all(trace_file, info, toy_day)
    report = validate_trace(trace_file, toy, rejected=trace_file.with_name("rejected.parquet"))
    assert (report.rows, report.bad_rows, report.counts, report.first) == (len(toy_day), 0, {}, None)
    assert report.error() is None
    assert pq.read_table(trace_file.with_name("rejected.parquet")).num_rows == 0
    with open_valid(trace_file, toy) as reader:
        assert reader.rows == len(toy_day)
        whole = reader.read_all(toy)
    assert all(np.array_equal(getattr(whole, name), getattr(toy_day, name)) for name in FIELDS)


@pytest.mark.parametrize(("rule", "plant"), PLANTED, ids=[f"{rule}-{place}" for place, (rule, _) in enumerate(PLANTED)])
def test_a_bad_row_is_named(
    toy: Platform, info: TraceInfo, spaced: Exchanges, trace_file: Path, rule: str, plant: Planter
) -> None:
    rows = arrays(spaced)
    plant(rows, 321, toy)
    write_all(trace_file, info, Exchanges(**rows))  # type: ignore[arg-type]
    report = validate_trace(trace_file, toy)
    assert report.counts == {rule: 1}
    assert report.first is not None
    assert (report.first.row, report.first.rule) == (321, rule)
    shown = next(item.columns for item in ROW_RULES if item.name == rule)
    for column in shown:
        assert f"{column} {int(rows[column][321])}" in report.first.value
    with pytest.raises(BadInputError) as caught:
        open_valid(trace_file, toy)
    assert str(caught.value).startswith(f"{trace_file}: row 321: {report.first.text} (got ")
    assert "\n" not in str(caught.value)


def test_every_rule_has_a_planter() -> None:
    beyond_the_toy = {"no_centre_between"}
    assert {rule for rule, _ in PLANTED} | beyond_the_toy == {rule.name for rule in ROW_RULES}


@given(
    st.dictionaries(st.integers(1, 1_500), st.sampled_from(PLANTED), min_size=1, max_size=30), st.integers(50, 3_000)
)
@ONE_FILE_EACH
def test_bad_rows_are_written_aside(
    toy: Platform,
    info: TraceInfo,
    spaced: Exchanges,
    tmp_path: Path,
    planted: dict[int, tuple[str, Planter]],
    group_rows: int,
) -> None:
    rows = arrays(spaced)
    for row in sorted(planted):
        # Two neighbours out of time would hide each other.
        if not (planted[row][0] == "time_order" and row - 1 in planted):
            planted[row][1](rows, row, toy)
        else:
            planted[row] = PLANTED[3]
            PLANTED[3][1](rows, row, toy)
    exchanges = Exchanges(**rows)  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(traces.writer, "GROUP_ROWS", group_rows)
        write_all(tmp_path / "t", info, exchanges)
    report = validate_trace(tmp_path / "t", toy, rejected=tmp_path / "rejected", clean=tmp_path / "clean")
    bad = sorted(planted)
    assert report.bad_rows == len(bad)
    assert report.counts == dict(Counter(rule for rule, _ in planted.values()))
    aside = pq.read_table(tmp_path / "rejected").to_pydict()
    assert aside["row"] == bad
    assert aside["rule"] == [planted[row][0] for row in bad]
    for name in FIELDS:
        assert aside[name] == getattr(exchanges, name)[bad].tolist()
    assert report.first is not None
    assert (aside["row"][0], aside["text"][0], aside["value"][0]) == (
        report.first.row,
        report.first.text,
        report.first.value,
    )
    error = report.error()
    assert error is not None
    assert (f"{len(bad)} bad rows in all" in str(error)) == (len(bad) > 1)
    good = np.setdiff1d(np.arange(len(exchanges)), bad)
    with open_valid(tmp_path / "clean", toy) as reader:
        kept = reader.read_all(toy)
    for name in FIELDS:
        assert np.array_equal(getattr(kept, name), getattr(exchanges, name)[good])


def test_a_late_row_does_not_hide_the_rest(toy: Platform, info: TraceInfo, spaced: Exchanges, tmp_path: Path) -> None:
    """A row far ahead makes those after it too early; what is kept is a valid trace all the same."""
    rows = arrays(spaced)
    ahead = int(rows["submitted_ns"][300])
    rows["submitted_ns"][200] = ahead
    rows["deadline_ns"][200] = -1
    write_all(tmp_path / "t", info, Exchanges(**rows))  # type: ignore[arg-type]
    report = validate_trace(tmp_path / "t", toy, clean=tmp_path / "clean")
    assert report.counts == {"time_order": 99}
    assert validate_trace(tmp_path / "clean", toy).bad_rows == 0


def test_names_not_numbers_are_judged(toy: Platform, info: TraceInfo, spaced: Exchanges, trace_file: Path) -> None:
    """A file with its own numbering is judged by its names."""
    nodes = np.array(info.endpoint_index)
    place = np.full(toy.network.node_count, -1, dtype=np.int32)
    place[nodes] = np.arange(len(nodes))[::-1]
    foreign = replace(info, endpoint_index=tuple(range(len(nodes))), endpoint_name=tuple(reversed(info.endpoint_name)))
    exchanges = replace(spaced, source=place[spaced.source], target=place[spaced.target])
    write_all(trace_file, foreign, exchanges)
    assert validate_trace(trace_file, toy).bad_rows == 0
    swapped = replace(exchanges, source=exchanges.target, target=exchanges.source)
    write_all(trace_file, foreign, swapped)
    report = validate_trace(trace_file, toy)
    assert report.first is not None
    assert report.first.rule == "not_the_provider"
    assert toy.network.node_name[int(spaced.target[report.first.row])] in report.first.value


def test_unknown_names_end_validation(toy: Platform, info: TraceInfo, toy_day: Exchanges, tmp_path: Path) -> None:
    write_all(tmp_path / "t", replace(info, resources=(*info.resources, "gold")), toy_day)
    with pytest.raises(BadInputError, match=r"t: resource gold: must be known in scenario toy"):
        validate_trace(tmp_path / "t", toy, rejected=tmp_path / "rejected", clean=tmp_path / "clean")
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


def test_two_ends_behind_one_crossing(toy: Platform, trace_file: Path) -> None:
    """Both ends in the inner zone behind one crossing: no centre would lie between them."""
    builder = NetworkBuilder(zones=("outer", "inner"))
    service = Service(1, 1_000, 10)
    centre = builder.add_node("centre", NodeKind.CENTRE, service=service, process=service)
    crossing = builder.add_node("crossing", NodeKind.CROSSING, service=service)
    builder.add_line(centre, crossing, service=service)
    ends = [
        builder.add_node(name, NodeKind.FRONT_END, service=service, zone=1, pool=NO_POOL) for name in ("one", "two")
    ]
    for end in ends:
        builder.add_line(end, crossing, service=service)
    outside = builder.add_node("outside", NodeKind.FRONT_END, service=service)
    builder.add_line(outside, centre, service=service)
    network = builder.build()
    node_unit = np.full(network.node_count, -1, dtype=np.int32)
    node_unit[[*ends, outside]] = [0, 1, 2]
    catalogue = Catalogue(
        unit_name=("a", "b", "c"),
        unit_label_zh=("a", "b", "c"),
        unit_level=np.ones(3, dtype=np.int8),
        unit_sector=np.zeros(3, dtype=np.int16),
        unit_city=np.zeros(3, dtype=np.int16),
        unit_weight=np.ones(3),
        node_unit=node_unit,
        system_name=(),
        system_unit=np.zeros(0, dtype=np.int32),
        resource_name=("r",),
        resource_unit=np.zeros(1, dtype=np.int32),
        resource_system=np.full(1, -1, dtype=np.int32),
        resource_sharing=np.array([SharingType.UNCONDITIONAL], dtype=np.int8),
        resource_released=np.ones(1, dtype=np.bool_),
        resource_weight=np.ones(1),
        grant_start=np.zeros(2, dtype=np.int64),
        grant_unit=np.zeros(0, dtype=np.int32),
    )
    platform = replace(toy, network=network, catalogue=catalogue)
    source, target = np.array([ends[0]] * 2, dtype=np.int32), np.array([outside, ends[1]], dtype=np.int32)
    zero, small = np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int8)
    exchanges = Exchanges(
        submitted_ns=zero,
        source=source,
        target=target,
        payload_bytes=zero,
        mode=small,
        kind=small,
        resource=np.zeros(2, dtype=np.int32),
        priority=small,
        deadline_ns=zero - 1,
        demand_type=small - np.int8(1),
        surge=small - np.int8(1),
    )
    write_all(trace_file, trace_info(platform, start=datetime(2026, 3, 17), span_ns=DAY_NS), exchanges)
    report = validate_trace(trace_file, platform)
    assert report.counts == {"no_centre_between": 1}
    assert report.first is not None
    assert report.first.row == 1
    assert report.first.text == SharingRule.NO_CENTRE_BETWEEN.text


def test_a_damaged_trace_leaves_no_files(toy: Platform, info: TraceInfo, toy_day: Exchanges, tmp_path: Path) -> None:
    write_all(tmp_path / "t", info, toy_day)
    broken = bytearray((tmp_path / "t").read_bytes())
    broken[len(broken) // 3] ^= 255
    (tmp_path / "t").write_bytes(broken)
    with pytest.raises(BadInputError), TraceReader(tmp_path / "t") as reader:
        reader.read_all()
    with pytest.raises(BadInputError, match=r"t: file: must be a whole Parquet file"):
        validate_trace(tmp_path / "t", toy, rejected=tmp_path / "rejected", clean=tmp_path / "clean")
    assert [path.name for path in tmp_path.iterdir()] == ["t"]
