"""The log of decisions in a result folder: what was written is read back, and whatever breaks a rule is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from router_core.errors import BadInputError
from sim.decision_log import decision_counts, read_decisions, write_decisions
from sim.results import DecisionCounts
from strategies.decision import FIGURES, Decision, DecisionKind, Reason

END_NS = 10**12
FIGURE = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def decisions(draw: st.DrawFn) -> list[Decision]:
    times = sorted(draw(st.lists(st.integers(0, END_NS), max_size=6)))
    return [
        Decision(
            now_ns,
            draw(st.integers(0, now_ns)),
            draw(st.sampled_from(list(DecisionKind))),
            draw(st.sampled_from(list(Reason))),
            tuple(draw(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3))),
            draw(st.dictionaries(st.sampled_from(sorted(FIGURES)), FIGURE, max_size=3)),
        )
        for now_ns in times
    ]


@given(log=decisions())
def test_every_log_is_read_back_equal(log: list[Decision], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("log")
    write_decisions(folder, "b", log)
    assert read_decisions(folder, "b", END_NS) == tuple(log)
    assert (folder / "b" / "decisions.parquet").exists() == bool(log)


LOG = [
    Decision(5, 3, DecisionKind.SURGE_FOUND, Reason.ABOVE_FORECAST, ("a", "b"), {"onset_s": 90.0, "factor": 2.0}),
    Decision(7, 0, DecisionKind.SURGE_FOUND, Reason.ABOVE_FORECAST, (), {"onset_s": 300.0}),
    Decision(7, 7, DecisionKind.ALERT, Reason.POOL_EMPTY, ("pool",), {"pool_left": 0.0}),
    Decision(9, 7, DecisionKind.SURGE_FOUND, Reason.STATION_BUSY, (), {"onset_s": 120.0}),
]


def test_equal_logs_are_equal_bytes(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write_decisions(tmp_path / folder, "b", LOG)
    one, two = ((tmp_path / folder / "b" / "decisions.parquet").read_bytes() for folder in ("one", "two"))
    assert one == two


def test_a_log_that_goes_back_in_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"rows.1.now_ns: must be no earlier than the decision before it, 9"):
        write_decisions(tmp_path, "b", LOG[::-1])
    assert not list(tmp_path.iterdir())


def test_decisions_are_counted_in_the_order_of_their_kinds() -> None:
    assert decision_counts([]) is None
    counts = decision_counts(LOG)
    assert counts == DecisionCounts(by_kind={"surge-found": 3, "alert": 1}, surge_noticed_s=120.0)
    assert decision_counts(LOG[2:3]) == DecisionCounts(by_kind={"alert": 1})
    for wrong in ({"by_kind": {"mood": 1}}, {"by_kind": {"alert": 0}}, {"by_kind": {}, "surge_noticed_s": -1.0}):
        with pytest.raises(ValidationError):
            DecisionCounts.model_validate(wrong)


def _set(column: str, value: Any) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        values = table.column(column).to_pylist()
        values[1] = value
        index = table.schema.get_field_index(column)
        field = table.schema.field(column).with_nullable(True)
        return table.set_column(index, field, pa.array(values, type=field.type))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("kind", "mood"), r"rows.1.kind: must be one of surge-found, "),
        (_set("reason", "mood"), r"rows.1.reason: must be one of above-forecast, "),
        (_set("now_ns", 4), r"rows.1.now_ns: must be no earlier"),
        (_set("now_ns", END_NS + 1), r"column now_ns: must lie in 0\.\."),
        (_set("now_ns", -1), r"column now_ns: must lie in 0\.\."),
        (_set("now_ns", None), r"column now_ns: must have no nulls"),
        (_set("observed_ns", 8), r"rows.1: decision.observed_ns: must lie in 0..7"),
        (_set("figures", [("mood", 1.0)]), r"rows.1: decision.figures.mood: must be a known figure"),
        (_set("figures", [("churn", float("nan"))]), r"rows.1: decision.figures.churn: .* finite"),
        (_set("figures", [("churn", None)]), r"rows.1.figures.churn: must not be null"),
        (_set("figures", [("churn", 1.0), ("churn", 2.0)]), r"rows.1.figures: must state each figure once"),
        (_set("subject", ["a", None]), r"rows.1.subject: must have no nulls"),
        (lambda table: table.drop_columns(["reason"]), r"column reason: must be present"),
    ],
)
def test_a_log_with_a_fault_is_refused_by_name(
    tmp_path: Path, change: Callable[[pa.Table], pa.Table], message: str
) -> None:
    write_decisions(tmp_path, "b", LOG)
    path = tmp_path / "b" / "decisions.parquet"
    pq.write_table(change(pq.read_table(path)), path)
    with pytest.raises(BadInputError, match=message) as caught:
        read_decisions(tmp_path, "b", END_NS)
    assert caught.value.file == str(path)
    assert "\n" not in str(caught.value)
