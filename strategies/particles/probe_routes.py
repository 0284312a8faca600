"""Every way a particle can go: the trunks of a path set, and the endpoints on either side."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from router_core.network import Network
from router_core.paths.pairs import gathered
from router_core.paths.path_set import PathSet
from router_core.paths.trunks import path_trunks


@dataclass(frozen=True, eq=False)
class ProbeRoutes:
    """Trunks of P paths in compressed rows, and the slots (group, home) where they begin and end.

    Attributes
    ----------
    network : Network
    start : int64 (P + 1,)
    station : int32
        Stations of trunk p: ``station[start[p]:start[p + 1]]``.
    path : int64 (P,)
        Its number in the path set; paths between endpoints that do not exist, such as those of a group of one endpoint
        to itself, are left out.
    out_slot, in_slot : int32 (P,)
        Slots where the trunk is entered and left.
    slot_start : int64 (Z + 1,)
    slot_endpoint : int32
        Nodes of slot z: ``slot_endpoint[slot_start[z]:slot_start[z + 1]]``.
    up_line, down_line : int32
        Access line of each of these nodes to the slot's home, and back.
    """

    network: Network
    start: NDArray[np.int64]
    station: NDArray[np.int32]
    path: NDArray[np.int64]
    out_slot: NDArray[np.int32]
    in_slot: NDArray[np.int32]
    slot_start: NDArray[np.int64]
    slot_endpoint: NDArray[np.int32]
    up_line: NDArray[np.int32]
    down_line: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.path)

    @cached_property
    def rows_by_station(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return (start, row): trunks over station s are ``row[start[s]:start[s + 1]]``, short ones first."""
        length = np.diff(self.start)
        row = np.repeat(np.arange(len(self), dtype=np.int32), length)
        order = np.lexsort((length[row], self.station))
        return np.searchsorted(self.station[order], np.arange(self.network.station_count + 1)), row[order]

    def whole(
        self, row: NDArray[np.integer], out_place: NDArray[np.integer], in_place: NDArray[np.integer]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return the routes from endpoint to endpoint of particles over these trunks, in compressed rows.

        Parameters
        ----------
        row : int (n,)
            Which trunk.
        out_place, in_place : int (n,)
            Where source and target are among the endpoints of its slots.
        """
        count = len(row)
        begin, at = gathered(self.start, row)
        route_start = begin + 4 * np.arange(count + 1)
        route = np.empty(int(route_start[-1]), dtype=np.int32)
        inner = np.ones(len(route), dtype=np.bool_)
        ends = np.stack((route_start[:-1], route_start[:-1] + 1, route_start[1:] - 2, route_start[1:] - 1))
        inner[ends.ravel()] = False
        route[inner] = self.station[at]
        own = self.network.node_station[self.slot_endpoint]
        route[ends[0]], route[ends[3]] = own[out_place], own[in_place]
        route[ends[1]], route[ends[2]] = self.up_line[out_place], self.down_line[in_place]
        return route_start, route


def probe_routes(network: Network, paths: PathSet) -> ProbeRoutes:
    """Find them in a path set of ``space_of_network(network)``.

    Raises
    ------
    BadInputError
        If the path set is of another space.
    """
    trunks = path_trunks(network, paths)
    members: list[list[int]] = [[] for _ in network.groups]
    for node in network.endpoints.tolist():
        members[int(network.node_group[node])].append(node)
    slots = [(group, home) for group, homes in enumerate(network.groups) for home in homes]
    of_slot = [members[group] for group, _ in slots]
    nodes = [(node, home) for (_, home), found in zip(slots, of_slot, strict=True) for node in found]
    # One number for a group and a home, to look many up at once.
    key = np.array([group * network.node_count + home for group, home in slots], dtype=np.int64)
    order = np.argsort(key)

    def slot(group: NDArray[np.int32], home: NDArray[np.int32]) -> NDArray[np.int32]:
        wanted = group.astype(np.int64) * network.node_count + home
        return order[np.searchsorted(key[order], wanted)].astype(np.int32)

    source, target = paths.source[paths.path_pair], paths.target[paths.path_pair]
    size = np.array([len(found) for found in members], dtype=np.int64)
    kept = np.flatnonzero((source != target) | (size[source] > 1))
    length = (trunks.stop - trunks.start)[kept]
    start = np.concatenate(([0], np.cumsum(length))).astype(np.int64)
    at = np.arange(start[-1]) + np.repeat(trunks.start[kept] - start[:-1], length)
    return ProbeRoutes(
        network=network,
        start=start,
        station=paths.path_station[at],
        path=kept.astype(np.int64),
        out_slot=slot(source[kept], trunks.first[kept]),
        in_slot=slot(target[kept], trunks.last[kept]),
        slot_start=np.cumsum([0, *map(len, of_slot)]).astype(np.int64),
        slot_endpoint=np.array([node for node, _ in nodes], dtype=np.int32),
        up_line=np.array([network.access_station[node, home] for node, home in nodes], dtype=np.int32),
        down_line=np.array([network.access_station[home, node] for node, home in nodes], dtype=np.int32),
    )
