"""What became of the exchanges and of the test particles, and how many of them are where."""

from __future__ import annotations

from array import array
from typing import Final

import numpy as np

from sim.data_plane import LOST, Collected, Outcome, Refusal

NOT_DELIVERED: Final = -1


class Ledger:
    """Accounts of all exchanges handed over, by id.

    Attributes
    ----------
    submitted, delivered, refused : int
        Exchanges so far.
    retrying : int
        Chunks that wait for their next attempt now.
    particles_sent, particles_received, particles_lost : int
        Particles so far.
    """

    def __init__(self) -> None:
        self.submitted = 0
        self.delivered = 0
        self.refused = 0
        self.retrying = 0
        self.particles_sent = 0
        self.particles_received = 0
        self.particles_lost = 0
        self._ended: dict[int, int] = {}  # particles not collected yet
        self._delivered_ns = array("q")
        self._refusal = array("b")
        self._retries = array("i")

    def __len__(self) -> int:
        return len(self._refusal)

    def open(self, count: int) -> None:
        """Open accounts for so many further exchanges."""
        self._delivered_ns.extend([NOT_DELIVERED] * count)
        self._refusal.extend([Refusal.NOT_REFUSED] * count)
        self._retries.extend([0] * count)

    def deliver(self, number: int, now_ns: int) -> None:
        """All chunks of an exchange have been delivered."""
        assert self._delivered_ns[number] == NOT_DELIVERED, "nothing is delivered twice"
        assert self._refusal[number] == Refusal.NOT_REFUSED, "nothing refused is delivered"
        self._delivered_ns[number] = now_ns
        self.delivered += 1

    def refuse(self, number: int, reason: Refusal) -> None:
        """An exchange is refused."""
        assert self._refusal[number] == Refusal.NOT_REFUSED, "nothing is refused twice"
        self._refusal[number] = reason
        self.refused += 1

    def try_again(self, number: int) -> None:
        """A chunk of an exchange has failed and will be tried again."""
        self.retrying += 1
        self._retries[number] += 1

    def outcome(self) -> Outcome:
        """Return what became of every exchange."""
        return Outcome(
            np.array(self._delivered_ns, dtype=np.int64),
            np.array(self._refusal, dtype=np.int8),
            np.array(self._retries, dtype=np.int32),
        )

    def receive(self, number: int, now_ns: int) -> None:
        """A particle has come to its target."""
        assert number not in self._ended, "nothing comes twice"
        self._ended[number] = now_ns
        self.particles_received += 1

    def lose(self, number: int) -> None:
        """A particle is lost."""
        assert number not in self._ended, "nothing that has come is lost"
        self._ended[number] = LOST
        self.particles_lost += 1

    def collect(self) -> Collected:
        """Return the particles that have ended, and forget them."""
        ended = sorted(self._ended.items())
        self._ended.clear()
        number, received_ns = np.array(ended, dtype=np.int64).reshape(-1, 2).T
        return Collected(number, received_ns)
