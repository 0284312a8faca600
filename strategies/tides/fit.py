"""Fitting tides: compare models on days that they have not seen, blend them, calibrate, then learn from everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.calendar import day_of
from router_core.errors import BadInputError
from router_core.time_grid import TimeGrid
from strategies.tides.bands import UPPER, Bands
from strategies.tides.blend import PRIOR, ModelScore, TideRecord, blend_weights
from strategies.tides.days import Calendar, DayTable, checked_demand, plain_calendar
from strategies.tides.kernels import cut_outliers
from strategies.tides.mixture import Mixture, fit_mixture
from strategies.tides.models import MODELS, Models, fit_models
from strategies.tides.pooled import fit_pooled
from strategies.tides.scale import Scale, count_of, spread_of, unit_of
from strategies.tides.state import Errors
from strategies.tides.tides import ERRORS_KEPT, RECENT_KEPT, Tides, blended
from strategies.tides.totals import Totals

__all__ = ["Tides", "fit_tides", "plain_calendar"]

ROUNDS: Final = 100
# With the mixture of all but the held-out days to start from.
ROUNDS_AGAIN: Final = 40
# Three weeks or more: the last week is held out whole. A fortnight or more: the last quarter. Less: each of the last
# days in its turn, forecast from the days before.
WEEKS_DAYS, QUARTER_DAYS, TURNS = 21, 14, 4
# A cell stands alone above three times the second highest of its kind and five times the series' mean.
ALONE_TIMES, ALONE_LEVELS = 3.0, 5.0
# Where demand is counted, by eight more: of thin series a single exchange always stands alone, and is no outlier.
ALONE_COUNTS = 8.0
# Models are scored on this many held-out cells or fewer, by leaving out series.
SCORED_CELLS: Final = 200_000


def fit_tides(
    grid: TimeGrid,
    demand: NDArray[np.float64],
    *,
    group: NDArray[np.integer] | None = None,
    observed: NDArray[np.bool_] | None = None,
    calendar: Calendar = day_of,
    seed: int = 0,
) -> Tides:
    """Learn the tides of D series.

    What is too short or missing has a fallback: events that the history lacks have no effect, a holiday is then a
    weekend; days off that it lacks are working days at `OFF_UNSEEN` of their level, and the inverse; steps of day that
    it lacks are the mean of the others; with less than two days no models are compared, and the prior blend stands; a
    series without any demand is forecast to have none.

    Parameters
    ----------
    grid : TimeGrid
    demand : float64 (T, D)
        Not negative, in any unit: counts, bytes or rates. Anything where not observed.
    group : int (D,), optional
        Classes of the series; without them, series are pooled by the hidden tides that are found in them.
    observed : bool (T,), optional
        Steps of which demand is known; all of them if not given.
    calendar : callable
        What is said of a date; `plain_calendar` knows nothing but weekends.
    seed : int
        At least 0. Nothing is drawn at present, so that every seed gives the same tides.

    Returns
    -------
    Tides

    Raises
    ------
    BadInputError
        If nothing was observed, or an argument breaks a rule above.
    """
    values, known = checked_demand("history", grid, demand, observed)
    if seed < 0:
        raise BadInputError("seed", "must not be negative", seed)
    if not known.any():
        raise BadInputError("history", "needs at least one observed step", int(known.sum()))
    classes = None
    if group is not None:
        classes = np.asarray(group)
        if classes.shape != (values.shape[1],) or not np.issubdtype(classes.dtype, np.integer):
            raise BadInputError(
                "group", f"must be {values.shape[1]} whole numbers", (classes.shape, str(classes.dtype))
            )
        classes = classes.astype(np.int64)
    table = DayTable.of(grid, values, known, calendar)
    level = table.demand.sum(axis=(0, 1)) / known.sum()
    count = count_of(table)
    alone = (ALONE_TIMES, ALONE_LEVELS, ALONE_COUNTS * count)
    outliers = cut_outliers(table.demand, table.known, table.almanac.kind, level, *alone)
    table = _from_first_to_last(table)
    unit = unit_of(table)
    held = _hold_out(table, unit, classes)
    weights = np.array(PRIOR) if held is None else blend_weights(held.demand, held.means, held.days)
    totals = Totals.of(table)
    start = None if held is None else held.mixture
    mixture = fit_mixture(totals, classes, _usual(unit), ROUNDS if start is None else ROUNDS_AGAIN, start)
    recent = table.part(max(0, len(table) - RECENT_KEPT), len(table))
    models = fit_models(fit_pooled(totals, mixture, unit), recent, unit)
    if held is None:
        held = _seen(table, models)
    mean = np.einsum("m,mnd->nd", weights, held.means)
    scale = Scale(unit, spread_of(held.demand - mean, mean, unit, level), level, count)
    bands = Bands.fit(held.demand, mean, held.doubt, scale, held.day)
    return Tides(
        grid=grid,
        calendar=calendar,
        record=_record(held, weights, scale, classes, int(outliers)),
        totals=totals,
        recent=recent,
        mixture=mixture,
        scale=scale,
        bands=bands,
        errors=_errors(held, mean, scale),
        weights=weights,
        models=models,
    )


@dataclass(frozen=True, eq=False)
class _HeldOut:
    """What came on held-out days, at its n known steps, and what each model would have said: (M, n, D)."""

    table: DayTable
    demand: NDArray[np.float64]
    means: NDArray[np.float64]
    doubt: NDArray[np.float64]
    mixture: Mixture | None
    compared: bool

    @property
    def day(self) -> NDArray[np.int64]:
        """Day of each step, (n,)."""
        return np.nonzero(self.table.known)[0]

    @property
    def days(self) -> float:
        """How many days' worth of steps."""
        return float(self.table.known.sum() / self.table.known.shape[1])


def _hold_out(table: DayTable, unit: NDArray[np.float64], group: NDArray[np.int64] | None) -> _HeldOut | None:
    """Fit all models to what was before the held-out days; None if that is nothing."""
    days = len(table)
    if days >= WEEKS_DAYS:
        spans = [(days - 7, days)]
    elif days >= QUARTER_DAYS:
        spans = [(days - days // 4, days)]
    else:
        spans = [(day, day + 1) for day in range(max(1, days - TURNS), days)]
    # Nothing can be learnt from days that are not known, nor be held against them.
    spans = [(a, b) for a, b in spans if table.known[:a].any() and table.known[a:b].any()]
    if not spans:
        return None
    mixture = None
    means, doubts, demands = [], [], []
    for first, last in spans:
        past, held = table.part(0, first), table.part(first, last)
        totals = Totals.of(past)
        mixture = fit_mixture(totals, group, _usual(unit), ROUNDS, None)
        recent = past.part(max(0, first - RECENT_KEPT), first)
        models = fit_models(fit_pooled(totals, mixture, unit), recent, unit)
        known = held.known
        means.append(models.day_means(held.almanac, tuple(range(len(MODELS))))[:, known])
        doubts.append(blended(models, np.eye(len(MODELS))[0], held.almanac)[1][known])
        demands.append(held.demand[known])
    span = table.part(spans[0][0], spans[-1][1])
    return _HeldOut(
        span, np.concatenate(demands), np.concatenate(means, axis=1), np.concatenate(doubts), mixture, compared=True
    )


def _seen(table: DayTable, models: Models) -> _HeldOut:
    """The history itself, where nothing can be held out: errors are then too small, but none is unknown."""
    means = models.day_means(table.almanac, tuple(range(len(MODELS))))[:, table.known]
    doubt = blended(models, np.eye(len(MODELS))[0], table.almanac)[1][table.known]
    return _HeldOut(table, table.demand[table.known], means, doubt, None, compared=False)


def _errors(held: _HeldOut, mean: NDArray[np.float64], scale: Scale) -> Errors:
    """Whitened errors of the held-out days; a day that is known in part has none at its other steps."""
    error = np.zeros_like(held.table.demand)
    error[held.table.known] = (held.demand - mean) / np.sqrt(scale.variance(mean, held.doubt))
    whole = held.table.known.all(axis=1)
    if not whole.any():
        whole = held.table.known.any(axis=1)
    return Errors(held.table.almanac.kind[whole][-ERRORS_KEPT:], error[whole][-ERRORS_KEPT:])


def _record(
    held: _HeldOut, weights: NDArray[np.float64], scale: Scale, group: NDArray[np.int64] | None, outliers: int
) -> TideRecord:
    blend = tuple((model, float(weight)) for model, weight in zip(MODELS, weights, strict=True))
    names = () if group is None else tuple(int(name) for name in np.unique(group))
    if not held.compared:
        return TideRecord("", "", names, (), blend, outliers)
    stride = max(1, -(-held.demand.size // SCORED_CELLS))
    some = slice(None, None, stride)
    demand, doubt = held.demand[:, some], held.doubt[:, some]
    part = Scale(scale.unit[some], scale.spread[some], scale.level[some], scale.count)
    place = np.searchsorted(names, group[some]) if group is not None else np.zeros(demand.shape[1], dtype=np.int64)
    scores = []
    for model, weight in (*blend, ("blend", 1.0)):
        if model == "blend":
            mean = np.einsum("m,mnd->nd", weights, held.means[:, :, some])
        else:
            mean = held.means[MODELS.index(model)][:, some]
        median, upper = Bands.fit(demand, mean, doubt, part, held.day).quantiles(mean, doubt, part)
        error = np.abs(demand - median).sum(axis=0)
        loss = np.maximum(UPPER * (demand - upper), (UPPER - 1.0) * (demand - upper)).sum(axis=0)
        amount = demand.sum(axis=0)
        by_group = [np.bincount(place, values, len(names)) for values in (error, loss, amount)] if names else []
        scores.append(
            ModelScore(
                model,
                _share(float(error.sum()), float(amount.sum())),
                _share(float(loss.sum()), float(amount.sum())),
                tuple(_share(float(e), float(a)) for e, a in zip(by_group[0], by_group[2], strict=True))
                if names
                else (),
                tuple(_share(float(p), float(a)) for p, a in zip(by_group[1], by_group[2], strict=True))
                if names
                else (),
                weight,
            )
        )
    dates = held.table.dates
    return TideRecord(dates[0].isoformat(), dates[-1].isoformat(), names, tuple(scores), blend, outliers)


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else float("nan")


def _usual(unit: NDArray[np.float64]) -> float:
    return float(np.median(unit)) if len(unit) else 1.0


def _from_first_to_last(table: DayTable) -> DayTable:
    """Days before the first known step and after the last one tell nothing."""
    days = np.flatnonzero(table.known.any(axis=1))
    return table.part(int(days[0]), int(days[-1]) + 1)
