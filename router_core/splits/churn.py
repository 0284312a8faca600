"""The best split within a limit of churn: a fee for moving traffic is raised until no more moves than may."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

TRIALS_MAX: Final = 40


@dataclass(frozen=True, eq=False)
class Swept:
    """What a descent reached.

    Attributes
    ----------
    shares : float64 (P,)
        Of the open paths.
    value, bound : float
        What these shares cost without fees, and what value + fees no shares go below.
    sweeps : int
    """

    shares: NDArray[np.float64]
    value: float
    bound: float
    sweeps: int


# From where, at which fee for moving all traffic, in how many sweeps at most.
Descent = Callable[[NDArray[np.float64], float, int | None], Swept]


def within_churn(
    descent: Descent,
    begin: NDArray[np.float64],
    held: NDArray[np.float64],
    weight: NDArray[np.float64],
    churn_max: float,
    gap: float,
) -> Swept:
    """Return the best shares found from which no more than `churn_max` of the traffic has left `held`.

    A fee whose best answer moves too much and one whose best answer moves little enough close in on the right one,
    each time at the fee that is indifferent between the two (cutting planes of the Lagrangian dual, which is concave
    in the fee). Values are convex, so mixing the two answers is no worse than their values mixed.

    Parameters
    ----------
    descent : callable
    begin, held : float64 (P,)
        Where to begin, and what churn is counted from.
    weight : float64 (P,)
        Traffic of each path's pair as a share of all.
    churn_max, gap : float
    """

    def churn(shares: NDArray[np.float64]) -> float:
        return float(weight @ np.maximum(held - shares, 0.0))

    free = descent(begin, 0.0, None)
    if churn(free.shares) <= churn_max:
        return free
    best = descent(begin, 0.0, 0)
    few, many, sweeps = best, free, free.sweeps
    bound = free.bound
    for _ in range(TRIALS_MAX):
        moved = churn(many.shares), churn(few.shares)
        # Mix what moves too much with what moves little enough, right up to the limit.
        part = (churn_max - moved[1]) / (moved[0] - moved[1])
        mixed = descent(few.shares + part * (many.shares - few.shares), 0.0, 0)
        best = min(best, few, mixed, key=lambda swept: swept.value)
        if best.value - bound <= gap * best.value:
            break
        fee = (few.value - many.value) / (moved[0] - moved[1])
        if fee <= 0:
            break
        found = descent(mixed.shares, fee, None)
        sweeps += found.sweeps
        bound = max(bound, found.bound - fee * churn_max)
        reached = churn(found.shares)
        if reached > churn_max:
            if reached >= moved[0]:
                break
            many = found
        elif few.value <= found.value:
            break
        else:
            few = found
    # Rounding in the mixture may leave a hair too much.
    assert churn(best.shares) <= churn_max + 1e-9
    return Swept(best.shares, best.value, min(bound, best.value), sweeps)
