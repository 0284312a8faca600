"""Probing as it is plainly done: every pair looks for itself at its paths' last delays, and moves to the best."""

from __future__ import annotations

import numpy as np

from strategies.matrix_brain import (
    MatrixSetting,
    ParticlesReturned,
    ProbeCommand,
    ProbeEvent,
    SendOver,
    SetShares,
)
from strategies.steady_splits import preferred

PARTICLE_BYTES = 1_500


class GreedyProbing:
    """Probes every path in every round; a part of each pair's flow moves to its path of least delay.

    Parameters
    ----------
    setting : MatrixSetting
    part : float
        1: all pairs jump. HULA and CONGA move new flowlets so; 0.1 is a cautious choice.
    """

    def __init__(self, setting: MatrixSetting, part: float) -> None:
        self.name = f"greedy-{part:g}"
        self._paths = setting.paths
        self._part = part
        self._shares = preferred(setting)

    def probe(self, event: ProbeEvent) -> list[ProbeCommand]:
        """Move by what came back, and probe again."""
        paths = self._paths
        if not isinstance(event, ParticlesReturned):
            return [SetShares(paths, self._shares), SendOver(np.arange(paths.path_count), PARTICLE_BYTES)]
        delay = np.full(paths.path_count, np.inf)
        delay[event.path] = np.where(np.isnan(event.delay_s), np.inf, event.delay_s)
        order = np.lexsort((delay, paths.path_pair))
        _, first = np.unique(paths.path_pair[order], return_index=True)
        best = order[first]
        target = np.zeros(paths.path_count)
        target[best] = 1.0
        known = np.isfinite(delay[best])
        moves = np.zeros(paths.pair_count, dtype=bool)
        moves[paths.path_pair[best]] = known
        step = self._part * moves[paths.path_pair]
        self._shares = self._shares + step * (target - self._shares)
        return []
