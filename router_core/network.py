"""The network as an immutable struct of arrays: nodes, directed lines, and the stations that serve in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from router_core.digest import digest_of
from router_core.vocabulary import NodeKind, StationRole

NO_STATION = -1
NO_CARRIER = -1
NO_POOL = -1
NO_GROUP = -1
NO_LIMIT = -1

_ScalarT = TypeVar("_ScalarT", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Network:
    """Nodes, directed lines and stations. Build it with `NetworkBuilder`, which checks every rule.

    Every array is read-only. N nodes, L directed lines, S stations, P pools. A node's index is its identity.

    Attributes
    ----------
    node_name, node_label_zh : tuple of str, length N
        Unique name, and what a Chinese reader sees.
    node_kind, node_level, node_zone : int8 (N,)
        `NodeKind`, `Level`, index into `zones`.
    node_site : int32 (N,)
        Nodes of one site share a number (a centre and its routers, for instance).
    node_xy : float64 (N, 2)
        Longitude and latitude [degrees] for maps.
    node_station : int32 (N,)
        Station that an exchange visits when it passes this node, or begins or ends here.
    node_process_station : int32 (N,)
        Station of exchange processing at a centre, visited instead of the other one by the exchanges that are
        processed there; `NO_STATION` at other nodes.
    node_pool : int32 (N,)
        Cloud pool that can lend this node servers, or `NO_POOL`.
    node_credit_bytes : int64 (N,)
        How much an endpoint may have under way at once [bytes], or `NO_LIMIT`.
    node_credit_return_ns : int64 (N,)
        How long a credit travels back after delivery [ns], at least 1.
    line_source, line_target : int32 (L,)
        Node indices.
    line_carrier : int8 (L,)
        Index into `carriers`, or `NO_CARRIER` for a line inside a site or an access line.
    line_cable : int32 (L,)
        The two directions of one physical line share a number; they fail together.
    line_station : int32 (L,)
        The station that serves this direction.
    station_role : int8 (S,)
        `StationRole`.
    station_servers : int32 (S,)
        Parallel servers, at least 1.
    station_fixed_ns : int64 (S,)
        Time a server takes for any exchange [ns], at least 1: an event then never causes one at the same instant.
    station_ps_per_byte : int64 (S,)
        Further time for each byte [ps].
    station_after_ns : int64 (S,)
        Delay after service, during which no server is held (propagation) [ns].
    station_discipline : int8 (S,)
        `Discipline`.
    station_buffer_bytes : int64 (S,)
        Bytes that can wait in memory; what is above spills to disk; or `NO_LIMIT`.
    station_spill_fixed_ns, station_spill_ps_per_byte : int64 (S,)
        Additional service time of what waited on disk: for any [ns], for each byte [ps].
    station_owner : int32 (S,)
        Node index, or line index where the role is LINE.
    zones, carriers : tuple of str
    pools : tuple of Pool
    """

    node_name: tuple[str, ...]
    node_label_zh: tuple[str, ...]
    node_kind: NDArray[np.int8]
    node_level: NDArray[np.int8]
    node_zone: NDArray[np.int8]
    node_site: NDArray[np.int32]
    node_xy: NDArray[np.float64]
    node_station: NDArray[np.int32]
    node_process_station: NDArray[np.int32]
    node_pool: NDArray[np.int32]
    node_credit_bytes: NDArray[np.int64]
    node_credit_return_ns: NDArray[np.int64]
    line_source: NDArray[np.int32]
    line_target: NDArray[np.int32]
    line_carrier: NDArray[np.int8]
    line_cable: NDArray[np.int32]
    line_station: NDArray[np.int32]
    station_role: NDArray[np.int8]
    station_servers: NDArray[np.int32]
    station_fixed_ns: NDArray[np.int64]
    station_ps_per_byte: NDArray[np.int64]
    station_after_ns: NDArray[np.int64]
    station_discipline: NDArray[np.int8]
    station_buffer_bytes: NDArray[np.int64]
    station_spill_fixed_ns: NDArray[np.int64]
    station_spill_ps_per_byte: NDArray[np.int64]
    station_owner: NDArray[np.int32]
    zones: tuple[str, ...]
    carriers: tuple[str, ...]
    pools: tuple[Pool, ...]

    @property
    def node_count(self) -> int:
        """Number of nodes."""
        return len(self.node_name)

    @property
    def line_count(self) -> int:
        """Number of directed lines."""
        return len(self.line_source)

    @property
    def station_count(self) -> int:
        """Number of stations."""
        return len(self.station_role)

    @cached_property
    def digest(self) -> str:
        """Topology digest: SHA-256 in hex over every field."""
        return digest_of(self)

    @cached_property
    def node_index(self) -> dict[str, int]:
        """Index of each node by name."""
        return {name: index for index, name in enumerate(self.node_name)}

    def nodes_of(self, *kinds: NodeKind) -> NDArray[np.intp]:
        """Indices of the nodes of these kinds, ascending."""
        return np.flatnonzero(np.isin(self.node_kind, kinds))

    @cached_property
    def endpoints(self) -> NDArray[np.intp]:
        """Indices of the nodes where exchanges begin and end, ascending."""
        return self.nodes_of(NodeKind.FRONT_END, NodeKind.EXTERNAL)

    @cached_property
    def is_endpoint(self) -> NDArray[np.bool_]:
        """Whether each node is an endpoint, (N,)."""
        mask = np.zeros(self.node_count, dtype=np.bool_)
        mask[self.endpoints] = True
        return mask

    @cached_property
    def homes(self) -> dict[int, tuple[int, ...]]:
        """The nodes on which each endpoint hangs, in the order of the scenario: the first is its main home."""
        found: dict[int, list[int]] = {int(node): [] for node in self.endpoints}
        for source, target in zip(self.line_source.tolist(), self.line_target.tolist(), strict=True):
            if source in found:
                found[source].append(target)
        return {node: tuple(dict.fromkeys(homes)) for node, homes in found.items()}

    @cached_property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Homes of each group: endpoints of one group differ in nothing that routing could see.

        They have the same homes, and access lines that serve alike; two groups may have the same homes.
        """
        return tuple(homes for homes, _ in self._grouping[0])

    @cached_property
    def group_endpoint(self) -> tuple[int, ...]:
        """One endpoint of each group, the first, whose access lines stand for all."""
        return tuple(self._grouping[1])

    @cached_property
    def node_group(self) -> NDArray[np.int32]:
        """Index into `groups` of each endpoint, `NO_GROUP` for other nodes, (N,)."""
        result = np.full(self.node_count, NO_GROUP, dtype=np.int32)
        index = {key: position for position, key in enumerate(self._grouping[0])}
        for node, homes in self.homes.items():
            result[node] = index[homes, self._access_service(node)]
        return result

    @cached_property
    def _grouping(self) -> tuple[list[tuple[tuple[int, ...], tuple[int, ...]]], list[int]]:
        first: dict[tuple[tuple[int, ...], tuple[int, ...]], int] = {}
        for node, homes in self.homes.items():
            first.setdefault((homes, self._access_service(node)), node)
        keys = sorted(first)
        return keys, [first[key] for key in keys]

    def _access_service(self, node: int) -> tuple[int, ...]:
        """How the access lines of an endpoint serve, both directions, home by home."""
        stations = [self.access_station[ends] for home in self.homes[node] for ends in ((node, home), (home, node))]
        columns = (self.station_servers, self.station_fixed_ns, self.station_ps_per_byte, self.station_after_ns)
        return tuple(int(column[station]) for station in stations for column in columns)

    @cached_property
    def behind_crossing(self) -> NDArray[np.int32]:
        """The crossing on which each endpoint hangs, if it hangs on nothing else; -1 for other nodes; (N,)."""
        result = np.full(self.node_count, -1, dtype=np.int32)
        for node, homes in self.homes.items():
            if len(homes) == 1 and self.node_kind[homes[0]] == NodeKind.CROSSING:
                result[node] = homes[0]
        return result

    @cached_property
    def access_station(self) -> dict[tuple[int, int], int]:
        """Station of the first line from one node to another, for lines that touch an endpoint."""
        found: dict[tuple[int, int], int] = {}
        for line in np.flatnonzero(self.is_endpoint[self.line_source] | self.is_endpoint[self.line_target]):
            ends = (int(self.line_source[line]), int(self.line_target[line]))
            found.setdefault(ends, int(self.line_station[line]))
        return found

    @cached_property
    def station_name(self) -> tuple[str, ...]:
        """A readable name for every station: the node, ``node/process``, or ``source>target#cable``."""
        names = []
        for role, owner in zip(self.station_role.tolist(), self.station_owner.tolist(), strict=True):
            if role == StationRole.LINE:
                source, target = int(self.line_source[owner]), int(self.line_target[owner])
                carrier = int(self.line_carrier[owner])
                suffix = f"@{self.carriers[carrier]}" if carrier != NO_CARRIER else ""
                names.append(f"{self.node_name[source]}>{self.node_name[target]}{suffix}#{int(self.line_cable[owner])}")
            elif role == StationRole.PROCESS:
                names.append(f"{self.node_name[owner]}/process")
            else:
                names.append(self.node_name[owner])
        return tuple(names)


@dataclass(frozen=True)
class Pool:
    """Elastic servers of one cloud that front-ends and centres can borrow.

    Attributes
    ----------
    name, label_zh : str
    servers : int
        How many servers it can lend at once, at least 0.
    start_ns : int
        Delay from the request until a server serves [ns].
    """

    name: str
    label_zh: str
    servers: int
    start_ns: int


def frozen(values: Sequence[object] | NDArray[np.generic], dtype: type[_ScalarT]) -> NDArray[_ScalarT]:
    """Return a read-only array of these values."""
    array = np.array(values, dtype=dtype)
    array.setflags(write=False)
    return array
