"""From means to quantiles: conformal calibration by the size of the mean, and its correction as time goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from strategies.tides.scale import Scale

UPPER: Final = 0.95
# Means are sorted by these, in units: how a quantile lies to a mean depends on how much there is to count.
EDGES: Final = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 512.0)
# Quantiles of the normal law stand for this many cells that were never seen, so that few cells decide nothing.
PRIOR_CELLS: Final = 50.0
UPPER_PRIOR: Final = 1.645
MIDDLE_DAYS: Final = 3
# So far, in units, a Poisson quantile lies from mean and deviations (Cornish and Fisher): at 95 %, and the median.
SKEW_UPPER, SKEW_MIDDLE = 0.284, -1.0 / 6.0
# How far a day that missed too much or too little moves the band [standard deviations], by the excess (Gibbs and
# Candes 2021, doi:10.48550/arXiv.2106.00170).
STEP: Final = 4.0
ROUNDING: Final = 1e-9


@dataclass(frozen=True, eq=False)
class Bands:
    """Quantiles of whitened errors, by the size of the mean in units.

    Attributes
    ----------
    upper, middle : float64 (B,)
        In standard deviations, at 95 % and 50 %.
    """

    upper: NDArray[np.float64]
    middle: NDArray[np.float64]

    @classmethod
    def fit(
        cls,
        demand: NDArray[np.float64],
        mean: NDArray[np.float64],
        doubt: NDArray[np.float64],
        scale: Scale,
        day: NDArray[np.int64],
    ) -> Bands:
        """Calibrate with demand (n, D) that the means were not fitted to.

        The median is moved off the mean only where that was better on every one of some days (n,): where demand comes
        in lumps it is, and where a level has moved for a while it is not.
        """
        part = _part(mean, scale)
        upper_score, middle_score = _scores(demand, mean, doubt, scale)
        upper, middle = np.full(len(EDGES) + 1, UPPER_PRIOR), np.zeros(len(EDGES) + 1)
        order = np.argsort(part, axis=None, kind="stable")
        ends = np.searchsorted(part.reshape(-1)[order], np.arange(len(EDGES) + 2))
        for which in range(len(EDGES) + 1):
            cells = order[ends[which] : ends[which + 1]]
            if len(cells) == 0:
                continue
            trust = len(cells) / (len(cells) + PRIOR_CELLS)
            found = np.quantile(upper_score.reshape(-1)[cells], UPPER, method="higher")
            upper[which] = trust * found + (1.0 - trust) * UPPER_PRIOR
            if scale.count <= 0 and day[-1] - day[0] + 1 >= MIDDLE_DAYS:
                middle[which] = np.quantile(middle_score.reshape(-1)[cells], 0.5)
        if middle.any():
            error = demand - mean
            moved = error - middle[part] * np.sqrt(scale.variance(mean, doubt))
            gain = (np.abs(error) - np.abs(moved)).reshape(-1)
            days = int(day[-1]) + 1
            cell = (part * days + day[:, None]).reshape(-1)
            gained = np.bincount(cell, gain, len(middle) * days).reshape(-1, days)[:, np.unique(day)]
            middle = np.where((gained > 0).all(axis=1), middle, 0.0)
        return cls(upper, middle)

    def quantiles(
        self, mean: NDArray[np.float64], doubt: NDArray[np.float64], scale: Scale
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Median and 95 % quantile around means (..., D)."""
        part = _part(mean, scale)
        deviation = np.sqrt(scale.variance(mean, doubt))
        count = scale.count
        if count > 0:
            # Of what is counted, quantiles are counts.
            high = mean + SKEW_UPPER * scale.unit + self.upper[part] * deviation
            high = count * np.floor(high / count + 0.5 + ROUNDING)
            median = count * np.floor((mean + SKEW_MIDDLE * scale.unit) / count + 0.5 + ROUNDING)
        else:
            high = mean + self.upper[part] * deviation
            median = mean + self.middle[part] * deviation
        median = np.maximum(median, 0.0)
        silent = scale.level <= 0
        if silent.any():
            median[..., silent] = 0.0
            high[..., silent] = 0.0
        return median, np.maximum(high, median)

    def corrected(
        self, demand: NDArray[np.float64], mean: NDArray[np.float64], doubt: NDArray[np.float64], scale: Scale
    ) -> Bands:
        """Bands after a day (n, D) came: wider where it was above them too often, narrower where too seldom."""
        part = _part(mean, scale).reshape(-1)
        score, _ = _scores(demand, mean, doubt, scale)
        above = score.reshape(-1) > self.upper[part] + ROUNDING
        cells = np.bincount(part, minlength=len(self.upper))
        missed = np.bincount(part, above, len(self.upper))
        share = missed / np.maximum(cells, 1)
        trust = cells / (cells + PRIOR_CELLS)
        # Thin counts are within any band more often than asked: they cannot ask for a narrower one.
        narrower = np.asarray((*EDGES, np.inf)) > 4.0 if scale.count > 0 else np.ones(len(self.upper), dtype=np.bool_)
        move = STEP * trust * (share - (1.0 - UPPER))
        return Bands(self.upper + np.where(narrower, move, np.maximum(move, 0.0)), self.middle)


def _part(mean: NDArray[np.float64], scale: Scale) -> NDArray[np.int64]:
    return np.asarray(np.searchsorted(EDGES, mean / scale.unit), dtype=np.int64)


def _scores(
    demand: NDArray[np.float64], mean: NDArray[np.float64], doubt: NDArray[np.float64], scale: Scale
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Least band that covers each cell, and whitened errors."""
    deviation = np.sqrt(scale.variance(mean, doubt))
    error = (demand - mean) / deviation
    if scale.count > 0:
        return (demand - mean - 0.5 * scale.count - SKEW_UPPER * scale.unit) / deviation, error
    return error, error
