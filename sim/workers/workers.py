"""What workers are, and how they are asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol, TypeVar

from router_core.errors import BadInputError

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
OnDone = Callable[[int, Any], None]
OnNews = Callable[[int, Any], None]

PLACE: Final = "--workers"
PROCESSES_MAX: Final = 4096
FORMS: Final = "must be `here`, a number of processes N or `loky:N`, or `spark:MASTER`"


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


@contextmanager
def open_workers(text: str | None) -> Iterator[Workers]:
    """Let workers stand ready while the block runs; afterwards nothing of them is left.

    Parameters
    ----------
    text : str or None
        ``here``: plain calls; ``N`` or ``loky:N``: N processes of this machine; ``spark:MASTER``: a Spark cluster, or
        whatever else Spark takes for a master; None: one process a core of this machine.

    Raises
    ------
    BadInputError
        If the text is none of these, or if what they need is not installed.
    """
    form, _, detail = (text or "loky:").partition(":")
    if re.fullmatch(r"[0-9]+", form) and ":" not in (text or ""):
        form, detail = "loky", form
    match form:
        case "here" if text == "here":
            from sim.workers.here import HereWorkers  # noqa: PLC0415 - each kind loads what it needs alone

            yield HereWorkers()
        case "loky" if text is None or re.fullmatch(r"[0-9]+", detail):
            processes = None if text is None else int(detail)
            if processes is not None and not 1 <= processes <= PROCESSES_MAX:
                raise BadInputError(PLACE, f"must be 1..{PROCESSES_MAX} processes", text)
            from sim.workers.loky_workers import LokyWorkers  # noqa: PLC0415

            with LokyWorkers(processes) as loky:
                yield loky
        case "spark" if detail.strip():
            from sim.workers.spark_workers import SparkWorkers  # noqa: PLC0415

            with SparkWorkers(detail) as spark:
                yield spark
        case _:
            raise BadInputError(PLACE, FORMS, text)
