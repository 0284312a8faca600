"""What holds of a front-end after each of its agent's steps."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray
from trunk_laws import check_choice, check_trunk

from feed.agent.agent import InForce
from feed.agent.alarms import Alarm
from feed.agent.desk import DELIVERED, HELD, REFUSED, UNDER_WAY
from feed.agent.expiry import SKEW_NS
from feed.agent.state import KEPT
from feed.clock import local_of
from router_core.network import Network
from router_core.units import HOUR_NS, SECOND_NS
from sim.faults import Fault
from swarm.centre_machine import CentreMachine
from swarm.context import Context
from swarm.end_machine import EndMachine
from swarm.troubles import Kind

STATES = {HELD, UNDER_WAY, DELIVERED, REFUSED}
# What may stay unsaid: a report for each policy that the server has not taken yet, and one of each refusal.
REPORTS_MAX = 60
# Troubles that keep nobody from being told what stopped.
INFORMED = {
    Kind.NODE_CRASH,
    Kind.LINE_CUT,
    Kind.SLOW_LINE,
    Kind.POOL_EMPTY,
    Kind.TELEMETRY_TWICE,
    Kind.BUNDLE_CORRUPTED,
}
INFORMED |= {Kind.BUNDLE_REPLAYED, Kind.TOPOLOGY_STALE, Kind.CENTRE_LOST}
# For the way to the server and back, and a turn of everybody's.
TOLD_NS = 30 * SECOND_NS
# An agent that sleeps is awake this long after an hour has begun.
AWAKE_NS = SECOND_NS


class EndLaws:
    """Holds front-ends against the laws.

    Parameters
    ----------
    context : Context
    centre : CentreMachine
    stops : sequence of Fault
        Stations that stop, and when.

    Attributes
    ----------
    tasks : dict
        States of tasks, front-end by front-end.
    applied : int
        How often a policy came into force.
    """

    def __init__(self, context: Context, centre: CentreMachine, stops: Sequence[Fault]) -> None:
        self._context = context
        self._stops = stops
        self._informed = {one.kind for one in context.spec.troubles} <= INFORMED
        rhythms = context.spec.rhythms
        self._told_ns = rhythms.config.alarm_ns + rhythms.agent.stations_ns + rhythms.agent.poll_ns + TOLD_NS
        self._centre = centre
        self.tasks: dict[str, dict[str, str]] = {}
        self.applied = 0
        self._before: dict[str, tuple[int, int, bool, bytes]] = {}
        self._seen: dict[str, int] = {}
        self._alarms: dict[str, tuple[str, ...]] = {}
        self._checked: set[tuple[str, int]] = set()
        self._top: dict[tuple[str, int], int] = {}
        self._asleep: dict[str, tuple[int, int, int]] = {}

    def stepped(self, end: EndMachine) -> None:
        """Hold a front-end against the laws."""
        # An agent that was started anew with another scenario may have none; NiFi then goes on by its last file.
        held = None if end.agent is None else end.agent.in_force
        self._awake(end, held)
        if held is not None:
            self._in_force(end, held)
            self._kept_too(end, held)
        if self._informed:
            self._told_of_stops(end)
        self._remembered(end)
        self._desk(end)
        assert end.agent is not None
        alarms = tuple(sorted(one.value for one in end.agent.alarms.on))
        if alarms != self._alarms.get(end.scope, ()):
            self._alarms[end.scope] = alarms
            self._context.journal.note("alarms", end.scope, *alarms)

    def _in_force(self, end: EndMachine, held: InForce) -> None:
        journal, policy = self._context.journal, held.checked.policy
        epoch = policy.parsed.manifest.epoch
        key = epoch, held.slot, held.dynamic, end.agent._down.tobytes() if end.agent is not None else b""
        before = self._before.get(end.scope)
        if key == before:
            return
        self._before[end.scope] = key
        if self._top.get((end.scope, end.lives), 0) > epoch:
            journal.breaks("8", f"{end.scope} went back from epoch {self._top[end.scope, end.lives]} to {epoch}")
        self._top[end.scope, end.lives] = epoch
        if before is None or before[0] != epoch:
            self.applied += 1
            self._given(end, epoch)
        journal.note("in-force", end.scope, epoch, held.slot, held.layer.name, int(end.agent._down.sum()))
        if self._centre.accepted.get(epoch) != held.checked.etag:
            journal.breaks("8", f"{end.scope} goes by {held.checked.etag}, which was never accepted")
        slots = {self._slot_at(end.step_began_ns), self._slot_at(end.clock_ns)}
        if held.slot not in slots and not self._skewed():
            journal.breaks("6", f"{end.scope} goes by slot {held.slot}, and it is {slots}")
        if (
            policy.created_ns > end.clock_ns + SKEW_NS
            and before is not None
            and before[0] < epoch
            and not self._skewed()
        ):
            journal.breaks("2", f"{end.scope} applied a policy of the future")
        if held.dynamic and end.step_began_ns >= policy.soft_ns and not self._skewed():
            journal.breaks("6", f"{end.scope} goes by a dynamic layer that lapsed")
        self._ways(end, held)

    def _awake(self, end: EndMachine, held: InForce | None) -> None:
        """Law 6: the plan of an hour holds from its beginning; nobody sleeps into it by the plan of the hour before."""
        loop_ns, clock_ns = self._context.loop.now_ns, end.clock_ns
        lives, slept_ns, wrong_ns = self._asleep.pop(end.scope, (0, 0, 0))
        if held is not None:
            self._asleep[end.scope] = end.lives, clock_ns, clock_ns - loop_ns
        # A clock that was set in the meantime may have jumped over the hour.
        if lives != end.lives or end.step_began_ns - end.step_began_loop_ns != wrong_ns:
            return
        late_ns = end.step_began_ns % HOUR_NS  # the platform's hours begin with those of UTC
        if late_ns > AWAKE_NS and slept_ns < end.step_began_ns - late_ns:
            self._context.journal.breaks("6", f"{end.scope} slept {late_ns} ns into slot {self._slot_at(clock_ns)}")

    def _told_of_stops(self, end: EndMachine) -> None:
        """What stopped a while ago is known at every front-end, where nothing keeps it from being told."""
        assert end.agent is not None
        now_ns = self._context.weather.now_ns
        if end.agent.in_force is None or end.network is not self._context.network or self._lately(end):
            return
        for one in self._stops:
            if one.from_ns + self._told_ns < now_ns < one.until_ns and not end.agent._down[list(one.stations)].all():
                self._context.journal.breaks("alarm", f"{end.scope} was not told that {one.stations} stopped")

    def _lately(self, end: EndMachine) -> bool:
        """Whether the agent was started a moment ago, and may not have asked yet."""
        return self._context.loop.now_ns - end.started_ns < self._told_ns

    def _slot_at(self, clock_ns: int) -> int:
        """The plan's slot by plain arithmetic; before and behind the plan it is the hour of its first or last day."""
        grid = self._context.scene.prepared.plan.grid
        return (local_of(clock_ns) - grid.begin) // timedelta(hours=1)

    def _skewed(self) -> bool:
        return any(True for _ in self._context.weather.of(Kind.CLOCK_SKEW))

    def _ways(self, end: EndMachine, held: InForce) -> None:
        """Law 7: every target has a way, lawful, and live where there is a live one."""
        journal, policy, network = self._context.journal, held.checked.policy, end.network
        group = int(network.node_group[policy.node])
        down = end.agent._down if end.agent is not None else np.zeros(network.station_count, dtype=np.bool_)
        fresh = (end.scope, policy.parsed.manifest.epoch) not in self._checked
        self._checked.add((end.scope, policy.parsed.manifest.epoch))
        for target in range(len(network.groups)):
            planned = policy.choice(target, held.slot, held.dynamic)
            if planned is None:
                if target != group and target in policy.targets:
                    journal.breaks("7", f"{end.scope} has no way to group {target}")
                continue
            try:
                if fresh:
                    check_choice(network, planned, group, target)
                choice = held.live.choice_from(policy.node, target)
                assert choice is not None
                for trunk in choice.trunks:
                    check_trunk(network, trunk, network.groups[group], network.groups[target])
            except AssertionError as error:
                journal.breaks("7", f"{end.scope} to group {target}: {error}")
                continue
            if down.any() and not _live_first(network, policy.node, choice, planned, down):
                journal.breaks("7", f"{end.scope} to group {target}: a way that is known to be down is used")

    def _kept_too(self, end: EndMachine, held: InForce) -> None:
        """Law 8: what is in force is what the disk would bring back."""
        assert end.agent is not None
        assert end.state is not None
        active = end.state.active()
        damaged = Alarm.DAMAGED in end.agent.alarms.on
        if not damaged and (active is None or active.etag != held.checked.etag):
            self._context.journal.breaks("8", f"{end.scope} goes by {held.checked.etag}, and remembers {active}")

    def _given(self, end: EndMachine, epoch: int) -> None:
        """Nobody outside of a rollout's stage goes by the newest policy."""
        service = self._centre.service
        if service is not None and epoch == service.state.epoch and end.scope not in service.state.given:
            self._context.journal.breaks("rollout", f"{end.scope} goes by epoch {epoch}, which it was not given")

    def _remembered(self, end: EndMachine) -> None:
        """What is on the disk: epochs never go back, and nothing grows without bound."""
        journal, state = self._context.journal, end.state
        assert state is not None
        seen, kept = state.seen.epoch, state.kept()
        if seen < self._seen.get(end.scope, 0):
            journal.breaks("8", f"{end.scope} has forgotten epoch {self._seen[end.scope]}: {seen}")
        self._seen[end.scope] = max(seen, self._seen.get(end.scope, 0))
        for one in kept:
            if self._centre.accepted.get(one.epoch) != one.etag:
                journal.breaks("8", f"{end.scope} keeps {one.etag}, which was never accepted")
        if len(kept) > KEPT:
            journal.breaks("memory", f"{end.scope} keeps {len(kept)} policies")
        pending = state.rows("SELECT count(*) FROM reports")[0][0]
        if pending > REPORTS_MAX:
            journal.breaks("memory", f"{end.scope} has {pending} reports to tell")

    def _desk(self, end: EndMachine) -> None:
        """Law 1 at a front-end: what was accepted stays, in one state, and settled is settled."""
        journal, state, carrier = self._context.journal, end.state, end.carrier
        assert state is not None
        now = dict(state.rows("SELECT id, state FROM tasks"))
        before = self.tasks.get(end.scope, {})
        if now == before:
            return
        for task, was in before.items():
            found = now.get(task)
            if found is None:
                journal.breaks("1", f"{end.scope} has lost {task}, which was {was}")
            elif was in (DELIVERED, REFUSED) and found != was:
                journal.breaks("1", f"{end.scope}: {task} was {was} and is {found}")
        for task, found in now.items():
            if found not in STATES:
                journal.breaks("1", f"{end.scope}: {task} is {found}")
            if found == DELIVERED and carrier.delivered.get(task) != 1:
                journal.breaks(
                    "1", f"{end.scope}: {task} counts as delivered, and was {carrier.delivered.get(task)} times"
                )
            if found == REFUSED and carrier.delivered.get(task):
                journal.breaks("1", f"{end.scope}: {task} was delivered and counts as refused")
        self.tasks[end.scope] = now
        journal.note("tasks", end.scope, json.dumps(Counter(now.values()), sort_keys=True))


def _live_first(network: Network, node: int, choice: object, planned: object, down: NDArray[np.bool_]) -> bool:
    """Whether only live ways are used, where the plan has any live one."""

    def live(trunk: object) -> bool:
        access = network.access_station[node, trunk.first]  # type: ignore[attr-defined]
        return not (down[list(trunk.stations)].any() or down[access])  # type: ignore[attr-defined]

    if not any(live(trunk) for trunk in planned.trunks):  # type: ignore[attr-defined]
        return True
    used = zip(choice.trunks, choice.weights, strict=True)  # type: ignore[attr-defined]
    return all(live(trunk) for trunk, weight in used if weight > 0)
