"""Rounds of particles: what was sent, what is overdue, and whether what is collected can be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from strategies.brain import ParticlesCollected, SendParticles
from strategies.guard.shapes import fits
from strategies.guard.verdict import Flaw, Stream, Verdict

# Late particles of older rounds than these are not known any more.
ROUNDS_KEPT: Final = 64
# A collection counts as missing when it is overdue by this share of the time it was to take.
GRACE: Final = 0.5
NOT_COME: Final = -1
_TYPES: Final[dict[str, type[np.generic]]] = {
    "round": np.int64,
    "particle": np.int32,
    "sent_ns": np.int64,
    "received_ns": np.int64,
}


@dataclass
class _Round:
    particles: int
    sent_ns: int
    collect_ns: int
    come: NDArray[np.bool_]
    collected: bool = False
    told: bool = False


class Rounds:
    """Keeps the last rounds sent and judges collections by them.

    Parameters
    ----------
    lost_share : float
        A round of which more particles have not come says nothing.
    """

    def __init__(self, lost_share: float) -> None:
        self._lost_share = lost_share
        self._of: dict[int, _Round] = {}

    def sent(self, command: SendParticles, now_ns: int) -> None:
        """Take in that a round set out."""
        particles = len(command.payload_bytes)
        come = np.zeros(particles, dtype=np.bool_)
        self._of[command.round] = _Round(particles, now_ns, command.collect_ns, come)
        while len(self._of) > ROUNDS_KEPT:
            del self._of[next(iter(self._of))]

    def overdue(self, now_ns: int) -> int:
        """Return how many rounds have not been collected in time that no call has told of yet."""
        count = 0
        for one in self._of.values():
            if not one.collected and not one.told and now_ns > one.sent_ns + (1 + GRACE) * one.collect_ns:
                one.told = True
                count += 1
        return count

    def judge(self, event: ParticlesCollected) -> Verdict:
        """Judge a collection; rows that cannot be are left out."""
        flaw = self._flaw(event)
        if flaw is not None:
            return Verdict(Stream.PARTICLES, event.now_ns, None, flaw)
        if not len(event.round):
            return Verdict(Stream.PARTICLES, event.now_ns, event, None, event.now_ns)
        own = event.round == event.round[0]
        self._of[int(event.round[0])].collected = True
        wrong = self._wrong(event)
        silent = own & (wrong | (event.received_ns == NOT_COME))
        if np.count_nonzero(silent) > self._lost_share * np.count_nonzero(own):
            mostly = 2 * np.count_nonzero(own & wrong) > np.count_nonzero(silent)
            flaw = Flaw.MOSTLY_ABSURD if mostly else Flaw.LOST
            return Verdict(Stream.PARTICLES, event.now_ns, None, flaw, event.now_ns)
        if not wrong.any():
            return Verdict(Stream.PARTICLES, event.now_ns, event, None, event.now_ns)
        clean = replace(event, **{name: getattr(event, name)[~wrong] for name in _TYPES})
        ignored = np.flatnonzero(wrong)
        return Verdict(Stream.PARTICLES, event.now_ns, clean, Flaw.OUT_OF_RANGE, event.now_ns, ignored)

    def _flaw(self, event: ParticlesCollected) -> Flaw | None:
        """What is wrong with a collection as a whole."""
        rows = len(event.round) if isinstance(event.round, np.ndarray) else 0
        if not all(fits(getattr(event, name), kind, rows) for name, kind in _TYPES.items()):
            return Flaw.SHAPE
        if not rows:
            return None
        round_of = self._of.get(int(event.round[0]))
        if round_of is None:
            return Flaw.OUT_OF_RANGE
        if round_of.collected:
            return Flaw.DUPLICATED
        newest = max((number for number, one in self._of.items() if one.collected), default=-1)
        return Flaw.REORDERED if event.round[0] < newest else None

    def _wrong(self, event: ParticlesCollected) -> NDArray[np.bool_]:
        """Rows that cannot be, or tell of a particle again; they are left out, and the others remembered."""
        wrong = np.ones(len(event.round), dtype=np.bool_)
        for number in np.unique(event.round).tolist():
            round_of = self._of.get(number)
            if round_of is None:
                continue
            rows = np.flatnonzero(event.round == number)
            particle, sent_ns, received_ns = event.particle[rows], event.sent_ns[rows], event.received_ns[rows]
            inside = (particle >= 0) & (particle < round_of.particles)
            good = inside & (sent_ns >= round_of.sent_ns) & (sent_ns <= event.now_ns)
            come = received_ns != NOT_COME
            good &= ~come | ((received_ns >= sent_ns) & (received_ns <= event.now_ns))
            good &= ~round_of.come[np.where(inside, particle, 0)] if round_of.particles else False
            first = np.zeros(len(rows), dtype=np.bool_)
            first[np.unique(np.where(good, particle, -1), return_index=True)[1]] = True
            good &= first
            round_of.come[particle[good & come]] = True
            wrong[rows] = ~good
        return wrong
