"""Best routes between single endpoints of the platform, composed from those between their homes."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from router_core.best.checks import (
    CLOSED,
    UNREACHABLE,
    checked_changes,
    checked_pairs,
    refuse_costs,
    whole_numbers,
)
from router_core.best.hub_labels import HubLabels
from router_core.errors import BadInputError
from router_core.network import Network
from router_core.plan import Trunk, route
from router_core.routing_graph import ARRIVED, READY_PROCESSED, STATES, routing_graph

__all__ = ["CLOSED", "UNREACHABLE", "EndpointRoutes"]

# Stands for no way while parts are added: seven of them fit 64 bits.
_FAR: Final = 2**60


class EndpointRoutes:
    """The best route from any endpoint to any other, at the stations' costs of the moment.

    A route is the endpoint's own station, the access line to one of its homes, a lawful trunk, an access line and a
    station: the best over all pairs of homes, each with its own access line at its own cost. Nothing is kept for pairs
    of endpoints. Of equally good pairs of homes the first ones in the order of `Network.homes` are taken.

    Parameters
    ----------
    network : Network
    cost : int (S,)
        See `solve`.
    """

    def __init__(self, network: Network, cost: ArrayLike) -> None:
        self.network = network
        most = max((len(homes) for homes in network.homes.values()), default=1)
        shape = (network.node_count, most)
        terminal = sorted({home for homes in network.homes.values() for home in homes})
        number = {home: place for place, home in enumerate(terminal)}
        # An endpoint with fewer homes than others has its first one again.
        self._home = np.zeros(shape, dtype=np.int64)
        self._out, self._in = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for node, homes in network.homes.items():
            padded = homes + homes[:1] * (most - len(homes))
            self._home[node] = [number[home] for home in padded]
            self._out[node] = [network.access_station[node, home] for home in padded]
            self._in[node] = [network.access_station[home, node] for home in padded]
        self._terminal = np.array(terminal, dtype=np.int64)
        states = STATES * self._terminal
        graph = routing_graph(network)
        self._labels = HubLabels(graph, states + ARRIVED, states + READY_PROCESSED, network.station_count)
        self.solve(cost)

    @property
    def station_cost(self) -> NDArray[np.int64]:
        """Cost of each station as of now, (S,); `CLOSED` where it is closed. A read-only view, as of the last call."""
        view = self._labels.cost.view()
        view.setflags(write=False)
        return view

    def solve(self, cost: ArrayLike) -> None:
        """Take new costs of all stations, int (S,): at least 1, or `CLOSED`; rules and errors as in `BestRoutes`."""
        given = whole_numbers(cost, (self.network.station_count,), "cost")
        refuse_costs(given, self._labels.limit, self._station)
        self._labels.solve(given)

    def update(self, station: ArrayLike, cost: ArrayLike) -> None:
        """Change the costs of some stations, int (C,); the result equals that of `solve`."""
        number, changed = checked_changes(station, cost, self.network.station_count, "station")
        refuse_costs(changed, self._labels.limit, lambda place: self._station(int(number[place])))
        self._labels.update(number, changed)

    def cost(self, source: int, target: int) -> int:
        """Cost of the best route from an endpoint to another; `UNREACHABLE` if there is none."""
        return int(self.costs(source, target)[0])

    def costs(self, source: ArrayLike, target: ArrayLike) -> NDArray[np.int64]:
        """Cost of the best route of each pair, (C,); `UNREACHABLE` where there is none, 0 from an endpoint to itself.

        Parameters
        ----------
        source, target : int (C,)
            Nodes that are endpoints.
        """
        sources, targets = self._endpoints(source, target)
        return self._best(sources, targets)[0]

    def route(self, source: int, target: int) -> tuple[int, ...]:
        """All stations of the best route in order; empty if there is none, and from an endpoint to itself."""
        trunk = self.trunk(source, target)
        if trunk is None:
            return ()
        return route(self.network, source, target, trunk)

    def trunk(self, source: int, target: int) -> Trunk | None:
        """Return the best trunk between two endpoints, as plans have it; `None` if there is none."""
        sources, targets = self._endpoints(source, target)
        cost, first, last = self._best(sources, targets)
        if cost[0] == UNREACHABLE or source == target:
            return None
        here, there = self._home[sources, first], self._home[targets, last]
        stations = self._labels.routes(here, there)[1]
        return Trunk(int(self._terminal[here[0]]), int(self._terminal[there[0]]), tuple(stations.tolist()))

    def _best(
        self, source: NDArray[np.integer], target: NDArray[np.integer]
    ) -> tuple[NDArray[np.int64], NDArray[np.intp], NDArray[np.intp]]:
        """Cost of each pair, and which of the homes of its source and its target it takes."""
        cost = np.minimum(self._labels.cost, _FAR)
        own = cost[self.network.node_station[source]] + cost[self.network.node_station[target]]
        best = np.full(len(source), _FAR)
        first, last = np.zeros(len(source), dtype=np.intp), np.zeros(len(source), dtype=np.intp)
        homes = range(self._home.shape[1])
        for one in homes:
            for other in homes:
                trunk = self._labels.distances(self._home[source, one], self._home[target, other])
                access = cost[self._out[source, one]] + cost[self._in[target, other]]
                total = own + access + np.minimum(trunk, _FAR)
                shorter = total < best
                best[shorter], first[shorter], last[shorter] = total[shorter], one, other
        found = np.where(best < _FAR, best, UNREACHABLE)
        return np.where(source == target, 0, found), first, last

    def _endpoints(self, source: ArrayLike, target: ArrayLike) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        pairs = checked_pairs(source, target, self.network.node_count)
        for place, nodes in zip(("source", "target"), pairs, strict=True):
            others = nodes[~self.network.is_endpoint[nodes]]
            if len(others):
                raise BadInputError(place, "must be an endpoint", self.network.node_name[int(others[0])])
        return pairs

    def _station(self, station: int) -> str:
        return f"station {self.network.station_name[station]}"
