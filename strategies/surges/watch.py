"""What is watched: whole flows by source, target, region and class, and which of them an exchange counts towards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.network import Network
from strategies.static.demand_series import DemandSeries
from strategies.surges.regions import NO_REGION, regions
from strategies.surges.surge import Scope

ALL_CLASSES: Final = -1
NO_NODE: Final = -1


@dataclass(frozen=True, eq=False)
class Flows:
    """Where n flows go, each (n,).

    Attributes
    ----------
    source, target : int64
        Groups of endpoints.
    source_node, target_node : int64
        Endpoints; `NO_NODE` where only the groups are known: the flow is then the sum of all of their endpoints'.
    demand_class : int64
    """

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    source_node: NDArray[np.int64]
    target_node: NDArray[np.int64]
    demand_class: NDArray[np.int64]

    @classmethod
    def of(cls, series: DemandSeries) -> Flows:
        """Flows of demand series."""
        nobody = np.full(len(series), NO_NODE, dtype=np.int64)
        source, target, kind = (
            column.astype(np.int64) for column in (series.source_group, series.target_group, series.demand_class)
        )
        return cls(source, target, nobody, nobody, kind)

    def of_unit(self, unit: Unit, some: NDArray[np.intp]) -> Flows:
        """Some of them, as far as they are those of a unit's endpoint."""
        nodes = {Scope.SOURCE: self.source_node[some], Scope.TARGET: self.target_node[some]}
        if unit.node != NO_NODE:
            nodes[unit.scope] = np.full(len(some), unit.node, dtype=np.int64)
        ends = nodes[Scope.SOURCE], nodes[Scope.TARGET]
        return Flows(self.source[some], self.target[some], *ends, self.demand_class[some])

    def plus(self, others: list[Flows]) -> Flows:
        """These flows, then others."""
        every = [self, *others]
        return Flows(
            np.concatenate([one.source for one in every]),
            np.concatenate([one.target for one in every]),
            np.concatenate([one.source_node for one in every]),
            np.concatenate([one.target_node for one in every]),
            np.concatenate([one.demand_class for one in every]),
        )

    def end(self, scope: Scope) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Groups and endpoints at one end."""
        return (self.source, self.source_node) if scope == Scope.SOURCE else (self.target, self.target_node)


@dataclass(frozen=True)
class Unit:
    """One thing that is watched.

    Attributes
    ----------
    scope : Scope
    first, second : int
        Group, region, or source and target group; -1 where there is none.
    demand_class : int
        `ALL_CLASSES` for all together.
    node : int
        A single endpoint of the group, or `NO_NODE`.
    """

    scope: Scope
    first: int
    second: int
    demand_class: int
    node: int = NO_NODE

    @property
    def group(self) -> Unit:
        """The same for all endpoints of the group."""
        return Unit(self.scope, self.first, self.second, self.demand_class)


class WatchList:
    """The A whole flows that are watched, in a fixed order; single series come beside them.

    Endpoints and their groups, as sources and as targets, and regions, each with its classes together and class by
    class; then the classes, then everything. An exchange that begins and ends in one region counts there once.

    Parameters
    ----------
    network : Network
    series : DemandSeries
        Its shares say how much of a group's flow is expected of each endpoint.
    class_names : tuple of str
        C of them.
    together : bool (C,)
        Which classes count where classes are taken together.
    """

    def __init__(
        self,
        network: Network,
        series: DemandSeries,
        class_names: tuple[str, ...],
        together: NDArray[np.bool_],
    ) -> None:
        self._groups, self._classes = len(network.groups), len(class_names)
        self._region_names, region = regions(network)
        self._region = region.astype(np.int64)
        self._class_names = class_names
        self._together = together.astype(np.float64)
        self._group_names = tuple(tuple(network.node_name[home] for home in homes) for homes in network.groups)
        self._endpoints = network.endpoints.astype(np.int64)
        self._node_names = network.node_name
        self._node_group = network.node_group.astype(np.int64)
        self._shares = {Scope.SOURCE: series.sent, Scope.TARGET: series.received}
        ends = len(self._endpoints)
        # Endpoints come before their groups: of equals the first one is said.
        self._blocks: tuple[tuple[Scope, bool, int], ...] = (
            (Scope.SOURCE, True, ends),
            (Scope.TARGET, True, ends),
            (Scope.SOURCE, False, self._groups),
            (Scope.TARGET, False, self._groups),
            (Scope.REGION, False, len(self._region_names)),
        )
        self._begins = np.cumsum([0] + [count * (1 + self._classes) for *_, count in self._blocks]).tolist()

    def __len__(self) -> int:
        return int(self._begins[-1]) + self._classes + 1

    def totals(self, flows: Flows, amount: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum what flows carry over each thing watched, (A,).

        Each end is summed by class once; the sums over classes follow from that.
        """
        parts = []
        for scope in (Scope.SOURCE, Scope.TARGET):
            group, node = flows.end(scope)
            told = node != NO_NODE
            counted = self._table(node[told], flows.demand_class[told], amount[told], len(self._node_group))
            rest = self._table(group[~told], flows.demand_class[~told], amount[~told], self._groups)
            ends = self._endpoints
            parts.append(counted[ends] + rest[self._node_group[ends]] * self._shares[scope][ends])
        for scope in (Scope.SOURCE, Scope.TARGET):
            parts.append(self._table(flows.end(scope)[0], flows.demand_class, amount, self._groups))
        by_class = parts[-1].sum(axis=0)
        by_region = np.zeros((len(self._region_names), self._classes))
        begins, ends = self._region[flows.source], self._region[flows.target]
        for region, inside in ((begins, begins != NO_REGION), (ends, (ends != NO_REGION) & (ends != begins))):
            by_region += self._table(region[inside], flows.demand_class[inside], amount[inside], len(by_region))
        parts.append(by_region)
        whole = [np.concatenate((part @ self._together, part.reshape(-1))) for part in parts]
        return np.concatenate((*whole, by_class, [float(by_class @ self._together)]))

    def classes(self) -> NDArray[np.int64]:
        """Class of each thing watched, (A,), `ALL_CLASSES` where they are taken together."""
        own = np.arange(self._classes)
        blocks = [np.concatenate((np.full(count, ALL_CLASSES), np.tile(own, count))) for *_, count in self._blocks]
        return np.concatenate((*blocks, own, [ALL_CLASSES])).astype(np.int64)

    def unit(self, place: int) -> Unit:
        """What stands at a place of `totals`."""
        for begin, (scope, single, count) in zip(self._begins, self._blocks, strict=False):
            rest = place - begin
            if rest < count * (1 + self._classes):
                row, kind = (rest, ALL_CLASSES) if rest < count else divmod(rest - count, self._classes)
                node = int(self._endpoints[row]) if single else NO_NODE
                return Unit(scope, int(self._node_group[node]) if single else row, -1, kind, node)
        kind = place - self._begins[-1]
        return Unit(Scope.CLASS, -1, -1, kind if kind < self._classes else ALL_CLASSES)

    def place(self, unit: Unit) -> int:
        """Where a unit, no pair, stands in `totals`."""
        kind = unit.demand_class
        for begin, (scope, single, count) in zip(self._begins, self._blocks, strict=False):
            if scope == unit.scope and single == (unit.node != NO_NODE):
                row = int(np.searchsorted(self._endpoints, unit.node)) if single else unit.first
                return int(begin) + (row if kind == ALL_CLASSES else count + row * self._classes + kind)
        return int(self._begins[-1]) + (self._classes if kind == ALL_CLASSES else kind)

    def inside(self, unit: Unit, flows: Flows) -> NDArray[np.float64]:
        """Part of each flow that counts towards a unit, (n,): all or nothing but for endpoints that are not told."""
        kind = flows.demand_class
        found = self._together[kind] > 0 if unit.demand_class == ALL_CLASSES else kind == unit.demand_class
        if unit.scope == Scope.REGION:
            found = found & ((self._region[flows.source] == unit.first) | (self._region[flows.target] == unit.first))
        elif unit.scope == Scope.PAIR:
            found = found & (flows.source == unit.first) & (flows.target == unit.second)
        elif unit.scope in (Scope.SOURCE, Scope.TARGET):
            group, node = flows.end(unit.scope)
            found = found & (group == unit.first)
            if unit.node != NO_NODE:
                share = self._shares[unit.scope][unit.node][kind]
                return np.asarray(found * np.where(node == NO_NODE, share, node == unit.node))
        return found.astype(np.float64)

    def names(self, unit: Unit) -> tuple[str, ...]:
        """Whom a unit concerns: an endpoint, homes of groups, the seat of a region, classes; of a pair both ends."""
        if unit.scope == Scope.REGION:
            return (self._region_names[unit.first],)
        if unit.scope == Scope.CLASS:
            kinds = np.flatnonzero(self._together) if unit.demand_class == ALL_CLASSES else [unit.demand_class]
            return tuple(self._class_names[kind] for kind in kinds)
        if unit.scope == Scope.PAIR:
            return tuple("+".join(self._group_names[group]) for group in (unit.first, unit.second))
        return self._group_names[unit.first] if unit.node == NO_NODE else (self._node_names[unit.node],)

    def _table(
        self, row: NDArray[np.int64], kind: NDArray[np.int64], amount: NDArray[np.float64], rows: int
    ) -> NDArray[np.float64]:
        """Sum by row and class, (rows, C)."""
        table: NDArray[np.float64] = np.bincount(row * self._classes + kind, amount, rows * self._classes).astype(
            np.float64
        )
        return table.reshape(rows, self._classes)
