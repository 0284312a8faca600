"""Runs jobs side by side, each in a process of its own, and ends them all at once when the user interrupts."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, TypeVar

from router_core.errors import ExchangeRouterError

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")
Work = Callable[[JobT, Callable[[float], None]], ResultT]


@dataclass(frozen=True)
class _Progress:
    done: float


@dataclass(frozen=True)
class _Failure:
    error: Exception


def side_by_side(
    work: Work[JobT, ResultT], jobs: Sequence[JobT], workers: int, on_progress: Callable[[int, float], None]
) -> list[ResultT]:
    """Return ``work(job, tell)`` of every job, in the order of jobs.

    Executors of the standard library wait for what runs when they are interrupted, or lose a process that was killed.

    Parameters
    ----------
    work : callable
        A function of a module; calls ``tell`` with the share that is done.
    jobs : sequence
        What can be pickled.
    workers : int
        So many at a time, >= 1.
    on_progress : callable
        Called with a job's number and the share of it that is done.

    Raises
    ------
    Exception
        Whatever a job raises; the others are ended.
    ExchangeRouterError
        If a process ends without a result.
    """
    results: dict[int, Any] = {}
    waiting = list(range(len(jobs)))
    running: dict[Connection, tuple[int, SpawnProcess]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                number = waiting.pop(0)
                ours, process = _started(work, jobs[number])
                running[ours] = (number, process)
            for ready in wait(list(running)):
                assert isinstance(ready, Connection)
                number, process = running[ready]
                match _message(ready, process):
                    case _Progress(done):
                        on_progress(number, done)
                    case _Failure(error):
                        raise error
                    case result:
                        results[number] = result
                        del running[ready]
                        process.join()
    finally:
        for _, process in running.values():
            process.terminate()
        for _, process in running.values():
            process.join()
    return [results[number] for number in range(len(jobs))]


def _started(work: Work[JobT, ResultT], job: JobT) -> tuple[Connection, SpawnProcess]:
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(work, job, theirs), daemon=True)
    # A terminal interrupts all processes of a command; the children inherit that they leave it to their parent.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, before)
    theirs.close()  # so that the end of the process is the end of the pipe
    return ours, process


def _message(ready: Connection, process: SpawnProcess) -> Any:
    try:
        return ready.recv()
    except EOFError:
        process.join()
        raise ExchangeRouterError(f"a process ended without a result, exit code {process.exitcode}") from None


def _run(work: Work[JobT, ResultT], job: JobT, connection: Connection) -> None:
    try:
        connection.send(work(job, lambda done: connection.send(_Progress(done))))
    except Exception as error:
        error.add_note(traceback.format_exc())
        connection.send(_Failure(error))
