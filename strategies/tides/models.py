"""The models that are compared and blended: the pooled one, at three levels, and two that repeat recent days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from strategies.tides.days import OFF, WORKING, Almanac, DayTable
from strategies.tides.mixture import OFF_UNSEEN
from strategies.tides.pooled import Pooled
from strategies.tides.shrinkage import shrunk_ratio

MODELS: Final = ("pooled", "pooled-week", "pooled-day", "recent-days", "seasonal-naive")
WEEK: Final = 7
RECENT_DAYS: Final = 3
# Recent days are smoothed over three hours either way where steps are finer.
SMOOTH_S: Final = 10_800.0
DAY_S: Final = 86_400.0
# A day is carried over to one of another context by the ratio of their means, within reason.
RATIO_MAX: Final = 50.0
# A series has changed since a day if every day since was so many times its mean or more, or the inverse; all of them
# together this many times; and one of the two sums is so many exchanges.
CHANGED_DAY, CHANGED_RUN, CHANGED_LEAST = 2.0, 3.0, 20.0


@dataclass(frozen=True, eq=False)
class Models:
    """All models, fitted to one history.

    Attributes
    ----------
    pooled : Pooled
    recent : DayTable
        The last days of the history.
    week, day, change : float64 (D,)
        Level of the last week, of the last day, and since a series has changed (1 where it has not), against the pooled
        model.
    """

    pooled: Pooled
    recent: DayTable
    week: NDArray[np.float64]
    day: NDArray[np.float64]
    change: NDArray[np.float64]

    def day_means(self, almanac: Almanac, used: tuple[int, ...]) -> NDArray[np.float64]:
        """Means of the models `used` for each day, (M, n, S, D)."""
        contexts = almanac.contexts()
        steps, series = self.recent.demand.shape[1:]
        found = np.empty((len(used), len(contexts), steps, series))
        means = {int(context): self.pooled.mean(int(context)) * self.change for context in np.unique(contexts)}
        repeats: dict[tuple[int, int, int], NDArray[np.float64]] = {}
        for number, context in enumerate(contexts.tolist()):
            weekday = int(almanac.weekday[number])
            for place, model in enumerate(used):
                if model < 3:
                    found[place, number] = means[context] * (1.0, self.week, self.day)[model]
                    continue
                key = (model, context, weekday if model == 4 else 0)
                if key not in repeats:
                    repeats[key] = self._repeat(model, context, weekday, means[context])
                found[place, number] = repeats[key]
        return found

    def _repeat(self, model: int, context: int, weekday: int, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """Recent days, carried over to another context where need be; the pooled model where there are none."""
        table = self.recent
        whole = table.known.all(axis=1)
        kind = table.almanac.kind
        same = np.flatnonzero(whole & (kind == context % 2))
        factor = 1.0
        if len(same) == 0:
            same = np.flatnonzero(whole)
            factor = OFF_UNSEEN if context % 2 == OFF else 1.0 / OFF_UNSEEN
        if len(same) == 0:
            return mean
        if model == 4:
            again = same[table.almanac.weekday[same] == weekday]
            chosen = (again if len(again) else same)[-1:]
        else:
            chosen = same[-RECENT_DAYS:]
        contexts = table.almanac.contexts()
        days = []
        for day in chosen.tolist():
            values = table.demand[day]
            if model != 4:
                values = _smoothed(values)
            if contexts[day] != context and factor == 1.0:
                own = self.pooled.mean(int(contexts[day])) * self.change
                values = values * np.minimum(mean / np.maximum(own, mean / RATIO_MAX + 1e-300), RATIO_MAX)
            days.append(values * factor)
        found = np.median(days, axis=0)
        # A series that has changed is not what it was a week ago.
        return np.where(self.change != 1.0, mean, found)


def fit_models(pooled: Pooled, recent: DayTable, unit: NDArray[np.float64]) -> Models:
    """Work out recent levels against the pooled model.

    Parameters
    ----------
    pooled : Pooled
    recent : DayTable
    unit : float64 (D,)
        Variance by mean of each series.
    """
    series = recent.demand.shape[2]
    came = recent.demand.sum(axis=1) / unit
    due = np.zeros((len(recent), series))
    for day, context in enumerate(recent.almanac.contexts().tolist()):
        due[day] = np.einsum("s,sd->d", recent.known[day].astype(np.float64), pooled.mean(context)) / unit
    change = _changes(came, due)
    due = due * change
    last = np.flatnonzero(recent.known.any(axis=1))
    return Models(pooled, recent, _level(came, due, last[-WEEK:]), _level(came, due, last[-1:]), change)


def _level(came: NDArray[np.float64], due: NDArray[np.float64], days: NDArray[np.intp]) -> NDArray[np.float64]:
    nobody = np.zeros((1, 1), dtype=np.int64)
    return np.asarray(shrunk_ratio(came[days].sum(axis=0)[None], due[days].sum(axis=0)[None], nobody, 1)[0][0])


def _changes(came: NDArray[np.float64], due: NDArray[np.float64]) -> NDArray[np.float64]:
    """Level since a series appeared, vanished or changed for good, against its mean; 1 where nothing of that."""
    result = np.ones(came.shape[1])
    for up in (True, False):
        run = np.ones(came.shape[1], dtype=np.bool_)
        run_came, run_due = np.zeros(came.shape[1]), np.zeros(came.shape[1])
        for day in range(len(came) - 1, -1, -1):
            high, low = (came[day], due[day]) if up else (due[day], came[day])
            run &= high >= CHANGED_DAY * low
            run_came += np.where(run, came[day], 0.0)
            run_due += np.where(run, due[day], 0.0)
        high, low = (run_came, run_due) if up else (run_due, run_came)
        changed = (high >= CHANGED_RUN * low) & (high >= CHANGED_LEAST)
        result = np.where(changed, (run_came + 0.5) / (run_due + 0.5), result)
    return result


def _smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over steps within `SMOOTH_S`, shorter at both ends of the day."""
    steps = len(values)
    reach = int(SMOOTH_S / (DAY_S / steps)) if steps > 24 else 0
    if reach == 0:
        return values
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    low = np.maximum(np.arange(steps) - reach, 0)
    high = np.minimum(np.arange(steps) + reach + 1, steps)
    # A sum over a day is exact to about 1e-13 of it: a difference of two must not fall below nothing.
    return np.asarray(np.maximum((sums[high] - sums[low]) / (high - low)[:, None], 0.0))


assert WORKING == 0, "contexts are numbered by kind first"
