"""The pooled model: hidden tides, and upon them what each series' own data say, as far as they carry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from strategies.tides.days import KINDS, context_parts
from strategies.tides.mixture import Mixture
from strategies.tides.shrinkage import shrunk_ratio
from strategies.tides.totals import Totals

# Series borrow from steps of day within an hour and a half, where steps are shorter than that.
BORROW_S: Final = 5_400.0
DAY_S: Final = 86_400.0
# How much stands behind the mean of a day whose events the history has never seen together: 25 % either way.
BACKING_UNSEEN: Final = 16.0


@dataclass(frozen=True, eq=False)
class Pooled:
    """Mean demand of every series in every context, seen or not.

    Attributes
    ----------
    mixture : Mixture
    own : float64 (2, S, D)
        A series' step of day against the mixture, by kind of day.
    context : int64 (C,)
        Contexts that the history has.
    level : float64 (C, D)
        A series' whole day in a context against both.
    cell : float64 (C, S, D)
        A step in a context against all three.
    doubt : float64 (C, S, D)
        Variance of the mean, relative to its square.
    """

    mixture: Mixture
    own: NDArray[np.float64]
    context: NDArray[np.int64]
    level: NDArray[np.float64]
    cell: NDArray[np.float64]
    doubt: NDArray[np.float64]

    def mean(self, context: int) -> NDArray[np.float64]:
        """Mean demand on a day of a context, (S, D)."""
        found = self.mixture.mean(context) * self.own[context % 2]
        row = int(np.searchsorted(self.context, context))
        if row < len(self.context) and self.context[row] == context:
            found = found * self.level[row] * self.cell[row]
        return np.asarray(found)

    def doubt_of(self, context: int) -> NDArray[np.float64]:
        """Variance of the mean of a context relative to its square, (S, D)."""
        row = int(np.searchsorted(self.context, context))
        if row < len(self.context) and self.context[row] == context:
            return np.asarray(self.doubt[row])
        return np.full(self.own.shape[1:], 1.0 / BACKING_UNSEEN)


def fit_pooled(totals: Totals, mixture: Mixture, unit: NDArray[np.float64]) -> Pooled:
    """Shrink each series' own data towards the mixture, in three steps, each with strengths of its own.

    First a series' steps of day by kind of day, then its level in each context, then the steps of each context: what
    is thin at one step has been borrowed from the step before.

    Parameters
    ----------
    totals : Totals
    mixture : Mixture
    unit : float64 (D,)
        Variance by mean of each series.
    """
    contexts, steps, series = totals.total.shape
    kind, _ = context_parts(totals.context)
    total = totals.total / unit
    mean = np.empty_like(total)
    for row, context in enumerate(totals.context.tolist()):
        mean[row] = mixture.mean(context) * totals.days[row][:, None] / unit
    reach = int(BORROW_S / (DAY_S / steps))
    own = np.ones((len(KINDS), steps, series))
    for which in range(len(KINDS)):
        rows = kind == which
        if rows.any():
            hour = (np.arange(steps) * 24 // steps)[:, None] if steps > 24 else np.arange(steps)[:, None]
            own[which], _ = shrunk_ratio(
                _borrowed(total[rows].sum(axis=0), reach), _borrowed(mean[rows].sum(axis=0), reach), hour, 24
            )
            mean[rows] *= own[which]
    by_context = np.arange(contexts)[:, None]
    level, behind_level = shrunk_ratio(total.sum(axis=1), mean.sum(axis=1), by_context, contexts)
    mean *= level[:, None]
    flat = (contexts * steps, series)
    cell, behind = shrunk_ratio(total.reshape(flat), mean.reshape(flat), np.repeat(by_context, steps, axis=0), contexts)
    doubt = 1.0 / behind_level[:, None] + 1.0 / behind.reshape(total.shape)
    return Pooled(mixture, own, totals.context, level, cell.reshape(total.shape), doubt)


def _borrowed(cells: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Sum over steps up to `reach` before and after, around midnight."""
    result = cells.copy()
    for shift in range(1, reach + 1):
        result += np.roll(cells, shift, axis=0) + np.roll(cells, -shift, axis=0)
    return result
