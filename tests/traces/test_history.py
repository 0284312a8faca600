"""Histories read from traces: against counting with dicts, joined, with gaps, and cut at hours."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from router_core.calendar import LOCAL_TIME
from router_core.demand_history import DemandHistory
from router_core.errors import BadInputError
from router_core.exchanges import Exchanges, concatenate
from router_core.platform import Platform
from router_core.units import HOUR_NS, SECOND_NS
from traces.generate import TraceGenerator, write_trace
from traces.history import read_history
from traces.schema import TraceInfo, trace_info
from traces.writer import write_all

START = datetime(2026, 3, 17, 0, 0, tzinfo=LOCAL_TIME)
Cell = tuple[datetime, int, int, int, int, int]


def generated(platform: Platform, path: Path, start: datetime, hours: float, seed: int = 1) -> Path:
    write_trace(path, TraceGenerator(platform, start=start, span=timedelta(hours=hours), seed=seed))
    return path


def counted(parts: list[tuple[datetime, Exchanges]]) -> dict[Cell, list[int]]:
    """Exchanges and bytes by hour and relation, one exchange at a time."""
    cells: dict[Cell, list[int]] = defaultdict(lambda: [0, 0])
    for start, rows in parts:
        for row in range(len(rows)):
            when = start + timedelta(microseconds=int(rows.submitted_ns[row]) // 1000)
            hour = when.replace(minute=0, second=0, microsecond=0, tzinfo=None)
            columns = (rows.source, rows.target, rows.mode, rows.kind, rows.priority)
            cell = cells[(hour, *(int(column[row]) for column in columns))]
            cell[0] += 1
            cell[1] += int(rows.payload_bytes[row])
    return dict(cells)


def cells_of(history: DemandHistory) -> dict[Cell, list[int]]:
    found = {}
    columns = relation_columns(history)
    for hour in range(history.hours):
        rows = slice(int(history.hour_start[hour]), int(history.hour_start[hour + 1]))
        assert np.all(np.diff(history.relation[rows]) > 0)
        for relation, count, size in zip(
            history.relation[rows], history.exchanges[rows], history.payload_bytes[rows], strict=True
        ):
            assert count >= 1
            assert history.observed[hour]
            found[(history.grid.at(hour), *columns[relation])] = [int(count), int(size)]
    return found


def relation_columns(history: DemandHistory) -> list[tuple[int, ...]]:
    about = history.relations
    return [
        tuple(int(value) for value in row)
        for row in zip(about.source, about.target, about.mode, about.kind, about.priority, strict=True)
    ]


def same(a: DemandHistory, b: DemandHistory) -> bool:
    return (
        a.grid == b.grid
        and np.array_equal(a.observed, b.observed)
        and all(
            np.array_equal(x, y) for x, y in zip(vars(a.relations).values(), vars(b.relations).values(), strict=True)
        )
        and all(
            np.array_equal(getattr(a, name), getattr(b, name))
            for name in ("hour_start", "relation", "exchanges", "payload_bytes")
        )
    )


def rows_of(platform: Platform, start: datetime, hours: float, seed: int = 1) -> Exchanges:
    return concatenate(list(TraceGenerator(platform, start=start, span=timedelta(hours=hours), seed=seed)))


@pytest.mark.parametrize("seed", [1, 2])
def test_counts_are_those_of_the_rows(toy: Platform, tmp_path: Path, seed: int) -> None:
    path = generated(toy, tmp_path / "t", START, 30, seed)
    history = read_history([path], toy)
    rows = rows_of(toy, START, 30, seed)
    assert (history.grid.begin, history.hours) == (START.replace(tzinfo=None), 30)
    assert history.observed.all()
    assert cells_of(history) == counted([(START, rows)])
    names = relation_columns(history)
    assert names == sorted(set(names))
    keys = list(
        zip(*(c.tolist() for c in (rows.source, rows.target, rows.mode, rows.kind, rows.priority)), strict=True)
    )
    digits = Counter((key, int(size).bit_length()) for key, size in zip(keys, rows.payload_bytes, strict=True))
    lead: dict[tuple[int, ...], int] = {}
    for key, submitted, deadline in zip(keys, rows.submitted_ns.tolist(), rows.deadline_ns.tolist(), strict=True):
        if deadline >= 0:
            lead[key] = min(lead.get(key, deadline - submitted), deadline - submitted)
    for index, key in enumerate(names):
        assert history.relations.lead_ns[index] == lead.get(key, -1)
        for size, count in enumerate(history.relations.size_count[index]):
            assert count == digits[(key, size)]


def test_labels_do_not_matter(toy: Platform, tmp_path: Path) -> None:
    rows = rows_of(toy, START, 4)
    info = trace_info(toy, start=START, span_ns=4 * HOUR_NS, demand_types=("a", "b"))
    write_all(tmp_path / "a", info, replace(rows, demand_type=np.zeros_like(rows.demand_type)))
    write_all(tmp_path / "b", info, replace(rows, demand_type=np.ones_like(rows.demand_type)))
    assert same(read_history([tmp_path / "a"], toy), read_history([tmp_path / "b"], toy))


def test_a_trace_cut_anywhere_is_the_same_history(toy: Platform, tmp_path: Path) -> None:
    whole = read_history([generated(toy, tmp_path / "whole", START, 10)], toy)
    cut = START + timedelta(hours=3, minutes=17)
    first = generated(toy, tmp_path / "a", START, 3 + 17 / 60)
    second = generated(toy, tmp_path / "b", cut, 10 - 3 - 17 / 60)
    assert same(read_history([second, first], toy), whole)


@pytest.mark.parametrize("minutes", [60, 200, 300])
def test_a_history_until_an_instant_is_that_of_traces_that_end_there(
    toy: Platform, tmp_path: Path, minutes: int
) -> None:
    first = generated(toy, tmp_path / "a", START, 4)
    second = generated(toy, tmp_path / "b", START + timedelta(hours=4), 2, seed=9)
    until = (START + timedelta(minutes=minutes)).replace(tzinfo=None)
    alone = [generated(toy, tmp_path / "c", START, min(minutes / 60, 4))]
    if minutes > 240:
        alone.append(generated(toy, tmp_path / "d", START + timedelta(hours=4), minutes / 60 - 4, seed=9))
    assert same(read_history([first, second], toy, until=until), read_history(alone, toy))


def test_a_history_until_before_all_traces_is_refused(toy: Platform, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="until"):
        read_history([generated(toy, tmp_path / "a", START, 2)], toy, until=START.replace(tzinfo=None))


def test_gaps_and_partial_hours_are_not_observed(toy: Platform, tmp_path: Path) -> None:
    first = generated(toy, tmp_path / "a", START + timedelta(minutes=30), 3)
    second_start = START + timedelta(hours=6, minutes=15)
    second = generated(toy, tmp_path / "b", second_start, 2.75)
    history = read_history([first, second], toy)
    assert history.grid.begin == START.replace(tzinfo=None)
    assert np.flatnonzero(history.observed).tolist() == [1, 2, 7, 8]
    first_start = START + timedelta(minutes=30)
    wanted = counted([(first_start, rows_of(toy, first_start, 3)), (second_start, rows_of(toy, second_start, 2.75))])
    whole = {history.grid.at(hour) for hour in (1, 2, 7, 8)}
    assert cells_of(history) == {cell: value for cell, value in wanted.items() if cell[0] in whole}


def test_relations_of_partial_hours_alone_are_kept_out(toy: Platform, toy_info: TraceInfo, tmp_path: Path) -> None:
    a, b = toy.network.endpoints[:2].tolist()
    rows = few(toy, [10 * SECOND_NS, HOUR_NS], [a, b], [b, a])
    write_all(tmp_path / "t", trace_info(toy, start=START, span_ns=HOUR_NS + 1), rows)
    history = read_history([tmp_path / "t"], toy)
    assert history.observed.tolist() == [True, False]
    assert relation_columns(history) == [(a, b, 0, 0, 0)]
    assert history.relations.size_count.sum() == 1


def test_overlapping_traces_are_refused_by_name(toy: Platform, tmp_path: Path) -> None:
    first = generated(toy, tmp_path / "first", START, 2)
    second = generated(toy, tmp_path / "second", START + timedelta(hours=1), 2)
    with pytest.raises(BadInputError, match=r"second: trace second: must begin when first has ended"):
        read_history([second, first], toy)
    with pytest.raises(BadInputError, match="first has ended"):
        read_history([first, first], toy)


def test_no_traces_and_empty_traces(toy: Platform, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="at least one trace"):
        read_history([], toy)
    write_all(tmp_path / "t", trace_info(toy, start=START, span_ns=2 * HOUR_NS), few(toy, [], [], []))
    history = read_history([tmp_path / "t"], toy)
    assert (len(history.relations), len(history.relation), history.observed.tolist()) == (0, 0, [True, True])


def test_many_relations_make_the_table_grow(toy: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = generated(toy, tmp_path / "t", START, 6)
    wanted = read_history([path], toy)
    monkeypatch.setattr("traces.history.RELATIONS_FIRST", 1)
    assert len(wanted.relations) > 16
    assert same(read_history([path], toy), wanted)


def test_progress_reaches_the_end(toy: Platform, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    paths = [generated(toy, tmp_path / "a", START, 2), generated(toy, tmp_path / "b", START + timedelta(hours=2), 2)]
    history = read_history(paths, toy, on_progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (history.exchanges.sum(), history.exchanges.sum())
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("payload_bytes", -1, r"row 1.payload_bytes: must lie in 0..2\^40"),
        ("payload_bytes", 2**40 + 1, r"row 1.payload_bytes: must lie in 0..2\^40"),
        ("mode", 4, "row 1.mode: must lie in 0..3"),
        ("kind", -1, "row 1.kind"),
        ("priority", 8, "row 1.priority"),
        ("deadline_ns", 5, "row 1.deadline_ns"),
        ("submitted_ns", -5, "row 1.submitted_ns"),
        ("submitted_ns", 2 * HOUR_NS, "row 1.submitted_ns: must be less than the span"),
        ("source", 1_000_000, "row 1.source: must be an endpoint"),
    ],
)
def test_rows_that_break_a_rule_are_named(toy: Platform, tmp_path: Path, name: str, value: int, words: str) -> None:
    a, b = toy.network.endpoints[:2].tolist()
    rows = few(toy, [10, 20], [a, b], [b, a])
    getattr(rows, name)[1] = value
    write_all(tmp_path / "t", trace_info(toy, start=START, span_ns=HOUR_NS), rows)
    with pytest.raises(BadInputError, match=words) as error:
        read_history([tmp_path / "t"], toy)
    assert str(tmp_path / "t") in str(error.value)


def test_largest_and_empty_payloads_have_a_bin(toy: Platform, tmp_path: Path) -> None:
    a, b = toy.network.endpoints[:2].tolist()
    rows = replace(few(toy, [1, 2, 3], [a] * 3, [b] * 3), payload_bytes=np.array([0, 1, 2**40]))
    write_all(tmp_path / "t", trace_info(toy, start=START, span_ns=HOUR_NS), rows)
    counts = read_history([tmp_path / "t"], toy).relations.size_count[0]
    assert np.flatnonzero(counts).tolist() == [0, 1, 41]


def few(platform: Platform, submitted_ns: list[int], source: list[int], target: list[int]) -> Exchanges:
    count = len(submitted_ns)

    def full(value: int, dtype: type[np.generic]) -> np.ndarray:
        return np.full(count, value, dtype=dtype)

    return Exchanges(
        submitted_ns=np.array(submitted_ns, dtype=np.int64),
        source=np.array(source, dtype=np.int32),
        target=np.array(target, dtype=np.int32),
        payload_bytes=full(100, np.int64),
        mode=full(0, np.int8),
        kind=full(0, np.int8),
        resource=full(0, np.int32),
        priority=full(0, np.int8),
        deadline_ns=full(-1, np.int64),
        demand_type=full(-1, np.int8),
        surge=full(-1, np.int8),
    )
