"""Liveness: when troubles are over, everything comes to rest within a stated time, and stays so."""

from __future__ import annotations

from itertools import pairwise
from math import ceil, log

from feed.agent.desk import HELD, UNDER_WAY
from feed.server.service import FeedService
from feed.server.store import Result
from router_core.units import MINUTE_NS, SECOND_NS
from strategies.static.week_plan import WEIGHT_TOTAL
from swarm.centre_machine import CentreMachine
from swarm.context import Context
from swarm.end_machine import EndMachine
from swarm.spec import WorldSpec

# After the last trouble: the longest of rhythms in a row is a refusal's pause, an operator's look and two stages.
BASE_NS = 20 * MINUTE_NS
# What is left of a pair's weight when it counts as home.
WEIGHT_LEFT = 1.0 / (2 * WEIGHT_TOTAL)


def rest_ns(spec: WorldSpec) -> int:
    """Within so long everything is at rest: routes go home by a share at a time, each after the one before settled."""
    setting, rhythms = spec.setting, spec.rhythms
    step_ns = max(setting.settle_ns, rhythms.config.telemetry.period_ns) + rhythms.config.telemetry.period_ns
    steps = 1 if setting.return_step >= 1 else ceil(log(WEIGHT_LEFT) / log(1.0 - setting.return_step))
    return BASE_NS + steps * step_ns


LOOK_NS = 15 * SECOND_NS
# Then nothing but renewals happens for so long.
STILL_NS = 3 * MINUTE_NS


class Rest:
    """Waits for it.

    Parameters
    ----------
    context : Context
    centre : CentreMachine
    ends : list of EndMachine
    tasks : dict
        States of tasks by front-end, as the laws see them.
    """

    def __init__(
        self, context: Context, centre: CentreMachine, ends: list[EndMachine], tasks: dict[str, dict[str, str]]
    ) -> None:
        self._context = context
        self._centre = centre
        self._ends = ends
        self._tasks = tasks

    def come(self) -> None:
        """Let time pass until all is at rest, and note how long that took; then see that it stays so."""
        loop, journal = self._context.loop, self._context.journal
        over_ns = self._context.begin_ns + max((one.until_ns for one in self._context.spec.troubles), default=0)
        loop.run_until_ns(max(loop.now_ns, over_ns))
        if self._waited():
            journal.note("rest", loop.now_ns - over_ns)
            self._all_told()
            self._still()

    def _waited(self) -> bool:
        """Whether all is at rest within the stated time."""
        loop, begin_ns = self._context.loop, self._context.loop.now_ns
        while (why := self._unrest()) is not None:
            if loop.now_ns > begin_ns + rest_ns(self._context.spec):
                minutes = (loop.now_ns - begin_ns) // MINUTE_NS
                self._context.journal.breaks("liveness", f"no rest after {minutes} minutes: {why}")
                return False
            loop.run_until_ns(loop.now_ns + LOOK_NS)
        return True

    def _unrest(self) -> str | None:
        """Say what is not at rest."""
        service = self._centre.service
        if service is None:
            return "the server is down"
        state = service.state
        if state.halted or not state.epoch:
            return f"the rollout of epoch {state.epoch} is halted: {state.halted}"
        if self._centre.paused:
            return "the centre is paused"
        if not self._centre.as_planned:
            return "the plan has not come back to normal"
        if len(state.acked) < len(self._ends):
            return f"{len(state.acked)} of {len(self._ends)} have acknowledged epoch {state.epoch}"
        return next((why for one in self._ends if (why := self._unrest_of(one, service)) is not None), None)

    def _unrest_of(self, one: EndMachine, service: FeedService) -> str | None:
        agent, held = one.agent, one.in_force
        if agent is None or one.state is None or held is None:
            return f"{one.scope} has no agent, or no policy"
        waiting = [task for task, found in self._tasks.get(one.scope, {}).items() if found in (HELD, UNDER_WAY)]
        grave = sorted(alarm.value for alarm in agent.alarms.on if alarm.grave)
        for wrong, said in (
            (held.checked.etag != service.offered(one.scope), f"goes by {held.checked.etag}, not by the newest"),
            (service.state.offered(one.scope) != service.state.epoch, "is not offered the newest"),
            (one.state.pending(1), "has something to tell"),
            (agent._down.any(), "shuns stations, and all of them work"),
            (grave, f"has alarms: {', '.join(grave)}"),
            (waiting, f"has {len(waiting)} tasks under way"),
            (any((one.folder / "tasks" / "in").glob("[!.]*")), "has something in tasks/in"),
        ):
            if wrong:
                return f"{one.scope} {said}"
        return None

    def _all_told(self) -> None:
        """Law 1 of reports: the server knows of every policy that it still has who went by it."""
        service, journal = self._centre.service, self._context.journal
        assert service is not None
        kept = {one.epoch for one in service.stored()}
        applied = {facts[:2] for _, what, facts in journal.notes if what == "in-force"}
        for scope, epoch in sorted(one for one in applied if one[1] in kept):
            answer = service._store.answer_of(scope, epoch)
            if answer is None or answer.result is Result.GIVEN:
                journal.breaks("1", f"{scope} went by epoch {epoch}, and the server was never told")

    def _still(self) -> None:
        """No flapping: nobody is started anew, and no more is published than renews what is there."""
        loop, journal = self._context.loop, self._context.journal
        lives = self._lives()
        policies, asked = set(self._centre.accepted), self._context.wire.asked
        loop.run_until_ns(loop.now_ns + STILL_NS)
        if self._lives() != lives:
            journal.breaks("still", "somebody was started anew though nothing was the matter")
        setting = self._context.spec.rhythms.publication
        renewals = STILL_NS // min(setting.renew_ns, setting.renew_plan_ns) + 1
        # On the way home a policy changes step by step; it does so a bounded number of times.
        more = len(self._centre.accepted.keys() - policies)
        if more > renewals + STEPS_HOME:
            journal.breaks("still", f"{more} policies were published in {STILL_NS // MINUTE_NS} quiet minutes")
        self._no_vain_publication(policies)
        calm = self._asked_at_most()
        if self._context.wire.asked - asked > calm:
            journal.breaks("still", f"{self._context.wire.asked - asked} requests where rhythms ask for {calm}")
        self._waited()  # a renewal may just be on its way

    def _no_vain_publication(self, before: set[int]) -> None:
        """What is published says something new, or renews what would lapse."""
        service, setting = self._centre.service, self._context.spec.rhythms.publication
        if service is None:
            return
        renew_ns = min(setting.renew_ns, setting.renew_plan_ns)
        for earlier, later in pairwise(sorted(service.stored(), key=lambda one: one.epoch)):
            if later.epoch in before or later.accepted_ns - earlier.accepted_ns >= renew_ns:
                continue
            # An operator who lets a centre go on has it say where it stands.
            since_ns = earlier.accepted_ns - self._context.zero_ns
            if any(what == "operator" and at_ns >= since_ns for at_ns, what, _ in self._context.journal.notes):
                continue
            old, new = (service._loaded(one.epoch).manifest.content for one in (earlier, later))
            if old == new:
                self._context.journal.breaks("still", f"epoch {later.epoch} says again what {earlier.epoch} says")

    def _asked_at_most(self) -> int:
        """Requests of all front-ends in the quiet minutes, with some room for policies that are renewed."""
        setting = self._context.spec.rhythms.agent
        rhythms = (setting.poll_ns, setting.stations_ns, setting.window_ns)
        return len(self._ends) * (sum(STILL_NS // one + 1 for one in rhythms) + ROOM)

    def _lives(self) -> int:
        return self._centre.lives + sum(one.lives for one in self._ends)


# Routes go home by a share at a time, borrowed servers by cool-down, the ladder of trust by rungs.
STEPS_HOME = 8
# Reports, whole bundles after a refused delta, and what strangers ask.
ROOM = 40
