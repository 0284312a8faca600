"""What is expected of whole classes, and how that and the forecast of every series fared once the time had come."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.demand_history import DemandHistory
from router_core.errors import BadInputError
from router_core.network import Network
from router_core.time_grid import TimeGrid
from strategies.static.demand_series import DemandSeries
from strategies.tides.fit import fit_tides
from strategies.tides.forecast import Forecast

UPPER = 0.95


@dataclass(frozen=True)
class Score:
    """How a forecast fared; NaN where nothing came.

    Attributes
    ----------
    wape : float
        Sum of absolute errors of the median over the sum of what came.
    pinball : float
        Pinball loss of the 95 % quantile over the sum of what came.
    coverage : float
        Share of hours and series in which no more came than the 95 % quantile.
    """

    wape: float
    pinball: float
    coverage: float


@dataclass(frozen=True, eq=False)
class Hindsight:
    """What came in the K planned hours.

    Attributes
    ----------
    came : float64 (K, C + 1)
        Exchanges of each class, then of all; NaN in hours of which nothing is known.
    whole : tuple of Score
        Of each class as a whole, then of all together.
    series : Score
        Of the single series; those that were never seen before count as forecast to be nothing.
    unforeseen : float
        Share of the exchanges that came in series never seen before.
    """

    came: NDArray[np.float64]
    whole: tuple[Score, ...]
    series: Score
    unforeseen: float


def class_totals(history: DemandHistory, relation_class: NDArray[np.integer], classes: int) -> NDArray[np.float64]:
    """Exchanges of each class, then of all, in each hour, (H, classes + 1)."""
    each = history.series(relation_class, classes)
    return np.concatenate([each, each.sum(axis=1, keepdims=True)], axis=1)


def class_outlook(
    history: DemandHistory, relation_class: NDArray[np.integer], classes: int, grid: TimeGrid, seed: int
) -> Forecast:
    """Forecast each class as a whole, then all together, (K, classes + 1).

    A sum's quantiles are not the sums of its parts' quantiles, so sums are forecast in their own right.
    """
    totals = class_totals(history, relation_class, classes)
    return fit_tides(history.grid, totals, observed=history.observed, seed=seed).forecast(grid)


def hindsight(
    network: Network,
    series: DemandSeries,
    expected: Forecast,
    outlook: Forecast,
    later: DemandHistory,
    relation_class: NDArray[np.integer],
) -> Hindsight:
    """Hold forecasts against what came.

    Parameters
    ----------
    network : Network
    series : DemandSeries
        What the columns of `expected` are.
    expected, outlook : Forecast
        Of every series, and of the classes and all together; over the same K hours.
    later : DemandHistory
        What came, over any hours.
    relation_class : int (R,)
        Class of each of its relations.

    Raises
    ------
    BadInputError
        If no hour is both planned and observed.
    """
    grid, classes = expected.grid, series.class_count
    offset = later.grid.step_of(grid.begin)
    hours = np.arange(grid.count) + offset
    inside = (hours >= 0) & (hours < later.hours)
    known = np.zeros(grid.count, dtype=np.bool_)
    known[inside] = later.observed[hours[inside]]
    if not known.any():
        span = f"{grid.begin.isoformat()} to {grid.end.isoformat()}"
        raise BadInputError("history", f"must hold whole hours of {span}", later.grid.begin.isoformat())
    rows = hours[known]
    came = np.full((grid.count, classes + 1), np.nan)
    came[known] = class_totals(later, relation_class, classes)[rows]
    unit = _series_of(network, series, later, relation_class)
    amounts = later.series(unit, len(series))[rows]
    total = float(came[known, -1].sum())
    missed = total - float(amounts.sum())
    return Hindsight(
        came=came,
        whole=tuple(
            _score(came[known, c], outlook.p50[known, c], outlook.p95[known, c], 0.0) for c in range(classes + 1)
        ),
        series=_score(amounts, expected.p50[known], expected.p95[known], missed),
        unforeseen=missed / total if total > 0 else 0.0,
    )


def _series_of(
    network: Network, series: DemandSeries, later: DemandHistory, relation_class: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Series of each relation, -1 where there is none."""
    relations, group = later.relations, network.node_group
    return series.find(len(network.groups), group[relations.source], group[relations.target], relation_class)


def _score(came: NDArray[np.float64], median: NDArray[np.float64], upper: NDArray[np.float64], missed: float) -> Score:
    """Score a forecast; `missed` came beside it and was forecast to be nothing."""
    total = float(came.sum()) + missed
    if total <= 0:
        return Score(np.nan, np.nan, np.nan)
    above = came - upper
    loss = float(np.maximum(UPPER * above, (UPPER - 1.0) * above).sum()) + UPPER * missed
    return Score(
        wape=(float(np.abs(came - median).sum()) + missed) / total,
        pinball=loss / total,
        coverage=float((came <= upper).mean()),
    )
