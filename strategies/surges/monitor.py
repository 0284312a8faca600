"""Watches a platform for surges: what all front-ends report, against what was forecast, at two scales of time."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.network import Network
from router_core.units import HOUR_NS, MINUTE_NS, SECOND_NS
from router_core.vocabulary import TaskKind
from strategies.brain import DemandReported, TelemetryArrived
from strategies.classes.class_model import ClassModel
from strategies.static.demand_series import DemandSeries
from strategies.surges.expectation import Expectation
from strategies.surges.explain import Alarm, Recent, causes
from strategies.surges.following import Followed, Part
from strategies.surges.scale import Scale
from strategies.surges.stations import StationWatch
from strategies.surges.surge import Scope, Surge
from strategies.surges.watch import ALL_CLASSES, Flows, Unit, WatchList
from strategies.tides.forecast import Forecast

# Thin flows are watched over so many windows together.
SLOW_WINDOWS: Final = 5
# What came is kept for so many windows, for what runs by a timetable; other alarms are explained by the last few.
KEPT_WINDOWS: Final = 60
EXPLAINED_WINDOWS: Final = 15
# The least surge of a whole flow that is worth an alarm, and of a single series.
LEAST_WHOLE, LEAST_SERIES = 1.6, 2.0
# Relative deviation that is expected of forecasts: the detectors learn what it is.
SPREAD_WHOLE, SPREAD_SERIES = 0.1, 0.25


class SurgeMonitor:
    """Finds surges of a platform, sizes and places them, and follows them to their end.

    Sources, targets and regions, each with all classes and class by class, classes and everything are watched window by
    window; the same and every series of pairs of groups over five windows together. What runs by a timetable comes in
    bursts within the hours that were forecast, so its classes are watched by the hour, and by themselves. Of what
    many of these show at once, the one flow is said that explains it best.

    Parameters
    ----------
    network : Network
    classes : ClassModel
    series : DemandSeries
        D series.
    forecast : Forecast
        Of these series, by the hour.
    start : datetime
        Local time of the run's instant 0, without a zone.
    window_ns : int
        Length of the windows of reports [ns].

    Raises
    ------
    BadInputError
        If the forecast does not fit the series, or a number is out of range.
    """

    def __init__(
        self,
        network: Network,
        classes: ClassModel,
        series: DemandSeries,
        forecast: Forecast,
        start: datetime,
        *,
        window_ns: int = MINUTE_NS,
    ) -> None:
        if window_ns <= 0:
            raise BadInputError("surges.window_ns", "must be above 0", window_ns)
        self._network, self._classes, self._series = network, classes, series
        self._window_ns = window_ns
        self._flows = Flows.of(series)
        timed = timetabled(classes)
        self._timed = frozenset(np.flatnonzero(timed).tolist())
        self._watched = WatchList(network, series, tuple(one.name for one in classes.classes), ~timed)
        whole, single = len(self._watched), len(series)
        spread = np.concatenate([np.full(single, SPREAD_SERIES), np.full(whole, SPREAD_WHOLE)])
        self._expectation = Expectation(forecast, self._flows, self._watched, start, spread)
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        offset_ns = (start - midnight) // timedelta(microseconds=1) * 1_000
        of_class = self._watched.classes()
        by_table = np.concatenate([timed[self._flows.demand_class], (of_class >= 0) & timed[of_class]])
        is_single = np.arange(single + whole) < single

        def scale(span_ns: int, rows: NDArray[np.bool_], least: float) -> Scale:
            return Scale(np.flatnonzero(rows), window_ns, span_ns, offset_ns, least)

        slow_ns = SLOW_WINDOWS * window_ns
        hour_ns = max(HOUR_NS // window_ns, 1) * window_ns
        self._scales = (
            scale(window_ns, ~is_single & ~by_table, LEAST_WHOLE),
            scale(slow_ns, ~is_single & ~by_table, LEAST_WHOLE),
            scale(slow_ns, is_single & ~by_table, LEAST_SERIES),
            scale(hour_ns, ~is_single & by_table, LEAST_WHOLE),
            scale(hour_ns, is_single & by_table, LEAST_SERIES),
        )
        self._came = np.zeros(single + whole)
        self._kept: deque[tuple[int, Flows, NDArray[np.float64], NDArray[np.int64]]] = deque(maxlen=KEPT_WINDOWS)
        self._observed_ns: int | None = None
        self._followed: list[Followed] = []
        self._over: list[Surge] = []
        self._numbers = 0
        self._stations = StationWatch(network)

    @property
    def active(self) -> tuple[Surge, ...]:
        """Surges that go on, as they are now, in the order in which they were found; those of stations last."""
        return (*(one.surge() for one in self._followed), *self._stations.active)

    @property
    def over(self) -> tuple[Surge, ...]:
        """Surges that ended with the last report, or the last telemetry."""
        return (*self._over, *self._stations.over)

    @property
    def counts(self) -> NDArray[np.float64]:
        """Exchanges of each series in the last window that was reported, (D,)."""
        return self._came[: len(self._series)].copy()

    def expected(self, begin_ns: int, end_ns: int) -> NDArray[np.float64]:
        """Exchanges that are expected of each series in a window, (D,)."""
        return self._expectation.over(begin_ns, end_ns)[0][: len(self._series)]

    def observe(self, event: DemandReported) -> list[Surge]:
        """Take in a report; return the surges that it shows for the first time.

        A report that is not newer than the last one, or of another length of window, says nothing and is left out.

        Raises
        ------
        BadInputError
            If the report is not what `DemandReported` says.
        """
        self._over = []
        last_ns, now_ns = self._observed_ns, event.observed_ns
        if event.window_ns != self._window_ns or (last_ns is not None and now_ns <= last_ns):
            return []
        flows, amount = self._read(event)
        if last_ns is not None and now_ns > last_ns + self._window_ns + self._window_ns // 2:
            self._kept.clear()
        self._observed_ns = now_ns
        expected, deviation = self._expectation.over(now_ns - self._window_ns, now_ns)
        column = self._series.find(len(self._network.groups), flows.source, flows.target, flows.demand_class)
        self._came = self._totals(flows, amount, column)
        self._kept.append((now_ns, flows, amount, column))
        rest, known = self._unexplained(flows, amount, column, expected)
        self._follow(expected)
        alarms = self._alarms(now_ns, (rest, expected, deviation), known)
        return self._explained(alarms, event) if alarms else []

    def observe_stations(self, event: TelemetryArrived) -> list[Surge]:
        """Take in telemetry; return the surges of stations that it shows for the first time.

        Raises
        ------
        BadInputError
            If there is not one share for each station.
        """
        usual = float(self._expectation.over(event.observed_ns - event.window_ns, event.observed_ns)[0][-1])
        found = self._stations.observe(event, usual / max(event.window_ns, 1), self._numbers)
        self._numbers += len(found)
        return found

    def _unexplained(
        self, flows: Flows, amount: NDArray[np.float64], column: NDArray[np.int64], expected: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_] | None]:
        """What came, but of surges that go on what is expected of them; and for which that is less than half of it.

        So what else they pass on their way gives no alarm, however slowly it shows there, and loses no noise.
        """
        if not self._followed:
            return self._came, None
        left, left_series = np.ones(len(amount)), np.ones(len(self._series))
        parts = [part for one in self._followed for part in one.parts]
        usual = []
        for part in parts:
            left *= 1.0 - self._watched.inside(part.unit, flows)
            usual.append(expected[part.column] * left_series[part.column] * part.share)
            left_series[part.column] *= 1.0 - part.share
        usual_all = self._totals(
            parts[0].flows.plus([part.flows for part in parts[1:]]),
            np.concatenate(usual),
            np.concatenate([part.column for part in parts]),
        )
        return self._totals(flows, amount * left, column) + usual_all, usual_all <= expected / 2

    def _totals(self, flows: Flows, amount: NDArray[np.float64], column: NDArray[np.int64]) -> NDArray[np.float64]:
        """Sum over each series and each whole flow, (D + A,)."""
        known = column >= 0
        single = np.bincount(column[known], amount[known], len(self._series))
        return np.concatenate([single, self._watched.totals(flows, amount)])

    def _alarms(
        self,
        end_ns: int,
        window: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
        known: NDArray[np.bool_] | None,
    ) -> list[Alarm]:
        """Let all scales take in what came in a window, its mean and deviation; return what they found."""
        alarms = []
        single = len(self._series)
        for scale in self._scales:
            for place, age, score in scale.take(end_ns, *window, known, calm=not self._followed):
                unit = self._unit_of(place) if place < single else self._watched.unit(place - single)
                alarms.append(Alarm(unit, place, age, score))
        return alarms

    def _explained(self, alarms: list[Alarm], event: DemandReported) -> list[Surge]:
        """Find the causes of alarms, and follow them from now on."""
        # Over the time since the most evident one began: what others began before would only blur the picture.
        evident = max(alarms, key=lambda alarm: alarm.score)
        longest = KEPT_WINDOWS if evident.unit.demand_class in self._timed else EXPLAINED_WINDOWS
        windows = min(evident.age + 1, longest, len(self._kept))
        recent = self._recent(windows)
        known = [unit for one in self._followed for unit in one.units]
        new: list[Followed] = []
        for cause in causes(self._watched, recent, alarms, known):
            first = cause.alarms[0]
            unit = self._joined(cause.unit)
            followed = self._begun(unit, first, min(first.age, windows - 1), event)
            twin = next((one for one in self._followed if one.is_twin(followed)), None)
            if twin is not None:
                twin.join(followed)
                continue
            parts = self._superseded(followed)
            self._over += [one.surge() for one in parts if one not in new]
            self._followed = [one for one in self._followed if one not in parts] + [followed]
            new = [one for one in new if one not in parts] + [followed]
        for one in new:
            one.first = replace(one.first, number=self._numbers)
            self._numbers += 1
        return [one.surge() for one in new]

    def _joined(self, unit: Unit) -> Unit:
        """A place that surges in one class already, and now in another, surges in all."""
        whole = replace(unit, demand_class=ALL_CLASSES)
        if unit.scope in (Scope.PAIR, Scope.CLASS) or unit.demand_class in self._timed:
            return unit
        known = [other for one in self._followed for other in one.units]
        others = [other for other in known if replace(other, demand_class=ALL_CLASSES) == whole]
        return whole if any(one.demand_class not in self._timed for one in others) else unit

    def _begun(self, unit: Unit, alarm: Alarm, age: int, event: DemandReported) -> Followed:
        recent = self._recent(age + 1)
        own = self._watched.inside(unit, recent.flows)
        group = self._watched.inside(unit.group, recent.flows)
        series = np.flatnonzero(self._watched.inside(unit.group, self._flows))
        onset_ns = event.observed_ns - (alarm.age + 1) * self._window_ns
        first = Surge(
            number=-1,
            scope=unit.scope,
            names=self._watched.names(unit),
            demand_class=unit.demand_class,
            onset_ns=max(0, min(onset_ns, event.now_ns)),
            found_ns=event.now_ns,
            series=series,
            factor=1.0,
            rate=0.0,
            expected_rate=0.0,
            score=max(1.0, alarm.score),
        )
        return Followed(
            parts=(self._part(unit),),
            whole=self._place(unit.group),
            first=first,
            came=float((recent.actual * own).sum()),
            expected=float((recent.expected * own).sum()),
            series_came=float((recent.actual * group).sum()),
            series_expected=float((recent.expected * group).sum()),
            windows=float(age + 1),
            window_s=self._window_ns / SECOND_NS,
        )

    def _part(self, unit: Unit) -> Part:
        share = self._watched.inside(unit, self._flows)
        column = np.flatnonzero(share)
        return Part(unit, self._place(unit), column, self._flows.of_unit(unit, column), share[column])

    def _superseded(self, newer: Followed) -> list[Followed]:
        """What turns out to be a part of a larger surge: it is none of its own any longer."""
        inside = np.zeros(len(self._series), dtype=np.bool_)
        inside[newer.first.series] = True
        return [
            one
            for one in self._followed
            if len(one.first.series) and inside[one.first.series].all() and newer.covers(one)
        ]

    def _follow(self, expected: NDArray[np.float64]) -> None:
        """Let the surges that go on take in the last window."""
        going = []
        for one in self._followed:
            if one.follow(self._came, expected):
                self._over.append(one.surge())
            else:
                going.append(one)
        self._followed = going

    def _recent(self, windows: int) -> Recent:
        """What came in the last windows: every series as it was expected, then what came, report by report."""
        kept = list(self._kept)[-windows:]
        expected = np.zeros(len(self._series))
        for end_ns, *_ in kept:
            expected += self.expected(end_ns - self._window_ns, end_ns)
        came = np.concatenate([amount for _, _, amount, _ in kept])
        single = len(self._series)
        return Recent(
            self._flows.plus([flows for _, flows, _, _ in kept]),
            np.concatenate([np.arange(single), *(column for *_, column in kept)]),
            single,
            np.concatenate([np.zeros(len(expected)), came]),
            np.concatenate([expected, np.zeros(len(came))]),
        )

    def _read(self, event: DemandReported) -> tuple[Flows, NDArray[np.float64]]:
        """Return where the exchanges of a report go, and how many go there."""
        amount = np.asarray(event.exchanges)
        columns = (event.source, event.target, event.mode, event.kind, event.priority)
        for name in ("source", "target", "mode", "kind", "priority"):
            shape = getattr(event, name).shape
            if shape != amount.shape:
                raise BadInputError(f"demand.{name}", f"must have {len(amount)} rows", shape)
        if len(amount) and amount.min() < 0:
            raise BadInputError("demand.exchanges", "must not be negative", int(amount.min()))
        ends = []
        for name, node in (("source", event.source), ("target", event.target)):
            inside = (node >= 0) & (node < self._network.node_count)
            group = self._network.node_group[np.where(inside, node, 0)].astype(np.int64)
            wrong = np.flatnonzero(~inside | (group < 0))
            if len(wrong):
                raise BadInputError(f"demand.{name}[{wrong[0]}]", "must be an endpoint", int(node[wrong[0]]))
            ends.append(group)
        kind = self._classes.classify_relations(*columns).astype(np.int64)
        nodes = [node.astype(np.int64) for node in (event.source, event.target)]
        return Flows(ends[0], ends[1], nodes[0], nodes[1], kind), amount.astype(np.float64)

    def _unit_of(self, column: int) -> Unit:
        flows = self._flows
        source, target, kind = (int(row[column]) for row in (flows.source, flows.target, flows.demand_class))
        return Unit(Scope.PAIR, source, target, kind)

    def _place(self, unit: Unit) -> int:
        """Where a unit stands among series and whole flows."""
        if unit.scope == Scope.PAIR:
            return int(np.flatnonzero(self._watched.inside(unit, self._flows))[0])
        return len(self._series) + self._watched.place(unit)


def timetabled(classes: ClassModel) -> NDArray[np.bool_]:
    """Which classes are synchronisation tasks for the most part, (C,)."""
    count = len(classes.classes)
    weight = np.maximum(classes.relation_exchanges, 1)
    every = np.bincount(classes.relation_class, weight, count)
    synchronised = classes.kind == TaskKind.SYNC
    own = np.bincount(classes.relation_class[synchronised], weight[synchronised], count)
    return np.asarray(own > 0.5 * every)
