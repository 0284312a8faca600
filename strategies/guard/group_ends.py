"""From an endpoint to where its group's ways begin, and back: what paths between groups leave out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from router_core.network import Network


class GroupEnds:
    """The stations at one end of a way that every endpoint has for itself.

    These are its own station and, where it has one home, the line to it: with several, the line is on the paths.

    Parameters
    ----------
    network : Network
    outward : bool
        Lines to the home, or those back from it.
    """

    def __init__(self, network: Network, *, outward: bool) -> None:
        node = network.endpoints
        group = network.node_group[node]
        order = np.argsort(group, kind="stable")
        self._group = group[order]
        self._start = np.searchsorted(self._group, np.arange(len(network.groups)))
        self._count = np.diff(np.append(self._start, len(order)))
        self._own = network.node_station[node[order]]
        lines = []
        for end in node[order].tolist():
            home = network.homes[end]
            lines.append(
                network.access_station[(end, home[0]) if outward else (home[0], end)] if len(home) == 1 else -1
            )
        self._line = np.array(lines, dtype=np.int32)

    def worst(self, figures: NDArray[np.float64], deviations: float) -> NDArray[np.float64]:
        """Return what these stations take by the figures (S, 4) of `pair_delays`, in the columns of its result, (G, 4).

        The first column is the mean over the group's endpoints; the others are those of its slowest one.
        """
        own = figures[self._own]
        line = np.where((self._line >= 0)[:, None], figures[np.maximum(self._line, 0)], 0.0)
        both = own + line
        result = np.empty_like(both)
        result[:, 0] = both[:, 0] + both[:, 1]
        result[:, 1] = result[:, 0] + deviations * np.hypot(own[:, 2], line[:, 2])
        result[:, 2] = both[:, 3]
        result[:, 3] = np.maximum(own[:, 3], line[:, 3])
        if not len(own):
            return result
        most = np.maximum.reduceat(result, self._start)
        most[:, 0] = np.add.reduceat(result[:, 0], self._start) / self._count
        return np.asarray(most)

    def slowest(self, delay: NDArray[np.float64]) -> NDArray[np.int32]:
        """Return the station of each group with the greatest of these delays (S,), int32 (G,)."""
        line = np.maximum(self._line, 0)
        of_line = np.where(self._line >= 0, delay[line], -1.0)
        station = np.where(of_line > delay[self._own], line, self._own)
        order = np.lexsort((-delay[station], self._group))
        return np.asarray(station[order][self._start], dtype=np.int32)
