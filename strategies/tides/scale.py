"""How demand varies around its mean: the unit it comes in, its variance by mean, and whether it is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from strategies.tides.days import DayTable
from strategies.tides.kernels import add_differences

# A series' own variance counts as if this part of a usual series' data spoke for the usual one.
USUAL_PART: Final = 0.1
# Demand is counted in a unit if everything is a multiple of it to this part.
WHOLE: Final = 1e-9
# Means below this part of a unit vary no less than it.
THIN: Final = 0.01
# Relative errors are taken against no less than this part of a series' mean: near nothing they explode.
FLOOR: Final = 0.1
USUAL_SPREAD: Final = 0.25


@dataclass(frozen=True, eq=False)
class Scale:
    """Variance of D series around a mean m: ``unit * m + spread**2 * max(m, FLOOR * level)**2``.

    Attributes
    ----------
    unit : float64 (D,)
        Variance by mean of thin cells, > 0: 1 for exchanges that come alone, the size of a lump for bytes.
    spread : float64 (D,)
        Standard deviation of thick cells, relative to their mean.
    level : float64 (D,)
        Mean of a step.
    count : float
        What everything is a multiple of; 0 if demand is not counted.
    """

    unit: NDArray[np.float64]
    spread: NDArray[np.float64]
    level: NDArray[np.float64]
    count: float

    def variance(self, mean: NDArray[np.float64], doubt: NDArray[np.float64]) -> NDArray[np.float64]:
        """Variance of demand around a mean (..., D) that is itself in doubt, by its relative variance."""
        return np.asarray(
            self.unit * np.maximum(mean, THIN * self.unit)
            + (self.spread * np.maximum(mean, FLOOR * self.level)) ** 2
            + doubt * mean**2
        )


def unit_of(table: DayTable) -> NDArray[np.float64]:
    """Variance by mean of each series, from differences between one day and the next of its context, (D,) > 0.

    With a single day, from differences between one step and the next.
    """
    series = table.demand.shape[2]
    top, bottom = np.zeros(series), np.zeros(series)
    add_differences(table.demand, table.known, table.almanac.contexts(), top, bottom)
    if not bottom.any():
        flat = table.demand.reshape(table.known.size, 1, series)
        add_differences(flat, table.known.reshape(-1, 1), np.zeros(len(flat), dtype=np.int64), top, bottom)
    active = bottom > 0
    if not active.any():
        return np.ones(series)
    usual = float(np.median(top[active] / bottom[active]))
    if usual <= 0:
        usual = float(top.sum() / bottom.sum())
    if usual <= 0:  # a history without any change: far less than anything that is exchanged
        usual = float(1e-3 * bottom.sum() / np.count_nonzero(table.demand))
    weight = USUAL_PART * float(np.median(bottom[active]))
    return np.asarray((top + usual * weight) / (bottom + weight))


def count_of(table: DayTable) -> float:
    """What all demand is a multiple of, if that is the least demand there is; 0 otherwise."""
    some = table.demand[table.demand > 0]
    if len(some) == 0:
        return 0.0
    least = float(some.min())
    times = some / least
    return least if bool((np.abs(times - np.round(times)) <= WHOLE * times).all()) else 0.0


def spread_of(
    error: NDArray[np.float64], mean: NDArray[np.float64], unit: NDArray[np.float64], level: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Relative standard deviation that errors (n, D) have beyond what comes of units, by series; thin ones borrow."""
    top = (error**2 - unit * mean).sum(axis=0)
    bottom = (np.maximum(mean, FLOOR * level) ** 2).sum(axis=0)
    active = bottom > 0
    if not active.any():
        return np.zeros(error.shape[1])
    usual = float(np.median(np.maximum(top[active] / bottom[active], 0.0)))
    weight = USUAL_SPREAD * float(np.median(bottom[active]))
    return np.asarray(np.sqrt(np.maximum(top + usual * weight, 0.0) / (bottom + weight)))
