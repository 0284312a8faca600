"""The machine of a front-end: the real agent on a disk that may fail, started, killed and started again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from feed.agent.agent import Agent, InForce
from feed.agent.desk import Desk
from feed.agent.http_link import HttpLink
from feed.agent.spool import Spool
from feed.agent.state import AgentState
from feed.agent.tasks import TaskReader
from feed.agent.trust_store import TrustStore
from router_core.errors import BadInputError
from router_core.network import Network
from router_core.units import SECOND_NS
from swarm.carrying import SimulatedCarrier
from swarm.context import Context
from swarm.disk import FaultyDisk
from swarm.keyring import token
from swarm.loop import Actor, KilledError
from swarm.tampering import Tampering
from swarm.wire import ActorTransport


class EndMachine:
    """One agent's life after another.

    Parameters
    ----------
    context : Context
    end : int
        Which front-end.
    carrier : SimulatedCarrier
    tampering : Tampering
    stepped : callable
        Told after each of the agent's steps.

    Attributes
    ----------
    agent : Agent or None
        Of the life that it lives now.
    desk : Desk or None
    state : AgentState or None
    in_force : InForce or None
        What it went by last, alive or not: NiFi goes on by the last file.
    network : Network
        As its installation has it: it may be an old one.
    step_began_ns : int
        What its clock said when the agent's last step began, since 1970 [ns].
    step_began_loop_ns : int
        When that was, by the loop's time [ns].
    started_ns : int
        When this life began, by the loop's time [ns].
    """

    def __init__(
        self,
        context: Context,
        end: int,
        carrier: SimulatedCarrier,
        tampering: Tampering,
        stepped: Callable[[EndMachine], None],
    ) -> None:
        self.scope = context.scopes[end]
        self.end = end
        self.agent: Agent | None = None
        self.desk: Desk | None = None
        self.state: AgentState | None = None
        self.disk: FaultyDisk | None = None
        self.in_force: InForce | None = None
        self.carrier = carrier
        self.network: Network = context.network
        self.folder = context.folder / "ends" / str(end)
        self.trust_file = self.folder / "installed-trust.json"
        self.lives = 0
        self.step_began_ns = self.step_began_loop_ns = self.started_ns = 0
        self._context = context
        self._tampering = tampering
        self._stepped = stepped
        self._clock = context.clock(end)
        self._actor: Actor | None = None
        self._power = False
        self.folder.mkdir(parents=True)

    @property
    def clock_ns(self) -> int:
        """What its clock says, since 1970 [ns]."""
        return self._clock.now_ns()

    def start(self) -> None:
        """Start the agent."""
        if self._actor is None:
            self.lives += 1
            self._actor = Actor(self._context.loop, f"{self.scope} {self.lives}", self._live, self._ended)

    def kill(self, *, power: bool = False) -> None:
        """Kill the agent where it waits; it is started again."""
        if self._actor is not None:
            self._power = power
            self._actor.kill()

    def _live(self, actor: Actor) -> None:
        context = self._context
        self.started_ns = context.loop.now_ns
        self.disk = FaultyDisk(
            context.folder / "spare" / str(self.end), context.draw(f"disk {self.end} {self.lives}"), lambda: None
        )
        context.set_disk(self.disk, self.end)
        self.state = AgentState(self.folder / "state", disk=self.disk)
        trust = TrustStore(self.folder / "state", self.trust_file, self.disk)
        transport = ActorTransport(context.wire, actor, self.end, self._tampering)
        link = HttpLink("https://centre", token=token(f"agent-{self.end}"), transport=transport)
        node = self.network.node_index[self.scope]
        reader = TaskReader(self.network, context.scene.platform.catalogue, node)
        spool = Spool(self.folder / "tasks", self.disk)
        self.desk = Desk(self.state, spool, reader, self.carrier, self.network, context.scene.platform.transport)
        self.agent = Agent(
            self.network,
            self.scope,
            self.state,
            trust,
            link,
            self._clock,
            setting=context.spec.rhythms.agent,
            desk=self.desk,
        )
        context.journal.note("agent-started", self.scope, self.lives)
        while True:
            self.step_began_ns, self.step_began_loop_ns = self.clock_ns, context.loop.now_ns
            pause_ns = self.agent.step()
            self.in_force = self.agent.in_force or self.in_force
            self._stepped(self)
            actor.sleep_ns(max(pause_ns, SECOND_NS // 10))

    def _ended(self, error: BaseException | None) -> None:
        context, disk = self._context, self.disk
        began = self.agent is not None
        self._actor = self.agent = self.desk = self.state = self.disk = None
        if disk is not None:
            disk.let_go(power=self._power)
        self._power = False
        context.journal.note("agent-ended", self.scope, type(error).__name__)
        disk_failed = disk is not None and (disk.full or disk.failing > 0)
        # At its start an agent may fail with its disk, and is started again; later it goes on whatever the disk does.
        expected = isinstance(error, KilledError) or (
            not began and disk_failed and isinstance(error, OSError | sqlite3.Error | BadInputError)
        )
        if not expected:
            context.journal.breaks("crash", f"the agent of {self.scope} fell: {type(error).__name__}: {error}")
        restart_ns = round(context.spec.rhythms.restart_s * SECOND_NS)
        context.loop.call_at_ns(context.loop.now_ns + restart_ns, self.start)
