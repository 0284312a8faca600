"""From a plan, and what differs from it now, to the files of a bundle."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from feed.bundle.documents import (
    CAPACITY_FILE,
    CLASSES_FILE,
    GUARDS_FILE,
    NAME_CHARS_MAX,
    NAME_PATTERN,
    NIFI_NAMES_FILE,
    PLATFORM_FILE,
    RELEASE_FILE,
    WAYS_MAX,
    ClassEntry,
    ClassesDocument,
    GroupEntry,
    GuardsDocument,
    PlatformDocument,
    canonical_json,
    nifi_file,
    now_file,
    relations_file,
    routes_file,
)
from feed.bundle.manifest import KnownEntries
from feed.bundle.nifi import NifiWriter
from feed.clock import instant_of, local_of
from router_core.errors import BadInputError
from router_core.network import Network
from router_core.paths.trunks import path_trunks
from router_core.table.weights import whole_weights
from router_core.vocabulary import PRIORITY_MAX, Mode, TaskKind
from strategies.classes.class_model import ClassModel
from strategies.static.week_plan import WEIGHT_TOTAL, WeekPlan

_NAME: Final = re.compile(NAME_PATTERN)


@dataclass(frozen=True, eq=False)
class PolicyContent:
    """A policy as the brain has it; B nodes that may borrow, G groups of endpoints.

    Attributes
    ----------
    plan : WeekPlan
        The static layer.
    classes : ClassModel
    away : mapping of (source group, target group) to tuple of int
        Weights of pairs that do not go by plan now, of the pair's paths in their order; pairs without paths are left
        out.
    pair_hold_ns : int64 (2, G, G) or None
        Holds of the moment, as of `strategies.dynamic.pacing.PacedRules`; None: as planned.
    hold_of_lead : float
        What those holds may take of a task's lead, in [0, 1).
    servers : int32 (B,) or None
        What nodes are to have now; None: as planned.
    """

    plan: WeekPlan
    classes: ClassModel
    away: Mapping[tuple[int, int], tuple[int, ...]]
    pair_hold_ns: NDArray[np.int64] | None
    hold_of_lead: float = 0.0
    servers: NDArray[np.int32] | None = None


def compose(
    network: Network, content: PolicyContent, guards: GuardsDocument, valid_from: datetime | None = None
) -> dict[str, bytes]:
    """Return the files of a bundle, by path, once; parameters and errors are those of `Composer`."""
    return Composer(network).compose(content, guards, valid_from)


class Composer:
    """Makes files of one publication after another; what a plan alone decides is written once.

    Parameters
    ----------
    network : Network

    Attributes
    ----------
    entries : KnownEntries
        Digests of the files composed so far, for `make_manifest`.

    Raises
    ------
    BadInputError
        If a node's name cannot stand in a bundle.
    """

    def __init__(self, network: Network) -> None:
        self.entries = KnownEntries()
        self._network = network
        self._platform = platform_document(network)
        self._static: _Static | None = None
        self._nifi: dict[int, tuple[object, bytes]] = {}

    def compose(
        self, content: PolicyContent, guards: GuardsDocument, valid_from: datetime | None = None
    ) -> dict[str, bytes]:
        """Return the files of a bundle, by path.

        Parameters
        ----------
        content : PolicyContent
        guards : GuardsDocument
        valid_from : datetime, optional
            With a zone; the tables for NiFi are of its slot. Begin of the plan if not given.

        Raises
        ------
        BadInputError
            If the plan is of another network, or parts of the content do not fit each other.
        """
        plan = content.plan
        if plan.topology != self._network.digest:
            raise BadInputError("plan.topology", "must be that of the network", plan.topology[:12])
        static = self._static
        if static is None or static.plan is not plan or static.classes is not content.classes:
            self._static = static = _Static(self._network, self._platform, plan, content.classes)
            self._nifi = {}
        now = _now(static, content, len(self._platform.groups))
        files = dict(static.files)
        for group, document in now.items():
            files[now_file(group)] = canonical_json(document)
        files[CAPACITY_FILE] = canonical_json({"planned": static.servers, "now": _servers_now(static, content, self)})
        files[GUARDS_FILE] = canonical_json(guards)
        slot = 0 if valid_from is None else plan.slot_at(local_of(instant_of(valid_from)))
        row = static.row_of_slot[slot]
        for group in range(len(self._platform.groups)):
            moved = dict(now[group]["weights"]) if group in now else {}
            key = (row, moved)
            known = self._nifi.get(group)
            if known is None or known[0] != key:
                self._nifi[group] = known = (key, static.nifi(group, row, moved))
            files[nifi_file(group)] = known[1]
        return files

    def node_name(self, node: int) -> str:
        """Name of a node."""
        return self._network.node_name[node]


def platform_document(network: Network) -> PlatformDocument:
    """Return what the numbers of a network's groups mean.

    Raises
    ------
    BadInputError
        If a name cannot stand in a bundle.
    """
    for name in network.node_name:
        if len(name) > NAME_CHARS_MAX or not _NAME.fullmatch(name):
            rule = f"must be named without / and \\ and in at most {NAME_CHARS_MAX} characters, to stand in a bundle"
            raise BadInputError(f"node {name[:80]}", rule, name)
    homes = [tuple(network.node_name[home] for home in group) for group in network.groups]
    taken: set[str] = set()
    groups = []
    for of_group in homes:
        plain = name = "+".join(of_group)
        number = 1
        while name in taken:
            number += 1
            name = f"{plain}.{number}"
        taken.add(name)
        groups.append(GroupEntry(name=name, homes=of_group))
    endpoints = {network.node_name[node]: int(network.node_group[node]) for node in network.endpoints.tolist()}
    return PlatformDocument(
        topology=network.digest,
        stations=network.station_count,
        groups=tuple(groups),
        endpoints=dict(sorted(endpoints.items())),
    )


class _Static:
    """What a plan and classes alone decide.

    Attributes
    ----------
    files : dict of str to bytes
    row_of_slot : list of int
        Which of the different weights hold in each slot.
    servers : dict of str to runs
    """

    def __init__(self, network: Network, platform: PlatformDocument, plan: WeekPlan, classes: ClassModel) -> None:
        self.plan, self.classes = plan, classes
        self.row_of_slot, rows = _distinct(plan)
        whole = [whole_weights(plan.shares(slot), plan.paths.pair_start).tolist() for slot in rows]
        self._weights = whole
        self._pairs_of = _pairs_of(plan, len(platform.groups))
        self._first_path = plan.paths.pair_start.tolist()
        self._target = plan.paths.target.tolist()
        self._stations, ways = _ways(network, plan)
        document = _classes_document(plan, classes)
        self._writer = NifiWriter(network, platform, document)
        self.ways_of = {
            (group, self._target[pair]): self._first_path[pair + 1] - self._first_path[pair]
            for group, pairs in enumerate(self._pairs_of)
            for pair in pairs
        }
        self.servers = {
            network.node_name[node]: _runs(plan.servers[:, place])
            for place, node in sorted(enumerate(plan.node.tolist()), key=lambda one: network.node_name[one[1]])
            if plan.servers[:, place].any()
        }
        changes = _changes(plan, self.row_of_slot)
        relations = _relations(network, platform, classes)
        self.files = {
            PLATFORM_FILE: canonical_json(platform),
            CLASSES_FILE: canonical_json(document),
            RELEASE_FILE: canonical_json(_release(plan)),
            NIFI_NAMES_FILE: self._writer.names(),
        }
        for group, pairs in enumerate(self._pairs_of):
            targets = []
            for pair in pairs:
                first, last = self._first_path[pair], self._first_path[pair + 1]
                runs = [(slot, whole[self.row_of_slot[slot]][first:last]) for slot in changes[pair]]
                targets.append({"target": self._target[pair], "ways": ways[first:last], "weights": runs})
            self.files[routes_file(group)] = canonical_json({"source": group, "targets": targets})
            self.files[relations_file(group)] = canonical_json({"source": group, "endpoints": relations[group]})

    def nifi(self, group: int, row: int, moved: Mapping[int, tuple[int, ...]]) -> bytes:
        """Return ``routes.csv`` of a group by one of the different weights, and other weights of some targets."""
        weights, targets = self._weights[row], []
        for pair in self._pairs_of[group]:
            first, last = self._first_path[pair], self._first_path[pair + 1]
            target = self._target[pair]
            targets.append((target, self._stations[first:last], moved.get(target) or weights[first:last]))
        return self._writer.table(targets)


def _distinct(plan: WeekPlan) -> tuple[list[int], list[int]]:
    """Return which of the different weights hold in each slot, and the first slot of each of them."""
    known: dict[bytes, int] = {}
    first: list[int] = []
    row_of_slot = []
    for slot in range(plan.grid.count):
        row = known.setdefault(plan.weights[slot].tobytes(), len(known))
        if row == len(first):
            first.append(slot)
        row_of_slot.append(row)
    return row_of_slot, first


def _changes(plan: WeekPlan, row_of_slot: list[int]) -> list[list[int]]:
    """Return the slots in which weights of each pair change, from slot 0 on."""
    changes: list[list[int]] = [[0] for _ in range(plan.paths.pair_count)]
    for slot in range(1, plan.grid.count):
        if row_of_slot[slot] != row_of_slot[slot - 1]:
            moved = np.flatnonzero(plan.weights[slot] != plan.weights[slot - 1])
            for pair in np.unique(plan.paths.path_pair[moved]).tolist():
                changes[pair].append(slot)
    return changes


def _pairs_of(plan: WeekPlan, groups: int) -> list[list[int]]:
    """Return the connected pairs of each source group, targets ascending."""
    paths = plan.paths
    result: list[list[int]] = [[] for _ in range(groups)]
    connected = np.diff(paths.pair_start) > 0
    for pair in np.lexsort((paths.target, paths.source)).tolist():
        if connected[pair]:
            result[paths.source[pair]].append(pair)
    most = int(np.diff(paths.pair_start).max(initial=0))
    if most > WAYS_MAX:
        raise BadInputError("plan.paths", f"must have at most {WAYS_MAX} paths a pair, to stand in a bundle", most)
    return result


def _ways(network: Network, plan: WeekPlan) -> tuple[list[tuple[int, ...]], list[dict[str, Any]]]:
    """Return the stations of each path's trunk, and the trunk as a document."""
    trunks = path_trunks(network, plan.paths)
    ends = trunks.first.tolist(), trunks.last.tolist(), trunks.start.tolist(), trunks.stop.tolist()
    station = plan.paths.path_station.tolist()
    stations = [tuple(station[start:stop]) for start, stop in zip(*ends[2:], strict=True)]
    ways = [{"first": first, "last": last, "stations": of} for first, last, of in zip(*ends[:2], stations, strict=True)]
    return stations, ways


def _runs(values: NDArray[np.integer]) -> list[tuple[int, Any]]:
    """Return the runs of a value, or of a row of values, along slots."""
    flat = values.reshape(len(values), -1)
    slots = [0, *(np.flatnonzero((flat[1:] != flat[:-1]).any(axis=1)) + 1).tolist()]
    return [(slot, values[slot].tolist()) for slot in slots]


def _release(plan: WeekPlan) -> dict[str, Any]:
    return {
        "begin": plan.grid.begin.isoformat(timespec="seconds"),
        "slot_ns": plan.grid.step_ns,
        "slots": plan.grid.count,
        "lag_ns": plan.lag_ns.tolist(),
        "hold": [_runs(plan.hold[:, kind]) for kind in range(plan.hold.shape[1])],
        "hold_total": WEIGHT_TOTAL,
        "hold_of_lead": float(plan.hold_of_lead),
    }


def _classes_document(plan: WeekPlan, classes: ClassModel) -> ClassesDocument:
    if len(plan.priority) != len(classes.classes):
        raise BadInputError("classes", f"must be the {len(plan.priority)} of the plan", len(classes.classes))
    mode, kind, priority = (
        axis.reshape(-1).astype(np.int8)
        for axis in np.meshgrid(range(len(Mode)), range(len(TaskKind)), range(PRIORITY_MAX + 1), indexing="ij")
    )
    nobody = np.full(len(mode), -1, dtype=np.int32)  # a relation that no model knows
    fallback = classes.classify_relations(nobody, nobody, mode, kind, priority)
    return ClassesDocument(
        classes=tuple(
            ClassEntry(
                name=one.name,
                priority=int(plan.priority[number]),
                deferrable=bool(one.policy.deferrable),
                hold_max_ns=int(one.policy.hold_max_ns),
            )
            for number, one in enumerate(classes.classes)
        ),
        fallback=tuple(fallback.tolist()),
    )


def _relations(network: Network, platform: PlatformDocument, classes: ClassModel) -> list[dict[str, Any]]:
    """Return by source group and endpoint the relations of another class than their mode, kind and priority say."""
    result: list[dict[str, Any]] = [{} for _ in platform.groups]
    for name, group in platform.endpoints.items():
        result[group][name] = []
    columns = classes.mode, classes.kind, classes.priority
    nobody = np.full(len(classes.source), -1, dtype=np.int32)
    rows = np.flatnonzero(classes.classify_relations(nobody, nobody, *columns) != classes.relation_class)
    for row in rows.tolist():
        source, target = int(classes.source[row]), int(classes.target[row])
        for node in (source, target):
            if not (0 <= node < network.node_count and network.is_endpoint[node]):
                raise BadInputError("classes", "must be of relations between the network's endpoints", node)
        told = (network.node_name[target], *(int(column[row]) for column in columns), int(classes.relation_class[row]))
        result[int(network.node_group[source])][network.node_name[source]].append(told)
    for of_group in result:
        for told_of in of_group.values():
            told_of.sort()
    return result


def _now(static: _Static, content: PolicyContent, groups: int) -> dict[int, dict[str, Any]]:
    """Return the documents of the dynamic layer, by source group."""
    weights: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
    for (source, target), of_pair in sorted(content.away.items()):
        ways = static.ways_of.get((source, target))
        if ways is None:
            continue
        if len(of_pair) != ways or min(of_pair) < 0 or not any(of_pair):
            rule = f"must be {ways} weights, not negative, with a positive sum"
            raise BadInputError(f"away from group {source} to group {target}", rule, of_pair)
        weights.setdefault(source, []).append((target, tuple(int(weight) for weight in of_pair)))
    holds: dict[int, list[tuple[int, int, int]]] = {}
    held = content.pair_hold_ns
    if held is not None:
        if held.shape != (2, groups, groups) or (held < 0).any():
            raise BadInputError("pair_hold_ns", f"must be of shape {(2, groups, groups)}, not negative", held.shape)
        for source, target in np.argwhere(held.any(axis=0)).tolist():
            holds.setdefault(source, []).append((target, int(held[0, source, target]), int(held[1, source, target])))
    return {
        source: {
            "source": source,
            "weights": weights.get(source, []),
            "holds": holds.get(source, []),
            "hold_of_lead": float(content.hold_of_lead),
        }
        for source in sorted(weights.keys() | holds.keys())
    }


def _servers_now(static: _Static, content: PolicyContent, composer: Composer) -> dict[str, int]:
    """Return what nodes are to have now, without those that are to have that in every slot anyway."""
    plan, servers = content.plan, content.servers
    if servers is None:
        return {}
    if servers.shape != plan.node.shape or (servers < 0).any():
        raise BadInputError("servers", f"must be of shape {plan.node.shape}, not negative", servers.shape)
    named = {
        composer.node_name(node): int(count) for node, count in zip(plan.node.tolist(), servers.tolist(), strict=True)
    }
    return {name: count for name, count in sorted(named.items()) if static.servers.get(name, [(0, 0)]) != [(0, count)]}
