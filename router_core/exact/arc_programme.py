"""The least peak over all routes as one linear programme over arcs: the plain way, which small problems go.

A commodity is all that one source sends of one mix, so flows of a commodity may merge and part at will.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from router_core.exact.commodities import Commodities
from router_core.exact.linear_programme import INFINITE, LinearProgramme


def arc_peak(rows: Commodities) -> tuple[float, float]:
    """Return the least peak and its bound, worked out from the programme's prices, both in units of the rows' scale."""
    states, arcs, stations = len(rows.arc_start) - 1, len(rows.arc_head), rows.stations
    used = np.flatnonzero(np.diff(rows.row_start))
    commodities = len(used)
    mix, source = np.divmod(used, max(rows.sources, 1))
    total = np.add.reduceat(rows.row_rate, rows.row_start[used])
    # What a state sends more than it gets, as a share of its commodity, so that all flows are about 1.
    supply = np.zeros((commodities, states))
    supply[np.arange(commodities), rows.entry[source]] = 1.0
    row_commodity = np.searchsorted(used, rows.row_group)
    np.subtract.at(supply, (row_commodity, rows.exit[rows.row_target]), rows.row_rate / total[row_commodity])
    columns = np.arange(commodities * arcs)
    first_state = states * np.repeat(np.arange(commodities), arcs)
    station = np.tile(rows.arc_station, commodities)
    load = rows.weight[np.repeat(mix, arcs), station] * np.repeat(total, arcs)
    balance = commodities * states
    entries = (
        (first_state + np.tile(rows.arc_tail, commodities), columns, np.ones(len(columns))),
        (first_state + np.tile(rows.arc_head, commodities), columns, np.full(len(columns), -1.0)),
        (balance + station, columns, load),
        (balance + np.arange(stations), np.full(stations, len(columns)), np.full(stations, -1.0)),
    )
    row, column, value = (np.concatenate(parts) for parts in zip(*entries, strict=True))
    matrix = sparse.coo_array((value, (row, column)), shape=(balance + stations, len(columns) + 1))
    cost = np.zeros(len(columns) + 1)
    cost[-1] = 1.0
    # Presolve costs small programmes as much as it saves.
    programme = LinearProgramme(
        cost,
        matrix,
        np.concatenate((supply.ravel(), np.full(stations, -INFINITE))),
        np.concatenate((supply.ravel(), np.zeros(stations))),
        presolve="off",
    )
    flow, duals = programme.solve()
    peak = np.bincount(station, load * np.maximum(flow[:-1], 0.0), stations).max(initial=0.0)
    price = np.maximum(-duals[balance:], 0.0)
    return float(peak), rows.price(price / (price.sum() or 1.0))[1]
