"""What was exchanged in the past, hour by hour: the small table that a trace of any length becomes for a brain."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS

# Sizes are counted by powers of two: bin b has payloads of b binary digits, 0 and 1 TiB included.
SIZE_BINS: Final = 42


@dataclass(frozen=True, eq=False)
class Relations:
    """Who exchanges in which way with whom, R rows without a repetition, ascending by the columns in this order.

    Attributes
    ----------
    source, target : int32 (R,)
        Node indices of endpoints.
    mode, kind, priority : int8 (R,)
        `Mode`, `TaskKind`, class of service.
    lead_ns : int64 (R,)
        Least time from submission to deadline that was seen [ns]; -1 where none ever had a deadline.
    size_count : int64 (R, SIZE_BINS)
        Exchanges by the number of binary digits of their payload in bytes.
    """

    source: NDArray[np.int32]
    target: NDArray[np.int32]
    mode: NDArray[np.int8]
    kind: NDArray[np.int8]
    priority: NDArray[np.int8]
    lead_ns: NDArray[np.int64]
    size_count: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.source)


@dataclass(frozen=True, eq=False)
class DemandHistory:
    """Exchanges and bytes of every relation in every hour, as a sparse table of n rows ordered by hour, then relation.

    Attributes
    ----------
    grid : TimeGrid
        H hours of local time.
    observed : bool (H,)
        Hours that a trace covers whole; in the others nothing is known.
    relations : Relations
    hour_start : int64 (H + 1,)
        Rows of hour h: ``hour_start[h]:hour_start[h + 1]``.
    relation : int32 (n,)
        Ascending within an hour.
    exchanges, payload_bytes : int64 (n,)
        Counts >= 1, and their bytes.
    """

    grid: TimeGrid
    observed: NDArray[np.bool_]
    relations: Relations
    hour_start: NDArray[np.int64]
    relation: NDArray[np.int32]
    exchanges: NDArray[np.int64]
    payload_bytes: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.grid.step_ns != HOUR_NS:
            raise BadInputError("history.grid", "must have steps of an hour", self.grid.step_ns)

    @property
    def hours(self) -> int:
        """Number of hours H."""
        return self.grid.count

    def hour_of_row(self) -> NDArray[np.int64]:
        """Hour of each row, (n,)."""
        return np.repeat(np.arange(self.hours, dtype=np.int64), np.diff(self.hour_start))

    def series(
        self, unit_of_relation: NDArray[np.integer], units: int, *, of_bytes: bool = False
    ) -> NDArray[np.float64]:
        """Return exchanges, or bytes, of each unit in each hour, (H, units).

        Parameters
        ----------
        unit_of_relation : int (R,)
            Unit of each relation, 0 .. units - 1; negative ones are left out.
        units : int
        of_bytes : bool
        """
        unit = np.asarray(unit_of_relation, dtype=np.int64)[self.relation]
        used = unit >= 0
        amount = self.payload_bytes if of_bytes else self.exchanges
        cell = self.hour_of_row()[used] * units + unit[used]
        return np.bincount(cell, amount[used], self.hours * units).astype(np.float64).reshape(self.hours, units)

    def totals(self, *, of_bytes: bool = False) -> NDArray[np.float64]:
        """Exchanges, or bytes, of each relation over all hours, (R,)."""
        amount = self.payload_bytes if of_bytes else self.exchanges
        return np.bincount(self.relation, amount, len(self.relations)).astype(np.float64)

    def part(self, first: int, last: int) -> DemandHistory:
        """Return the hours ``first .. last - 1`` alone, with all relations.

        Lead times and sizes stay those of the whole history: a caller that must not know the future reads the
        history of the past instead of cutting a longer one.
        """
        if not 0 <= first <= last <= self.hours:
            raise BadInputError("history.part", f"must lie within 0..{self.hours}", (first, last))
        rows = slice(int(self.hour_start[first]), int(self.hour_start[last]))
        return replace(
            self,
            grid=self.grid.part(first, last),
            observed=self.observed[first:last],
            hour_start=self.hour_start[first : last + 1] - self.hour_start[first],
            relation=self.relation[rows],
            exchanges=self.exchanges[rows],
            payload_bytes=self.payload_bytes[rows],
        )
