"""A server of its own process, keys, tokens and drawn policies of a scenario: what the feed's benchmarks work on."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest
from feed_bundles import drawn_classes
from made_plans import drawn_plan

import scenarios
from exchange_router.rehearsal_stage import make_keys
from feed.bundle.archive import pack
from feed.bundle.compose import Composer, PolicyContent
from feed.bundle.documents import GuardsDocument
from feed.bundle.manifest import make_bundle, sealed
from feed.durable import write_durably
from feed.server.auth import Role, TokenEntry, TokenFile
from feed.signing.signer import Signer
from feed.signing.signer_specs import signer_from
from router_core.errors import BadInputError
from router_core.network import Network
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS
from sim.brain_file import BrainFile, read_brain, write_brain
from sim.replay import replay
from strategies.registry import make_brain
from strategies.static.prepare import prepare
from strategies.static.week_plan import WEIGHT_TOTAL, WeekPlan
from strategies.tides.forecast import Forecast
from traces.generate import TraceGenerator, write_trace
from traces.history import read_history

RUN = "from exchange_router.main import run; run()"
HOST = "127.0.0.1"
ADMIN = "boss"
GUARDS = GuardsDocument(hold_ns_max=10**15, moved_share_max=1.0, reachable_share_min=0.5)
START_S_MAX = 60.0
CHANGES = 18
Away = Mapping[tuple[int, int], tuple[int, ...]]


def planned(plan: WeekPlan) -> WeekPlan:
    """Let a drawn plan split few pairs, and rarely change."""
    paths = plan.paths
    random = np.random.default_rng(11)
    first = np.zeros(paths.path_count, dtype=np.int16)
    first[paths.pair_start[:-1][np.diff(paths.pair_start) > 0]] = WEIGHT_TOTAL
    split = (random.random(paths.pair_count) < 0.2)[paths.path_pair]
    slots = len(plan.weights)
    rows = np.sort(random.integers(0, CHANGES, slots))
    kept = np.where(split, plan.weights[: min(CHANGES, slots)], first)
    return replace(plan, weights=kept[np.minimum(rows, len(kept) - 1)])


def moved(plan: WeekPlan, count: int) -> Away:
    """Let the first `count` pairs that can go another way take their last one."""
    paths = plan.paths
    elsewhere = {}
    for pair in np.flatnonzero(np.diff(paths.pair_start) > 1)[:count].tolist():
        ways = int(paths.pair_start[pair + 1] - paths.pair_start[pair])
        elsewhere[int(paths.source[pair]), int(paths.target[pair])] = (0,) * (ways - 1) + (65_536,)
    return elsewhere


class Policies:
    """Signed bundles of a drawn policy, valid from now on, one epoch after the other.

    Parameters
    ----------
    network : Network
    folder : Path
        For the keys.
    slots : int
        Hours of the plan.
    """

    def __init__(self, network: Network, folder: Path, slots: int) -> None:
        now = datetime.now(UTC)
        self._network = network
        self._begin = now.replace(microsecond=0) - timedelta(minutes=5)
        day = (now + timedelta(hours=8)).date()
        self._plan = planned(
            drawn_plan(network, 5, begin=datetime(day.year, day.month, day.day), slots=slots, classes=3)
        )
        self._classes = drawn_classes(network, 1)
        self._composer = Composer(network)
        keys, self.trust = make_keys(folder)
        self._signers: Sequence[Signer] = [signer_from(key) for key in keys]

    def packed(self, epoch: int, away: int = 0) -> bytes:
        """Return the bundle of an epoch, with so many pairs off the plan."""
        content = PolicyContent(self._plan, self._classes, moved(self._plan, away), None)
        bundle = make_bundle(
            self._composer.compose(content, GUARDS, self._begin), epoch=epoch, created=self._begin,
            valid_from=self._begin, soft_expiry=self._begin + timedelta(hours=2),
            hard_expiry=self._begin + timedelta(days=7), topology=self._network.digest, scenario="drawn", inputs={},
            provenance={}, known=self._composer.entries,
        )  # fmt: skip
        return pack(sealed(bundle, self._signers))


def make_tokens(path: Path, scopes: Sequence[str]) -> dict[str, str]:
    """Write tokens of an operator and of one agent a row, and return them by name: `ADMIN`, ``agent-0`` and so on."""
    secrets = {ADMIN: hashlib.sha256(b"boss").hexdigest()}
    secrets |= {f"agent-{row}": hashlib.sha256(f"agent {row}".encode()).hexdigest() for row in range(len(scopes))}
    entries = [
        TokenEntry(name=name, sha256=hashlib.sha256(secret.encode()).hexdigest(), role=Role.ADMIN.value)
        if name == ADMIN
        else TokenEntry(
            name=name, sha256=hashlib.sha256(secret.encode()).hexdigest(), role=Role.AGENT.value,
            scope=scopes[int(name.removeprefix("agent-"))],
        )
        for name, secret in secrets.items()
    ]  # fmt: skip
    write_durably(path, TokenFile(tokens=tuple(entries)).model_dump_json().encode())
    return {name: f"{name}.{secret}" for name, secret in secrets.items()}


class Server:
    """A running server.

    Attributes
    ----------
    port, pid : int
    """

    def __init__(self, port: int, pid: int, token: str | None) -> None:
        self.port = port
        self.pid = pid
        self._client = httpx.Client(
            base_url=f"http://{HOST}:{port}", headers={} if token is None else bearer(token), timeout=60.0
        )

    @property
    def address(self) -> str:
        """Its address."""
        return f"http://{HOST}:{self.port}"

    def publish(self, packed: bytes, *, at_once: bool = False) -> None:
        """Publish a bundle."""
        media = {"content-type": "application/vnd.exchange-router.bundle"}
        answer = self._client.post(f"/v1/bundles?at_once={str(at_once).lower()}", content=packed, headers=media)
        assert answer.status_code == 201, answer.text

    def rollout(self) -> dict[str, object]:
        """How far the newest epoch has come."""
        return dict(self._client.get("/v1/rollout").json())

    def metrics(self) -> dict[str, float]:
        """Its figures, by name with labels as they stand there."""
        lines = self._client.get("/metrics").text.splitlines()
        return {name: float(value) for name, value in (one.rsplit(" ", 1) for one in lines if not one.startswith("#"))}

    def cpu_s(self) -> float:
        """Process time that it has taken so far [s]."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_bytes(self) -> int:
        """Memory that it holds."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize()

    def close(self) -> None:
        """Close the connection to it."""
        self._client.close()


def bearer(token: str) -> dict[str, str]:
    """Header that shows a token."""
    return {"authorization": f"Bearer {token}"}


@contextmanager
def serving(
    folder: Path, scenario: str, trust: Path, options: Sequence[str], token: str | None = None
) -> Iterator[Server]:
    """Run `exchange-router serve` in a process of its own; its log goes to ``serve.log``."""
    with socket.socket() as line:
        line.bind((HOST, 0))
        port = line.getsockname()[1]
    command = [sys.executable, "-c", RUN, "serve", "--state", str(folder / "state"), "--trust", str(trust)]
    command += ["--scenario", scenario, "--listen", f"{HOST}:{port}", *options]
    with (folder / "serve.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        server = Server(port, process.pid, token)
        try:
            until = time.monotonic() + START_S_MAX
            while not _answers(server):
                assert process.poll() is None, (folder / "serve.log").read_text()[-2_000:]
                assert time.monotonic() < until, "the server must start"
                time.sleep(0.05)
            yield server
        finally:
            server.close()
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
    assert "Traceback" not in (folder / "serve.log").read_text()


def _answers(server: Server) -> bool:
    try:
        return httpx.get(f"{server.address}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def want_files(count: int) -> None:
    """Let this process, and those that it starts, have so many files open; skip the benchmark if they may not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"needs {count} open files, and may have {hard}")
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


def prepared_brain(scenario: str, folder: Path) -> Path:
    """Return a brain file of a scenario: the one that `make run` left of the province, else one of a day's history."""
    left = Path(__file__).parents[1] / "build" / "week.brain"
    platform = scenarios.load(scenario)
    if scenario == "jiangxi" and left.exists():
        try:
            read_brain(left, platform)
        except BadInputError:
            pass  # of another version
        else:
            return left
    day, per_day = date(2026, 3, 16), 50_000 if scenario == "jiangxi" else 5_000
    trace = folder / "history"
    write_trace(trace, TraceGenerator(platform, start=day, span=timedelta(days=2), seed=77, exchanges_per_day=per_day))
    lines = replay(platform, trace, make_brain("ecmp", platform.network), seed=77).lines
    history = read_history([trace], platform)
    prepared = prepare(platform.network, history, lines, TimeGrid(history.grid.end, HOUR_NS, 24), seed=1)
    slots = prepared.plan.grid.count
    outlook = {name: np.zeros((slots, len(prepared.classes.classes) + 1)) for name in ("p50", "p95", "mean")}
    path = folder / "made.brain"
    forecast = Forecast(prepared.plan.grid, **outlook, provisional=np.zeros(slots, dtype=np.bool_))
    write_brain(path, BrainFile({"scenario": scenario}, prepared, forecast))
    return path
