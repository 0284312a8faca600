"""A package as its endpoint reads it: ways, holds and classes, the very ones that the simulated brain would give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from feed.bundle.documents import ClassesDocument, ReleaseDocument, TargetRoutes
from feed.bundle.parsed import Parsed, weights_at
from feed.clock import instant_of, local_of
from router_core.exchanges import Exchanges
from router_core.network import Network
from router_core.plan import Choice, Trunk
from router_core.slot_clock import SlotClock
from router_core.time_grid import TimeGrid
from router_core.units import SECOND_NS
from router_core.vocabulary import PRIORITY_MAX, TaskKind
from strategies.brain import Handling
from strategies.dynamic.pacing import PacedRules
from strategies.static.task_rules import TaskRules

Key = tuple[str, int, int, int]


class AgentPolicy:
    """What a package says to one endpoint; it never changes.

    Parameters
    ----------
    network : Network
        The one that the package was made for.
    parsed : Parsed
        A package whose meaning was checked (`feed.agent.meaning`).
    scope : str
        Name of the endpoint.

    Attributes
    ----------
    network : Network
    parsed : Parsed
    scope : str
    node, group : int
        The endpoint, and its group.
    soft_ns, hard_ns, created_ns : int
        Expiries and date of the bundle [ns since 1970].
    """

    def __init__(self, network: Network, parsed: Parsed, scope: str) -> None:
        self.network = network
        self.parsed = parsed
        self.scope = scope
        self.node = network.node_index[scope]
        self.group = int(network.node_group[self.node])
        manifest = parsed.manifest
        self.created_ns = instant_of(manifest.created)
        self.soft_ns, self.hard_ns = instant_of(manifest.soft_expiry), instant_of(manifest.hard_expiry)
        self._routes = {one.target: one for one in parsed.routes[self.group].targets}
        now = parsed.now.get(self.group)
        self._away = {} if now is None else dict(now.weights)
        self._chosen: dict[int, Choice] = {}
        self._chosen_in: tuple[int, bool] | None = None
        self._trunks: dict[int, tuple[Trunk, ...]] = {}
        self._handlings: dict[tuple[int, bool], Handling] = {}
        self._clock = _clock(parsed.release.grid())

    def slot_at(self, now_ns: int) -> int:
        """Slot of the static layer that holds at an instant since 1970 [ns]."""
        return self._clock.slot_at(local_of(now_ns))

    def next_slot_ns(self, now_ns: int) -> int:
        """When the next slot begins [ns since 1970]."""
        # Slots divide the local day, which is a whole number of hours ahead of UTC; both begin at whole seconds.
        step_ns = self.parsed.release.slot_ns
        offset_ns = 8 * 3_600 * SECOND_NS
        return ((now_ns + offset_ns) // step_ns + 1) * step_ns - offset_ns

    @property
    def targets(self) -> tuple[int, ...]:
        """Groups that have a way, ascending."""
        return tuple(self._routes)

    def choice(self, target_group: int, slot: int, dynamic: bool) -> Choice | None:
        """Ways to a group of endpoints, `None` if there is none."""
        # Guards, probe, live plan and NiFi's file ask for the same slot, one after the other.
        if self._chosen_in != (slot, dynamic):
            self._chosen_in, self._chosen = (slot, dynamic), {}
        found = self._chosen.get(target_group)
        routes = self._routes.get(target_group)
        if found is None and routes is not None:
            away = self._away.get(target_group) if dynamic else None
            weights = weights_at(routes.weights, slot) if away is None else away
            self._chosen[target_group] = found = Choice(self._trunks_of(routes), weights)
        return found

    def plan(self, slot: int, dynamic: bool) -> AgentPlan:
        """Return the ways of one slot as a plan."""
        return AgentPlan(self, slot, dynamic)

    def handling(self, slot: int, dynamic: bool) -> Handling:
        """Return how tasks are treated that are accepted in a slot."""
        key = slot, dynamic
        if key not in self._handlings:
            rules = TaskRules(self._release, slot, self._classifier)
            self._handlings[key] = self._paced(rules) if dynamic else rules
        return self._handlings[key]

    def class_name(self, task: Exchanges) -> str:
        """Name of the demand class of one task."""
        return self.parsed.classes.classes[int(self._classifier.classify(task)[0])].name

    def _paced(self, rules: TaskRules) -> Handling:
        now = self.parsed.now.get(self.group)
        if now is None or not now.holds:
            return rules
        groups = len(self.network.groups)
        own = np.zeros((2, 1, groups), dtype=np.int64)
        for target, hold_ns, last_ns in now.holds:
            own[:, 0, target] = hold_ns, last_ns
        classes = self.parsed.classes.classes
        return PacedRules(
            rules,
            self._classifier,
            # Tasks set out from here alone, so one row does for all.
            np.broadcast_to(own, (2, groups, groups)),
            self.network.node_group,
            np.array([one.hold_max_ns for one in classes], dtype=np.int64),
            np.array([one.deferrable for one in classes], dtype=np.bool_),
            now.hold_of_lead,
        )

    def _trunks_of(self, routes: TargetRoutes) -> tuple[Trunk, ...]:
        trunks = self._trunks.get(routes.target)
        if trunks is None:
            trunks = tuple(Trunk(way.first, way.last, way.stations) for way in routes.ways)
            self._trunks[routes.target] = trunks
        return trunks

    @cached_property
    def _classifier(self) -> PackageClassifier:
        relations = self.parsed.relations.get(self.group)
        own = () if relations is None else relations.endpoints.get(self.scope, ())
        return PackageClassifier(self.network, self.parsed.classes, own)

    @cached_property
    def _release(self) -> PackageRelease:
        return package_release(self.parsed.release, self.parsed.classes)


@dataclass(frozen=True)
class AgentPlan:
    """`EndpointPlan` of an endpoint's policy in one slot; what does not set out from it has no way here.

    Attributes
    ----------
    policy : AgentPolicy
    slot : int
    dynamic : bool
        Whether the dynamic layer holds.
    """

    policy: AgentPolicy
    slot: int
    dynamic: bool

    def choice(self, source_group: int, target_group: int) -> Choice | None:
        """Ways from the endpoint's own group to another one."""
        own = source_group == self.policy.group
        return self.policy.choice(target_group, self.slot, self.dynamic) if own else None

    def between(self, source: int, target: int) -> Choice | None:
        """Ways from one endpoint to another, by node numbers."""
        groups = self.policy.network.node_group
        return self.choice(int(groups[source]), int(groups[target]))


class PackageClassifier:
    """`Classifier` by the documents of a package.

    Parameters
    ----------
    network : Network
    classes : ClassesDocument
    relations : sequence of (target, mode, kind, priority, class)
        Those of the endpoint that the table of fallbacks does not give.
    """

    def __init__(
        self, network: Network, classes: ClassesDocument, relations: Sequence[tuple[str, int, int, int, int]]
    ) -> None:
        self._names = network.node_name
        self._fallback = np.array(classes.fallback, dtype=np.int16)
        self._known: dict[Key, int] = {(row[0], row[1], row[2], row[3]): row[4] for row in relations}

    def classify(self, exchanges: Exchanges) -> NDArray[np.int16]:
        """Return the class of each exchange that the endpoint sends, (n,)."""
        columns = exchanges.target, exchanges.mode, exchanges.kind, exchanges.priority
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return np.array([self._of(self._names[target], *rest) for target, *rest in rows], dtype=np.int16)

    def _of(self, target: str, mode: int, kind: int, priority: int) -> int:
        known = self._known.get((target, mode, kind, priority))
        if known is not None:
            return known
        return int(self._fallback[(mode * len(TaskKind) + kind) * (PRIORITY_MAX + 1) + priority])


@dataclass(frozen=True, eq=False)
class PackageRelease:
    """`ReleasePlan` of a package; arrays as there."""

    priority: NDArray[np.int8]
    lag_ns: NDArray[np.int64]
    hold: NDArray[np.int16]
    hold_of_lead: float


def package_release(release: ReleaseDocument, classes: ClassesDocument) -> PackageRelease:
    """Return when deferrable tasks are let go, slot by slot."""
    hold = np.empty((release.slots, len(release.hold), len(release.lag_ns)), dtype=np.int16)
    for row, runs in enumerate(release.hold):
        for slot, weights in runs:
            hold[slot:, row] = weights
    return PackageRelease(
        priority=np.array([one.priority for one in classes.classes], dtype=np.int8),
        lag_ns=np.array(release.lag_ns, dtype=np.int64),
        hold=hold,
        hold_of_lead=release.hold_of_lead,
    )


@lru_cache(maxsize=8)
def _clock(grid: TimeGrid) -> SlotClock:
    return SlotClock(grid)
