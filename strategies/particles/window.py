"""The particles of the last rounds as one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strategies.particles.particle_log import NOT_COME, SentRound


@dataclass(frozen=True, eq=False)
class Window:
    """R particles that came or should have come, in compressed rows.

    Attributes
    ----------
    start : int64 (R + 1,)
    station : int32
    visits : float64
        Stations of row r and how often it passes them: ``start[r]:start[r + 1]``.
    size : float64 (R,)
        Bytes.
    delay_ns : int64 (R,)
        `NOT_COME` where it did not.
    bound_ns : int64 (R,)
        It was under way at least so long if it is not lost.
    share : float64 (R,)
        How much it counts by its age, in 0..1; 0 if it may still be under way.
    newest : int
        First row of the newest round of which any came.
    """

    start: NDArray[np.int64]
    station: NDArray[np.int32]
    visits: NDArray[np.float64]
    size: NDArray[np.float64]
    delay_ns: NDArray[np.int64]
    bound_ns: NDArray[np.int64]
    share: NDArray[np.float64]
    newest: int


def window_of(rounds: Sequence[SentRound], now_ns: int, half_life_ns: int) -> Window:
    """Gather the rounds; what may still be under way is left out."""
    starts, shares, bounds, kept = [np.zeros(1, dtype=np.int64)], [], [], []
    offset = rows = newest = 0
    for one in rounds:
        known = (one.delay_ns != NOT_COME) | one.due
        share = 0.5 ** (max(now_ns - one.sent_ns, 0) / half_life_ns)
        starts.append(one.start[1:] + offset)
        offset += len(one.station)
        newest = rows if (one.delay_ns != NOT_COME).any() else newest
        rows += len(one.size)
        shares.append(np.where(known, share, 0.0))
        bounds.append(np.full(len(known), min(max(now_ns - one.sent_ns, one.collect_ns), 2 * one.collect_ns)))
        kept.append(one)
    return Window(
        np.concatenate(starts),
        np.concatenate([one.station for one in kept]) if kept else np.empty(0, dtype=np.int32),
        np.concatenate([one.visits for one in kept]) if kept else np.empty(0),
        np.concatenate([one.size for one in kept]) if kept else np.empty(0),
        np.concatenate([one.delay_ns for one in kept]) if kept else np.empty(0, dtype=np.int64),
        np.concatenate(bounds) if kept else np.empty(0, dtype=np.int64),
        np.concatenate(shares) if kept else np.empty(0),
        newest,
    )
