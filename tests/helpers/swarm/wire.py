"""The network between front-ends, monitoring and the centre: delays, losses, doubles, partitions, and what tampers.

A request goes through the server's own ASGI application; a client is the agent's own `HttpLink` over this transport.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import httpx
import numpy as np

from router_core.randomness import stream
from router_core.units import SECOND_NS
from swarm.loop import Actor, KilledError, SimulatedLoop
from swarm.troubles import Kind
from swarm.weather import Weather, slowly, usually

App = Callable[[Any, Any, Any], Any]
PATIENCE_S = 20.0


@dataclass(frozen=True)
class Asked:
    """A request."""

    method: str
    path: str
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


@dataclass(frozen=True)
class Answered:
    """An answer."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


@dataclass(frozen=True)
class Fate:
    """What becomes of a request and its answer."""

    out_ns: int
    back_ns: int
    lost: bool
    answer_lost: bool
    twice: bool


class Wire:
    """All wires to the centre.

    Parameters
    ----------
    loop : SimulatedLoop
    weather : Weather
    seed : int

    Attributes
    ----------
    app : ASGI application or None
        The server's; None while there is none.
    asked : int
        Requests that reached a server.
    """

    def __init__(self, loop: SimulatedLoop, weather: Weather, seed: int) -> None:
        self.app: App | None = None
        self.asked = 0
        self.statuses: dict[int, int] = {}
        self._loop = loop
        self._weather = weather
        self._draw = stream(seed, "wire")
        self._tasks: set[asyncio.Task[Any]] = set()

    def fate(self, end: int) -> Fate:
        """Draw what becomes of a request of a front-end, or of monitoring."""
        draw, weather = self._draw, self._weather
        out_ns, back_ns = usually(draw), usually(draw)
        lost = any(True for _ in weather.struck(end, Kind.PARTITION))
        answer_lost = twice = False
        for one in weather.struck(end, Kind.BAD_WIRE):
            out_ns += slowly(draw, one.strength)
            back_ns += slowly(draw, one.strength)
            lost |= draw.random() < one.strength * 0.5
            answer_lost |= draw.random() < one.strength * 0.5
            twice |= draw.random() < 0.3
        return Fate(out_ns, back_ns, lost, answer_lost, bool(twice))

    def cut(self) -> None:
        """End all that is under way: the server is gone."""
        self.app = None
        for task in list(self._tasks):
            task.cancel()

    def call(self, asked: Asked, patience_s: float = PATIENCE_S) -> asyncio.Task[Answered]:
        """Let the server answer; raises `httpx.HTTPError` to whoever waits if there is none, or it takes too long."""
        task = self._loop.create_task(self._call(asked, patience_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _call(self, asked: Asked, patience_s: float) -> Answered:
        app = self.app
        if app is None:
            raise httpx.ConnectError("connection refused")
        self.asked += 1
        try:
            async with asyncio.timeout(patience_s):
                found = await self._through(app, asked)
        except TimeoutError:
            raise httpx.ReadTimeout("no answer in time") from None
        except (asyncio.CancelledError, KilledError):
            raise httpx.ReadError("connection reset") from None
        self.statuses[found.status] = self.statuses.get(found.status, 0) + 1
        return found

    async def _through(self, app: App, asked: Asked) -> Answered:
        parts: list[bytes] = []
        begun: dict[str, Any] = {}
        given = False
        gone = self._loop.create_future()

        async def receive() -> dict[str, Any]:
            nonlocal given
            if given:
                return await gone  # the client stays until it has its answer
            given = True
            return {"type": "http.request", "body": asked.body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                begun.update(message)
            else:
                parts.append(message.get("body", b""))

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": asked.method,
            "scheme": "https",
            "path": unquote(asked.path),
            "raw_path": asked.path.encode(),
            "query_string": asked.query,
            "root_path": "",
            "headers": list(asked.headers),
            "client": ("10.0.0.1", 1),
            "server": ("centre", 443),
        }
        await app(scope, receive, send)
        return Answered(int(begun["status"]), tuple(begun.get("headers", ())), b"".join(parts))


class ActorTransport(httpx.BaseTransport):
    """Carries the requests of one front-end's agent, which waits in simulated time.

    Parameters
    ----------
    wire : Wire
    actor : Actor
    end : int
    tamper : callable
        What somebody on the way makes of an answer.
    """

    def __init__(self, wire: Wire, actor: Actor, end: int, tamper: Callable[[Asked, Answered, int], Answered]) -> None:
        self._wire = wire
        self._actor = actor
        self._end = end
        self._tamper = tamper

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        actor, wire = self._actor, self._wire
        fate = wire.fate(self._end)
        patience_s = float(request.extensions.get("timeout", {}).get("read") or PATIENCE_S)
        actor.sleep_ns(fate.out_ns)
        if fate.lost:
            actor.sleep_ns(round(patience_s * SECOND_NS))
            raise httpx.ReadTimeout("no answer in time", request=request)
        asked = _asked(request)
        answering = wire.call(asked, patience_s)
        if fate.twice:
            wire.call(asked, patience_s).add_done_callback(_unheard)
        answered = actor.wait(answering)
        if fate.answer_lost:
            actor.sleep_ns(round(patience_s * SECOND_NS))
            raise httpx.ReadTimeout("no answer in time", request=request)
        actor.sleep_ns(fate.back_ns)
        answered = self._tamper(asked, answered, self._end)
        return httpx.Response(answered.status, headers=list(answered.headers), stream=httpx.ByteStream(answered.body))


def _asked(request: httpx.Request) -> Asked:
    headers = tuple((key.lower(), value) for key, value in request.headers.raw)
    path, _, query = request.url.raw_path.partition(b"?")
    return Asked(request.method, path.decode(), query, headers, request.read())


def _unheard(task: asyncio.Task[Answered]) -> None:
    """Take in what nobody waits for."""
    if not task.cancelled():
        task.exception()


def flipped(draw: np.random.Generator, data: bytes) -> bytes:
    """Damage some bytes, cut them off or add to them."""
    if not data:
        return data
    how = int(draw.integers(3))
    at = int(draw.integers(len(data)))
    if how == 0:
        return data[:at] + bytes([data[at] ^ int(draw.integers(1, 256))]) + data[at + 1 :]
    return data[:at] if how == 1 else data + draw.bytes(int(draw.integers(1, 20)))
