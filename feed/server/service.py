"""What the server does, without HTTP: publishes bundles, gives each scope its part, takes in answers and telemetry.

State is changed by the writer's thread alone and replaced as a whole, so the event loop reads it without a lock.
Whatever must not be lost is on the disk before anybody is told of it.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeVar

from feed.bundle.archive import Limits, opened, pack, unpack
from feed.bundle.bundle import Bundle
from feed.bundle.manifest import check_signature, etag_of
from feed.bundle.parsed import KnownDocuments
from feed.clock import Clock, utc_of
from feed.disk import SYSTEM_DISK, Disk
from feed.refusals import Refusal, RefusedBundleError
from feed.server import errors, rollout
from feed.server.auth import Identity, Role
from feed.server.bell import Bell
from feed.server.down_stations import DownStations
from feed.server.metrics_out import ServerMetrics
from feed.server.reports import AcceptedRows, Names, RawStations, StatusReport, TelemetrySink, Usable
from feed.server.rollout import Rollout
from feed.server.routes import CapacityAnswer, RouteAnswer, RouteBook, capacity_of
from feed.server.setting import ServerSetting
from feed.server.shelf import Cut, Shelf
from feed.server.store import Answer, FeedStore, Result, StoredBundle
from feed.server.vetting import check_epoch, check_fit
from feed.server.writer import Act, Writer, Writing
from feed.signing.trust import Trust
from router_core.network import Network
from router_core.units import SECOND_NS

_ResultT = TypeVar("_ResultT")

LOG: Final = logging.getLogger("exchange_router.server")
TICK_S: Final = 1.0
BUNDLES_IN_MEMORY: Final = 4
ETAG: Final = re.compile(r"([1-9][0-9]{0,15})-[0-9a-f]{16}")


class Republisher(Protocol):
    """Makes a new bundle of an old one's content; it holds the keys, the service does not."""

    def republished(self, old: Bundle, epoch: int) -> Bundle:
        """Return a signed bundle of that epoch that `restores` the old one's, and publish nothing else from then on."""
        ...

    def resume(self) -> None:
        """Publish policies of the moment again."""
        ...

    @property
    def paused(self) -> bool:
        """Whether nothing is published for now, as an operator went back to an older policy."""
        ...


@dataclass(frozen=True)
class Accepted:
    """A bundle that was taken in.

    Attributes
    ----------
    epoch : int
    etag : str
    again : bool
        It had been taken in before, and nothing changed.
    """

    epoch: int
    etag: str
    again: bool


@dataclass(frozen=True, eq=False)
class Delivery:
    """What a scope is given; no `cut`: what it has is what it is to have.

    Attributes
    ----------
    etag : str
    cut : Cut or None
    """

    etag: str
    cut: Cut | None


class FeedService:
    """One server's state and acts.

    Parameters
    ----------
    folder : Path
        State folder.
    network : Network
    trust : Trust
        Whose signatures count here.
    clock : Clock
    setting : ServerSetting, optional
    sink : TelemetrySink or None
        Takes telemetry; None: it is counted and shown alone.
    republisher : Republisher or None
        None: rollbacks must be handed in signed.
    disk : Disk, optional
        Holds the state folder.
    writing : callable, optional
        Makes the one writer of the store.

    Raises
    ------
    BadInputError
        If the state folder cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        network: Network,
        trust: Trust,
        clock: Clock,
        setting: ServerSetting | None = None,
        sink: TelemetrySink | None = None,
        republisher: Republisher | None = None,
        *,
        disk: Disk = SYSTEM_DISK,
        writing: Writing = Writer,
    ) -> None:
        self.network = network
        self.setting = setting or ServerSetting()
        self.clock = clock
        self.names = Names(network)
        self.metrics = ServerMetrics(network.station_name, clock.now_ns)
        self.changed = Bell()
        self._trust = trust
        self._sink = sink
        self._republisher = republisher
        self._limits = Limits(bundle_bytes_max=self.setting.bundle_bytes_max)
        # Its keys never change: the writer's thread looks at it too.
        self._seen: dict[str, int | None] = dict.fromkeys(self.names.scopes)
        self.down = DownStations(network.station_count, clock, self.metrics)
        self._routes = RouteBook(network)
        self._store = FeedStore(folder, clock, disk)
        try:
            self._stored = {one.epoch: one for one in self._store.bundles()}
            self._top = self._store.epoch_top()
            self._shelf = Shelf(self._loaded, BUNDLES_IN_MEMORY, self.setting.deltas_max)
            self._writer = writing(self._store, self._settled, self._told)
        except BaseException:
            self._store.close()
            raise
        self._publishing = threading.Lock()
        # Most of a publication is as in the one before; reading all of it would hold requests up for a second.
        self._documents = KnownDocuments()
        self.stopping = False
        self._told(self.state, self.state)

    @property
    def state(self) -> Rollout:
        """How far the rollout has come."""
        return self._writer.state

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Within this block clients can wait for changes, and rollouts go on by the clock."""
        loop = asyncio.get_running_loop()
        self.changed.hang(loop)
        self.down.hang(loop)
        self.stopping = False
        ticks = asyncio.create_task(self._tick())
        try:
            yield
        finally:
            self.release()
            ticks.cancel()
            with suppress(asyncio.CancelledError):
                await ticks

    def release(self) -> None:
        """Let everybody go who waits: the server stops."""
        self.stopping = True
        self.changed.ring()
        self.down.release()

    def close(self) -> None:
        """Keep what was submitted, and let another server have the state folder."""
        self._writer.close()

    # Publishing

    def next_epoch(self) -> int:
        """Return an epoch greater than that of any bundle accepted so far."""
        return self._top + 1

    @property
    def rolling(self) -> bool:
        """Whether canaries have the newest bundle, and others not yet."""
        state = self.state
        return state.halted is None and state.stage in (rollout.Stage.ONE, rollout.Stage.SOME) and bool(state.given)

    def newest(self) -> Bundle | None:
        """Return the bundle published last, `None` before the first one; from any thread but the event loop's."""
        epoch = self.state.epoch
        return self._shelf.bundle(epoch).bundle if epoch in self._stored else None

    def publish(self, bundle: Bundle, *, at_once: bool = False) -> Accepted:
        """Publish a signed full bundle; from any thread but the event loop's.

        Raises
        ------
        RefusedBundleError
            By the first rule that it breaks; nothing changed then.
        OSError, sqlite3.Error
            If it cannot be kept; nothing changed then.
        """
        return self.publish_bytes(pack(bundle), at_once=at_once)

    async def publish_packed(self, packed: bytes, *, at_once: bool = False) -> Accepted:
        """Publish a packed bundle; errors as of `publish`."""
        return await asyncio.to_thread(self.publish_bytes, packed, at_once=at_once)

    def publish_bytes(self, packed: bytes, *, at_once: bool = False) -> Accepted:
        """Publish a packed bundle; errors as of `publish`."""
        try:
            accepted = self._published(packed, at_once)
        except RefusedBundleError as error:
            self.metrics.publications.labels(error.refusal.value).inc()
            raise
        self.metrics.publications.labels("again" if accepted.again else "accepted").inc()
        return accepted

    async def rollback(self, epoch: int, *, at_once: bool = False) -> Accepted:
        """Publish an old content as a new epoch.

        Raises
        ------
        ApiError
            If the epoch is not kept, or there are no keys here.
        """
        if epoch not in self._stored:
            raise errors.unknown_epoch(epoch, self._stored)
        if self._republisher is None:
            raise errors.no_keys()
        old = await asyncio.to_thread(self._shelf.bundle, epoch)
        fresh = await asyncio.to_thread(self._republisher.republished, old.bundle, self.next_epoch())
        return await self.publish_packed(pack(fresh), at_once=at_once)

    def resume(self) -> None:
        """Let the centre publish again after a rollback; raises `ApiError` if there is none."""
        if self._republisher is None:
            raise errors.no_keys()
        self._republisher.resume()
        LOG.info("the centre publishes again")

    @property
    def paused(self) -> bool:
        """Whether the centre publishes nothing for now, as an operator went back to an older policy."""
        return self._republisher is not None and self._republisher.paused

    def _published(self, packed: bytes, at_once: bool) -> Accepted:
        bundle = unpack(packed, self._limits)
        now = utc_of(self.clock.now_ns())
        check_signature(bundle, self._trust, now)
        manifest, etag = bundle.manifest, etag_of(bundle)
        known = self._stored.get(manifest.epoch)
        if known is not None and known.etag == etag:
            return Accepted(manifest.epoch, etag, again=True)
        check_epoch(manifest.epoch, self._top)
        check_fit(bundle, now, self.network.digest, self.names.scopes.keys(), self._documents)
        with self._publishing:
            self._keep(bundle, etag, packed, at_once)
        LOG.info("epoch %d accepted, etag %s, %d bytes", manifest.epoch, etag, len(packed))
        return Accepted(manifest.epoch, etag, again=False)

    def _keep(self, bundle: Bundle, etag: str, packed: bytes, at_once: bool) -> None:
        epoch, before = bundle.manifest.epoch, (self._stored, self._top)

        def act(store: FeedStore, state: Rollout) -> tuple[Rollout, None]:
            check_epoch(epoch, store.epoch_top())
            stored = store.add_bundle(epoch, etag, packed)
            alive, share = self.alive, self.setting.canary_share
            fresh = rollout.published(
                state, epoch, self.clock.now_ns(), self.names.scopes, alive, share, at_once=at_once
            )
            # In memory before the rollout offers it, which it does as soon as this is kept.
            self._shelf.put(bundle)
            self._stored, self._top = {**self._stored, epoch: stored}, epoch
            return fresh, None

        try:
            self._writer.submit(act).result()
        except BaseException:
            if self._top == epoch and before[1] != epoch:
                self._stored, self._top = before
                self._shelf.drop(epoch)
            raise
        self._writer.submit(self._forget).result()

    def _forget(self, store: FeedStore, state: Rollout) -> tuple[Rollout, None]:
        epochs = sorted(self._stored)
        old = [epoch for epoch in epochs[: -self.setting.epochs_kept] if epoch not in (state.epoch, state.good)]
        store.forget(tuple(old))
        self._stored = {epoch: one for epoch, one in self._stored.items() if epoch not in old}
        return state, None

    # What agents ask for

    def scope(self, name: str) -> str:
        """Return the scope; raises `ApiError` if the platform has none of that name."""
        if name not in self.names.scopes:
            raise errors.unknown_scope(name)
        return name

    def seen(self, identity: Identity, scope: str) -> bool:
        """Take in that a scope was heard of; False for who only looks on."""
        if identity.role not in (Role.AGENT, Role.ADMIN):
            return False
        self._seen[scope] = self.clock.now_ns()
        return True

    def alive(self, scope: str) -> bool:
        """Whether a scope was heard of lately."""
        seen_ns = self._seen.get(scope)
        return seen_ns is not None and self.clock.now_ns() - seen_ns <= self.setting.alive_s * SECOND_NS

    def offered(self, scope: str) -> str | None:
        """Return the etag of what a scope is to have now, `None` if there is nothing for it."""
        stored = self._stored.get(self.state.offered(scope))
        return None if stored is None else stored.etag

    def unchanged(self, scope: str, have: str | None) -> str | None:
        """Return the etag to confirm if what a scope has is what it is to have, or newer; else `None`."""
        etag = self.offered(scope)
        if have is None or etag is None:
            return None
        if have == etag:
            return etag
        match = ETAG.fullmatch(have)
        newer = match is not None and int(match[1]) > self.state.offered(scope)
        return have if newer else None

    async def bundle_for(
        self,
        identity: Identity,
        scope: str,
        have: str | None,
        base: str | None,
        wait_s: float,
        gone: Callable[[], Awaitable[bool]] | None = None,
    ) -> Delivery | None:
        """Return what a scope is to have, as soon as it is not what it has, or after a time.

        Parameters
        ----------
        identity : Identity
        scope : str
        have, base : str or None
            Etag of what it has, and of what a delta may build on.
        wait_s : float
            Longest wait [s].
        gone : callable, optional
            Whether the client hung up: who does not hear the answer was not given anything.

        Returns
        -------
        Delivery or None
            None: there is nothing for this scope yet.
        """
        agent = self.seen(identity, self.scope(scope))
        deadline = asyncio.get_running_loop().time() + wait_s
        while True:
            rung = self.changed.waits()
            if agent:
                await self._draw_near(scope)
            state = self.state
            epoch, etag = state.offered(scope), self.unchanged(scope, have)
            # Who refused it is not given it over and over: once a wait.
            again = scope in state.nacked and epoch == state.epoch and have is not None
            left_s = deadline - asyncio.get_running_loop().time()
            if epoch and etag is None and not (again and left_s > 0):
                delivery = await self._delivery(scope, epoch, base, mark=agent)
                if delivery is not None:
                    return delivery
                continue
            if left_s <= 0 or self.stopping:
                return Delivery(etag, None) if etag is not None else None
            with self.metrics.waiters.track_inprogress():
                await rung.within(left_s)
            if gone is not None and await gone():
                return None
            self.seen(identity, scope)

    async def _draw_near(self, scope: str) -> None:
        """Let a stage that nobody is in be drawn anew, now that this scope is there."""
        state = self.state
        waiting = state.halted is None and state.stage in (rollout.Stage.ONE, rollout.Stage.SOME)
        if waiting and not state.takes_in(scope) and not any(self.alive(member) for member in state.members):
            await self._kept(lambda _store, now: (now, None))

    async def _delivery(self, scope: str, epoch: int, base: str | None, *, mark: bool) -> Delivery | None:
        """Return what to send; None if it is no longer what the scope is offered."""
        new = mark and epoch == self.state.epoch and scope not in self.state.given
        if new and not await self._kept(lambda store, state: self._give(store, state, scope, epoch)):
            return None
        stored = self._stored.get(epoch)
        if stored is None:
            return None
        match = ETAG.fullmatch(base or "")
        before = self._stored.get(int(match[1])) if match else None
        group = int(self.network.node_group[self.names.scopes[scope]])
        if before is not None and before.etag == base and before.epoch < epoch:
            cut = self._shelf.ready(epoch, group, before.epoch)
            cut = cut or await asyncio.to_thread(self._shelf.delta, before.epoch, epoch, scope)
        else:
            cut = self._shelf.ready(epoch, group) or await asyncio.to_thread(self._shelf.package, epoch, scope)
        return Delivery(stored.etag, cut)

    def _give(self, store: FeedStore, state: Rollout, scope: str, epoch: int) -> tuple[Rollout, bool]:
        if state.offered(scope) != epoch:
            return state, False
        after = rollout.given(state, scope, epoch)
        if after is not state:
            store.answer(Answer(epoch, scope, Result.GIVEN, "", "", self.clock.now_ns()))
        return after, True

    async def answered(self, identity: Identity, report: StatusReport) -> Rollout:
        """Take in what became of a bundle at a front-end; saying it again changes nothing.

        Raises
        ------
        ApiError
            If the server never gave that bundle to that scope.
        """
        scope = self.scope(report.scope)
        self.seen(identity, scope)
        nack = report.result == "nack"
        refusal = _refusal(report.refusal) if nack else ""
        detail = "".join(char if char.isprintable() else " " for char in report.detail or "")[:500] if nack else ""
        answer = Answer(report.epoch, scope, Result.NACK if nack else Result.ACK, refusal, detail, self.clock.now_ns())
        if nack:
            LOG.warning("epoch %d refused by %s: %s %s", report.epoch, scope, refusal, detail)
        if await self._kept(lambda store, state: self._answer(store, state, answer, report.etag)):
            (self.metrics.nacks.labels(refusal) if nack else self.metrics.acks).inc()
        return self.state

    def _answer(self, store: FeedStore, state: Rollout, answer: Answer, etag: str) -> tuple[Rollout, bool]:
        scope, epoch = answer.scope, answer.epoch
        stored = self._stored.get(epoch)
        if stored is None or stored.etag != etag:
            raise errors.unknown_bundle(epoch, etag)
        if epoch == state.epoch:
            state = rollout.given(state, scope, epoch)
            if scope not in state.given:
                raise errors.not_offered(epoch, scope)
        before = store.answer_of(scope, epoch)
        if before is not None and (before.result, before.refusal, before.detail) == (
            answer.result,
            answer.refusal,
            answer.detail,
        ):
            return state, False
        store.answer(answer)
        act = rollout.nacked if answer.result == Result.NACK else rollout.acked
        return act(state, scope, epoch), True

    # Telemetry and stations

    def telemetry(self, identity: Identity, raw: RawStations, accepted: AcceptedRows | None) -> Usable:
        """Take in what stations did and what an endpoint accepted; an agent speaks for its own alone."""
        scope = identity.scope if identity.role == Role.AGENT else None
        usable = self.names.usable(raw, accepted, scope)
        if usable.stations is not None:
            self.metrics.stations.take(usable.stations)
            self.down.take(usable.stations)
            if self._sink is not None:
                self._sink.stations(usable.stations)
        if usable.accepted is not None and self._sink is not None:
            self._sink.accepted(usable.accepted)
        counts = (("used", usable.used), ("unknown", usable.unknown), ("foreign", usable.foreign))
        for result, count in (*counts, ("repeated", usable.repeated)):
            self.metrics.telemetry_rows.labels(result).inc(count)
        return usable

    async def route(self, source: str, target: str, exchange: int, attempt: int) -> tuple[RouteAnswer, StoredBundle]:
        """Return the route of an exchange by the policy that its source is to have.

        Raises
        ------
        ApiError
            If there is no policy or no route.
        """
        ends = [self.names.scopes[self.scope(name)] for name in (source, target)]
        stored = self._stored.get(self.state.offered(source))
        if stored is None:
            raise errors.no_policy(source)
        parsed = await asyncio.to_thread(self._shelf.parsed, stored.epoch, source)
        found = self._routes.answer(parsed, ends[0], ends[1], exchange, attempt, self.clock.now_ns(), self.down.now)
        if found is None:
            raise errors.no_route(source, target)
        return found, stored

    async def capacity(self) -> tuple[CapacityAnswer, StoredBundle]:
        """Return the servers that nodes are to borrow by the newest policy; raises `ApiError` if there is none."""
        stored = self._stored.get(self.state.epoch)
        scope = min(self.names.scopes)
        if stored is None:
            raise errors.no_policy(scope)
        parsed = await asyncio.to_thread(self._shelf.parsed, stored.epoch, scope)
        return capacity_of(parsed, self.clock.now_ns()), stored

    # How far things are

    def answers(self) -> tuple[Answer, ...]:
        """Return what was answered to the newest epoch; from any thread but the event loop's."""
        return self._writer.submit(lambda store, state: (state, store.answers(state.epoch))).result()

    def alive_count(self) -> int:
        """Return how many scopes were heard of lately."""
        return sum(map(self.alive, self._seen))

    def stored(self) -> tuple[StoredBundle, ...]:
        """Return the bundles that are kept, the oldest first."""
        return tuple(self._stored[epoch] for epoch in sorted(self._stored))

    async def _kept(self, act: Act[_ResultT]) -> _ResultT:
        return await asyncio.wrap_future(self._writer.submit(act))

    async def _tick(self) -> None:
        """Let rollouts go on by the clock: silence halts, and who is gone is waited for no longer."""
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self._kept(lambda _store, state: (state, None))
            except Exception:
                LOG.exception("the rollout could not be kept")
            self.metrics.rollout(self.state, len(self.names.scopes), self.alive_count())

    def _settled(self, state: Rollout) -> Rollout:
        stage_ns = round(self.setting.stage_s * SECOND_NS)
        return rollout.advanced(
            state, self.clock.now_ns(), self.names.scopes, self.alive, self.setting.canary_share, stage_ns
        )

    def _told(self, before: Rollout, after: Rollout) -> None:
        self.metrics.rollout(after, len(self.names.scopes), self.alive_count())
        if after.halted and not before.halted:
            LOG.error("rollout of epoch %d halted, %s; publish a new epoch or roll back", after.epoch, after.halted)
        if (before.epoch, before.stage, before.members, before.halted) != (
            after.epoch,
            after.stage,
            after.members,
            after.halted,
        ):
            LOG.info("rollout of epoch %d: stage %s", after.epoch, after.stage.value)
            self.changed.ring()

    def _loaded(self, epoch: int) -> Bundle:
        packed = self._writer.submit(lambda store, state: (state, store.packed(epoch))).result()
        return opened(packed, self._limits)


def _refusal(given: str | None) -> str:
    """Reason of a refusal, as a label: words of others than ours would fill the metrics."""
    return given if given in list(Refusal) else "other"
