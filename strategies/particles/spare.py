"""How busy a station is, told by its wait alone: the formula of queues read backwards."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.delay_cost import BEND, delay_cost
from router_core.network import Network
from strategies.particles.estimator_setting import EstimatorSetting

GRID: Final = np.concatenate((np.linspace(0.0, BEND, 96), np.linspace(BEND, 0.999, 32)[1:]))


class SpareRate:
    """Turns waits and stretched times a byte into utilisations.

    Parameters
    ----------
    network : Network
    setting : EstimatorSetting
    """

    def __init__(self, network: Network, setting: EstimatorSetting) -> None:
        cost = delay_cost(network, setting.usual_bytes, setting.squared_variation)
        self._queue_ns = cost.queue * cost.service_s / cost.servers * 1e9
        self._ns_per_byte = network.station_ps_per_byte / 1_000
        self._power, self._kind = np.unique(cost.power, return_inverse=True)

    def utilisation(self, wait_ns: NDArray[np.float64], more_ns_per_byte: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return everybody's load, 0..1, (S,): what others take of a line, and of the rest what its queue tells."""
        waits = np.divide(wait_ns, self._queue_ns, out=np.zeros_like(wait_ns), where=self._queue_ns > 0)
        used = np.empty_like(waits)
        for kind, power in enumerate(self._power.tolist()):
            rows = self._kind == kind
            used[rows] = np.interp(waits[rows], GRID ** (power - 1) / (1 - GRID), GRID)
        whole = self._ns_per_byte + more_ns_per_byte
        others = np.divide(more_ns_per_byte, whole, out=np.zeros_like(whole), where=whole > 0)
        return np.asarray(others + (1 - others) * used)
