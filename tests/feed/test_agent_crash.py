"""Agents killed at any instant: what is in force afterwards was accepted whole, and no acknowledged policy is lost.

A warm parent forks agents that fetch, check, apply, acknowledge and carry out tasks as fast as they can, and kills each
after a time drawn from a seed. FEED_KILLS sets how many.
"""

from __future__ import annotations

import json
import os
import signal
import time
from functools import cache
from pathlib import Path

import pytest
from feed_agent import NOW_NS, FakeServer, agent, bundle, packed
from feed_tasks import given_task, task_desk

from feed.agent.state import AgentState
from feed.bundle.manifest import etag_of
from feed.clock import SetClock
from router_core.randomness import stream
from router_core.units import SECOND_NS

KILLS = int(os.environ.get("FEED_KILLS", "60"))
EPOCHS = max(250, 4 * KILLS)


@cache
def published() -> dict[int, tuple[str, bytes]]:
    made = {}
    for epoch in range(1, EPOCHS):
        one = bundle(epoch)
        made[epoch] = etag_of(one), packed(one)
    return made


class LoggingServer(FakeServer):
    """Publishes an epoch a question, and writes down what it was told before it says so."""

    def __init__(self, bundles, first: int, log: Path) -> None:
        super().__init__()
        self._bundles, self._next = bundles, first
        self._log = log.open("ab", buffering=0)

    def fetch(self, scope, etag, base, wait_s):
        if self._next in self._bundles:
            self.etag, self.data = self._bundles[self._next]
            self._next += 1
        return super().fetch(scope, etag, base, wait_s)

    def report(self, status):
        self._log.write(json.dumps(status).encode() + b"\n")
        return super().report(status)


def work(folder: Path, bundles, first: int, number: int) -> None:
    """What a child does until it is killed."""
    clock = SetClock(NOW_NS)
    server = LoggingServer(bundles, first, folder / "told")
    one = agent(folder, server, clock, desk=None)
    for turn in range(10**6):
        given_task(folder, f"t{number}-{turn}")
        if turn == 0:
            one = agent(folder, server, clock, desk=task_desk(folder))
        one.step()
        clock.advance(5 * SECOND_NS)


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_instant(tmp_path, seed):
    bundles = published()
    etags = dict(bundles.values())
    draw = stream(seed, "kills")
    agent(tmp_path, FakeServer(), SetClock(NOW_NS))  # warm
    acked, first, number = 0, 1, 0
    # A busy machine needs more of them, or longer ones, to get as far.
    while number < KILLS // 2 or min(acked, first) <= 10:
        number += 1
        assert number <= 20 * KILLS, "the agents get on with their work"
        child = os.fork()
        if child == 0:
            try:
                work(tmp_path, bundles, first, number)
            finally:
                os._exit(3)
        time.sleep(float(draw.uniform(0.005, 0.08)) * max(1.0, 2 * number / KILLS))
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL, "it worked until it was killed"

        state = AgentState(tmp_path / "state")
        active = state.active()
        log = tmp_path / "told"
        told = [json.loads(line) for line in log.read_bytes().splitlines()] if log.exists() else []
        assert all(one["result"] == "ack" for one in told), told[-1]
        if active is not None:
            # In force is a policy that was published, whole, and none older than any that was acknowledged.
            assert state.package(active) == etags[active.etag]
            assert active.epoch == state.seen.epoch == max(one.epoch for one in state.kept())
            assert active.epoch >= max([one["epoch"] for one in told], default=0) >= acked
            # What is in force was told, or still waits to be.
            waiting = {report["epoch"] for _, report in state.pending(10_000)}
            assert active.epoch in waiting | {one["epoch"] for one in told}
            again = agent(tmp_path, FakeServer(), SetClock(NOW_NS))
            assert again.in_force.checked.etag == active.etag
            acked = max([one["epoch"] for one in told], default=0)
            first = active.epoch + 1
        state.close()
    _no_task_lost_or_twice(tmp_path)


def _no_task_lost_or_twice(folder: Path) -> None:
    """Let the last agent finish: every task that was given is delivered once."""
    clock, server = SetClock(NOW_NS), FakeServer()
    desk = task_desk(folder)
    one = agent(folder, server, clock, desk=desk)
    for _ in range(6):
        one.step()
        clock.advance(24 * 3_600 * SECOND_NS)
    counts = desk.counts()
    sent = [path.name for path in (folder / "carried").iterdir()]
    assert counts["held"] == counts["under-way"] == counts["refused"] == 0, counts
    assert counts["delivered"] == len(sent) > 0
    assert not list((folder / "tasks" / "in").glob("*.json"))
    assert not list((folder / "tasks" / "refused").iterdir())
    assert not list((folder / "tasks" / "held").iterdir())
