"""The least peak utilisation of the platform under a demand between endpoints.

The choice of home and of the processing centre is included. Endpoints' own stations, and access lines where there is
but one, carry the same whatever the routing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.demand_model import Demand
from router_core.errors import BadInputError
from router_core.exact.least_peak import Optimum, least_peak
from router_core.loads import capacity, server_time
from router_core.network import NO_STATION, Network, frozen
from router_core.paths.route_space import RouteSpace, space_of_network
from router_core.routing_graph import ARRIVED, READY_PROCESSED, STATES, routing_graph

GAP: Final = 1e-3


def optimum(
    network: Network,
    demand: Demand,
    available: NDArray[np.float64] | None = None,
    *,
    gap: float = GAP,
    process_at_first_centre: bool = False,
) -> Optimum:
    """Return the least peak utilisation over all routings of a demand, within a relative gap.

    Exchanges of one pair may be split at will over trunks and homes. Endpoints' own stations and access lines count.

    Parameters
    ----------
    network : Network
    demand : Demand
    available : float64 (L,), optional
        Share of each line that other users leave, in (0, 1].
    gap : float
        Stop when the objective is within this share of the bound.
    process_at_first_centre : bool
        Leave the choice of the processing centre out: what remains is the choice of lines and homes.

    Raises
    ------
    BadInputError
        If a pair with demand is not connected.
    """
    room = capacity(network, available)
    space, end = _space(network, demand, process_at_first_centre)
    unit_load = np.stack((server_time(network, 1.0, 0.0), server_time(network, 0.0, 1.0))) / room
    found = least_peak(
        space,
        unit_load,
        end[demand.source],
        end[demand.target],
        np.stack((demand.exchanges_per_s, demand.bytes_per_s)),
        gap,
        floor=_endpoint_utilisation(network, demand, room),
    )
    if found.unrouted:
        row = found.unrouted[0]
        names = f"{network.node_name[demand.source[row]]} - {network.node_name[demand.target[row]]}"
        raise BadInputError(f"demand of {names}", "every pair with demand is connected", "a pair without a route")
    return found


def _endpoint_utilisation(network: Network, demand: Demand, room: NDArray[np.float64]) -> float:
    """Peak over the endpoints' own stations, and their access lines where there is but one: no routing changes it."""
    only_line = np.full((2, network.node_count), NO_STATION)
    for node, (home, *others) in network.homes.items():
        if not others:
            only_line[:, node] = network.access_station[node, home], network.access_station[home, node]
    rates = np.zeros((2, network.station_count))
    for ends, lines in ((demand.source, only_line[0]), (demand.target, only_line[1])):
        for stations in (network.node_station[ends], lines[ends]):
            used = stations != NO_STATION
            for total, rate in zip(rates, (demand.exchanges_per_s, demand.bytes_per_s), strict=True):
                np.add.at(total, stations[used], rate[used])
    return float((server_time(network, *rates) / room).max())


def _space(network: Network, demand: Demand, process_at_first_centre: bool) -> tuple[RouteSpace, NDArray[np.int64]]:
    """Return a space whose ends are those of the demand, and the end of each endpoint, (N,).

    Endpoints with one home are one end, their home. An endpoint with more is an end of its own, unlike in
    `space_of_network`, as its access lines are its own: two states more in the graph, joined to its homes by them.
    """
    end_of = np.full(network.node_count, -1, dtype=np.int64)
    entry: list[int] = []
    leave: list[int] = []
    name: list[str] = []
    ends: dict[tuple[int, ...], int] = {}
    more: list[tuple[int, int, int]] = []  # tail, head, station of further arcs
    for node in np.union1d(demand.source, demand.target).tolist():
        homes = network.homes[node]
        key = homes if len(homes) == 1 else (*homes, node)
        if key not in ends:
            ends[key] = len(ends)
            # An endpoint is never transit, so its own states are free for this.
            place = homes[0] if len(homes) == 1 else node
            entry.append(STATES * place + ARRIVED)
            leave.append(STATES * place + READY_PROCESSED)
            name.append(network.node_name[place])
            for home in homes if len(homes) > 1 else ():
                more.append((entry[-1], STATES * home + ARRIVED, network.access_station[node, home]))
                more.append((STATES * home + READY_PROCESSED, leave[-1], network.access_station[home, node]))
        end_of[node] = ends[key]
    space = replace(
        space_of_network(network),
        graph=routing_graph(network, process_at_first_centre=process_at_first_centre).extended(more),
        entry=frozen(entry, np.int64),
        exit=frozen(leave, np.int64),
        end_name=tuple(name),
    )
    return space, end_of
