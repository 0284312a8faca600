"""What a tide model says of steps to come: quantiles of every series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.time_grid import TimeGrid


@dataclass(frozen=True, eq=False)
class Forecast:
    """Quantiles of D series over the T steps of a grid, in the unit of the history.

    Attributes
    ----------
    grid : TimeGrid
    p50, p95, mean : float64 (T, D)
        Median, 95 % quantile and mean; finite, ``0 <= p50 <= p95``, ``mean >= 0``.
    provisional : bool (T,)
        Steps of years whose official holidays are not published.
    """

    grid: TimeGrid
    p50: NDArray[np.float64]
    p95: NDArray[np.float64]
    mean: NDArray[np.float64]
    provisional: NDArray[np.bool_]
