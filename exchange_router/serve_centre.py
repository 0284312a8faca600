"""The live centre beside the server of `serve`: made from options, and kept going as long as the server runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import uvicorn
import uvloop

from exchange_router.live_centre import BRAINS, CentreSpec
from feed.bundle.archive import pack, unpack
from feed.bundle.bundle import Bundle
from feed.bundle.documents import GuardsDocument
from feed.check.findings import ALLOWABLE, Rule
from feed.check.setting import CheckSetting
from feed.clock import Clock
from feed.live.conductor import Conductor, Publishing
from feed.live.host import ProcessHost
from feed.live.windows import TelemetryWindows, WindowSetting
from feed.live.work import Done
from feed.server.metrics_out import ServerMetrics
from feed.signing.trust import Trust, trust_json
from router_core.errors import BadInputError
from router_core.network import Network
from router_core.units import DAY_NS, SECOND_NS
from sim.brain_setting import read_setting
from strategies.registry import SET_BRAINS

# What front-ends accept of any bundle; the publisher's own check is stricter (`feed.check`).
GUARDS: Final = GuardsDocument(hold_ns_max=DAY_NS, moved_share_max=1.0, reachable_share_min=0.5)
RESTORE_S_MAX: Final = 60.0


@dataclass(frozen=True)
class Centre:
    """Options of the centre, as the command names them.

    Attributes
    ----------
    prepared : Path
    brain : str
    setting : Path or None
    keys : sequence of str
    shadow : bool
    records : Path or None
    telemetry_s : float
    allow : sequence of str
    """

    prepared: Path
    brain: str = "dynamic"
    setting: Path | None = None
    keys: Sequence[str] = ()
    shadow: bool = False
    records: Path | None = None
    telemetry_s: float = 60.0
    allow: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.brain not in BRAINS:
            raise BadInputError("--brain", f"must be one of {', '.join(BRAINS)}", self.brain)
        if self.setting is not None:
            if self.brain not in SET_BRAINS:
                raise BadInputError("--setting", "must go with --brain dynamic, which uses it", str(self.setting))
            read_setting(self.setting)  # what is wrong with it is said before the server starts
        if not self.shadow and not self.keys:
            raise BadInputError("--key", "must be given, as policies are signed; or --shadow, to publish none", None)
        if self.shadow and self.keys:
            raise BadInputError("--shadow", "publishes nothing, so it takes no --key", len(self.keys))
        if not 0.1 <= self.telemetry_s <= 3_600:
            raise BadInputError("--telemetry-s", "must lie in 0.1..3600", self.telemetry_s)
        wrong = sorted(set(self.allow) - ALLOWABLE)
        if wrong:
            raise BadInputError("--allow", f"must be one of {', '.join(sorted(ALLOWABLE))}", wrong[0])


class CentreParts:
    """What a server needs to have a centre.

    Parameters
    ----------
    options : Centre
    scenario : str
    network : Network
    clock : Clock
    trust : Trust, optional
        By which its signatures must count.

    Attributes
    ----------
    windows : TelemetryWindows
        Takes the server's telemetry.
    """

    def __init__(
        self, options: Centre, scenario: str, network: Network, clock: Clock, trust: Trust | None = None
    ) -> None:
        period_ns = round(options.telemetry_s * SECOND_NS)
        # Windows end at whole periods of the clock, as agents' do.
        start_ns = clock.now_ns() // period_ns * period_ns
        self._clock = clock
        self._spec = CentreSpec(
            scenario=scenario,
            prepared=options.prepared,
            brain=options.brain,
            setting=options.setting,
            start_ns=start_ns,
            keys=tuple(options.keys),
            guards=GUARDS,
            records=options.records,
            trust=None if trust is None else trust_json(trust),
            checks=CheckSetting(allowed=frozenset(Rule(one) for one in options.allow)),
        )
        self._shadow = options.shadow
        setting = WindowSetting(period_ns, min(5 * SECOND_NS, period_ns // 2))
        self.windows = TelemetryWindows(network, start_ns, setting)
        self._conductor: Conductor | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def republished(self, old: Bundle, epoch: int) -> Bundle:
        """Return a signed bundle with the content of an old one; called from another thread than the server's."""
        if self._conductor is None or self._loop is None or self._shadow:
            raise BadInputError("rollback", "needs a centre with keys: start `serve` with --prepared and --key", epoch)
        asked = asyncio.run_coroutine_threadsafe(self._conductor.restored(pack(old), epoch), self._loop)
        return unpack(asked.result(RESTORE_S_MAX))

    def resume(self) -> None:
        """Let the centre publish again after a rollback."""
        if self._conductor is not None:
            self._conductor.paused = False

    @property
    def paused(self) -> bool:
        """Whether the centre waits for an operator after a rollback."""
        return self._conductor is not None and self._conductor.paused

    def run(
        self,
        server: uvicorn.Server,
        publishing: Publishing,
        metrics: ServerMetrics,
        active: bytes | None,
        *,
        paused: bool,
    ) -> None:
        """Run the server until it is told to stop, and the centre with it.

        Parameters
        ----------
        server : uvicorn.Server
        publishing : Publishing
            Takes what the centre publishes, unless it is a shadow.
        metrics : ServerMetrics
            Told of control steps.
        active : bytes or None
            Packed bundle that agents have now.
        paused : bool
            Whether that one was gone back to, so that the centre waits for the operator.
        """
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._run(server, publishing, metrics, active, paused))

    async def _run(
        self, server: uvicorn.Server, publishing: Publishing, metrics: ServerMetrics, active: bytes | None, paused: bool
    ) -> None:
        self._loop = asyncio.get_running_loop()

        def note(done: Done) -> None:
            metrics.trust(done.trust)
            if done.control_s is not None:
                metrics.control_step(done.control_s)

        spec = self._spec if active is None else CentreSpec(**(vars(self._spec) | {"active": active}))
        self._conductor = Conductor(
            self.windows,
            self._clock,
            self._spec.start_ns,
            partial(ProcessHost, spec.work),
            None if self._shadow else publishing,
            note,
        )
        self._conductor.paused = paused
        working = asyncio.create_task(self._conductor.run())
        try:
            serving = asyncio.create_task(server.serve())
            await asyncio.wait({working, serving}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():  # it goes on for ever, unless what it is made of cannot be used
                server.should_exit = True
            await serving
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
        if not working.cancelled() and (error := working.exception()) is not None:
            raise error
