"""HTTP on the wire: uvicorn's protocol on httptools, with bounds that it leaves open, and the client's certificate.

httptools keeps a request's head in memory however long it is, and uvicorn waits for it however long it takes.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from feed.server.setting import ServerSetting

CERTIFICATE: Final = "exchange_router.certificate"
_ANSWERS: Final = {
    400: (
        "malformed",
        "the request must be HTTP/1.1",
        "look at what speaks to this port: it is no client",
    ),
    408: ("timeout", "a request's head must come in time", "look at the network between, and at the client"),
    431: ("head-too-large", "a request's head must keep within its bounds", "send fewer and shorter headers"),
}


class FeedProtocol(HttpToolsProtocol):
    """One connection; `bounded` makes the class for a setting."""

    setting: ServerSetting = ServerSetting()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._certificate: Any = None
        self._in_head = True
        self._head_bytes = 0
        self._flaw = 400
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, unless there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.setting.connections_max:
            transport.abort()
            return
        tls = transport.get_extra_info("ssl_object")
        self._certificate = tls.getpeercert() if tls is not None else None
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let it go."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; a head that is too long, or has too many headers, is refused."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > self.setting.header_bytes_max and not self.transport.is_closing():
            self._flaw = 431
            self.send_400_response("")

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope["extensions"] = {CERTIFICATE: self._certificate}
        self._await_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        super().on_header(name, value)
        size = sum(len(one) + len(other) for one, other in self.headers) if len(self.headers) % 8 == 0 else 0
        if len(self.headers) > self.setting.headers_max or size > self.setting.header_bytes_max:
            self._flaw = 431
            raise ValueError("too many headers")  # the parser makes an error of its own of it

    def on_headers_complete(self) -> None:
        """Let the request go to the application."""
        self._stop_timer()
        if len(self.url) + sum(len(one) + len(other) for one, other in self.headers) > self.setting.header_bytes_max:
            self._flaw = 431
            raise ValueError("too long a head")
        super().on_headers_complete()
        self._in_head = False

    def on_message_complete(self) -> None:
        """End a request; what follows is the head of another one."""
        super().on_message_complete()
        self._in_head = True
        self._head_bytes = 0

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, and close."""
        del msg
        self._stop_timer()
        if self.cycle is not None and not self.cycle.response_complete:
            # An answer is under way: another one in between would garble it.
            self.transport.close()
            return
        code, detail, next_step = _ANSWERS[self._flaw]
        body = json.dumps({"error": code, "detail": detail, "next": next_step}).encode()
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[self._flaw] + head + body)
        self.transport.close()

    def _await_head(self) -> None:
        self._stop_timer()
        self._head_timer = self.loop.call_later(self.setting.header_s, self._late)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _late(self) -> None:
        if not self.transport.is_closing():
            self._flaw = 408
            self.send_400_response("")


def bounded(setting: ServerSetting) -> type[FeedProtocol]:
    """Return the protocol with these bounds."""
    return type("BoundedFeedProtocol", (FeedProtocol,), {"setting": setting})
