"""Samples of single stations and reports of single front-ends, gathered into the windows that a brain is told of.

Window k ends at ``k * period`` of the run. What comes twice counts once, and what comes after its window was closed is
counted as late. A window is closed when all have told that did lately, or when its grace is over. Nothing is judged
here: what is absurd or missing the brain's own guard deals with. A station that is silent has no utilisation (NaN).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feed.live.samples import AcceptedTasks, StationSamples
from feed.live.station_states import StationStates
from router_core.errors import BadInputError
from router_core.network import Network
from router_core.units import MINUTE_NS, SECOND_NS
from router_core.vocabulary import PRIORITY_MAX, Mode, TaskKind
from strategies.brain import DemandReported, Event, StationsChanged, TelemetryArrived

# With fewer front-ends than this share of those that reported before, a window says nothing of demand.
REPORTERS_MIN: Final = 0.5
# Counts of a window that is longer or shorter by more than this share would be read as another rate.
WINDOW_SLACK: Final = 0.25
# Who has told nothing for so many windows is waited for no longer.
RECENT: Final = 5
# Windows that may be open at once: agents whose clocks are ahead fill later ones.
OPEN_MAX: Final = 8


@dataclass(frozen=True)
class WindowSetting:
    """Rhythm of the windows.

    Attributes
    ----------
    period_ns : int
        Length of a window [ns], > 0.
    grace_ns : int
        How long after its end a window waits for those that have not told yet [ns], >= 0.
    """

    period_ns: int = MINUTE_NS
    grace_ns: int = 5 * SECOND_NS

    def __post_init__(self) -> None:
        if self.period_ns <= 0 or self.grace_ns < 0:
            raise BadInputError("windows", "must have a positive period and no negative grace", self)


@dataclass(eq=False)
class _Stations:
    """Sums of one window."""

    told_ns: NDArray[np.int64]
    utilisation: NDArray[np.float64]
    served: NDArray[np.float64]
    waiting: NDArray[np.int64]
    up: NDArray[np.bool_]


@dataclass(eq=False)
class _Open:
    """One window."""

    stations: _Stations
    tasks: dict[int, list[AcceptedTasks]] = field(default_factory=dict)


class TelemetryWindows:
    """Gathers what agents tell.

    Parameters
    ----------
    network : Network
    start_ns : int
        Instant 0 of the run, since 1970 [ns].
    setting : WindowSetting, optional

    Attributes
    ----------
    counts : Counter of str
        Station samples and reports by what became of them: ``taken``, ``late``, ``twice``, ``early``; and reports of
        windows of another length, ``other-window``, which are left out.
    """

    def __init__(self, network: Network, start_ns: int, setting: WindowSetting | None = None) -> None:
        self._network = network
        self._start_ns = start_ns
        self._setting = setting or WindowSetting()
        stations = network.station_count
        # The newest sample of each station, and the newest word on whether it works.
        self._newest_ns = np.zeros(stations, dtype=np.int64)
        self._states = StationStates(stations)
        self._reported_ns = np.zeros(network.node_count, dtype=np.int64)
        # When each was heard of at all, in time or late: who is late once is waited for the next time.
        self._heard_station_ns = np.zeros(stations, dtype=np.int64)
        self._heard_node_ns = np.zeros(network.node_count, dtype=np.int64)
        self._open: dict[int, _Open] = {}
        self._closed = 0
        self._alarms: list[tuple[int, NDArray[np.int32], NDArray[np.bool_]]] = []
        self.counts: Counter[str] = Counter()

    @property
    def up(self) -> NDArray[np.bool_]:
        """Which stations work, by the newest word on each; all that were never heard of count as up. (S,)."""
        return self._states.up.copy()

    @property
    def period_ns(self) -> int:
        """Length of a window [ns]."""
        return self._setting.period_ns

    def stations(self, samples: StationSamples) -> None:
        """Take samples in; types, shapes and indices are the caller's to check.

        Those of a window without length tell the state of stations and nothing else.
        """
        observed_ns = samples.observed_ns - self._start_ns
        heard_ns = self._heard_station_ns[samples.station]
        self._heard_station_ns[samples.station] = np.maximum(heard_ns, observed_ns)
        number = self._number(observed_ns)
        if number is None:
            self.counts["late" if observed_ns <= self._closed * self.period_ns else "early"] += len(samples.station)
            return
        told_ns = self._newest_ns if samples.window_ns > 0 else self._states.told_ns
        fresh = np.flatnonzero(told_ns[samples.station] < observed_ns)
        self.counts["twice"] += len(samples.station) - len(fresh)
        self.counts["taken"] += len(fresh)
        if samples.window_ns > 0:
            self._newest_ns[samples.station[fresh]] = observed_ns
            self._add(self._window(number), samples, fresh)
        # What was observed later is known already: a sample that is on its way for long brings nothing back.
        station, up = self._states.take(observed_ns, samples.station, samples.up)
        if len(station):
            self._alarms.append((observed_ns, station, up))

    @staticmethod
    def _add(window: _Open, samples: StationSamples, fresh: NDArray[np.intp]) -> None:
        sums, station = window.stations, samples.station[fresh]
        # The mean over what was told, by length; a single sample is left to the bit.
        before_ns = sums.told_ns[station]
        part = samples.window_ns / (before_ns + samples.window_ns)
        mean, more = sums.utilisation[station], samples.utilisation[fresh]
        sums.utilisation[station] = np.where(before_ns == 0, more, mean + (more - mean) * part)
        sums.told_ns[station] = before_ns + samples.window_ns
        sums.served[station] += samples.served_bytes[fresh]
        sums.waiting[station] = samples.waiting[fresh]
        sums.up[station] = samples.up[fresh]

    def accepted(self, tasks: AcceptedTasks) -> None:
        """Take in what a front-end accepted; no rows is a report too."""
        observed_ns = tasks.observed_ns - self._start_ns
        self._heard_node_ns[tasks.source] = max(int(self._heard_node_ns[tasks.source]), observed_ns)
        number = self._number(observed_ns)
        if number is None:
            self.counts["late" if observed_ns <= self._closed * self.period_ns else "early"] += 1
            return
        if abs(tasks.window_ns - self.period_ns) > WINDOW_SLACK * self.period_ns:
            self.counts["other-window"] += 1
            return
        if observed_ns <= self._reported_ns[tasks.source]:
            self.counts["twice"] += 1
            return
        self.counts["taken"] += 1
        self._reported_ns[tasks.source] = observed_ns
        self._window(number).tasks.setdefault(tasks.source, []).append(tasks)

    def close(self, now_ns: int) -> list[Event]:
        """Return what a brain is to be told now, in order.

        Parameters
        ----------
        now_ns : int
            Of the run [ns].
        """
        events: list[Event] = [
            StationsChanged(now_ns, min(observed_ns, now_ns), station, up) for observed_ns, station, up in self._alarms
        ]
        self._alarms.clear()
        for number in sorted(self._open):
            end_ns = number * self.period_ns
            window = self._open[number]
            if end_ns > now_ns or (now_ns < end_ns + self._setting.grace_ns and not self._complete(window, end_ns)):
                break
            del self._open[number]
            self._closed = number
            events += self._told(window, now_ns, end_ns)
        # What is over without a word is closed too: what comes for it later is late.
        self._closed = max(self._closed, (now_ns - self._setting.grace_ns) // self.period_ns)
        return events

    def _number(self, observed_ns: int) -> int | None:
        """Window of an instant, `None` if it is closed, or too far ahead."""
        number = -(-observed_ns // self.period_ns)
        return number if self._closed < number <= self._closed + OPEN_MAX and observed_ns > 0 else None

    def _window(self, number: int) -> _Open:
        if number not in self._open:
            count = self._network.station_count
            whole = np.zeros(count, dtype=np.int64)
            up = np.ones(count, dtype=np.bool_)
            self._open[number] = _Open(_Stations(whole, np.zeros(count), np.zeros(count), whole.copy(), up))
        return self._open[number]

    def _complete(self, window: _Open, end_ns: int) -> bool:
        """Whether everybody has told who did lately; while the run is young everybody is waited for."""
        since_ns = end_ns - RECENT * self.period_ns
        silent = (self._heard_station_ns > since_ns) & (window.stations.told_ns == 0)
        reporting = np.flatnonzero((self._heard_node_ns > since_ns) & self._network.is_endpoint)
        return not silent.any() and all(node in window.tasks for node in reporting.tolist())

    def _told(self, window: _Open, now_ns: int, end_ns: int) -> list[Event]:
        events: list[Event] = []
        recent = np.count_nonzero(self._heard_node_ns > max(end_ns - RECENT * self.period_ns, 0))
        if window.tasks and len(window.tasks) >= REPORTERS_MIN * recent:
            events.append(self._demand([one for of in window.tasks.values() for one in of], now_ns, end_ns))
        sums = window.stations
        if (sums.told_ns > 0).any():
            known = sums.told_ns > 0
            whole = np.where(known, sums.told_ns, 1)
            factor = self.period_ns / whole
            utilisation = np.where(known, sums.utilisation, np.nan)
            served = np.rint(sums.served * np.where(known, factor, 0.0)).astype(np.int64)
            up = np.where(known, sums.up, self._states.up)
            events.append(TelemetryArrived(now_ns, end_ns, self.period_ns, utilisation, sums.waiting, served, up))
        return events

    def _demand(self, reports: list[AcceptedTasks], now_ns: int, end_ns: int) -> DemandReported:
        source = np.concatenate([np.full(len(one.target), one.source, dtype=np.int32) for one in reports])
        columns = {
            name: np.concatenate([getattr(one, name) for one in reports])
            for name in ("target", "mode", "kind", "priority", "exchanges", "payload_bytes")
        }
        code = source.astype(np.int64)
        for name, values in (
            ("target", self._network.node_count),
            ("mode", len(Mode)),
            ("kind", len(TaskKind)),
            ("priority", PRIORITY_MAX + 1),
        ):
            code = code * values + columns[name]
        order, first = np.unique(code, return_index=True)
        place = np.searchsorted(order, code)
        sums = {name: np.zeros(len(order), dtype=np.int64) for name in ("exchanges", "payload_bytes")}
        for name, total in sums.items():
            np.add.at(total, place, columns[name])
        return DemandReported(
            now_ns,
            end_ns,
            self.period_ns,
            source=source[first],
            target=columns["target"][first],
            mode=columns["mode"][first],
            kind=columns["kind"][first],
            priority=columns["priority"][first],
            **sums,
        )
