"""The demand of the moment: what was forecast, as far as what is measured does not say otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
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
# Nothing was forecast: one exchange an hour says no more than that it can happen.
RATE_MIN: Final = 1.0 / 3_600.0
# Exchanges that the forecast of all that an end sends, or receives, of a class counts for.
LEVEL_BELIEF: Final = 12.0


class Forecaster(Protocol):
    """Says what is expected of D series over a grid of hours; `Tides` does."""

    def forecast(self, grid: TimeGrid) -> Forecast:
        """Return exchanges an hour of each series."""
        ...


class DemandNow:
    """Keeps the rate of every series, and of what no series knows.

    A series' rate is the mean of a gamma distribution: the forecast counts for `belief` exchanges, what was measured
    for as many as came, older ones for less (Gelman et al., Bayesian Data Analysis, section 2.6, with forgetting). So a
    thin series keeps to its forecast, and a thick one follows within minutes. What is expected of a thin one is raised
    or lowered with what its source, and its target, send and receive of its class, where that can be told; and a surge
    raises what is expected of all series that it concerns.

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
        self._network = network
        self._classes = classes
        self._series = series
        self._tides = tides
        self._paths = paths
        self._midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        self._offset_ns = round((start - self._midnight).total_seconds() * 1e6) * 1_000
        self._memory_s = memory_ns / SECOND_NS
        self._belief = belief
        self._pair = series.pairs_in(paths)
        groups = len(network.groups)
        self._pair_at = np.full(groups * groups, -1, dtype=np.intp)
        self._pair_at[paths.source.astype(np.int64) * groups + paths.target] = np.arange(paths.pair_count)
        self._day: int | None = None
        self._hourly = np.zeros((HOURS + 2, len(series)))
        self._count = np.zeros(len(series))
        # The same, as it was expected.
        self._usual = np.zeros(len(series))
        ends = (series.source_group, series.target_group)
        self._end = [end.astype(np.int64) * series.class_count + series.demand_class for end in ends]
        self._ends = groups * series.class_count
        self._seconds = 0.0
        # Of relations that no series knows: exchanges and bytes by pair of groups.
        self._strange = np.zeros((2, paths.pair_count))
        self._factor = np.ones(len(series))

    def expected(self, now_ns: int) -> NDArray[np.float64]:
        """Exchanges a second that were forecast of each series for now, (D,): linear between hours' middles."""
        at_ns = self._offset_ns + now_ns
        day = at_ns // DAY_NS
        if day != self._day:
            begin = self._midnight + (day - 1) * _ONE_DAY
            # From the hour before midnight to the hour after the next one.
            hourly = self._tides.forecast(TimeGrid(begin, HOUR_NS, HOURS * 3)).mean
            self._hourly = hourly[HOURS - 1 : 2 * HOURS + 1] / 3_600.0
            self._day = day
        place = (at_ns % DAY_NS) / HOUR_NS + 0.5
        low = int(place)
        weight = place - low
        return np.asarray(self._hourly[low] * (1.0 - weight) + self._hourly[low + 1] * weight)

    def observe(self, event: DemandReported) -> None:
        """Take in what was accepted in a window."""
        window_s = event.window_ns / SECOND_NS
        keep = float(np.exp(-window_s / self._memory_s))
        self._seconds = keep * self._seconds + window_s
        self._count *= keep
        self._strange *= keep
        middle_ns = event.observed_ns - event.window_ns // 2
        self._usual = keep * self._usual + self.expected(middle_ns) * window_s
        kind = self._classes.classify_relations(event.source, event.target, event.mode, event.kind, event.priority)
        group = self._network.node_group
        source, target = group[event.source].astype(np.int64), group[event.target].astype(np.int64)
        groups = len(self._network.groups)
        place = self._series.find(groups, source, target, kind)
        known = place >= 0
        self._count += np.bincount(place[known], event.exchanges[known], len(self._series))
        if not known.all():
            pair = self._pair_at[source[~known] * groups + target[~known]]
            for row, amount in enumerate((event.exchanges[~known], event.payload_bytes[~known])):
                self._strange[row] += np.bincount(pair, amount, self._paths.pair_count)

    def follow(self, surges: Iterable[Surge]) -> None:
        """Expect so many times as much of the series that surges concern; of several the largest counts."""
        self._factor[:] = 1.0
        for surge in surges:
            self._factor[surge.series] = np.maximum(self._factor[surge.series], surge.factor)

    def rates(self, now_ns: int) -> NDArray[np.float64]:
        """Exchanges a second of each series now, (D,)."""
        level = self._level()
        prior = np.maximum(self.expected(now_ns), RATE_MIN) * np.maximum(level, self._factor)
        return np.asarray((self._belief + self._count) / (self._belief / prior + self._seconds))

    def _level(self) -> NDArray[np.float64]:
        """Measured against expected exchanges of each series' source and target in its class, whichever says more."""
        levels = []
        for end in self._end:
            count, usual = np.bincount(end, self._count, self._ends), np.bincount(end, self._usual, self._ends)
            levels.append(((LEVEL_BELIEF + count) / (LEVEL_BELIEF + usual))[end])
        return np.asarray(np.where(np.abs(np.log(levels[0])) > np.abs(np.log(levels[1])), *levels))

    def by_pair(self, rates: NDArray[np.float64], *, strange: bool = True) -> NDArray[np.float64]:
        """Exchanges and bytes a second of each pair of groups, (2, pairs), by default with what no series knows."""
        pairs = self._paths.pair_count
        amounts = (rates, rates * self._series.mean_bytes)
        known = np.stack([np.bincount(self._pair, amount, pairs) for amount in amounts])
        return np.asarray(known + (self._strange / max(self._seconds, 1.0) if strange else 0.0))


_ONE_DAY: Final = datetime(2000, 1, 2) - datetime(2000, 1, 1)
