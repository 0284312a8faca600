"""Where the live centre works: in this process, or in one of its own so that no request waits for a control step."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import signal
from collections.abc import Callable
from contextlib import closing
from multiprocessing.connection import Connection
from typing import Final, Protocol

from feed.live.work import CentreWork, Done, Restore, Turn
from router_core.errors import BadInputError, ExchangeRouterError

START_S_MAX: Final = 300.0
STOP_S_MAX: Final = 10.0
ENDING_S: Final = 1.0  # from the pipe's end to that of the process
READY: Final = "ready"


class CentreLostError(ExchangeRouterError):
    """The centre's process ended, or could not begin."""


class CentreHost(Protocol):
    """Lets the centre work, one turn after another."""

    async def turn(self, turn: Turn) -> Done:
        """Return what came of a turn; raises `CentreLostError` if there is no centre any more."""
        ...

    async def restored(self, restore: Restore) -> bytes:
        """Return the signed bundle that brings an old one's content back; errors as of `turn`."""
        ...

    async def close(self) -> None:
        """End it."""
        ...


class InlineHost:
    """The centre in this very thread: for tests, and for time that is simulated."""

    def __init__(self, work: CentreWork) -> None:
        self._work = work

    async def turn(self, turn: Turn) -> Done:
        """Return what came of a turn."""
        return self._work.turn(turn)

    async def restored(self, restore: Restore) -> bytes:
        """Return the signed bundle that brings an old one's content back."""
        return self._work.restored(restore)

    async def close(self) -> None:
        """End the recording."""
        self._work.close()


class ProcessHost:
    """The centre in a process of its own, which ends when this one does, however it ends.

    Parameters
    ----------
    make : callable
        Makes the work over there; it and its arguments are pickled.
    """

    def __init__(self, make: Callable[[], CentreWork]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, make), name="exchange-router-centre", daemon=True)
        self._process.start()
        theirs.close()
        self._lock = asyncio.Lock()
        self._ready = False

    async def turn(self, turn: Turn) -> Done:
        """Return what came of a turn; the first one waits until the centre is ready."""
        done = await self._asked(turn)
        assert isinstance(done, Done), "the centre answers a turn with what came of it"
        return done

    async def restored(self, restore: Restore) -> bytes:
        """Return the signed bundle that brings an old one's content back."""
        packed = await self._asked(restore)
        assert isinstance(packed, bytes), "the centre answers with a bundle"
        return packed

    async def _asked(self, request: Turn | Restore) -> object:
        async with self._lock:
            return await asyncio.to_thread(self._round, request)

    def _round(self, request: Turn | Restore) -> object:
        try:
            if not self._ready:
                if not self._pipe.poll(START_S_MAX):
                    raise CentreLostError(f"the centre was not ready after {START_S_MAX:.0f} s")
                self._said()
                self._ready = True
            self._pipe.send(request)
            return self._said()
        except (EOFError, OSError) as error:
            self._process.join(ENDING_S)
            raise CentreLostError(f"the centre's process ended, exit code {self._process.exitcode}") from error

    def _said(self) -> object:
        said = self._pipe.recv()
        if isinstance(said, ExchangeRouterError):
            raise said
        return said

    async def close(self) -> None:
        """Let it end after the turn that it is at; one that does not is ended."""
        self._pipe.close()
        await asyncio.to_thread(self._process.join, STOP_S_MAX)
        if self._process.is_alive():
            self._process.kill()
            await asyncio.to_thread(self._process.join, STOP_S_MAX)


def _work(pipe: Connection, make: Callable[[], CentreWork]) -> None:
    # Ctrl-C reaches the whole group: the server decides when the centre ends, by closing the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        try:
            work = make()
        except OSError as error:  # a file that is not there, a folder that is full: to be told as what it is
            rule = f"must be usable: {error.strerror or error}"
            raise BadInputError("centre", rule, "nothing was made", error.filename and str(error.filename)) from None
        # What the brain learnt lives as long as the process: looking through it for garbage would hold up a step.
        gc.collect()
        gc.freeze()
        with closing(work):
            pipe.send(READY)
            while True:
                request = pipe.recv()
                pipe.send(work.turn(request) if isinstance(request, Turn) else work.restored(request))
    except (EOFError, BrokenPipeError):
        return
    except ExchangeRouterError as error:
        pipe.send(error)
