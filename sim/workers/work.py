"""One item's work, as a worker elsewhere does it."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from router_core.errors import ExchangeRouterError
from sim.workers.news import Post, listened_to

# Libraries would start a thread a core in each of the workers, and sums of BLAS depend on the number of threads.
# Warnings of which the parent makes errors are its own affair.
_THREADS: Final = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMBA")
WORKER_ENVIRONMENT: Final = {f"{library}_NUM_THREADS": "1" for library in _THREADS} | {"PYTHONWARNINGS": ""}


@dataclass(frozen=True)
class Failure:
    """What the function raised."""

    error: Exception


def work(f: Callable[[Any], Any], index: int, item: Any, post: str | None) -> Any:
    """Return ``f(item)``, or a Failure with what it raised; news go to the mailbox at `post`, if any."""
    try:
        with listened_to(None if post is None else Post(post, index)):
            return f(item)
    except Exception as error:
        return Failure(_portable(error, traceback.format_exc()))


def _portable(error: Exception, trace: str) -> Exception:
    """Return the error if it survives pickling, or one of ours with its text; the trace is a note of either."""
    try:
        same = pickle.loads(pickle.dumps(error))
        portable = error if type(same) is type(error) and str(same) == str(error) else None
    except Exception:  # whatever its own code for pickling does
        portable = None
    if portable is None:
        portable = ExchangeRouterError(f"{type(error).__name__}: {error}")
    portable.add_note(trace)
    return portable
