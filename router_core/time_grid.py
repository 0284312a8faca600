"""Equal steps of local time: the time axis of histories, forecasts and plans."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.units import DAY_NS, SECOND_NS

MICROSECOND_NS = 1_000


@dataclass(frozen=True)
class TimeGrid:
    """T steps of equal length; a day is cut alike every day.

    Attributes
    ----------
    begin : datetime
        Local time of the first step, without a zone; a whole number of steps after midnight.
    step_ns : int
        Length of a step [ns]; divides a day, whole microseconds.
    count : int
        Number of steps T, >= 0.

    Raises
    ------
    BadInputError
        If a rule above is broken.
    """

    begin: datetime
    step_ns: int
    count: int

    def __post_init__(self) -> None:
        if self.begin.tzinfo is not None:
            raise BadInputError("grid.begin", "must be local time without a zone", self.begin.isoformat())
        if self.step_ns <= 0 or DAY_NS % self.step_ns or self.step_ns % MICROSECOND_NS:
            raise BadInputError("grid.step_ns", "must divide a day, in whole microseconds", self.step_ns)
        if self._since_midnight_ns % self.step_ns:
            raise BadInputError("grid.begin", "must lie a whole number of steps after midnight", self.begin.isoformat())
        if self.count < 0:
            raise BadInputError("grid.count", "must not be negative", self.count)

    @property
    def step_s(self) -> float:
        """Length of a step [s]."""
        return self.step_ns / SECOND_NS

    @property
    def steps_per_day(self) -> int:
        """How many steps a day has."""
        return DAY_NS // self.step_ns

    @property
    def end(self) -> datetime:
        """Local time at which the last step ends."""
        return self.at(self.count)

    def at(self, step: int) -> datetime:
        """Local time at which a step begins; any whole number, also outside the grid."""
        return self.begin + timedelta(microseconds=step * self.step_ns // MICROSECOND_NS)

    def step_of(self, when: datetime) -> int:
        """Step that contains a local time; negative before the grid, `count` or more behind it."""
        return int((when - self.begin) // timedelta(microseconds=self.step_ns // MICROSECOND_NS))

    def step_of_day(self) -> NDArray[np.int64]:
        """Which step of its day each step is, (T,), 0 .. steps_per_day - 1."""
        first = self._since_midnight_ns // self.step_ns
        return np.asarray((first + np.arange(self.count, dtype=np.int64)) % self.steps_per_day)

    def day(self) -> NDArray[np.int64]:
        """Which day each step is of, counted from the day of the first step, (T,)."""
        first = self._since_midnight_ns // self.step_ns
        return np.asarray((first + np.arange(self.count, dtype=np.int64)) // self.steps_per_day)

    def dates(self) -> tuple[date, ...]:
        """Dates of the days that the grid touches, in order; ``dates()[day()[t]]`` is that of step t."""
        days = int(self.day()[-1]) + 1 if self.count else 0
        return tuple(self.begin.date() + timedelta(days=number) for number in range(days))

    def part(self, first: int, last: int) -> TimeGrid:
        """Return the grid of the steps ``first .. last - 1``, also beyond this one."""
        return TimeGrid(self.at(first), self.step_ns, last - first)

    @property
    def _since_midnight_ns(self) -> int:
        midnight = self.begin.replace(hour=0, minute=0, second=0, microsecond=0)
        return (self.begin - midnight) // timedelta(microseconds=1) * MICROSECOND_NS
