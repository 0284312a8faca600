"""An event loop whose time is simulated, and actors in it: code that blocks, blocks in simulated time alone.

Everything happens in one thread, in the order of (time, sequence of asking): two runs that ask alike run alike. What
`asyncio.to_thread` is given happens at once. An actor is ordinary blocking code in a greenlet: it may sleep, or wait
for a future, and can be killed at either, as a process is.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future
from contextlib import contextmanager
from heapq import heappop, heappush
from math import ceil
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

from router_core.units import SECOND_NS

ResultT = TypeVar("ResultT")


class KilledError(BaseException):
    """The process that this code is part of was killed here; nothing catches it but who started that process."""


class SimulatedLoop(asyncio.AbstractEventLoop):
    """Runs what is due, and lets time leap to what is due next.

    Attributes
    ----------
    now_ns : int
        Time since the loop was made [ns].
    defects : list of str
        What failed in the loop without anybody waiting for it.
    """

    def __init__(self) -> None:
        self.now_ns = 0
        self.defects: list[str] = []
        self._ready: deque[asyncio.Handle] = deque()
        self._later: list[tuple[int, int, asyncio.Handle]] = []
        self._sequence = 0
        self.hub: greenlet = getcurrent()

    # --- what drives it

    def run_until_ns(self, until_ns: int) -> None:
        """Let everything happen that is due up to then, that instant included."""
        with self._running():
            while True:
                while self._ready:
                    handle = self._ready.popleft()
                    if not handle.cancelled():
                        handle._run()
                if not self._later or self._later[0][0] > until_ns:
                    break
                when_ns, _, handle = heappop(self._later)
                self.now_ns = max(self.now_ns, when_ns)
                self._ready.append(handle)
            self.now_ns = max(self.now_ns, until_ns)

    def close(self) -> None:
        """Let what was cancelled end, and forget what was to happen later."""
        self.run_until_ns(self.now_ns)
        for task in asyncio.all_tasks(self):
            task.cancel()
        self.run_until_ns(self.now_ns)
        self._later.clear()

    @contextmanager
    def _running(self) -> Generator[None]:
        assert getcurrent() is self.hub, "the loop is driven from outside of its actors"
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            yield
        finally:
            asyncio._set_running_loop(before)

    def call_at_ns(self, when_ns: int, callback: Callable[..., object], *args: Any) -> asyncio.Handle:
        """Let something happen at an instant [ns]."""
        handle = asyncio.TimerHandle(when_ns / SECOND_NS, callback, args, self)
        self._sequence += 1
        heappush(self._later, (max(when_ns, self.now_ns), self._sequence, handle))
        return handle

    # --- what asyncio asks for

    def time(self) -> float:
        return self.now_ns / SECOND_NS

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        return self._timer(self.now_ns + max(round(delay * SECOND_NS), 0), callback, args, context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        when_ns = ceil(when * SECOND_NS)
        # Never before it: who looks at the time then and finds a part of a nanosecond left would wait for ever.
        return self._timer(max(when_ns + (when_ns / SECOND_NS < when), self.now_ns), callback, args, context)

    def _timer(
        self, when_ns: int, callback: Callable[..., object], args: tuple[Any, ...], context: contextvars.Context | None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when_ns / SECOND_NS, callback, args, self, context)
        self._sequence += 1
        heappush(self._later, (when_ns, self._sequence, handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is left out when its time comes."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Coroutine[Any, Any, ResultT],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[ResultT]:
        return asyncio.Task(coro, loop=self, name=name, context=context)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except (Exception, KilledError) as error:
            done.set_exception(error)
        return done

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, KilledError):
            self.defects.append(f"{context.get('message')}: {type(error).__name__}: {error}")

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False


class Actor:
    """A process of its own, as far as the simulated world knows.

    Parameters
    ----------
    loop : SimulatedLoop
    name : str
    main : callable
        What it does; given the actor, by which it sleeps and waits.
    ended : callable
        Told when it ended, and by what, `None` if its work was done.
    """

    def __init__(
        self,
        loop: SimulatedLoop,
        name: str,
        main: Callable[[Actor], None],
        ended: Callable[[BaseException | None], None] = lambda _error: None,
    ) -> None:
        self.name = name
        self.alive = True
        self._loop = loop
        self._main = main
        self._ended = ended
        self._waits = 0
        self._greenlet = greenlet(self._run, parent=loop.hub)
        loop.call_soon(self._resume, 0)

    def sleep_ns(self, for_ns: int) -> None:
        """Let time pass."""
        self._waits += 1
        self._loop.call_at_ns(self._loop.now_ns + max(for_ns, 0), self._resume, self._waits)
        self._loop.hub.switch()

    def wait(self, future: asyncio.Future[ResultT]) -> ResultT:
        """Return what a future brings, or raise what it raises."""
        if not future.done():
            self._waits += 1
            token = self._waits
            future.add_done_callback(lambda _future: self._resume(token))
            self._loop.hub.switch()
        return future.result()

    def kill(self) -> None:
        """End it where it sleeps or waits; from outside."""
        if not self.alive:
            return
        self._waits += 1  # whatever would have woken it finds nobody
        if self._greenlet:
            self._greenlet.throw(KilledError())
        else:
            self._end(KilledError())

    def _resume(self, token: int) -> None:
        if self.alive and token == self._waits:
            self._greenlet.switch()

    def _run(self) -> None:
        try:
            self._main(self)
        except (Exception, KilledError) as error:
            self._end(error)
        else:
            self._end(None)

    def _end(self, error: BaseException | None) -> None:
        self.alive = False
        self._ended(error)


class InlineFuture(Future[Any]):
    """A future of an act that waits for its batch: who blocks on it makes the batch happen.

    Parameters
    ----------
    hurry : callable
    """

    def __init__(self, hurry: Callable[[], None]) -> None:
        super().__init__()
        self._hurry = hurry

    def result(self, timeout: float | None = None) -> Any:
        if not self.done():
            self._hurry()
        return super().result(timeout)
