"""Some hours of a trace as a trace of their own: when they are, and what they hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from router_core.errors import BadInputError
from router_core.exchanges import NO_DEADLINE
from router_core.units import HOUR_NS, MINUTE_NS
from traces.reader import TraceReader
from traces.schema import TraceInfo
from traces.writer import write_all

# The busiest hour is looked for at every so many minutes of the clock.
STEP_NS: Final = 15 * MINUTE_NS


@dataclass(frozen=True)
class Span:
    """What is lived around a failure.

    Attributes
    ----------
    lead_ns : int
        Before it, so that queues, telemetry and the brain are in their state [ns], >= 0.
    lasts_ns : int
        How long it lasts [ns], > 0.
    tail_ns : int
        After its return [ns], > 0.
    """

    lead_ns: int
    lasts_ns: int
    tail_ns: int

    @property
    def whole_ns(self) -> int:
        """Length of the window [ns]."""
        return self.lead_ns + self.lasts_ns + self.tail_ns

    @property
    def until_ns(self) -> int:
        """When the failure ends, from the start of the window [ns]."""
        return self.lead_ns + self.lasts_ns


@dataclass(frozen=True)
class WindowOrder:
    """The order to cut a window; picklable."""

    trace: Path
    at_ns: int
    span: Span
    out: Path


def cut_window(order: WindowOrder) -> int:
    """Cut a window out of a trace, and return how many exchanges it has.

    What was submitted within it is in it, to the nanosecond; its start is shifted, so that brains and other users know
    what time of day it is.
    """
    begin_ns = order.at_ns - order.span.lead_ns
    end_ns = begin_ns + order.span.whole_ns
    with TraceReader(order.trace) as reader:
        info, rows = reader.info, reader.read_all()
    low, high = np.searchsorted(rows.submitted_ns, [begin_ns, end_ns]).tolist()
    part = rows[low:high]
    part = replace(
        part,
        submitted_ns=part.submitted_ns - begin_ns,
        deadline_ns=np.where(part.deadline_ns == NO_DEADLINE, NO_DEADLINE, part.deadline_ns - begin_ns),
    )
    start = info.start + timedelta(microseconds=begin_ns // 1_000)
    write_all(order.out, replace(info, start=start, span_ns=end_ns - begin_ns), part)
    return int(high - low)


def moment_ns(text: str, info: TraceInfo, span: Span) -> int:
    """Return the instant of a trace at which a failure is to begin [ns].

    Parameters
    ----------
    text : str
        A time of day (its first in the trace that leaves room), or a local date and time.
    info : TraceInfo
    span : Span

    Raises
    ------
    BadInputError
        If it is neither, or if the trace has not the time before and after it that is to be lived.
    """
    start = info.start.replace(tzinfo=None)
    rule = "must be a time of day such as 10:00, or a local date and time such as 2026-03-17T10:00, without a zone"
    try:
        dated = "T" in text or " " in text
        when = datetime.fromisoformat(text) if dated else datetime.combine(start.date(), time.fromisoformat(text))
    except ValueError:
        raise BadInputError("--at", rule, text) from None
    if when.tzinfo is not None:
        raise BadInputError("--at", rule, text)
    while not dated and _ns(when - start) < span.lead_ns:
        when += timedelta(days=1)
    at_ns = _ns(when - start)
    if not span.lead_ns <= at_ns <= info.span_ns - span.whole_ns + span.lead_ns:
        needs = (
            f"{span.lead_ns / MINUTE_NS:g} min before it and {(span.whole_ns - span.lead_ns) / MINUTE_NS:g} min after"
        )
        raise BadInputError("--at", f"must have {needs} in the trace", text)
    return at_ns


def busiest_ns(trace: Path, span: Span) -> int:
    """Return when the hour begins in which most is submitted, of those that leave room [ns]; the first of equals.

    Hours begin at quarters of the clock.

    Raises
    ------
    BadInputError
        If the trace is too short.
    """
    with TraceReader(trace) as reader:
        info = reader.info
        submitted = np.concatenate([part["submitted_ns"] for part in reader.columns(["submitted_ns"])] or [np.zeros(0)])
    start = info.start.replace(tzinfo=None)
    into_ns = _ns(start - start.replace(hour=0, minute=0, second=0, microsecond=0))
    first = -(-(into_ns + span.lead_ns) // STEP_NS) * STEP_NS - into_ns
    last = info.span_ns - span.whole_ns + span.lead_ns
    if first > last:
        needs = f"at least {span.whole_ns / MINUTE_NS:g} min, and a quarter of an hour to choose from"
        raise BadInputError("--trace", f"must have {needs}", info.span_ns / MINUTE_NS, str(trace))
    at = np.arange(first, last + 1, STEP_NS)
    counts = np.searchsorted(submitted, at + HOUR_NS) - np.searchsorted(submitted, at)
    return int(at[np.argmax(counts)])


def local_time(info: TraceInfo, at_ns: int) -> datetime:
    """Return the local time of an instant of a trace."""
    return info.start.replace(tzinfo=None) + timedelta(microseconds=at_ns // 1_000)


def _ns(length: timedelta) -> int:
    return (length // timedelta(microseconds=1)) * 1_000
