"""Who carries a task over its route: a protocol, so that NiFi, a test or a simulated network can do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Order:
    """One attempt at a task.

    Attributes
    ----------
    task : str
        Its id.
    attempt : int
        From 0. Attempts follow each other: the next one comes only after this one failed.
    payload : Path
        A file that stays until the task is settled.
    stations : tuple of int
        The route, from the endpoint's own station to the target's.
    attributes : dict
        What the carrier is to know beside it; JSON's types.
    """

    task: str
    attempt: int
    payload: Path
    stations: tuple[int, ...]
    attributes: dict[str, Any]

    @property
    def key(self) -> str:
        """Name of the attempt."""
        return f"{self.task}.{self.attempt}"


@dataclass(frozen=True)
class Delivered:
    """The target has it."""


@dataclass(frozen=True)
class Failed:
    """It did not get there, and nobody goes on trying.

    Attributes
    ----------
    station : int or None
        The station that stopped it, if that is known.
    detail : str
    """

    station: int | None = None
    detail: str = ""


@dataclass(frozen=True)
class UnderWay:
    """It is being carried; what becomes of it comes by `outcomes`."""


Outcome = Delivered | Failed


@dataclass(frozen=True)
class Settled:
    """What became of an attempt that was under way.

    Attributes
    ----------
    task : str
    attempt : int
    outcome : Delivered or Failed
    """

    task: str
    attempt: int
    outcome: Outcome


class Carrier(Protocol):
    """Carries orders.

    An order with the key of an earlier one is that order, sent again because the answer was lost with a crash: it is
    carried once, and answered as it was.
    """

    def send(self, order: Order) -> Outcome | UnderWay:
        """Carry one attempt."""
        ...

    def outcomes(self) -> Sequence[Settled]:
        """Return what became of attempts under way; the same again until `forget`."""
        ...

    @property
    def strange(self) -> int:
        """How many answers cannot be understood and wait for somebody to look at them."""
        ...

    def forget(self, settled: Sequence[Settled]) -> None:
        """Take in that these outcomes are remembered elsewhere."""
        ...
