"""What is known of every station, from test particles and passive telemetry: the analysis, on one screen."""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.link_state import NEVER_NS, LinkState
from router_core.network import Network
from router_core.vocabulary import StationRole
from strategies.brain import ParticlesCollected, SendParticles, StationsChanged, TelemetryArrived
from strategies.particles import tomography_kernels as kernels
from strategies.particles.estimator_setting import EstimatorSetting
from strategies.particles.loss import LossEstimate
from strategies.particles.particle_log import NOT_COME, ParticleLog, SentRound
from strategies.particles.resolution import Resolution
from strategies.particles.spare import SpareRate
from strategies.particles.telemetry_prior import Expected, TelemetryPrior
from strategies.particles.window import Window, window_of

# A station whose wait the particles resolve so far is told apart: of two that only their sum is known of, each has 0.5.
RESOLVED: Final = 0.7
# Sweeps of the descent, and steps of reweighting between them, in one solution; the next one goes on from there.
SWEEPS: Final = 2
REWEIGHTED: Final = 1
TOLERANCE: Final = 1e-4
# The first particles have nothing to go on from.
REWEIGHTED_FIRST: Final = 20
SWEEPS_FIRST: Final = 30
# An error counts no more than one of so many standard deviations (Huber): more would let a clock or an agent that lies
# decide, less would take the long waits that there are for errors.
HUBER: Final = 4.0
SCALE_MIN, SCALE_MAX = 1e-4, 4.0
SCALE_FIRST: Final = 0.01
# Beyond so many standard deviations the prior gives way.
FAR: Final = 3.0
# So many particles that are late together are no accident.
SEVERAL: Final = 2
# Waits vary at least by this share of what a particle took, spread over its stations: where the estimate is far too low
# its own waits would let everything pass for an error, and it could never rise.
VARIES_MIN: Final = 0.3
# Median of the square of a standard normal variable.
CHI_MEDIAN: Final = 0.455
# A round whose clock was set shows it where at least so many particles came, and no station was on nearly all routes.
CLOCK_ROWS: Final = 16
CLOCK_SHARED: Final = 0.9
CLOCK_RATIO: Final = 5.0
ABSURD_SHARE: Final = 0.2
# Visits that count as half of all confidence; telemetry alone never says more than half.
HALF_KNOWN: Final = 4.0
TELEMETRY_CONFIDENCE: Final = 0.5
HALF_LIVES_KEPT: Final = 5
# Telemetry lets expect how much longer a byte takes up to this share of the whole.
BYTE_SPREAD: Final = 0.1
IDLE_SHARE: Final = 0.02


class LinkStateEstimator:
    """Takes in what was sent, collected and sampled, and says what is known of every station.

    A particle's time is what its stations' service data say, and on top of it each station's wait, and its time a byte
    as far as other users stretch it. Telemetry lets expect these by the model of `router_core.delay_cost`; particles
    of the last half-lives correct them: a regression, robust (Huber), regularised by that expectation, no value
    negative, solved by coordinate descent that goes on from the last solution. Particles that did not come share
    the blame among their stations (EM), as far as they are lost rather than late. Where nothing observes, what was
    planned stands.

    What cannot be is refused by rule and counted in `refused`, and changes nothing: see `ParticleLog` and
    `TelemetryPrior`; and besides: a particle that came sooner than its stations can serve (``absurd``), and a round
    in which more than a fifth did, or all are late by the same time though no station is common to them (``clock``).

    Parameters
    ----------
    network : Network
    setting : EstimatorSetting, optional
    """

    def __init__(self, network: Network, setting: EstimatorSetting | None = None) -> None:
        self._network = network
        self.setting = setting = setting or EstimatorSetting()
        stations = network.station_count
        self._prior = TelemetryPrior(network, setting)
        self._log = ParticleLog(stations, HALF_LIVES_KEPT * setting.half_life_ns, setting.rows_max)
        self._resolution = Resolution(stations)
        self._losses = LossEstimate(stations, setting)
        self._spare = SpareRate(network, setting)
        self._steady_ns = (network.station_fixed_ns + network.station_after_ns).astype(np.float64)
        self._ns_per_byte = network.station_ps_per_byte / 1_000
        self._usual_ns = network.station_fixed_ns + setting.usual_bytes * self._ns_per_byte
        self._is_line = network.station_role == StationRole.LINE
        self._expected = Expected(np.zeros(stations), np.zeros(stations), np.zeros(stations))
        self._wait_ns = np.zeros(stations)
        self._more_ns_per_byte = np.zeros(stations)
        self._observed_ns = np.full(stations, NEVER_NS, dtype=np.int64)
        # Particles are believed at first: an estimate that began with the prior would take what they say for noise.
        self._scale = SCALE_FIRST
        self._solved = False
        self._stale = False
        self._state: LinkState | None = None

    @property
    def refused(self) -> Counter[str]:
        """How much was refused, by rule, so far."""
        return self._prior.refused + self._log.refused

    @property
    def resolution(self) -> NDArray[np.float64]:
        """How far particles alone tell each station's wait apart, 0..1, (S,)."""
        return self._resolution.value.copy()

    def sent(self, command: SendParticles, now_ns: int) -> None:
        """Take note of a round that sets out now; `BadInputError` if it cannot be."""
        self._log.sent(command, now_ns)
        self._state = None

    def observe_changes(self, event: StationsChanged) -> None:
        """Take in that stations stopped or returned.

        Raises
        ------
        BadInputError
            If a station is none of the network's.
        """
        wrong = np.flatnonzero((event.station < 0) | (event.station >= self._network.station_count))
        if len(wrong):
            rule = f"must lie in 0..{self._network.station_count - 1}"
            raise BadInputError("stations changed: station", rule, int(event.station[wrong[0]]))
        self._prior.changed(event.station, event.up, event.observed_ns)
        self._state = None

    def observe_telemetry(self, event: TelemetryArrived) -> None:
        """Take in a sample; `BadInputError` if it is not of this network."""
        if not self._prior.observe(event):
            return
        self._expected = self._prior.expected()
        self._stale, self._state = True, None

    def observe_particles(self, event: ParticlesCollected) -> None:
        """Take in what was collected; `BadInputError` if its columns do not fit together."""
        for number, delay_ns in self._log.collect(event).items():
            known = self._log.rounds[number]
            rows = self._believed(known, delay_ns)
            known.delay_ns[rows] = delay_ns[rows]
            at = np.repeat(rows, np.diff(known.start))
            came_ns = np.repeat(known.sent_ns + np.maximum(delay_ns, 0), np.diff(known.start))[at]
            np.maximum.at(self._observed_ns, known.station[at], came_ns)
        self._stale, self._state = True, None

    def _believed(self, known: SentRound, delay_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say which of the newly come particles (n,) are believed, and count the others."""
        came = delay_ns != NOT_COME
        count = int(came.sum())
        alone, more, _ = self._predicted(known.start, known.station, known.visits, known.size)
        # A nanosecond a station, as services are rounded up.
        absurd = came & (delay_ns < alone - np.diff(known.start))
        late = delay_ns - alone - more
        if absurd.sum() > ABSURD_SHARE * count or self._all_alike(known, late, came & ~absurd):
            self._log.refused["clock"] += count
            return np.zeros(len(came), dtype=np.bool_)
        self._log.refused["absurd"] += int(absurd.sum())
        return np.asarray(came & ~absurd)

    def _all_alike(self, known: SentRound, late: NDArray[np.float64], came: NDArray[np.bool_]) -> bool:
        """Say whether all are late by the same, far beyond how they differ, with no station that could be the cause."""
        count = int(came.sum())
        if count < CLOCK_ROWS:
            return False
        low, high = np.quantile(late[came], (0.1, 0.9))
        if low <= CLOCK_RATIO * (high - low) or low <= 0:
            return False
        rows = np.repeat(came, np.diff(known.start))
        most = int(np.bincount(known.station[rows]).max())
        return bool(most < CLOCK_SHARED * count)

    def state(self, now_ns: int) -> LinkState:
        """Return what is known now.

        Parameters
        ----------
        now_ns : int
            No earlier than anything that was taken in [ns].
        """
        if self._state is None or self._state.now_ns != now_ns:
            self._state = self._known_at(now_ns)
        return self._state

    def _known_at(self, now_ns: int) -> LinkState:
        self._log.forget(now_ns)
        window = window_of(list(self._log.rounds.values()), now_ns, self.setting.half_life_ns)
        if self._stale:
            self._solve(window)
            self._stale = False
        prior, setting = self._prior, self.setting
        counted = np.repeat(window.share * (window.delay_ns != NOT_COME), np.diff(window.start)) * window.visits
        visits = np.bincount(window.station, counted, self._network.station_count)
        resolved = self._resolution.value * (visits > 0)
        age_ns = np.maximum(now_ns - prior.observed_ns, 0)
        fresh = np.where(prior.observed_ns == NEVER_NS, 0.0, 0.5 ** (age_ns / setting.telemetry_half_life_ns))
        confidence = 1 - (1 - resolved * visits / (visits + HALF_KNOWN)) * (1 - TELEMETRY_CONFIDENCE * fresh)
        # Telemetry speaks of each station by itself, as long as particles do not contradict it.
        spread = self._spread()
        agrees = np.abs(self._wait_ns - self._expected.wait_ns) <= 2 * spread
        heard = fresh > 0.5**HALF_LIVES_KEPT
        identified = (resolved >= RESOLVED) | (heard & agrees)
        down = ~prior.known_up & (prior.up_ns != NEVER_NS)
        loss = np.where(down, 1.0, self._losses.value)
        up = np.where(prior.up_ns != NEVER_NS, prior.known_up, loss < 0.5)
        used = self._expected.utilisation
        if not prior.known.all():
            told = self._spare.utilisation(self._wait_ns, self._more_ns_per_byte)
            used = np.where(prior.known, used, told)
        observed_ns = np.maximum(self._observed_ns, prior.observed_ns)
        return LinkState(
            now_ns=now_ns,
            stay_ns=self._steady_ns
            + setting.usual_bytes * (self._ns_per_byte + self._more_ns_per_byte)
            + self._wait_ns,
            utilisation=used,
            loss=loss,
            observed_ns=np.minimum(observed_ns, now_ns),
            confidence=np.clip(confidence, 0.0, 1.0),
            identified=identified,
            up=up,
        )

    def _spread(self) -> NDArray[np.float64]:
        """Return how far each wait may be from what is expected: a standard deviation [ns], (S,)."""
        told = self.setting.wait_spread * self._expected.wait_ns + IDLE_SHARE * self._usual_ns
        return np.where(self._prior.known, told, self.setting.idle_spread * self._usual_ns)

    def _predicted(
        self,
        start: NDArray[np.int64],
        station: NDArray[np.int32],
        visits: NDArray[np.float64],
        size: NDArray[np.float64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return each row's time without load, what is expected on top, and the variance of its waits."""
        alone, more, variance = (np.empty(len(size)) for _ in range(3))
        kernels.predicted(
            start,
            station,
            visits,
            size,
            self._steady_ns,
            self._ns_per_byte,
            self._more_ns_per_byte,
            self._wait_ns,
            self._usual_ns / self._network.station_servers,
            alone,
            more,
            variance,
        )
        return alone, more, variance

    def _solve(self, window: Window) -> None:
        """Go on with the regression, with what is in the window."""
        expected = self._expected
        came = window.delay_ns != NOT_COME
        if not came.any():
            self._wait_ns[:] = expected.wait_ns
            self._more_ns_per_byte[:] = expected.more_ns_per_byte
            alone, more, _ = self._predicted(window.start, window.station, window.visits, window.size)
            self._losses.learn(window, 1.0 - self._losses.late(window, alone + more))
            return
        spread = self._spread()
        known = self._prior.known
        byte_spread = np.where(known, BYTE_SPREAD * (self._ns_per_byte + expected.more_ns_per_byte), self._ns_per_byte)
        variable = self._is_line & (byte_spread > 0)
        byte_weight = np.divide(1.0, byte_spread**2, out=np.full(len(spread), np.inf), where=variable)
        column_start = np.empty(len(spread) + 1, dtype=np.int64)
        row_of, times = np.empty(len(window.station), dtype=np.int32), np.empty(len(window.station))
        kernels.by_column(window.start, window.station, window.visits, column_start, row_of, times)
        weight = np.empty(len(window.size))
        first = not self._solved
        for turn in range(REWEIGHTED_FIRST if first else REWEIGHTED):
            alone, more, variance = self._predicted(window.start, window.station, window.visits, window.size)
            late = self._losses.late(window, alone + more)
            residual = np.where(came, window.delay_ns, window.bound_ns) - alone - more
            least = (VARIES_MIN * np.maximum(residual + more, 0.0)) ** 2 / np.maximum(np.diff(window.start), 1)
            variance = np.maximum(variance, least)
            if turn > 0 or not first:
                self._rescale(residual[came], variance[came])
            # The prior has a heavy tail: where particles have moved a wait far off, or all of the newest at a station
            # are late, it holds that station less.
            loose = np.maximum(spread, np.abs(self._wait_ns - expected.wait_ns) / FAR)
            if turn == 0:
                loose = np.maximum(loose, self._lateness(window, residual) / FAR)
            kernels.weigh_rows(
                residual,
                alone + more,
                variance,
                window.share * np.where(came, 1.0, late),
                ~came,
                self._scale,
                HUBER if turn or not first else np.inf,
                weight,
            )
            kernels.descend(
                column_start,
                row_of,
                times,
                window.size,
                weight,
                expected.wait_ns,
                1 / loose**2,
                expected.more_ns_per_byte,
                byte_weight,
                SWEEPS_FIRST if first else SWEEPS,
                TOLERANCE,
                self._wait_ns,
                self._more_ns_per_byte,
                residual,
            )
        self._solved = True
        self._resolution.step(window.start, window.station, window.visits, weight, spread)
        self._losses.learn(window, np.where(came, 0.0, 1.0 - late))

    def _lateness(self, window: Window, residual: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return by how much all of the newest round's particles past a station are late at least, if several; (S,)."""
        rows = (window.delay_ns != NOT_COME) & (np.arange(len(residual)) >= window.newest)
        at = np.repeat(rows, np.diff(window.start))
        late = np.repeat(residual, np.diff(window.start))[at]
        station = window.station[at]
        least = np.full(self._network.station_count, np.inf)
        np.minimum.at(least, station, late)
        several = np.bincount(station, minlength=len(least)) >= SEVERAL
        return np.where(several, np.maximum(least, 0.0), 0.0)

    def _rescale(self, residual: NDArray[np.float64], variance: NDArray[np.float64]) -> None:
        """Learn how much waits vary from visit to visit, from how far particles are off."""
        freedom = max(len(residual) - float(self._resolution.value.sum()), 0.1 * len(residual))
        square = residual**2 / np.maximum(variance, kernels.NOISE_NS**2)
        # Waits are skewed: most are short, so the median alone would be far too low. Gross errors are cut off.
        typical = float(np.median(square)) / CHI_MEDIAN
        found = max(typical, float(np.minimum(square, HUBER**2 * max(self._scale, typical)).mean()))
        self._scale = float(np.clip(found * len(residual) / freedom, SCALE_MIN, SCALE_MAX))
