"""The machine of the centre: the real server with the live centre in it, started, killed and started again."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from feed.bundle.archive import pack, unpack
from feed.bundle.bundle import Bundle
from feed.bundle.documents import GuardsDocument
from feed.check.findings import ALLOWABLE
from feed.check.loads import Loads, loads_of
from feed.check.setting import CheckSetting
from feed.clock import local_of
from feed.live.centre import LiveCentre
from feed.live.conductor import Conductor
from feed.live.host import CentreLostError
from feed.live.publisher import Publisher
from feed.live.recording import Recorder
from feed.live.windows import TelemetryWindows, WindowSetting
from feed.live.work import CentreWork, Done, Restore, Turn
from feed.server.app import make_app
from feed.server.rollout import Rollout
from feed.server.service import FeedService
from feed.server.store import FeedStore
from feed.server.writer import Act, Batches, Changed, Job, Settle
from router_core.errors import BadInputError
from router_core.units import DAY_NS, SECOND_NS
from strategies.brain import Brain
from strategies.registry import Preparation, make_brain
from swarm.context import SERVER, Context
from swarm.disk import FaultyDisk
from swarm.keyring import OPERATOR, authority, token
from swarm.loop import InlineFuture, KilledError, SimulatedLoop
from swarm.troubles import Kind
from swarm.wire import Asked

GUARDS = GuardsDocument(hold_ns_max=7 * DAY_NS, moved_share_max=1.0, reachable_share_min=0.0)
BATCH_NS = 4_000_000


class SteppedWriter:
    """`Keeping` without a thread: acts wait a moment for company, or until somebody blocks on one."""

    def __init__(
        self,
        loop: SimulatedLoop,
        kept: Callable[[], None],
        store: FeedStore,
        settle: Settle,
        changed: Changed,
    ) -> None:
        self._loop = loop
        self._kept = kept
        self._batches = Batches(store, settle, changed)
        self._jobs: list[Job] = []
        self._dead = False

    @property
    def state(self) -> Rollout:
        return self._batches.state

    def submit(self, act: Act[Any]) -> Future[Any]:
        future = InlineFuture(self._happen)
        if not self._jobs:
            self._loop.call_at_ns(self._loop.now_ns + BATCH_NS, self._happen)
        self._jobs.append((act, future))
        return future

    def _happen(self) -> None:
        jobs, self._jobs = self._jobs, []
        if self._dead or not jobs:
            return
        try:
            self._batches.happen(jobs)
        except KilledError:
            self._dead = True
            raise
        self._kept()

    def close(self) -> None:
        self._happen()
        self._batches.close()


class CentreMachine:
    """One server's life after another; it is its own service's `Republisher`.

    Parameters
    ----------
    context : Context

    Attributes
    ----------
    service : FeedService or None
        Of the life that it lives now.
    accepted : dict of int to str
        Etag of every epoch that was ever accepted.
    turns : list of Done
        What came of the centre's turns since the list was emptied.
    version : int
        Of the trust by which it signs and believes.
    """

    def __init__(self, context: Context) -> None:
        self.service: FeedService | None = None
        self.conductor: Conductor | None = None
        self.windows: TelemetryWindows | None = None
        self.disk: FaultyDisk | None = None
        self.accepted: dict[int, str] = {}
        self.turns: list[Done] = []
        self.version = 1
        self.lives = 0
        self.recordings: list[tuple[Any, int]] = []
        self._context = context
        self._clock = context.clock(len(context.scopes))
        self._tasks: list[asyncio.Task[Any]] = []
        self._loads: Loads | None = None
        self._start_ns = 0
        self._lost_until_ns = 0
        self._turn_draw = context.draw("turns")
        self._down_until_ns = 0
        self._newest: bytes | None = None

    # --- life and death

    def start(self) -> None:
        """Start it; where its disk does not let it, again later."""
        context = self._context
        if self.service is not None:
            return
        if context.loop.now_ns < self._down_until_ns:
            context.loop.call_at_ns(self._down_until_ns, self.start)
            return
        self.lives += 1
        self.disk = FaultyDisk(context.folder / "spare" / SERVER, context.draw(f"server disk {self.lives}"), self._died)
        context.set_disk(self.disk, len(context.scopes))
        try:
            self._open(self.disk)
        except (OSError, sqlite3.Error, BadInputError) as error:
            context.journal.note("server-not-started", type(error).__name__)
            if isinstance(error, BadInputError) and not (self.disk.full or self.disk.failing):
                context.journal.breaks("restart", f"the server cannot start again: {error}")
            self.disk.let_go()
            self.service = None
            context.loop.call_at_ns(context.loop.now_ns + self._restart_ns, self.start)
        except KilledError:
            pass

    def _open(self, disk: FaultyDisk) -> None:
        context, rhythms = self._context, self._context.spec.rhythms
        period_ns = rhythms.config.telemetry.period_ns
        self._start_ns = self._clock.now_ns() // period_ns * period_ns
        self.windows = TelemetryWindows(
            context.network, self._start_ns, WindowSetting(period_ns, min(5 * SECOND_NS, period_ns // 2))
        )
        service = FeedService(
            context.folder / SERVER,
            context.network,
            context.keys.trust(self.version),
            self._clock,
            rhythms.server,
            self.windows,
            self,
            disk=disk,
            writing=lambda store, settle, changed: SteppedWriter(context.loop, self._kept, store, settle, changed),
        )
        newest = service.newest()
        self.service = service
        self._newest = None if newest is None else pack(newest)
        self.conductor = Conductor(
            self.windows,
            self._clock,
            self._start_ns,
            lambda: _Host(self, self._work()),
            _AtOnce(service) if context.spec.at_once else service,
            self.turns.append,
            look_s=rhythms.look_s,
        )
        self.conductor.paused = newest is not None and newest.manifest.restores is not None
        context.wire.app = make_app(service, authority(context.scopes))
        self._kept()
        if self.accepted and service.next_epoch() <= max(self.accepted):
            context.journal.breaks("8", f"epoch {max(self.accepted)} was accepted, and is forgotten")
        self._tasks = [context.loop.create_task(self._running(service)), context.loop.create_task(self.conductor.run())]
        for task in self._tasks:
            task.add_done_callback(self._ended)
        context.journal.note("server-started", self.lives, service.state.epoch)

    async def _running(self, service: FeedService) -> None:
        async with service.running():
            await self._context.loop.create_future()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, KilledError):
            self._context.journal.breaks("crash", f"the server fell: {type(error).__name__}: {error}")

    def _died(self) -> None:
        self._context.loop.call_soon(self.die)

    def die(self, down_ns: int = 0, *, power: bool = False) -> None:
        """Kill it; it is down for so long at least."""
        context = self._context
        self._down_until_ns = max(self._down_until_ns, context.loop.now_ns + down_ns)
        if self.disk is None or (self.service is None and not self.disk.dead):
            return
        context.journal.note("server-died")
        context.wire.cut()
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        self.disk.let_go(power=power)
        self.service = self.conductor = self.disk = None
        self.turns.clear()
        context.loop.call_at_ns(context.loop.now_ns + max(self._restart_ns, down_ns), self.start)

    @property
    def _restart_ns(self) -> int:
        return round(self._context.spec.rhythms.restart_s * SECOND_NS)

    def _kept(self) -> None:
        """Take in what the store has accepted."""
        if self.service is None:
            return
        for one in self.service.stored():
            if one.epoch > self.service.state.epoch:
                continue  # its commit has just failed, and whoever published it is about to be told
            before = self.accepted.setdefault(one.epoch, one.etag)
            if before != one.etag:
                self._context.journal.breaks("8", f"epoch {one.epoch} was {before} and is {one.etag}")
        state = self.service.state
        early = sorted(scope for scope in state.given if not state.takes_in(scope))
        if early:
            self._context.journal.breaks("rollout", f"{early[0]} was given epoch {state.epoch} before its stage")

    # --- the centre

    def brain(self) -> Brain:
        """Make the brain of a run that begins when this life began."""
        spec, scene = self._context.spec, self._context.scene
        about = Preparation(scene.prepared, local_of(self._start_ns), scene.platform.transport, spec.setting)
        return make_brain(spec.brain, self._context.network, about)

    def _work(self) -> CentreWork:
        context, scene = self._context, self._context.scene
        if self._loads is None:
            self._loads = loads_of(context.network, scene.prepared)
        publisher = Publisher(
            scene.platform,
            context.keys.signers(self.version),
            GUARDS,
            self._loads,
            inputs={"scenario": scene.platform.digest},
            provenance={"made": "swarm"},
            setting=context.spec.rhythms.publication,
            checks=CheckSetting(allowed=ALLOWABLE, compared=0),
        )
        path = context.folder / "records" / f"{len(self.recordings)}.rec"
        self.recordings.append((path, self._start_ns))
        recorder = Recorder(path, {"scenario": scene.platform.name})
        centre = LiveCentre(context.network, self.brain(), scene.prepared, self._start_ns, recorder)
        active = None if self._newest is None else unpack(self._newest)
        return CentreWork(centre, self._start_ns, publisher, context.spec.rhythms.publication, active)

    def lost(self) -> bool:
        """Whether the centre's own process is lost just now: once a trouble."""
        for one in self._context.weather.of(Kind.CENTRE_LOST):
            if one.until_ns > self._lost_until_ns:
                self._lost_until_ns = one.until_ns
                return True
        return False

    def turn_s(self) -> float:
        """How long the next turn takes [s]."""
        return float(self._turn_draw.random()) * self._context.spec.rhythms.turn_s

    @property
    def as_planned(self) -> bool:
        """Whether the centre asks for nothing but the plan."""
        host = None if self.conductor is None else self.conductor._host
        if not isinstance(host, _Host):
            return False
        return host.work._centre.as_planned(self._clock.now_ns() - self._start_ns)

    # --- the service's republisher

    def republished(self, old: Bundle, epoch: int) -> Bundle:
        """A bundle with an old one's content; the centre pauses."""
        host = None if self.conductor is None else self.conductor._host
        if not isinstance(host, _Host):
            raise CentreLostError("the centre is being made; try again in some seconds")
        packed = host.work.restored(Restore(self._clock.now_ns(), pack(old), epoch))
        assert self.conductor is not None
        self.conductor.paused = True
        return unpack(packed)

    def resume(self) -> None:
        """Let the centre publish again."""
        if self.conductor is not None:
            self.conductor.paused = False

    @property
    def paused(self) -> bool:
        """Whether it waits for the operator."""
        return self.conductor is not None and self.conductor.paused

    # --- its operator

    async def operate(self) -> None:
        """Look at the rollout again and again: what halted is published once more, and a paused centre let go on."""
        context = self._context
        while True:
            await asyncio.sleep(context.spec.rhythms.operator_s)
            service = self.service
            if service is None:
                continue
            if service.state.halted and service.state.epoch:
                context.journal.note("operator", "again", service.state.epoch)
                await self._order("/v1/rollback", {"epoch": service.state.epoch})
            elif self.paused:
                context.journal.note("operator", "resume")
                await self._order("/v1/resume", None)

    async def _order(self, path: str, document: dict[str, Any] | None) -> None:
        body = b"" if document is None else json.dumps(document).encode()
        headers = (
            (b"host", b"centre"),
            (b"authorization", f"Bearer {token(OPERATOR)}".encode()),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        )
        try:
            found = await self._context.wire.call(Asked("POST", path, b"", headers, body))
            self._context.journal.note("operator-told", path, found.status)
        except Exception as error:  # the server is away: looked at again later
            self._context.journal.note("operator-told", path, type(error).__name__)


class _Host:
    """`CentreHost`: the centre in the simulated machine; it takes its time, and may be lost."""

    def __init__(self, machine: CentreMachine, work: CentreWork) -> None:
        self._machine = machine
        self.work = work

    async def turn(self, turn: Turn) -> Done:
        if self._machine.lost():
            raise CentreLostError("the centre's process ended")
        took_s = self._machine.turn_s()
        if took_s:
            await asyncio.sleep(took_s)
        return self.work.turn(turn)

    async def restored(self, restore: Restore) -> bytes:
        return self.work.restored(restore)

    async def close(self) -> None:
        self.work.close()


class _AtOnce:
    """Publishes to all front-ends at once."""

    def __init__(self, service: FeedService) -> None:
        self._service = service

    def next_epoch(self) -> int:
        return self._service.next_epoch()

    @property
    def rolling(self) -> bool:
        return self._service.rolling

    async def publish_packed(self, packed: bytes) -> object:
        return await self._service.publish_packed(packed, at_once=True)
