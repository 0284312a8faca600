"""What workers are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, TypeVar

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
OnDone = Callable[[int, Any], None]
OnNews = Callable[[int, Any], None]

PLACE: Final = "--workers"


class Workers(Protocol):
    """Whoever applies a function to items.

    The results are the same to the bit whoever does it, however many they are, and whatever becomes of them half-way.
    """

    def map(
        self,
        f: Callable[[ItemT], ResultT],
        items: Sequence[ItemT],
        on_done: OnDone | None = None,
        on_news: OnNews | None = None,
    ) -> list[ResultT]:
        """Return ``[f(item) for item in items]``.

        Parameters
        ----------
        f : callable
            A function of a module; it depends on its item alone.
        items : sequence
            What can be pickled, and so must the results be.
        on_done : callable, optional
            Called here with an item's index and its result, as results come in: in any order, each once.
        on_news : callable, optional
            Called here with an item's index and what `f` told of it by `tell`, before its `on_done`. An item that is
            tried again tells again. Workers on other machines cannot tell.

        Raises
        ------
        Exception
            Whatever `f` raises, as it was; no further item is begun. One that cannot be pickled becomes an
            ExchangeRouterError with its text.
        ExchangeRouterError
            If an item takes the process that works at it with it three times.
        """
        ...
