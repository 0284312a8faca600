"""The plan in force, asked when a chunk takes its route and not before."""

from __future__ import annotations

from router_core.network import Network
from router_core.plan import Plan
from sim.reference.journey import Part
from sim.ways import Ways, ways


class PlanInForce:
    """One plan as long as it is in force; a plan is a pure function, so an answer may be kept."""

    def __init__(self, network: Network, plan: Plan | None) -> None:
        self._network = network
        self._plan = plan
        self._ways: dict[tuple[int, int], Ways | None] = {}

    def ways(self, source: int, target: int) -> Ways | None:
        """Return the ways from one endpoint to another, `None` if there are none; raises `BadInputError`."""
        key = (source, target)
        if key not in self._ways:
            self._ways[key] = ways(self._network, self._plan, source, target)
        return self._ways[key]

    def way(self, chunk: Part) -> tuple[int, ...] | None:
        """Return the stations of the way that this attempt of a chunk takes, `None` if there is none."""
        exchange = chunk.exchange
        found = self.ways(exchange.source, exchange.target)
        return None if found is None else found.routes[found.choice.pick(exchange.number, chunk.failures)]
