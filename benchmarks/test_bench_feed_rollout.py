"""`feed.rollout`: a policy reaches all agents, stage by stage, and every one of them confirms it.

The server is a process of its own with its state on the disk; the agents are real ones, each with a state folder, a
connection and a token of its own, and each in a thread, as its process would be: most of the time it waits in a long
poll. The clock runs from the publication until every agent goes by the epoch and the server has all confirmations. The
first rollout brings whole packages to agents that have none, the second one deltas.
"""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from feed_workloads import ADMIN, Policies, Server, make_tokens, serving, want_files
from pytest_benchmark.fixture import BenchmarkFixture

import scenarios
from feed.agent.agent import Agent, AgentSetting
from feed.agent.http_link import HttpLink
from feed.agent.state import AgentState
from feed.agent.trust_store import TrustStore
from feed.clock import SystemClock
from router_core.network import Network
from router_core.units import SECOND_NS

TARGET_S = 30.0
ROLLOUT_S_MAX = 300.0
FILES_EACH = 8
SWITCH_S = 0.5
# As `exchange-router agent` does without tasks of its own, and the whole rhythm of it.
SETTING = AgentSetting(wait_s=20.0)


class Crew:
    """Agents, each in a thread that makes it and lets it work.

    Parameters
    ----------
    network : Network
    folder : Path
        Each has a state folder in it.
    trust : Path
    address : str
    tokens : sequence of (scope, token)
        One agent a row; two rows of one scope are an agent and the one that stands by.
    """

    def __init__(
        self, network: Network, folder: Path, trust: Path, address: str, tokens: Sequence[tuple[str, str]]
    ) -> None:
        self._about = network, folder, trust, address
        self.epochs = [0] * len(tokens)
        self._failures: list[BaseException] = []
        self._stopped = threading.Event()
        self._made = threading.Barrier(len(tokens) + 1)
        self._threads = [
            threading.Thread(target=self._work, args=(row, scope, token), name=f"agent-{row}")
            for row, (scope, token) in enumerate(tokens)
        ]

    def _work(self, row: int, scope: str, token: str) -> None:
        network, folder, trust, address = self._about
        try:
            own = folder / f"agent-{row}"
            state = AgentState(own)
            link = HttpLink(address, token=token)
            agent = Agent(network, scope, state, TrustStore(own, trust), link, SystemClock(), setting=SETTING)
            self._made.wait()
            while not self._stopped.is_set():
                pause_ns = agent.step()
                held = agent.in_force
                self.epochs[row] = 0 if held is None else held.checked.bundle.manifest.epoch
                self._stopped.wait(pause_ns / SECOND_NS)
            link.close()
            state.close()
        except BaseException as error:
            self._failures.append(error)
            self._made.abort()
            raise

    def __enter__(self) -> Crew:
        for thread in self._threads:
            thread.start()
        self._made.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()

    def join(self) -> None:
        """Wait for the end of all; the server must have let them go."""
        for thread in self._threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in self._threads)
        assert not self._failures, self._failures[0]


def rolled_out(server: Server, crew: Crew, packed: bytes, epoch: int) -> float:
    """Publish, and return when all have it and have said so [s]."""
    began = time.perf_counter()
    server.publish(packed)
    while True:
        if min(crew.epochs) == epoch:
            state = server.rollout()
            if state["stage"] == "done":
                break
        assert time.perf_counter() - began < ROLLOUT_S_MAX, (server.rollout(), sum(one == epoch for one in crew.epochs))
        time.sleep(0.02)
    took_s = time.perf_counter() - began
    assert state["epoch"] == state["good"] == epoch
    assert state["acked"] == state["given"] == state["scopes"]
    assert state["halted"] is None
    assert state["nacked"] == []
    return took_s


@contextmanager
def crowded() -> Iterator[None]:
    """Let hundreds of agents live in one interpreter, as they never do elsewhere.

    What exists by now is no garbage to look for. And a thread that waits for the interpreter looks at it two hundred
    times a second: hundreds of them would keep a core busy with that.
    """
    interval_s = sys.getswitchinterval()
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(interval_s)
        gc.unfreeze()


@pytest.mark.parametrize(
    ("scenario", "standby", "slots"),
    [
        pytest.param("toy", 2, 24, id="small"),
        pytest.param("jiangxi", 55, 168, id="province", marks=pytest.mark.heavy),
    ],
)
def test_a_rollout(benchmark: BenchmarkFixture, tmp_path: Path, scenario: str, standby: int, slots: int) -> None:
    network = scenarios.load(scenario).network
    names = [network.node_name[node] for node in network.endpoints.tolist()]
    scopes = names + names[:standby]
    want_files(FILES_EACH * len(scopes) + 1_000)
    policies = Policies(network, tmp_path / "keys", slots)
    first, second = policies.packed(1), policies.packed(2, away=300)
    tokens = make_tokens(tmp_path / "tokens.json", scopes)
    of_agents = [(scope, tokens[f"agent-{row}"]) for row, scope in enumerate(scopes)]
    found: dict[str, object] = {}

    def work() -> None:
        options = ["--tokens", str(tmp_path / "tokens.json")]
        with serving(tmp_path, scenario, policies.trust, options, tokens[ADMIN]) as server, crowded():
            crew = Crew(network, tmp_path / "agents", policies.trust, server.address, of_agents)
            with crew:
                for name, epoch, packed in (("first", 1, first), ("by deltas", 2, second)):
                    before = server.cpu_s(), time.process_time()
                    found[name] = rolled_out(server, crew, packed, epoch)
                    found[f"{name}, cpu of server"] = server.cpu_s() - before[0]
                    found[f"{name}, cpu of agents"] = time.process_time() - before[1]
                found["server_bytes"] = server.memory_bytes()
        crew.join()

    benchmark.pedantic(work, rounds=1)  # type: ignore[no-untyped-call]
    assert len(list((tmp_path / "agents").glob("agent-*/bundles/2-*.bundle"))) == len(scopes)
    benchmark.extra_info |= {"goal": "feed.rollout", "value": found["first"], "target": TARGET_S, "agents": len(scopes)}
    benchmark.extra_info |= found
