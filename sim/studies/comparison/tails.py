"""How many exchanges took longer than each of a ladder of times: what tails of several runs can be added up from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.vocabulary import Mode
from sim.replay import Lived
from sim.studies.measures import MODES

# Twenty steps a decade from a microsecond to about four months: a step is less than a line on paper is thick.
EDGES_NS: Final = np.unique(np.rint(np.logspace(3, 16, 13 * 20 + 1)).astype(np.int64))


def tail_counts(lived: Lived, warm_ups_ns: Sequence[int]) -> tuple[dict[str, NDArray[np.int64]], ...]:
    """Return for each delivery mode, and for all, how many exchanges were delivered, and how many later than each edge.

    Parameters
    ----------
    lived : Lived
    warm_ups_ns : sequence of int
        For each of them exchanges submitted before it are left out [ns].

    Returns
    -------
    tuple of dict of str to int64 (1 + len(EDGES_NS),)
        One for each warm-up.
    """
    exchanges, done = lived.record.exchanges, lived.done
    # The last edge that an exchange is later than, 0 for none; ascending times are looked up as one ladder by another.
    steps = len(EDGES_NS) + 1
    ends = np.searchsorted(done.ordered_ns, EDGES_NS, side="right")
    place = np.repeat(np.arange(steps), np.diff(ends, prepend=0, append=len(done.ordered_ns)))
    cell = exchanges.mode[done.order].astype(np.int64) * steps + place
    submitted_ns = exchanges.submitted_ns[done.order]
    found = []
    for warm_up_ns in warm_ups_ns:
        kept = cell if warm_up_ns == 0 else cell[submitted_ns >= warm_up_ns]
        counts = np.bincount(kept, minlength=len(Mode) * steps).reshape(len(Mode), steps)
        later = counts[:, ::-1].cumsum(axis=1)[:, ::-1]
        found.append({name: later.sum(axis=0) if name == "all" else later[Mode[name.upper()]] for name in MODES})
    return tuple(found)
