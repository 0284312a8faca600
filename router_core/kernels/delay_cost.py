"""What stations cost in delay: the mean number in each by its utilisation, with both derivatives.

    value(u) = linear * u + queue * u**power / (1 - u)    for u <= bend < 1
    beyond: the parabola that touches it at `bend` with the same slope and curvature

A kernel that minimises the sum of it belongs into this file: numba's cache would not notice a change here otherwise.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def delay_terms(  # type: ignore[no-untyped-def]
    u: float, linear: float, queue: float, power: float, bend: float
):
    """Return (value, slope, curvature) of one station at utilisation `u` >= 0; `power` >= 2, 0 < `bend` < 1."""
    at = min(u, bend)
    low = at ** (power - 2.0)
    left = 1.0 / (1.0 - at)
    # u**power / (1 - u) and its derivatives share their factors, so one power is enough.
    wait = queue * low * left
    value = linear * at + wait * at * at
    slope = linear + wait * at * (power + at * left)
    curvature = wait * (power * (power - 1.0) + 2.0 * at * left * (power + at * left))
    over = u - at
    if over > 0.0:
        value += over * (slope + 0.5 * over * curvature)
        slope += over * curvature
    return value, slope, curvature


@njit(cache=True)
def station_delays(
    u: NDArray[np.float64],
    linear: NDArray[np.float64],
    queue: NDArray[np.float64],
    power: NDArray[np.float64],
    bend: NDArray[np.float64],
    value: NDArray[np.float64],
    slope: NDArray[np.float64],
    curvature: NDArray[np.float64],
) -> None:
    """Fill `value`, `slope` and `curvature` (S,) of every station at utilisations `u` (S,)."""
    for station in range(len(u)):
        value[station], slope[station], curvature[station] = delay_terms(
            u[station], linear[station], queue[station], power[station], bend[station]
        )
