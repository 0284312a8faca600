"""The cheapest upgrades that let demand be carried within the limits: a mixed-integer programme.

Demand may be split anew over each pair's paths, in every matrix by itself, so an upgrade of one line relieves others.
An upgrade is bought once and holds in all matrices. What no upgrade makes room for is found first, by a linear
programme with everything bought; then HiGHS buys as little as will do, by branch and bound, and proves how little can.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from router_core.errors import BadInputError, ExchangeRouterError

# Of rows, in units of their room; what stays below it is no work.
TOLERANCE: Final = 1e-6
ROW_TOLERANCE: Final = 1e-9
FEASIBLE: Final = 2  # HiGHS's own number for a solution that keeps all rows
SECONDS_MAX: Final = 600.0


@dataclass(frozen=True, eq=False)
class UpgradeProblem:
    """M matrices, P paths of D pairs, R rows (stations), O upgrades, B lenders.

    Attributes
    ----------
    path_pair : int64 (P,)
        Pair of each path, 0 .. D - 1, each with a path.
    load : sparse (M * R, P)
        Work at row r in matrix m when all that the path's pair has takes it: row ``m * R + r``.
    fixed : float64 (M, R)
        Work of what keeps its ways.
    room : float64 (M, R)
        Work within the limit, without upgrades, >= 0.
    gain : sparse (R, O)
        Room that a unit of each upgrade adds to rows, in all matrices.
    cost : float64 (O,)
        Of a unit, >= 0.
    most : int64 (O,)
        Units to be had.
    ladder : int64 (O,)
        Upgrades of one number exclude each other; -1: none.
    lender : int64 (R,)
        Who lends to the row, 0 .. B - 1, or -1.
    budget : float64 (B,)
        Room that a lender has to give in each matrix.
    lent_more : sparse (B, O)
        What a unit of each upgrade adds to a budget.
    """

    path_pair: NDArray[np.int64]
    load: sparse.csr_array
    fixed: NDArray[np.float64]
    room: NDArray[np.float64]
    gain: sparse.csr_array
    cost: NDArray[np.float64]
    most: NDArray[np.int64]
    ladder: NDArray[np.int64]
    lender: NDArray[np.int64]
    budget: NDArray[np.float64]
    lent_more: sparse.csr_array


@dataclass(frozen=True, eq=False)
class Upgrades:
    """What to buy.

    Attributes
    ----------
    units : int64 (O,)
    cost : float
    lower_bound : float
        No choice costs less, over these paths: ``lower_bound <= cost``.
    shares : float64 (M, P)
        How demand is then split; those of a pair sum to 1.
    beyond : float64 (R,)
        Work above the room, in the worst matrix, that no upgrade to be had makes room for; 0 almost everywhere.
    nodes : int
        Of the search tree.
    """

    units: NDArray[np.int64]
    cost: float
    lower_bound: float
    shares: NDArray[np.float64]
    beyond: NDArray[np.float64]
    nodes: int

    @property
    def gap(self) -> float:
        """Relative distance between cost and bound; 0: the cheapest, proven."""
        return (self.cost - self.lower_bound) / self.cost if self.cost > 0 else 0.0


def cheapest_upgrades(problem: UpgradeProblem, *, gap: float = 1e-4) -> Upgrades:
    """Return the cheapest upgrades that suffice.

    Parameters
    ----------
    problem : UpgradeProblem
    gap : float
        Relative distance to the proven bound at which the search may stop, >= 0.

    Raises
    ------
    BadInputError
        If costs or numbers are negative, or a pair has no path.
    """
    _check(problem)
    columns = _Columns.of(problem)
    rows = _rows(problem, columns)
    # All that can be bought: what then still does not fit is beyond every upgrade.
    units_high = problem.most.astype(np.float64)
    everything = units_high.copy()
    for ladder in np.unique(problem.ladder[problem.ladder >= 0]).tolist():
        steps = np.flatnonzero(problem.ladder == ladder)
        everything[steps] = 0.0
        everything[steps[int(np.argmax(problem.gain[:, steps].sum(axis=0)))]] = 1.0
    low, high = np.zeros(columns.count), np.full(columns.count, np.inf)
    high[: columns.units] = 1.0
    low[columns.units : columns.lent] = high[columns.units : columns.lent] = everything
    worst = np.zeros(columns.count)
    worst[columns.beyond :] = 1.0
    most = _solved(worst, np.zeros(0, dtype=np.intp), low, high, rows, gap)
    beyond = most.x[columns.beyond :]
    beyond[beyond < TOLERANCE] = 0.0
    low[:], high[columns.units : columns.lent] = 0.0, units_high
    high[columns.beyond :] = beyond * (1 + TOLERANCE)
    cost = np.zeros(columns.count)
    cost[columns.units : columns.lent] = problem.cost
    found = _solved(cost, np.arange(columns.units, columns.lent), low, high, rows, gap)
    units = np.rint(found.x[columns.units : columns.lent]).astype(np.int64)
    shares = np.maximum(found.x[: columns.units].reshape(len(problem.fixed), -1), 0.0)
    pairs = int(problem.path_pair.max(initial=-1)) + 1
    total = float(problem.cost @ units)
    return Upgrades(
        units,
        total,
        min(max(found.bound, 0.0), total),
        np.stack([row / np.bincount(problem.path_pair, row, pairs)[problem.path_pair] for row in shares])
        if pairs
        else shares,
        beyond * _scale(problem),
        found.nodes,
    )


@dataclass(frozen=True)
class _Columns:
    """Where columns begin: shares of each matrix first, then units, what is lent, work beyond."""

    units: int
    lent: int
    beyond: int
    count: int

    @classmethod
    def of(cls, problem: UpgradeProblem) -> _Columns:
        matrices, rows = problem.fixed.shape
        units = matrices * len(problem.path_pair)
        lent = units + len(problem.cost)
        beyond = lent + matrices * int((problem.lender >= 0).sum())
        return cls(units, lent, beyond, beyond + rows)


def _check(problem: UpgradeProblem) -> None:
    if (problem.cost < 0).any() or not np.isfinite(problem.cost).all():
        raise BadInputError("cost", "must be finite and not negative", problem.cost.min(initial=0.0))
    if (problem.most < 0).any():
        raise BadInputError("most", "must not be negative", int(problem.most.min(initial=0)))
    pairs = int(problem.path_pair.max(initial=-1)) + 1
    if len(np.unique(problem.path_pair)) != pairs:
        raise BadInputError("path_pair", "every pair has a path", pairs)
    if len(problem.fixed) == 0:
        raise BadInputError("fixed", "needs a matrix", 0)


def _scale(problem: UpgradeProblem) -> NDArray[np.float64]:
    """Unit of each row: its largest room, (R,)."""
    largest = problem.room.max(axis=0, initial=0.0)
    return np.where(largest > 0, largest, 1.0)


def _rows(problem: UpgradeProblem, columns: _Columns) -> _Rows:
    matrices, rows = problem.fixed.shape
    pairs, lenders = int(problem.path_pair.max(initial=-1)) + 1, len(problem.budget)
    scale = _scale(problem)

    def times(one: sparse.csr_array) -> sparse.csr_array:
        return sparse.csr_array(sparse.vstack([one] * matrices))

    def apart(one: sparse.csr_array) -> sparse.csr_array:
        return sparse.csr_array(sparse.block_diag([one] * matrices))

    lent_rows = np.flatnonzero(problem.lender >= 0)
    place = np.arange(len(lent_rows))
    lent = sparse.csr_array((np.ones(len(place)), (lent_rows, place)), shape=(rows, len(place)))
    load = sparse.block_diag([problem.load[m * rows : (m + 1) * rows] for m in range(matrices)], format="csr")
    over = sparse.csr_array(sparse.diags_array(scale))
    carried = sparse.hstack([load, -times(problem.gain), -apart(lent), -times(over)], format="csr")
    unit = sparse.diags_array(np.tile(1.0 / scale, matrices))
    result = [(unit @ carried, -np.inf, ((problem.room - problem.fixed) / scale).ravel())]
    if pairs:
        row = (np.arange(matrices)[:, None] * pairs + problem.path_pair).ravel()
        shape = (matrices * pairs, columns.count)
        sums = sparse.csr_array((np.ones(len(row)), (row, np.arange(len(row)))), shape=shape)
        result.append((sums, 1.0, np.ones(shape[0])))
    if len(lent_rows):
        given = sparse.csr_array((np.ones(len(place)), (problem.lender[lent_rows], place)), shape=(lenders, len(place)))
        nothing = sparse.csr_array((matrices * lenders, columns.units)), sparse.csr_array((matrices * lenders, rows))
        table = sparse.hstack([nothing[0], -times(problem.lent_more), apart(given), nothing[1]], format="csr")
        result.append((table, -np.inf, np.tile(problem.budget, matrices)))
    on = np.flatnonzero(problem.ladder >= 0)
    if len(on):
        ladders, row = np.unique(problem.ladder[on], return_inverse=True)
        shape = (len(ladders), columns.count)
        step = sparse.csr_array((np.ones(len(on)), (row, columns.units + on)), shape=shape)
        result.append((step, -np.inf, np.ones(len(ladders))))
    return _Rows(
        sparse.csc_array(sparse.vstack([matrix for matrix, _, _ in result])),
        np.concatenate([np.full(len(high), low) for _, low, high in result]),
        np.concatenate([high for _, _, high in result]),
    )


@dataclass(frozen=True, eq=False)
class _Rows:
    """All rows of a programme: ``low <= matrix x <= high``."""

    matrix: sparse.csc_array
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Solution:
    """Columns, the least value that was proven possible, nodes of the search tree."""

    x: NDArray[np.float64]
    bound: float
    nodes: int


def _solved(
    cost: NDArray[np.float64],
    whole: NDArray[np.intp],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    rows: _Rows,
    gap: float,
) -> _Solution:
    model = highspy.HighsLp()
    model.num_row_, model.num_col_ = rows.matrix.shape
    model.col_cost_, model.col_lower_, model.col_upper_ = cost, low, high
    model.row_lower_, model.row_upper_ = rows.low, rows.high
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_ = rows.matrix.indptr
    model.a_matrix_.index_ = rows.matrix.indices
    model.a_matrix_.value_ = rows.matrix.data
    if len(whole):
        kinds = [highspy.HighsVarType.kContinuous] * len(cost)
        for column in whole.tolist():
            kinds[column] = highspy.HighsVarType.kInteger
        model.integrality_ = kinds
    highs = highspy.Highs()  # type: ignore[no-untyped-call]
    for name, value in {
        "output_flag": False,
        "threads": 1,
        "mip_rel_gap": gap,
        "primal_feasibility_tolerance": ROW_TOLERANCE,
        "mip_feasibility_tolerance": ROW_TOLERANCE,
        "time_limit": SECONDS_MAX,
    }.items():
        highs.setOptionValue(name, value)
    highs.passModel(model)
    highs.run()
    info, status = highs.getInfo(), highs.getModelStatus()
    in_time = status == highspy.HighsModelStatus.kTimeLimit and info.primal_solution_status == FEASIBLE
    if status != highspy.HighsModelStatus.kOptimal and not in_time:
        raise ExchangeRouterError(f"HiGHS did not solve the programme: {highs.modelStatusToString(status)}")
    x = np.array(highs.getSolution().col_value)
    bound = float(info.mip_dual_bound) if len(whole) else float(cost @ x)
    return _Solution(x, bound, int(info.mip_node_count) if len(whole) else 0)
