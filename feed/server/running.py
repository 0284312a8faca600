"""The server as a process: where it listens, over which TLS, and how it stops."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from math import ceil
from pathlib import Path
from typing import Final

import uvicorn

from feed.server.app import make_app
from feed.server.auth import Authority
from feed.server.protocol import bounded
from feed.server.service import FeedService
from router_core.errors import BadInputError

BACKLOG: Final = 2_048


@dataclass(frozen=True)
class Tls:
    """Files of a server's certificate, and of the authority of its clients'.

    Attributes
    ----------
    certificate, key : Path
    client_ca : Path or None
        Clients must show a certificate of it; None: they need none.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None


class FeedServer(uvicorn.Server):
    """A server that lets go of who waits when it is to stop: a long poll would hold it up for a minute."""

    def __init__(self, config: uvicorn.Config, service: FeedService, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self._service = service
        self._on_start = on_start

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve; raises `BadInputError` if the address cannot be had, before anything else is begun."""
        if sockets:
            await super().serve(sockets)
            return
        with bound(self.config.host, self.config.port) as line:
            await super().serve([line])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin, and say so once requests are taken."""
        await super().startup(sockets)
        if self.started:
            self._on_start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; requests under way may end."""
        self._service.release()
        await super().shutdown(sockets)


def make_server(
    service: FeedService,
    authority: Authority,
    host: str,
    port: int,
    tls: Tls | None = None,
    on_start: Callable[[], None] = lambda: None,
) -> FeedServer:
    """Return a server that `serve` runs until SIGTERM or SIGINT.

    Parameters
    ----------
    service : FeedService
    authority : Authority
    host : str
    port : int
        0: any that is free.
    tls : Tls, optional
    on_start : callable, optional
        Called once requests are taken.

    Raises
    ------
    BadInputError
        If a file of the TLS cannot be used; what it holds is not told.
    """
    setting = service.setting
    context = None if tls is None else tls_context(tls)
    config = uvicorn.Config(
        make_app(service, authority),
        host=host,
        port=port,
        loop="uvloop",
        http=bounded(setting),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=ceil(setting.idle_s),
        timeout_graceful_shutdown=ceil(setting.stop_s),
        ssl_context_factory=None if context is None else lambda _config, _default: context,
    )
    return FeedServer(config, service, on_start)


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises
    ------
    BadInputError
        If this machine has no such address, or another process has it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        number = getattr(error, "errno", None)
        reason = os.strerror(number) if number is not None and number > 0 else str(error)
        raise BadInputError("--listen", "must be a free address of this machine", f"{host}:{port}: {reason}") from None


def tls_context(tls: Tls) -> ssl.SSLContext:
    """Return TLS 1.2 and later, with clients' certificates where an authority for them is named."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.key.stat().st_mode & 0o077:
        shown = oct(tls.key.stat().st_mode & 0o777)
        raise BadInputError("--tls-key", "must be closed to group and others; chmod 600 it", shown, str(tls.key))
    try:
        # A key with a passphrase must not make the server ask for one on a terminal that nobody reads.
        context.load_cert_chain(tls.certificate, tls.key, password=lambda: "")
        if tls.client_ca is not None:
            context.load_verify_locations(tls.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except ssl.SSLError as error:
        rule = "certificate, key and client CA must be PEM files that fit"
        raise BadInputError("--tls-cert", rule, error.reason or "another text", str(tls.certificate)) from None
    return context


def address_of(text: str) -> tuple[str, int]:
    """Return host and port of ``host:port``, an IPv6 address in brackets.

    Raises
    ------
    BadInputError
        If it is none.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise BadInputError("--listen", "must be host:port, such as 127.0.0.1:8443", text)
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that address; a name is none, as it may be resolved otherwise."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
