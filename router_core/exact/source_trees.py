"""The least peak over all routes by column generation, which large problems go.

A column is one routing of a whole source (a cheapest tree for each mix); the master picks convex combinations that
minimise the peak (Dantzig and Wolfe, Operations Research 8, 1960; one column a source tree as in Jones et al.,
Mathematical Programming 62, 1993). Prices bound the optimum from below at every step, so the answer carries its gap.

Two things make it fast. The first columns come from rounds of multiplicative weights (Plotkin, Shmoys and Tardos,
Mathematics of Operations Research 20, 1995), each as dear as one pricing: the master then starts near the end. And the
master has rows for those stations alone that were ever too busy: most never are.
"""

from __future__ import annotations

from typing import Final

import highspy
import numpy as np
from numpy.typing import NDArray

from router_core.errors import ExchangeRouterError
from router_core.exact.commodities import Commodities
from router_core.exact.linear_programme import INFINITE, TOLERANCE

ROUNDS_MAX: Final = 100
PRIMAL_SIMPLEX: Final = 4  # HiGHS's number of it
# Rounds of multiplicative weights, for each source and at least. Fewer leave more to the master, which on 224 sources
# takes 5 s after 6 rounds and 0.5 s after 30; more of them make it wide.
FIRST_ROUNDS_PER_SOURCE: Final = 0.12
FIRST_ROUNDS_MIN: Final = 3
# How sharply weights rise with load; 80 and 10 cost the master up to five times as much.
SHARPNESS: Final = 40.0
# Which stations have a row from the beginning: busier than this share of the peak of the first columns' mean.
BUSY: Final = 0.6
# At most so many stations get a row in one round, the busiest.
ROWS_A_ROUND: Final = 20
# Of a reduced cost that is worth a column.
REDUCED_COST: Final = 1e-12


def tree_peak(rows: Commodities, gap: float, floor: float = 0.0) -> tuple[float, float, int]:
    """Return the least peak that was found, its bound, in units of the rows' scale, and the rounds of the master.

    Parameters
    ----------
    rows : Commodities
    gap : float
        Stop when the peak is within this share of the bound.
    floor : float
        What is busy whatever the routing: neither number matters below it.
    """
    columns, bound = _first_columns(rows)
    peak = INFINITE
    master = _Master(rows, columns)
    rounds = 0
    while rounds < ROUNDS_MAX:
        rounds += 1
        least, share, price, base = master.solve()
        load = share @ master.load
        peak = min(peak, float(load.max()))
        tree, below = rows.price(price)
        bound = max(bound, below)
        high = max(peak, floor)
        if high - max(bound, floor) <= gap * high:
            break
        better = np.flatnonzero(tree @ price - base < -REDUCED_COST)
        busy = np.flatnonzero((load > least * (1 + TOLERANCE)) & ~master.has_row)
        if not len(better) and not len(busy):
            break
        master.add_columns(tree[better], better)
        master.add_rows(busy[np.argsort(-load[busy], kind="stable")][:ROWS_A_ROUND])
    return peak, bound, rounds


def _first_columns(rows: Commodities) -> tuple[list[NDArray[np.float64]], float]:
    """Return loads (G, T) of some rounds of trees whose mean is not too uneven, and the best bound of their prices.

    Each round is priced by the load of all earlier ones: exponentially, and ever more sharply.
    """
    uniform = np.full(rows.stations, 1.0 / rows.stations)
    load, bound = rows.price(uniform)
    columns, total = [load], load.sum(axis=0)
    for number in range(1, 1 + max(FIRST_ROUNDS_MIN, round(FIRST_ROUNDS_PER_SOURCE * rows.sources))):
        price = np.exp(SHARPNESS * np.sqrt(number) * (total / total.max() - 1.0))
        load, below = rows.price(price / price.sum())
        bound = max(bound, below)
        columns.append(load)
        total += load.sum(axis=0)
    return columns, bound


class _Master:
    """Convex combinations of columns that minimise the peak of some stations; HiGHS keeps its basis between rounds.

    HiGHS's rows are the sources, then the stations that have one; its columns are the peak, then the trees.
    """

    def __init__(self, rows: Commodities, first: list[NDArray[np.float64]]) -> None:
        self._sources = rows.sources
        self._width = 0
        self._load = np.empty((4 * len(first) * rows.sources, rows.stations))
        self._stations = np.empty(0, dtype=np.intp)
        self.has_row = np.zeros(rows.stations, dtype=np.bool_)
        highs = self._highs = highspy.Highs()
        options: dict[str, bool | int | float | str] = {
            "output_flag": False,
            "threads": 1,
            # New columns leave the last basis primal feasible, so the primal simplex goes on from it.
            "simplex_strategy": PRIMAL_SIMPLEX,
            "presolve": "off",
            "primal_feasibility_tolerance": TOLERANCE,
            "dual_feasibility_tolerance": TOLERANCE,
        }
        for name, value in options.items():
            highs.setOptionValue(name, value)
        highs.addCol(1.0, 0.0, INFINITE, 0, np.empty(0, np.int32), np.empty(0))
        ones = np.ones(self._sources)
        highs.addRows(
            self._sources, ones, ones, 0, np.zeros(self._sources, np.int32), np.empty(0, np.int32), np.empty(0)
        )
        mean = np.add.reduce([load.sum(axis=0) for load in first]) / len(first)
        self.add_rows(np.flatnonzero(mean >= BUSY * mean.max()))
        # The best round alone is a combination: with it as the first basis, the simplex need not look for one.
        best = int(np.argmin([load.sum(axis=0)[self._stations].max() for load in first]))
        self.add_columns(first[best], np.arange(self._sources))
        others = [load for number, load in enumerate(first) if number != best]
        loads = np.concatenate((first[best], *others))
        source = np.tile(np.arange(self._sources), len(first))
        fresh = _different(loads, source)
        fresh = fresh[fresh >= self._sources]
        self.add_columns(loads[fresh], source[fresh])
        self._begin_with(first[best].sum(axis=0)[self._stations])

    @property
    def load(self) -> NDArray[np.float64]:
        """What each column loads, (C, T)."""
        return self._load[: self._width]

    def add_columns(self, load: NDArray[np.float64], source: NDArray[np.integer]) -> None:
        """Add columns, load (C, T), of these sources (C,)."""
        count = len(load)
        if self._width + count > len(self._load):
            self._load = np.concatenate((self.load, np.empty((2 * (self._width + count), load.shape[1]))))
        self._load[self._width : self._width + count] = load
        self._width += count
        column, row = np.nonzero(load[:, self._stations])
        start, index, value = _compressed(
            count, column, self._sources + row, load[column, self._stations[row]], source, 1.0
        )
        zeros = np.zeros(count)
        self._highs.addCols(count, zeros, zeros, np.full(count, INFINITE), len(index), start, index, value)

    def add_rows(self, stations: NDArray[np.intp]) -> None:
        """Add rows of stations."""
        self.has_row[stations] = True
        self._stations = np.append(self._stations, stations)
        count = len(stations)
        row, column = np.nonzero(self.load[:, stations].T)
        peak = np.zeros(count, dtype=np.int64)
        start, index, value = _compressed(count, row, 1 + column, self.load[column, stations[row]], peak, -1.0)
        self._highs.addRows(count, np.full(count, -INFINITE), np.zeros(count), len(index), start, index, value)

    def solve(self) -> tuple[float, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return the least peak of the stations with rows, the columns' shares (C,), prices (T,) and bases (G,).

        Prices sum to 1. A column is worth adding if its priced load is below the base of its source.
        """
        self._highs.run()
        status = self._highs.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            found = self._highs.modelStatusToString(status)
            raise ExchangeRouterError(f"HiGHS did not solve the master programme: {found}")
        solution = self._highs.getSolution()
        duals = np.array(solution.row_dual)
        price = np.zeros(len(self.has_row))
        price[self._stations] = np.maximum(-duals[self._sources :], 0.0)
        share = np.maximum(np.array(solution.col_value)[1:], 0.0)
        least = float(self._highs.getInfo().objective_function_value)
        return least, share, price / (price.sum() or 1.0), duals[: self._sources]

    def _begin_with(self, load: NDArray[np.float64]) -> None:
        """Begin with each source's first column alone, whose sum loads the stations with rows so."""
        status = highspy.HighsBasisStatus
        basis = highspy.HighsBasis()
        column = [status.kLower] * (1 + self._width)
        column[: 1 + self._sources] = [status.kBasic] * (1 + self._sources)
        row = [status.kLower] * self._sources + [status.kBasic] * len(load)
        row[self._sources + int(np.argmax(load))] = status.kUpper
        basis.col_status, basis.row_status, basis.valid = column, row, True
        self._highs.setBasis(basis)


def _different(load: NDArray[np.float64], source: NDArray[np.integer]) -> NDArray[np.intp]:
    """Return the first of each different column (C, T) of a source, ascending.

    Columns are told apart by one number: to lose one by chance would cost a round, and nothing else.
    """
    mark = load @ np.sqrt(np.arange(2.0, 2.0 + load.shape[1]))
    first = np.unique(np.stack((source, mark.round(9))), axis=1, return_index=True)[1]
    return np.sort(first)


def _compressed(
    count: int,
    line: NDArray[np.integer],
    place: NDArray[np.integer],
    value: NDArray[np.float64],
    lead: NDArray[np.integer],
    lead_value: float,
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """Return start, index and value of compressed lines, each led by an entry of its own; entries come by line."""
    start = np.concatenate(([0], np.cumsum(np.bincount(line, minlength=count) + 1)))[:-1]
    after = np.arange(len(line)) + line + 1
    index = np.empty(count + len(line), dtype=np.int32)
    values = np.empty(len(index))
    index[start], values[start] = lead, lead_value
    index[after], values[after] = place, value
    return start.astype(np.int32), index, values
