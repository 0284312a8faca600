"""Validates traces against a platform: every bad row is named by number and reason, and written aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.exchanges import FIELDS, Exchanges
from router_core.platform import Platform
from traces.atomic import written_whole
from traces.reader import TraceReader
from traces.row_rules import KEPT, ROW_RULES, RowJudge
from traces.schema import SCHEMA
from traces.writer import PARQUET_OPTIONS, TraceWriter

REJECTED_SCHEMA: Final = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
        *SCHEMA,
    ]
)


@dataclass(frozen=True)
class BadRow:
    """A row that breaks a rule.

    Attributes
    ----------
    row : int
        Its number in the file, from 0.
    rule : str
        Name of the first rule it breaks.
    text : str
        That rule as a sentence.
    value : str
        What the row has instead.
    """

    row: int
    rule: str
    text: str
    value: str


@dataclass(frozen=True)
class ValidationReport:
    """What a validation found.

    Attributes
    ----------
    file : str
    rows, bad_rows : int
    counts : dict
        Bad rows by name of the first rule they break; rules that none breaks are left out.
    first : BadRow or None
    """

    file: str
    rows: int
    bad_rows: int
    counts: dict[str, int]
    first: BadRow | None

    def error(self) -> BadInputError | None:
        """The refusal of this trace as one line, `None` if it is valid."""
        if self.first is None:
            return None
        others = "" if self.bad_rows == 1 else f"; {self.bad_rows} bad rows in all"
        return BadInputError(f"row {self.first.row}", self.first.text, f"{self.first.value}{others}", self.file)


def validate_trace(
    path: str | Path,
    platform: Platform,
    rejected: str | Path | None = None,
    clean: str | Path | None = None,
) -> ValidationReport:
    """Judge every row of a trace.

    Parameters
    ----------
    path : str or Path
    platform : Platform
        Whose catalogue says who may have what; endpoints and resources are found by name.
    rejected : str or Path, optional
        A Parquet file for the bad rows: row number, rule, sentence, value, and the row as it is in the trace. It is
        written even if there are none.
    clean : str or Path, optional
        A trace of the good rows alone, which is valid.

    Raises
    ------
    BadInputError
        If the file cannot be read as a trace, or names what the platform lacks.
    """
    with ExitStack() as stack:
        reader = stack.enter_context(TraceReader(path))
        judge = RowJudge(reader.info, reader.name_map(platform), platform)
        aside = stack.enter_context(_rejected(Path(rejected))) if rejected is not None else None
        kept = stack.enter_context(TraceWriter(clean, reader.info)) if clean is not None else None
        counts: Counter[str] = Counter()
        first: BadRow | None = None
        first_row = 0
        for batch in reader.batches():
            verdict = judge.judge(batch)
            bad = np.flatnonzero(verdict != KEPT)
            for index, count in zip(*np.unique(verdict[bad], return_counts=True), strict=True):
                counts[ROW_RULES[index].name] += int(count)
            named = bad if aside is not None else bad[:1] if first is None else bad[:0]
            rows = [_bad_row(judge, batch, row, int(verdict[row]), first_row) for row in named.tolist()]
            first = first or (rows[0] if rows else None)
            if aside is not None:
                aside(rows, batch[bad])
            if kept is not None:
                kept.write(batch[verdict == KEPT])
            first_row += len(batch)
        order = {rule.name: place for place, rule in enumerate(ROW_RULES)}
        by_rule = {name: counts[name] for name in sorted(counts, key=order.__getitem__)}
        return ValidationReport(str(path), reader.rows, sum(by_rule.values()), by_rule, first)


def open_valid(path: str | Path, platform: Platform) -> TraceReader:
    """Open a trace that obeys every rule of the platform; the caller closes it.

    Raises
    ------
    BadInputError
        With the first bad row, the rule it breaks, its value and the number of bad rows.
    """
    error = validate_trace(path, platform).error()
    if error is not None:
        raise error
    return TraceReader(path)


def _bad_row(judge: RowJudge, batch: Exchanges, row: int, index: int, first_row: int) -> BadRow:
    rule = ROW_RULES[index]
    return BadRow(first_row + row, rule.name, rule.text, judge.shown(batch, row, rule))


@contextmanager
def _rejected(path: Path) -> Iterator[Callable[[list[BadRow], Exchanges], None]]:
    """Give what writes bad rows to a file; the file appears whole or not at all."""

    def write(rows: list[BadRow], batch: Exchanges) -> None:
        if not rows:
            return
        columns: dict[str, list[Any] | NDArray[Any]] = {
            "row": [row.row for row in rows],
            "rule": [row.rule for row in rows],
            "text": [row.text for row in rows],
            "value": [row.value for row in rows],
        }
        columns |= {name: getattr(batch, name) for name in FIELDS}
        parquet.write_table(pa.table(columns, schema=REJECTED_SCHEMA))

    with written_whole(path) as draft:
        try:
            parquet = pq.ParquetWriter(draft, REJECTED_SCHEMA, **PARQUET_OPTIONS)
        except OSError as error:
            raise BadInputError("file", "must be writable", error.strerror or str(error), str(path)) from None
        with parquet:
            yield write
