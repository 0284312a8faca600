"""Which limit is reached first, and when: hour by hour over the years to come, and as chance has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.background import FRACTION_MAX
from router_core.calendar import day_of
from router_core.randomness import stream
from router_core.vocabulary import StationRole
from sim.studies.growth.loads import Horizon, Judge, day_demand, others_share
from traces.tides import HOURS

# Days whose planned load stays below this share of every limit are not drawn: chance does not lift an hour so far.
DRAWN_FROM: Final = 0.7
CONFERENCES: Final = ((9, 11), (15, 17))


@dataclass
class Course:
    """How one watched thing fares over the horizon.

    Attributes
    ----------
    name : str
    first : datetime or None
        The first hour in which it reaches its limit.
    first_degree : float
        Load over limit then; 0 if it does not.
    peak : datetime
        The hour of its highest planned load.
    peak_degree : float
    hours : int
        In which it is at or beyond its limit.
    """

    name: str
    first: datetime | None = None
    first_degree: float = 0.0
    peak: datetime | None = None
    peak_degree: float = -1.0
    hours: int = 0


@dataclass
class Tide:
    """The highest degree of each day, and what it is of: what the picture of the years shows."""

    day: list[datetime] = field(default_factory=list)
    degree: list[float] = field(default_factory=list)
    hour: list[int] = field(default_factory=list)
    name: list[str] = field(default_factory=list)
    exchanges: list[float] = field(default_factory=list)


@dataclass
class Limits:
    """What a horizon comes to.

    Attributes
    ----------
    courses : dict of str to Course
    tide : Tide
    drawn : dict of int to datetime or None
        By seed, the first hour in which a limit was reached as that seed drew loads; None if in none.
    """

    courses: dict[str, Course] = field(default_factory=dict)
    tide: Tide = field(default_factory=Tide)
    drawn: dict[int, datetime | None] = field(default_factory=dict)

    def in_order(self) -> list[Course]:
        """Those that reach their limits, earliest first; at one hour the heaviest first, then by name."""
        reached = [one for one in self.courses.values() if one.first is not None]
        return sorted(reached, key=lambda one: (one.first, -one.first_degree, one.name))

    @property
    def first(self) -> Course | None:
        """The first limit, if there is one."""
        order = self.in_order()
        return order[0] if order else None

    def busiest(self) -> Course:
        """Whatever comes nearest to its limit, or farthest beyond."""
        return max(self.courses.values(), key=lambda one: (one.peak_degree, one.name))


def walk(limits: Limits, judge: Judge, horizon: Horizon, first: int, last: int, seeds: tuple[int, ...]) -> None:
    """Walk through the days of a span in which the network does not change, and note what happens.

    Parameters
    ----------
    limits : Limits
        What earlier spans came to; added to.
    judge : Judge
        Of the span's platform.
    horizon : Horizon
    first, last : int
        Days of it: the span begins with `first` and ends before `last`.
    seeds : tuple of int
        Replications of chance: each draws an hour's work about its mean, and what others take, from its own stream.
    """
    watched = judge.watched()
    courses = [limits.courses.setdefault(name, Course(name)) for name in watched.name]
    for number in range(first, last):
        when = horizon.day(number)
        midnight = datetime.combine(when, time())
        working = day_of(when).working
        means = day_demand(judge.loads.workload, horizon, number)
        mean, variance = judge.loads.work(means, working)
        others = others_share(judge.platform, judge.loads.station, working, horizon.growth.others_factor(number))
        degree = judge.degree(judge.planned(mean, variance), others)
        peak_hour, peak = degree.argmax(axis=0), degree.max(axis=0)
        over = degree >= 1.0
        for place in np.flatnonzero(over.any(axis=0)).tolist():
            course = courses[place]
            course.hours += int(over[:, place].sum())
            if course.first is None:
                hour = int(over[:, place].argmax())
                course.first, course.first_degree = midnight + timedelta(hours=hour), float(degree[hour, place])
        for place, course in enumerate(courses):
            if peak[place] > course.peak_degree:
                course.peak_degree = float(peak[place])
                course.peak = midnight + timedelta(hours=int(peak_hour[place]))
        top = int(peak.argmax())
        tide = limits.tide
        tide.day.append(midnight)
        tide.degree.append(float(peak[top]))
        tide.hour.append(int(peak_hour[top]))
        tide.name.append(watched.name[top])
        tide.exchanges.append(float(means @ judge.loads.workload.type_growth))
        if peak[top] >= DRAWN_FROM:
            _draw(limits, judge, midnight, working, mean, variance, others, seeds)


def _draw(
    limits: Limits,
    judge: Judge,
    midnight: datetime,
    working: bool,
    mean: NDArray[np.float64],
    variance: NDArray[np.float64],
    others: NDArray[np.float64],
    seeds: tuple[int, ...],
) -> None:
    for seed in seeds:
        if limits.drawn.get(seed) is not None:
            continue
        random = stream(seed, f"grow {midnight.date().isoformat()}")
        work = np.maximum(mean + np.sqrt(variance) * random.standard_normal(mean.shape), 0.0)
        taken = _drawn_others(judge, working, others, random)
        over = (judge.degree(work, taken) >= 1.0).any(axis=1)
        limits.drawn.setdefault(seed, None)
        if over.any():
            limits.drawn[seed] = midnight + timedelta(hours=int(over.argmax()))


def _drawn_others(
    judge: Judge, working: bool, others: NDArray[np.float64], random: np.random.Generator
) -> NDArray[np.float64]:
    """What other users take as it may turn out: jitter, and on some working days a conference, as in the world."""
    background, network, station = judge.platform.background, judge.platform.network, judge.loads.station
    line = np.where(network.station_role[station] == StationRole.LINE, network.station_owner[station], -1)
    profile = np.where(line >= 0, background.line_profile[np.maximum(line, 0)], -1)
    noise = random.standard_normal(others.shape)
    held, late = (
        random.random(len(background.profiles)),
        random.integers(len(CONFERENCES), size=len(background.profiles)),
    )
    result = others.copy()
    for index, says in enumerate(background.profiles):
        of_profile = np.flatnonzero(profile == index)
        result[:, of_profile] *= 1 + says.jitter * noise[:, of_profile]
        if working and held[index] < says.conference_probability:
            low, high = CONFERENCES[int(late[index])]
            scale = background.conference_scale[line[of_profile]]
            result[low:high, of_profile] += says.conference_fraction * scale
    return np.asarray(np.clip(result, 0.0, FRACTION_MAX))


assert HOURS == 24, "conferences are told by the hours of a day"
