"""Processes of this machine, by loky.

loky's executor breaks as a whole when one of its processes dies. What was done is kept; the rest goes to a new one.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from types import TracebackType
from typing import Any, Self

from joblib.externals.loky import cpu_count  # type: ignore[import-untyped]
from joblib.externals.loky.process_executor import ProcessPoolExecutor  # type: ignore[import-untyped]

from sim.workers.ledger import Ledger
from sim.workers.news import Mailbox
from sim.workers.work import WORKER_ENVIRONMENT, work
from sim.workers.workers import ItemT, OnDone, OnNews, ResultT


class LokyWorkers:
    """Processes that stay until the end, so that they may remember what their items share.

    Parameters
    ----------
    processes : int or None
        At most so many, >= 1; None: one a core.
    """

    def __init__(self, processes: int | None) -> None:
        self._processes_max: int = cpu_count() if processes is None else processes
        self._size = 0
        self._executor: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(kill=error is not None)

    def map(
        self,
        f: Callable[[ItemT], ResultT],
        items: Sequence[ItemT],
        on_done: OnDone | None = None,
        on_news: OnNews | None = None,
    ) -> list[ResultT]:
        """Apply; see `Workers`."""
        size = min(self._processes_max, len(items))
        if size > self._size:
            self._end(kill=False)
            self._size = size
        ledger = Ledger(items, on_done, "process")
        running: dict[Future[Any], int] = {}
        try:
            with _quiet(), Mailbox(on_news) as mailbox:
                post = None if on_news is None else mailbox.address
                while ledger.waiting or running:
                    while ledger.waiting and len(running) < self._room(ledger, running):
                        future = self._submit(f, ledger, post)
                        if future is None:  # a worker died meanwhile
                            self._settle_accounts(ledger, running, list(running))
                            continue
                        running[future] = ledger.waiting.popleft()
                        future.add_done_callback(mailbox.put)
                    self._settle_accounts(ledger, running, mailbox.wait())
        except BaseException:
            self._end(kill=True)
            raise
        return ledger.results()

    def _settle_accounts(self, ledger: Ledger, running: dict[Future[Any], int], done: list[Future[Any]]) -> None:
        """Enter what is done; if the executor is broken, all that runs is, and goes to a new one."""
        ended = [future for future in done if future in running]
        if any(isinstance(future.exception(), BrokenProcessPool) for future in ended):
            self._end(kill=True)
            ended = list(running)
        for future in ended:
            index = running.pop(future)
            if isinstance(future.exception(), BrokenProcessPool):
                ledger.lost(index)
            else:
                ledger.done(index, future.result())

    def _room(self, ledger: Ledger, running: dict[Future[Any], int]) -> int:
        """Return how many items may be at work; one that is about to be blamed for a death works alone."""
        alone = any(ledger.suspect(index) for index in (*running.values(), ledger.waiting[0]))
        return 1 if alone else self._size

    def _submit(self, f: Callable[[Any], Any], ledger: Ledger, post: str | None) -> Future[Any] | None:
        """Hand over the item that waits first; None if the executor is broken, and all that runs with it."""
        index = ledger.waiting[0]
        with _interrupts_held_back():
            if self._executor is None:
                self._executor = ProcessPoolExecutor(
                    self._size, initializer=_settle, initargs=(os.getpid(),), env=WORKER_ENVIRONMENT
                )
            try:
                future: Future[Any] = self._executor.submit(work, f, index, ledger.items[index], post)
            except BrokenProcessPool:
                self._end(kill=True)
                return None
        return future

    def _end(self, *, kill: bool) -> None:
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=True, kill_workers=kill)


def _settle(parent: int) -> None:
    """Begin a worker's life: interrupts are the parent's affair, and without it there is nobody to work for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Let an interrupt come after the block, and never to the processes started in it.

    A terminal interrupts all processes of a command. Those started here inherit that the signal is held back, and leave
    it to their parent.
    """
    resource_tracker.ensure_running()  # loky has it started, and its start would let signals through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep loky's remarks to itself: a worker that has grown is replaced, which changes no result."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs", category=UserWarning)
        yield
