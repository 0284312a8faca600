"""Builds a `Network` and refuses one that breaks a rule of the platform."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from router_core.errors import BadInputError
from router_core.network import NO_CARRIER, NO_LIMIT, NO_POOL, NO_STATION, Network, Pool, frozen
from router_core.units import DURATION_NS_MAX, PS_PER_BYTE_MAX
from router_core.vocabulary import Discipline, Level, NodeKind, StationRole

SERVERS_MAX: Final = 100_000
BUFFER_BYTES_MAX: Final = 2**60
ENDPOINTS: Final = (NodeKind.FRONT_END, NodeKind.EXTERNAL)


@dataclass(frozen=True)
class Service:
    """How a station serves.

    Attributes
    ----------
    servers : int
        In parallel.
    fixed_ns, ps_per_byte : int
        Time for any exchange [ns], and for each byte [ps].
    after_ns : int
        Delay after the service [ns].
    discipline : Discipline
    buffer_bytes : int
        Bytes that can wait in memory, or `NO_LIMIT`; a shared station has nobody waiting, and no buffer.
    spill_fixed_ns, spill_ps_per_byte : int
        Additional time of what waited on disk, for any [ns] and for each byte [ps].
    """

    servers: int
    fixed_ns: int
    ps_per_byte: int
    after_ns: int = 0
    discipline: Discipline = Discipline.FIFO
    buffer_bytes: int = NO_LIMIT
    spill_fixed_ns: int = 0
    spill_ps_per_byte: int = 0

    def check(self, place: str) -> None:
        """Raise `BadInputError` naming `place` if a number is out of range."""
        for name, value, low, high in (
            ("servers", self.servers, 1, SERVERS_MAX),
            ("fixed_ns", self.fixed_ns, 1, DURATION_NS_MAX),
            ("ps_per_byte", self.ps_per_byte, 0, PS_PER_BYTE_MAX),
            ("after_ns", self.after_ns, 0, DURATION_NS_MAX),
            ("buffer_bytes", self.buffer_bytes, NO_LIMIT, BUFFER_BYTES_MAX),
            ("spill_fixed_ns", self.spill_fixed_ns, 0, DURATION_NS_MAX),
            ("spill_ps_per_byte", self.spill_ps_per_byte, 0, PS_PER_BYTE_MAX),
        ):
            if not low <= value <= high:
                raise BadInputError(f"{place}.{name}", f"must lie in {low}..{high}", value)
        if self.discipline == Discipline.SHARING and self.buffer_bytes != NO_LIMIT:
            raise BadInputError(f"{place}.buffer_bytes", "nobody waits at a shared station", self.buffer_bytes)


@dataclass(frozen=True)
class Credit:
    """How much an endpoint may have under way at once [bytes], and how long a credit travels back [ns]."""

    limit_bytes: int
    return_ns: int

    def check(self, place: str) -> None:
        """Raise `BadInputError` naming `place` if a number is out of range."""
        for name, value, low, high in (
            ("limit_bytes", self.limit_bytes, 0, BUFFER_BYTES_MAX),
            ("return_ns", self.return_ns, 1, DURATION_NS_MAX),
        ):
            if not low <= value <= high:
                raise BadInputError(f"{place}.{name}", f"must lie in {low}..{high}", value)


@dataclass
class NetworkBuilder:
    """Collects nodes and lines, then `build` checks them together.

    Node and line indices are given in the order of adding; a node's stations come before any line's.
    """

    zones: tuple[str, ...]
    carriers: tuple[str, ...] = ()
    pools: tuple[Pool, ...] = ()
    _nodes: list[_Node] = field(default_factory=list)
    _lines: list[_Line] = field(default_factory=list)
    _cables: int = 0
    _index: dict[str, int] = field(default_factory=dict)

    def add_node(
        self,
        name: str,
        kind: NodeKind,
        *,
        service: Service,
        process: Service | None = None,
        level: Level = Level.PROVINCE,
        zone: int = 0,
        site: int = 0,
        xy: tuple[float, float] = (0.0, 0.0),
        label_zh: str = "",
        pool: int = NO_POOL,
        credit: Credit | None = None,
    ) -> int:
        """Add a node and return its index; `process` is for centres, `credit` for endpoints, and for nothing else."""
        if name in self._index:
            raise BadInputError(f"node {name}", "node names must be unique", name)
        if (process is not None) != (kind == NodeKind.CENTRE):
            raise BadInputError(f"node {name}", "a centre, and nothing else, processes exchanges", kind.name)
        if not 0 <= zone < len(self.zones):
            raise BadInputError(f"node {name}.zone", f"must be one of the {len(self.zones)} zones", zone)
        if not NO_POOL <= pool < len(self.pools):
            raise BadInputError(f"node {name}.pool", f"must be one of the {len(self.pools)} pools", pool)
        if not np.isfinite(xy).all():
            raise BadInputError(f"node {name}.xy", "coordinates must be finite", xy)
        service.check(f"node {name}")
        if process is not None:
            process.check(f"node {name}.process")
        if credit is not None:
            if kind not in ENDPOINTS:
                raise BadInputError(f"node {name}.credit", "only endpoints are held back by credits", kind.name)
            credit.check(f"node {name}.credit")
        self._index[name] = len(self._nodes)
        self._nodes.append(
            _Node(
                name,
                label_zh or name,
                kind,
                level,
                zone,
                site,
                (float(xy[0]), float(xy[1])),
                service,
                process,
                pool,
                credit,
            )
        )
        return len(self._nodes) - 1

    def add_line(self, a: int, b: int, *, service: Service, carrier: int = NO_CARRIER) -> tuple[int, int]:
        """Add one physical line between two nodes, both directions served alike; return both line indices."""
        names = [self._nodes[end].name if 0 <= end < len(self._nodes) else str(end) for end in (a, b)]
        place = f"line {names[0]} - {names[1]}"
        if not (0 <= a < len(self._nodes) and 0 <= b < len(self._nodes)):
            raise BadInputError(place, "a line joins two nodes that exist", (a, b))
        if a == b:
            raise BadInputError(place, "a line joins two different nodes", names[0])
        if not NO_CARRIER <= carrier < len(self.carriers):
            raise BadInputError(f"{place}.carrier", f"must be one of the {len(self.carriers)} carriers", carrier)
        service.check(place)
        first, second = self._nodes[a], self._nodes[b]
        if first.zone != second.zone and NodeKind.CROSSING not in (first.kind, second.kind):
            rule = "nothing joins two zones but the cross-zone exchange"
            raise BadInputError(place, rule, (self.zones[first.zone], self.zones[second.zone]))
        if first.kind in ENDPOINTS and second.kind in ENDPOINTS:
            raise BadInputError(place, "an endpoint is never transit, so two of them cannot be joined", names)
        for end, other in ((first, second), (second, first)):
            if end.kind in ENDPOINTS and other.kind == NodeKind.ROUTER:
                rule = "an endpoint hangs on a centre, a crossing or a gateway, never on a router"
                raise BadInputError(place, rule, other.name)
        forward = len(self._lines)
        self._lines.append(_Line(a, b, carrier, self._cables, service))
        self._lines.append(_Line(b, a, carrier, self._cables, service))
        self._cables += 1
        return forward, forward + 1

    def index(self, name: str) -> int:
        """Index of the node of that name; raises `BadInputError` if there is none."""
        if name not in self._index:
            raise BadInputError(f"node {name}", "must be a node of this network", name)
        return self._index[name]

    def build(self) -> Network:
        """Check the whole and return it, or raise `BadInputError`."""
        if not self._nodes:
            raise BadInputError("nodes", "a network has at least one node", 0)
        hanging = {line.source for line in self._lines}
        for position, node in enumerate(self._nodes):
            if node.kind in ENDPOINTS and position not in hanging:
                raise BadInputError(f"node {node.name}", "an endpoint hangs on at least one centre", node.kind.name)

        services: list[tuple[StationRole, int, Service]] = []

        def station(role: StationRole, owner: int, service: Service | None) -> int:
            if service is None:
                return NO_STATION
            services.append((role, owner, service))
            return len(services) - 1

        passing = [station(StationRole.PASS, i, node.service) for i, node in enumerate(self._nodes)]
        processing = [station(StationRole.PROCESS, i, node.process) for i, node in enumerate(self._nodes)]
        carrying = [station(StationRole.LINE, i, line.service) for i, line in enumerate(self._lines)]
        column: dict[str, Any] = {
            "node_kind": frozen([node.kind for node in self._nodes], np.int8),
            "node_level": frozen([node.level for node in self._nodes], np.int8),
            "node_zone": frozen([node.zone for node in self._nodes], np.int8),
            "node_site": frozen([node.site for node in self._nodes], np.int32),
            "node_xy": frozen([node.xy for node in self._nodes], np.float64),
            "node_station": frozen(passing, np.int32),
            "node_process_station": frozen(processing, np.int32),
            "node_pool": frozen([node.pool for node in self._nodes], np.int32),
            "node_credit_bytes": frozen(
                [NO_LIMIT if node.credit is None else node.credit.limit_bytes for node in self._nodes], np.int64
            ),
            "node_credit_return_ns": frozen(
                [1 if node.credit is None else node.credit.return_ns for node in self._nodes], np.int64
            ),
            "line_source": frozen([line.source for line in self._lines], np.int32),
            "line_target": frozen([line.target for line in self._lines], np.int32),
            "line_carrier": frozen([line.carrier for line in self._lines], np.int8),
            "line_cable": frozen([line.cable for line in self._lines], np.int32),
            "line_station": frozen(carrying, np.int32),
            "station_role": frozen([role for role, _, _ in services], np.int8),
            "station_owner": frozen([owner for _, owner, _ in services], np.int32),
            "station_servers": frozen([service.servers for _, _, service in services], np.int32),
            "station_fixed_ns": frozen([service.fixed_ns for _, _, service in services], np.int64),
            "station_ps_per_byte": frozen([service.ps_per_byte for _, _, service in services], np.int64),
            "station_after_ns": frozen([service.after_ns for _, _, service in services], np.int64),
            "station_discipline": frozen([service.discipline for _, _, service in services], np.int8),
            "station_buffer_bytes": frozen([service.buffer_bytes for _, _, service in services], np.int64),
            "station_spill_fixed_ns": frozen([service.spill_fixed_ns for _, _, service in services], np.int64),
            "station_spill_ps_per_byte": frozen([service.spill_ps_per_byte for _, _, service in services], np.int64),
        }
        return Network(
            node_name=tuple(node.name for node in self._nodes),
            node_label_zh=tuple(node.label_zh for node in self._nodes),
            zones=self.zones,
            carriers=self.carriers,
            pools=self.pools,
            **column,
        )


@dataclass(frozen=True)
class _Node:
    name: str
    label_zh: str
    kind: NodeKind
    level: Level
    zone: int
    site: int
    xy: tuple[float, float]
    service: Service
    process: Service | None
    pool: int
    credit: Credit | None


@dataclass(frozen=True)
class _Line:
    source: int
    target: int
    carrier: int
    cable: int
    service: Service
