"""The one writer: a thread in which everything that must be kept happens, many acts to one commit.

A disk takes milliseconds to promise that something is kept. Answers of hundreds of agents come in the same instant:
those that wait while a commit is under way go into the next one together.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, Protocol, TypeVar

from feed.server.rollout import Rollout
from feed.server.store import FeedStore

BATCH_MAX: Final = 1_000

_ResultT = TypeVar("_ResultT")
# What an act makes of the rollout, and what its caller is told.
Act = Callable[[FeedStore, Rollout], tuple[Rollout, _ResultT]]
Job = tuple[Act[Any], "Future[Any]"]


Settle = Callable[[Rollout], Rollout]
Changed = Callable[[Rollout, Rollout], None]


class Keeping(Protocol):
    """Lets acts happen, each kept whole or not at all."""

    @property
    def state(self) -> Rollout:
        """The rollout as it is kept."""
        ...

    def submit(self, act: Act[_ResultT]) -> Future[_ResultT]:
        """Let an act happen; the future ends when it is kept."""
        ...

    def close(self) -> None:
        """End after what was submitted, and close the store."""
        ...


# From a store, what becomes of the rollout after each batch, and who is told of it.
Writing = Callable[[FeedStore, Settle, Changed], Keeping]


class Batches:
    """Acts in batches, one commit each.

    Parameters
    ----------
    store : FeedStore
    settle : callable
        What becomes of the rollout once a batch of acts has happened.
    changed : callable
        Told of the rollout before and after, once it is kept.

    Attributes
    ----------
    state : Rollout
    """

    def __init__(self, store: FeedStore, settle: Settle, changed: Changed) -> None:
        self._store = store
        self._settle = settle
        self._changed = changed
        self.state = store.rollout()

    def happen(self, jobs: list[Job]) -> None:
        """Let acts happen, and tell those who wait for them."""
        jobs = [one for one in jobs if one[1].set_running_or_notify_cancel()]
        if not jobs:
            return
        before = state = self.state
        done: list[tuple[Future[Any], Any]] = []
        failed: list[tuple[Future[Any], BaseException]] = []
        try:
            with self._store.transaction():
                for act, future in jobs:
                    try:
                        with self._store.part():
                            state, result = act(self._store, state)
                    except Exception as error:  # it goes to whoever asked for the act
                        failed.append((future, error))
                    else:
                        done.append((future, result))
                state = self._settle(state)
                if state != before:
                    self._store.set_rollout(state)
        except Exception as error:  # nothing of the batch happened, and everybody is told so
            state = before
            failed += [(future, error) for future, _ in done]
            done = []
        self.state = state
        if state is not before:
            self._changed(before, state)
        for future, reason in failed:
            future.set_exception(reason)
        for future, result in done:
            future.set_result(result)

    def close(self) -> None:
        """Close the store."""
        self._store.close()


class Writer:
    """Runs acts one after another in a thread of its own; each is kept whole, or has not happened and raises.

    Parameters
    ----------
    store : FeedStore
        Belongs to the writer from now on.
    settle, changed : callable
        As of `Batches`; called in the writer's thread.
    """

    def __init__(self, store: FeedStore, settle: Settle, changed: Changed) -> None:
        self._batches = Batches(store, settle, changed)
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="feed-writer", daemon=True)
        self._thread.start()

    @property
    def state(self) -> Rollout:
        """The rollout as it is kept."""
        return self._batches.state

    def submit(self, act: Act[_ResultT]) -> Future[_ResultT]:
        """Let an act happen; the future ends when it is kept."""
        future: Future[_ResultT] = Future()
        self._jobs.put((act, future))
        return future

    def close(self) -> None:
        """End after what was submitted, and close the store."""
        self._jobs.put(None)
        self._thread.join()
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            if job is not None:
                job[1].cancel()

    def _run(self) -> None:
        going = True
        while going:
            jobs: list[Job] = []
            job = self._jobs.get()
            while job is not None:
                jobs.append(job)
                if len(jobs) == BATCH_MAX or self._jobs.empty():
                    break
                job = self._jobs.get()
            going = job is not None
            self._batches.happen(jobs)
        self._batches.close()
