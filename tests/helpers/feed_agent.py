"""Policies of the toy province, signed, and a server that an agent can be given: all in one process, by a set clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from learnt_toy import TODAY, learnt, toy

from feed.agent.agent import Agent
from feed.agent.link import Fetched, Stations, Taken, Unavailable, Unchanged
from feed.agent.state import AgentState
from feed.agent.trust_store import TrustStore
from feed.bundle.archive import pack
from feed.bundle.bundle import Bundle
from feed.bundle.compose import Composer, PolicyContent
from feed.bundle.documents import GuardsDocument
from feed.bundle.manifest import etag_of, make_bundle, sealed
from feed.bundle.package import package
from feed.clock import SetClock, instant_of
from feed.signing.ed25519 import Ed25519Signer
from feed.signing.sm2 import Sm2Signer, new_pair
from feed.signing.trust import Trust, new_trust, trusted_key, write_trust
from router_core.units import HOUR_NS, SECOND_NS

# Ten o'clock of the planned Monday, in China.
NOW = datetime(TODAY.year, TODAY.month, TODAY.day, 2, tzinfo=UTC)
NOW_NS = instant_of(NOW)
SOFT, HARD = timedelta(minutes=15), timedelta(days=7)
LOOSE = GuardsDocument(hold_ns_max=48 * HOUR_NS, moved_share_max=1.0, reachable_share_min=0.0)
Away = Mapping[tuple[int, int], tuple[int, ...]]


@cache
def signers() -> tuple[Ed25519Signer, Sm2Signer, Ed25519Signer]:
    """Three keys: two that are trusted, and one that nobody knows."""
    return Ed25519Signer(bytes(range(32))), Sm2Signer(*new_pair()), Ed25519Signer(bytes(range(1, 33)))


@cache
def trust(threshold: int = 2, version: int = 1) -> Trust:
    begin, end = NOW - timedelta(days=365), NOW + timedelta(days=365)
    return new_trust([trusted_key(one, begin, end) for one in _verifiers()[:2]], threshold, version)


def _verifiers() -> list[Any]:
    from feed.signing.verifiers import verifier_of  # noqa: PLC0415

    return [verifier_of(one.algorithm, one.public_key) for one in signers()]


@cache
def composer() -> Composer:
    return Composer(toy().network)


def content(away: Away | None = None, holds: Mapping[tuple[int, int], tuple[int, int]] | None = None) -> PolicyContent:
    """The learnt week, with some pairs going other ways and some bulk held longer."""
    groups = len(toy().network.groups)
    pair_hold_ns = None
    if holds:
        pair_hold_ns = np.zeros((2, groups, groups), dtype=np.int64)
        for ends, held in holds.items():
            pair_hold_ns[(slice(None), *ends)] = held
    return PolicyContent(learnt().plan, learnt().classes, away or {}, pair_hold_ns, 0.3 if holds else 0.0)


def bundle(
    epoch: int,
    *,
    created: datetime = NOW,
    soft: timedelta = SOFT,
    hard: timedelta = HARD,
    guards: GuardsDocument = LOOSE,
    of: PolicyContent | None = None,
    files: Mapping[str, bytes] | None = None,
    by: tuple[Any, ...] | None = None,
    **fields: Any,
) -> Bundle:
    """A full bundle, signed by the two keys that are trusted."""
    made = dict(files) if files is not None else composer().compose(of or content(), guards, created)
    about = {
        "epoch": epoch,
        "created": created,
        "valid_from": created,
        "soft_expiry": created + soft,
        "hard_expiry": created + hard,
        "topology": toy().network.digest,
        "scenario": "toy",
        "inputs": {},
        "provenance": {"reason": "test"},
    }
    return sealed(make_bundle(made, **(about | fields)), signers()[:2] if by is None else by)


@cache
def scopes() -> tuple[str, ...]:
    network = toy().network
    return tuple(network.node_name[node] for node in network.endpoints.tolist())


def some_scope() -> str:
    """An endpoint that may choose: the one whose ways are the most."""
    network = toy().network
    plan = learnt().plan.paths
    ways = np.bincount(plan.source, np.diff(plan.pair_start), len(network.groups))
    return max(scopes(), key=lambda name: ways[network.node_group[network.node_index[name]]])


def packed(one: Bundle, scope: str | None = None) -> bytes:
    return pack(package(one, scope or some_scope()))


@dataclass
class FakeServer:
    """`ServerLink` that hands out what it is told to, or is away; it keeps what it was told, as often as it was."""

    data: bytes = b""
    etag: str = ""
    away: bool = False
    kind: str = "bundle"
    down: frozenset[str] = frozenset()
    told: list[dict[str, Any]] = field(default_factory=list)
    windows: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0

    def publish(self, one: Bundle, scope: str | None = None) -> str:
        self.data, self.etag, self.kind = packed(one, scope), etag_of(one), "bundle"
        return self.etag

    def fetch(self, scope: str, etag: str | None, base: str | None, wait_s: float) -> Any:
        self.asked += 1
        if self.away:
            return Unavailable("away")
        if not self.data or etag == self.etag:
            return Unchanged()
        return Fetched(self.data, self.kind, self.etag)  # type: ignore[arg-type]

    def report(self, status: dict[str, Any]) -> Any:
        if self.away:
            return Unavailable("away")
        self.told.append(status)
        return Taken()

    def stations(self) -> Any:
        return Unavailable("away") if self.away else Stations(self.down)

    def telemetry(self, batch: dict[str, Any]) -> Any:
        if self.away:
            return Unavailable("away")
        self.windows.append(batch)
        return Taken()


def trust_file(folder: Path, which: Trust | None = None) -> Path:
    path = folder / "installed-trust.json"
    write_trust(path, which or trust())
    return path


def agent(folder: Path, server: Any, clock: SetClock, scope: str | None = None, **more: Any) -> Agent:
    """An agent whose state lies in a folder, as it is after any restart."""
    installed = folder / "installed-trust.json"
    state = AgentState(folder / "state")
    store = TrustStore(state.folder, installed if installed.exists() else trust_file(folder))
    return Agent(toy().network, scope or some_scope(), state, store, server, clock, **more)


def rounds(one: Agent, clock: SetClock, count: int = 3, pause_s: float = 2.0) -> None:
    """Let an agent work a few rounds, time passing between them."""
    for _ in range(count):
        one.step()
        clock.advance(round(pause_s * SECOND_NS))
