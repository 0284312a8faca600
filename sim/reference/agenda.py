"""What happens when: SimPy's clock and queue, with the rules' own order of what happens at one instant.

SimPy orders its queue by (time, priority, sequence). Here the priority, an integer, is made of the phase and of who
moves or decides, so SimPy's sequence of scheduling never decides anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from simpy import Environment, Event

# Ranks at one instant: within a phase by key, below 2**62. SimPy ends a run with rank 0, before all of an instant.
SETTLE: Final = 1 << 62
MOVE: Final = 2 << 62
DECIDE: Final = 3 << 62
INSTANT_NS_MAX: Final = 2**62


class Happening(Event):
    """Something that is certain to happen: unlike SimPy's own events it waits for nobody to trigger it."""

    _ok = True
    _value = None

    def revoke(self) -> None:
        """Let it pass without effect. SimPy cannot unschedule, so the object must not be scheduled again."""
        self.callbacks = []


HappeningT = TypeVar("HappeningT", bound=Happening)


class Agenda(Environment):
    """SimPy's environment from instant 0, in whole nanoseconds."""

    @property
    def now_ns(self) -> int:
        """The present instant [ns]."""
        return self._now  # type: ignore[return-value]

    def after(
        self, delay_ns: int, rank: int, what: HappeningT, act: Callable[[HappeningT], None], place: str
    ) -> HappeningT:
        """Let `act(what)` happen so much later; `what` must not be scheduled already.

        Raises
        ------
        OverflowError
            If that is beyond 2**62 ns, naming `place`.
        """
        if delay_ns > INSTANT_NS_MAX - self._now:
            raise OverflowError(f"instant beyond 2**62 ns at {place}")
        what.callbacks = [act]
        self.schedule(what, rank, delay_ns)  # type: ignore[arg-type]
        return what
