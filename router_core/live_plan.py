"""What front-ends do by themselves when stations stop: they leave out the ways known to be down, and ask no brain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.network import Network
from router_core.plan import Choice, EndpointPlan, Plan, Trunk, choice_between

Key = tuple[int, int]


class LivePlan:
    """`Plan` of another one's ways without those over stations that are down (`docs/adr/0020-trust-and-alternates.md`).

    Every exchange takes the way that `RouteTable.lookup_live` says, to the integer and at every attempt: its own while
    that is live; else the next live one of positive weight, round and round; if none of these is live, the first live
    one of weight 0, the last resort that plans carry. If no way is live, all stays as it was: exchanges wait by retry.

    A dead way is not taken out of its choice: the way that stands in for it takes its place, and its weight. So the
    hash of an exchange falls where it fell before, and nobody moves who need not.

    Parameters
    ----------
    plan : Plan
        The plan in force, whose ways and weights stay as they are.
    network : Network
    down : bool (S,)
        Which stations are known to be down.

    Attributes
    ----------
    plan : Plan

    Raises
    ------
    BadInputError
        If `down` is not one bool a station.
    """

    def __init__(self, plan: Plan, network: Network, down: NDArray[np.bool_]) -> None:
        if down.dtype != np.bool_ or down.shape != (network.station_count,):
            rule = f"must be bool of shape ({network.station_count},)"
            raise BadInputError("live plan: down", rule, f"{down.dtype} {down.shape}")
        self.plan = plan
        self._network = network
        self._by_endpoint = isinstance(plan, EndpointPlan)
        self._down = frozenset(np.flatnonzero(down).tolist())
        # Homes that an endpoint cannot send to, and those that it cannot receive from.
        self._cut_from: dict[int, set[int]] = {}
        self._cut_to: dict[int, set[int]] = {}
        for (begin, end), station in network.access_station.items() if self._down else ():
            if station in self._down:
                self._cut_from.setdefault(begin, set()).add(end)
                self._cut_to.setdefault(end, set()).add(begin)
        # A plan is a pure function, and who is down does not change: an answer may be kept.
        self._of_groups: dict[Key, Choice | None] = {}
        self._of_endpoints: dict[Key, Choice | None] = {}

    def choice(self, source_group: int, target_group: int) -> Choice | None:
        """Ways between two groups as their trunks allow; access lines are those of one endpoint, see `between`."""
        if not self._down:
            return self.plan.choice(source_group, target_group)
        key = source_group, target_group
        if key not in self._of_groups:
            choice = self.plan.choice(source_group, target_group)
            self._of_groups[key] = choice and _standing_in(choice, [self._joins(trunk) for trunk in choice.trunks])
        return self._of_groups[key]

    def between(self, source: int, target: int) -> Choice | None:
        """Ways between two endpoints, their own access lines looked at too, `None` if the plan has none."""
        network = self._network
        groups = int(network.node_group[source]), int(network.node_group[target])
        if not self._down.isdisjoint((int(network.node_station[source]), int(network.node_station[target]))):
            return choice_between(self.plan, network, source, target)
        cut_from, cut_to = self._cut_from.get(source), self._cut_to.get(target)
        if not cut_from and not cut_to and not self._by_endpoint:
            return self.choice(*groups)
        key = source, target
        if key not in self._of_endpoints:
            choice = choice_between(self.plan, network, source, target)
            self._of_endpoints[key] = choice and _standing_in(
                choice,
                [
                    self._joins(trunk)
                    and not (cut_from and trunk.first in cut_from)
                    and not (cut_to and trunk.last in cut_to)
                    for trunk in choice.trunks
                ],
            )
        return self._of_endpoints[key]

    def choice_from(self, source: int, target_group: int) -> Choice | None:
        """Ways from one endpoint to a group, its own access lines looked at too, `None` if the plan has none."""
        cut = self._cut_from.get(source, set())
        choice = self.plan.choice(int(self._network.node_group[source]), target_group)
        return choice and _standing_in(
            choice, [self._joins(trunk) and trunk.first not in cut for trunk in choice.trunks]
        )

    def _joins(self, trunk: Trunk) -> bool:
        return self._down.isdisjoint(trunk.stations)


def _standing_in(choice: Choice, live: list[bool]) -> Choice:
    """Return the choice with a live way in the place of each dead one that has weight, if there is a live way."""
    used = [position for position, weight in enumerate(choice.weights) if weight > 0]
    live_used = [position for position in used if live[position]]
    if len(live_used) == len(used):
        return choice
    others = live_used or [position for position in range(len(live)) if live[position]][:1]
    if not others:
        return choice
    trunks = list(choice.trunks)
    for position in used:
        if not live[position]:
            after = next((other for other in others if other > position), others[0])
            trunks[position] = choice.trunks[after]
    return Choice(tuple(trunks), choice.weights)
