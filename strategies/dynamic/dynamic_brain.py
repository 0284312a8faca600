"""The dynamic policy at work: the static plan, and where the moment differs from it capacity, holds and routes by it.

What comes in is judged (`guard`), then taken in (`_take`); a sample of telemetry begins a control step (`_control`):
servers, routes, holds. What a step may do depends on what can be trusted: with particles or telemetry alone all of it;
without them the plan, to which everything goes home; without a plan whatever is in force stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.lending import lending
from router_core.link_state import LinkState
from router_core.network import Network
from router_core.time_grid import TimeGrid
from router_core.transport import WHOLE, Transport
from router_core.units import HOUR_NS, SECOND_NS
from strategies.brain import (
    Command,
    DemandReported,
    Event,
    KeepRecord,
    ParticlesCollected,
    SendParticles,
    SetHandling,
    SetPlan,
    SlotStarted,
    StationsChanged,
    TelemetryArrived,
)
from strategies.decision import Decision, DecisionKind, Reason, Trust
from strategies.dynamic.capacity import Capacity
from strategies.dynamic.demand_now import DemandNow
from strategies.dynamic.journal import Journal, logged
from strategies.dynamic.pacing import PacedRules, Pacing
from strategies.dynamic.patched_plan import PatchedPlan
from strategies.dynamic.rerouting import Rerouted, Rerouting, Situation
from strategies.dynamic.setting import DynamicSetting
from strategies.dynamic.stations_now import StationsNow
from strategies.guard.alerts import Alerts, AlertSetting
from strategies.guard.class_leads import class_leads
from strategies.guard.deadline_risk import RiskSetting
from strategies.guard.ladder import TrustLadder
from strategies.guard.telemetry_guard import GuardSetting, TelemetryGuard
from strategies.particles.probe_plan import ProbePlanner
from strategies.particles.probe_setting import ProbeSetting
from strategies.particles.tomography import LinkStateEstimator
from strategies.policy_record import PolicyRecord
from strategies.static.path_plans import PathPlan, path_plans
from strategies.static.plan_in_time import PlanInTime
from strategies.static.prepare import Prepared
from strategies.static.static_brain import borrowing_commands
from strategies.static.task_rules import TaskRules
from strategies.surges.monitor import SurgeMonitor
from strategies.surges.surge import Scope, Surge
from strategies.tides.forecast import Forecast
from strategies.tides.tides import Tides

# What a surge raises is looked at by particles at these many stations at most.
PROBED_MAX: Final = 40
# Beyond so many days the same hours of the last of them are expected by who looks for surges.
OUTLOOK_DAYS: Final = 15
HOURS: Final = 24


class DemandSource(Protocol):
    """What the brain goes by as the demand of the moment; `DemandNow` is one."""

    def observe(self, event: DemandReported) -> None:
        """Take in what was accepted in a window."""
        ...

    def follow(self, surges: Sequence[Surge]) -> None:
        """Expect more of the series that surges concern."""
        ...

    def rates(self, now_ns: int) -> NDArray[np.float64]:
        """Exchanges a second of each series now, (D,)."""
        ...

    def by_pair(self, rates: NDArray[np.float64], *, strange: bool = True) -> NDArray[np.float64]:
        """Exchanges and bytes a second of each pair of groups, (2, pairs)."""
        ...


class Foreknown(DemandSource, Protocol):
    """Demand that is known before it comes, and what other users take now."""

    def others(self, now_ns: int) -> NDArray[np.float64]:
        """Share of each line that other users take, (L,)."""
        ...


class DynamicBrain:
    """`Brain` of the dynamic policy.

    Parameters
    ----------
    network : Network
    prepared : Prepared
        Classes, tides and plan, of this network.
    start : datetime
        Local time of instant 0 of the run, without a zone.
    probing : bool
        Whether test particles are sent; with them it goes by the name of ``probing``.
    transport : Transport, optional
        How exchanges are carried; whole if not given.
    setting : DynamicSetting, optional
    foreknown : Foreknown, optional
        What it goes by instead of what it measures: for a yardstick that knows more than a brain can.

    Raises
    ------
    BadInputError
        If the plan is of another network.
    """

    def __init__(
        self,
        network: Network,
        prepared: Prepared,
        start: datetime,
        *,
        probing: bool = False,
        transport: Transport | None = None,
        setting: DynamicSetting | None = None,
        foreknown: Foreknown | None = None,
    ) -> None:
        self.name = "clairvoyant" if foreknown is not None else "probing" if probing else "dynamic"
        self._foreknown = foreknown
        self._setting = setting = setting or DynamicSetting()
        transport = transport or Transport()
        self._network = network
        self._in_time = PlanInTime(network, prepared.plan, start)
        self._plan = plan = prepared.plan
        self._classes = prepared.classes
        self._series = prepared.series
        self._guard = TelemetryGuard(network, GuardSetting(chunk_bytes=transport.chunk_bytes))
        self._ladder = TrustLadder(Trust.PROBING if probing else Trust.DYNAMIC)
        self._demand: DemandSource = foreknown or DemandNow(
            network, prepared.classes, prepared.series, prepared.tides, plan.paths, start,
            memory_ns=setting.memory_ns, belief=setting.belief,
        )  # fmt: skip
        self._stations = StationsNow(network, bulk_chunk_bytes(prepared, transport))
        self._links = LinkStateEstimator(network)
        rhythm = ProbeSetting(period_ns=setting.probe_ns, bytes_per_s=setting.probe_bytes_per_s)
        self._particles = ProbePlanner(network, plan.paths, rhythm) if probing else None
        self._rerouting = Rerouting(network, plan.paths, setting)
        self._lending = lending(network)
        self._capacity = Capacity(self._lending, network.station_servers, setting.server_target, setting.cool_down_ns)
        policies = [one.policy for one in prepared.classes.classes]
        self._pacing = Pacing(network, plan.paths, policies, setting)
        self._journal = Journal(network, self._lending, setting.cool_down_ns)
        self._alerts = Alerts(
            network,
            plan.paths,
            class_leads(network, prepared.classes, plan.paths),
            AlertSetting(
                lead_share=1.0, lead_share_over=0.7, over_steps=15, risk=RiskSetting(chunk_bytes=transport.chunk_bytes)
            ),
        )
        self._start = start
        # Whatever takes long is done now, and no control step waits for it.
        self._ahead = _outlook(prepared.tides, start)
        self._watch: SurgeMonitor | None = None
        self._surges: list[Surge] = []
        self._slot: int | None = None
        self._planned = np.zeros(len(self._lending.node), dtype=np.int32)
        self._away: dict[tuple[int, int], tuple[int, ...]] = {}
        self._plans = path_plans(network, plan.paths)
        self._table: PathPlan | None = None
        self._rules: TaskRules | None = None
        self._paced: PacedRules | None = None
        self._stepped_ns = 0
        self._observed_ns = 0
        self._recorded_ns = -HOUR_NS

    @property
    def trust(self) -> Trust:
        """What it goes by now."""
        return self._ladder.trust

    def handle(self, event: Event) -> list[Command]:
        """Judge the event, take in what can be used of it, and return what is to be done."""
        verdicts = self._guard.check(event)
        decisions = [*self._guard.report(), *self._ladder.judge(*verdicts)]
        usable = verdicts[-1].event
        commands = [] if usable is None else self._take(usable)
        return [*commands, *logged(decisions)]

    def _take(self, event: Event) -> list[Command]:
        match event:
            case SlotStarted():
                commands = self._begin_slot(event.now_ns)
                # Where no sample comes that can be trusted none begins a step, and yet all goes home.
                return [*commands, *(self._control(event.now_ns) if self.trust is Trust.STATIC else [])]
            case DemandReported():
                self._demand.observe(event)
                return self._follow_surges(event)
            case TelemetryArrived():
                self._observed_ns = event.observed_ns
                self._stations.observe(event, self._borrowed())
                self._links.observe_telemetry(event)
                found = [] if self._watch is None else self._watch.observe_stations(event)
                return [
                    *self._surged(event.now_ns, found, of_stations=True),
                    *self._control(event.now_ns, event.waiting),
                    *self._send_round(event.now_ns),
                ]
            case StationsChanged():
                return self._stations_changed(event)
            case ParticlesCollected():
                self._links.observe_particles(event)
        return []

    # The plan, slot by slot.

    def _begin_slot(self, now_ns: int) -> list[Command]:
        """Let the slot's plan be what everything goes home to."""
        slot = self._in_time.slot(now_ns)
        first = self._slot is None
        self._planned = self._in_time.servers(now_ns)
        if isinstance(self._demand, DemandNow):
            self._demand.prepare(now_ns)
        if slot == self._slot:
            return []
        before = self._rerouting.weights
        try:
            changed = self._table is None or not np.array_equal(self._plan.weights[slot], self._rerouting.home)
            table = self._plans.plan(self._plan.shares(slot)) if changed else self._table
        except BadInputError:
            return logged(self._ladder.plan(now_ns, good=False))
        commands = logged(self._ladder.plan(now_ns, good=True))
        self._slot, self._table = slot, table
        self._rules = TaskRules(self._plan, slot, self._classes)
        self._rerouting.set_home(self._plan.weights[slot])
        self._away = {}
        self._note_away(np.flatnonzero(self._rerouting.is_away))
        if self._paced is not None:
            self._paced = self._paced.over(self._rules)
        commands.append(SetHandling(self._paced or self._rules))
        if changed or not np.array_equal(before, self._rerouting.weights):
            commands.append(SetPlan(self._patched()))
            commands += self._record(now_ns, Reason.SLOT_BEGAN)
        if first:
            # Nothing is measured yet: the plan says what is needed.
            commands += self._lend(now_ns, np.zeros(self._network.station_count))
        return commands

    # Surges.

    def _follow_surges(self, event: DemandReported) -> list[Command]:
        """Look for surges in what was accepted, and expect as much of those that go on as they show."""
        if self._watch is None:
            # The length of a report's window is known with the first one.
            self._watch = SurgeMonitor(
                self._network, self._classes, self._series, self._ahead, self._start, window_ns=event.window_ns
            )
        found = self._watch.observe(event)
        self._surges = [one for one in self._watch.active if one.scope is not Scope.STATION]
        self._demand.follow(self._surges)
        return self._surged(event.now_ns, found, of_stations=False)

    def _surged(self, now_ns: int, found: Sequence[Surge], *, of_stations: bool) -> list[Command]:
        """Log surges that began or ended, and look at the ways that new ones take."""
        over = (
            []
            if self._watch is None
            else [one for one in self._watch.over if (one.scope is Scope.STATION) == of_stations]
        )
        commands = logged(self._journal.surges(now_ns, found, over))
        stations = self._stations_of(found)
        return [*commands, *self._look_at(stations, now_ns, Reason.SURGE)] if stations else commands

    def _stations_of(self, surges: Sequence[Surge]) -> list[int]:
        """Stations on the ways that surging series take, those first that most of it passes."""
        if not surges or self._particles is None:
            return []
        raised = np.zeros(len(self._series))
        for surge in surges:
            raised[surge.series] = np.maximum(surge.factor - 1.0, 0.0)
        more = self._demand.by_pair(raised * self._demand.rates(self._observed_ns), strange=False)
        passing = self._rerouting.flows(more)[0]
        found: list[int] = np.argsort(-passing, kind="stable")[: np.count_nonzero(passing)].tolist()
        return found

    # One control step.

    def _control(self, now_ns: int, waiting: NDArray[np.int64] | None = None) -> list[Command]:
        """Do what the moment asks for, as far as it can be trusted; `waiting` (S,) as telemetry tells it."""
        if self._slot is None or self.trust is Trust.LAST_GOOD:
            return []
        steering = self.trust <= Trust.DYNAMIC
        rates = self._demand.rates(now_ns)
        deferrable = self._pacing.deferrable[self._series.demand_class] & steering
        bulk = self._demand.by_pair(np.where(deferrable, rates, 0.0), strange=False)
        situation = self._situation(now_ns, rates, bulk)
        done = self._rerouting.step(now_ns, situation, leave=steering)
        servers = self._network.station_servers + situation.borrowed
        work = np.maximum(done.load, self._stations.busy(servers) + situation.backlog) * servers
        commands = self._routed(now_ns, done)
        commands += self._lend(now_ns, work if steering else np.zeros(len(work)))
        commands += self._pace(now_ns, situation, done) if steering else self._pace_by_plan(now_ns)
        warnings = self._alerts.step(
            self._state(now_ns),
            self._rerouting.weights,
            waiting=waiting,
            available=situation.available,
            pool_left=self._capacity.left(),
        )
        return [*commands, *logged(warnings)]

    def _situation(self, now_ns: int, rates: NDArray[np.float64], bulk: NDArray[np.float64] | None = None) -> Situation:
        """What is asked of the stations, and what they can give."""
        network, others = self._network, self._stations.others
        if self._foreknown is not None:
            others = self._foreknown.others(now_ns)
        elif self.trust is Trust.PROBING:
            # Particles see what is left of a line sooner and better than counters do.
            state = self._state(now_ns)
            others = np.clip(state.utilisation[network.line_station] - self._stations.own, 0.0, 1.0)
        backlog = self._stations.backlog_s * SECOND_NS / self._setting.drain_ns
        return Situation(self._demand.by_pair(rates), 1.0 - others, self._borrowed(), backlog, self._guard.up, bulk)

    def _routed(self, now_ns: int, done: Rerouted, reason: Reason | None = None) -> list[Command]:
        """Let new weights be in force, if any changed."""
        if not len(done.pairs):
            return (
                self._record(now_ns, Reason.SLOT_BEGAN) if now_ns - self._recorded_ns >= self._setting.record_ns else []
            )
        self._note_away(done.pairs)
        home = done.left == 0
        kind = DecisionKind.ROUTES_RESTORED if home else DecisionKind.ROUTES_CHANGED
        if reason is None:
            leaving = Reason.SURGE if self._surges else Reason.BETTER_ROUTES
            reason = (Reason.STATION_IDLE if not self._surges else Reason.BETTER_ROUTES) if home else leaving
        paths = self._plan.paths
        names = tuple(
            paths.space.pair_name(int(paths.source[pair]), int(paths.target[pair])) for pair in done.pairs[:3].tolist()
        )
        figures = {
            "pairs": float(len(done.pairs)),
            "churn": done.churn,
            "peak_before": done.peak_before,
            "peak": done.peak,
            "delay_before_s": done.delay_before_s,
            "delay_s": done.delay_s,
        }
        decision = Decision(now_ns, min(self._observed_ns, now_ns), kind, reason, names, figures)
        return [SetPlan(self._patched()), *logged([decision]), *self._record(now_ns, reason)]

    def _lend(self, now_ns: int, work: NDArray[np.float64]) -> list[Command]:
        """Let nodes have servers for work (S,) [s/s], and those that the plan gives."""
        before, planned = self._capacity.servers, self._planned
        self._capacity.step(now_ns, work, planned)
        after = self._capacity.servers
        own = self._network.station_servers
        decisions = self._journal.servers(
            now_ns,
            self._observed_ns,
            before,
            after,
            planned,
            work / own,
            self._capacity.left(),
            surging=bool(self._surges),
        )
        return [*borrowing_commands(self._lending.node, before, after), *logged(decisions)]

    def _pace(self, now_ns: int, situation: Situation, done: Rerouted) -> list[Command]:
        """Hold bulk back at front-ends for stations that cannot take it now."""
        passed_s, self._stepped_ns = (now_ns - self._stepped_ns) / SECOND_NS, now_ns
        assert situation.part is not None, "bulk is told of"
        rest = np.maximum(done.load - situation.backlog - done.part, 0.0)
        self._pacing.step(passed_s, done.part, rest, self._stations.backlog_s)
        rules = self._pacing.rules(self._rules, self._classes, self._rerouting.shares)
        changed = rules is not None or self._paced is not None
        self._paced = rules
        decisions = self._journal.holds(
            now_ns, self._observed_ns, self._pacing.hold_s, float(situation.part[1].sum()), surging=bool(self._surges)
        )
        return [*([SetHandling(rules or self._rules)] if changed else []), *logged(decisions)]

    def _pace_by_plan(self, now_ns: int) -> list[Command]:
        """Hold back no more than the plan says."""
        self._pacing.forget()
        self._stepped_ns = now_ns
        paced, self._paced = self._paced, None
        decisions = self._journal.holds(now_ns, self._observed_ns, self._pacing.hold_s, 0.0, surging=False)
        return [*([] if paced is None else [SetHandling(self._rules)]), *logged(decisions)]

    # What does not wait for a control step.

    def _stations_changed(self, event: StationsChanged) -> list[Command]:
        """Leave what stopped at once: front-ends do so already, this makes it the plan."""
        self._links.observe_changes(event)
        now_ns = event.now_ns
        decisions = [
            *self._journal.stations(now_ns, event.observed_ns, event.station[~event.up], up=False),
            *self._journal.stations(now_ns, event.observed_ns, event.station[event.up], up=True),
        ]
        commands: list[Command] = logged(decisions)
        if self._table is not None:
            done = self._rerouting.step(now_ns, self._situation(now_ns, self._demand.rates(now_ns)), leave=False)
            reason = Reason.STATIONS_UP if event.up.all() else Reason.STATIONS_DOWN
            commands += self._routed(now_ns, done, reason)
        return [*commands, *self._look_at(event.station.tolist(), now_ns, Reason.STATIONS_DOWN)]

    # Test particles.

    def _send_round(self, now_ns: int) -> list[Command]:
        round_of = None if self._particles is None else self._particles.next_round(now_ns)
        return [] if round_of is None else [self._sent(round_of, now_ns)]

    def _look_at(self, stations: Sequence[int], now_ns: int, reason: Reason) -> list[Command]:
        """Send particles around some stations at once."""
        round_of = None
        if self._particles is not None:
            round_of = self._particles.around(stations[:PROBED_MAX], now_ns, up=self._guard.up)
        if round_of is None:
            return []
        figures = {
            "particles": float(len(round_of.payload_bytes)),
            "payload_bytes": float(round_of.payload_bytes.sum()),
            "stations": float(len(stations)),
        }
        names = tuple(self._network.station_name[station] for station in stations[:3])
        decision = Decision(now_ns, min(self._observed_ns, now_ns), DecisionKind.PARTICLES_SENT, reason, names, figures)
        return [self._sent(round_of, now_ns), *logged([decision])]

    def _sent(self, round_of: SendParticles, now_ns: int) -> SendParticles:
        self._guard.sent(round_of, now_ns)
        self._links.sent(round_of, now_ns)
        return round_of

    # What is in force.

    def _patched(self) -> PatchedPlan:
        """The slot's plan with the weights of those pairs that are not at home."""
        assert self._table is not None, "a slot has begun"
        return PatchedPlan(self._table, self._away)

    def _note_away(self, pairs: NDArray[np.int64]) -> None:
        """Keep the weights of these pairs as far as they are not at home."""
        paths, rerouting = self._plan.paths, self._rerouting
        away = rerouting.is_away
        for pair in pairs.tolist():
            key = int(paths.source[pair]), int(paths.target[pair])
            if away[pair]:
                self._away[key] = rerouting.choice_weights(pair)
            else:
                self._away.pop(key, None)

    def _borrowed(self) -> NDArray[np.int32]:
        """Servers that stations have beside their own, (S,)."""
        result = np.zeros(self._network.station_count, dtype=np.int32)
        result[self._lending.station] = self._capacity.servers
        return result

    def _state(self, now_ns: int) -> LinkState:
        return self._links.state(now_ns)

    def _record(self, now_ns: int, reason: Reason) -> list[Command]:
        """Keep what the policy is and what it rests on."""
        self._recorded_ns = now_ns
        weights = self._rerouting.weights.copy()
        return [KeepRecord(PolicyRecord(now_ns, reason, self.trust, self._plan.paths, weights, self._state(now_ns)))]


def bulk_chunk_bytes(prepared: Prepared, transport: Transport) -> float:
    """Mean size of the chunks that bulk travels in [bytes], byte by byte: it is bulk that waits where anything does."""
    chunk = np.inf if transport.chunk_bytes == WHOLE else float(transport.chunk_bytes)
    classes = prepared.classes.classes
    bulk = [one for one in classes if one.policy.deferrable and one.bytes_share > 0] or list(classes)
    sizes = np.array([min(one.mean_bytes, chunk) for one in bulk])
    weight = np.array([one.bytes_share for one in bulk])
    return float(sizes @ weight / weight.sum()) if weight.sum() > 0 else float(sizes.mean())


# Studies make many brains of one preparation, one after another.
@lru_cache(maxsize=2)
def _outlook(tides: Tides, start: datetime) -> Forecast:
    """What is forecast from the run's first day on; nobody writes to it."""
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    return tides.forecast(TimeGrid(midnight, HOUR_NS, HOURS * OUTLOOK_DAYS))
