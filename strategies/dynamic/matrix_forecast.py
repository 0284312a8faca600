"""What each pair is expected to send next, by a regression on its own last intervals that learns as it goes."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

# Intervals back that the forecast looks at: the newest, and multiples of an hour where an interval is five minutes, as
# machines send by the clock.
LAGS: Final = np.array([*range(1, 14), 24, 36])
# How much the newest matrix counts in the usual level, and in the usual size of a change.
USUAL_RATE: Final = 0.1
SIZE_RATE: Final = 0.02
# What is learnt fades to a half after so many matrices.
HALF_LIFE: Final = 288.0
# The last matrix is believed as if so many matrices had spoken for it.
PRIOR: Final = 20.0
# A change counts as no more than so many usual ones: a spike must not rule what is learnt.
CLIP: Final = 4.0
# Nothing is learnt before so many matrices have been seen.
SETTLE: Final = 12


class PairForecast:
    """Forecasts the next matrix, each pair by itself: a ridge regression with forgetting, in square roots of demand.

    Regressed is the change from the last matrix, on how far each earlier one was from the usual level. Until there is
    something learnt the forecast is the last matrix.

    Parameters
    ----------
    demand : float64 (D,)
        The first matrix.
    """

    def __init__(self, demand: NDArray[np.float64]) -> None:
        root = np.sqrt(demand)
        self._past = np.tile(root, (int(LAGS[-1]), 1))
        self._usual = root
        self._size = np.zeros(len(root))
        width = len(LAGS)
        self._moments = np.zeros((len(root), width, width))
        self._products = np.zeros((len(root), width))
        self._seen = 1
        self._change = np.zeros(len(root))
        self._expect()

    @property
    def demand(self) -> NDArray[np.float64]:
        """What is expected of the next matrix, (D,)."""
        return np.asarray(np.maximum(self._past[0] + self._change, 0.0) ** 2)

    def scale(self, factor: NDArray[np.float64]) -> None:
        """Take it that everything had always been so many times as much, (D,)."""
        root = np.sqrt(factor)
        self._past *= root
        self._usual = self._usual * root
        self._size = self._size * root
        self._change = self._change * root

    def miss(self, count: int) -> None:
        """Take so many matrices that were not measured for usual ones."""
        count = min(count, len(self._past))
        self._past = np.concatenate((np.tile(self._usual, (count, 1)), self._past[: len(self._past) - count]))
        self._expect()

    def learn(self, demand: NDArray[np.float64]) -> None:
        """Learn from the matrix (D,) that the forecast was made for, and make the next one."""
        change = np.sqrt(demand) - self._past[0]
        fade = 0.5 ** (1.0 / HALF_LIFE)
        y = _relative(change, self._size)
        self._moments *= fade
        self._moments += self._features[:, :, None] * self._features[:, None, :]
        self._products *= fade
        self._products += self._features * y[:, None]
        self._seen += 1
        self._size = self._size + max(1.0 / (self._seen - 1), SIZE_RATE) * (np.abs(change) - self._size)
        self.follow(demand)

    def follow(self, demand: NDArray[np.float64]) -> None:
        """Go on from a matrix (D,) without learning from it."""
        root = np.sqrt(demand)
        self._past = np.concatenate((root[None], self._past[:-1]))
        self._usual = self._usual + USUAL_RATE * (root - self._usual)
        self._expect()

    def _expect(self) -> None:
        size = self._size
        self._features = _relative((self._past[LAGS - 1] - self._usual).T, size[:, None])
        if self._seen <= SETTLE:
            self._change = np.zeros(len(size))
            return
        ridge = self._moments + PRIOR * np.eye(len(LAGS))
        weights = np.linalg.solve(ridge, self._products[:, :, None])[:, :, 0]
        self._change = (weights * self._features).sum(axis=1) * size


def _relative(change: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return changes in usual ones, within limits; 0 where none was ever seen."""
    ratio = np.divide(change, size, out=np.zeros(change.shape), where=size > 0)
    return np.asarray(np.clip(ratio, -CLIP, CLIP))
