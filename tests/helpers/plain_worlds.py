"""A world as plain data: a network, a transport, and everything that is done to a data plane, step by step.

Nothing here draws or compares. Every step carries its own instant, so any of them may be left out and the others still
happen when they did: that is what makes a world easy to shrink.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from made_networks import exchanges
from made_rounds import ParticleRow, round_of

from router_core.exchanges import Exchanges
from router_core.network import Network
from router_core.plan import Choice, route
from router_core.transport import Transport
from sim.data_plane import PlaneCommand, SetStationServers, SetStationService, SetStationUp
from strategies.brain import SendParticles, SetPlan

# What a change changes -> its command, and the columns beside the station.
CHANGES = {
    "service": (SetStationService, (("fixed_ns", "i8"), ("ps_per_byte", "i8"))),
    "servers": (SetStationServers, (("servers", "i4"),)),
    "up": (SetStationUp, (("up", "?"),)),
}


class Row(NamedTuple):
    """An exchange, handed over in a batch."""

    at_ns: int
    source: int
    target: int
    payload_bytes: int
    priority: int


Table = dict[tuple[int, int], Choice | None]


@dataclass(frozen=True)
class Submit:
    """Hand over a batch; the column named in `spoilt` gets a wrong dtype."""

    at_ns: int
    rows: tuple[Row, ...]
    spoilt: str = ""

    def batch(self) -> Exchanges:
        columns = list(zip(*self.rows, strict=True)) or [()] * len(Row._fields)
        at_ns, source, target, payload_bytes, priority = (list(column) for column in columns)
        batch = exchanges(at_ns, source, target, payload_bytes, priority=priority)
        if self.spoilt:
            batch = replace(batch, **{self.spoilt: getattr(batch, self.spoilt).astype(np.float32)})
        return batch


@dataclass(frozen=True)
class Send:
    """Send test particles."""

    at_ns: int
    rows: tuple[ParticleRow, ...]

    def round(self) -> SendParticles:
        return round_of(self.rows)


@dataclass(frozen=True)
class Replan:
    """Set a plan: a choice for each pair of endpoints that stand for their groups."""

    at_ns: int
    table: Table
    reroute: bool = False


@dataclass(frozen=True)
class Change:
    """A command to stations, `kind` in `CHANGES`; each entry is a station and its new figures."""

    at_ns: int
    kind: str
    entries: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Look:
    """Take a snapshot; with the outcome so far if `outcome`, and particles are collected."""

    at_ns: int
    outcome: bool = False


@dataclass(frozen=True)
class Cut:
    """Call `advance` with this instant, were it the one that is now, or an earlier one that must be refused."""

    at_ns: int


Step = Submit | Send | Replan | Change | Look | Cut


@dataclass(frozen=True, eq=False)
class World:
    """All there is to a run: the same steps on any plane must give the same integers."""

    seed: int
    kind: str
    network: Network
    transport: Transport
    steps: tuple[Step, ...]

    @property
    def rows(self) -> list[Row]:
        """All exchanges in batches that nothing is wrong with by dtype, in order."""
        return [row for step in self.steps if isinstance(step, Submit) and not step.spoilt for row in step.rows]


class TablePlan:
    """A plan from a table of endpoints; pairs that are not in it have no route."""

    def __init__(self, network: Network, table: Table) -> None:
        self._endpoint = network.group_endpoint
        self._table = table

    def choice(self, source_group: int, target_group: int) -> Choice | None:
        return self._table.get((self._endpoint[source_group], self._endpoint[target_group]))


def command(world: World, step: Replan | Change) -> PlaneCommand:
    """Make the command that a step gives."""
    if isinstance(step, Replan):
        return SetPlan(TablePlan(world.network, step.table), step.reroute)
    make, columns = CHANGES[step.kind]
    values = list(zip(*step.entries, strict=True)) or [()] * (1 + len(columns))
    named = {name: np.array(value, dtype=kind) for (name, kind), value in zip(columns, values[1:], strict=True)}
    return make(station=np.array(values[0], dtype=np.int32), **named)


def stand_ins(world: World, source: int, target: int) -> tuple[int, int]:
    """Return the endpoints that stand for the groups of two endpoints in a table."""
    group = world.network.node_group
    return tuple(world.network.group_endpoint[int(group[end])] for end in (source, target))


def used_ways(world: World) -> list[tuple[int, tuple[int, int], Choice | None]]:
    """Return (position of the plan's step, the two ends, choice) of all pairs that exchange something."""
    real = set(world.network.endpoints.tolist())
    pairs = sorted({(row.source, row.target) for row in world.rows if {row.source, row.target} <= real})
    plans = [(position, step.table) for position, step in enumerate(world.steps) if isinstance(step, Replan)]
    return [(position, pair, table.get(stand_ins(world, *pair))) for position, table in plans for pair in pairs]


def used_stations(world: World) -> list[int]:
    """Return the stations on the ways of all pairs that exchange something and of all particles, ascending."""
    network = world.network
    passed = {station for step in world.steps if isinstance(step, Send) for way, _, _ in step.rows for station in way}
    return sorted(
        {station for station in passed if 0 <= station < network.station_count}
        | {
            station
            for _, (source, target), choice in used_ways(world)
            for trunk in (choice.trunks if choice else ())
            if trunk.first in network.homes[source] and trunk.last in network.homes[target]
            for station in route(network, source, target, trunk)
        }
    )
