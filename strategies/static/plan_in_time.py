"""A week's plan by the clock: which slot holds, what it gives, and what must be asked for ahead of the next one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.lending import lending
from router_core.network import Network
from strategies.static.week_plan import WeekPlan

# Beside the time they take to start, servers are asked for so long before they are needed: a control slot may pass.
AHEAD: Final = timedelta(minutes=10)


class PlanInTime:
    """A plan and the local time of a run's instant 0.

    Parameters
    ----------
    network : Network
    plan : WeekPlan
    start : datetime
        Local time of instant 0 of the run, without a zone.

    Raises
    ------
    BadInputError
        If the plan is of another network.
    """

    def __init__(self, network: Network, plan: WeekPlan, start: datetime) -> None:
        if plan.topology != network.digest:
            raise BadInputError("plan.topology", "must be that of the network", plan.topology[:12])
        self.plan = plan
        self._start = start
        self._lending = lending(network)

    def at(self, now_ns: int) -> datetime:
        """Local time of an instant of the run."""
        return self._start + timedelta(microseconds=now_ns // 1_000)

    def slot(self, now_ns: int) -> int:
        """Slot of the plan that holds at an instant."""
        return self.plan.slot_at(self.at(now_ns))

    def servers(self, now_ns: int) -> NDArray[np.int32]:
        """Servers of this slot, and as far as the pools reach those that the slot soon to begin needs beyond; (B,)."""
        plan, lent, now = self.plan, self._lending, self.at(now_ns)
        servers: NDArray[np.int32] = plan.servers[plan.slot_at(now)].copy()
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
