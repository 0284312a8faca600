"""The data plane's contract: what carries exchanges over stations while control stands still."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from router_core.exchanges import Exchanges
from strategies.brain import SetPlan


class Refusal(IntEnum):
    """Why an exchange was not taken in."""

    NOT_REFUSED = 0
    NO_ROUTE = 1

    @property
    def text(self) -> str:
        """The reason in a sentence."""
        return {Refusal.NOT_REFUSED: "taken in", Refusal.NO_ROUTE: "the plan has no route for the pair"}[self]


@dataclass(frozen=True, eq=False)
class SetStationRates:
    """Services that start from now on take this long a byte.

    Attributes
    ----------
    station : int32 (k,)
    ps_per_byte : int64 (k,)
        Time a byte [ps], >= 0.
    """

    station: NDArray[np.int32]
    ps_per_byte: NDArray[np.int64]


PlaneCommand = SetPlan | SetStationRates


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All stations at one instant; counts run from the start of the run; shapes (S,).

    Attributes
    ----------
    now_ns : int
        Everything before this instant has happened, nothing at it.
    busy_ns : int64
        Server time spent [ns].
    waiting : int64
        Exchanges that wait for a server.
    served, served_bytes : int64
        Exchanges whose service has begun, and their bytes.
    submitted, delivered, refused : int
        Exchanges so far; the rest of the submitted ones is in flight.
    """

    now_ns: int
    busy_ns: NDArray[np.int64]
    waiting: NDArray[np.int64]
    served: NDArray[np.int64]
    served_bytes: NDArray[np.int64]
    submitted: int
    delivered: int
    refused: int

    @property
    def in_flight(self) -> int:
        """Exchanges taken in and not yet delivered."""
        return self.submitted - self.delivered - self.refused


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of each exchange, in order of ids.

    Attributes
    ----------
    delivered_ns : int64 (n,)
        Instant of delivery [ns], -1 if that has not happened.
    refusal : int8 (n,)
        `Refusal`.
    """

    delivered_ns: NDArray[np.int64]
    refusal: NDArray[np.int8]


class DataPlane(Protocol):
    """Carries exchanges between control events; the canonical order of events is (time, exchange id).

    An exchange enters at its `submitted_ns`, takes its route from the plan in force at that instant, visits the
    stations of the route one after the other, whole, and is delivered when the last one has served it.
    """

    def submit(self, batch: Exchanges) -> None:
        """Hand over exchanges, in order of submission, none before now; their ids go on where the last batch ended."""
        ...

    def advance(self, until_ns: int) -> None:
        """Let everything happen that happens before `until_ns`."""
        ...

    def apply(self, command: PlaneCommand) -> None:
        """Carry out a command now: before any exchange's event of this instant."""
        ...

    def snapshot(self) -> Snapshot:
        """Return the state of all stations now."""
        ...

    def outcome(self) -> Outcome:
        """Return what became of every exchange handed over so far."""
        ...
