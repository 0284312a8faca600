"""Watches the stations: a load far above its own slow course, beyond what the tide of all demand makes of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.network import Network
from router_core.units import MINUTE_NS
from strategies.brain import TelemetryArrived
from strategies.surges.detector import Detector, DetectorSetting
from strategies.surges.surge import Scope, Surge

# Windows over which a station's level is a mean.
LEVEL_WINDOWS: Final = 45.0
# A level is doubted by this much of it, and this share besides.
SPREAD, SPREAD_LEAST = 0.2, 0.02
# Shares vary as if they were counted in hundredths.
UNIT: Final = 0.01
LEAST: Final = 2.0
# As busy as this is much busier, whatever is usual.
FULL: Final = 0.95
FALSE_ALARMS: Final = 0.5
SETTLE_WINDOWS: Final = 45
MEMORY: Final = 2016
FACTOR_MIN: Final = 1e-6
# One large file keeps a station busy for minutes: a surge lasts so long, or is of so many stations at once.
LASTING_NS: Final = 10 * MINUTE_NS
GRAVE: Final = 5


@dataclass(eq=False)
class _Busy:
    """Stations of one surge."""

    surge: Surge
    station: NDArray[np.int64]


class StationWatch:
    """Finds stations that are much busier than they were, whatever the time of day.

    A station is expected at its level of late, times what the forecast says that all demand has grown since. A level
    stands still while its station surges. What does not last is no surge, unless many stations are that busy at once.
    Stations that are found at once make one surge, the most evident first.

    Parameters
    ----------
    network : Network
    """

    def __init__(self, network: Network) -> None:
        self._names = network.station_name
        count = network.station_count
        self._count = count
        self._level = np.zeros(count)
        self._usual = 0.0
        self._seen = 0
        self._observed_ns: int | None = None
        self._window_ns = 0
        self._detector = self._new_detector(MINUTE_NS)
        self._suspect = np.zeros(count, dtype=np.bool_)
        self._busy: list[_Busy] = []
        self._over: tuple[Surge, ...] = ()

    @property
    def active(self) -> tuple[Surge, ...]:
        """Surges that go on."""
        return tuple(one.surge for one in self._busy)

    @property
    def over(self) -> tuple[Surge, ...]:
        """Surges that ended with the last telemetry."""
        return self._over

    def observe(self, event: TelemetryArrived, usual: float, number: int) -> list[Surge]:
        """Take in a sample; `usual` is what is expected of all demand, in any unit, `number` that of a new surge."""
        self._over = ()
        share = np.asarray(event.utilisation, dtype=np.float64)
        for name, array in (("utilisation", share), ("up", event.up)):
            if array.shape != (self._count,):
                raise BadInputError(f"telemetry.{name}", f"must have shape ({self._count},)", array.shape)
        if self._observed_ns is not None and event.observed_ns <= self._observed_ns:
            return []
        if event.window_ns != self._window_ns:
            if event.window_ns <= 0:
                raise BadInputError("telemetry.window_ns", "must be above 0", event.window_ns)
            self._window_ns, self._seen, self._busy = event.window_ns, 0, []
            self._detector = self._new_detector(event.window_ns)
            self._suspect[:] = False
        elif self._observed_ns is not None:
            self._detector.skip(max(round((event.observed_ns - self._observed_ns) / event.window_ns) - 1, 0))
        self._observed_ns = event.observed_ns
        known = np.asarray(event.up, dtype=np.bool_)
        if self._seen == 0:
            self._level, self._usual = np.where(known, share, 0.0), usual
        growth = usual / self._usual if self._usual > 0 else 1.0
        expected = np.minimum(self._level * max(growth, 1.0), 1.0)
        found = self._detector.step(share, expected, SPREAD * expected + SPREAD_LEAST, known)
        self._end(found.ended, share, expected)
        self._suspect[found.found] = True
        self._suspect[found.ended] = False
        begun = self._begin(self._grave(share, expected, event.window_ns), share, expected, event, number)
        self._learn(share, known, usual)
        return begun

    def _learn(self, share: NDArray[np.float64], known: NDArray[np.bool_], usual: float) -> None:
        self._seen += 1
        rate = max(1.0 / self._seen, 1.0 - exp(-1.0 / LEVEL_WINDOWS))
        learning = known.copy()
        learning[self._detector.active] = False
        self._level[learning] += rate * (share[learning] - self._level[learning])
        self._usual += rate * (usual - self._usual)

    def _grave(self, share: NDArray[np.float64], expected: NDArray[np.float64], window_ns: int) -> NDArray[np.int64]:
        """Of stations that are suspected those that have been much busier for long, or all if they are many."""
        busy = np.flatnonzero(self._suspect & (share >= np.minimum(LEAST * expected, FULL)))
        if 0 < len(busy) < GRAVE:
            busy = busy[(self._detector.age(busy) + 1) * window_ns >= LASTING_NS]
        self._suspect[busy] = False
        return busy

    def _begin(
        self,
        found: NDArray[np.int64],
        share: NDArray[np.float64],
        expected: NDArray[np.float64],
        event: TelemetryArrived,
        number: int,
    ) -> list[Surge]:
        if not len(found):
            return []
        score = self._detector.evidence(found)
        order = np.lexsort((found, -score))
        station = found[order]
        first = station[:1]
        came, usual = self._detector.since_onset(first)
        age = int(self._detector.age(first)[0])
        surge = Surge(
            number=number,
            scope=Scope.STATION,
            names=tuple(self._names[one] for one in station),
            demand_class=-1,
            onset_ns=max(0, event.observed_ns - (age + 1) * event.window_ns),
            found_ns=event.now_ns,
            series=np.empty(0, dtype=np.int64),
            factor=max(float(came[0] / max(usual[0], UNIT)), FACTOR_MIN),
            rate=float(share[first[0]]),
            expected_rate=float(expected[first[0]]),
            score=max(1.0, float(score[order[0]])),
        )
        self._busy.append(_Busy(surge, station))
        return [surge]

    def _end(self, ended: NDArray[np.int64], share: NDArray[np.float64], expected: NDArray[np.float64]) -> None:
        """Follow surges; one is over with the last of its stations."""
        going, over = [], []
        active = self._detector.active
        for one in self._busy:
            first = int(one.station[0])
            came, usual = self._detector.since_onset(one.station[:1])
            one.surge = replace(
                one.surge,
                rate=float(share[first]),
                expected_rate=float(expected[first]),
                factor=max(float(came[0] / max(usual[0], UNIT)), FACTOR_MIN),
            )
            if len(ended):
                one.station = one.station[np.isin(one.station, active)] if first in active else one.station
            if np.isin(one.station, active).any():
                going.append(one)
            else:
                over.append(one.surge)
        self._busy, self._over = going, tuple(over)

    def _new_detector(self, window_ns: int) -> Detector:
        setting = DetectorSetting(
            window_ns,
            FALSE_ALARMS / max(self._count, 1),
            least=LEAST,
            memory=MEMORY,
            settle=SETTLE_WINDOWS,
            level=0,
        )
        return Detector(self._count, setting, UNIT)
