"""Who is worse than whom: the front, and which trials need not be lived on further scenes.

All values are to be small.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

# A difference below two per cent on a scene is no clear one.
MARGIN: Final = 0.02


def front(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say of each row whether none is as small in all columns and smaller in one.

    Parameters
    ----------
    values : float64 (trials, objectives)

    Returns
    -------
    bool (trials,)
        Equal rows are all in or all out.
    """
    kept = np.ones(len(values), dtype=np.bool_)
    for place, row in enumerate(values):
        kept[place] = not np.any((values <= row).all(axis=1) & (values < row).any(axis=1))
    return kept


def clearly_dominated(seen: NDArray[np.float64], complete: Iterable[NDArray[np.float64]]) -> bool:
    """Say whether some complete trial was clearly better on every scene that a trial has seen.

    Clearly better is: on each of these scenes no worse in any objective, and in one objective, the same on all of them,
    better by more than `MARGIN`. Scenes are paired, so what a scene does to everybody counts for nothing. If settings
    keep their order from scene to scene, no trial is pruned that the front of all would hold: one that is behind
    another on each scene is behind it in their mean and in their worst.

    Parameters
    ----------
    seen : float64 (scenes seen, objectives)
    complete : iterable of float64 (scenes, objectives)
        Of the trials that were lived on all scenes, in the same order of scenes.
    """
    for other in complete:
        behind = seen - other[: len(seen)]
        if (behind >= 0.0).all() and (behind.min(axis=0) > MARGIN).any():
            return True
    return False


def rungs(scenes: int) -> Iterator[range]:
    """Cut scenes into those after which it is looked who may go on: one, then as many again as there were, ..."""
    done = 0
    while done < scenes:
        more = min(max(done, 1), scenes - done)
        yield range(done, done + more)
        done += more
