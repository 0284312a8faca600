"""What every request passes before the application: who asks, how often, how much; and the quick answer "unchanged".

A front-end asks all day for what has not changed. That answer is a look at two dictionaries; a framework's routing,
validation and response objects would cost ten times as much, so it is given here.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, Final

from feed.server import errors
from feed.server.auth import Act, Authority, Identity, Role
from feed.server.errors import ApiError
from feed.server.logs import ACCESS
from feed.server.protocol import CERTIFICATE
from feed.server.rates import TokenBuckets
from feed.server.service import LOG, FeedService
from router_core.units import SECOND_NS

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

IDENTITY: Final = "identity"
OPEN: Final = frozenset({"/healthz", "/readyz", "/openapi.json"})
BUNDLES: Final = "/v1/bundles/"
_FIXED: Final = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
_ACTS: Final = {
    "/v1/status": "status",
    "/v1/telemetry": "telemetry",
    "/v1/stations": "stations",
    "/v1/route": "route",
    "/v1/rollout": "rollout",
    "/v1/rollback": "rollback",
    "/v1/resume": "resume",
    "/v1/capacity": "capacity",
    "/v1/bundles": "publish",
    "/metrics": "metrics",
}


class ClientGoneError(Exception):
    """The client hung up while its request came in."""


class FrontDoor:
    """ASGI application around another one.

    Parameters
    ----------
    app : ASGI application
    service : FeedService
    authority : Authority
    """

    def __init__(self, app: App, service: FeedService, authority: Authority) -> None:
        self._app = app
        self._service = service
        self._authority = authority
        setting = service.setting
        self._agents = TokenBuckets(setting.agent_rate, setting.agent_burst, setting.clients_max)
        self._clients = TokenBuckets(setting.client_rate, setting.client_burst, setting.clients_max)
        self._strangers = TokenBuckets(setting.stranger_rate, setting.stranger_burst, setting.clients_max)
        self._body_bytes_max = {
            "/v1/telemetry": setting.telemetry_bytes_max,
            "/v1/bundles": setting.bundle_bytes_max,
        }
        self._unchanged = service.metrics.requests.labels("bundle", "304")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        answer = _Answer(send, self._service.setting.body_s)
        identity: Identity | None = None
        try:
            headers = _headers(scope)
            identity = self._identity(scope, headers)
            self._pace(scope, identity)
            etag = self._etag_unchanged(scope, headers, identity)
            if etag is not None:
                self._unchanged.inc()
                await _not_modified(answer, etag)
                self._service.metrics.took.observe(time.perf_counter() - began)
                return
            await self._inner(scope, headers, receive, answer, identity)
        except ApiError as error:
            await _refuse(answer, error)
        except ClientGoneError:
            return
        except TimeoutError:
            LOG.warning("a client did not take its answer in time: %s", identity.name if identity else _peer(scope))
        except Exception:
            # A defect of ours. Its trace is in the log, by its number; nothing of it goes out.
            LOG.exception("request failed")
            await _refuse(answer, _defect())
        self._log(scope, identity, answer, time.perf_counter() - began)

    def _identity(self, scope: Scope, headers: dict[bytes, bytes]) -> Identity | None:
        certificate = (scope.get("extensions") or {}).get(CERTIFICATE)
        return self._authority.identity(headers.get(b"authorization"), certificate)

    def _pace(self, scope: Scope, identity: Identity | None) -> None:
        """Refuse who asks too often, and who is nobody."""
        # The clock of rates is not the service's: that one may be set by hand, or run back.
        now_ns = round(asyncio.get_running_loop().time() * SECOND_NS)
        if identity is None:
            wait_s = self._strangers.take(_peer(scope), now_ns)
        else:
            buckets = self._agents if identity.role == Role.AGENT else self._clients
            wait_s = buckets.take(identity.name, now_ns)
        if wait_s:
            raise ApiError(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too-often",
                f"wait {wait_s:.3g} s",
                "ask less often; an agent's long poll needs no other rhythm",
                {"retry-after": str(max(1, round(wait_s + 0.5)))},
            )
        if identity is None and scope["path"] not in OPEN:
            raise errors.unauthenticated()

    def _etag_unchanged(self, scope: Scope, headers: dict[bytes, bytes], identity: Identity | None) -> str | None:
        """Return the etag if the request asks at once for a bundle that has not changed, and may."""
        path, given = scope["path"], headers.get(b"if-none-match")
        if given is None or identity is None or scope["method"] != "GET" or not path.startswith(BUNDLES):
            return None
        name = path[len(BUNDLES) :]
        if scope["query_string"] not in (b"", b"wait_s=0") or name not in self._service.names.scopes:
            return None
        if not identity.may(Act.FETCH, name):
            return None
        etag = self._service.unchanged(name, tag_of(given.decode("latin-1")))
        if etag is not None:
            self._service.seen(identity, name)
        return etag

    async def _inner(
        self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, answer: _Answer, identity: Identity | None
    ) -> None:
        scope.setdefault("state", {})[IDENTITY] = identity
        if scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, answer)
            return
        limit = self._body_bytes_max.get(scope["path"], self._service.setting.body_bytes_max)
        if identity is None or (scope["path"] == "/v1/bundles" and identity.role != Role.ADMIN):
            limit = min(limit, self._service.setting.body_bytes_max)
        body = await _body(headers, receive, limit, self._service.setting.body_s)
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, answer)

    def _log(self, scope: Scope, identity: Identity | None, answer: _Answer, took_s: float) -> None:
        path = scope["path"]
        act = "bundle" if path.startswith(BUNDLES) else _ACTS.get(path, "other")
        self._service.metrics.requests.labels(act, str(answer.status)).inc()
        if b"wait_s" not in scope["query_string"]:
            self._service.metrics.took.observe(took_s)
        # What hundreds of front-ends do all day is counted, not told line by line: it would fill a disk.
        if answer.status == HTTPStatus.NOT_MODIFIED or (act, answer.status) == ("telemetry", HTTPStatus.ACCEPTED):
            return
        fields = {
            "client": identity.name if identity else _peer(scope),
            "method": scope["method"],
            "path": path[:200],  # without its query
            "status": answer.status,
            "bytes": answer.size,
            "ms": round(took_s * 1e3, 1),
        }
        ACCESS.info("request", extra={"fields": fields})


class _Answer:
    """`send` that remembers what went out, and gives up on who does not take it."""

    def __init__(self, send: Send, wait_s: float) -> None:
        self._send = send
        self._wait_s = wait_s
        self.status = 0
        self.size = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *_FIXED]
        else:
            self.size += len(message.get("body", b""))
        async with asyncio.timeout(self._wait_s):
            await self._send(message)


def tag_of(header: str) -> str | None:
    """Return the first tag of an `If-None-Match`, `None` for any other text."""
    first = header.split(",", 1)[0].strip().removeprefix("W/")
    quoted = len(first) > 2 and first[0] == first[-1] == '"'
    return first[1:-1] if quoted else None


def _headers(scope: Scope) -> dict[bytes, bytes]:
    return dict(scope["headers"])


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else "-"


async def _body(headers: dict[bytes, bytes], receive: Receive, limit: int, wait_s: float) -> bytes:
    """Return a body of bounded length that comes in time."""
    said = headers.get(b"content-length", b"0")
    too_large = ApiError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too-large",
        f"body: must be at most {limit} bytes",
        "send less at once; raise the server's limit only if the platform has grown",
        {"connection": "close"},
    )
    if said.isdigit() and int(said[:20]) > limit:
        raise too_large
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(wait_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limit:
                    raise too_large
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        raise ApiError(
            HTTPStatus.REQUEST_TIMEOUT,
            "timeout",
            f"body: must come within {wait_s:g} s",
            "look at the network between, and at the client",
            {"connection": "close"},
        ) from None


async def _not_modified(answer: _Answer, etag: str) -> None:
    headers = [(b"etag", b'"%s"' % etag.encode("ascii"))]
    await answer({"type": "http.response.start", "status": 304, "headers": headers})
    await answer({"type": "http.response.body", "body": b""})


async def _refuse(answer: _Answer, error: ApiError) -> None:
    if answer.status:  # too late: uvicorn closes what is not complete
        return
    body = json.dumps(error.document(), ensure_ascii=False).encode()
    headers = [(name.encode(), value.encode()) for name, value in error.headers.items()]
    headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await answer({"type": "http.response.start", "status": int(error.status), "headers": headers})
    await answer({"type": "http.response.body", "body": body})


def _defect() -> ApiError:
    return ApiError(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "defect",
        "the server failed at this request",
        "look at the server's log for the trace, and report it",
    )
