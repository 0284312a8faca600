"""The static policy at work: carries a prepared plan out, slot by slot, and decides nothing."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from router_core.network import Network
from strategies.brain import BorrowServers, Command, Event, SetHandling, SetPlan, SlotStarted
from strategies.static.path_plans import path_plans
from strategies.static.plan_in_time import PlanInTime
from strategies.static.task_rules import Classifier, TaskRules
from strategies.static.week_plan import WeekPlan


class StaticBrain:
    """`Brain` of a plan.

    Parameters
    ----------
    network : Network
    plan : WeekPlan
    classes : Classifier
    start : datetime
        Local time of instant 0 of the run, without a zone.
    holds : bool
        Whether the plan's release windows are carried out; without them it goes by another name.

    Raises
    ------
    BadInputError
        If the plan is of another network.
    """

    def __init__(
        self, network: Network, plan: WeekPlan, classes: Classifier, start: datetime, *, holds: bool = True
    ) -> None:
        self._in_time = PlanInTime(network, plan, start)
        self.name = "static" if holds else "static-no-holds"
        self._plans = path_plans(network, plan.paths)
        self._plan = plan
        self._classes = classes
        self._holds = holds
        self._slot: int | None = None
        self._weights: NDArray[np.int16] | None = None
        self._servers = np.zeros(len(plan.node), dtype=np.int32)

    def handle(self, event: Event) -> list[Command]:
        """Return what changes with the slot that begins, and servers that the next one needs."""
        if not isinstance(event, SlotStarted):
            return []
        slot = self._in_time.slot(event.now_ns)
        servers = self._in_time.servers(event.now_ns)
        commands: list[Command] = list(borrowing_commands(self._plan.node, self._servers, servers))
        self._servers = servers
        if slot != self._slot:
            weights = self._plan.weights[slot]
            if self._weights is None or not np.array_equal(weights, self._weights):
                commands.append(SetPlan(self._plans.plan(self._plan.shares(slot))))
                self._weights = weights
            if self._holds:
                commands.append(SetHandling(TaskRules(self._plan, slot, self._classes)))
            self._slot = slot
        return commands


def borrowing_commands(
    node: NDArray[np.int32], before: NDArray[np.int32], servers: NDArray[np.int32]
) -> list[BorrowServers]:
    """Return what leads from these numbers of servers to those, (B,); those that give back come first.

    What they had may be what others get.
    """
    parts = np.flatnonzero(servers < before), np.flatnonzero(servers > before)
    return [BorrowServers(node[part], servers[part]) for part in parts if len(part)]
