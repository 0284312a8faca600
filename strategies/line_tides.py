"""Tides of the lines' other users: what share of each line they will take, by hour of day and kind of day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from router_core.calendar import Day, day_of
from router_core.errors import BadInputError
from router_core.line_history import LineHistory
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS

HOURS: Final = 24
KINDS: Final = 2  # days off, working days
FORMAT: Final = 1
# Deviations are kept at these quantiles; between them quantiles are interpolated.
LEVELS: Final = (0.0, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 1.0)
# The mean of the two hours beside it counts like so many days of an hour's own: one odd day then bends no curve.
NEIGHBOURS_WEIGHT: Final = 1.0


@dataclass(frozen=True, eq=False)
class LineTides:
    """What others are expected to take of L lines.

    Attributes
    ----------
    expected : float32 (KINDS, HOURS, L)
        Mean share on days off and on working days, by hour of day; in [0, 1].
    deviation : float32 (KINDS, HOURS, len(LEVELS), L)
        Quantiles of the deviation from it, ascending.
    calendar : callable
        Says what a date is.
    """

    expected: NDArray[np.float32]
    deviation: NDArray[np.float32]
    calendar: Callable[[date], Day] = day_of

    def others(self, grid: TimeGrid) -> NDArray[np.float64]:
        """Return the expected share in each step, (T, L): the mean of the step, linear between hours' middles."""
        return self._over(grid, self.expected.astype(np.float64), np.mean)

    def others_high(self, grid: TimeGrid, quantile: float) -> NDArray[np.float64]:
        """Return the share that is not exceeded with this probability in an hour of each step, (T, L).

        Of a step longer than an hour the highest one counts. Never decreases with `quantile`.

        Parameters
        ----------
        grid : TimeGrid
        quantile : float
            In [0, 1].
        """
        if not 0.0 <= quantile <= 1.0:
            raise BadInputError("quantile", "must lie in 0..1", quantile)
        above = min(int(np.searchsorted(LEVELS, quantile)), len(LEVELS) - 1)
        below = max(above - 1, 0)
        width = LEVELS[above] - LEVELS[below]
        weight = (quantile - LEVELS[below]) / width if width else 0.0
        table = self.expected + (1 - weight) * self.deviation[:, :, below] + weight * self.deviation[:, :, above]
        return self._over(grid, np.clip(table.astype(np.float64), 0.0, 1.0), np.max)

    def parts(self) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
        """Return all there is to store: a document of JSON's types, and arrays by name. The calendar is not stored."""
        return {"format": FORMAT, "levels": list(LEVELS)}, {"expected": self.expected, "deviation": self.deviation}

    @staticmethod
    def from_parts(
        document: dict[str, Any],
        arrays: dict[str, NDArray[np.float32]],
        calendar: Callable[[date], Day] = day_of,
    ) -> LineTides:
        """Return what `parts` was taken from.

        Raises
        ------
        BadInputError
            If a part is missing, of another format, shape or type, or out of range.
        """
        for name, wanted in (("format", FORMAT), ("levels", list(LEVELS))):
            if document.get(name) != wanted:
                raise BadInputError(f"line_tides.{name}", f"must be {wanted}", document.get(name))
        for name, low, inner in (("expected", 0.0, ()), ("deviation", -1.0, (len(LEVELS),))):
            array, shape = arrays.get(name), (KINDS, HOURS, *inner)
            if array is None or array.dtype != np.float32 or array.shape[:-1] != shape:
                found = None if array is None else f"{array.dtype} {array.shape}"
                raise BadInputError(f"line_tides.{name}", f"must be float32 of shape {(*shape, 'L')}", found)
            if not ((array >= low) & (array <= 1)).all():
                raise BadInputError(f"line_tides.{name}", f"must lie in {low:g}..1", "values beyond, or NaN")
        if arrays["expected"].shape[-1] != arrays["deviation"].shape[-1]:
            lines = arrays["expected"].shape[-1]
            raise BadInputError("line_tides.deviation", f"must have {lines} lines", arrays["deviation"].shape[-1])
        return LineTides(arrays["expected"], arrays["deviation"], calendar)

    def _over(
        self, grid: TimeGrid, table: NDArray[np.float64], join: Callable[..., NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """Evaluate a table at each step: at its middle, or at several middles of parts no longer than an hour."""
        dates = grid.dates()
        if not dates:
            return np.zeros((0, table.shape[-1]))
        # Near midnight the hour before or after may be another day's, and the grid need not touch that day.
        kinds = _kinds([dates[0] - timedelta(days=1), *dates, dates[-1] + timedelta(days=1)], self.calendar)
        begin_ns = (grid.day() * grid.steps_per_day + grid.step_of_day()) * grid.step_ns  # since the first midnight
        pieces = -(-grid.step_ns // HOUR_NS)
        values = []
        for piece in range(pieces):
            place = (begin_ns + (2 * piece + 1) * grid.step_ns / (2 * pieces)) / HOUR_NS - 0.5
            hour = np.floor(place).astype(np.int64)
            weight = (place - hour)[:, None]
            low, high = (table[kinds[at // HOURS + 1], at % HOURS] for at in (hour, hour + 1))
            values.append(low * (1 - weight) + high * weight)
        return join(np.stack(values), axis=0)


def fit_line_tides(history: LineHistory, calendar: Callable[[date], Day] = day_of) -> LineTides:
    """Learn from hourly shares what others take of each line at which hour of working days and of days off.

    The expected share of an hour is the mean of its days and, with the weight of one day, of the hours beside it.
    Deviations are pooled with those of the hours beside it, as a few weeks have few days of a kind. An hour of day
    that was never seen takes what the nearest hours seen have; a kind of day that was never seen takes the other
    kind's; a line that was never seen has no other users.

    Parameters
    ----------
    history : LineHistory
    calendar : callable, optional
        Says what a date is.
    """
    hour = history.grid.step_of_day()
    kind = _kinds(history.grid.dates(), calendar)[history.grid.day()]
    lines = history.others.shape[1]
    expected = np.full((KINDS, HOURS, lines), np.nan, dtype=np.float32)
    deviation = np.full((KINDS, HOURS, len(LEVELS), lines), np.nan, dtype=np.float32)
    for which in range(KINDS):
        rows = [history.others[(kind == which) & (hour == h)].astype(np.float64) for h in range(HOURS)]
        means = _smoothed(rows)
        # A new day strays from the mean of n days by more than those days do, whose mean it is.
        strays = [(days - mean) * _widening(days) for days, mean in zip(rows, means, strict=True)]
        for h in range(HOURS):
            around = np.concatenate([strays[(h + shift) % HOURS] for shift in (-1, 0, 1)])
            seen = ~np.isnan(means[h])
            expected[which, h] = means[h]
            deviation[which, h][:, seen] = np.clip(_quantiles(around[:, seen]), -1.0, 1.0)
        _fill_from_nearest(expected[which])
        _fill_from_nearest(deviation[which])
    for table in (expected, deviation):
        for which in range(KINDS):
            table[which] = np.where(np.isnan(table[which]), table[1 - which], table[which])
        np.nan_to_num(table, copy=False)
    return LineTides(expected, deviation, calendar)


def _kinds(dates: Sequence[date], calendar: Callable[[date], Day]) -> NDArray[np.int64]:
    """Kind of each day: 1 where it is a working day."""
    return np.array([int(calendar(when).working) for when in dates], dtype=np.int64)


def _smoothed(rows: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Mean of each hour's days, (HOURS, L), drawn a little towards the hours beside it; NaN where none was seen."""
    count = np.array([(~np.isnan(days)).sum(axis=0) for days in rows])
    total = np.array([np.nansum(days, axis=0) for days in rows])
    mean = total / np.where(count, count, 1)
    beside = count > 0
    both = np.roll(beside, 1, axis=0) & np.roll(beside, -1, axis=0)
    weight = np.where(both, NEIGHBOURS_WEIGHT, 0.0)
    neighbours = (np.roll(mean, 1, axis=0) + np.roll(mean, -1, axis=0)) / 2
    drawn = (total + weight * neighbours) / np.where(count, count + weight, 1)
    return np.where(count, drawn, np.nan)


def _widening(days: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spread of a new day about the mean of each column's n days, against theirs: the root of (n + 1) / (n - 1)."""
    count = (~np.isnan(days)).sum(axis=0)
    return np.asarray(np.sqrt((count + 1) / np.maximum(count - 1, 1)))


def _quantiles(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quantiles at `LEVELS` of each column without its NaN, (levels, columns); every column has a value."""
    ordered = np.sort(values, axis=0)  # NaN last
    last = (~np.isnan(ordered)).sum(axis=0) - 1
    found = []
    for level in LEVELS:
        place = level * last
        low = np.floor(place).astype(np.int64)
        columns = np.arange(ordered.shape[1])
        a, b = ordered[low, columns], ordered[np.minimum(low + 1, last), columns]
        found.append(a + (place - low) * (b - a))
    return np.maximum.accumulate(np.array(found), axis=0)


def _fill_from_nearest(table: NDArray[np.float32]) -> None:
    """Fill what is NaN from the nearest hours that are not, the mean of two that are as near; hours run in a circle."""
    seen = ~np.isnan(table)
    missing = ~seen
    source = np.where(seen, table, 0)
    for distance in range(1, HOURS // 2 + 1):
        if not missing.any():
            return
        count = np.zeros(table.shape, dtype=np.int64)
        total = np.zeros(table.shape, dtype=np.float64)
        for shift in {distance, -distance % HOURS}:
            count += np.roll(seen, shift, axis=0)
            total += np.roll(source, shift, axis=0)
        here = missing & (count > 0)
        table[here] = total[here] / count[here]
        missing &= ~here
