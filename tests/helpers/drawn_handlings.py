"""Handlings for tests: pure functions of a task's row in the trace, drawn from a seed."""

from __future__ import annotations

import numpy as np

from router_core.exchanges import Exchanges
from router_core.vocabulary import PRIORITY_MAX
from strategies.brain import Handled


class DrawnHandling:
    """Holds some tasks for a few steps of a grid, so that many are released at one instant, and gives them a class."""

    def __init__(self, seed: int, *, grid_ns: int, steps_max: int = 12, share: float = 0.5) -> None:
        rng = np.random.default_rng(seed)
        held = rng.random(10_000) < share
        self._hold_ns = np.where(held, rng.integers(0, steps_max + 1, 10_000) * grid_ns, 0)
        self._priority = rng.integers(0, PRIORITY_MAX + 1, 10_000).astype(np.int8)

    def handle(self, tasks: Exchanges, first_id: int) -> Handled:
        rows = (first_id + np.arange(len(tasks))) % 10_000
        return Handled(self._hold_ns[rows], self._priority[rows])


class AsItCame:
    """Holds nothing and leaves the class: what no handling does."""

    def handle(self, tasks: Exchanges, first_id: int) -> Handled:
        return Handled(np.zeros(len(tasks), np.int64), tasks.priority)


class HoldAll:
    """Holds every task for the same time, in its class."""

    def __init__(self, hold_ns: int) -> None:
        self._hold_ns = hold_ns

    def handle(self, tasks: Exchanges, first_id: int) -> Handled:
        return Handled(np.full(len(tasks), self._hold_ns, np.int64), tasks.priority)
