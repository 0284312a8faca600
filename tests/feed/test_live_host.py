"""The centre in a process of its own: it answers, it ends with its owner, and one that is lost is made anew."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from feed_hosts import KILLED, REFUSED, maker, unmakeable
from learnt_toy import toy
from own_loop import run_apart
from waiting import wait_until

from feed.clock import SetClock
from feed.live.conductor import Conductor
from feed.live.host import CentreLostError, InlineHost, ProcessHost
from feed.live.samples import StationSamples
from feed.live.windows import TelemetryWindows
from feed.live.work import Restore, Turn
from router_core.errors import BadInputError
from router_core.units import MINUTE_NS, SECOND_NS

HELPERS = Path(__file__).parent.parent / "helpers"


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


def test_it_works_elsewhere_and_ends_when_it_is_closed(tmp_path) -> None:
    note = tmp_path / "note"

    async def run() -> None:
        host = ProcessHost(maker(note))
        process = int((await host.turn(Turn(0, (), None))).trust)
        assert process != os.getpid()
        assert await host.restored(Restore(0, b"abc", 1)) == b"cba"
        await host.close()
        assert not is_running(process)
        assert note.read_text() == "closed"

    run_apart(run)


def test_what_it_finds_wrong_comes_back_and_a_lost_one_is_told(tmp_path) -> None:
    async def run() -> None:
        host = ProcessHost(maker(tmp_path / "note"))
        with pytest.raises(BadInputError, match="must be another one"):
            await host.turn(Turn(0, (), REFUSED))
        await host.close()
        host = ProcessHost(maker(tmp_path / "note"))
        with pytest.raises(CentreLostError, match="-9"):
            await host.turn(Turn(0, (), KILLED))
        await host.close()
        host = ProcessHost(unmakeable)
        with pytest.raises(BadInputError, match="--prepared"):
            await host.turn(Turn(0, (), None))
        await host.close()

    run_apart(run)


def test_it_ends_with_its_owner_however_that_ends(tmp_path) -> None:
    note = tmp_path / "note"
    script = f"""
import asyncio, os, signal, sys
from pathlib import Path
sys.path.insert(0, {str(HELPERS)!r})
from feed_hosts import maker
from feed.live.host import ProcessHost
from feed.live.work import Turn

async def run():
    host = ProcessHost(maker(Path({str(note)!r})))
    await host.turn(Turn(0, (), None))
    os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    asyncio.run(run())
"""
    path = tmp_path / "owner.py"
    path.write_text(script)
    done = subprocess.run([sys.executable, str(path)], env=os.environ | {"PYTHONPATH": os.getcwd()}, check=False)
    assert done.returncode == -9
    wait_until(lambda: note.read_text() == "closed")


class _Publishing:
    """Gives epochs as a script says; what is published is kept."""

    def __init__(self, epochs):
        self._epochs = iter(epochs)
        self.rolling = False

    def next_epoch(self) -> int:
        return next(self._epochs)

    async def publish_packed(self, packed: bytes) -> None:
        raise AssertionError("nothing was made to publish")


def test_a_centre_that_was_lost_is_made_anew_and_telemetry_goes_on(tmp_path, monkeypatch) -> None:
    """The conductor goes on by itself: killed at its second turn, another process answers from the third on."""
    monkeypatch.setattr("feed.live.conductor.RESTART_S", (0.01, 0.02))
    clock, seen = SetClock(0), []
    windows = TelemetryWindows(toy().network, 0)
    notes = (tmp_path / str(number) for number in count())

    async def run() -> None:
        conductor = Conductor(
            windows,
            clock,
            0,
            lambda: ProcessHost(maker(next(notes))),
            _Publishing([1, KILLED, *range(100, 10_000)]),
            lambda done: seen.append(done.trust),
        )
        working = asyncio.create_task(conductor.run())
        ends = time.monotonic() + 60
        while len(seen) < 3:
            assert not working.done(), "it goes on"
            assert time.monotonic() < ends
            clock.advance(SECOND_NS)
            await asyncio.sleep(0.01)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    run_apart(run)
    assert len(set(seen)) == 2
    assert seen[1] == seen[2] != seen[0]
    assert not any(is_running(int(process)) for process in seen)


def test_bad_input_ends_the_conductor_and_says_so(tmp_path) -> None:
    conductor = Conductor(TelemetryWindows(toy().network, 0), SetClock(0), 0, lambda: ProcessHost(unmakeable), None)
    with pytest.raises(BadInputError, match="--prepared"):
        run_apart(lambda: asyncio.wait_for(conductor.run(), 60))


class _Listening:
    """Work that keeps what it is told."""

    def __init__(self):
        self.turns = []

    def turn(self, turn):
        self.turns.append(turn)
        return maker(Path(os.devnull))().turn(turn)

    def restored(self, restore):
        return restore.packed

    def close(self):
        pass


def test_it_is_told_windows_and_seconds_and_publishes_nothing_while_paused() -> None:
    network = toy().network
    stations = np.arange(network.station_count, dtype=np.int32)
    clock, work = SetClock(0), _Listening()
    windows = TelemetryWindows(network, 0)
    conductor = Conductor(windows, clock, 0, lambda: InlineHost(work), _Publishing(count(1)))

    async def run() -> None:
        await conductor.look()
        await conductor.look()
        assert len(work.turns) == 1, "within a second nothing is to be told"
        clock.advance(SECOND_NS)
        await conductor.look()
        assert [turn.epoch for turn in work.turns] == [1, 2]
        clock.set(MINUTE_NS)
        zeros = np.zeros(len(stations), dtype=np.int64)
        up = np.ones(len(stations), dtype=np.bool_)
        windows.stations(StationSamples(MINUTE_NS, MINUTE_NS, stations, zeros.astype(float), zeros, zeros, up))
        assert await conductor.restored(b"old", 9) == b"old"
        assert conductor.paused
        clock.advance(5 * SECOND_NS)  # the window's grace, as no front-end reports
        await conductor.look()
        assert work.turns[-1].epoch is None
        assert len(work.turns[-1].events) == 1

    run_apart(run)


class _Making(_Listening):
    """Work that makes a bundle each time."""

    def turn(self, turn):
        return replace(super().turn(turn), packed=b"bundle")


@pytest.mark.parametrize("error", [OSError(28, "no space left"), sqlite3.OperationalError("disk is full")], ids=str)
def test_a_disk_that_is_full_ends_nothing_and_the_centre_hears_of_it(error) -> None:
    class Full(_Publishing):
        async def publish_packed(self, packed: bytes) -> None:
            raise error

    clock, work = SetClock(0), _Making()
    conductor = Conductor(TelemetryWindows(toy().network, 0), clock, 0, lambda: InlineHost(work), Full(count(1)))

    async def run() -> None:
        await conductor.look()
        clock.advance(SECOND_NS)
        await conductor.look()

    run_apart(run)
    assert [turn.unpublished for turn in work.turns] == [False, True]


def test_no_canary_is_overtaken() -> None:
    clock, work, publishing = SetClock(0), _Listening(), _Publishing(count(1))
    conductor = Conductor(TelemetryWindows(toy().network, 0), clock, 0, lambda: InlineHost(work), publishing)

    async def run() -> None:
        for rolling in (False, True, True, False):
            publishing.rolling = rolling
            await conductor.look()
            clock.advance(SECOND_NS)

    run_apart(run)
    assert [turn.epoch for turn in work.turns] == [1, None, None, 2]
