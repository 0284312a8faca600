"""The least peak over all routes by column generation, which large problems go.

A column is one routing of a whole source (a cheapest tree for each mix); the master picks convex combinations that
minimise the peak (Dantzig and Wolfe, Operations Research 8, 1960; one column a source tree as in Jones et al.,
Mathematical Programming 62, 1993). Prices bound the optimum from below at every step, so the answer carries its gap.

Two things make it fast. The first columns come from a few sweeps of block-coordinate Frank-Wolfe (Lacoste-Julien et
al., International Conference on Machine Learning, 2013), each about as dear as two pricings: the master then starts
with trees of many kinds, near the end. And the master has rows for those stations alone that were ever too busy: most
never are.
"""

from __future__ import annotations

from typing import Final

import highspy
import numpy as np
from numpy.typing import NDArray

from router_core.errors import ExchangeRouterError
from router_core.exact.commodities import Commodities
from router_core.exact.linear_programme import INFINITE, TOLERANCE

PRIMAL_SIMPLEX: Final = 4  # HiGHS's number of it
# Sweeps before the master, at least and for each arc that leaves a state: the more ways there are, the more trees the
# optimum mixes. Fewer leave the master more rounds; more make it wide, and cost more than they save.
SWEEPS_MIN: Final = 5
SWEEPS_PER_DEGREE: Final = 1.25
# How sharply prices rise with load in them: sharper ones find better routings, and yet fewer kinds of trees.
SHARPNESS: Final = 10.0
# Which stations have a row from the beginning: busier than this share of the peak after the sweeps.
BUSY: Final = 0.4
# Of a reduced cost that is worth a column.
REDUCED_COST: Final = 1e-12


def tree_peak(rows: Commodities, gap: float, rounds_max: int, floor: float = 0.0) -> tuple[float, float, int]:
    """Return the least peak that was found, its bound, in units of the rows' scale, and the rounds of the master.

    Parameters
    ----------
    rows : Commodities
    gap : float
        Stop when the peak is within this share of the bound.
    rounds_max : int
        Stop after so many rounds, at least 1, whatever the gap.
    floor : float
        What is busy whatever the routing: neither number matters below it.
    """
    master = _Master(rows, rows.swept(SHARPNESS, max(SWEEPS_MIN, round(SWEEPS_PER_DEGREE * rows.degree))))
    peak, bound = INFINITE, 0.0
    rounds = 0
    while rounds < rounds_max:
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
        master.add_rows(busy)
    return peak, bound, rounds


class _Master:
    """Convex combinations of columns that minimise the peak of some stations; HiGHS keeps its basis between rounds.

    HiGHS's rows are the sources, then the stations that have one; its columns are the peak, then the trees.
    """

    def __init__(self, rows: Commodities, first: list[NDArray[np.float64]]) -> None:
        self._sources = rows.sources
        self._width = 0
        self._load = np.empty((2 * len(first) * rows.sources, rows.stations))
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
        total = first[0].sum(axis=0)
        self.add_rows(np.flatnonzero(total >= BUSY * total.max()))
        loads = np.concatenate(first)
        source = np.tile(np.arange(self._sources), len(first))
        fresh = _different(loads, source)
        self.add_columns(loads[fresh], source[fresh])
        self._begin_with_first()

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

    def _begin_with_first(self) -> None:
        """Let the first routing alone be the first basis: the simplex then need not look for one."""
        status = highspy.HighsBasisStatus
        basis = highspy.HighsBasis()
        column = [status.kLower] * (1 + self._width)
        column[: 1 + self._sources] = [status.kBasic] * (1 + self._sources)
        row = [status.kLower] * self._sources + [status.kBasic] * len(self._stations)
        row[self._sources + int(self.load[: self._sources].sum(axis=0)[self._stations].argmax())] = status.kUpper
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
