"""Who is cut off: pairs that no way joins any more, whatever a brain does."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import breadth_first_order

from router_core.network import Network
from router_core.routing_graph import ARRIVED, READY_PROCESSED, STATES, RoutingGraph, routing_graph

_CHUNK = 65_536


class Reach:
    """Which pairs of endpoints have a lawful way when stations are down.

    A way leads from the source over one of its homes, is processed at one centre, and comes to the target over one of
    its homes (`router_core.routing_graph`); all its stations are up.

    Parameters
    ----------
    network : Network
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._graph: RoutingGraph = routing_graph(network)
        self._homes = sorted({home for homes in network.homes.values() for home in homes})
        self._place = {home: place for place, home in enumerate(self._homes)}

    def cut(self, source: NDArray[np.int32], target: NDArray[np.int32], down: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which of n pairs of endpoints have no way, bool (n,).

        Parameters
        ----------
        source, target : int32 (n,)
            Endpoints.
        down : bool (S,)
        """
        joined = self._joined(down).astype(np.float32)
        leave, enter = self._ends(down)
        result = np.ones(len(source), dtype=np.bool_)
        for begin in range(0, len(source), _CHUNK):
            rows = slice(begin, begin + _CHUNK)
            reached = leave[source[rows]] @ joined
            result[rows] = ~((reached > 0) & (enter[target[rows]] > 0)).any(axis=1)
        return result

    def _joined(self, down: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether a way leads from one home, entered unprocessed, to another, left processed, bool (H, H)."""
        graph = self._graph
        alive = ~down[graph.arc_station]
        size = graph.state_count
        ones = np.ones(int(alive.sum()), dtype=np.int8)
        arcs = sp.csr_matrix((ones, (graph.arc_tail[alive], graph.arc_head[alive])), shape=(size, size))
        ends = np.array(self._homes, dtype=np.int64) * STATES + READY_PROCESSED
        joined = np.zeros((len(ends), len(ends)), dtype=np.bool_)
        for place, home in enumerate(self._homes):
            seen = np.zeros(size, dtype=np.bool_)
            seen[breadth_first_order(arcs, home * STATES + ARRIVED, return_predecessors=False)] = True
            joined[place] = seen[ends]
        return joined

    def _ends(self, down: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Whether each node can send to each home, and receive from it, (N, H)."""
        network = self._network
        leave: NDArray[np.float32] = np.zeros((network.node_count, len(self._homes)), dtype=np.float32)
        enter = np.zeros_like(leave)
        for node, homes in network.homes.items():
            if down[network.node_station[node]]:
                continue
            for home in homes:
                out, back = (network.access_station.get(ends, -1) for ends in ((node, home), (home, node)))
                leave[node, self._place[home]] = out >= 0 and not down[out]
                enter[node, self._place[home]] = back >= 0 and not down[back]
        return leave, enter


@lru_cache(maxsize=2)
def reach_of(network: Network) -> Reach:
    """Return the reach of a network, made once a process."""
    return Reach(network)
