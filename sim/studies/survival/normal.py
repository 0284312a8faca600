"""How long until all is normal again: two runs of the same exchanges, one with a failure, minute by minute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.units import MINUTE_NS, SECOND_NS
from sim.studies.survival.window import Span

# Looked at for so long at a time, from every minute on: in one minute of a small platform chance rules.
LOOK: Final = 5
# So many exchanges more in flight than without the failure, and this share of those, are chance.
BACKLOG_FEW: Final = 10
BACKLOG_SHARE: Final = 0.05


@dataclass(frozen=True)
class Bounds:
    """From which difference on two runs differ.

    Attributes
    ----------
    late_by_ns : int
        An exchange is late if delivered later than without the failure by more than this [ns], >= 0.
    band : float
        This share of exchanges may be late, beyond as many as are sooner, and all is still normal, 0..1.
    """

    late_by_ns: int = 10 * SECOND_NS
    band: float = 0.001


@dataclass(frozen=True, eq=False)
class Course:
    """When n exchanges came and went.

    Attributes
    ----------
    submitted_ns, delivered_ns : int64 (n,)
        The former never decreasing, the latter -1 for what was not delivered [ns].
    refused : bool (n,)
        These are no backlog.
    """

    submitted_ns: NDArray[np.int64]
    delivered_ns: NDArray[np.int64]
    refused: NDArray[np.bool_]

    def in_flight(self, at_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many were submitted before each instant and not delivered before it."""
        kept = ~self.refused
        gone = np.sort(self.delivered_ns[kept & (self.delivered_ns >= 0)])
        return np.searchsorted(self.submitted_ns[kept], at_ns) - np.searchsorted(gone, at_ns)


def time_until_normal(
    course: Course,
    base: Course,
    hurt: NDArray[np.bool_],
    sooner: NDArray[np.bool_],
    span: Span,
    bounds: Bounds,
) -> tuple[int, bool]:
    """Return how long after the failure's beginning all is normal for good [ns], and whether that was seen.

    A minute is normal if, in the five minutes from its begin on, not more exchanges are hurt than sooner by more than
    the band, and no more are in flight at its begin than without the failure (but for a few). All is normal from the
    end of the last minute that is not; that it stays so must be seen for five minutes within the window.

    Parameters
    ----------
    course, base : Course
        With the failure and without.
    hurt, sooner : bool (n,)
        Which were lost or late, and which sooner.
    span : Span
    bounds : Bounds
    """
    minutes = -(-(span.lasts_ns + span.tail_ns) // MINUTE_NS)
    edge_ns = span.lead_ns + MINUTE_NS * np.arange(minutes + 1, dtype=np.int64)
    # What was under way when it began counts in the first minute.
    place = np.clip((course.submitted_ns - span.lead_ns) // MINUTE_NS, 0, minutes - 1)
    touched = hurt | sooner | (course.submitted_ns >= span.lead_ns)
    all_there, excess = (
        np.concatenate(([0.0], np.cumsum(np.bincount(place[touched], weights, minutes))))
        for weights in (None, hurt[touched].astype(np.float64) - sooner[touched])
    )
    first = np.arange(minutes)
    last = np.minimum(first + LOOK, minutes)
    too_many = excess[last] - excess[first] > bounds.band * (all_there[last] - all_there[first])
    before = base.in_flight(edge_ns[:-1])
    queued = course.in_flight(edge_ns[:-1]) - before > np.maximum(BACKLOG_FEW, BACKLOG_SHARE * before)
    abnormal = np.flatnonzero(too_many | queued)
    if not len(abnormal):
        return 0, True
    normal_ns = (int(abnormal[-1]) + 1) * MINUTE_NS
    most_ns = span.lasts_ns + span.tail_ns
    return min(normal_ns, most_ns), normal_ns + LOOK * MINUTE_NS <= most_ns
