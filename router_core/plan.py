"""A plan: which ways the exchanges between two groups of endpoints take, and in which shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from router_core.network import Network
from router_core.spread import spread


@dataclass(frozen=True)
class Trunk:
    """A way from one home to another: the stations between the two access lines, processing included.

    Attributes
    ----------
    first, last : int
        The home where the exchange enters and the one where it leaves; they may be the same node.
    stations : tuple of int
        Stations in order, from the first home's to the last home's; exactly one is a PROCESS station.
    """

    first: int
    last: int
    stations: tuple[int, ...]


@dataclass(frozen=True)
class Choice:
    """Ways between two groups and their integer weights; an exchange picks one by the hash of its id.

    Attributes
    ----------
    trunks : tuple of Trunk
        At least one, in order of preference.
    weights : tuple of int
        One for each trunk, >= 0, with a positive sum.
    """

    trunks: tuple[Trunk, ...]
    weights: tuple[int, ...]

    def pick(self, exchange_id: int, attempt: int = 0) -> int:
        """Return the position of the trunk that this exchange takes at its first attempt, or after so many failures.

        Each failure moves it on to the next trunk of positive weight, round and round.
        """
        if len(self.trunks) == 1:
            return 0
        open_ones = [position for position, weight in enumerate(self.weights) if weight > 0]
        ticket = spread(exchange_id, 0, sum(self.weights))
        for place, position in enumerate(open_ones):
            ticket -= self.weights[position]
            if ticket < 0:
                return open_ones[(place + attempt) % len(open_ones)]
        raise AssertionError("weights of a choice have a positive sum")


class Plan(Protocol):
    """A pure function of two groups: asking changes nothing, so it may be asked at any time and in any order."""

    def choice(self, source_group: int, target_group: int) -> Choice | None:
        """Ways from one group of endpoints to another, `None` if the network has none."""
        ...


@runtime_checkable
class EndpointPlan(Protocol):
    """A plan in which endpoints of one group may differ: where their access lines do, or what they know."""

    def choice(self, source_group: int, target_group: int) -> Choice | None:
        """As in `Plan`, for endpoints that do not differ."""
        ...

    def between(self, source: int, target: int) -> Choice | None:
        """Ways from one endpoint to another, `None` if it has none."""
        ...


def choice_between(plan: Plan, network: Network, source: int, target: int) -> Choice | None:
    """Return what a plan says of two endpoints, `None` if it has no way."""
    # Not isinstance: against a protocol that takes longer than the answer.
    between = getattr(plan, "between", None)
    if between is not None:
        answer: Choice | None = between(source, target)
        return answer
    return plan.choice(int(network.node_group[source]), int(network.node_group[target]))


def route(network: Network, source: int, target: int, trunk: Trunk) -> tuple[int, ...]:
    """Return all stations from endpoint to endpoint: own station, access line, trunk, access line, own station."""
    return (
        int(network.node_station[source]),
        network.access_station[source, trunk.first],
        *trunk.stations,
        network.access_station[trunk.last, target],
        int(network.node_station[target]),
    )
