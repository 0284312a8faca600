"""Whether all the demand of a node has jumped, and what is expected once it has: the surges of a series of matrices.

A node's *jump* is the weighted median of its pairs' ratios of measured to expected demand, so it takes more than half
of what the node sends, or receives, to move alike. A spike of one pair moves a node's total, and not its jump.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

# The least factor that is a jump, and how many times a node's usual error its logarithm must be. Tides of an interval
# stay far below.
FACTOR_MIN: Final = 2.0
SIGMAS: Final = 5.0
# How much the newest error counts in a node's usual one.
SCALE_RATE: Final = 0.05
# Mean absolute value to standard deviation of a normal error.
SIGMA_OF_MEAN: Final = 1.2533
# Of rows and columns in turn; the few that jump at once settle in two or three.
ROUNDS: Final = 8


@dataclass(frozen=True)
class NodeJump:
    """A surge found, or its end.

    Attributes
    ----------
    begin_ns, found_ns : int
        When the interval began in which it was seen, and when that was known [ns].
    node : int
    sends : bool
        Whether it is what the node sends that jumped, or what it receives.
    factor : float
        By which most of the node's demand differs from what was expected, > 0; below 1 where it fell.
    """

    begin_ns: int
    found_ns: int
    node: int
    sends: bool
    factor: float


class NodeSides:
    """What each node sends and what it receives, as 2 N *sides*: first those that send, then those that receive.

    Parameters
    ----------
    source, target : int (D,)
        Of each pair.
    count : int
        N.
    """

    def __init__(self, source: NDArray[np.integer], target: NDArray[np.integer], count: int) -> None:
        self.count = count
        self._side = np.concatenate((source, target + count)).astype(np.int64)
        self._pair = np.tile(np.arange(len(source)), 2)
        self._usual = np.zeros(2 * count)
        self._seen = 0

    def total(self, demand: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the demand of each side, (2 N,)."""
        return np.asarray(np.bincount(self._side, demand[self._pair], 2 * self.count), dtype=np.float64)

    def shift(self, error: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the median of each side's errors (D,), weighted by expected demand (D,); 0 where none was expected."""
        order = np.lexsort((error[self._pair], self._side))
        side, pair = self._side[order], self._pair[order]
        below = np.cumsum(expected[pair])
        total = np.bincount(side, expected[pair], 2 * self.count)
        begin = np.cumsum(total) - total
        # The first pair of each side at which half of what it was expected to carry is reached.
        reached = (below - begin[side] >= 0.5 * total[side] * (1 - 1e-9)) & (total[side] > 0)
        found, first = np.unique(side[reached], return_index=True)
        result = np.zeros(2 * self.count)
        result[found] = error[pair[reached][first]]
        return result

    def jumped(self, shift: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which shifts, (2 N,), are jumps by the usual size of the earlier ones."""
        sigma = SIGMA_OF_MEAN * self._usual
        return np.asarray(np.abs(shift) > np.maximum(np.log(FACTOR_MIN), SIGMAS * sigma))

    def learn(self, shift: NDArray[np.float64], jumped: NDArray[np.bool_]) -> None:
        """Take the shifts that are no jumps, (2 N,), into the usual ones."""
        self._seen += 1
        rate = max(SCALE_RATE, 1.0 / self._seen)
        self._usual = np.where(jumped, self._usual, self._usual + rate * (np.abs(shift) - self._usual))

    def carried(
        self, demand: NDArray[np.float64], chosen: NDArray[np.bool_], total: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return demand (D,) scaled by node until the chosen sides have these totals (2 N,), other pairs as they were.

        Iterative proportional fitting of rows and columns (Deming and Stephan, Annals of Mathematical Statistics 11,
        1940), of the chosen ones only.
        """
        result = demand.copy()
        half = np.arange(2 * self.count) < self.count
        for _ in range(ROUNDS):
            for part in (half, ~half):
                now = self.total(result)
                factor = np.ones(2 * self.count)
                np.divide(total, now, out=factor, where=chosen & part & (now > 0))
                sends, receives = np.split(factor[self._side], 2)
                result *= sends * receives
        return result
