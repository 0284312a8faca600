"""Which troubles are in force at the instant of the loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from router_core.units import MS_NS
from swarm.loop import SimulatedLoop
from swarm.troubles import Kind, Trouble

MONITORING = -1


class Weather:
    """The troubles of a world.

    Parameters
    ----------
    loop : SimulatedLoop
    begin_ns : int
        Instant 0 of the trace, by the loop's time [ns].
    troubles : sequence of Trouble
    ends : int
        How many front-ends there are.
    """

    def __init__(self, loop: SimulatedLoop, begin_ns: int, troubles: Sequence[Trouble], ends: int) -> None:
        self._loop = loop
        self._begin_ns = begin_ns
        self._troubles = tuple(troubles)
        self._ends = ends

    @property
    def now_ns(self) -> int:
        """Instant of the trace [ns]; before it began it is negative."""
        return self._loop.now_ns - self._begin_ns

    def of(self, *kinds: Kind) -> Iterator[Trouble]:
        """Yield what is in force of some kinds."""
        now_ns = self.now_ns
        return (one for one in self._troubles if one.kind in kinds and one.holds(now_ns))

    def all_of(self, *kinds: Kind) -> Iterator[Trouble]:
        """Yield what is of some kinds, whenever."""
        return (one for one in self._troubles if one.kind in kinds)

    def strikes(self, trouble: Trouble, end: int) -> bool:
        """Whether a trouble strikes a front-end, or monitoring."""
        if trouble.kind is Kind.PARTITION or trouble.kind is Kind.BAD_WIRE:
            # Some are cut off together; now and then it is everybody.
            chosen = bool((trouble.whom >> (end + 1)) & 1) or trouble.whom % (self._ends + 1) == end + 1
            return trouble.strength > 0.7 or chosen
        return trouble.whom % self._ends == end

    def struck(self, end: int, *kinds: Kind) -> Iterator[Trouble]:
        """Yield what strikes a front-end, or monitoring, now."""
        return (one for one in self.of(*kinds) if self.strikes(one, end))


def slowly(draw: np.random.Generator, strength: float) -> int:
    """How long a message takes over a bad wire [ns]: mostly little, sometimes very long."""
    return round(float(draw.exponential(200 + 4_000 * strength)) * MS_NS) if strength else 0


def usually(draw: np.random.Generator) -> int:
    """How long a message takes over a good one [ns]."""
    return int(draw.integers(1, 60)) * MS_NS
