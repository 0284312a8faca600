"""A chunk of items, as a Spark executor's Python works through it."""

from __future__ import annotations

import pickle
import sys
import time

from sim.workers.work import Failure, work


def work_through(payload: bytes) -> bytes:
    """Return, pickled, what came of each item of a chunk with its index, and how long the chunk took [s].

    Parameters
    ----------
    payload : bytes
        Where the parent finds modules, its mailbox's address or None, and the pickled function with its items.
    """
    path, post, body = pickle.loads(payload)
    # What the parent can import its workers can, as far as they are on the same machine.
    sys.path += [place for place in path if place not in sys.path]
    started = time.perf_counter()
    f, chunk = pickle.loads(body)
    found = []
    for index, item in chunk:
        found.append((index, work(f, index, item, post)))
        if isinstance(found[-1][1], Failure):
            break
    return pickle.dumps((found, time.perf_counter() - started))
