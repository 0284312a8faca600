"""Keeps the live centre going: closes windows of telemetry, lets it take its turns, and hands on what it publishes."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from typing import Final, Protocol

from feed.clock import Clock
from feed.live.host import CentreHost, CentreLostError
from feed.live.windows import TelemetryWindows
from feed.live.work import Done, Restore, Turn
from feed.refusals import RefusedBundleError
from router_core.errors import ExchangeRouterError
from router_core.units import SECOND_NS

LOG: Final = logging.getLogger("exchange_router.centre")
LOOK_S: Final = 0.1  # how often the clock is looked at
RESTART_S: Final = (1.0, 60.0)


class Publishing(Protocol):
    """Takes bundles that are to reach front-ends."""

    def next_epoch(self) -> int:
        """Return an epoch greater than that of any bundle published so far."""
        ...

    @property
    def rolling(self) -> bool:
        """Whether the newest bundle is on its way through its canaries: another one would take its place half-way."""
        ...

    async def publish_packed(self, packed: bytes) -> object:
        """Publish a signed bundle; raises `RefusedBundleError` if it is none that may be."""
        ...


class Conductor:
    """Lets the centre work by the clock.

    Parameters
    ----------
    windows : TelemetryWindows
    clock : Clock
    start_ns : int
        Instant 0 of the run, since 1970 [ns].
    host : callable
        Makes the centre's host; called again when it was lost.
    publishing : Publishing or None
        None: a shadow, which computes and records, and publishes nothing.
    on_done : callable, optional
        Told of every turn.
    look_s : float
        How often the clock is looked at [s].

    Attributes
    ----------
    paused : bool
        Whether nothing is published for now, as an operator went back to an older policy.
    """

    def __init__(
        self,
        windows: TelemetryWindows,
        clock: Clock,
        start_ns: int,
        host: Callable[[], CentreHost],
        publishing: Publishing | None,
        on_done: Callable[[Done], None] = lambda _done: None,
        *,
        look_s: float = LOOK_S,
    ) -> None:
        self._windows = windows
        self._clock = clock
        self._start_ns = start_ns
        self._make_host = host
        self._host: CentreHost | None = None
        self._publishing = publishing
        self._on_done = on_done
        self._look_s = look_s
        self._looked_ns: int | None = None
        self._worked = False
        self._unpublished = False
        self._warned = False
        self.paused = False

    async def run(self) -> None:
        """Go on until cancelled; a centre that is lost is made anew, later each time, and agents go on meanwhile."""
        wait_s = RESTART_S[0]
        try:
            while True:
                try:
                    await self.look()
                    wait_s = RESTART_S[0]
                    await asyncio.sleep(self._look_s)
                except ExchangeRouterError as error:
                    # What it is made of cannot be used: whoever started it must know. Later on the server goes on.
                    if not (self._worked or isinstance(error, CentreLostError)):
                        raise
                    LOG.warning("centre lost, made anew in %.0f s: %s", wait_s, error)
                    await self.close()
                    await asyncio.sleep(wait_s)
                    wait_s = min(2 * wait_s, RESTART_S[1])
        finally:
            await self.close()

    async def look(self) -> Done | None:
        """Let the centre take a turn if anything is to be told, or a second has passed."""
        now_ns = self._clock.now_ns()
        run_ns = now_ns - self._start_ns
        if run_ns < 0:
            return None
        events = self._windows.close(run_ns)
        if self._windows.counts["other-window"] and not self._warned:
            self._warned = True
            LOG.warning(
                "demand is left out: some agents report windows of another length; start them with --telemetry-s"
            )
        looked_ns = self._looked_ns
        if not events and looked_ns is not None and 0 <= now_ns - looked_ns < SECOND_NS:
            return None
        self._looked_ns = now_ns
        if self._host is None:
            self._host = self._make_host()
        done = await self._host.turn(Turn(now_ns, tuple(events), self._epoch(), self._unpublished))
        self._worked, self._unpublished = True, False
        for decision in done.decisions:
            LOG.info("decision %s %s %s", decision.kind.value, decision.reason.value, " ".join(decision.subject[:3]))
        for line in done.refused:
            LOG.error("policy not published: %s", line)
        if done.packed is not None and self._publishing is not None:
            try:
                await self._publishing.publish_packed(done.packed)
            except (RefusedBundleError, OSError, sqlite3.Error) as error:
                # An operator published between the question for an epoch and now, or the disk is full: made anew later.
                LOG.warning("policy not published: %s", error)
                self._unpublished = True
        self._on_done(done)
        return done

    def _epoch(self) -> int | None:
        """Epoch with which may be published now."""
        publishing = self._publishing
        return None if publishing is None or self.paused or publishing.rolling else publishing.next_epoch()

    async def restored(self, packed: bytes, epoch: int) -> bytes:
        """Return a signed bundle with the content of an old one, and pause: the operator's choice is to last.

        Raises
        ------
        CentreLostError
            If there is no centre at the moment.
        """
        if self._host is None:
            raise CentreLostError("the centre is being made; try again in some seconds")
        restored = await self._host.restored(Restore(self._clock.now_ns(), packed, epoch))
        self.paused = True
        return restored

    async def close(self) -> None:
        """End the centre."""
        host, self._host = self._host, None
        if host is not None:
            await host.close()
