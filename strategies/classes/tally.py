"""What units exchanged in each kind of hour: the counts that features, classes and their drift are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.calendar import Day, DayKind, day_of
from router_core.demand_history import DemandHistory
from router_core.errors import BadInputError

HOURS: Final = 24
WEEK: Final = 168
WORKING_WEEK: Final = 5 * HOURS
SPECIAL: Final = ("holiday", "month_end", "reporting", "yearly", "half_yearly")


@dataclass(frozen=True, eq=False)
class HourKinds:
    """Which kind of hour each hour of a history is: 168 of a plain week, then 24 for each sort of special day.

    Attributes
    ----------
    kind : int64 (H,)
        0 .. K - 1; -1 where nothing is known.
    hours : float64 (K,)
        How many hours of each kind are observed.
    sorts : tuple of frozenset of str
        What is special about each sort of day; ``sorts[s]`` owns the kinds ``168 + 24 * s`` and up.
    """

    kind: NDArray[np.int64]
    hours: NDArray[np.float64]
    sorts: tuple[frozenset[str], ...]

    def hours_of(self, sort: int) -> NDArray[np.float64]:
        """How many hours of each hour of the day are observed on days of a sort, (24,)."""
        first = WEEK + HOURS * sort
        return self.hours[first : first + HOURS]


def hour_kinds(history: DemandHistory) -> HourKinds:
    """Sort the hours of a history by the calendar.

    A make-up workday is a plain day that belongs to no weekday: it counts with the hours of a Friday.

    Raises
    ------
    BadInputError
        If some hour of the day is never observed.
    """
    grid = history.grid
    hour_of_day, day = grid.step_of_day(), grid.day()
    seen = np.zeros(HOURS, dtype=np.bool_)
    seen[hour_of_day[history.observed]] = True
    if not seen.all():
        missing = np.flatnonzero(~seen).tolist()
        raise BadInputError("history", "must observe every hour of the day at least once, missing hours", missing)
    sorts: dict[frozenset[str], int] = {}
    first = np.empty(len(grid.dates()), dtype=np.int64)
    for index, when in enumerate(grid.dates()):
        about = day_of(when)
        special = _special(about)
        if special:
            first[index] = WEEK + HOURS * sorts.setdefault(special, len(sorts))
        else:
            first[index] = HOURS * (4 if about.kind == DayKind.MAKE_UP else when.weekday())
    kind = first[day] + hour_of_day
    kind[~history.observed] = -1
    count = WEEK + HOURS * len(sorts)
    hours = np.bincount(kind[kind >= 0], minlength=count).astype(np.float64)
    return HourKinds(kind, hours, tuple(sorts))


def _special(day: Day) -> frozenset[str]:
    if day.kind == DayKind.HOLIDAY:
        return frozenset({"holiday"})
    if not day.working:
        return frozenset()
    return frozenset(name for name in SPECIAL[1:] if getattr(day, name))


@dataclass(frozen=True, eq=False)
class Tally:
    """Counts of U units.

    Attributes
    ----------
    kinds : HourKinds
    counts : float64 (U, K)
        Exchanges in each kind of hour.
    exchanges : float64 (U,)
        In all observed hours.
    week : float64 (U, 168)
        Exchanges an hour of a plain week. Hours of the week that were never observed on a plain day have the rate of
        the same hour on other plain days of the same sort, working or off, or else on any day.
    """

    kinds: HourKinds
    counts: NDArray[np.float64]
    exchanges: NDArray[np.float64]
    week: NDArray[np.float64]

    @classmethod
    def of_counts(cls, kinds: HourKinds, counts: NDArray[np.float64]) -> Tally:
        """Make a tally of counts, (U, K)."""
        return cls(kinds, counts, counts.sum(axis=1), _week(kinds, counts))

    def responses(self) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """For each of `SPECIAL`: exchanges on such days, and what they would be without its effect, (U,) each.

        Days on which nothing else is special show an effect alone. Where there are none, days on which several things
        are special show it as what the others leave to explain; of effects that are never apart, the first has it
        all. Both are 0 where the history has no such day.
        """
        day = self.working_day()
        seen = [sort for sort in range(len(self.kinds.sorts)) if self.kinds.hours_of(sort).any()]
        pure = [name for name in SPECIAL if any(self.kinds.sorts[sort] == {name} for sort in seen)]
        result: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        for name in (*pure, *(name for name in SPECIAL if name not in pure)):
            found, plain = np.zeros(len(self.counts)), np.zeros(len(self.counts))
            for sort in seen:
                about = self.kinds.sorts[sort]
                if about == {name} if name in pure else name in about:
                    first = WEEK + HOURS * sort
                    found += self.counts[:, first : first + HOURS].sum(axis=1)
                    others = (effect(*result[other]) for other in sorted(about - {name}) if other in result)
                    plain += (day @ self.kinds.hours_of(sort)) * math.prod(others, start=np.ones(len(day)))
            result[name] = found, plain
        return result

    def weekend(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Exchanges on plain days off, and what plain working days would have brought, (U,) each."""
        day_hours = self.kinds.hours[WORKING_WEEK:WEEK].reshape(2, HOURS).sum(axis=0)
        return self.counts[:, WORKING_WEEK:WEEK].sum(axis=1), self.working_day() @ day_hours

    def working_day(self) -> NDArray[np.float64]:
        """Exchanges in each hour of a plain working day, (U, 24)."""
        hours = self.kinds.hours[:WORKING_WEEK].reshape(5, HOURS).sum(axis=0)
        if (hours > 0).all():
            return np.asarray(self.counts[:, :WORKING_WEEK].reshape(-1, 5, HOURS).sum(axis=1) / hours)
        return np.asarray(self.week[:, :WORKING_WEEK].reshape(-1, 5, HOURS).mean(axis=1))

    def merged(self, unit: NDArray[np.integer], units: int) -> Tally:
        """Sum units into fewer ones; negative ones are left out."""
        used = unit >= 0
        return Tally.of_counts(self.kinds, summed(self.counts[used], unit[used], units))


def tally(history: DemandHistory, unit_of_relation: NDArray[np.integer], units: int) -> Tally:
    """Count what units exchanged; negative units are left out.

    Raises
    ------
    BadInputError
        If some hour of the day is never observed.
    """
    kinds = hour_kinds(history)
    count = len(kinds.hours)
    # Row by row in the order of hours, so that an hour's kind is looked up once, not once a row.
    unit = np.asarray(unit_of_relation, dtype=np.int64)
    relations = len(history.relations)
    counts = np.zeros((count, relations))
    for hour in np.flatnonzero(kinds.kind >= 0).tolist():
        rows = slice(int(history.hour_start[hour]), int(history.hour_start[hour + 1]))
        # A relation has one row an hour at most, so nothing is added twice here.
        counts[kinds.kind[hour], history.relation[rows]] += history.exchanges[rows]
    used = unit >= 0
    return Tally.of_counts(kinds, summed(np.ascontiguousarray(counts.T)[used], unit[used], units))


def summed(values: NDArray[np.float64], unit: NDArray[np.integer], units: int) -> NDArray[np.float64]:
    """Sum rows of equal units, (units, columns); whole numbers below 2**53, so in any order alike."""
    result = np.zeros((units, values.shape[1]))
    if len(unit):
        order = np.argsort(unit, kind="stable")
        starts = np.flatnonzero(np.diff(unit[order], prepend=-1))
        result[unit[order][starts]] = np.add.reduceat(values[order], starts, axis=0)
    return result


def effect(found: NDArray[np.float64], plain: NDArray[np.float64], *, unknown: float = 1.0) -> NDArray[np.float64]:
    """Level of special days against plain ones, a little towards 1; `unknown` where there were no such days."""
    if not plain.any() and not found.any():
        return np.full(len(found), unknown)
    return np.asarray((found + 1.0) / (plain + 1.0))


def _week(kinds: HourKinds, counts: NDArray[np.float64]) -> NDArray[np.float64]:
    hours = kinds.hours[:WEEK].reshape(7, HOURS)
    by_day = counts[:, :WEEK].reshape(-1, 7, HOURS)
    week = by_day / np.maximum(hours, 1)
    if (hours > 0).all():
        return week.reshape(-1, WEEK)
    every = counts.reshape(len(counts), -1, HOURS).sum(axis=1) / kinds.hours.reshape(-1, HOURS).sum(axis=0)
    for days in (slice(0, 5), slice(5, 7)):
        known = hours[days].sum(axis=0)
        alike = np.where(known > 0, by_day[:, days].sum(axis=1) / np.maximum(known, 1), every)
        week[:, days] = np.where(hours[days] > 0, week[:, days], alike[:, None])
    return week.reshape(-1, WEEK)
