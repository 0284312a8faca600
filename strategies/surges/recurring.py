"""Surges of the past: those that come back with the calendar are tides, the others must not teach any."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.calendar import day_of
from router_core.errors import BadInputError
from router_core.time_grid import TimeGrid
from router_core.units import DAY_NS
from strategies.surges.detector import WEEK_NS, Detector, DetectorSetting
from strategies.tides.days import Calendar, checked_demand
from strategies.tides.fit import Tides, fit_tides

# In so many weeks, or months, at the same place of the calendar: then it is a tide.
WEEKS: Final = 3
MONTHS: Final = 2
# How far onsets of one tide may lie apart.
APART_NS: Final = DAY_NS // 16
LEAST: Final = 2.0
# A surge lasts as long as more than this many times the mean comes.
ABOVE: Final = 1.5
SPREAD: Final = 0.25
SETTLE_STEPS: Final = 4
FALSE_ALARMS: Final = 0.002
ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class PastSurge:
    """A surge of one series, in the steps ``first .. last`` of a grid."""

    series: int
    first: int
    last: int


def past_surges(
    grid: TimeGrid,
    demand: NDArray[np.float64],
    expected: NDArray[np.float64],
    *,
    observed: NDArray[np.bool_] | None = None,
    unit: NDArray[np.float64] | float = 1.0,
) -> tuple[PastSurge, ...]:
    """Find the surges of a history with the detector that watches the present.

    Parameters
    ----------
    grid : TimeGrid
    demand, expected : float64 (T, D)
        What came, and what tides say of it.
    observed : bool (T,), optional
    unit : float or float64 (D,)
        What demand comes in, as for `Detector`.

    Returns
    -------
    tuple of PastSurge
        By series, then by time; of one step or more. What is found twice in a row is as long as it lasted.
    """
    values, known = checked_demand("history", grid, demand, observed)
    mean = np.asarray(expected, dtype=np.float64)
    if mean.shape != values.shape:
        raise BadInputError("history.expected", f"must have shape {values.shape}", mean.shape)
    steps_a_week = WEEK_NS // grid.step_ns
    # Means that were fitted to this history are not wrong for long.
    memory = max(2 * steps_a_week, 2)
    setting = DetectorSetting(grid.step_ns, FALSE_ALARMS, least=LEAST, memory=memory, settle=SETTLE_STEPS, level=0)
    detector = Detector(values.shape[1], setting, unit)
    begun: dict[int, int] = {}
    found: list[PastSurge] = []
    # Over the history twice: what the noise is like is known the second time, from the first step on.
    for pass_ in range(2):
        if pass_:
            detector.skip()
            begun.clear()
            found.clear()
        for step in range(grid.count):
            if not known[step]:
                detector.skip()
                continue
            deviation = np.sqrt(mean[step] + (SPREAD * mean[step]) ** 2)
            event = detector.step(values[step], mean[step], deviation)
            for series, age in zip(event.found.tolist(), detector.age(event.found).tolist(), strict=True):
                begun[series] = max(step - age, 0)
            for series in event.ended.tolist():
                # What ended a surge are steps that were as expected already.
                first = begun.pop(series, 0)
                above = values[first : step + 1, series] > ABOVE * mean[first : step + 1, series]
                found.append(PastSurge(series, first, first + int(np.flatnonzero(above)[-1]) if above.any() else step))
    found += [PastSurge(series, first, grid.count - 1) for series, first in begun.items()]
    return tuple(sorted(found, key=lambda one: (one.series, one.first)))


def recurring(surges: Iterable[PastSurge], grid: TimeGrid, calendar: Calendar = day_of) -> tuple[bool, ...]:
    """Say of each surge whether it comes back with the calendar, and so is a tide.

    It does if its series has had one with an onset at about the same time of day on the same day of the week in three
    weeks or more, or on the same working day of the month, counted from its first or from its last one, in two months
    or more.
    """
    every = list(surges)
    times = [grid.at(one.first) for one in every]
    places: dict[tuple[int, str, int], list[tuple[int, int]]] = defaultdict(list)
    period: list[list[tuple[tuple[int, str, int], int]]] = []
    for number, (one, when) in enumerate(zip(every, times, strict=True)):
        day = when.date()
        keys = [((one.series, "week", day.weekday()), day.toordinal() // 7)]
        keys += [((one.series, name, place), day.year * 12 + day.month) for name, place in _working_day(day, calendar)]
        period.append(keys)
        for key, which in keys:
            places[key].append((number, which))
    result = []
    for number, when in enumerate(times):
        of_day = when - when.replace(hour=0, minute=0, second=0, microsecond=0)
        back = False
        for key, _ in period[number]:
            others = set()
            for other, which in places[key]:
                at = times[other]
                apart = abs((at - at.replace(hour=0, minute=0, second=0, microsecond=0)) - of_day)
                if apart // timedelta(microseconds=1) * 1_000 <= APART_NS:
                    others.add(which)
            back |= len(others) >= (WEEKS if key[1] == "week" else MONTHS)
        result.append(back)
    return tuple(result)


def cells_of(surges: Iterable[PastSurge], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Mark the cells (T, D) in which these surges were."""
    mask = np.zeros(shape, dtype=np.bool_)
    for one in surges:
        mask[one.first : one.last + 1, one.series] = True
    return mask


def fit_without_surges(
    grid: TimeGrid,
    demand: NDArray[np.float64],
    *,
    group: NDArray[np.integer] | None = None,
    observed: NDArray[np.bool_] | None = None,
    calendar: Calendar = day_of,
    seed: int = 0,
    fit: Callable[..., Tides] = fit_tides,
) -> Tides:
    """Learn tides as `fit_tides` does, of which surges that came once are no part.

    Tides are fitted, the surges of the history found by them, and where one did not come back with the calendar, what
    came is replaced by what was expected; then tides are fitted again. Without such a surge the first ones are kept.
    """
    tides = fit(grid, demand, group=group, observed=observed, calendar=calendar, seed=seed)
    expected = tides.forecast(grid).mean
    surges = past_surges(grid, demand, expected, observed=observed, unit=tides.scale.unit)
    once = [one for one, back in zip(surges, recurring(surges, grid, calendar), strict=True) if not back]
    if not once:
        return tides
    mask = cells_of(once, expected.shape)
    usual = np.minimum(expected, demand)
    if tides.scale.count > 0:  # what is counted stays counted
        usual = np.round(usual / tides.scale.count) * tides.scale.count
    return fit(grid, np.where(mask, usual, demand), group=group, observed=observed, calendar=calendar, seed=seed)


def _working_day(day: date, calendar: Calendar) -> list[tuple[str, int]]:
    """Which working day of its month a date is, from its first and from its last; nothing of a day off."""
    if not calendar(day).working:
        return []
    first = day.replace(day=1)
    last = (first + timedelta(days=32)).replace(day=1) - ONE_DAY
    before = sum(calendar(first + ONE_DAY * past).working for past in range((day - first).days))
    after = sum(calendar(day + ONE_DAY * (ahead + 1)).working for ahead in range((last - day).days))
    return [("from first", before), ("from last", after)]
