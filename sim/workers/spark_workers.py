"""A Spark cluster: small jobs side by side, each a chunk of items.

A job of Spark tells its results when it ends, so each chunk is a job: results come in as they come, and whoever is
done takes more. A task of Spark costs some tens of milliseconds, so a chunk takes about a second, as the items so far
did; no chunk is larger than a fair share of what is left, so that all end together.
"""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from router_core.errors import ExchangeRouterError
from sim.workers.ledger import Ledger
from sim.workers.news import Mailbox
from sim.workers.spark_session import spark_driver
from sim.workers.spark_work import work_through
from sim.workers.workers import ItemT, OnDone, OnNews, ResultT

CHUNK_S: Final = 1.0
# Chunks that wait in Spark itself: its executors need not wait for this process.
JOBS_PER_CORE: Final = 2
JOBS_MAX: Final = 1024
CANCEL_S: Final = 10.0


class SparkWorkers:
    """The executors of a Spark master.

    Parameters
    ----------
    master : str
        What Spark calls master.
    """

    def __init__(self, master: str) -> None:
        self._master = master
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            self._threads = opening.enter_context(ThreadPoolExecutor(JOBS_MAX, "spark-job"))
            self._spark = opening.enter_context(spark_driver(self._master))
            self._cores = self._spark.defaultParallelism
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def map(
        self,
        f: Callable[[ItemT], ResultT],
        items: Sequence[ItemT],
        on_done: OnDone | None = None,
        on_news: OnNews | None = None,
    ) -> list[ResultT]:
        """Apply; see `Workers`."""
        ledger = Ledger(items, on_done, "executor")
        running: dict[Future[bytes], list[int]] = {}
        pace = _Pace()
        try:
            with Mailbox(on_news) as mailbox:
                post = None if on_news is None else mailbox.address
                while ledger.waiting or running:
                    while ledger.waiting and len(running) < min(JOBS_MAX, JOBS_PER_CORE * self._cores):
                        chunk = _next_chunk(ledger, pace.chunk(len(ledger.waiting), self._cores))
                        future = self._threads.submit(self._job, _payload(f, [(i, items[i]) for i in chunk], post))
                        running[future] = chunk
                        future.add_done_callback(mailbox.put)
                    for future in mailbox.wait():
                        _enter(ledger, pace, running.pop(future), future)
        except BaseException:
            self._cancel(list(running))
            raise
        return ledger.results()

    def _job(self, payload: bytes) -> bytes:
        # Java is asked by these threads alone: an interrupt of the main one must not come between question and answer.
        found: list[bytes] = self._spark.parallelize([payload], 1).map(work_through).collect()
        self._cores = self._spark.defaultParallelism  # executors come and go
        return found[0]

    def _cancel(self, running: list[Future[bytes]]) -> None:
        """End what runs, again and again: a job whose thread has not reached Spark yet is not known there."""
        until = time.monotonic() + CANCEL_S
        with suppress(Exception):  # whatever became of Spark, the first error is the one to tell
            while wait(running, 0.1).not_done and time.monotonic() < until:
                self._spark.cancelAllJobs()


class _Pace:
    """How long items take."""

    def __init__(self) -> None:
        self._items = 0
        self._seconds = 0.0

    def add(self, items: int, seconds: float) -> None:
        self._items += items
        self._seconds += seconds

    def chunk(self, waiting: int, cores: int) -> int:
        """Return how many items the next chunk is to have."""
        if self._items == 0:
            return 1
        fair = max(waiting // (JOBS_PER_CORE * cores), 1)
        return int(min(max(CHUNK_S * self._items / max(self._seconds, 1e-9), 1), fair))


def _next_chunk(ledger: Ledger, count: int) -> list[int]:
    """Take so many items; one that was lost before goes alone, so that it harms no other."""
    chunk = [ledger.waiting.popleft()]
    while ledger.waiting and len(chunk) < count and not ledger.was_lost(chunk[-1]):
        chunk.append(ledger.waiting.popleft())
    return chunk


def _payload(f: Callable[[Any], Any], chunk: list[tuple[int, Any]], post: str | None) -> bytes:
    from pyspark import cloudpickle  # noqa: PLC0415 - loaded with the driver

    body: bytes = cloudpickle.dumps((f, chunk))  # type: ignore[no-untyped-call]
    return pickle.dumps(([str(Path(place).absolute()) for place in sys.path], post, body))


def _enter(ledger: Ledger, pace: _Pace, chunk: list[int], future: Future[bytes]) -> None:
    """Enter what came of a chunk; where its executor was lost its items wait again."""
    # Loaded with the driver; it has no types.
    from py4j.protocol import Py4JError, Py4JJavaError  # type: ignore[import-untyped]  # noqa: PLC0415

    try:
        found, seconds = pickle.loads(future.result())
    except Py4JJavaError as error:
        told = str(error)
        if "PythonException" in told:  # not the function's own errors, which come as results
            lines = [line.strip() for line in told.splitlines() if line.strip() and not line.startswith("\tat ")]
            raised = next((line for line in reversed(lines) if "Error" in line and "Caused by" not in line), lines[0])
            raise ExchangeRouterError(f"Spark's Python cannot work: {raised}") from None
        for index in reversed(chunk):
            ledger.lost(index)
        return
    except Py4JError as error:
        raise ExchangeRouterError(f"Spark's driver ended: {error}") from None
    pace.add(len(found), seconds)
    for index, result in found:
        ledger.done(index, result)
