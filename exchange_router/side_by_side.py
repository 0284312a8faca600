"""Runs jobs side by side, each in a process of its own, and ends them all at once when the user interrupts."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, resource_tracker
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
            fresh = []
            while waiting and len(running) < workers:
                with _interrupts_held_back():
                    connection, process = _started(work)
                    running[connection] = (waiting.pop(0), process)
                fresh.append(connection)
            for connection in fresh:  # only now, because handing over waits until the process has come up
                number, process = running[connection]
                with suppress(BrokenPipeError):  # it has died already, which the end of the pipe tells below
                    connection.send(jobs[number])
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


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Let an interrupt come after the block, and never to the processes started in it.

    A terminal interrupts all processes of a command. Those started here inherit that the signal is held back, and leave
    it to their parent.
    """
    resource_tracker.ensure_running()  # its start would let signals through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _started(work: Work[JobT, ResultT]) -> tuple[Connection, SpawnProcess]:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(work, theirs), daemon=True)
    process.start()
    theirs.close()  # so that the end of the process is the end of the pipe
    return ours, process


def _message(connection: Connection, process: SpawnProcess) -> Any:
    try:
        return connection.recv()
    except (EOFError, ConnectionResetError):
        process.join()
        raise ExchangeRouterError(f"a process ended without a result, exit code {process.exitcode}") from None


def _run(work: Work[JobT, ResultT], connection: Connection) -> None:
    # Without its parent a job has nobody to work for.
    with suppress(EOFError, BrokenPipeError):
        job = connection.recv()
        try:
            result = work(job, lambda done: connection.send(_Progress(done)))
        except Exception as error:
            error.add_note(traceback.format_exc())
            connection.send(_Failure(error))
        else:
            connection.send(result)
