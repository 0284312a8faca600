"""The world in which a brain is tried: SimPy keeps the clock of control, a data plane carries the exchanges.

Between two control events the data plane advances alone. At one instant control comes before exchanges, and control
events keep this order: the other users' load, faults, the telemetry sample, its arrival, the slot's start, the next
exchanges.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any

import simpy

from router_core.background import Background
from router_core.errors import BadInputError
from router_core.exchanges import Exchanges, concatenate
from router_core.network import Network
from router_core.units import HOUR_NS, MINUTE_NS
from sim.data_plane import DataPlane, Outcome
from sim.faults import Fault, StationFaults
from sim.other_users import OtherUsers
from sim.series import Series, SeriesRecorder
from sim.telemetry import Sampler, TelemetryConfig
from strategies.brain import Brain, Event, RunEnded, SetPlan, SlotStarted

Control = Generator[simpy.Event, Any, None]


class Rank(IntEnum):
    """Order of control events at one instant."""

    OTHER_USERS = 1
    FAULTS = 2
    SAMPLE = 3
    ARRIVAL = 4
    SLOT = 5
    FEED = 6


@dataclass(frozen=True)
class WorldConfig:
    """Rhythms of the world.

    Attributes
    ----------
    slot_ns : int
        Length of a planning slot, and of a step of the recorded series [ns].
    background_ns : int
        Step of the other users' load [ns].
    feed_ns : int
        Exchanges are handed to the data plane so far ahead [ns]; has no influence on results.
    drain_ns : int
        How long after the trace's end the run may go on to deliver what is in flight [ns].
    telemetry : TelemetryConfig
    """

    slot_ns: int = 5 * MINUTE_NS
    background_ns: int = MINUTE_NS
    feed_ns: int = MINUTE_NS
    drain_ns: int = 24 * HOUR_NS
    telemetry: TelemetryConfig = field(default_factory=TelemetryConfig)

    def __post_init__(self) -> None:
        if min(self.slot_ns, self.background_ns, self.feed_ns) <= 0 or self.drain_ns < 0:
            raise ValueError(f"the world's rhythms must be positive: {self}")


@dataclass(frozen=True, eq=False)
class Record:
    """What a run leaves.

    Attributes
    ----------
    exchanges : Exchanges
    outcome : Outcome
    series : Series
    ended_ns : int
        When the run ended [ns].
    """

    exchanges: Exchanges
    outcome: Outcome
    series: Series
    ended_ns: int


class World:
    """One run of one brain on one trace.

    Parameters
    ----------
    network : Network
    background : Background
    brain : Brain
    plane : DataPlane
        A new one, at instant 0.
    start : datetime
        Local time of instant 0.
    span_ns : int
        Length of the trace [ns].
    seed : int
    config : WorldConfig, optional
    faults : sequence of Fault, optional
    on_progress : callable, optional
        Called with the simulated time [ns] at every slot.
    """

    def __init__(
        self,
        network: Network,
        background: Background,
        brain: Brain,
        plane: DataPlane,
        *,
        start: datetime,
        span_ns: int,
        seed: int,
        config: WorldConfig | None = None,
        faults: Sequence[Fault] = (),
        on_progress: Callable[[int], None] | None = None,
    ) -> None:
        self._config = config or WorldConfig()
        self._brain = brain
        self._plane = plane
        self._span_ns = span_ns
        self._others = OtherUsers(network, background, start, seed)
        self._faults = StationFaults(network, faults)
        self._line_station = network.line_station
        self._sampler = Sampler(network, self._config.telemetry, seed)
        self._recorder = SeriesRecorder(network)
        self._on_progress = on_progress or (lambda _: None)
        self._env = simpy.Environment(initial_time=0)
        self._kept: list[Exchanges] = []
        self._done = self._env.event()

    def run(self, batches: Iterator[Exchanges]) -> Record:
        """Replay the trace's batches, which come in order of submission, until all is delivered or time is up.

        Raises
        ------
        BadInputError
            If an exchange lies beyond the trace's span, or breaks a rule of the data plane.
        """
        env = self._env
        for process in (self._background(), self._failures(), self._telemetry(), self._slots(), self._feed(batches)):
            env.process(process)  # started in this order, which is that of the ranks
        env.run(until=self._done)
        now_ns = int(env.now)
        self._plane.advance(now_ns)
        self._recorder.record(self._plane.snapshot())
        self._tell(RunEnded(now_ns))
        exchanges = concatenate(self._kept)
        self._kept.clear()  # a trace of millions need not stand in memory twice while it is judged
        return Record(exchanges, self._plane.outcome(), self._recorder.series(), now_ns)

    def _after(self, delay_ns: int, rank: Rank) -> simpy.Event:
        """Return an event `delay_ns` from now that comes in order of its rank, where SimPy's timeouts know no ranks."""
        event = self._env.event()
        event._ok = True
        event._value = None
        self._env.schedule(event, priority=rank, delay=delay_ns)  # type: ignore[arg-type]
        return event

    def _background(self) -> Control:
        while True:
            self._plane.advance(int(self._env.now))
            self._plane.apply(self._faults.left_by_others(self._others.step(int(self._env.now))))
            yield self._after(self._config.background_ns, Rank.OTHER_USERS)

    def _failures(self) -> Control:
        for at_ns in self._faults.instants:
            if at_ns > self._env.now:
                yield self._after(at_ns - int(self._env.now), Rank.FAULTS)
            self._plane.advance(at_ns)
            for command in self._faults.step(at_ns):
                self._plane.apply(command)

    def _telemetry(self) -> Control:
        while True:
            self._plane.advance(int(self._env.now))
            # Over a line that is cut nobody sends anything.
            others = self._others.fraction * self._faults.up[self._line_station]
            sample = self._sampler.sample(self._plane.snapshot(), others)
            if sample is not None:
                delay_ns, event = sample
                self._env.process(self._arrival(delay_ns, event))
            yield self._after(self._config.telemetry.period_ns, Rank.SAMPLE)

    def _arrival(self, delay_ns: int, event: Event) -> Control:
        yield self._after(delay_ns, Rank.ARRIVAL)
        self._tell(event)

    def _slots(self) -> Control:
        slot = 0
        while True:
            now_ns = int(self._env.now)
            self._plane.advance(now_ns)
            snapshot = self._plane.snapshot()
            self._recorder.record(snapshot)
            self._on_progress(now_ns)
            if now_ns >= self._span_ns and (snapshot.in_flight == 0 or now_ns >= self._span_ns + self._config.drain_ns):
                self._done.succeed()
                return
            self._tell(SlotStarted(now_ns, slot))
            slot += 1
            yield self._after(self._config.slot_ns, Rank.SLOT)

    def _feed(self, batches: Iterator[Exchanges]) -> Control:
        """Hand the exchanges of the next `feed_ns` to the data plane, keeping them for the record."""
        rows = 0
        for batch in batches:
            inside = int(batch.submitted_ns.searchsorted(self._span_ns))
            if inside < len(batch):
                place = f"exchange {rows + inside}.submitted_ns"
                rule = f"must lie before the end of the trace's span, {self._span_ns}"
                raise BadInputError(place, rule, int(batch.submitted_ns[inside]))
            rows += len(batch)
            self._kept.append(batch)
            first = 0
            while first < len(batch):
                horizon_ns = int(self._env.now) + self._config.feed_ns
                last = int(batch.submitted_ns.searchsorted(horizon_ns))
                self._plane.submit(batch[first:last])
                first = last
                if first < len(batch):
                    yield self._after(self._config.feed_ns, Rank.FEED)

    def _tell(self, event: Event) -> None:
        self._plane.advance(int(self._env.now))
        for command in self._brain.handle(event):
            match command:
                case SetPlan():
                    self._plane.apply(command)
