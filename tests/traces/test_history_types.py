"""True types of relations and pairs, read from the labels of a trace: against counting one exchange at a time."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from router_core.calendar import LOCAL_TIME
from router_core.errors import BadInputError
from router_core.exchanges import NO_LABEL, Exchanges
from router_core.platform import Platform
from router_core.units import DAY_NS
from traces.history import read_history
from traces.schema import trace_info
from traces.true_types import read_true_types
from traces.writer import write_all

START = datetime(2026, 3, 17, tzinfo=LOCAL_TIME)


def test_types_with_most_exchanges(toy: Platform, toy_day: Exchanges, tmp_path: Path) -> None:
    names = tuple(kind.name for kind in toy.demand.types)
    # A tenth of the rows changes its label, so that units are mixed; some have none.
    labels = toy_day.demand_type.copy()
    labels[::10] = 0
    labels[::17] = NO_LABEL
    info = trace_info(toy, start=START, span_ns=DAY_NS, demand_types=names)
    write_all(tmp_path / "t", info, replace(toy_day, demand_type=labels))
    found = read_true_types([tmp_path / "t"], toy)
    relations = read_history([tmp_path / "t"], toy).relations
    counts: Counter[tuple[tuple[int, ...], int]] = Counter()
    for row in np.flatnonzero(labels != NO_LABEL).tolist():
        columns = (toy_day.source, toy_day.target, toy_day.mode, toy_day.kind, toy_day.priority)
        key = tuple(int(column[row]) for column in columns)
        counts[key, int(labels[row])] += 1
        counts[key[:2], int(labels[row])] += 1

    def dominant(key: tuple[int, ...]) -> int:
        best = max(range(len(names)), key=lambda kind: counts[key, kind])
        return best if counts[key, best] else NO_LABEL

    columns = zip(relations.source, relations.target, relations.mode, relations.kind, relations.priority, strict=True)
    keys = [tuple(int(value) for value in key) for key in columns]
    assert found.of_relations(relations).tolist() == [dominant(key) for key in keys]
    assert found.of_pairs(relations.source, relations.target).tolist() == [dominant(key[:2]) for key in keys]
    stranger = np.array([toy.network.node_count + 5])
    assert found.of_pairs(stranger, stranger).tolist() == [NO_LABEL]


def test_traces_must_speak_of_the_same_types(toy: Platform, toy_day: Exchanges, tmp_path: Path) -> None:
    for name, types in (("a", ("x", "y")), ("b", ("x",))):
        info = trace_info(toy, start=START, span_ns=DAY_NS, demand_types=types)
        write_all(tmp_path / name, info, toy_day[:0])
    with pytest.raises(BadInputError, match="demand_types: must be"):
        read_true_types([tmp_path / "a", tmp_path / "b"], toy)
