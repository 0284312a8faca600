"""Where front-ends accept tasks: each is held back as the handling in force says, and then handed to the data plane."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.exchanges import FIELDS, NO_LABEL, Exchanges, concatenate
from router_core.network import Network
from router_core.units import DURATION_NS_MAX
from router_core.vocabulary import PRIORITY_MAX
from sim.completion import exact_sum
from sim.data_plane import Outcome
from sim.held_tasks import HeldTasks, Tasks, in_order
from sim.plane_checks import check_batch
from strategies.brain import Handled, Handling

NOTHING = concatenate([])


@dataclass(frozen=True)
class Holding:
    """What was held back in a run.

    Attributes
    ----------
    exchanges, payload_bytes : int
        Those that were accepted with a hold.
    hold_sum_ns, hold_max_ns : int
        Of their holds [ns].
    """

    exchanges: int = 0
    payload_bytes: int = 0
    hold_sum_ns: int = 0
    hold_max_ns: int = 0


class FrontEndDesk:
    """Accepts the tasks of a trace when they are submitted, and releases them when their hold is over.

    The world asks for what is released before an instant; between two of these the handling stands still. So it does
    not matter in which pieces the trace is read, or how far ahead.

    Parameters
    ----------
    network : Network
    batches : iterator of Exchanges
        The trace, in order of submission.
    span_ns : int
        Length of the trace [ns].

    Attributes
    ----------
    held, held_bytes : int
        Exchanges accepted and not yet released, and their bytes.
    holding : Holding
        What was held back up to now.
    """

    def __init__(self, network: Network, batches: Iterator[Exchanges], span_ns: int) -> None:
        self._network = network
        self._batches = batches
        self._span_ns = span_ns
        self._kept: list[Exchanges] = []
        self._read = 0  # rows of the trace in all batches kept
        self._batch = NOTHING
        self._first = 0  # row of the batch that is accepted next
        self._accepted = 0
        self._handling: Handling | None = None
        self._held = HeldTasks()
        self._unreported: list[Exchanges] = []
        # Row in the trace of each exchange released, in order of release; `None`: all came as they are in the trace.
        self._rows: list[NDArray[np.int32]] | None = None
        self.holding = Holding()

    @property
    def held(self) -> int:
        """Exchanges that are held back."""
        return len(self._held)

    @property
    def held_bytes(self) -> int:
        """Their bytes."""
        return self._held.payload_bytes

    def set_handling(self, handling: Handling | None) -> None:
        """Treat what is accepted from now on like this."""
        self._handling = handling

    def release(self, now_ns: int) -> Exchanges:
        """Accept what is submitted before now and return what is released before now, for the data plane.

        In order of release, at one instant in order of the trace; `submitted_ns` is the instant of release, `priority`
        the class in which an exchange travels.

        Raises
        ------
        BadInputError
            If an exchange lies beyond the trace's span or breaks a rule of the data planes, or if the handling gives
            an answer that cannot be.
        """
        accepted, first_id = self._accept(now_ns)
        rows = np.arange(first_id, self._accepted)
        if self._handling is None and not self.held:
            self._note(rows)
            return accepted
        if self._rows is None:
            self._rows = [np.arange(first_id, dtype=np.int32)]
        if not len(accepted):
            # Most instants of the world bring nothing new, and few of them the end of a hold.
            due = self._held.take(now_ns)
            if not due:
                return NOTHING
            released = in_order(*due)
            self._note(released.row)
            return released.exchanges
        tasks = Tasks(accepted, rows)
        if self._handling is not None:
            tasks = self._handled(tasks, self._handling)
        late = tasks.exchanges.submitted_ns >= now_ns
        if late.any():
            self._held.add(in_order(tasks[late]))
            tasks = tasks[~late]
        released = in_order(tasks, *self._held.take(now_ns))
        self._note(released.row)
        return released.exchanges

    def reported(self) -> Exchanges:
        """Return what was accepted since this was last asked for, as it was accepted, without true labels."""
        fresh, self._unreported = self._unreported, []
        return _for_brains(concatenate(fresh) if fresh else NOTHING)

    def exchanges(self) -> Exchanges:
        """Return the trace as it was read, and forget it: millions of rows need not stand in memory twice."""
        kept, self._kept, self._batch = self._kept, [], NOTHING
        return concatenate(kept)

    def outcome(self, released: Outcome) -> Outcome:
        """Bring what became of the exchanges released into the trace's order; those held are in flight."""
        if self._rows is None:
            return released
        rows = np.concatenate(self._rows)
        count = self._accepted
        outcome = Outcome(np.full(count, -1, np.int64), np.zeros(count, np.int8), np.zeros(count, np.int32))
        outcome.delivered_ns[rows] = released.delivered_ns
        outcome.refusal[rows] = released.refusal
        outcome.retries[rows] = released.retries
        return outcome

    def _note(self, rows: NDArray[np.int64]) -> None:
        """Remember which rows are released, once the order of release is not the trace's."""
        if self._rows is not None and len(rows):
            self._rows.append(rows.astype(np.int32))

    def _accept(self, now_ns: int) -> tuple[Exchanges, int]:
        """Return what was submitted before now and not yet accepted, and the row in the trace where it begins."""
        parts = []
        while True:
            last = int(self._batch.submitted_ns.searchsorted(now_ns))
            if last > self._first:
                parts.append(self._batch[self._first : last])
                self._first = last
            if last < len(self._batch):
                break
            batch = next(self._batches, None)
            if batch is None:
                break
            self._take_in(batch)
        first_id = self._accepted
        accepted = parts[0] if len(parts) == 1 else concatenate(parts) if parts else NOTHING
        self._accepted += len(accepted)
        if len(accepted):
            self._unreported.append(accepted)
        return accepted, first_id

    def _take_in(self, batch: Exchanges) -> None:
        """Check a batch of the trace, and go on with it."""
        # Here, where rows have the trace's numbers: the data plane counts in order of release.
        earliest_ns = int(self._batch.submitted_ns[-1]) if len(self._batch) else 0
        check_batch(self._network, batch, self._read, earliest_ns)
        inside = int(batch.submitted_ns.searchsorted(self._span_ns))
        if inside < len(batch):
            place = f"exchange {self._read + inside}.submitted_ns"
            rule = f"must lie before the end of the trace's span, {self._span_ns}"
            raise BadInputError(place, rule, int(batch.submitted_ns[inside]))
        if len(batch):
            self._kept.append(batch)
            self._batch, self._first = batch, 0
            self._read += len(batch)

    def _handled(self, tasks: Tasks, handling: Handling) -> Tasks:
        """Ask the handling, and give each task its release and its class."""
        exchanges, first_id = tasks.exchanges, int(tasks.row[0])
        handled = handling.handle(_for_brains(exchanges), first_id)
        _check_handled(handled, exchanges, first_id)
        hold_ns = handled.hold_ns
        held = hold_ns > 0
        if held.any():
            before = self.holding
            self.holding = Holding(
                before.exchanges + int(held.sum()),
                before.payload_bytes + int(exchanges.payload_bytes[held].sum()),
                before.hold_sum_ns + exact_sum(hold_ns),
                max(before.hold_max_ns, int(hold_ns.max())),
            )
        # What the handling gave may change under its hand; the class is kept as it was answered.
        changed = replace(exchanges, submitted_ns=exchanges.submitted_ns + hold_ns, priority=handled.priority.copy())
        return Tasks(changed, tasks.row)


def _for_brains(tasks: Exchanges) -> Exchanges:
    """Tasks as a brain may see them: without true labels, and not to be written to, being the trace itself."""
    columns = {name: getattr(tasks, name)[:] for name in FIELDS}
    columns |= {name: np.full(len(tasks), NO_LABEL, dtype=np.int8) for name in ("demand_type", "surge")}
    for column in columns.values():
        column.flags.writeable = False
    return Exchanges(**columns)


def _check_handled(handled: Handled, tasks: Exchanges, first_id: int) -> None:
    for name, kind in (("hold_ns", np.int64), ("priority", np.int8)):
        column = getattr(handled, name)
        if not isinstance(column, np.ndarray) or column.dtype != kind or column.shape != (len(tasks),):
            rule = f"must be {np.dtype(kind).name} with one row for each of {len(tasks)} tasks"
            found = f"{column.dtype} {column.shape}" if isinstance(column, np.ndarray) else column
            raise BadInputError(f"handling.{name}", rule, found)
    for name, wrong, rule in (
        # Compared with what is left, as a sum may not fit 64 bits.
        (
            "hold_ns",
            (handled.hold_ns < 0) | (handled.hold_ns > DURATION_NS_MAX - tasks.submitted_ns),
            f"must not be negative, nor lead beyond {DURATION_NS_MAX}",
        ),
        (
            "priority",
            (handled.priority < 0) | (handled.priority > PRIORITY_MAX),
            f"must lie in 0..{PRIORITY_MAX}",
        ),
    ):
        if wrong.any():
            row = int(wrong.argmax())
            raise BadInputError(f"handling of exchange {first_id + row}.{name}", rule, int(getattr(handled, name)[row]))
