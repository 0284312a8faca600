"""What a brain's commands come to: the dynamic layer of the policy in force."""

from __future__ import annotations

import hashlib
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from feed.bundle.compose import PolicyContent
from router_core.errors import BadInputError
from router_core.network import Network
from strategies.brain import BorrowServers, Command, SetHandling, SetPlan
from strategies.dynamic.pacing import PacedRules
from strategies.dynamic.patched_plan import PatchedPlan
from strategies.static.path_plans import PathPlan
from strategies.static.plan_in_time import PlanInTime
from strategies.static.prepare import Prepared
from strategies.static.task_rules import TaskRules


class PolicyNow:
    """Follows the commands of a prepared brain.

    Parameters
    ----------
    network : Network
    prepared : Prepared
        What the brain goes by; its plan is the static layer.
    start : datetime
        Local time of instant 0 of the run, without a zone.
    """

    def __init__(self, network: Network, prepared: Prepared, start: datetime) -> None:
        self._prepared = prepared
        self._in_time = PlanInTime(network, prepared.plan, start)
        self._away: dict[tuple[int, int], tuple[int, ...]] = {}
        self._rules: PacedRules | None = None
        self._place = {node: place for place, node in enumerate(prepared.plan.node.tolist())}
        self._servers: NDArray[np.int32] = np.zeros(len(self._place), dtype=np.int32)

    def apply(self, command: Command) -> None:
        """Take a command in; those that change no policy are none of its business.

        Raises
        ------
        BadInputError
            If a plan or a handling is none that a bundle can say.
        """
        match command:
            case SetPlan(PatchedPlan() as plan):
                self._away = dict(plan.weights)
            case SetPlan(PathPlan()):
                self._away = {}
            case SetHandling(PacedRules() as rules):
                self._rules = rules
            case SetHandling(TaskRules() | None):
                self._rules = None
            case BorrowServers(node, servers):
                for one, count in zip(node.tolist(), servers.tolist(), strict=True):
                    self._servers[self._place[one]] = count
            case SetPlan() | SetHandling():
                raise BadInputError("policy", "must be one of a prepared brain", type(command).__name__)
            case _:
                pass

    def content(self, now_ns: int) -> PolicyContent:
        """Return what a bundle is composed of at an instant of the run [ns]."""
        rules = self._rules
        return PolicyContent(
            plan=self._prepared.plan,
            classes=self._prepared.classes,
            away=dict(self._away),
            pair_hold_ns=None if rules is None else rules.pair_hold_ns,
            hold_of_lead=0.0 if rules is None else rules.hold_of_lead,
            servers=self._servers.copy() if self._borrows_otherwise(now_ns) else None,
        )

    def key(self, now_ns: int) -> str:
        """Digest of the dynamic layer at an instant [ns]; equal layers have equal ones."""
        state = hashlib.sha256(repr(sorted(self._away.items())).encode())
        if self._rules is not None:
            state.update(np.ascontiguousarray(self._rules.pair_hold_ns).tobytes())
        if self._borrows_otherwise(now_ns):
            state.update(self._servers.tobytes())
        return state.hexdigest()

    def as_planned(self, now_ns: int) -> bool:
        """Whether nothing differs from the plan at an instant [ns]."""
        return not self._away and self._rules is None and not self._borrows_otherwise(now_ns)

    def _borrows_otherwise(self, now_ns: int) -> bool:
        return not np.array_equal(self._servers, self._in_time.servers(now_ns))
