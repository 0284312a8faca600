"""Clocks of machines in a simulated world: they follow the loop's time, and are wrong by what troubles say."""

from __future__ import annotations

from collections.abc import Callable

from router_core.units import MINUTE_NS
from swarm.loop import SimulatedLoop

SKEW_NS = 5 * MINUTE_NS


class MachineClock:
    """`feed.clock.Clock` of one machine.

    Parameters
    ----------
    loop : SimulatedLoop
    zero_ns : int
        When the loop's time began, since 1970 [ns].
    wrong_ns : callable
        By how much it is wrong now [ns].
    """

    def __init__(self, loop: SimulatedLoop, zero_ns: int, wrong_ns: Callable[[], int] = lambda: 0) -> None:
        self._loop = loop
        self._zero_ns = zero_ns
        self._wrong_ns = wrong_ns

    def now_ns(self) -> int:
        """Nanoseconds since 1970-01-01T00:00:00Z, as this machine has it."""
        return self._zero_ns + self._loop.now_ns + self._wrong_ns()
