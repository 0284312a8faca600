"""Servers for tests: services over bundles of the toy, in process or behind a real socket."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from feed_bundles import VALID_FROM, drawn_bundle, network_of
from feed_signing import signer, trust_of

from feed.bundle.archive import pack
from feed.bundle.bundle import Bundle
from feed.bundle.manifest import make_bundle, sealed
from feed.clock import SetClock, instant_of
from feed.server.app import make_app
from feed.server.auth import Authority, Identity, LoopbackAuthority, Role
from feed.server.running import Tls, make_server
from feed.server.service import FeedService
from feed.server.setting import ServerSetting

NOW = VALID_FROM + timedelta(minutes=5)
NOW_NS = instant_of(NOW)
KEY = 1
QUICK = ServerSetting(agent_rate=1e5, agent_burst=1e5, client_rate=1e5, client_burst=1e5)


@cache
def _files(seed: int) -> dict[str, bytes]:
    return dict(drawn_bundle("toy", seed).files)


def made(epoch: int, seed: int = 0, *, by: int | None = KEY, **fields: Any) -> Bundle:
    """A signed bundle of the toy; another seed has another dynamic layer."""
    about = {
        "epoch": epoch,
        "created": VALID_FROM,
        "valid_from": VALID_FROM,
        "soft_expiry": VALID_FROM + timedelta(hours=1),
        "hard_expiry": VALID_FROM + timedelta(days=14),
        "topology": network_of("toy").digest,
        "scenario": "toy",
        "inputs": {},
        "provenance": {},
    }
    bundle = make_bundle(_files(seed), **(about | fields))
    return bundle if by is None else sealed(bundle, [signer(by)])


@cache
def packed(epoch: int, seed: int = 0) -> bytes:
    return pack(made(epoch, seed))


class Keyed:
    """`Republisher` with the tests' key."""

    paused = False

    def resume(self) -> None:
        self.paused = False

    def republished(self, old: Bundle, epoch: int) -> Bundle:
        self.paused = True
        about = old.manifest.model_dump(exclude={"schema_version", "content", "files", "epoch", "restores"})
        return sealed(make_bundle(old.files, **about, epoch=epoch, restores=old.manifest.epoch), [signer(KEY)])


class Sink:
    """`TelemetrySink` that keeps everything."""

    def __init__(self) -> None:
        self.samples: list[Any] = []
        self.tasks: list[Any] = []

    def stations(self, samples: Any) -> None:
        self.samples.append(samples)

    def accepted(self, tasks: Any) -> None:
        self.tasks.append(tasks)


def service_of(folder: Path, clock: SetClock | None = None, setting: ServerSetting = QUICK, **more: Any) -> FeedService:
    clock = clock or SetClock(NOW_NS)
    return FeedService(folder, network_of("toy"), trust_of([signer(KEY)]), clock, setting, **more)


@contextmanager
def serving(folder: Path, **more: Any) -> Iterator[FeedService]:
    service = service_of(folder, **more)
    try:
        yield service
    finally:
        service.close()


def scopes() -> tuple[str, ...]:
    network = network_of("toy")
    return tuple(network.node_name[node] for node in network.endpoints.tolist())


def agent(scope: str) -> Identity:
    return Identity(f"agent {scope}", Role.AGENT, scope)


class Named:
    """`Authority` that takes ``Bearer <role> <scope>`` at its word."""

    def identity(self, authorization: bytes | None, certificate: Any) -> Identity | None:
        if authorization is None:
            return None
        _, role, *scope = authorization.decode().split()
        return Identity("-".join([role, *scope]), Role(role), *scope)


def as_role(role: str, scope: str = "") -> dict[str, str]:
    return {"authorization": f"Bearer {role} {scope}".strip()}


def client_of(service: FeedService, authority: Authority | None = None) -> httpx.AsyncClient:
    """A client of the application in this process; put it into `service.running()`."""
    app = make_app(service, authority or Named())
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://feed")  # type: ignore[arg-type]


@contextmanager
def live(service: FeedService, authority: Authority | None = None, tls: Tls | None = None) -> Iterator[int]:
    """Run a real server in a thread, and give its port."""
    server = make_server(service, authority or LoopbackAuthority(), "127.0.0.1", 0, tls)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server must start"
            time.sleep(0.005)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "the server must stop"
