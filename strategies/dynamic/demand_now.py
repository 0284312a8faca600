"""The demand of the moment: what was forecast, as far as what is measured does not say otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from router_core.network import Network
from router_core.paths.path_set import PathSet
from router_core.time_grid import TimeGrid
from router_core.units import DAY_NS, HOUR_NS, SECOND_NS
from strategies.brain import DemandReported
from strategies.classes.class_model import ClassModel
from strategies.static.demand_series import DemandSeries
from strategies.surges.surge import Surge
from strategies.tides.forecast import Forecast

HOURS: Final = 24
ONE_DAY: Final = timedelta(days=1)
ONE_HOUR: Final = timedelta(hours=1)
# Nothing was forecast: one exchange an hour says no more than that it can happen.
RATE_MIN: Final = 1.0 / 3_600.0
# Exchanges that the forecast of all that an end sends, or receives, of a class counts for.
LEVEL_BELIEF: Final = 12.0
# And while a surge is known that it is part of.
SURGE_BELIEF: Final = 3.0


class Forecaster(Protocol):
    """Says what is expected of D series over a grid of hours; `Tides` does."""

    def forecast(self, grid: TimeGrid) -> Forecast:
        """Return exchanges an hour of each series."""
        ...


class DemandIndex:
    """Where an exchange belongs: its series, or else its pair of groups.

    Parameters
    ----------
    network : Network
    classes : ClassModel
    series : DemandSeries
    paths : PathSet
        Of ``space_of_network(network)``.
    """

    def __init__(self, network: Network, classes: ClassModel, series: DemandSeries, paths: PathSet) -> None:
        self._network = network
        self._classes = classes
        self._series = series
        self._pairs = paths.pair_count
        self._pair = series.pairs_in(paths)
        groups = len(network.groups)
        self._pair_at = np.full(groups * groups, -1, dtype=np.intp)
        self._pair_at[paths.source.astype(np.int64) * groups + paths.target] = np.arange(paths.pair_count)

    @property
    def series_count(self) -> int:
        """Number of series D."""
        return len(self._series)

    def read(self, event: DemandReported) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return exchanges and bytes of each series, (2, D), and of what no series knows, (2, pairs)."""
        kind = self._classes.classify_relations(event.source, event.target, event.mode, event.kind, event.priority)
        group, groups = self._network.node_group, len(self._network.groups)
        source, target = group[event.source].astype(np.int64), group[event.target].astype(np.int64)
        place = self._series.find(groups, source, target, kind)
        known = place >= 0
        columns = (event.exchanges, event.payload_bytes)
        series = np.stack([np.bincount(place[known], one[known], len(self._series)) for one in columns])
        pair = self._pair_at[source[~known] * groups + target[~known]]
        strange = np.stack([np.bincount(pair, one[~known], self._pairs) for one in columns])
        return series.astype(np.float64), strange.astype(np.float64)

    def by_pair(
        self, rates: NDArray[np.float64], bytes_per_s: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Exchanges and bytes a second of each pair of groups by those of the series, (D,) each; (2, pairs).

        Exchanges are of each series' usual size where bytes are not given.
        """
        amounts = (rates, rates * self._series.mean_bytes if bytes_per_s is None else bytes_per_s)
        return np.stack([np.bincount(self._pair, amount, self._pairs) for amount in amounts])


class DemandNow:
    """Keeps the rate of every series, and of what no series knows.

    A series' rate is the mean of a gamma distribution: the forecast counts for `belief` exchanges, what was measured
    for as many as came, older ones for less (Gelman et al., Bayesian Data Analysis, section 2.6, with forgetting). So a
    thin series keeps to its forecast, and a thick one follows within minutes. What is expected of a thin one is raised
    or lowered with what its source, and its target, send and receive of its class, where that can be told; while a
    surge is known, at once.

    Parameters
    ----------
    network : Network
    classes : ClassModel
    series : DemandSeries
    tides : Forecaster
        Of these series.
    paths : PathSet
        Of ``space_of_network(network)``.
    start : datetime
        Local time of the run's instant 0, without a zone.
    memory_ns : int
        Mean age of what counts as measured [ns].
    belief : float
    """

    def __init__(
        self,
        network: Network,
        classes: ClassModel,
        series: DemandSeries,
        tides: Forecaster,
        paths: PathSet,
        start: datetime,
        *,
        memory_ns: int,
        belief: float,
    ) -> None:
        self._index = DemandIndex(network, classes, series, paths)
        self._tides = tides
        self._midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        self._offset_ns = round((start - self._midnight).total_seconds() * 1e6) * 1_000
        self._memory_s = memory_ns / SECOND_NS
        self._belief = belief
        groups = len(network.groups)
        self._hourly: dict[int, NDArray[np.float64]] = {}
        self._count = np.zeros(len(series))
        # The same, as it was expected.
        self._usual = np.zeros(len(series))
        ends = (series.source_group, series.target_group)
        self._end = [end.astype(np.int64) * series.class_count + series.demand_class for end in ends]
        self._ends = groups * series.class_count
        self._seconds = 0.0
        # Of relations that no series knows: exchanges and bytes by pair of groups.
        self._strange = np.zeros((2, paths.pair_count))
        self._belief_of_level = np.full(len(series), LEVEL_BELIEF)
        self.prepare(0)

    def expected(self, now_ns: int) -> NDArray[np.float64]:
        """Exchanges a second that were forecast of each series for now, (D,): linear between hours' middles."""
        at_ns = self._offset_ns + now_ns
        hourly = self._of_day(at_ns // DAY_NS)
        place = (at_ns % DAY_NS) / HOUR_NS + 0.5
        low = int(place)
        weight = place - low
        return np.asarray(hourly[low] * (1.0 - weight) + hourly[low + 1] * weight)

    def prepare(self, now_ns: int) -> None:
        """Forecast what the next hour may ask for, so that no control step waits for it."""
        for at_ns in (now_ns, now_ns + HOUR_NS):
            self._of_day((self._offset_ns + at_ns) // DAY_NS)

    def _of_day(self, day: int) -> NDArray[np.float64]:
        """Exchanges a second from the hour before midnight to the hour after the next one, (HOURS + 2, D)."""
        if day not in self._hourly:
            begin = self._midnight + day * ONE_DAY - ONE_HOUR
            hourly = self._tides.forecast(TimeGrid(begin, HOUR_NS, HOURS + 2)).mean / 3_600.0
            # Windows that end today may begin yesterday.
            self._hourly = {one: known for one, known in self._hourly.items() if one >= day - 1} | {day: hourly}
        return self._hourly[day]

    def observe(self, event: DemandReported) -> None:
        """Take in what was accepted in a window."""
        window_s = event.window_ns / SECOND_NS
        keep = float(np.exp(-window_s / self._memory_s))
        self._seconds = keep * self._seconds + window_s
        self._count *= keep
        self._strange *= keep
        middle_ns = event.observed_ns - event.window_ns // 2
        self._usual = keep * self._usual + self.expected(middle_ns) * window_s
        known, strange = self._index.read(event)
        self._count += known[0]
        self._strange += strange

    def follow(self, surges: Iterable[Surge]) -> None:
        """Let series that surges concern follow what is measured around them at once.

        How much more it is, is not taken from the surge: within it, some classes and ends rise and others do not.
        """
        self._belief_of_level[:] = LEVEL_BELIEF
        for surge in surges:
            self._belief_of_level[surge.series] = SURGE_BELIEF

    def rates(self, now_ns: int) -> NDArray[np.float64]:
        """Exchanges a second of each series now, (D,)."""
        prior = np.maximum(self.expected(now_ns), RATE_MIN) * self._level()
        return np.asarray((self._belief + self._count) / (self._belief / prior + self._seconds))

    def _level(self) -> NDArray[np.float64]:
        """Measured against expected exchanges of each series' source and target in its class, whichever says more."""
        levels = []
        for end in self._end:
            count, usual = np.bincount(end, self._count, self._ends), np.bincount(end, self._usual, self._ends)
            levels.append((self._belief_of_level + count[end]) / (self._belief_of_level + usual[end]))
        return np.asarray(np.where(np.abs(np.log(levels[0])) > np.abs(np.log(levels[1])), *levels))

    def by_pair(self, rates: NDArray[np.float64], *, strange: bool = True) -> NDArray[np.float64]:
        """Exchanges and bytes a second of each pair of groups, (2, pairs), by default with what no series knows."""
        known = self._index.by_pair(rates)
        return known + self._strange / max(self._seconds, 1.0) if strange else known
