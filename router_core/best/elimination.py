"""In which order to eliminate the nodes of a network, so that little is filled in."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.network import frozen


@dataclass(frozen=True, eq=False)
class Elimination:
    """An order of elimination of n nodes and what it joins; depends on who neighbours whom, not on any cost.

    Attributes
    ----------
    node : int32 (n,)
        Node of each rank; rank 0 is eliminated first.
    rank : int32 (n,)
        Rank of each node.
    up_start : int32 (n + 1,)
    up : int32 (F,)
        Ranks above r that are joined with one another when r goes: ``up[up_start[r]:up_start[r + 1]]``, ascending. The
        lowest of them is r's parent: all of them are among r's ancestors.
    """

    node: NDArray[np.int32]
    rank: NDArray[np.int32]
    up_start: NDArray[np.int32]
    up: NDArray[np.int32]

    def row_operations(self) -> NDArray[np.int32]:
        """Row and pivot (ranks) of the operations that solve all pairs, (2 F, 2).

        A row that takes the pivot's ways over its own to the pivot: upwards, each rank leads those above it that it
        joins; then downwards, each rank is led by them.
        """
        low = np.repeat(np.arange(len(self.node)), np.diff(self.up_start))
        upwards = np.stack((self.up, low), axis=1)
        downwards = np.stack((low, self.up), axis=1)[np.argsort(-low, kind="stable")]
        return frozen(np.concatenate((upwards, downwards)), np.int32)


def least_degree(count: int, joined: Iterable[tuple[int, int]]) -> Elimination:
    """Eliminate a node with the fewest neighbours left each time, of several the first.

    The greedy order of sparse factorisation (Markowitz; George and Liu, "The evolution of the minimum degree ordering
    algorithm", SIAM Review 31 (1989)). Rows and pieces of networks cost what they are, meshes what a dense solver does.
    """
    around: list[set[int]] = [set() for _ in range(count)]
    for a, b in joined:
        if a != b:
            around[a].add(b)
            around[b].add(a)
    queue = [(len(found), node) for node, found in enumerate(around)]
    heapq.heapify(queue)
    order: list[int] = []
    above: list[list[int]] = []
    gone = [False] * count
    while queue:
        degree, node = heapq.heappop(queue)
        if gone[node] or degree != len(around[node]):
            continue
        gone[node] = True
        order.append(node)
        left = around[node]
        above.append(list(left))
        for other in left:
            around[other] |= left
            around[other] -= {other, node}
            heapq.heappush(queue, (len(around[other]), other))
    rank = np.empty(count, dtype=np.int32)
    rank[order] = np.arange(count)
    return Elimination(
        node=frozen(order, np.int32),
        rank=frozen(rank, np.int32),
        up_start=frozen(np.cumsum([0, *map(len, above)]), np.int32),
        up=frozen([other for found in above for other in sorted(rank[found].tolist())], np.int32),
    )
