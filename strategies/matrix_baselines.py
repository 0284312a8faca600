"""Brains over matrices that need no forecast: without load, with the last interval's, and with the one to come."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.paths.k_shortest import k_shortest
from router_core.paths.path_set import PathSet
from strategies.matrix_brain import (
    IntervalStarted,
    MatrixCommand,
    MatrixEvent,
    MatrixObserved,
    MatrixSetting,
    SetShares,
)
from strategies.steady_splits import SteadySplits, preferred

# Of equal cost, that a pair spreads over at most: what routers of the field are set to.
EQUAL_PATHS_MAX: Final = 8


class FixedBrain:
    """Sets its shares at the first interval and never changes them.

    Parameters
    ----------
    name : str
    shares : SetShares
    """

    def __init__(self, name: str, shares: SetShares) -> None:
        self.name = name
        self._commands: list[MatrixCommand] = [shares]

    def handle(self, event: MatrixEvent) -> list[MatrixCommand]:
        """Return the shares once, at the first interval."""
        if isinstance(event, IntervalStarted):
            commands, self._commands = self._commands, []
            return commands
        return []


class ReactiveBrain:
    """Routes every interval as would have been best in the last one that was observed.

    Before any observation each pair takes its most preferred path.

    Parameters
    ----------
    setting : MatrixSetting
    """

    name = "reactive"

    def __init__(self, setting: MatrixSetting) -> None:
        self._splits = SteadySplits(setting)
        self._unused: NDArray[np.float64] | None = None
        self._first: list[MatrixCommand] = [SetShares(setting.paths, preferred(setting))]

    def handle(self, event: MatrixEvent) -> list[MatrixCommand]:
        """Keep what is observed; solve it when an interval begins."""
        if isinstance(event, MatrixObserved):
            self._unused = event.demand
            return []
        if self._unused is None:
            commands, self._first = self._first, []
            return commands
        demand, self._unused, self._first = self._unused, None, []
        return [self._splits.for_matrix(demand)]


class ClairvoyantSplits:
    """Routes every interval as is best for its own matrix over the paths there are: no brain can do better on them.

    Parameters
    ----------
    setting : MatrixSetting
    """

    name = "clairvoyant"

    def __init__(self, setting: MatrixSetting) -> None:
        self._splits = SteadySplits(setting)

    def foresee(self, demand: NDArray[np.float64]) -> SetShares:
        """Return the shares of least peak utilisation under this demand."""
        return self._splits.for_matrix(demand)


def shortest_path(setting: MatrixSetting) -> FixedBrain:
    """Everything between two ends takes one cheapest path."""
    single = k_shortest(setting.paths.space, 1, setting.paths.source, setting.paths.target)
    return FixedBrain("shortest-path", SetShares(single, np.ones(single.path_count)))


def ecmp(setting: MatrixSetting) -> FixedBrain:
    """Demand spreads evenly over a pair's cheapest paths of equal cost."""
    several = k_shortest(setting.paths.space, EQUAL_PATHS_MAX, setting.paths.source, setting.paths.target)
    return FixedBrain("ecmp", SetShares(several, equal_shares(several)))


def equal_shares(paths: PathSet) -> NDArray[np.float64]:
    """Return even shares (P,) over the paths of each pair that cost as little as its cheapest."""
    least = np.full(paths.pair_count, np.iinfo(np.int64).max)
    np.minimum.at(least, paths.path_pair, paths.path_cost)
    cheapest = paths.path_cost == least[paths.path_pair]
    of_pair = np.bincount(paths.path_pair, cheapest, paths.pair_count)
    return np.asarray(cheapest / of_pair[paths.path_pair])
