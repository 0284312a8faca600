"""Which stations lose what passes them, from particles that did not come."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from strategies.particles import tomography_kernels as kernels
from strategies.particles.estimator_setting import EstimatorSetting
from strategies.particles.particle_log import NOT_COME
from strategies.particles.window import Window

ROUNDS: Final = 2
ROUNDS_FIRST: Final = 20


class LossEstimate:
    """Shares blame for lost particles among their stations; it goes on from what it last found.

    Parameters
    ----------
    stations : int
    setting : EstimatorSetting
    """

    def __init__(self, stations: int, setting: EstimatorSetting) -> None:
        self._setting = setting
        self.value = np.full(stations, setting.loss)
        self._learnt = False

    def late(self, window: Window, expected_ns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability that a particle which has not come is late rather than lost, (R,); 0 for others.

        Times under way have an exponential tail: it is late for so long with ``exp(-bound / expected)``.
        """
        result = np.zeros(len(window.size))
        rows = np.flatnonzero(window.delay_ns == NOT_COME)
        lost = np.empty(len(rows))
        kernels.lost_on_route(window.start, window.station, self.value, rows, lost)
        slow = np.exp(-window.bound_ns[rows] / np.maximum(expected_ns[rows], 1.0))
        result[rows] = slow / (slow + lost)
        return result

    def learn(self, window: Window, lost: NDArray[np.float64]) -> None:
        """Go on with the estimate; `lost` (R,) is the probability of each particle to be lost."""
        setting = self._setting
        kernels.blame(
            window.start,
            window.station,
            np.where((window.delay_ns == NOT_COME) & (lost == 0), 0.0, window.share),
            window.share * lost,
            setting.loss,
            setting.loss_visits,
            ROUNDS if self._learnt else ROUNDS_FIRST,
            self.value,
        )
        self._learnt = self._learnt or len(window.size) > 0
