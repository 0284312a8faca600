"""A real server and real agents on loopback, at a time that is set: what a rehearsal plays on."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar

from exchange_router.rehearsed_plan import InForce
from feed.agent.agent import Agent, AgentSetting
from feed.agent.http_link import HttpLink
from feed.agent.state import AgentState
from feed.agent.trust_store import TrustStore
from feed.clock import SetClock
from feed.live.conductor import Conductor
from feed.live.host import InlineHost
from feed.live.windows import TelemetryWindows, WindowSetting
from feed.live.work import CentreWork, Done
from feed.server.auth import LoopbackAuthority
from feed.server.running import FeedServer, make_server
from feed.server.service import FeedService
from feed.server.setting import ServerSetting
from feed.signing.key_files import new_key
from feed.signing.signer import ALGORITHMS
from feed.signing.trust import new_trust, trusted_key, write_trust
from router_core.network import Network

_ResultT = TypeVar("_ResultT")
LOOPBACK: Final = "127.0.0.1"
# Here one client plays all front-ends at a speed that no province has.
SETTING: Final = ServerSetting(client_rate=1e9, client_burst=1e9, stranger_rate=1e9, stranger_burst=1e9)
# Rounds in which agents come to what was published: one a stage of the rollout, and some.
ROUNDS_MAX: Final = 20


def make_keys(folder: Path) -> tuple[tuple[str, ...], Path]:
    """Make a key of each kind and a trust file that asks for both; return the signers and the file."""
    folder.mkdir(parents=True, exist_ok=True)
    keys = {algorithm: folder / f"{algorithm}.key" for algorithm in ALGORITHMS}
    begin = datetime(2000, 1, 1, tzinfo=UTC)
    trusted = [trusted_key(new_key(name, path), begin, begin + timedelta(days=36_500)) for name, path in keys.items()]
    trust = folder / "trust.json"
    write_trust(trust, new_trust(trusted, threshold=len(trusted)))
    return tuple(f"file:{path}" for path in keys.values()), trust


class Stage:
    """Server, centre and agents of one platform; a context that ends them.

    Parameters
    ----------
    network : Network
    folder : Path
        For their state.
    trust : Path
        Trust file.
    work : CentreWork
    start_ns : int
        Instant 0 of the run, since 1970 [ns].
    scopes : sequence of str
        Who has an agent.
    windows : WindowSetting
    at_once : bool
        Whether a publication goes to all at once, and not stage by stage.

    Attributes
    ----------
    clock : SetClock
    service : FeedService
    agents : dict of str to Agent
    done : list of Done
        What came of the centre's turns since the list was emptied.
    """

    def __init__(
        self,
        network: Network,
        folder: Path,
        trust: Path,
        work: CentreWork,
        start_ns: int,
        scopes: Sequence[str],
        windows: WindowSetting,
        *,
        at_once: bool = True,
    ) -> None:
        self._network = network
        self._folder = folder
        self._trust = trust
        self._scopes = tuple(scopes)
        self.clock = SetClock(start_ns)
        self.agents: dict[str, Agent] = {}
        self.done: list[Done] = []
        gathered = TelemetryWindows(network, start_ns, windows)
        store = TrustStore(folder / "server", trust)
        self.service = FeedService(folder / "server", network, store.trust, self.clock, SETTING, gathered)
        publishing = _AtOnce(self.service) if at_once else self.service
        self._conductor = Conductor(
            gathered, self.clock, start_ns, lambda: InlineHost(work), publishing, self.done.append
        )
        self._server = make_server(self.service, LoopbackAuthority(), LOOPBACK, 0)
        # asyncio sends at once only where the protocol is told; otherwise each answer waits 40 ms for the client's ACK.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind((LOOPBACK, 0))
        self._socket.listen(2_048)
        self._ending = ExitStack()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._begun = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(self._server)), name="feed-server")

    @property
    def address(self) -> str:
        """Where the server listens."""
        return f"http://{LOOPBACK}:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Stage:
        self._thread.start()
        self._begun.wait()
        setting = AgentSetting(poll_ns=0)
        for scope in self._scopes:
            folder = self._folder / "agents" / scope
            state, link = AgentState(folder), HttpLink(self.address)
            self._ending.callback(state.close)
            self._ending.callback(link.close)
            trust = TrustStore(folder, self._trust)
            self.agents[scope] = Agent(self._network, scope, state, trust, link, self.clock, setting=setting)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.close()
        self._in_loop(self._conductor.close)
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
        self.service.close()

    def look(self) -> None:
        """Let the centre take what turn is due, and agents come to what it published."""
        self._in_loop(self._conductor.look)
        for _ in range(ROUNDS_MAX):
            behind = [agent for agent in self.agents.values() if self._epoch(agent) != self.service.next_epoch() - 1]
            if not behind:
                return
            for agent in behind:
                agent.step()

    def step(self) -> None:
        """Let every agent look at the clock and at the server."""
        for agent in self.agents.values():
            agent.step()

    def in_force(self) -> dict[int, InForce]:
        """What front-ends go by now, by node."""
        found = {}
        for scope, agent in self.agents.items():
            held = agent.in_force
            if held is not None:
                policy = held.checked.policy
                found[self._network.node_index[scope]] = InForce(policy, held.slot, held.dynamic)
        return found

    def _epoch(self, agent: Agent) -> int:
        held = agent.in_force
        return 0 if held is None else held.checked.policy.parsed.manifest.epoch

    def _in_loop(self, act: Callable[[], Coroutine[Any, Any, _ResultT]]) -> _ResultT:
        assert self._loop is not None, "the server has begun"
        return asyncio.run_coroutine_threadsafe(act(), self._loop).result()

    async def _serve(self, server: FeedServer) -> None:
        self._loop = asyncio.get_running_loop()
        task = asyncio.create_task(server.serve(sockets=[self._socket]))
        while not server.started and not task.done():
            await asyncio.sleep(0.01)
        self._begun.set()
        await task


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
