"""``routes.csv`` for NiFi's lookup service: always whole, always the ways of this moment, never empty."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from feed.agent.agent_policy import AgentPolicy
from feed.bundle.documents import RoutesDocument, TargetRoutes, Way
from feed.bundle.nifi import NifiWriter
from feed.disk import SYSTEM_DISK, Disk
from feed.durable import READABLE
from router_core.live_plan import LivePlan
from router_core.plan import Trunk

NAMES_FILE = "names.csv"


class NifiFile:
    """Keeps the files up to date by atomic replacement.

    Parameters
    ----------
    path : Path
        Of ``routes.csv``; ``names.csv`` lies beside it.
    disk : Disk, optional
    """

    def __init__(self, path: Path, disk: Disk = SYSTEM_DISK) -> None:
        self._disk = disk
        self._path = path
        self._policy: AgentPolicy | None = None
        self._writer: NifiWriter | None = None
        self._written: dict[Path, bytes] = {}

    def write(self, policy: AgentPolicy, live: LivePlan) -> bool:
        """Write what changed and return whether anything did; a policy without any way leaves the files as they are.

        Raises
        ------
        OSError
            If they cannot be written: they are as they were.
        """
        if policy is not self._policy or self._writer is None:
            self._policy = policy
            self._writer = NifiWriter(policy.network, policy.parsed.platform, policy.parsed.classes)
        routes = live_routes(policy, live)
        if not routes.targets:
            return False
        changed = self._put(self._path, self._writer.routes(routes, None, 0))
        return self._put(self._path.with_name(NAMES_FILE), self._writer.names()) or changed

    def _put(self, path: Path, data: bytes) -> bool:
        if self._written.get(path) == data and path.exists():
            return False
        self._disk.write(path, data, READABLE)
        self._written[path] = data
        return True


def live_routes(policy: AgentPolicy, live: LivePlan) -> RoutesDocument:
    """Return the ways that hold now as a document of one slot: ways that stand in for others have their weight too.

    The endpoint's own access lines are looked at, those of the targets are not: a row speaks of a whole group.
    """
    targets = []
    for target in policy.targets:
        choice = live.choice_from(policy.node, target)
        if choice is None:
            continue
        weights: Counter[Trunk] = Counter()
        for trunk, weight in zip(choice.trunks, choice.weights, strict=True):
            weights[trunk] += weight
        ways = tuple(Way.model_construct(first=one.first, last=one.last, stations=one.stations) for one in weights)
        runs = ((0, tuple(weights.values())),)
        targets.append(TargetRoutes.model_construct(target=target, ways=ways, weights=runs))
    return RoutesDocument.model_construct(source=policy.group, targets=tuple(targets))
