"""Which matrices of a series are lived through, and which of them are scored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError


@dataclass(frozen=True, eq=False)
class Window:
    """Positions in a series.

    Attributes
    ----------
    first, end : int
        Brains decide in ``first .. end - 1``; what is before they may learn from.
    scored : int64 (K,)
        Which of these are scored, ascending, at least one.
    """

    first: int
    end: int
    scored: NDArray[np.int64]


def window(
    t_utc: NDArray[np.datetime64],
    score_from: np.datetime64 | None = None,
    score_to: np.datetime64 | None = None,
    *,
    every: int | None = None,
    count: int | None = None,
) -> Window:
    """Return the intervals that begin in ``[score_from, score_to)`` and the sample of them that is scored.

    Parameters
    ----------
    t_utc : datetime64[s] (T,)
        Begin of each interval, increasing.
    score_from, score_to : datetime64, optional
        The whole series by default.
    every : int, optional
        Score the first one, and each N-th after it; all of them by default.
    count : int, optional
        Score so many, evenly spaced: the first one and each ``n // count``-th of n after it, until there are enough;
        all of them if there are not more.

    Raises
    ------
    BadInputError
        If no matrix is left, or both `every` and `count` are given, or one is below 1.
    """
    first = 0 if score_from is None else int(np.searchsorted(t_utc, score_from))
    end = len(t_utc) if score_to is None else int(np.searchsorted(t_utc, score_to))
    if first >= end:
        asked = f"{score_from or 'the begin'} to {score_to or 'the end'}"
        raise BadInputError("score_from, score_to", f"must leave a matrix of {t_utc[0]}..{t_utc[-1]}", asked)
    for name, value in (("every", every), ("count", count)):
        if value is not None and value < 1:
            raise BadInputError(name, "must be at least 1", value)
    if every is not None and count is not None:
        raise BadInputError("every, count", "give one of them", (every, count))
    length = end - first
    step = every or max(length // (count or length), 1)
    return Window(first, end, np.arange(first, end, step, dtype=np.int64)[:count])
