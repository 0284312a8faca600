"""A server without a socket: the real protocol and the real application, each request to its end before the next."""

from __future__ import annotations

import asyncio
import atexit
import logging
import shutil
import urllib.parse
from datetime import timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

import uvicorn
from feed_bundles import VALID_FROM
from feed_signing import ed25519_signer, trust_of
from uvicorn.server import ServerState

from feed.bundle.archive import pack
from feed.bundle.manifest import etag_of
from feed.clock import SetClock, instant_of
from feed.server.app import make_app
from feed.server.auth import TokenAuthority, TokenEntry, TokenFile
from feed.server.front_door import FrontDoor
from feed.server.protocol import bounded
from feed.server.service import FeedService
from feed.server.setting import ServerSetting
from fuzzing import of_bundles
from fuzzing.target import hold
from router_core.network import Network

NOW_NS: Final = instant_of(VALID_FROM + timedelta(minutes=5))
SCOPES: Final = ("a", "b", "c")
# A world that has lived through so many requests is made anew: what one leaves behind must not hide the next one.
REQUESTS_MAX: Final = 5_000
# Nobody waits, nobody is paced, and everything else is bounded as it is live, but smaller.
_FAST: Final = 1e9
_SETTING: Final = ServerSetting(
    wait_s_max=0.002,
    **dict.fromkeys(
        ("agent_rate", "agent_burst", "client_rate", "client_burst", "stranger_rate", "stranger_burst"), _FAST
    ),
)


def network() -> Network:
    """Of the bundles' targets."""
    return of_bundles.network()


@cache
def etag(seed: int = 0) -> str:
    """Name of a bundle that the server has."""
    return etag_of(of_bundles.bundle(seed))


class World:
    """A service with two policies, its application, and a loop to run them in."""

    def __init__(self) -> None:
        self.requests = 0
        self.failures: list[str] = []
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(self._failed)
        self._folder = Path(mkdtemp(prefix="fuzz-server-"))
        atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
        trust = trust_of([ed25519_signer(1)])
        self.service = FeedService(self._folder, network(), trust, SetClock(NOW_NS), _SETTING)
        for seed in (0, 1):
            self.service.publish_bytes(pack(of_bundles.bundle(seed)), at_once=True)
        tokens = [
            ("agent", "agent", SCOPES[0]),
            ("telemetry", "telemetry", None),
            ("admin", "admin", None),
            ("reader", "reader", None),
        ]
        digest = sha256(b"secret").hexdigest()
        entries = tuple(TokenEntry(name=name, sha256=digest, role=role, scope=scope) for name, role, scope in tokens)  # type: ignore[arg-type]
        self.app: FrontDoor = make_app(self.service, TokenAuthority(TokenFile(tokens=entries)))
        self._running = self.service.running()
        self.run(self._running.__aenter__())
        config = uvicorn.Config(
            self.app,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
        )  # type: ignore[arg-type]
        config.load()
        self._config, self._protocol = config, bounded(_SETTING)

    def run(self, act: Any) -> Any:
        return self.loop.run_until_complete(act)

    def connection(self, transport: Transport) -> tuple[Any, ServerState]:
        """A new connection to the server."""
        state = ServerState()
        protocol = self._protocol(self._config, state, {}, _loop=self.loop)
        protocol.connection_made(transport)  # type: ignore[arg-type]
        return protocol, state

    def close(self) -> None:
        self.run(self._running.__aexit__(None, None, None))
        self.service.close()
        self.run(self.loop.shutdown_default_executor())
        self.loop.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _failed(self, _loop: asyncio.AbstractEventLoop, about: dict[str, Any]) -> None:
        self.failures.append(f"{about.get('message')}: {about.get('exception')!r}")


class Transport(asyncio.Transport):
    """The other end of a connection."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.written = bytearray()
        self._closing = False

    def write(self, data: Any) -> None:
        if not self._closing:
            self.written += data

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True

    def abort(self) -> None:
        self._closing = True

    def pause_reading(self) -> None:
        """Nothing is read by itself."""

    def resume_reading(self) -> None:
        """Nothing is read by itself."""


class _Traces(logging.Handler):
    """Keeps what is logged with a trace: an error that was caught on the way, and is one all the same."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            _WORLD[0].failures.append(logging.Formatter().format(record))


_WORLD: list[World] = []


def world() -> World:
    """The world as it is, or a new one when that has seen enough."""
    if _WORLD and _WORLD[0].requests >= REQUESTS_MAX:
        _WORLD.pop().close()
    if not _WORLD:
        for name in ("feed", "uvicorn.error", "feed.access"):
            logger = logging.getLogger(name)
            logger.propagate = False
            logger.handlers[:] = [_Traces(logging.DEBUG)]
        _WORLD.append(World())
    _WORLD[0].requests += 1
    return _WORLD[0]


def _judge(here: World, statuses: list[int]) -> object:
    failures, here.failures = here.failures, []
    hold("no request makes the server fail", not failures, *failures[:1])
    hold("no request is answered by 5xx", all(status < 500 for status in statuses), statuses)
    return statuses if any(status < 400 for status in statuses) else None


def wire(data: bytes) -> object:
    """Let bytes come over a connection, in two pieces, and hang up when every answer is out."""
    here, transport = world(), Transport()
    protocol, state = here.connection(transport)
    cut = sum(data[:64]) % (len(data) + 1)
    for piece in (data[:cut], data[cut:]):
        if piece and not transport.is_closing():
            protocol.data_received(piece)
            here.run(_settled(state))
    protocol.eof_received()
    protocol.connection_lost(None)
    here.run(_settled(state, hung_up=True))
    return _judge(here, _statuses(bytes(transport.written)))


async def _settled(state: ServerState, *, hung_up: bool = False) -> None:
    """Wait until requests under way are answered, or wait for more to come."""
    for _ in range(400):
        if not state.tasks:
            return
        await asyncio.wait(list(state.tasks), timeout=0.005 if hung_up else 0.0005)
        if not hung_up and _ > 8:
            return
    hold("requests end when the client hangs up", not state.tasks, state.tasks)


def _statuses(written: bytes) -> list[int]:
    found = []
    while written.startswith(b"HTTP/1.1 "):
        found.append(int(written[9:12]))
        _, gap, rest = written.partition(b"\r\n\r\n")
        if not gap:
            break
        place = rest.find(b"HTTP/1.1 ")
        written = rest[place:] if place >= 0 else b""
    return found


def application(data: bytes) -> object:
    """Take bytes for a request however badly it is written, and give it to the application."""
    here = world()
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    method, _, rest = first.partition(b" ")
    path, _, query = rest.rpartition(b" ")[0].partition(b"?") if b" " in rest else rest.partition(b"?")
    # As uvicorn makes it: the path unquoted, names of headers in lower case, no line ends in any of it.
    headers = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method.decode("latin-1").upper()[:20] or "GET",
        "scheme": "http",
        "path": urllib.parse.unquote("/" + path.decode("latin-1").lstrip("/")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": headers[:64],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "state": {},
    }
    answers: list[int] = []
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answers.append(message["status"])

    here.run(here.app(scope, receive, send))
    hold("every request has one answer", len(answers) == 1, answers)
    return _judge(here, answers)
