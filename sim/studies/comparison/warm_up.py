"""How long a run takes to forget that it began empty.

The rule is MSER-5: of the series of means by time of submission, over all replications, the start is left out whose
leaving makes the standard error of the mean of what remains least. Only the first part of a run is looked at: over a
whole day the tide is larger than any start from empty, and the rule would look for the quietest hours.

Sources: K. P. White, An effective truncation heuristic for bias reduction in simulation output, Simulation 69 (1997),
323-334, doi 10.1177/003754979706900601. K. P. White, M. J. Cobb and S. C. Spratt, A comparison of five steady-state
truncation heuristics for simulation, Proc. Winter Simulation Conf. (2000), 755-760 (batches of five). Means over
replications: P. D. Welch, in Lavenberg (ed.), Computer Performance Modeling Handbook (1983), 6.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.replay import Lived

# At most this share of a run is left out, and twice of it looked at: the rule may leave out half of what it sees.
SHARE_MAX: Final = 0.1
BATCH: Final = 5
BATCHES: Final = 64
SLOTS: Final = BATCH * BATCHES
# A worker measures a run for each of these, so that no run is lived twice; steps double, as a start from empty fades.
_STEPS: Final = (0, 1, 2, 4, 8, 16)


def warm_ups(span_ns: int) -> tuple[int, ...]:
    """Return the warm-ups between which it is chosen, ascending [ns]."""
    longest = SHARE_MAX * span_ns
    return tuple(dict.fromkeys(round(longest * step / _STEPS[-1]) for step in _STEPS))


def start_of(lived: Lived, span_ns: int) -> NDArray[np.float64]:
    """Return number and summed completion times of what was submitted in each slot of a run's first part.

    Parameters
    ----------
    lived : Lived
    span_ns : int
        Of the shortest of the study's traces, so that slots are the same for all [ns].

    Returns
    -------
    float64 (2, SLOTS)
        Of exchanges that were delivered; sums in [ns].
    """
    window_ns = max(round(2 * SHARE_MAX * span_ns), 1)
    done = lived.done
    submitted_ns = lived.record.exchanges.submitted_ns
    rows = np.flatnonzero(done.delivered & (submitted_ns < window_ns))
    slot = (submitted_ns[rows].astype(np.float64) * (SLOTS / window_ns)).astype(np.int64)
    slot = np.minimum(slot, SLOTS - 1)
    took_ns = done.took_ns[rows].astype(np.float64)
    return np.stack([np.bincount(slot, minlength=SLOTS).astype(np.float64), np.bincount(slot, took_ns, SLOTS)])


def warm_up_of(starts: Sequence[NDArray[np.float64]], span_ns: int) -> int:
    """Return the warm-up that an arm needs: the least of `warm_ups` that leaves out what the rule leaves out [ns].

    Parameters
    ----------
    starts : sequence of float64 (2, SLOTS)
        Of its replications, `start_of`.
    span_ns : int
        As there.
    """
    count, sum_ns = np.sum(np.stack(starts), axis=0)
    seen = np.flatnonzero(count)
    cut = mser5(sum_ns[seen] / count[seen])
    if cut == 0:
        return 0
    # The first slot that stays decides; slots in which nothing was submitted say nothing.
    begin_ns = seen[cut] / SLOTS * 2 * SHARE_MAX * span_ns
    choices = warm_ups(span_ns)
    return next((one for one in choices if one >= begin_ns), choices[-1])


def mser5(series: NDArray[np.float64]) -> int:
    """Return how many values at the start of a series are to be left out; a multiple of 5, at most half of them.

    Parameters
    ----------
    series : float64 (n,)
        Finite; what does not fill a batch at the end is not looked at.
    """
    batches = len(series) // BATCH
    if batches < 2:
        return 0
    means = series[: batches * BATCH].reshape(batches, BATCH).mean(axis=1)
    means = means - means.mean()  # sums of squares of what lies far from 0 would lose digits
    left = np.arange(batches, 0, -1)
    sums, squares = means[::-1].cumsum()[::-1], (means**2)[::-1].cumsum()[::-1]
    error = np.maximum(squares - sums**2 / left, 0.0) / left.astype(np.float64) ** 2
    return BATCH * int(error[: batches // 2 + 1].argmin())
