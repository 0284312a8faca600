"""Laws of a whole run of the world: accounts, instants, rates, both data planes, and the recordings of the centre."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from feed.clock import local_of
from feed.live.recording import Recorded, read_recording
from feed.live.rerun import rerun
from sim.data_plane import Refusal
from sim.replay import Lived as Run
from sim.replay import live
from strategies.brain import Command, Event
from strategies.registry import Preparation, make_brain
from swarm.centre_machine import CentreMachine
from swarm.context import Context
from swarm.network_faults import faults_of
from swarm.steering import Steering


class Repeating:
    """`Brain` that commands at each event what was commanded at it before.

    Parameters
    ----------
    commands : list of list of Command
    """

    name = "repeating"

    def __init__(self, commands: list[list[Command]]) -> None:
        self._commands = iter(commands)

    def handle(self, event: Event) -> list[Command]:
        """What was commanded, whatever the event is: a world that differs is found by what becomes of it."""
        del event
        return next(self._commands, [])


def check_run(context: Context, centre: CentreMachine, run: Run, steering: Steering) -> None:
    """Hold a run against laws 1, 2, 3, 4, 6 and 9."""
    _accounts(context, run)
    _rates(context, run)
    _both_planes(context, run, steering)
    _recordings(context, centre)


def _accounts(context: Context, run: Run) -> None:
    """Laws 1 and 2: everything was delivered, once, and after it was submitted; or refused, and then not delivered."""
    journal, outcome, exchanges = context.journal, run.record.outcome, run.record.exchanges
    delivered, refused = outcome.delivered_ns >= 0, outcome.refusal != Refusal.NOT_REFUSED
    if len(outcome.delivered_ns) != len(exchanges):
        journal.breaks("1", f"{len(exchanges)} exchanges were submitted, and {len(outcome.delivered_ns)} are known")
        return
    if (delivered & refused).any():
        journal.breaks("1", f"exchange {int(np.argmax(delivered & refused))} was delivered and refused")
    if (delivered & (outcome.delivered_ns < exchanges.submitted_ns)).any():
        journal.breaks("2", "an exchange was delivered before it was submitted")
    flying = ~(delivered | refused)
    if flying.any():
        first = int(np.argmax(flying))
        journal.breaks("liveness", f"{int(flying.sum())} exchanges are never delivered, the first is {first}")
    journal.note("run", len(exchanges), int(delivered.sum()), int(refused.sum()), run.record.ended_ns)


def _rates(context: Context, run: Run) -> None:
    """Law 3: no station was busy for longer than its servers were there."""
    rows = run.record.series.rows
    over = rows.utilisation > 1.0
    if over.any():
        place = int(np.argmax(over))
        name = context.network.station_name[int(rows.station[place])]
        context.journal.breaks("3", f"{name} was busy for {float(rows.utilisation[place]):.6f} of its servers' time")


def _both_planes(context: Context, run: Run, steering: Steering) -> None:
    """Law 4: the specification gives the same integers."""
    scene, spec = context.scene, context.spec
    again = live(
        scene.platform,
        scene.trace,
        Repeating(steering.commands),
        seed=spec.seed,
        data_plane="simpy",
        config=spec.rhythms.config,
        faults=faults_of(context.network, spec.troubles),
    )
    for name, column in vars(run.record.outcome).items():
        other = getattr(again.record.outcome, name)
        if not np.array_equal(column, other):
            place = int(np.argmax(column != other)) if column.shape == other.shape else -1
            context.journal.breaks("4", f"{name} of exchange {place} differs between the data planes")


def _recordings(context: Context, centre: CentreMachine) -> None:
    """Laws 6 and 9: the brain was told nothing of the future, and told the same again it commands the same."""
    spec, scene = context.spec, context.scene
    for path, start_ns in centre.recordings:
        recorded = list(_timely(context, read_recording(path)))
        about = Preparation(scene.prepared, local_of(start_ns), scene.platform.transport, spec.setting)
        again = rerun(recorded, context.network, make_brain(spec.brain, context.network, about))
        if again.difference is not None:
            context.journal.breaks("9", f"{path.name}: {again.difference}")
        context.journal.note("recording", path.name, again.events, again.commands)


def _timely(context: Context, recorded: Iterator[Recorded]) -> Iterator[Recorded]:
    for one in recorded:
        observed_ns = getattr(one.event, "observed_ns", one.event.now_ns)
        if observed_ns > one.event.now_ns:
            context.journal.breaks("6", f"the centre was told of {observed_ns - one.event.now_ns} ns ahead of its time")
        yield one
