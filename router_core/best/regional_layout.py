"""How a network falls into regions: what belongs where, and under which number; no costs."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Where a line belongs, if not to a region by its number.
CORE: Final = -1
ACCESS: Final = -2
NOWHERE: Final = -3


class RegionalLayout:
    """Numbers of nodes and lines within regions and between them.

    N nodes, L lines, R regions, T inner nodes (those with transit), P gateways, E homes.

    Attributes
    ----------
    inner_node : int (T,), inner_of : int (N,)
        Node of each inner node, and back; -1 for nodes without transit.
    inner_region, column : int (T,)
        Region of each inner node, 0 .. R - 1, and its number there, in order of nodes.
    region_nodes : list of int (n,)
        Nodes of each region.
    line_part, line_place : int (L,)
        Region of each line inside one, or `CORE`, `ACCESS` or `NOWHERE` (from a node to itself); its number there.
    region_line : list of int
        Lines of each region.
    core_line, access_line : int
        Lines between regions, and lines of nodes without transit.
    home_start : int (N + 1,), home : int (E,)
        Inner nodes over which node i is joined, by region: ``home[home_start[i]:home_start[i + 1]]``; an inner node is
        its own home.
    only_region : int (N,)
        Region of the homes of each node that has one or two, in one region; -1 for other nodes.
    own_home : int (T,)
        Home of each inner node that is itself.
    access_key : int (A,)
        Twice the home over which an access line joins, and 1 more if it leads towards it.
    gate : int (P,), gate_start : int (R + 1,)
        Inner nodes at lines between regions, by region: ``gate[gate_start[r]:gate_start[r + 1]]``.
    gate_number : int (T,)
        Gateway that an inner node is, or -1.
    crossing : int (X, 2), crossing_start : int (R + 1,)
        Ordered pairs of gateways of one region, by region.
    """

    def __init__(
        self,
        region: NDArray[np.integer],
        tail: NDArray[np.integer],
        head: NDArray[np.integer],
        transit: NDArray[np.bool_],
    ) -> None:
        self.inner_node = np.flatnonzero(transit)
        self.inner_of = np.full(len(transit), -1, dtype=np.int64)
        self.inner_of[self.inner_node] = np.arange(len(self.inner_node))
        self.inner_region = np.unique(region[self.inner_node], return_inverse=True)[1].reshape(-1)
        order = np.argsort(self.inner_region, kind="stable")
        borders = np.flatnonzero(np.diff(self.inner_region[order])) + 1
        self.region_nodes = [nodes for nodes in np.split(self.inner_node[order], borders) if len(nodes)]
        self.column = np.empty(len(self.inner_node), dtype=np.int64)
        for nodes in self.region_nodes:
            self.column[self.inner_of[nodes]] = np.arange(len(nodes))
        self._part_lines(tail, head)
        self._list_homes(tail, head)
        self._number_gates(tail, head)

    def _part_lines(self, tail: NDArray[np.integer], head: NDArray[np.integer]) -> None:
        inner_tail, inner_head = self.inner_of[tail], self.inner_of[head]
        both = (inner_tail >= 0) & (inner_head >= 0)
        here, there = (np.append(self.inner_region, -1)[inner] for inner in (inner_tail, inner_head))
        self.line_part = np.select(
            [tail == head, both & (here == there), both, (inner_tail >= 0) | (inner_head >= 0)],
            [NOWHERE, here, CORE, ACCESS],
            NOWHERE,
        )
        self.line_place = np.full(len(tail), -1, dtype=np.int64)
        self.core_line, self.access_line = (np.flatnonzero(self.line_part == part) for part in (CORE, ACCESS))
        order = np.argsort(self.line_part, kind="stable")
        starts = np.searchsorted(self.line_part[order], np.arange(len(self.region_nodes) + 1))
        self.region_line = [order[first:last] for first, last in pairwise(starts.tolist())]
        for lines in (self.core_line, self.access_line, *self.region_line):
            self.line_place[lines] = np.arange(len(lines))

    def _list_homes(self, tail: NDArray[np.integer], head: NDArray[np.integer]) -> None:
        line, count = self.access_line, len(self.inner_node)
        outward = self.inner_of[head[line]] >= 0
        node = np.concatenate((self.inner_node, np.where(outward, tail[line], head[line])))
        home = np.concatenate((np.arange(count), self.inner_of[np.where(outward, head[line], tail[line])]))
        key = np.stack((node, self.inner_region[home], home), axis=1)
        joined, inverse = np.unique(key, axis=0, return_inverse=True)
        inverse = inverse.reshape(-1)
        self.home_start = np.searchsorted(joined[:, 0], np.arange(len(self.inner_of) + 1))
        self.home = joined[:, 2]
        self.only_region = np.full(len(self.inner_of), -1, dtype=np.int64)
        few = np.flatnonzero(np.isin(np.diff(self.home_start), (1, 2)))
        first, last = joined[self.home_start[few], 1], joined[self.home_start[few + 1] - 1, 1]
        self.only_region[few] = np.where(first == last, first, -1)
        self.own_home = inverse[:count]
        self.access_key = 2 * inverse[count:] + outward

    def _number_gates(self, tail: NDArray[np.integer], head: NDArray[np.integer]) -> None:
        gates = np.unique(self.inner_of[np.concatenate((tail[self.core_line], head[self.core_line]))])
        self.gate = gates[np.argsort(self.inner_region[gates], kind="stable")]
        self.gate_number = np.full(len(self.inner_node), -1, dtype=np.int64)
        self.gate_number[self.gate] = np.arange(len(gates))
        self.gate_start = np.searchsorted(self.inner_region[self.gate], np.arange(len(self.region_nodes) + 1))
        across = [
            (a, b)
            for first, last in pairwise(self.gate_start.tolist())
            for a in range(first, last)
            for b in range(first, last)
            if a != b
        ]
        self.crossing = np.array(across, dtype=np.int64).reshape(-1, 2)
        each = np.diff(self.gate_start)
        self.crossing_start = np.concatenate(([0], np.cumsum(each * (each - 1))))
