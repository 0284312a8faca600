"""The least peak utilisation that any routing of a demand could reach: the yardstick of every plan.

A linear programme over all routes, the choice of home and of the processing centre included, solved by column
generation: a column is one routing of a whole source (a cheapest tree for each payload size), the master picks convex
combinations that minimise the peak (Dantzig and Wolfe, Operations Research 8, 1960; one column a source tree as in
Jones et al., Mathematical Programming 62, 1993). The prices of the master bound the optimum from below at every step,
so the answer carries its own gap.
"""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray

from router_core.demand_model import Demand
from router_core.errors import BadInputError, ExchangeRouterError
from router_core.kernels.source_trees import TIE_COST, price_trees
from router_core.loads import capacity, server_time
from router_core.network import NO_STATION, Network
from router_core.routing_graph import ARRIVED, READY_PROCESSED, STATES, RoutingGraph, routing_graph

GAP = 1e-3
ROUNDS_MAX = 500
PRIMAL_SIMPLEX = 4  # HiGHS's number of it
# How much of the best prices so far goes into the next ones: unsmoothed prices jump about and waste rounds.
SMOOTHING = 0.6


@dataclass(frozen=True)
class Optimum:
    """Peak utilisation of the best routing found, and a bound that no routing can beat.

    Attributes
    ----------
    objective, lower_bound : float
        Utilisation of the busiest station, ``lower_bound <= optimum <= objective``.
    rounds : int
        Pricing rounds used.
    """

    objective: float
    lower_bound: float
    rounds: int

    @property
    def gap(self) -> float:
        """Relative distance between the two."""
        return (self.objective - self.lower_bound) / self.objective if self.objective > 0 else 0.0


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
    fixed = _endpoint_utilisation(network, demand, room)
    rows = _Rows(network, demand, room, routing_graph(network, process_at_first_centre=process_at_first_centre))
    if not len(rows.rate):
        return Optimum(fixed, fixed, 0)
    master = _Master(np.unique(rows.graph.arc_station), rows.ends)
    price = np.zeros(network.station_count)
    price[master.stations] = 1.0 / len(master.stations)
    best_price, bound, objective = price, 0.0, np.inf
    for rounds in range(1, ROUNDS_MAX + 1):
        load, cost = rows.price(price)
        if not np.isfinite(cost).all():
            raise BadInputError("demand", "every pair with demand is connected", "a pair without a route")
        # Paths paid the tie cost too, so the bound gives back the most that it can have added.
        below = float(cost.sum()) - TIE_COST * rows.graph.state_count * float(rows.rate.sum())
        if below > bound:
            bound, best_price = below, price
        master.add(load)
        objective, duals = master.solve()
        low, high = max(bound, fixed), max(objective, fixed)
        if high - low <= gap * high:
            break
        price = np.zeros(network.station_count)
        price[master.stations] = duals
        if rounds % 8:  # now and then the master's own prices, so that smoothing cannot stall
            price = SMOOTHING * best_price + (1 - SMOOTHING) * price
    return Optimum(max(objective, fixed), max(bound, fixed), rounds)


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


class _Rows:
    """The demand between ends, gathered by payload size and source for the pricing kernel.

    Endpoints with one home are one end, their home. An endpoint with more is an end of its own: two states more in the
    graph, joined to its homes by its access lines.
    """

    def __init__(self, network: Network, demand: Demand, room: NDArray[np.float64], trunks: RoutingGraph) -> None:
        used = demand.exchanges_per_s > 0
        rate = demand.exchanges_per_s[used]
        # Exchanges of one mean size cost the same everywhere, so they share a tree; rounding joins equal means.
        mean = np.round(demand.bytes_per_s[used] / rate, 6)
        sizes, size = np.unique(mean, return_inverse=True)
        source, target = demand.source[used], demand.target[used]
        end_of = np.full(network.node_count, -1, dtype=np.int64)
        entry: list[int] = []
        exits: list[int] = []
        ends: dict[tuple[int, ...], int] = {}
        more: list[tuple[int, int, int]] = []  # tail, head, station of further arcs
        for node in np.union1d(source, target).tolist():
            homes = network.homes[node]
            key = homes if len(homes) == 1 else (*homes, node)
            if key not in ends:
                ends[key] = len(ends)
                if len(homes) == 1:
                    entry.append(STATES * homes[0] + ARRIVED)
                    exits.append(STATES * homes[0] + READY_PROCESSED)
                else:
                    # An endpoint is never transit, so its own states are free for this.
                    entry.append(STATES * node + ARRIVED)
                    exits.append(STATES * node + READY_PROCESSED)
                    for home in homes:
                        more.append((entry[-1], STATES * home + ARRIVED, network.access_station[node, home]))
                        more.append((STATES * home + READY_PROCESSED, exits[-1], network.access_station[home, node]))
            end_of[node] = ends[key]
        self.ends = len(ends)
        self.graph = trunks.extended(more)
        self.entry = np.array(entry, dtype=np.int64)
        self.exit = np.array(exits, dtype=np.int64)
        key, row = np.unique((size * self.ends + end_of[source]) * self.ends + end_of[target], return_inverse=True)
        self.rate = np.bincount(row, rate, len(key)).astype(np.float64)
        self.target = (key % self.ends).astype(np.int32)
        counts = np.bincount(key // self.ends, minlength=len(sizes) * self.ends)
        self.start = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        self.weight = server_time(network, 1.0, sizes[:, None]) / room

    def price(self, price: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the load (G, S) and the priced cost (G,) of every source's cheapest trees."""
        load = np.empty((self.ends, len(price)))
        cost = np.empty(self.ends)
        graph = self.graph
        price_trees(
            graph.arc_start,
            graph.arc_head,
            graph.arc_station,
            self.weight,
            price,
            self.entry,
            self.exit,
            self.start,
            self.target,
            self.rate,
            load,
            cost,
        )
        return load, cost


class _Master:
    """Convex combinations of columns that minimise the peak; HiGHS keeps its basis from round to round."""

    def __init__(self, stations: NDArray[np.integer], sources: int) -> None:
        self.stations = stations
        self._highs = highspy.Highs()
        self._highs.setOptionValue("output_flag", False)
        self._highs.setOptionValue("threads", 1)
        # New columns leave the last basis primal feasible, so the primal simplex goes on from it: 0.05 s a round on the
        # province where HiGHS's default, the dual, takes 0.2.
        self._highs.setOptionValue("simplex_strategy", PRIMAL_SIMPLEX)
        rows = len(stations)
        self._highs.addCol(1.0, 0.0, highspy.kHighsInf, 0, np.empty(0, np.int32), np.empty(0))
        peak, minus = np.zeros(1, dtype=np.int32), np.full(1, -1.0)
        for _ in range(rows):
            self._highs.addRow(-highspy.kHighsInf, 0.0, 1, peak, minus)
        for _ in range(sources):
            self._highs.addRow(1.0, 1.0, 0, np.empty(0, np.int32), np.empty(0))

    def add(self, load: NDArray[np.float64]) -> None:
        """Add one column a source, load (G, S)."""
        rows = len(self.stations)
        for source, column in enumerate(load[:, self.stations]):
            used = np.flatnonzero(column)
            index = np.append(used, rows + source).astype(np.int32)
            self._highs.addCol(0.0, 0.0, highspy.kHighsInf, len(index), index, np.append(column[used], 1.0))

    def solve(self) -> tuple[float, NDArray[np.float64]]:
        """Return the peak of the best combination, and the stations' prices (they sum to 1)."""
        self._highs.run()
        status = self._highs.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            raise ExchangeRouterError(f"HiGHS did not solve the master programme: {status}")
        solution = self._highs.getSolution()
        prices = np.maximum(-np.array(solution.row_dual[: len(self.stations)]), 0.0)
        return float(self._highs.getInfo().objective_function_value), prices / max(prices.sum(), 1e-300)
