"""The two brains a network has without one: a single shortest path, and an even split over equal ones."""

from __future__ import annotations

from functools import lru_cache

from router_core.equal_cost import PATHS_MAX, EqualCostPlan
from router_core.network import Network
from strategies.brain import Command, Event, SetPlan, SlotStarted


class EqualCostBrain:
    """Sets its plan at the first slot and never changes it.

    Parameters
    ----------
    name : str
    plan : EqualCostPlan
    """

    def __init__(self, name: str, plan: EqualCostPlan) -> None:
        self.name = name
        self._plan = plan
        self._started = False

    def handle(self, event: Event) -> list[Command]:
        """Return the plan once, at the first slot."""
        if isinstance(event, SlotStarted) and not self._started:
            self._started = True
            return [SetPlan(self._plan)]
        return []


def shortest_path(network: Network) -> EqualCostBrain:
    """Everything between two groups takes one shortest trunk; ties go to the lowest station index."""
    return EqualCostBrain("shortest-path", _plan(network, 1))


def ecmp(network: Network) -> EqualCostBrain:
    """Exchanges spread evenly over the equal-cost trunks, so both carriers carry the same."""
    return EqualCostBrain("ecmp", _plan(network, PATHS_MAX))


# Studies make many brains of one network, one after another, and what a plan has found depends on the network alone.
@lru_cache(maxsize=2)
def _plan(network: Network, paths_max: int) -> EqualCostPlan:
    return EqualCostPlan(network, paths_max)
