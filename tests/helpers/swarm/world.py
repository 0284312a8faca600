"""One world, lived from its seed to its end: everything on one screen."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from feed.clock import instant_of
from router_core.calendar import LOCAL_TIME
from router_core.units import MINUTE_NS
from sim.replay import DEFAULT_DATA_PLANE, live
from swarm.carrying import SimulatedCarrier
from swarm.centre_machine import CentreMachine
from swarm.context import Context
from swarm.end_machine import EndMachine
from swarm.giving import Giving
from swarm.happenings import Happenings
from swarm.journal import Broken, Journal
from swarm.keyring import Keyring
from swarm.laws import Laws
from swarm.loop import SimulatedLoop
from swarm.network_faults import faults_of
from swarm.spec import WorldSpec
from swarm.steering import Steering
from swarm.tampering import Tampering
from swarm.weather import Weather
from swarm.wire import Wire

# The feed is up for so long before the first exchange.
BEFORE_NS = 2 * MINUTE_NS


@dataclass(frozen=True, eq=False)
class Lived:
    """What became of a world.

    Attributes
    ----------
    digest : str
        Equal worlds have equal ones.
    broken : tuple of Broken
        Laws that were broken, the first one first.
    figures : dict of str to int
        How much happened.
    journal : tuple of str
        What happened, a line each.
    """

    digest: str
    broken: tuple[Broken, ...]
    figures: dict[str, int]
    journal: tuple[str, ...]


def lived(spec: WorldSpec, *, data_plane: str = DEFAULT_DATA_PLANE) -> Lived:
    """Let a world live through its trace and its troubles, and then come to rest."""
    folder = Path(mkdtemp(prefix="world-", dir=_memory()))
    try:
        return _lived(spec, folder, data_plane)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _lived(spec: WorldSpec, folder: Path, data_plane: str) -> Lived:
    context = _context(spec, folder)
    loop, journal, scene = context.loop, context.journal, context.scene
    centre = CentreMachine(context)
    tampering = Tampering(context)
    faults = faults_of(scene.platform.network, spec.troubles)
    laws = Laws(context, centre, faults)
    ends = [
        EndMachine(context, end, _carrier(context, end, laws), tampering, laws.stepped)
        for end in range(len(context.scopes))
    ]
    laws.watch(ends)
    happenings = Happenings(context, centre, ends)
    happenings.begin()
    giving = Giving(context, ends)
    giving.begin()
    steering = Steering(context, ends, laws.told)
    loop.run_until_ns(context.begin_ns)
    run = live(
        scene.platform,
        scene.trace,
        steering,
        seed=spec.seed,
        data_plane=data_plane,
        config=spec.rhythms.config,
        faults=faults,
    )
    laws.ended(run, steering)
    laws.at_rest(steering, giving.given)
    for defect in loop.defects:
        journal.breaks("crash", defect)
    outcome = run.record.outcome
    figures = laws.figures() | {"tampered": tampering.count, "asked": context.wire.asked}
    columns = [sha256(np.ascontiguousarray(column).tobytes()).digest() for column in vars(outcome).values()]
    found = Lived(journal.digest(*columns), tuple(journal.broken), figures, journal.lines())
    happenings.end()
    return found


def _context(spec: WorldSpec, folder: Path) -> Context:
    scene = spec.place
    loop = SimulatedLoop()
    start_ns = instant_of(scene.start.replace(tzinfo=LOCAL_TIME))
    ends = len(scene.platform.network.endpoints)
    weather = Weather(loop, BEFORE_NS, spec.troubles, ends)
    return Context(
        spec=spec,
        scene=scene,
        folder=folder,
        loop=loop,
        weather=weather,
        wire=Wire(loop, weather, spec.seed),
        journal=Journal(loop),
        keys=Keyring(spec.signers, spec.threshold, start_ns),
        zero_ns=start_ns - BEFORE_NS,
        begin_ns=BEFORE_NS,
    )


def _carrier(context: Context, end: int, laws: Laws) -> SimulatedCarrier:
    return SimulatedCarrier(context.loop, context.draw(f"carrier {end}"), laws.up, context.journal, context.scopes[end])


def _memory() -> str | None:
    """A folder in memory where there is one: what is written there is gone with the world anyway."""
    shared = Path("/dev/shm")
    return str(shared) if shared.is_dir() else None
