"""What of a map is waiting, done, or was lost with a worker."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import Any, Final

from router_core.errors import ExchangeRouterError
from sim.workers.work import Failure
from sim.workers.workers import OnDone

# An item beside which a worker dies may be innocent; the third time it is the item.
DEATHS_MAX: Final = 3


class Ledger:
    """The state of one map, whoever does the work.

    Parameters
    ----------
    items : sequence
    on_done : callable or None
        Called with an item's index and its result.
    worker : str
        What a worker is called in errors.

    Attributes
    ----------
    waiting : deque of int
        Indices of items that are to be given to a worker, in that order.
    """

    def __init__(self, items: Sequence[Any], on_done: OnDone | None, worker: str) -> None:
        self.items = items
        self.waiting = deque(range(len(items)))
        self._on_done = on_done
        self._worker = worker
        self._found: dict[int, Any] = {}
        self._deaths: Counter[int] = Counter()

    def done(self, index: int, found: object) -> None:
        """Keep a result, or raise what the function raised."""
        if isinstance(found, Failure):
            raise found.error
        self._found[index] = found
        if self._on_done is not None:
            self._on_done(index, found)

    def lost(self, index: int) -> None:
        """Let an item wait again whose worker died; refuse it if that is the third time."""
        self._deaths[index] += 1
        if self._deaths[index] == DEATHS_MAX:
            shown = " ".join(repr(self.items[index]).split())
            shown = shown if len(shown) <= 200 else shown[:197] + "..."
            raise ExchangeRouterError(
                f"item {index} took its {self._worker} with it {DEATHS_MAX} times (out of memory?): {shown}"
            )
        self.waiting.appendleft(index)

    def was_lost(self, index: int) -> bool:
        """Return whether a worker died of the item, or beside it."""
        return self._deaths[index] > 0

    def suspect(self, index: int) -> bool:
        """Return whether one more death refuses the item, so that it had better work alone."""
        return self._deaths[index] == DEATHS_MAX - 1

    def results(self) -> list[Any]:
        """Return all results in the order of items."""
        return [self._found[index] for index in range(len(self.items))]
