"""Tides: what is known of the demand of many series, ready to say what comes, how surely, and together with what."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.randomness import stream
from router_core.time_grid import TimeGrid
from strategies.tides.days import Almanac, Calendar, DayTable, checked_demand
from strategies.tides.forecast import Forecast
from strategies.tides.mixture import follow_mixture
from strategies.tides.models import Models, fit_models
from strategies.tides.parts import parts_of, state_from_parts
from strategies.tides.pooled import fit_pooled
from strategies.tides.state import Errors, TideState
from strategies.tides.totals import Totals

# How many days are kept as they were, and how many whole days of errors.
RECENT_KEPT: Final = 28
ERRORS_KEPT: Final = 14
FOLLOW_ROUNDS: Final = 5
# No scenario goes below this part of a mean, so that what past days lacked can still come.
SCENARIO_MIN: Final = 0.1
# What comes later is lowered to this many times its band, plus so many times the series' mean.
CUT_TIMES, CUT_LEVELS = 3.0, 5.0
ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, eq=False)
class Tides(TideState):
    """A fitted model of D series; nothing in it changes, `observe` returns another one.

    Made by `strategies.tides.fit.fit_tides`.

    Attributes
    ----------
    models : Models
        What follows from the state.
    """

    models: Models

    @property
    def series(self) -> int:
        """Number of series D."""
        return len(self.scale.unit)

    def forecast(self, grid: TimeGrid) -> Forecast:
        """Return quantiles and means over any steps, also past ones.

        Parameters
        ----------
        grid : TimeGrid
            Steps as long as those of the history.

        Raises
        ------
        BadInputError
            If steps are of another length.
        """
        almanac, mean, doubt = self._means(grid)
        median, upper = self.bands.quantiles(mean, doubt, self.scale)
        return Forecast(grid, median, upper, mean, almanac.provisional[grid.day()])

    def scenarios(self, grid: TimeGrid, count: int, seed: int) -> NDArray[np.float64]:
        """Draw likely demand: means plus errors that whole days have had, those of all series together.

        Errors stay as they were related over series and over the day; a day takes those of a day of its kind if
        there are any. Demand is not negative, and each cell's mean over all that could be drawn is the forecast's.

        Parameters
        ----------
        grid : TimeGrid
        count : int
            Number M of scenarios, >= 0.
        seed : int
            At least 0.

        Returns
        -------
        float64 (M, T, D)
            Not negative.
        """
        if count < 0:
            raise BadInputError("scenarios.count", "must not be negative", count)
        if seed < 0:
            raise BadInputError("scenarios.seed", "must not be negative", seed)
        random = stream(seed, "tides scenarios")
        almanac, mean, doubt = self._means(grid)
        deviation = np.sqrt(self.scale.variance(mean, doubt))
        deviation[:, self.scale.level <= 0] = 0.0
        day, step = grid.day(), grid.step_of_day()
        pools = [np.flatnonzero(self.errors.kind == kind) for kind in almanac.kind]
        pools = [pool if len(pool) else np.arange(len(self.errors.kind)) for pool in pools]
        # What is cut would add to the mean, a multiple of it where demand is thin.
        usual = np.zeros_like(mean)
        for number, pool in enumerate(pools):
            rows = day == number
            for past in pool.tolist():
                usual[rows] += self._erring(mean[rows], past, step[rows], deviation[rows]) / len(pool)
        level = np.divide(mean, usual, out=np.zeros_like(mean), where=usual > 0)
        found = np.empty((count, *mean.shape))
        for number in range(count):
            chosen = np.array([pool[random.integers(len(pool))] for pool in pools], dtype=np.int64)
            found[number] = level * self._erring(mean, chosen[day], step, deviation)
        return found

    def _erring(
        self,
        mean: NDArray[np.float64],
        past: NDArray[np.int64] | int,
        step: NDArray[np.int64],
        deviation: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Means with the errors of past days, not below a small part of the mean."""
        return np.asarray(np.maximum(mean + self.errors.error[past, step] * deviation, SCENARIO_MIN * mean))

    def observe(
        self, grid: TimeGrid, demand: NDArray[np.float64], *, observed: NDArray[np.bool_] | None = None
    ) -> Tides:
        """Return the tides that have also seen what came since; the blend and the hidden tides stay.

        Levels, effects and profiles follow; the bands are corrected by how often what came lay above them, day by
        day; errors of whole days join those that scenarios are drawn from.

        Parameters
        ----------
        grid : TimeGrid
            Begins where the history ends, or later.
        demand : float64 (T, D)
        observed : bool (T,), optional
            Steps of which demand is known; all of them if not given.

        Raises
        ------
        BadInputError
            If the grid goes back in time, or demand is not finite, negative or of another shape.
        """
        self._check_step(grid)
        values, known = checked_demand("observe", grid, demand, observed)
        if values.shape[1] != self.series:
            raise BadInputError("observe.demand", f"must have {self.series} columns", values.shape[1])
        if grid.begin < self.grid.end:
            raise BadInputError("observe.grid", f"must begin at {self.grid.end} or later", grid.begin.isoformat())
        if not known.any():
            return replace(self, grid=_until(self.grid, grid))
        _, mean, doubt = self._means(grid)
        _, upper = self.bands.quantiles(mean, doubt, self.scale)
        bands, scale = self.bands, self.scale
        day = grid.day()
        for number in range(int(day[-1]) + 1):
            rows = known & (day == number)
            if rows.any():
                bands = bands.corrected(values[rows], mean[rows], doubt[rows], scale)
        deviation = np.sqrt(scale.variance(mean, doubt))
        error = np.where(known[:, None], values - mean, 0.0) / deviation
        came = DayTable.of(grid, error, known, self.calendar)
        whole = came.known.all(axis=1)
        errors = Errors(
            np.concatenate([self.errors.kind, came.almanac.kind[whole]])[-ERRORS_KEPT:],
            np.concatenate([self.errors.error, came.demand[whole]])[-ERRORS_KEPT:],
        )
        cap = np.where(scale.level > 0, CUT_TIMES * upper + CUT_LEVELS * scale.level, np.inf)
        table = DayTable.of(grid, np.where(known[:, None], np.minimum(values, cap), 0.0), known, self.calendar)
        totals = self.totals.plus(Totals.of(table))
        level = totals.total.sum(axis=(0, 1)) / totals.days.sum()
        return assemble(
            replace(
                self,
                grid=_until(self.grid, grid),
                totals=totals,
                recent=_joined(self.recent, table, self.calendar),
                mixture=follow_mixture(totals, self.mixture, FOLLOW_ROUNDS),
                scale=replace(scale, level=level, count=scale.count if _counted(values[known], scale.count) else 0.0),
                bands=bands,
                errors=errors,
            )
        )

    def parts(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return everything as a document for JSON and named arrays, the inverse of `from_parts`."""
        return parts_of(self)

    @classmethod
    def from_parts(
        cls, document: dict[str, Any], arrays: dict[str, NDArray[Any]], calendar: Calendar | None = None
    ) -> Tides:
        """Read what `parts` wrote, to the bit.

        Parameters
        ----------
        document, arrays
        calendar : callable, optional
            Needed where the tides were fitted with a calendar of the caller's own.
        """
        state = state_from_parts(document, arrays, calendar)
        return cls(**{one.name: getattr(state, one.name) for one in fields(TideState)}, models=_models(state))

    def _means(self, grid: TimeGrid) -> tuple[Almanac, NDArray[np.float64], NDArray[np.float64]]:
        """Almanac of the grid's days, blended means and their doubt at its steps, (T, D) each."""
        self._check_step(grid)
        almanac = Almanac.of(grid.dates(), self.calendar)
        mean, doubt = blended(self.models, self.weights, almanac)
        day, step = grid.day(), grid.step_of_day()
        return almanac, mean[day, step], doubt[day, step]

    def _check_step(self, grid: TimeGrid) -> None:
        if grid.step_ns != self.grid.step_ns:
            raise BadInputError("grid.step_ns", f"must be the history's {self.grid.step_ns}", grid.step_ns)


def blended(
    models: Models, weights: NDArray[np.float64], almanac: Almanac
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Blended means and their doubt on days, (n, S, D) each."""
    used = tuple(int(model) for model in np.flatnonzero(weights > 0))
    contexts = almanac.contexts()
    mean = np.zeros((len(contexts), *models.recent.demand.shape[1:]))
    doubt = np.zeros_like(mean)
    first: dict[tuple[int, int], int] = {}
    for day, key in enumerate(zip(contexts.tolist(), almanac.weekday.tolist(), strict=True)):
        if key in first:
            mean[day], doubt[day] = mean[first[key]], doubt[first[key]]
            continue
        first[key] = day
        found = models.day_means(almanac.part(slice(day, day + 1)), used)
        for place, model in enumerate(used):
            mean[day] += weights[model] * found[place, 0]
        doubt[day] = models.pooled.doubt_of(key[0])
    return mean, doubt


def assemble(tides: Tides) -> Tides:
    """Return the tides with everything worked out anew that follows from sums, recent days and the mixture."""
    return replace(tides, models=_models(tides))


def _models(state: TideState) -> Models:
    unit = state.scale.unit
    return fit_models(fit_pooled(state.totals, state.mixture, unit), state.recent, unit)


def _until(past: TimeGrid, more: TimeGrid) -> TimeGrid:
    return replace(past, count=past.step_of(more.end))


def _counted(values: NDArray[np.float64], count: float) -> bool:
    if count <= 0:
        return False
    times = values / count
    return bool((np.abs(times - np.round(times)) <= 1e-9 * times).all())


def _joined(before: DayTable, after: DayTable, calendar: Calendar) -> DayTable:
    """Days of both in a row, the last ones; a day that both know parts of is one, days between are not known."""
    first = before.dates[0]
    days = (after.dates[-1] - first).days + 1
    skipped = max(0, days - RECENT_KEPT)
    dates = tuple(first + number * ONE_DAY for number in range(skipped, days))
    shape = (len(dates), *before.demand.shape[1:])
    demand, known = np.zeros(shape), np.zeros(shape[:2], dtype=np.bool_)
    for table in (before, after):
        for row, when in enumerate(table.dates):
            place = (when - dates[0]).days
            if place >= 0:
                demand[place] += table.demand[row]
                known[place] |= table.known[row]
    return DayTable(dates, Almanac.of(dates, calendar), demand, known)
