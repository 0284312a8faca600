"""What happened in a world, line by line, and which law was broken first."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from router_core.units import SECOND_NS
from swarm.loop import SimulatedLoop


@dataclass(frozen=True)
class Broken:
    """A law that was broken.

    Attributes
    ----------
    law : str
        Its number or its name.
    at_ns : int
        By the loop's time [ns].
    said : str
    """

    law: str
    at_ns: int
    said: str

    def __str__(self) -> str:
        return f"law {self.law} at {self.at_ns / SECOND_NS:.3f} s: {self.said}"


class Journal:
    """Takes notes; equal runs have equal digests.

    Parameters
    ----------
    loop : SimulatedLoop

    Attributes
    ----------
    notes : list of tuple
        Instant [ns], what, and facts.
    broken : list of Broken
    """

    def __init__(self, loop: SimulatedLoop) -> None:
        self.notes: list[tuple[int, str, tuple[object, ...]]] = []
        self.broken: list[Broken] = []
        self._loop = loop
        self._digest = hashlib.sha256()

    def note(self, what: str, *facts: object) -> None:
        """Write down what happened now; facts are plain values."""
        line = (self._loop.now_ns, what, facts)
        self.notes.append(line)
        self._digest.update(repr(line).encode())

    def breaks(self, law: str, said: str) -> None:
        """Write down that a law is broken now."""
        self.broken.append(Broken(law, self._loop.now_ns, said))
        self.note("broken", law, said)

    def count(self, what: str) -> int:
        """How often something was written down."""
        return sum(1 for _, one, _ in self.notes if one == what)

    def lines(self) -> tuple[str, ...]:
        """Return all notes, a line each."""
        return tuple(
            f"{at_ns / SECOND_NS:10.3f} {what} {' '.join(map(str, facts))}" for at_ns, what, facts in self.notes
        )

    def digest(self, *more: bytes) -> str:
        """Digest of all notes, and of what else is given."""
        state = self._digest.copy()
        for one in more:
            state.update(one)
        return state.hexdigest()
