"""Rounds of test particles, as the world keeps them: sent by a brain, collected for it, and then forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.units import DURATION_NS_MAX
from sim.data_plane import LOST, DataPlane
from strategies.brain import ParticlesCollected, SendParticles

NOT_COME: Final = -1
ROUND_MAX: Final = 2**63 - 1


@dataclass
class _Round:
    """One round: the number of its first particle, when they were sent and came, how many have not ended yet."""

    number: int
    first: int
    sent_ns: int
    received_ns: NDArray[np.int64]
    open: int
    collected: bool = False


class ParticleRounds:
    """Which particles are of which round, and what has not been told of them.

    Parameters
    ----------
    plane : DataPlane
        Carries particles for nobody else.
    """

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane
        self._last = -1
        self._rounds: list[_Round] = []

    def send(self, command: SendParticles, now_ns: int) -> None:
        """Send a round now; raises `BadInputError` naming what breaks a rule, and then nothing is sent."""
        if not self._last < command.round <= ROUND_MAX:
            rule = f"must lie in {self._last + 1}..{ROUND_MAX}, that is after earlier ones"
            raise BadInputError("particles.round", rule, command.round)
        if not 1 <= command.collect_ns <= DURATION_NS_MAX:
            raise BadInputError("particles.collect_ns", f"must lie in 1..{DURATION_NS_MAX}", command.collect_ns)
        first = self._plane.send(command)
        count = len(command.payload_bytes)
        self._last = command.round
        self._rounds.append(_Round(command.round, first, now_ns, np.full(count, NOT_COME, dtype=np.int64), count))

    def collect(self, number: int, now_ns: int) -> ParticlesCollected:
        """Return what is known now of a round that has not been collected, and who came late of those that have."""
        late = self._note_ended()
        due = next(one for one in self._rounds if one.number == number)
        due.collected = True
        rows = [(due, np.arange(len(due.received_ns))), *late]
        self._rounds = [one for one in self._rounds if one.open or not one.collected]
        return ParticlesCollected(
            now_ns,
            round=np.concatenate([np.full(len(particle), one.number, dtype=np.int64) for one, particle in rows]),
            particle=np.concatenate([particle for _, particle in rows]).astype(np.int32),
            sent_ns=np.concatenate([np.full(len(particle), one.sent_ns, dtype=np.int64) for one, particle in rows]),
            received_ns=np.concatenate([one.received_ns[particle] for one, particle in rows]),
        )

    def _note_ended(self) -> list[tuple[_Round, NDArray[np.int64]]]:
        """Take over from the plane who has ended; return those of them who came too late for their collection."""
        ended = self._plane.collect()
        late = []
        begins = np.searchsorted(ended.number, [one.first for one in self._rounds]).tolist()
        for one, begin, end in zip(self._rounds, begins, [*begins[1:], len(ended.number)], strict=True):
            particle, received_ns = ended.number[begin:end] - one.first, ended.received_ns[begin:end]
            one.open -= len(particle)
            came = received_ns != LOST
            one.received_ns[particle[came]] = received_ns[came]
            if one.collected and came.any():
                late.append((one, particle[came]))
        return late
