"""Servers from the clouds' pools by the load of the moment: at once when needed, back after a while of rest."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from router_core.lending import Lending
from strategies.static.borrowing import borrowed


class Capacity:
    """Says how many servers every node should have.

    A node gets what brings its station down to the target, and no less than the plan gives it; where a pool is too
    small, one server after the other goes to the busiest station of the pool, whoever owns it: that is what is fair
    between units. Servers are given back once none of the last steps of the cool-down has asked for them.

    Parameters
    ----------
    lending : Lending
    own_servers : int (S,)
        Own servers of every station.
    target : float
        Utilisation that should not be exceeded, > 0.
    cool_down_ns : int
    """

    def __init__(self, lending: Lending, own_servers: NDArray[np.integer], target: float, cool_down_ns: int) -> None:
        self._lending = lending
        self._own = own_servers
        self._target = target
        self._cool_down_ns = cool_down_ns
        self._asked: deque[tuple[int, NDArray[np.float64]]] = deque()
        self.servers: NDArray[np.int32] = np.zeros(len(lending.node), dtype=np.int32)

    def step(self, now_ns: int, work: NDArray[np.float64], planned: NDArray[np.int32]) -> NDArray[np.int64]:
        """Decide anew, and return which nodes, as rows of the lending, are to have another number.

        Parameters
        ----------
        now_ns : int
        work : float64 (S,)
            Server time that is asked of every station [s/s], backlogs included.
        planned : int32 (B,)
            What the plan gives.
        """
        station = self._lending.station
        # What the plan gives is as good as asked for: it comes from work that was foreseen.
        foreseen = np.where(planned > 0, (self._own[station] + planned) * self._target, 0.0)
        asked = np.maximum(work[station], foreseen)
        while self._asked and self._asked[0][0] <= now_ns - self._cool_down_ns:
            self._asked.popleft()
        self._asked.append((now_ns, asked))
        most = np.max([past for _, past in self._asked], axis=0)
        wanted = np.zeros(len(self._own))
        wanted[station] = most
        servers = borrowed(self._lending, self._own, wanted, self._target)
        changed = np.flatnonzero(servers != self.servers)
        self.servers = servers
        return changed

    def left(self) -> NDArray[np.int64]:
        """Servers that each pool has left, (pools,)."""
        given = np.bincount(self._lending.pool, self.servers, len(self._lending.budget)).astype(np.int64)
        return np.asarray(self._lending.budget - given)
