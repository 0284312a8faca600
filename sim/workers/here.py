"""Plain calls, one after another, in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from threadpoolctl import threadpool_limits

from sim.workers.news import listened_to
from sim.workers.workers import ItemT, OnDone, OnNews, ResultT


class HereWorkers:
    """Nobody but the caller."""

    def map(
        self,
        f: Callable[[ItemT], ResultT],
        items: Sequence[ItemT],
        on_done: OnDone | None = None,
        on_news: OnNews | None = None,
    ) -> list[ResultT]:
        """Apply; see `Workers`."""
        # Sums of BLAS depend on the number of its threads, and workers elsewhere have one. Only what is loaded can be
        # limited: numpy and scipy bring a BLAS each.
        import numpy.linalg  # noqa: F401, PLC0415
        import scipy.linalg  # noqa: F401, PLC0415

        results = []
        with threadpool_limits(limits=1):
            for index, item in enumerate(items):
                with listened_to(None if on_news is None else partial(on_news, index)):
                    results.append(f(item))
                if on_done is not None:
                    on_done(index, results[-1])
        return results
