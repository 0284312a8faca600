"""Features of demand: what a unit's exchanges look like over the week, by the calendar, in size and in way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.demand_history import SIZE_BINS, DemandHistory
from router_core.units import SECOND_NS
from router_core.vocabulary import PRIORITY_MAX, Mode
from strategies.classes.tally import HOURS, WEEK, Tally, effect, summed, tally

GROUPS: Final = ("profile", "phase", "spectrum", "calendar", "peaks", "size", "way", "fan")
PARTS: Final = 6  # of a day, in the profile
PART_HOURS: Final = HOURS // PARTS


@dataclass(frozen=True, eq=False)
class Features:
    """Features of U units in F columns, each finite for each unit, also for one that exchanged nothing.

    Attributes
    ----------
    names : tuple of str, length F
    values : float64 (U, F)
    group : tuple of str, length F
        Which of `GROUPS` each column is of.
    exchanges : float64 (U,)
        How many exchanges they are made from: what they can be trusted.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    group: tuple[str, ...]
    exchanges: NDArray[np.float64]

    def of_groups(self, groups: tuple[str, ...]) -> Features:
        """Return the columns of some groups alone."""
        kept = [column for column, group in enumerate(self.group) if group in groups]
        return Features(
            tuple(self.names[column] for column in kept),
            self.values[:, kept],
            tuple(self.group[column] for column in kept),
            self.exchanges,
        )


def unit_features(
    history: DemandHistory, unit_of_relation: NDArray[np.integer], units: int, known: Tally | None = None
) -> Features:
    """Return the features of relations, pairs, nodes or whatever else relations make up.

    Parameters
    ----------
    history : DemandHistory
    unit_of_relation : int (R,)
        Unit of each relation, 0 .. units - 1; negative ones are left out.
    units : int
    known : Tally, optional
        Of the same units, if there is one already.

    Raises
    ------
    BadInputError
        If some hour of the day is never observed.
    """
    unit = np.asarray(unit_of_relation, dtype=np.int64)
    counted = tally(history, unit, units) if known is None else known
    weight = history.totals()
    columns = _tide_groups(counted) | {
        "peaks": _peaks(history, unit, units, counted),
        "size": size_columns(_size_counts(history, unit, units)),
        "way": _ways(history, unit, units, weight),
        "fan": _fans(history, unit, units, weight),
    }
    names = tuple(name for group in columns.values() for name in group)
    values = np.stack([column for group in columns.values() for column in group.values()], axis=1)
    group = tuple(name for name, group in columns.items() for _ in group)
    return Features(names, values, group, counted.exchanges)


def tide_columns(counted: Tally) -> dict[str, NDArray[np.float64]]:
    """Return the columns that are made of counts of hours alone."""
    return {name: column for group in _tide_groups(counted).values() for name, column in group.items()}


def _tide_groups(counted: Tally) -> dict[str, dict[str, NDArray[np.float64]]]:
    return {
        "profile": _profile(counted),
        "phase": _phase(counted),
        "spectrum": _spectrum(counted),
        "calendar": _calendar(counted),
    }


def pairs_of(history: DemandHistory) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """Return the pairs of endpoints that exchange: sources, targets (P,), and the pair of each relation (R,)."""
    source, target = history.relations.source, history.relations.target
    first = np.ones(len(source), dtype=np.bool_)
    first[1:] = (source[1:] != source[:-1]) | (target[1:] != target[:-1])
    return source[first], target[first], np.cumsum(first) - 1


def _profile(counted: Tally) -> dict[str, NDArray[np.float64]]:
    """Square roots of the shares of the parts of a plain week: equal noise in all, whatever their size."""
    week = counted.week.reshape(-1, 7, PARTS, PART_HOURS).sum(axis=3)
    parts = np.concatenate([week[:, :5].sum(axis=1), week[:, 5:].sum(axis=1)], axis=1)
    shares = np.sqrt(parts / np.maximum(parts.sum(axis=1, keepdims=True), 1e-12))
    names = [f"{day}_{PART_HOURS * part:02d}h" for day in ("working", "off") for part in range(PARTS)]
    return dict(zip(names, shares.T, strict=True))


def _phase(counted: Tally) -> dict[str, NDArray[np.float64]]:
    """Where in the day the exchanges lie, on a circle: near hours are near each other, midnight is no border."""
    total = np.maximum(counted.week.sum(axis=1), 1e-12)
    angle = 2 * np.pi * np.arange(WEEK) / HOURS
    return {"day_cos": counted.week @ np.cos(angle) / total, "day_sin": counted.week @ np.sin(angle) / total}


def _spectrum(counted: Tally) -> dict[str, NDArray[np.float64]]:
    """Amplitudes of the lines of the mean week against its level, freed of what Poisson noise alone would show.

    Two tasks that do the same at other times of the day differ in phases, not in amplitudes.
    """
    line = np.fft.rfft(counted.week, axis=1)
    level = np.maximum(line[:, :1].real, 1e-12)
    hours = np.maximum(counted.kinds.hours[:WEEK], 1)
    noise = (counted.week / hours).sum(axis=1, keepdims=True) / level**2
    power = np.abs(line[:, 1:] / level) ** 2 - noise
    amplitude = np.sqrt(np.maximum(power, 0.0))
    return {f"line_{index + 1}": amplitude[:, index] for index in range(amplitude.shape[1])}


def _calendar(counted: Tally) -> dict[str, NDArray[np.float64]]:
    """Logarithms of levels of days against plain working days; 0 where a history has no such days."""
    found = {"weekend": counted.weekend()} | counted.responses()
    return {name: np.log(effect(special, plain)) for name, (special, plain) in found.items()}


def _peaks(
    history: DemandHistory, unit: NDArray[np.int64], units: int, counted: Tally
) -> dict[str, NDArray[np.float64]]:
    """Peak of the mean working day, and the index of dispersion of the counts of hours around the mean week."""
    day = counted.working_day()
    peak = np.log((day.max(axis=1) + 1e-12) / (day.mean(axis=1) + 1e-12))
    kinds = counted.kinds
    rows = np.repeat(kinds.kind, np.diff(history.hour_start))
    plain = (rows >= 0) & (rows < WEEK) & (unit[history.relation] >= 0)
    # Relations of one unit in one hour are taken apart: burstiness within an hour counts too.
    squares = np.bincount(unit[history.relation[plain]], history.exchanges[plain].astype(np.float64) ** 2, units)
    total = counted.counts[:, :WEEK].sum(axis=1)
    expected = (counted.week**2 * kinds.hours[:WEEK]).sum(axis=1)
    dispersion = np.maximum(squares - expected, 0.0) / np.maximum(total, 1.0)
    return {"peak_to_mean": peak, "burstiness": np.log1p(dispersion)}


def _size_counts(history: DemandHistory, unit: NDArray[np.int64], units: int) -> NDArray[np.float64]:
    used = unit >= 0
    return summed(history.relations.size_count[used].astype(np.float64), unit[used], units)


def size_columns(count: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Mean, spread and upper tail of binary digits that units have so many of, (U, SIZE_BINS)."""
    total = np.maximum(count.sum(axis=1), 1.0)
    digits = np.arange(SIZE_BINS, dtype=np.float64)
    mean = count @ digits / total
    spread = np.sqrt(np.maximum(count @ digits**2 / total - mean**2, 0.0))
    tail = _quantile(count, 0.95) - _quantile(count, 0.5)
    return {"size_digits": mean, "size_spread": spread, "size_tail": tail}


def _quantile(count: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Quantile of binary digits, as if they were spread evenly within a bin: steps would look like classes."""
    cumulative = np.cumsum(count, axis=1)
    wanted = share * cumulative[:, -1:]
    place = np.minimum((cumulative < wanted).sum(axis=1), SIZE_BINS - 1)[:, None]
    within = np.take_along_axis(count, place, axis=1)
    before = np.take_along_axis(cumulative, place, axis=1) - within
    return np.asarray((place + (wanted - before) / np.maximum(within, 1.0))[:, 0])


def _ways(
    history: DemandHistory, unit: NDArray[np.int64], units: int, weight: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Shares of the modes and of tasks on demand, mean priority, and the time until the deadline."""
    about, used = history.relations, unit >= 0
    total = np.maximum(np.bincount(unit[used], weight[used], units), 1.0)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(unit[used], (weight * values)[used], units) / total)

    columns = {f"mode_{mode.name.lower()}": mean((about.mode == mode).astype(np.float64)) for mode in Mode}
    columns["kind_exchange"] = mean(about.kind.astype(np.float64))
    columns["priority"] = mean(about.priority.astype(np.float64)) / PRIORITY_MAX
    # Without a deadline: as if there was a year. A second and a minute differ as a minute and an hour do.
    lead_s = np.where(about.lead_ns >= 0, np.maximum(about.lead_ns / SECOND_NS, 1e-3), 3e7)
    columns["lead"] = mean(np.log10(lead_s))
    return columns


def _fans(
    history: DemandHistory, unit: NDArray[np.int64], units: int, weight: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Logarithms of how many receivers its sources have, and how many sources its receivers."""
    source, target, _ = pairs_of(history)
    nodes = int(max(source.max(initial=-1), target.max(initial=-1))) + 1
    out, into = np.bincount(source, minlength=nodes), np.bincount(target, minlength=nodes)
    used = unit >= 0
    total = np.maximum(np.bincount(unit[used], weight[used], units), 1.0)
    about = history.relations
    found = {"fan_out": np.log1p(out[about.source]), "fan_in": np.log1p(into[about.target])}
    return {
        name: np.asarray(np.bincount(unit[used], (weight * column)[used], units) / total)
        for name, column in found.items()
    }
