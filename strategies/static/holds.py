"""Release windows: how long what can wait is held back, so that valleys fill and peaks sink.

A class's exchanges of an hour are spread over a few lags by fixed shares. As every exchange keeps its distance to the
others of its lag, nothing is let loose in one burst at the end of a window. The shares are the solution of a linear
programme: over quarters of an hour, the utilisation of the busiest station is made small, the more so the higher it is.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from router_core.exact.linear_programme import INFINITE, LinearProgramme
from router_core.table.weights import whole_weights
from router_core.units import HOUR_NS, MINUTE_NS
from strategies.static.week_plan import WEIGHT_TOTAL

STEP_NS: Final = 15 * MINUTE_NS
STEPS: Final = HOUR_NS // STEP_NS
# Holds to choose from: by quarters up to two hours, by hours beyond, where a quarter more or less says little.
LAG_STEPS: Final = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20)
LAG_NS: Final = tuple(step * STEP_NS for step in LAG_STEPS)
# Stations whose load is looked at: the busiest ones; the others follow the same tides, only lower.
STATIONS: Final = 24
# The cost of a peak: its slope grows by this at each utilisation, as queues grow.
BENDS: Final = ((0.6, 1.0), (0.75, 4.0), (0.9, 16.0), (1.0, 64.0))
# What an hour's hold of all of a station's work costs against a utilisation of 1: enough to hold nothing in vain.
HOLD_COST: Final = 0.1
# Share of an hour's load below which it is not worth a column.
NOTHING: Final = 1e-9


def plan_holds(load: NDArray[np.float64], hold_max_ns: NDArray[np.integer]) -> NDArray[np.int16]:
    """Return the weights of the lags for each hour and class.

    Parameters
    ----------
    load : float64 (H, C, S)
        Utilisation of each station by what each class submits in each hour.
    hold_max_ns : int (C,)
        Longest hold of each class [ns]; 0: the class cannot wait.

    Returns
    -------
    int16 (H, C, J)
        They sum to `WEIGHT_TOTAL`; a class that cannot wait, or does not matter, has all at lag 0.
    """
    hours, classes, _ = load.shape
    hold = np.zeros((hours, classes, len(LAG_NS)), dtype=np.int16)
    hold[:, :, 0] = WEIGHT_TOTAL
    lags = [[j for j, lag_ns in enumerate(LAG_NS) if lag_ns <= limit] for limit in hold_max_ns]
    waiting = [c for c in range(classes) if len(lags[c]) > 1]
    total = load.sum(axis=1)
    busiest = np.argsort(-total.max(axis=0, initial=0.0), kind="stable")[:STATIONS]
    if not waiting or hours == 0 or total.max(initial=0.0) < BENDS[0][0]:
        return hold
    shares = _solve(load[:, :, busiest], waiting, lags)
    for (hour, kind), share in shares.items():
        row = np.clip(share, 0.0, None)
        if row.sum() > 0:
            weights = whole_weights(row / row.sum(), np.array([0, len(row)]), WEIGHT_TOTAL)
            hold[hour, kind, :] = 0
            hold[hour, kind, lags[kind]] = weights
    return hold


def released(amount: NDArray[np.float64], hold: NDArray[np.int16], lag_ns: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what is released in each hour of what is submitted evenly within hours.

    Parameters
    ----------
    amount : float64 (..., H, D)
        Submitted in each hour.
    hold : int16 (H, D, J)
        Weights of the lags, those of each column's class.
    lag_ns : int64 (J,)

    Returns
    -------
    float64 (..., H, D)
        What is released after the last hour is left out.
    """
    result = np.zeros_like(amount)
    hours = amount.shape[-2]
    for j, lag in enumerate(lag_ns.tolist()):
        part = amount * (hold[:, :, j] / float(WEIGHT_TOTAL))
        whole, rest = divmod(lag, HOUR_NS)
        late = rest / HOUR_NS
        for shift, share in ((whole, 1 - late), (whole + 1, late)):
            if share > 0 and shift < hours:
                result[..., shift:, :] += share * part[..., : hours - shift, :]
    return result


def _solve(
    load: NDArray[np.float64], waiting: list[int], lags: list[list[int]]
) -> dict[tuple[int, int], NDArray[np.float64]]:
    """Solve the programme; columns are shares by (hour, class, lag), then the pieces of each quarter's peak."""
    hours, _, stations = load.shape
    quarters, pieces = hours * STEPS, len(BENDS)
    cells = [(h, c) for h in range(hours) for c in waiting if load[h, c].max() > NOTHING]
    if not cells:
        return {}
    width = np.array([len(lags[c]) for _, c in cells])
    first = np.concatenate(([0], np.cumsum(width)))
    shares = int(first[-1])
    fixed = np.repeat(load.sum(axis=1), STEPS, axis=0)
    row: list[int] = []
    column: list[int] = []
    value: list[NDArray[np.float64]] = []
    cost = np.zeros(shares + pieces * quarters)
    for (hour, kind), at in zip(cells, first.tolist(), strict=False):
        fixed[hour * STEPS : (hour + 1) * STEPS] -= load[hour, kind]
        for place, lag in enumerate(lags[kind], at):
            cost[place] = HOLD_COST * LAG_STEPS[lag] / STEPS * float(load[hour, kind].max())
            for quarter in range(hour * STEPS, (hour + 1) * STEPS):
                # What would be released after the last hour counts for the last quarter: it is not gone.
                row.append(min(quarter + LAG_STEPS[lag], quarters - 1))
                column.append(place)
                value.append(load[hour, kind])
    bends, slopes = (np.array(of) for of in zip(*BENDS, strict=True))
    cost[shares:] = np.repeat(slopes, quarters) / STEPS
    # Each piece of a peak is as long as the way to the next bend, and dearer than the one before.
    high = np.concatenate((np.ones(shares), np.repeat([*np.diff(bends), INFINITE], quarters)))
    station = np.arange(stations)
    rows = quarters * stations
    matrix = sparse.coo_array(
        (
            np.concatenate((np.concatenate(value), np.full(rows * pieces, -1.0), np.ones(shares))),
            (
                np.concatenate(
                    (
                        (np.array(row)[:, None] * stations + station).reshape(-1),
                        np.tile(np.arange(rows), pieces),
                        rows + np.repeat(np.arange(len(cells)), width),
                    )
                ),
                np.concatenate(
                    (
                        np.repeat(column, stations),
                        shares + (np.arange(pieces)[:, None] * quarters + np.arange(rows) // stations).reshape(-1),
                        np.arange(shares),
                    )
                ),
            ),
        ),
        shape=(rows + len(cells), len(cost)),
    )
    whole = np.ones(len(cells))
    found, _ = LinearProgramme(
        cost,
        matrix,
        np.concatenate((np.full(rows, -INFINITE), whole)),
        np.concatenate((bends[0] - fixed.reshape(-1), whole)),
        high=high,
    ).solve()
    return {cell: found[a:b] for cell, a, b in zip(cells, first[:-1].tolist(), first[1:].tolist(), strict=True)}
