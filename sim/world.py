"""The world in which a brain is tried: SimPy keeps the clock of control, a data plane carries the exchanges.

Between two control events the data plane advances alone, with what front-ends release meanwhile. At one instant control
comes before exchanges, and control events keep this order: the other users' load, faults, what monitoring says of them,
borrowed servers that start, the telemetry sample, test particles that are collected, the sample's arrival, the slot's
start.

Front-ends act on what monitoring says by themselves: from then on they leave out ways that are known to be down
(`router_core.live_plan`), whatever plan is in force, until what stopped returns.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any

import numpy as np
import simpy

from router_core.background import Background
from router_core.exchanges import Exchanges
from router_core.line_history import LineHistory
from router_core.live_plan import LivePlan
from router_core.network import Network
from router_core.plan import Plan
from router_core.units import HOUR_NS, MINUTE_NS, SECOND_NS
from sim.churn import ChurnMeter
from sim.data_plane import DataPlane, Outcome, SetStationUp
from sim.faults import Fault, StationFaults
from sim.front_end_desk import FrontEndDesk, Holding
from sim.garbage import collected_rarely
from sim.moment import Moment, Observer
from sim.other_users import OtherUsers
from sim.particle_rounds import ParticleRounds
from sim.policy_table import PolicyRecorder, PolicyTable
from sim.pools import CloudPools, PoolUse
from sim.series import Series, SeriesRecorder, Steered
from sim.telemetry import Sampler, TelemetryConfig
from strategies.brain import (
    BorrowServers,
    Brain,
    DemandReported,
    Event,
    KeepRecord,
    LogDecision,
    RunEnded,
    SendParticles,
    SetHandling,
    SetPlan,
    SlotStarted,
    StationsChanged,
    TelemetryArrived,
)
from strategies.decision import Decision
from strategies.demand_report import demand_report
from strategies.line_monitor import LineMonitor

Control = Generator[simpy.Event, Any, None]


class Rank(IntEnum):
    """Order of control events at one instant."""

    OTHER_USERS = 1
    FAULTS = 2
    ALARM = 3
    POOLS = 4
    SAMPLE = 5
    PARTICLES = 6
    ARRIVAL = 7
    SLOT = 8


@dataclass(frozen=True)
class WorldConfig:
    """Rhythms of the world.

    Attributes
    ----------
    slot_ns : int
        Length of a planning slot, and of a step of the recorded series [ns].
    background_ns : int
        Step of the other users' load [ns].
    drain_ns : int
        How long after the trace's end the run may go on to deliver what is in flight [ns].
    telemetry : TelemetryConfig
    alarm_ns : int
        From a station's stop or return until monitoring has told front-ends and the brain [ns], > 0.
    churn_pairs : int
        Pairs of groups whose ways are compared from plan to plan (`sim.churn`); 0: none, as asking takes time.
    """

    slot_ns: int = 5 * MINUTE_NS
    background_ns: int = MINUTE_NS
    drain_ns: int = 24 * HOUR_NS
    telemetry: TelemetryConfig = field(default_factory=TelemetryConfig)
    alarm_ns: int = SECOND_NS
    churn_pairs: int = 0

    def __post_init__(self) -> None:
        if min(self.slot_ns, self.background_ns, self.alarm_ns) <= 0 or min(self.drain_ns, self.churn_pairs) < 0:
            raise ValueError(f"the world's rhythms must be positive: {self}")


@dataclass(frozen=True, eq=False)
class Record:
    """What a run leaves.

    Attributes
    ----------
    exchanges : Exchanges
        The trace, as it was read.
    outcome : Outcome
        What became of each of its rows.
    series : Series
    ended_ns : int
        When the run ended [ns].
    holding : Holding
        What front-ends held back.
    pools : tuple of PoolUse, length P
        What each pool lent.
    lines : LineHistory
        What the telemetry that arrived tells of the lines' other users.
    decisions : tuple of Decision
        The brain's log.
    policies : PolicyTable or None
        What the brain kept of its policies; None: nothing.
    churn : float
        What share of its exchanges a pair sent another way, from plan to plan (`ChurnMeter.moved`).
    """

    exchanges: Exchanges
    outcome: Outcome
    series: Series
    ended_ns: int
    holding: Holding
    pools: tuple[PoolUse, ...]
    lines: LineHistory
    decisions: tuple[Decision, ...]
    policies: PolicyTable | None
    churn: float = 0.0


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
    on_moment : callable, optional
        Called with what can be seen of the world at every slot.
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
        on_moment: Callable[[Moment], None] | None = None,
    ) -> None:
        self._config = config or WorldConfig()
        self._network = network
        self._brain = brain
        self._plane = plane
        self._span_ns = span_ns
        self._others = OtherUsers(network, background, start, seed)
        self._faults = StationFaults(network, faults)
        self._pools = CloudPools(network)
        self._particles = ParticleRounds(plane)
        self._monitor = LineMonitor(network, start.replace(tzinfo=None))
        self._sampler = Sampler(network, self._config.telemetry, seed)
        self._recorder = SeriesRecorder(network)
        self._on_progress = on_progress or (lambda _: None)
        self._on_moment = on_moment
        self._observer = None if on_moment is None else Observer(network)
        self._env = simpy.Environment(initial_time=0)
        self._desk = FrontEndDesk(network, iter(()), span_ns)
        self._done = self._env.event()
        self._plan: Plan | None = None
        self._known_up = np.ones(network.station_count, dtype=np.bool_)
        self._decisions: list[Decision] = []
        self._policies = PolicyRecorder(network)
        self._churn = ChurnMeter(network, self._config.churn_pairs)

    def run(self, batches: Iterator[Exchanges]) -> Record:
        """Replay the trace's batches, which come in order of submission, until all is delivered or time is up.

        Raises
        ------
        BadInputError
            If an exchange lies beyond the trace's span, or breaks a rule of the data plane; or if the brain commands
            what cannot be.
        """
        env = self._env
        self._desk = FrontEndDesk(self._network, batches, self._span_ns)
        for process in (self._background(), self._failures(), self._telemetry(), self._slots()):
            env.process(process)  # started in this order, which is that of the ranks
        with collected_rarely():
            env.run(until=self._done)
        now_ns = self._advance()
        self._recorder.record(self._plane.snapshot(), self._steered())
        self._tell(RunEnded(now_ns))
        return Record(
            self._desk.exchanges(),
            self._desk.outcome(self._plane.outcome()),
            self._recorder.series(),
            now_ns,
            self._desk.holding,
            tuple(self._pools.use(now_ns)),
            self._monitor.history(),
            tuple(self._decisions),
            self._policies.table(),
            self._churn.moved,
        )

    def _advance(self) -> int:
        """Bring the data plane to now, and return when that is: first it gets what was released before."""
        now_ns = int(self._env.now)
        released = self._desk.release(now_ns)
        if len(released):
            self._plane.submit(released)
        self._plane.advance(now_ns)
        return now_ns

    def _after(self, delay_ns: int, rank: Rank) -> simpy.Event:
        """Return an event `delay_ns` from now that comes in order of its rank, where SimPy's timeouts know no ranks."""
        event = self._env.event()
        event._ok = True
        event._value = None
        self._env.schedule(event, priority=rank, delay=delay_ns)  # type: ignore[arg-type]
        return event

    def _background(self) -> Control:
        while True:
            now_ns = self._advance()
            self._plane.apply(self._faults.left_by_others(self._others.step(now_ns)))
            yield self._after(self._config.background_ns, Rank.OTHER_USERS)

    def _failures(self) -> Control:
        for at_ns in self._faults.instants:
            if at_ns > self._env.now:
                yield self._after(at_ns - int(self._env.now), Rank.FAULTS)
            self._advance()
            for command in self._faults.step(at_ns):
                self._plane.apply(command)
                if isinstance(command, SetStationUp):
                    self._env.process(self._alarm(at_ns, command))
            for starts_ns in self._pools.set_up(self._faults.pool_up, at_ns):
                self._env.process(self._servers_start(starts_ns - at_ns))
            self._staff(at_ns)

    def _alarm(self, at_ns: int, change: SetStationUp) -> Control:
        yield self._after(self._config.alarm_ns, Rank.ALARM)
        now_ns = self._advance()
        self._known_up[change.station] = change.up
        if self._plan is not None:
            self._apply_plan(reroute=True)
        self._tell(StationsChanged(now_ns, at_ns, change.station, change.up))

    def _apply_plan(self, *, reroute: bool) -> None:
        """Let the plan in force be carried out as front-ends do, who leave out what is known to be down."""
        assert self._plan is not None, "there is a plan to apply"
        down = ~self._known_up
        plan = LivePlan(self._plan, self._network, down) if down.any() else self._plan
        self._plane.apply(SetPlan(plan, reroute))

    def _telemetry(self) -> Control:
        while True:
            now_ns = self._advance()
            # Over a line that is cut nobody sends anything.
            others = self._others.fraction * self._faults.up[self._network.line_station]
            sample = self._sampler.sample(
                self._plane.snapshot(), others, self._pools.serving_ns(now_ns), self._faults.up
            )
            if sample is not None:
                delay_ns, event = sample
                tasks = self._desk.reported()
                report = demand_report(tasks, event.now_ns, event.observed_ns, event.window_ns)
                self._env.process(self._arrival(delay_ns, report, event))
            yield self._after(self._config.telemetry.period_ns, Rank.SAMPLE)

    def _arrival(self, delay_ns: int, report: DemandReported, event: TelemetryArrived) -> Control:
        yield self._after(delay_ns, Rank.ARRIVAL)
        self._monitor.observe(event)
        self._tell(report)
        self._tell(event)

    def _collection(self, sent: SendParticles) -> Control:
        yield self._after(sent.collect_ns, Rank.PARTICLES)
        now_ns = self._advance()
        self._tell(self._particles.collect(sent.round, now_ns))

    def _slots(self) -> Control:
        slot = 0
        while True:
            now_ns = self._advance()
            snapshot = self._plane.snapshot()
            self._recorder.record(snapshot, self._steered())
            self._on_progress(now_ns)
            if self._on_moment is not None and self._observer is not None:
                self._on_moment(self._observer.moment(snapshot, self._steered(), self._known_up, self._decisions))
            all_done = snapshot.in_flight == 0 and self._desk.held == 0
            if now_ns >= self._span_ns and (all_done or now_ns >= self._span_ns + self._config.drain_ns):
                self._done.succeed()
                return
            self._tell(SlotStarted(now_ns, slot))
            slot += 1
            yield self._after(self._config.slot_ns, Rank.SLOT)

    def _steered(self) -> Steered:
        serving_ns = self._pools.serving_ns(int(self._env.now))
        return Steered(self._desk.held, self._desk.held_bytes, self._pools.lent(), serving_ns)

    def _tell(self, event: Event) -> None:
        now_ns = self._advance()
        for command in self._brain.handle(event):
            match command:
                case SetPlan(plan, reroute):
                    self._plan = plan
                    self._churn.observe(plan)
                    self._apply_plan(reroute=reroute)
                case SetHandling(handling):
                    self._desk.set_handling(handling)
                case BorrowServers():
                    for at_ns in self._pools.request(command, now_ns):
                        self._env.process(self._servers_start(at_ns - now_ns))
                    self._staff(now_ns)
                case SendParticles():
                    self._particles.send(command, now_ns)
                    self._env.process(self._collection(command))
                case LogDecision(decision):
                    self._decisions.append(decision)
                case KeepRecord(record):
                    self._policies.keep(record)

    def _servers_start(self, delay_ns: int) -> Control:
        yield self._after(delay_ns, Rank.POOLS)
        self._staff(self._advance())

    def _staff(self, now_ns: int) -> None:
        """Let stations have the borrowed servers that serve from now on."""
        self._pools.step(now_ns)
        for command in self._faults.with_borrowed(self._pools.serving):
            self._plane.apply(command)
