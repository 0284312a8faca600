"""How long exchanges took: times, percentiles, tails, deadlines.

A percentile q is the smallest completion time that at least the share q of the delivered exchanges does not exceed
(inverse of the empirical distribution, no interpolation), so equal runs give equal integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from router_core.exchanges import NO_DEADLINE, Exchanges
from sim.data_plane import Outcome, Refusal

# Fractions, because 0.999 * 1000 is 999.0000000000001 and would give the wrong rank.
QUANTILES: Final = {
    "p50_ns": Fraction(50, 100),
    "p95_ns": Fraction(95, 100),
    "p99_ns": Fraction(99, 100),
    "p999_ns": Fraction(999, 1000),
}
TAIL_POINTS: Final = 120

Table = dict[str, Any]


def rank(counts: NDArray[np.int64], share: Fraction) -> NDArray[np.int64]:
    """Return the place of a percentile among so many ascending times, for any number of counts."""
    return np.maximum(0, -(-share.numerator * counts // share.denominator) - 1)


def percentile(ordered_ns: NDArray[np.int64], share: Fraction) -> int:
    """Return the percentile of ascending, non-empty times."""
    return int(ordered_ns[rank(np.array(len(ordered_ns)), share)])


@dataclass(frozen=True, eq=False)
class Completion:
    """What became of n exchanges, d of which were delivered.

    Attributes
    ----------
    delivered, due, missed : bool (n,)
        Which were delivered, which had a deadline, and which missed it.
    took_ns : int64 (n,)
        From submission to delivery [ns]; means nothing for the others.
    order : int64 (d,)
        Ids of the delivered ones, fastest first. Sorting is what takes its time here, so it is done once.
    ordered_ns : int64 (d,)
        Their times.
    """

    delivered: NDArray[np.bool_]
    due: NDArray[np.bool_]
    missed: NDArray[np.bool_]
    took_ns: NDArray[np.int64]
    order: NDArray[np.int64]
    ordered_ns: NDArray[np.int64]

    def times_ns(self, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Ascending times of those of some exchanges that were delivered."""
        return self.ordered_ns[rows[self.order]]


def completion(exchanges: Exchanges, outcome: Outcome, ended_ns: int) -> Completion:
    """Judge every exchange; one still in flight after its deadline, or refused, has missed it."""
    delivered = outcome.delivered_ns >= 0
    due = exchanges.deadline_ns != NO_DEADLINE
    finished_ns = np.where(delivered, outcome.delivered_ns, ended_ns)
    refused = outcome.refusal != Refusal.NOT_REFUSED
    missed = due & ((finished_ns > exchanges.deadline_ns) | refused)
    took_ns = outcome.delivered_ns - exchanges.submitted_ns
    ids = np.flatnonzero(delivered)
    order = ids[np.argsort(took_ns[ids])]
    return Completion(delivered, due, missed, took_ns, order, took_ns[order])


def distribution(exchanges: Exchanges, done: Completion, rows: NDArray[np.bool_]) -> Table:
    """Count, bytes, percentiles [ns] and deadlines of some exchanges; percentiles are None where none was delivered."""
    ordered_ns = done.times_ns(rows)
    count = len(ordered_ns)
    table: Table = {"count": count, "bytes": int(exchanges.payload_bytes[rows & done.delivered].sum())}
    for name, share in QUANTILES.items():
        table[name] = percentile(ordered_ns, share) if count else None
    table["max_ns"] = int(ordered_ns[-1]) if count else None
    table["mean_ns"] = exact_sum(ordered_ns) // count if count else None
    table["deadline_total"] = int((rows & done.due).sum())
    table["deadline_missed"] = int((rows & done.missed).sum())
    return table


def exact_sum(times_ns: NDArray[np.int64]) -> int:
    """Exact sum of times >= 0; in halves, because ten thousand times of a few years do not fit 64 bits."""
    return (int((times_ns >> 32).sum()) << 32) + int((times_ns & 0xFFFF_FFFF).sum())


def tail(ordered_ns: NDArray[np.int64]) -> Table:
    """Share of exchanges that took each of up to 120 times or longer, spaced so that the far tail is drawn well.

    Times are given ascending.
    """
    count = len(ordered_ns)
    if count == 0:
        return {"latency_ns": [], "share_above": []}
    above = np.unique(np.rint(np.geomspace(1, count, TAIL_POINTS)).astype(np.int64))[::-1]
    return {"latency_ns": ordered_ns[count - above].tolist(), "share_above": (above / count).tolist()}
