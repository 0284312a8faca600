"""The contract of brains that see demand as a series of matrices: typed events in, typed commands out.

It is the contract of `strategies.brain` where nothing is simulated: what a brain learns is the matrix of each interval
once the interval is over, and what it decides is how each pair's demand spreads over its paths. A brain never gets a
matrix before its time, and no object that holds one: who has the future is no `MatrixBrain` but a `Clairvoyant`, and
the two share no call. Nor do they with a `ProbingBrain`, which gets no matrix at all, neither before nor after: only
what its test particles bring.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.paths.path_set import PathSet
from router_core.splits.split import Split


@dataclass(frozen=True, eq=False)
class MatrixSetting:
    """What a brain is made from: the network without any demand.

    Attributes
    ----------
    paths : PathSet
        Paths of all D pairs; a brain that chooses its own paths still decides for these pairs, in this order.
    capacity : float64 (S,)
        Of each station, in the unit of the demand, > 0.
    gap : float
        How far from its bound a solved split may be, relatively.
    """

    paths: PathSet
    capacity: NDArray[np.float64]
    gap: float

    def __post_init__(self) -> None:
        stations = self.paths.space.station_count
        if np.shape(self.capacity) != (stations,):
            raise BadInputError("capacity", f"must be of shape ({stations},)", np.shape(self.capacity))
        if not 0 < self.gap < 1:
            raise BadInputError("gap", "must lie between 0 and 1", self.gap)

    @property
    def unit_load(self) -> NDArray[np.float64]:
        """Utilisation of each station by one unit of demand, (S,); infinite where there is no capacity."""
        closed = np.full(len(self.capacity), np.inf)
        return np.asarray(np.divide(1.0, self.capacity, out=closed, where=self.capacity > 0))


@dataclass(frozen=True)
class IntervalStarted:
    """An interval begins whose matrix is not known yet: what holds during it is decided now.

    Attributes
    ----------
    now_ns : int
        Begin of the interval, since 1970-01-01 UTC [ns].
    """

    now_ns: int


@dataclass(frozen=True, eq=False)
class MatrixObserved:
    """An interval is over, and its matrix has been measured.

    Attributes
    ----------
    now_ns, begin_ns : int
        When this is known, and when the interval began (earlier), since 1970-01-01 UTC [ns].
    demand : float64 (D,)
        Mean demand of each pair during the interval, read-only.
    """

    now_ns: int
    begin_ns: int
    demand: NDArray[np.float64]


MatrixEvent = IntervalStarted | MatrixObserved


@dataclass(frozen=True, eq=False)
class SetShares:
    """Demand is spread like this from now on.

    Attributes
    ----------
    paths : PathSet
        Of the same pairs in the same order as the setting's.
    shares : float64 (P,)
        At least 0; those of a pair sum to 1, or there is no path.
    solved : Split or None
        The solved programme that they come from, with its certificate; None if nothing was solved.
    """

    paths: PathSet
    shares: NDArray[np.float64]
    solved: Split | None = None


MatrixCommand = SetShares


class MatrixBrain(Protocol):
    """Decides before it sees.

    Events come in the order of their `now_ns`; an observation comes before the begin of an interval at the same
    instant. Before the first `IntervalStarted` there may be observations to learn from. `handle` is deterministic:
    equal events in equal order give equal commands, and what it decides depends on that event and earlier ones alone.
    """

    @property
    def name(self) -> str:
        """Name on the command line and in results."""
        ...

    def handle(self, event: MatrixEvent) -> list[MatrixCommand]:
        """Take in one event and return what to carry out now; at the first begin of an interval, shares."""
        ...


@runtime_checkable
class Clairvoyant(Protocol):
    """The declared exception to law 6, a yardstick: it gets the matrix of an interval as the interval begins."""

    @property
    def name(self) -> str:
        """Name on the command line and in results."""
        ...

    def foresee(self, demand: NDArray[np.float64]) -> SetShares:
        """Return shares for an interval of this demand, float64 (D,)."""
        ...


@dataclass(frozen=True)
class RoundStarted:
    """A probe round begins: shares and particles for it are decided now.

    Attributes
    ----------
    now_ns : int
        Begin of the round, since 1970-01-01 UTC [ns].
    unit_bytes : float
        What one unit of demand comes to during the round [bytes], > 0.
    """

    now_ns: int
    unit_bytes: float


@dataclass(frozen=True, eq=False)
class ParticlesReturned:
    """What the particles of a round that is over have brought; n rows, in the order in which they were asked for.

    Attributes
    ----------
    now_ns : int
        When it is known, since 1970-01-01 UTC [ns].
    path : int64 (n,)
        Of the path set over which they were sent.
    delay_s : float64 (n,)
        From one end to the other [s], > 0; NaN of one that was lost.
    """

    now_ns: int
    path: NDArray[np.int64]
    delay_s: NDArray[np.float64]


ProbeEvent = RoundStarted | ParticlesReturned


@dataclass(frozen=True, eq=False)
class SendOver:
    """Particles set out during this round, each over one path of the path set of the shares in force.

    Attributes
    ----------
    path : int64 (n,)
        A path may be asked for more than once.
    payload_bytes : int
        Of each particle, > 0.
    """

    path: NDArray[np.int64]
    payload_bytes: int


ProbeCommand = SetShares | SendOver


@runtime_checkable
class ProbingBrain(Protocol):
    """Decides by what its particles bring: of demand it knows nothing, and no event could tell it.

    A round begins with `RoundStarted`; what its particles bring comes before the next round begins. As `handle` of a
    `MatrixBrain`, `probe` is deterministic.
    """

    @property
    def name(self) -> str:
        """Name on the command line and in results."""
        ...

    def probe(self, event: ProbeEvent) -> list[ProbeCommand]:
        """Take in one event and return what to carry out now; at the first begin of a round, shares."""
        ...
