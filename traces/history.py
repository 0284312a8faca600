"""Reads traces of any length into the small hourly table that a brain learns from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from router_core.demand_history import SIZE_BINS, DemandHistory, Relations
from router_core.errors import BadInputError
from router_core.platform import Platform
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS, PAYLOAD_BYTES_MAX
from router_core.vocabulary import PRIORITY_MAX, Mode, TaskKind
from traces import history_kernels as kernels
from traces.reader import TraceReader

# The true labels are not among them: no brain sees those.
COLUMNS: Final = ("submitted_ns", "source", "target", "payload_bytes", "mode", "kind", "priority", "deadline_ns")
MODES: Final = len(Mode)
KINDS: Final = len(TaskKind)
PRIORITIES: Final = PRIORITY_MAX + 1
RELATIONS_FIRST: Final = 1 << 12

_RULES: Final = {
    kernels.BAD_PAYLOAD: ("payload_bytes", "must lie in 0..2^40"),
    kernels.BAD_MODE: ("mode", f"must lie in 0..{MODES - 1}"),
    kernels.BAD_KIND: ("kind", f"must lie in 0..{KINDS - 1}"),
    kernels.BAD_PRIORITY: ("priority", f"must lie in 0..{PRIORITY_MAX}"),
    kernels.BAD_DEADLINE: ("deadline_ns", "must be -1, or later than submitted_ns"),
}


def read_history(
    paths: Sequence[str | Path],
    platform: Platform,
    *,
    until: datetime | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> DemandHistory:
    """Read traces into one history; names are found in the platform, so indices are the platform's.

    The traces are joined in local time, in whatever order they are named. Hours that they do not cover whole, alone
    or together, are not observed, and what happened in them is left out. Rows are streamed: memory goes with the
    relations and the hours in which each has anything, not with the rows.

    Parameters
    ----------
    paths : sequence of path
        At least one; spans must not overlap.
    platform : Platform
    until : datetime, optional
        Local time without a zone: the history is that of traces that end then, and nothing later is read.
    on_progress : callable, optional
        Called after each batch with the rows read so far, and how many there are.

    Returns
    -------
    DemandHistory
        From the hour in which the first trace begins to that in which the last one ends.

    Raises
    ------
    BadInputError
        If two traces overlap, a file is damaged or unsorted, or a row breaks a rule of the format; with the file named;
        or if nothing lies before `until`.
    """
    if not paths:
        raise BadInputError("paths", "must name at least one trace", 0)
    with ExitStack() as stack:
        readers = [stack.enter_context(TraceReader(path)) for path in paths]
        readers.sort(key=lambda reader: (reader.info.start, reader.info.span_ns))
        begin = readers[0].info.start.replace(minute=0, second=0, microsecond=0, tzinfo=None)
        spans = [_span(reader, begin) for reader in readers]
        if until is not None:
            spans = _until(spans, (until - begin) // timedelta(microseconds=1) * 1_000)
            if not spans:
                raise BadInputError("until", f"must lie behind the begin of a trace, {begin.isoformat()}", str(until))
        observed = _observed(spans)
        counting = _Counting(platform.network.node_count)
        rows_total, rows_done = sum(span.reader.rows for span in spans), 0
        for span in spans:
            for columns in _batches(span, platform):
                counting.add(columns, span, observed)
                rows_done += len(columns["submitted_ns"])
                if on_progress is not None:
                    on_progress(rows_done, rows_total)
    return counting.history(TimeGrid(begin, HOUR_NS, len(observed)), observed)


@dataclass(frozen=True)
class _Span:
    """One trace, and where it lies from the start of the history [ns]."""

    reader: TraceReader
    begin_ns: int
    end_ns: int


def _span(reader: TraceReader, begin: datetime) -> _Span:
    start = reader.info.start.replace(tzinfo=None)
    begin_ns = (start - begin) // timedelta(microseconds=1) * 1_000
    return _Span(reader, begin_ns, begin_ns + reader.info.span_ns)


def _until(spans: list[_Span], end_ns: int) -> list[_Span]:
    """Cut spans off at an instant."""
    return [replace(span, end_ns=min(span.end_ns, end_ns)) for span in spans if span.begin_ns < end_ns]


def _observed(spans: list[_Span]) -> NDArray[np.bool_]:
    """Return which hours the traces cover whole; traces that follow each other without a gap cover an hour together."""
    covered_ns = np.zeros(-(-max(span.end_ns for span in spans) // HOUR_NS), dtype=np.int64)
    for before, after in pairwise(spans):
        if after.begin_ns < before.end_ns:
            end = before.reader.info.end.isoformat()
            raise BadInputError(
                f"trace {after.reader.path.name}",
                f"must begin when {before.reader.path.name} has ended, at {end}, or later",
                after.reader.info.start.isoformat(),
                str(after.reader.path),
            )
    for span in spans:
        first, last = span.begin_ns // HOUR_NS, (span.end_ns - 1) // HOUR_NS
        edges_ns = np.arange(first, last + 2, dtype=np.int64) * HOUR_NS
        edges_ns[0], edges_ns[-1] = span.begin_ns, span.end_ns
        covered_ns[first : last + 1] += np.diff(edges_ns)
    return np.asarray(covered_ns == HOUR_NS)


def _batches(span: _Span, platform: Platform) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield the columns with the platform's node indices, checked for order."""
    reader = span.reader
    names = reader.name_map(platform)
    first_row, latest_ns = 0, 0
    for columns in reader.columns(COLUMNS):
        for end in ("source", "target"):
            found = names.nodes(columns[end])
            if len(found) and found.min() < 0:
                row = int((found < 0).argmax())
                raise BadInputError(
                    f"row {first_row + row}.{end}",
                    "must be an endpoint of the file's table",
                    int(columns[end][row]),
                    str(reader.path),
                )
            columns[end] = found
        times = columns["submitted_ns"]
        if len(times):
            _check_times(times, latest_ns, first_row, reader)
            latest_ns = int(times[-1])
        inside = int(times.searchsorted(span.end_ns - span.begin_ns))
        before_end = {name: column[:inside] for name, column in columns.items()}
        yield before_end | {"first_row": np.array(first_row)}
        if inside < len(times):
            return
        first_row += len(times)


def _check_times(times: NDArray[np.int64], latest_ns: int, first_row: int, reader: TraceReader) -> None:
    wrong = times < np.concatenate([[latest_ns], times[:-1]])
    rule = "must not be less than before, nor than 0"
    if not wrong.any():
        wrong = times >= reader.info.span_ns
        rule = f"must be less than the span, {reader.info.span_ns}"
    if wrong.any():
        row = int(wrong.argmax())
        raise BadInputError(f"row {first_row + row}.submitted_ns", rule, int(times[row]), str(reader.path))


class _Counting:
    """What each relation has in the hour at hand, and the rows of the hours that are complete."""

    def __init__(self, nodes: int) -> None:
        self._nodes = nodes
        self._hour = -1
        self._sizes = np.zeros(2, dtype=np.int64)  # relations; touched in this hour
        self._relation_key = np.empty(0, dtype=np.int64)
        self._lead_ns = np.empty(0, dtype=np.int64)
        self._size_count = np.empty((0, SIZE_BINS), dtype=np.int64)
        self._exchanges = np.empty(0, dtype=np.int64)
        self._bytes = np.empty(0, dtype=np.int64)
        self._touched = np.empty(0, dtype=np.int32)
        self._rows: dict[int, tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]] = {}
        self._grow(RELATIONS_FIRST)

    def add(self, columns: dict[str, NDArray[Any]], span: _Span, observed: NDArray[np.bool_]) -> None:
        """Count a batch; its rows are in order of time."""
        times = columns["submitted_ns"]
        if len(times) == 0:
            return
        first_hour = (span.begin_ns + int(times[0])) // HOUR_NS
        last_hour = (span.begin_ns + int(times[-1])) // HOUR_NS
        edges_ns = np.arange(first_hour, last_hour + 2, dtype=np.int64) * HOUR_NS - span.begin_ns
        edges = np.searchsorted(times, edges_ns)
        for hour, first, last in zip(range(first_hour, last_hour + 1), edges[:-1], edges[1:], strict=True):
            if hour != self._hour:
                self._close_hour()
                self._hour = hour
            if observed[hour]:
                self._count(columns, int(first), int(last), span.reader)

    def history(self, grid: TimeGrid, observed: NDArray[np.bool_]) -> DemandHistory:
        """Return what was counted; relations in order of their columns, rows by hour and relation."""
        self._close_hour()
        key = self._relation_key[: self._sizes[0]]
        order = np.argsort(key)
        rank = np.empty(len(key), dtype=np.int32)
        rank[order] = np.arange(len(key), dtype=np.int32)
        hour_start = np.zeros(grid.count + 1, dtype=np.int64)
        for hour, (touched, _, _) in self._rows.items():
            hour_start[hour + 1] = len(touched)
        np.cumsum(hour_start, out=hour_start)
        relation = np.empty(hour_start[-1], dtype=np.int32)
        exchanges = np.empty(hour_start[-1], dtype=np.int64)
        payload_bytes = np.empty(hour_start[-1], dtype=np.int64)
        for hour in sorted(self._rows):
            # Taken out one by one, so that the table is not in memory twice.
            touched, hour_exchanges, hour_bytes = self._rows.pop(hour)
            place = slice(hour_start[hour], hour_start[hour + 1])
            by_rank = np.argsort(rank[touched])
            relation[place] = rank[touched[by_rank]]
            exchanges[place] = hour_exchanges[by_rank]
            payload_bytes[place] = hour_bytes[by_rank]
        relations = self._relations(key[order], order)
        return DemandHistory(grid, observed, relations, hour_start, relation, exchanges, payload_bytes)

    def _relations(self, key: NDArray[np.int64], order: NDArray[np.intp]) -> Relations:
        rest, priority = np.divmod(key, PRIORITIES)
        rest, kind = np.divmod(rest, KINDS)
        rest, mode = np.divmod(rest, MODES)
        source, target = np.divmod(rest, self._nodes)
        return Relations(
            source=source.astype(np.int32),
            target=target.astype(np.int32),
            mode=mode.astype(np.int8),
            kind=kind.astype(np.int8),
            priority=priority.astype(np.int8),
            lead_ns=self._lead_ns[order],
            size_count=self._size_count[order],
        )

    def _count(self, columns: dict[str, NDArray[Any]], first: int, last: int, reader: TraceReader) -> None:
        while first < last:
            first, why = kernels.count_rows(
                first,
                last,
                columns["submitted_ns"],
                columns["source"],
                columns["target"],
                columns["payload_bytes"],
                columns["mode"],
                columns["kind"],
                columns["priority"],
                columns["deadline_ns"],
                self._nodes,
                MODES,
                KINDS,
                PRIORITIES,
                PAYLOAD_BYTES_MAX,
                self._table_key,
                self._table_relation,
                self._relation_key,
                self._lead_ns,
                self._size_count,
                self._exchanges,
                self._bytes,
                self._touched,
                self._sizes,
            )
            if why == kernels.FULL:
                self._grow(2 * len(self._relation_key))
            elif why != kernels.DONE:
                name, rule = _RULES[why]
                row = int(columns["first_row"]) + first
                raise BadInputError(f"row {row}.{name}", rule, int(columns[name][first]), str(reader.path))

    def _close_hour(self) -> None:
        """Store the rows of the hour at hand and clear the accumulators."""
        touched = self._touched[: self._sizes[1]].copy()
        if len(touched):
            self._rows[self._hour] = (touched, self._exchanges[touched], self._bytes[touched])
            self._exchanges[touched] = 0
            self._bytes[touched] = 0
        self._sizes[1] = 0

    def _grow(self, relations: int) -> None:
        """Make room for so many relations, in a table of at least twice the slots."""
        known = int(self._sizes[0])
        self._relation_key = _longer(self._relation_key, relations, -1)
        self._lead_ns = _longer(self._lead_ns, relations, -1)
        self._size_count = _longer(self._size_count, relations, 0)
        self._exchanges = _longer(self._exchanges, relations, 0)
        self._bytes = _longer(self._bytes, relations, 0)
        self._touched = _longer(self._touched, relations, 0)
        self._table_key = np.full(2 * relations, kernels.EMPTY, dtype=np.int64)
        self._table_relation = np.zeros(2 * relations, dtype=np.int32)
        kernels.fill_table(self._relation_key, known, self._table_key, self._table_relation)


def _longer(values: NDArray[Any], rows: int, filled: int) -> NDArray[Any]:
    result = np.full((rows, *values.shape[1:]), filled, dtype=values.dtype)
    result[: len(values)] = values
    return result
