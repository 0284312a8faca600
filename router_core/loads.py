"""What a demand does to the stations under a plan: the load model that calibration, optima and brains share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from router_core.demand_model import Demand
from router_core.errors import BadInputError
from router_core.network import Network
from router_core.plan import Plan, route


class Incidence:
    """Which share of each pair's exchanges visits each station under a plan.

    Parameters
    ----------
    network : Network
    plan : Plan
    source, target : int32 (D,)
        Endpoints of D pairs.

    Raises
    ------
    BadInputError
        If a pair has no route: its load would vanish without a trace.
    """

    def __init__(self, network: Network, plan: Plan, source: NDArray[np.integer], target: NDArray[np.integer]) -> None:
        self.network = network
        row_start, stations, shares = [0], [], []
        known: dict[tuple[int, int], tuple[list[int], list[float]]] = {}
        group = network.node_group
        for a, b in zip(source.tolist(), target.tolist(), strict=True):
            if (a, b) not in known:
                choice = plan.choice(int(group[a]), int(group[b]))
                if choice is None:
                    names = f"{network.node_name[a]} - {network.node_name[b]}"
                    raise BadInputError(f"pair {names}", "every pair with demand has a route", None)
                total = sum(choice.weights)
                visits: dict[int, float] = {}
                for trunk, weight in zip(choice.trunks, choice.weights, strict=True):
                    for station in route(network, a, b, trunk):
                        visits[station] = visits.get(station, 0.0) + weight / total
                known[a, b] = (list(visits), list(visits.values()))
            columns, values = known[a, b]
            stations.extend(columns)
            shares.extend(values)
            row_start.append(len(stations))
        self._visits = sparse.csr_array(
            (shares, stations, row_start), shape=(len(source), network.station_count), dtype=np.float64
        ).T.tocsr()

    def work(self, exchanges_per_s: NDArray[np.float64], bytes_per_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Server time that the pairs' rates ask of each station [s/s], shape (S,)."""
        exchanges, size = np.asarray(self._visits @ exchanges_per_s), np.asarray(self._visits @ bytes_per_s)
        return server_time(self.network, exchanges, size)


def server_time(
    network: Network, exchanges_per_s: NDArray[np.float64] | float, bytes_per_s: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """Server time that rates ask of every station [s/s]; rates are scalars or end in the axis of stations."""
    fixed_s, s_per_byte = network.station_fixed_ns * 1e-9, network.station_ps_per_byte * 1e-12
    return np.asarray(exchanges_per_s * fixed_s + bytes_per_s * s_per_byte)


def capacity(network: Network, available: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Server time that every station has to give [s/s], shape (S,); `available` as in `per_server`."""
    result = network.station_servers.astype(np.float64)
    if available is not None:
        result[network.line_station] *= available
    return result


def per_server(
    network: Network, work: NDArray[np.float64], available: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Turn server time asked into utilisation, shape (S,).

    Parameters
    ----------
    network : Network
    work : float64 (S,)
        Server time asked [s/s].
    available : float64 (L,), optional
        Share of each line that other users leave, in (0, 1]; all of it if not given.
    """
    return np.asarray(work / capacity(network, available))


def utilisation(
    network: Network, plan: Plan, demand: Demand, available: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Utilisation of every station when `plan` carries `demand`; 1 means as much as it can serve; shape (S,)."""
    incidence = Incidence(network, plan, demand.source, demand.target)
    return per_server(network, incidence.work(demand.exchanges_per_s, demand.bytes_per_s), available)
