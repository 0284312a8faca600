"""How many exchanges took longer than each of a ladder of times: what tails of several runs can be added up from."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.vocabulary import Mode
from sim.replay import Lived
from sim.studies.measures import MODES

# Twenty steps a decade from a microsecond to about four months: a step is less than a line on paper is thick.
EDGES_NS: Final = np.unique(np.rint(np.logspace(3, 16, 13 * 20 + 1)).astype(np.int64))


def tail_counts(lived: Lived, warm_up_ns: int = 0) -> dict[str, NDArray[np.int64]]:
    """Return for each delivery mode, and for all, how many exchanges were delivered, and how many later than each edge.

    Parameters
    ----------
    lived : Lived
    warm_up_ns : int
        Exchanges submitted before it are left out [ns].

    Returns
    -------
    dict of str to int64 (1 + len(EDGES_NS),)
    """
    exchanges = lived.record.exchanges
    rows = lived.done.delivered & (exchanges.submitted_ns >= warm_up_ns)
    # The last edge that an exchange is later than; 0 for none.
    place = np.searchsorted(EDGES_NS, lived.done.took_ns[rows], side="left")
    mode = exchanges.mode[rows].astype(np.int64)
    steps = len(EDGES_NS) + 1
    counts = np.bincount(mode * steps + place, minlength=len(Mode) * steps).reshape(len(Mode), steps)
    later = counts[:, ::-1].cumsum(axis=1)[:, ::-1]
    return {name: later.sum(axis=0) if name == "all" else later[Mode[name.upper()]] for name in MODES}
