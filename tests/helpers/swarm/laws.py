"""The numbered laws of the project, held against a world at every step of it and at its end (`docs/INVARIANTS.md`).

Beside them: nothing falls, what is in force was accepted, memory stays bounded, and when troubles are over everything
comes to rest: all delivered, everybody on the newest policy, nothing published but what renews it.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

import numpy as np
from numpy.typing import NDArray

from feed.agent.expiry import Layer
from sim.faults import Fault, FaultKind
from sim.replay import Lived as Run
from strategies.brain import Event, TelemetryArrived
from swarm.centre_machine import CentreMachine
from swarm.context import Context
from swarm.end_laws import EndLaws
from swarm.end_machine import EndMachine
from swarm.rest import Rest
from swarm.run_laws import check_run
from swarm.steering import Steering
from swarm.telemetry_law import TelemetryLaw


class Laws:
    """Watches one world.

    Parameters
    ----------
    context : Context
    centre : CentreMachine
    faults : sequence of Fault
    """

    def __init__(self, context: Context, centre: CentreMachine, faults: Sequence[Fault]) -> None:
        self._context = context
        self._centre = centre
        self._stops = [one for one in faults if one.kind is FaultKind.STOP]
        self._ends: list[EndMachine] = []
        self._told_ns = 0
        self._of_ends = EndLaws(context, centre, self._stops)
        self._telemetry = TelemetryLaw(context, centre)
        self.stepped = self._of_ends.stepped

    def watch(self, ends: list[EndMachine]) -> None:
        """Say who is there."""
        self._ends = ends

    def up(self) -> NDArray[np.bool_]:
        """Which stations work now, in truth."""
        up = np.ones(self._context.network.station_count, dtype=np.bool_)
        now_ns = self._context.weather.now_ns
        for one in self._stops:
            if one.from_ns <= now_ns < one.until_ns:
                up[list(one.stations)] = False
        return up

    # --- at each event of the world

    def told(self, event: Event) -> None:
        """Law 2: the world's clock never runs back, and nothing is observed before it happens."""
        now_ns = event.now_ns
        if now_ns < self._told_ns:
            self._context.journal.breaks("2", f"{type(event).__name__} at {now_ns} ns after {self._told_ns} ns")
        self._told_ns = now_ns
        observed_ns = getattr(event, "observed_ns", now_ns)
        if observed_ns > now_ns:
            self._context.journal.breaks("2", f"{type(event).__name__} was observed {observed_ns - now_ns} ns ahead")
        if isinstance(event, TelemetryArrived):
            self._telemetry.told(event)
            self._context.journal.note("telemetry", int(event.served_bytes.sum()))

    # --- at the end

    def ended(self, run: Run, steering: Steering) -> None:
        """Laws of the whole run."""
        check_run(self._context, self._centre, run, steering)
        self._telemetry.ended()

    def at_rest(self, steering: Steering, given: Set[tuple[str, str]]) -> None:
        """Let the feed live on, and see that it comes to rest."""
        self._context.loop.create_task(steering.idle())
        Rest(self._context, self._centre, self._ends, self._of_ends.tasks).come()
        for scope, task in sorted(given):
            if task not in self._of_ends.tasks.get(scope, {}):
                self._context.journal.breaks("1", f"{scope} was given {task}, and does not know it")

    def figures(self) -> dict[str, int]:
        """How much happened."""
        journal = self._context.journal
        return {
            "policies": len(self._centre.accepted),
            "applied": self._of_ends.applied,
            "lives": sum(one.lives for one in self._ends) + self._centre.lives,
            "tasks": sum(len(one) for one in self._of_ends.tasks.values()),
            "notes": len(journal.notes),
            "lapsed": sum(1 for _, what, facts in journal.notes if what == "in-force" and Layer.LAPSED.name in facts),
        }
