"""`feed.polling`: agents ask all day for what has not changed, each over its one connection, with its own token.

The server is a process of its own. The clients are one event loop on bare sockets, so that they take little of the
machine: each sends its request, waits for the whole answer, and sends the next one at once or when its turn comes.
First all ask as fast as they are answered: that is how many requests a second there can be. Then they ask at a fixed
rate, spread evenly, above the goal: the times of answers are taken from when a request was due, so a server that falls
behind cannot hide it.
"""

from __future__ import annotations

import asyncio
import gc
import time
from pathlib import Path

import numpy as np
import pytest
from feed_workloads import ADMIN, HOST, Policies, Server, bearer, make_tokens, serving, want_files
from numpy.typing import NDArray
from own_loop import run_apart
from pytest_benchmark.fixture import BenchmarkFixture

import scenarios
from feed.bundle.archive import unpack
from feed.bundle.manifest import etag_of

RATE_MIN = 1_000.0
P99_S_MAX = 0.05
UNCHANGED = b"HTTP/1.1 304 "


class Client(asyncio.Protocol):
    """One connection on which the same question is asked again and again."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._answer = bytearray()
        self._waiting: asyncio.Future[float] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or ConnectionError("the server hung up"))

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer, which ends with its head: it has no body."""
        self._answer += data
        if self._answer.endswith(b"\r\n\r\n"):
            assert self._waiting is not None
            assert self._answer.startswith(UNCHANGED), bytes(self._answer)
            self._answer.clear()
            self._waiting.set_result(time.perf_counter())

    async def ask(self) -> float:
        """Ask, and return when the answer was there."""
        assert self._transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(self._request)
        return await self._waiting

    def close(self) -> None:
        """Hang up."""
        assert self._transport is not None
        self._transport.close()


async def polled(port: int, requests: list[bytes], each: int, rate: float) -> tuple[float, float, NDArray[np.float64]]:
    """Let each client ask so often; return the greatest rate [1/s], then rate and times of answers [s] at `rate`."""
    loop = asyncio.get_running_loop()
    clients = [(await loop.create_connection(lambda one=one: Client(one), HOST, port))[1] for one in requests]

    async def at_once(client: Client) -> None:
        for _ in range(each):
            await client.ask()

    began = time.perf_counter()
    await asyncio.gather(*(at_once(client) for client in clients))
    greatest = len(clients) * each / (time.perf_counter() - began)

    period_s = len(clients) / rate
    took = np.empty((len(clients), each))
    began = time.perf_counter() + 0.1

    async def in_turn(row: int, client: Client) -> None:
        for turn in range(each):
            due = began + (turn + row / len(clients)) * period_s
            await asyncio.sleep(due - time.perf_counter())
            took[row, turn] = await client.ask() - due

    await asyncio.gather(*(in_turn(row, client) for row, client in enumerate(clients)))
    sustained = took.size / (time.perf_counter() - began)
    for client in clients:
        client.close()
    return greatest, sustained, took.ravel()


def questions(server: Server, scopes: list[str], tokens: dict[str, str], etag: str) -> list[bytes]:
    """Return what each agent sends."""
    return [
        b"\r\n".join(
            f"{name}: {value}".encode() if name else value.encode()
            for name, value in {
                "": f"GET /v1/bundles/{scope}?wait_s=0 HTTP/1.1",
                "Host": f"{HOST}:{server.port}",
                "Accept": "*/*",
                "User-Agent": "exchange-router",
                "If-None-Match": f'"{etag}"',
                "Authorization": bearer(tokens[f"agent-{row}"])["authorization"],
            }.items()
        )
        + b"\r\n\r\n"
        for row, scope in enumerate(scopes)
    ]


@pytest.mark.parametrize(
    ("scenario", "standby", "slots", "each", "rate"),
    [
        pytest.param("toy", 2, 24, 5, 500.0, id="small"),
        pytest.param("jiangxi", 55, 168, 20, 1_200.0, id="province", marks=pytest.mark.heavy),
    ],
)
def test_polling(
    benchmark: BenchmarkFixture, tmp_path: Path, scenario: str, standby: int, slots: int, each: int, rate: float
) -> None:
    network = scenarios.load(scenario).network
    names = [network.node_name[node] for node in network.endpoints.tolist()]
    scopes = names + names[:standby]
    want_files(len(scopes) + 1_000)
    policies = Policies(network, tmp_path / "keys", slots)
    packed = policies.packed(1)
    etag = etag_of(unpack(packed))
    tokens = make_tokens(tmp_path / "tokens.json", scopes)
    rounds: list[tuple[float, float, NDArray[np.float64]]] = []

    options = ["--tokens", str(tmp_path / "tokens.json")]
    with serving(tmp_path, scenario, policies.trust, options, tokens[ADMIN]) as server:
        server.publish(packed, at_once=True)
        asked = questions(server, scopes, tokens, etag)

        def work() -> None:
            gc.collect()
            rounds.append(run_apart(lambda rate=rate: polled(server.port, asked, each, rate)))
            time.sleep(each / 10.0)  # until every agent may ask as often again: ten times a second, and some at once

        benchmark.pedantic(work, rounds=3 if benchmark.enabled else 1)  # type: ignore[no-untyped-call]
        found = server.metrics()
    answered = found['exchange_router_requests_total{act="bundle",status="304"}']
    assert answered == 2 * len(rounds) * each * len(scopes)
    greatest, sustained, took = min(rounds, key=lambda one: float(np.quantile(one[2], 0.99)))
    benchmark.extra_info |= {
        "goal": "feed.polling",
        "value": greatest,
        "target": RATE_MIN,
        "at_rate": sustained,
        "p50_s": float(np.quantile(took, 0.5)),
        "p99_s": float(np.quantile(took, 0.99)),
        "p99_target_s": P99_S_MAX,
        "max_s": float(took.max()),
        "clients": len(scopes),
    }
