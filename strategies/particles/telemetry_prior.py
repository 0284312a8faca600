"""What passive telemetry lets expect of each station: load, other users, and waits by the one cost model of delay."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.background import FRACTION_MAX
from router_core.delay_cost import NetworkDelayCost
from router_core.errors import BadInputError
from router_core.link_state import NEVER_NS
from router_core.network import Network
from router_core.vocabulary import Discipline, StationRole
from strategies.brain import TelemetryArrived
from strategies.particles.estimator_setting import EstimatorSetting

# Utilisation up to which the class's share of the wait is reckoned: beyond, formulas of a steady state say nothing.
USED_MAX: Final = 0.98
# What the formula says counts as so many samples of queues, for all stations of a kind and for one.
KIND_SAMPLES: Final = 20.0
STATION_SAMPLES: Final = 4.0
FACTOR_MAX: Final = 10.0


@dataclass(frozen=True, eq=False)
class Expected:
    """What to expect of S stations; (S,) each.

    Attributes
    ----------
    utilisation : float64
        Everybody's load.
    wait_ns : float64
        Mean wait of a chunk of the told class [ns].
    more_ns_per_byte : float64
        What a byte takes longer for other users [ns].
    """

    utilisation: NDArray[np.float64]
    wait_ns: NDArray[np.float64]
    more_ns_per_byte: NDArray[np.float64]


class TelemetryPrior:
    """Remembers samples with a half-life, refuses by rule what cannot be, and says what to expect.

    A sample that is from the future, or no newer than the last one, is ignored whole; a station's values that are not
    finite, negative or, of utilisation, above 1, are ignored for that station. `refused` counts ``future``, ``stale``
    and ``absurd``.

    Parameters
    ----------
    network : Network
    setting : EstimatorSetting
    """

    def __init__(self, network: Network, setting: EstimatorSetting) -> None:
        self._network = network
        self._setting = setting
        stations = network.station_count
        self._cost = NetworkDelayCost(network, setting.usual_bytes, setting.squared_variation)
        self.refused: Counter[str] = Counter()
        self.observed_ns = np.full(stations, NEVER_NS, dtype=np.int64)
        self.known_up = np.ones(stations, dtype=np.bool_)
        self.up_ns = np.full(stations, NEVER_NS, dtype=np.int64)
        self._last_ns = NEVER_NS
        # Sums over samples, all with one forgetting: samples, weight in windows, utilisation, bytes a window, waiting.
        self._sums = np.zeros((5, stations))
        self._is_line = network.station_role == StationRole.LINE
        # Share of a station's time that a byte takes, times the window's nanoseconds.
        self._ns_per_byte = network.station_ps_per_byte / 1_000 / network.station_servers
        kinds = np.stack((network.station_role, network.station_discipline))
        self._kinds, kind = np.unique(kinds, axis=1, return_inverse=True)
        self._kind = kind.reshape(-1)
        # Equal shares let nobody wait, so their queues show nothing.
        self._queues = network.station_discipline != Discipline.SHARING

    def observe(self, event: TelemetryArrived) -> bool:
        """Take in a sample, and say whether anything of it counts.

        Raises
        ------
        BadInputError
            If it is not a sample of this network, or its window is empty.
        """
        stations = self._network.station_count
        for name in ("utilisation", "waiting", "served_bytes", "up"):
            found = getattr(event, name).shape
            if found != (stations,):
                raise BadInputError(f"telemetry.{name}", f"must have one value for each of {stations}", found)
        if event.window_ns <= 0:
            raise BadInputError("telemetry.window_ns", "must be positive", event.window_ns)
        if not 0 <= event.observed_ns <= event.now_ns:
            self.refused["future"] += 1
            return False
        if event.observed_ns <= self._last_ns:
            self.refused["stale"] += 1
            return False
        used = event.utilisation
        good = (used >= 0) & (used <= 1) & (event.waiting >= 0) & (event.served_bytes >= 0)
        self.refused["absurd"] += int(stations - good.sum())
        if self._last_ns != NEVER_NS:
            self._sums *= 0.5 ** ((event.observed_ns - self._last_ns) / self._setting.telemetry_half_life_ns)
        self._last_ns = event.observed_ns
        share = event.served_bytes * self._ns_per_byte / event.window_ns
        ones = np.ones(stations)
        sample = np.stack(
            (ones, ones * event.window_ns, used * event.window_ns, share * event.window_ns, event.waiting)
        )
        # A station that is down shows no load, which is not what it has when it works.
        self._sums += np.where(good & event.up, sample, 0.0)
        self.observed_ns[good] = event.observed_ns
        self._heard(event.up, np.flatnonzero(good), event.observed_ns)
        return True

    def changed(self, station: NDArray[np.integer], up: NDArray[np.bool_], observed_ns: int) -> None:
        """Take in what monitoring says of some stations."""
        value = self.known_up.copy()
        value[station] = up
        self._heard(value, station, observed_ns)

    def _heard(self, up: NDArray[np.bool_], station: NDArray[np.integer], observed_ns: int) -> None:
        newer = station[self.up_ns[station] <= observed_ns]
        self.known_up[newer] = up[newer]
        self.up_ns[newer] = observed_ns

    @property
    def known(self) -> NDArray[np.bool_]:
        """Of which stations there is any sample, (S,)."""
        return np.asarray(self._sums[1] > 0)

    def expected(self) -> Expected:
        """Return what the samples so far let expect; nothing but zeros where there is none."""
        network, setting = self._network, self._setting
        samples, windows, used_sum, share_sum, waiting = self._sums
        used = np.divide(used_sum, windows, out=np.zeros_like(windows), where=windows > 0)
        own = np.divide(share_sum, windows, out=np.zeros_like(windows), where=windows > 0)
        others = np.where(self._is_line, np.clip(used - own, 0.0, FRACTION_MAX), 0.0)
        load = np.clip((used - others) / (1 - others), 0.0, 1.0)
        cost = self._cost.at(1 - others[network.line_station])
        alone_s = cost.linear * cost.service_s / cost.servers
        wait_ns = (cost.stay_s(load) - alone_s).clip(0.0) * 1e9
        per_s = load * cost.servers / cost.service_s
        # By Little's law those who wait are the wait times the rate: queues that were seen correct the formula, first
        # that of a kind of stations, as traffic comes in bursts, then that of each station.
        formula = wait_ns * 1e-9 * per_s
        seen, said = (
            np.bincount(self._kind, np.where(self._queues, column, 0.0), self._kinds.shape[1])
            for column in (waiting, samples * formula)
        )
        of_kind = np.maximum(np.bincount(self._kind, samples > 0, self._kinds.shape[1]), 1)
        typical = np.bincount(self._kind, np.where(samples > 0, formula, 0.0), self._kinds.shape[1]) / of_kind
        prior = KIND_SAMPLES * typical
        factor = np.divide(seen + prior, said + prior, out=np.ones_like(said), where=said + prior > 0)
        factor = np.clip(factor, 1 / FACTOR_MAX, FACTOR_MAX)[self._kind]
        number = (STATION_SAMPLES * factor * formula + waiting) / (STATION_SAMPLES + samples)
        wait_ns = np.where(
            self._queues & (per_s > 0), np.divide(number * 1e9, per_s, out=wait_ns.copy(), where=per_s > 0), wait_ns
        )
        busy = np.minimum(load, USED_MAX)
        of_class = (1 - busy) / ((1 - setting.more_urgent * busy) * (1 - setting.as_urgent * busy))
        wait_ns *= np.where(network.station_discipline == Discipline.PRIORITY, of_class, 1.0)
        more = network.station_ps_per_byte / 1_000 * others / (1 - others)
        return Expected(used, wait_ns, np.asarray(more))
