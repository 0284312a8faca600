"""From the delays of particles to the utilisation of every station: the cost of load, turned round, robustly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from router_core.delay_cost import DelayCost

STEPS_MAX: Final = 25
# Utilisations closer than that are the same [share].
CLOSE: Final = 1e-4
# Particles further off than so many standard deviations count as if they were so far off (Huber).
HUBER: Final = 2.5
# Where the slope of the delay is taken at least [share]: at 0 it is a quotient of zeros.
SLOPE_FROM: Final = 1e-4
# The noise of particles is learnt: how fast, and what it is never thought to be below.
NOISE_RATE: Final = 0.2
NOISE_MIN: Final = 0.01
# Delays so many times as far off as usual are no noise: what was expected is believed so much less (variance), again
# and again, until they fit. A network that wakes from silence is far from anything that was expected.
SURPRISE: Final = 3.0
LESS_SURE: Final = 100.0
LESS_SURE_MAX: Final = 1e10
# Of the median of absolute values to the standard deviation, for a normal distribution.
MAD: Final = 1.4826


@dataclass(frozen=True, eq=False)
class ProbedLoads:
    """What a round of particles says of the stations.

    Attributes
    ----------
    utilisation : float64 (S,)
        The most likely one, >= 0.
    precision : float64 (S, S)
        Inverse of its covariance, of what was expected and of what was measured together.
    """

    utilisation: NDArray[np.float64]
    precision: NDArray[np.float64]


class DelayReader:
    """Reads utilisations out of path delays.

    A path's delay is the sum of its stations' stays, and a stay is a known, increasing function of the load. The most
    likely utilisations are found by Gauss and Newton's steps, with Huber's weights (Ann. Math. Statist. 35, 1964), from
    what was expected and how sure that was: stations that no particle visits move with those that they go with.

    Parameters
    ----------
    passes : csr_array (P, S)
        1 where a path passes a station.
    cost : DelayCost
        Of the S stations.
    """

    def __init__(self, passes: sparse.csr_array, cost: DelayCost) -> None:
        self._passes = passes
        self._cost = cost
        self.noise = 0.05

    def read(
        self,
        path: NDArray[np.int64],
        delay_s: NDArray[np.float64],
        expected: NDArray[np.float64],
        sureness: NDArray[np.float64],
    ) -> ProbedLoads:
        """Return what these particles say, and learn how noisy they are.

        Parameters
        ----------
        path : int64 (n,)
            Of the particles that came, n >= 1.
        delay_s : float64 (n,)
            > 0 [s].
        expected : float64 (S,)
            Utilisation before they came.
        sureness : float64 (S, S)
            Inverse of its covariance.
        """
        factor = 1.0
        # Few rows, and all of them are multiplied with each other: dense is several times faster.
        passes = self._passes[path].toarray()
        while True:
            read, off = self._fitted(passes, delay_s, expected, sureness / factor)
            if off <= SURPRISE * self.noise or factor >= LESS_SURE_MAX:
                break
            factor *= LESS_SURE
        self.noise = max(NOISE_MIN, (1 - NOISE_RATE) * self.noise + NOISE_RATE * off)
        return read

    def _fitted(
        self,
        passes: NDArray[np.float64],
        delay_s: NDArray[np.float64],
        expected: NDArray[np.float64],
        sureness: NDArray[np.float64],
    ) -> tuple[ProbedLoads, float]:
        """Return the most likely loads, and how far off delays are from them, relatively and usually."""
        used = np.maximum(expected, 0.0)
        for _ in range(STEPS_MAX):
            stay, slope = self._stay_s(used)
            told = passes @ stay
            off = delay_s - told
            sigma = self.noise * told
            weight = np.minimum(1.0, HUBER * sigma / np.maximum(np.abs(off), 1e-300)) / sigma**2
            precision = (passes.T @ (passes * weight[:, None])) * np.outer(slope, slope) + sureness
            downhill = slope * (passes.T @ (weight * off)) - sureness @ (used - expected)
            moved = used + np.linalg.solve(precision, downhill)
            # The delay is far from straight: no step leaves the neighbourhood.
            moved = np.clip(moved, 0.5 * used - 0.01, 1.5 * used + 0.1).clip(min=0.0)
            done = np.abs(moved - used).max(initial=0.0) < CLOSE
            used = moved
            if done:
                break
        return ProbedLoads(used, precision), MAD * float(np.median(np.abs(off) / told))

    def _stay_s(self, utilisation: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the stay at each station [s] and its slope by utilisation, (S,) each."""
        used = np.maximum(utilisation, SLOPE_FROM)
        number, rise, _ = self._cost.terms(used)
        each = self._cost.service_s / self._cost.servers / used
        return number * each, (rise - number / used) * each
