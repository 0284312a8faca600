"""The data plane's contract: what carries exchanges over stations while control stands still."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from router_core.exchanges import Exchanges
from strategies.brain import SendParticles, SetPlan

LOST: Final = -1


class Refusal(IntEnum):
    """Why an exchange was not taken in."""

    NOT_REFUSED = 0
    NO_ROUTE = 1
    GAVE_UP = 2

    @property
    def text(self) -> str:
        """The reason in a sentence."""
        return {
            Refusal.NOT_REFUSED: "taken in",
            Refusal.NO_ROUTE: "the plan has no route for the pair",
            Refusal.GAVE_UP: "given up after the last retry",
        }[self]


@dataclass(frozen=True, eq=False)
class SetStationService:
    """Services that start from now on take this long; on a shared station, those under way are stretched.

    Attributes
    ----------
    station : int32 (k,)
        No station twice.
    fixed_ns : int64 (k,)
        Time for any exchange [ns], >= 1.
    ps_per_byte : int64 (k,)
        Time a byte [ps], >= 0.
    """

    station: NDArray[np.int32]
    fixed_ns: NDArray[np.int64]
    ps_per_byte: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SetStationServers:
    """Stations have so many servers from now on; services under way go on.

    Attributes
    ----------
    station : int32 (k,)
        No station twice.
    servers : int32 (k,)
        >= 1.
    """

    station: NDArray[np.int32]
    servers: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class SetStationUp:
    """Stations stop, and what is on them fails; or they return, empty.

    Attributes
    ----------
    station : int32 (k,)
        No station twice.
    up : bool (k,)
    """

    station: NDArray[np.int32]
    up: NDArray[np.bool_]


PlaneCommand = SetPlan | SetStationService | SetStationServers | SetStationUp


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All stations at one instant; counts run from the start of the run; shapes (S,).

    At stations test particles count as the load that they are.

    Attributes
    ----------
    now_ns : int
        Everything before this instant has happened, nothing at it.
    busy_ns : int64
        Server time spent [ns].
    waiting : int64
        Chunks that wait for a server.
    served, served_bytes : int64
        Chunks whose service has begun, and their bytes.
    spilled, failed : int64
        Chunks that had to wait on disk, and chunks that failed because the station was stopped.
    submitted, delivered, refused : int
        Exchanges so far; the rest of the submitted ones is in flight.
    held, retrying : int
        Chunks that wait for credit now, and chunks that wait for their next attempt.
    particles_sent, particles_received, particles_lost : int
        Test particles so far; the rest of those sent is under way. They are no exchanges.
    """

    now_ns: int
    busy_ns: NDArray[np.int64]
    waiting: NDArray[np.int64]
    served: NDArray[np.int64]
    served_bytes: NDArray[np.int64]
    spilled: NDArray[np.int64]
    failed: NDArray[np.int64]
    submitted: int
    delivered: int
    refused: int
    held: int
    retrying: int
    particles_sent: int
    particles_received: int
    particles_lost: int

    @property
    def in_flight(self) -> int:
        """Exchanges taken in and not yet delivered."""
        return self.submitted - self.delivered - self.refused

    @property
    def particles_under_way(self) -> int:
        """Test particles sent that have not come and are not lost."""
        return self.particles_sent - self.particles_received - self.particles_lost


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of each exchange, in order of ids.

    Attributes
    ----------
    delivered_ns : int64 (n,)
        Instant of delivery [ns], -1 if that has not happened.
    refusal : int8 (n,)
        `Refusal`.
    retries : int32 (n,)
        How often its chunks were tried again.
    """

    delivered_ns: NDArray[np.int64]
    refusal: NDArray[np.int8]
    retries: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Collected:
    """Test particles that have come or were lost, ascending by number; each is shown once.

    Attributes
    ----------
    number : int64 (k,)
        Particles are numbered in the order in which they were sent.
    received_ns : int64 (k,)
        When it came to its target [ns], `LOST` if it never will.
    """

    number: NDArray[np.int64]
    received_ns: NDArray[np.int64]


class DataPlane(Protocol):
    """Carries exchanges between control events; `docs/adr/0007-how-exchanges-move.md` has the rules.

    A new plane stands at instant 0. Bad input raises `BadInputError` naming the place, and changes nothing.
    """

    def submit(self, batch: Exchanges) -> None:
        """Hand over exchanges, in order of submission, none before now; their ids go on where the last batch ended."""
        ...

    def advance(self, until_ns: int) -> None:
        """Let everything happen that happens before `until_ns`.

        Raises
        ------
        OverflowError
            If an instant passes 2**62 ns, naming where; the plane is unusable then.
        """
        ...

    def apply(self, command: PlaneCommand) -> None:
        """Carry out a command now: before any exchange's event of this instant."""
        ...

    def send(self, particles: SendParticles) -> int:
        """Send test particles now, and return the number of the first; its round and collection are the world's."""
        ...

    def collect(self) -> Collected:
        """Return the particles that have come or were lost since this was last asked, and forget them."""
        ...

    def snapshot(self) -> Snapshot:
        """Return the state of all stations now.

        Raises
        ------
        OverflowError
            If the server time of a station passes 2**63 ns, naming it; the plane goes on.
        """
        ...

    def outcome(self) -> Outcome:
        """Return what became of every exchange handed over so far."""
        ...
