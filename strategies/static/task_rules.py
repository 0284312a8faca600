"""What front-ends do with tasks under the static plan: which are held, for how long, and in which class they travel."""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from router_core.exchanges import NO_DEADLINE, Exchanges
from router_core.spread_many import spread_many
from strategies.brain import Handled
from strategies.static.week_plan import WEIGHT_TOTAL

# Separates the choice of a hold from that of a way, which hashes the same id.
SALT: Final = 0x401D


class Classifier(Protocol):
    """Knows which demand class an exchange is of."""

    def classify(self, exchanges: Exchanges) -> NDArray[np.int16]:
        """Return the class of each exchange, (n,), 0 .. C - 1."""
        ...


class ReleasePlan(Protocol):
    """What of a plan says how tasks are treated: `WeekPlan`, or what a front-end has of it."""

    @property
    def priority(self) -> NDArray[np.int8]:
        """Class of service in which a demand class travels, (C,)."""
        ...

    @property
    def lag_ns(self) -> NDArray[np.int64]:
        """Holds to choose from [ns], from 0, ascending, (J,)."""
        ...

    @property
    def hold(self) -> NDArray[np.int16]:
        """Weights of the lags, (K, C, J), rows of sum `WEIGHT_TOTAL`."""
        ...

    @property
    def hold_of_lead(self) -> float:
        """Nothing is held for more than this share of the time to its deadline."""
        ...


def longest_hold_ns(tasks: Exchanges, of_lead: float) -> NDArray[np.int64]:
    """Longest hold of each task that leaves enough of its lead, (n,); without a deadline there is no limit."""
    lead_ns = np.maximum(tasks.deadline_ns - tasks.submitted_ns, 0)
    limit_ns = (lead_ns * of_lead).astype(np.int64)
    return np.where(tasks.deadline_ns == NO_DEADLINE, np.iinfo(np.int64).max, limit_ns)


class TaskRules:
    """`Handling` of one slot of a plan.

    Parameters
    ----------
    plan : ReleasePlan
    slot : int
    classes : Classifier
    """

    def __init__(self, plan: ReleasePlan, slot: int, classes: Classifier) -> None:
        self._classes = classes
        self._priority = plan.priority
        self._lag_ns = plan.lag_ns
        self._hold_of_lead = plan.hold_of_lead
        self._upto = np.cumsum(plan.hold[slot], axis=1, dtype=np.int64)
        self._waits = plan.hold[slot, :, 0] < WEIGHT_TOTAL

    def facts(self) -> tuple[object, ...]:
        """Return all that it goes by, the classifier apart: equal rules have equal facts."""
        return (self._priority, self._lag_ns, self._hold_of_lead, self._upto)

    def handle(self, tasks: Exchanges, first_id: int) -> Handled:
        """Draw each task's hold by its id from the weights of its class, within what its deadline allows."""
        return self.handle_classes(tasks, first_id, self._classes.classify(tasks))

    def handle_classes(self, tasks: Exchanges, first_id: int, kind: NDArray[np.int16]) -> Handled:
        """Do as `handle` where the class of each task is known, (n,)."""
        hold_ns = np.zeros(len(tasks), dtype=np.int64)
        waiting = np.flatnonzero(self._waits[kind])
        if len(waiting):
            ticket = spread_many(first_id + waiting, SALT, WEIGHT_TOTAL)
            lag_ns = self._lag_ns[(ticket[:, None] >= self._upto[kind[waiting]]).sum(axis=1)]
            hold_ns[waiting] = np.minimum(lag_ns, longest_hold_ns(tasks[waiting], self._hold_of_lead))
        return Handled(hold_ns, self._priority[kind])
