"""decisions.parquet: the log of a brain's decisions, in the order in which they were taken.

One row a decision: `now_ns` and `observed_ns` from the start of the run, `kind` and `reason` in the words of
`strategies.decision`, `subject` (a list of names) and `figures` (a map from a figure's name to its value).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from router_core.errors import BadInputError
from sim.parquet_tables import check_range, numbers, read_table
from sim.results import DecisionCounts
from strategies.decision import Decision, DecisionKind, Reason
from traces.atomic import written_whole

DECISIONS_FILE: Final = "decisions.parquet"
DECISIONS_SCHEMA: Final = pa.schema(
    [
        pa.field("now_ns", pa.int64(), nullable=False),
        pa.field("observed_ns", pa.int64(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("subject", pa.list_(pa.string()), nullable=False),
        pa.field("figures", pa.map_(pa.string(), pa.float64()), nullable=False),
    ]
)


def decision_counts(decisions: Sequence[Decision]) -> DecisionCounts | None:
    """Count decisions by kind, and tell how soon surges were noticed; None if there are no decisions."""
    if not decisions:
        return None
    counts = dict.fromkeys(DecisionKind, 0)
    noticed = []
    for decision in decisions:
        counts[decision.kind] += 1
        if decision.kind == DecisionKind.SURGE_FOUND and decision.figures.get("onset_s", -1.0) >= 0:
            noticed.append(decision.figures["onset_s"])
    return DecisionCounts(
        by_kind={kind.value: count for kind, count in counts.items() if count},
        surge_noticed_s=median(noticed) if noticed else None,
    )


def write_decisions(folder: Path, brain: str, decisions: Sequence[Decision]) -> None:
    """Write the log of one brain; nothing if it is empty.

    Raises
    ------
    BadInputError
        If a decision is older than the one before it.
    """
    if not decisions:
        return
    path = folder / brain / DECISIONS_FILE
    _check_order([decision.now_ns for decision in decisions], path)
    columns = {
        "now_ns": [one.now_ns for one in decisions],
        "observed_ns": [one.observed_ns for one in decisions],
        "kind": [one.kind.value for one in decisions],
        "reason": [one.reason.value for one in decisions],
        "subject": [list(one.subject) for one in decisions],
        "figures": [list(one.figures.items()) for one in decisions],
    }
    arrays = [pa.array(columns[field.name], field.type) for field in DECISIONS_SCHEMA]
    with written_whole(path) as place:
        pq.write_table(pa.table(arrays, schema=DECISIONS_SCHEMA), place, compression="zstd")


def read_decisions(folder: Path, brain: str, ended_ns: int) -> tuple[Decision, ...]:
    """Read the log of one brain; empty if it has none.

    Parameters
    ----------
    folder, brain
        Where to read.
    ended_ns : int
        No decision may be later [ns].

    Raises
    ------
    BadInputError
        Naming file, column or row, rule and value.
    """
    path = folder / brain / DECISIONS_FILE
    if not path.exists():
        return ()
    table = read_table(path, DECISIONS_SCHEMA)
    now_ns, observed_ns = (numbers(table, name, path).tolist() for name in ("now_ns", "observed_ns"))
    check_range(table.column("now_ns").to_numpy(), "now_ns", ended_ns, path)
    _check_order(now_ns, path)
    kinds, reasons, subjects, figures = (table.column(name).to_pylist() for name in DECISIONS_SCHEMA.names[2:])
    found = []
    for row in range(len(table)):
        if None in subjects[row]:
            raise BadInputError(f"rows.{row}.subject", "must have no nulls", subjects[row], str(path))
        kind = DecisionKind(one_of(kinds[row], list(DecisionKind), f"rows.{row}.kind", path))
        reason = Reason(one_of(reasons[row], list(Reason), f"rows.{row}.reason", path))
        stated = _figures(figures[row], f"rows.{row}.figures", path)
        try:
            found.append(Decision(now_ns[row], observed_ns[row], kind, reason, tuple(subjects[row]), stated))
        except BadInputError as error:
            raise BadInputError(f"rows.{row}: {error.place}", error.rule, error.value, str(path)) from None
    return tuple(found)


def one_of(word: str, words: Sequence[str], place: str, path: Path) -> str:
    """Return the word if it is one of these."""
    if word not in words:
        raise BadInputError(place, f"must be one of {', '.join(words)}", word, str(path))
    return word


def _figures(items: list[tuple[str, Any]], place: str, path: Path) -> dict[str, float]:
    stated = dict(items)
    if len(stated) < len(items):
        raise BadInputError(place, "must state each figure once", [name for name, _ in items], str(path))
    for name, value in items:
        if value is None:
            raise BadInputError(f"{place}.{name}", "must not be null", value, str(path))
    return stated


def _check_order(now_ns: list[int], path: Path) -> None:
    for row in range(1, len(now_ns)):
        if now_ns[row] < now_ns[row - 1]:
            rule = f"must be no earlier than the decision before it, {now_ns[row - 1]}"
            raise BadInputError(f"rows.{row}.now_ns", rule, now_ns[row], str(path))
