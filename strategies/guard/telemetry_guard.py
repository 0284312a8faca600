"""The guard of the brain's input: every observation is looked at before anything uses it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.network import Network
from router_core.transport import WHOLE
from router_core.units import HOUR_NS, MINUTE_NS
from strategies.brain import (
    DemandReported,
    Event,
    ParticlesCollected,
    RunEnded,
    SendParticles,
    SlotStarted,
    StationsChanged,
    TelemetryArrived,
)
from strategies.decision import Decision
from strategies.guard.complaints import Complaints
from strategies.guard.demand_rows import demand_flaws
from strategies.guard.rhythm import Clock, Rhythm
from strategies.guard.rounds import Rounds
from strategies.guard.served_bound import ServedBound
from strategies.guard.shapes import fits, is_instant
from strategies.guard.verdict import Flaw, Stream, Verdict

_TELEMETRY_TYPES: Final[dict[str, type[np.generic]]] = {
    "utilisation": np.float64,
    "waiting": np.int64,
    "served_bytes": np.int64,
    "up": np.bool_,
}


@dataclass(frozen=True)
class GuardSetting:
    """What the guard lets pass.

    Attributes
    ----------
    period_ns : int
        From observation to observation, until the stream itself tells [ns].
    late_periods : float
        What was observed longer ago than so many periods is late.
    grace_periods : float
        An observation counts as missing when it is overdue by so many periods.
    window_periods : float
        A window may differ from the time since the last observation by so many periods.
    absurd_share : float
        An observation of which more than this share is absurd is refused as a whole, in [0, 1).
    rate_tolerance : float
        A counter may tell so many times what a station could serve, >= 1.
    chunk_bytes : int
        As in `Transport`.
    clock_step_ns : int
        A clock that leaps ahead by more is not believed at once [ns].
    clock_confirmations : int
        Instants in a row that make a leap believed.
    lost_share : float
        A round of particles of which more are lost says nothing, in (0, 1].
    summary_ns : int
        After the first complaint of a kind the others are told together, so often at most [ns].
    """

    period_ns: int = MINUTE_NS
    late_periods: float = 3.0
    grace_periods: float = 0.5
    window_periods: float = 0.25
    absurd_share: float = 0.25
    rate_tolerance: float = 1.25
    chunk_bytes: int = WHOLE
    clock_step_ns: int = HOUR_NS
    clock_confirmations: int = 3
    lost_share: float = 0.5
    summary_ns: int = 15 * MINUTE_NS

    def __post_init__(self) -> None:
        for name, low, high in (
            ("period_ns", 1, np.inf),
            ("late_periods", 0, np.inf),
            ("grace_periods", 0, np.inf),
            ("window_periods", 0, np.inf),
            ("absurd_share", 0, 1),
            ("rate_tolerance", 1, np.inf),
            ("chunk_bytes", 0, np.inf),
            ("clock_step_ns", 1, np.inf),
            ("clock_confirmations", 1, np.inf),
            ("lost_share", 0, 1),
            ("summary_ns", 0, np.inf),
        ):
            value = getattr(self, name)
            if not low <= value <= high or value == np.inf:
                raise BadInputError(f"guard.{name}", f"must be finite and lie in {low}..{high}", value)


class TelemetryGuard:
    """Judges what comes in; `check` is to be told every event, in order.

    Parameters
    ----------
    network : Network
    setting : GuardSetting, optional

    Attributes
    ----------
    counts : Counter of (Stream, Flaw)
        What was refused or left out so far: observations, not rows.
    ignored_counts : Counter of (Stream, Flaw)
        Stations and rows left out of observations that were used otherwise.
    """

    def __init__(self, network: Network, setting: GuardSetting | None = None) -> None:
        self._network = network
        self._setting = setting = setting or GuardSetting()
        self._bound = ServedBound(network, setting.chunk_bytes, setting.rate_tolerance)
        self._clock = Clock(setting.clock_step_ns, setting.clock_confirmations)
        self._rhythm = {stream: Rhythm(setting.period_ns) for stream in (Stream.TELEMETRY, Stream.DEMAND)}
        self._rounds = Rounds(setting.lost_share)
        stations = network.station_count
        self._figures: dict[str, NDArray[Any]] = {
            "utilisation": np.zeros(stations),
            "waiting": np.zeros(stations, dtype=np.int64),
            "served_bytes": np.zeros(stations, dtype=np.int64),
        }
        self._up: NDArray[np.bool_] = np.ones(stations, dtype=np.bool_)
        self._up_ns = np.zeros(stations, dtype=np.int64)  # when what is known of `up` was observed
        self._complaints = Complaints(network.station_name, setting.summary_ns)
        self.counts: Counter[tuple[Stream, Flaw]] = Counter()
        self.ignored_counts: Counter[tuple[Stream, Flaw]] = Counter()

    @property
    def period_ns(self) -> int:
        """Period of telemetry as far as it is known [ns]."""
        return self._rhythm[Stream.TELEMETRY].period_ns

    @property
    def up(self) -> NDArray[np.bool_]:
        """Which stations work, by the newest of alarms and telemetry, bool (S,)."""
        return self._up.copy()

    def sent(self, round_of: SendParticles, now_ns: int) -> None:
        """Take in that a round of particles was sent: its collection is expected."""
        self._rounds.sent(round_of, now_ns)

    def check(self, event: Event) -> tuple[Verdict, ...]:
        """Judge an event: what has gone missing until now, and last the event itself.

        The event's own verdict says what may be used of it. One that carries no observation (a slot, the end) is
        refused only if the clock is not believed.
        """
        verdicts = []
        flaw = self._clock.tell(event.now_ns) if is_instant(event.now_ns) else Flaw.SHAPE
        if isinstance(event, RunEnded):
            return (Verdict(Stream.CLOCK, event.now_ns, event),)
        if flaw is not None:
            now_ns = self._clock.now_ns or 0
            verdicts.append(Verdict(_stream(event), now_ns, None, flaw))
        else:
            verdicts += self._missing(event.now_ns)
            verdicts.append(self._judge(event))
        for verdict in verdicts:
            self._count(verdict)
        return tuple(verdicts)

    def report(self) -> list[Decision]:
        """Return what is to be told now of what was refused or left out: the first of a kind at once, then sums."""
        return self._complaints.due(self._clock.now_ns or 0)

    def _count(self, verdict: Verdict) -> None:
        if verdict.flaw is None:
            return
        kind = verdict.stream, verdict.flaw
        self.counts[kind] += 1
        self.ignored_counts[kind] += len(verdict.ignored)
        self._complaints.take(verdict)

    def _missing(self, now_ns: int) -> list[Verdict]:
        found = []
        for stream, rhythm in self._rhythm.items():
            for _ in range(rhythm.overdue(now_ns, self._setting.grace_periods)):
                found.append(Verdict(stream, now_ns, None, Flaw.MISSING, rhythm.observed_ns or 0))
        for _ in range(self._rounds.overdue(now_ns)):
            found.append(Verdict(Stream.PARTICLES, now_ns, None, Flaw.MISSING))
        return found

    def _judge(self, event: Event) -> Verdict:
        match event:
            case TelemetryArrived():
                return self._telemetry(event)
            case DemandReported():
                return self._demand(event)
            case ParticlesCollected():
                return self._rounds.judge(event)
            case StationsChanged():
                return self._alarm(event)
            case SlotStarted() | RunEnded():
                return Verdict(Stream.CLOCK, event.now_ns, event)

    def _timing(self, stream: Stream, event: TelemetryArrived | DemandReported) -> Flaw | None:
        """What is wrong with the instants of a sample."""
        setting, rhythm = self._setting, self._rhythm[stream]
        now_ns, observed_ns, window_ns = event.now_ns, event.observed_ns, event.window_ns
        if not is_instant(observed_ns) or not is_instant(window_ns):
            return Flaw.SHAPE
        if observed_ns > now_ns:
            return Flaw.FUTURE
        if observed_ns < 0:
            return Flaw.OUT_OF_RANGE
        last_ns = rhythm.observed_ns
        if last_ns is not None and observed_ns <= last_ns:
            return Flaw.DUPLICATED if observed_ns == last_ns else Flaw.REORDERED
        rhythm.saw(observed_ns, window_ns)
        period_ns = rhythm.period_ns
        if now_ns - observed_ns > setting.late_periods * period_ns:
            return Flaw.LATE
        slack_ns = setting.window_periods * period_ns
        since_ns = observed_ns if last_ns is None else observed_ns - last_ns
        # Where samples are missing, a window is that of one sample, or all that is between.
        whole = abs(window_ns - since_ns) <= slack_ns
        single = abs(window_ns - period_ns) <= slack_ns and window_ns <= since_ns + slack_ns
        first = last_ns is None and window_ns <= since_ns
        return None if window_ns > 0 and (whole or single or first) else Flaw.WINDOW

    def _refused(self, stream: Stream, event: TelemetryArrived | DemandReported, flaw: Flaw) -> Verdict:
        # Whatever it is, it came: only its stream's next one can be missing, and this one is no second bad sign.
        if flaw.harms:
            self._rhythm[stream].came(event.now_ns)
        known = is_instant(event.observed_ns) and 0 <= event.observed_ns <= event.now_ns
        return Verdict(stream, event.now_ns, None, flaw, int(event.observed_ns) if known else 0)

    def _telemetry(self, event: TelemetryArrived) -> Verdict:
        stations = self._network.station_count
        for name, kind in _TELEMETRY_TYPES.items():
            if not fits(getattr(event, name), kind, stations):
                return self._refused(Stream.TELEMETRY, event, Flaw.SHAPE)
        flaw = self._timing(Stream.TELEMETRY, event)
        if flaw is not None:
            return self._refused(Stream.TELEMETRY, event, flaw)
        used, waiting, served = event.utilisation, event.waiting, event.served_bytes
        wrong = ~((used >= 0) & (used <= 1)) | (waiting < 0) | (served < 0)
        beyond = served > self._bound.bytes_max(event.window_ns)
        ignored = np.flatnonzero(wrong | beyond)
        if len(ignored) > self._setting.absurd_share * stations:
            return self._refused(Stream.TELEMETRY, event, Flaw.MOSTLY_ABSURD)
        self._rhythm[Stream.TELEMETRY].accept(event.now_ns, event.observed_ns)
        figures: dict[str, NDArray[Any]] = {"utilisation": used, "waiting": waiting, "served_bytes": served}
        if len(ignored):
            # Instead of what is absurd stands what was told last: nobody takes a station for idle who forgets to ask.
            for name, column in figures.items():
                figures[name] = column.copy()
                figures[name][ignored] = self._figures[name][ignored]
            flaw = Flaw.OUT_OF_RANGE if wrong[ignored[0]] else Flaw.BEYOND_RATE
        self._figures = {name: column.copy() for name, column in figures.items()}
        # An alarm of later than the sample knows better.
        older = self._up_ns <= event.observed_ns
        self._up = np.where(older, event.up, self._up)
        self._up_ns = np.maximum(self._up_ns, event.observed_ns)
        clean = event
        if len(ignored) or not older.all():
            clean = replace(
                event,
                utilisation=figures["utilisation"],
                waiting=figures["waiting"],
                served_bytes=figures["served_bytes"],
                up=self._up.copy(),
            )
        return Verdict(Stream.TELEMETRY, event.now_ns, clean, flaw, event.observed_ns, ignored)

    def _demand(self, event: DemandReported) -> Verdict:
        rows = len(event.source) if isinstance(event.source, np.ndarray) else 0
        flaws = demand_flaws(self._network, event)
        flaw = Flaw.SHAPE if flaws is None else self._timing(Stream.DEMAND, event)
        if flaws is None or flaw is not None:
            return self._refused(Stream.DEMAND, event, flaw or Flaw.SHAPE)
        ignored = np.flatnonzero(flaws)
        if len(ignored) > self._setting.absurd_share * rows:
            return self._refused(Stream.DEMAND, event, Flaw.MOSTLY_ABSURD)
        self._rhythm[Stream.DEMAND].accept(event.now_ns, event.observed_ns)
        if not len(ignored):
            return Verdict(Stream.DEMAND, event.now_ns, event, None, event.observed_ns)
        kept = ~flaws
        columns = ("source", "target", "mode", "kind", "priority", "exchanges", "payload_bytes")
        clean = replace(event, **{name: getattr(event, name)[kept] for name in columns})
        return Verdict(Stream.DEMAND, event.now_ns, clean, Flaw.OUT_OF_RANGE, event.observed_ns, ignored)

    def _alarm(self, event: StationsChanged) -> Verdict:
        stations, now_ns = self._network.station_count, event.now_ns
        rows = len(event.station) if isinstance(event.station, np.ndarray) else 0
        if (
            not fits(event.station, np.int32, rows)
            or not fits(event.up, np.bool_, rows)
            or not is_instant(event.observed_ns)
        ):
            return Verdict(Stream.ALARMS, now_ns, None, Flaw.SHAPE)
        if not 0 <= event.observed_ns <= now_ns:
            return Verdict(Stream.ALARMS, now_ns, None, Flaw.FUTURE)
        station = event.station
        wrong = (station < 0) | (station >= stations)
        wrong[1:] |= station[1:] <= station[:-1]
        # What is known of a station since is newer.
        place = np.where(wrong, 0, station)
        old = ~wrong & (self._up_ns[place] > event.observed_ns)
        again = ~wrong & (self._up_ns[place] == event.observed_ns) & (self._up[place] == event.up)
        kept = ~(wrong | old | again)
        self._up[station[kept]] = event.up[kept]
        self._up_ns[station[kept]] = event.observed_ns
        if kept.all():
            return Verdict(Stream.ALARMS, now_ns, event, None, event.observed_ns)
        flaw = Flaw.OUT_OF_RANGE if wrong.any() else Flaw.REORDERED if old.any() else Flaw.DUPLICATED
        clean = replace(event, station=station[kept], up=event.up[kept]) if kept.any() else None
        return Verdict(Stream.ALARMS, now_ns, clean, flaw, event.observed_ns, np.flatnonzero(~kept))


def _stream(event: Event) -> Stream:
    match event:
        case TelemetryArrived():
            return Stream.TELEMETRY
        case DemandReported():
            return Stream.DEMAND
        case ParticlesCollected():
            return Stream.PARTICLES
        case StationsChanged():
            return Stream.ALARMS
        case _:
            return Stream.CLOCK
