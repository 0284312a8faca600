"""The static policy at work: carries a prepared plan out, slot by slot, and decides nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.lending import lending
from router_core.network import Network
from router_core.splits.split import Split
from router_core.table.build import route_table
from strategies.brain import BorrowServers, Command, Event, SetHandling, SetPlan, SlotStarted
from strategies.static.task_rules import Classifier, TaskRules
from strategies.static.week_plan import WeekPlan

# Beside the time they take to start, servers are asked for so long before they are needed: a control slot may pass.
AHEAD: Final = timedelta(minutes=10)


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
        if plan.topology != network.digest:
            raise BadInputError("plan.topology", "must be that of the network", plan.topology[:12])
        self.name = "static" if holds else "static-no-holds"
        self._network = network
        self._plan = plan
        self._classes = classes
        self._start = start
        self._holds = holds
        self._lending = lending(network)
        self._slot: int | None = None
        self._weights: NDArray[np.int16] | None = None
        self._servers = np.zeros(len(plan.node), dtype=np.int32)

    def handle(self, event: Event) -> list[Command]:
        """Return what changes with the slot that begins, and servers that the next one needs."""
        if not isinstance(event, SlotStarted):
            return []
        now = self._start + timedelta(microseconds=event.now_ns // 1_000)
        slot = self._plan.slot_at(now)
        commands: list[Command] = []
        servers = self._wanted(slot, now)
        changed = np.flatnonzero(servers != self._servers)
        if len(changed):
            # Those that give back come first: what they had may be what others get.
            commands += [
                BorrowServers(self._plan.node[part], servers[part])
                for part in (
                    changed[servers[changed] < self._servers[changed]],
                    changed[servers[changed] > self._servers[changed]],
                )
                if len(part)
            ]
            self._servers = servers
        if slot != self._slot:
            weights = self._plan.weights[slot]
            if self._weights is None or not np.array_equal(weights, self._weights):
                commands.append(SetPlan(route_table(self._network, self._split(slot))))
                self._weights = weights
            if self._holds:
                commands.append(SetHandling(TaskRules(self._plan, slot, self._classes)))
            self._slot = slot
        return commands

    def _wanted(self, slot: int, now: datetime) -> NDArray[np.int32]:
        """Servers of this slot, and as far as the pools reach those that the slot soon to begin needs beyond."""
        plan, lent = self._plan, self._lending
        servers: NDArray[np.int32] = plan.servers[slot].copy()
        for pool, budget in enumerate(lent.budget.tolist()):
            members = np.flatnonzero(lent.pool == pool)
            if not len(members):
                continue
            start_ns = int(lent.start_ns[members[0]])
            soon = plan.slot_at(now + AHEAD + timedelta(microseconds=start_ns // 1_000))
            more = np.maximum(plan.servers[soon, members] - servers[members], 0)
            room = np.maximum(budget - int(servers[members].sum()) - np.concatenate(([0], np.cumsum(more)[:-1])), 0)
            servers[members] += np.minimum(more, room).astype(np.int32)
        return servers

    def _split(self, slot: int) -> Split:
        figures = self._plan.figures
        return Split(
            paths=self._plan.paths,
            shares=self._plan.shares(slot),
            objective=float(figures.peak_mean[slot]),
            lower_bound=float(figures.bound[slot]),
            sweeps=0,
            unrouted=np.empty(0, dtype=np.intp),
        )
