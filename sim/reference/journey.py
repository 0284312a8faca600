"""What moves: exchanges, in chunks, and test particles, which are one chunk each."""

from __future__ import annotations

from copy import copy
from typing import Final, Self

from router_core.transport import Transport
from sim.reference.agenda import MOVE, Agenda, Happening

CHUNK_BITS: Final = 31
# Greater than every exchange's id.
BEHIND_ALL: Final = 2**CHUNK_BITS - 1


class Exchange:
    """One exchange under way.

    Attributes
    ----------
    number, source, target, payload_bytes, priority : int
        Its id, and what was handed over.
    chunk_count, undelivered, last_sent : int
        How many chunks it has, how many are not delivered yet, and the number of the last one sent so far.
    given_up : bool
        Whether it was refused because one of its chunks failed too often.
    """

    __slots__ = (
        "chunk_count",
        "given_up",
        "last_sent",
        "number",
        "payload_bytes",
        "priority",
        "source",
        "target",
        "undelivered",
    )

    def __init__(
        self, number: int, source: int, target: int, payload_bytes: int, priority: int, chunk_count: int
    ) -> None:
        self.number = number
        self.source = source
        self.target = target
        self.payload_bytes = payload_bytes
        self.priority = priority
        self.chunk_count = chunk_count
        self.last_sent = 0
        self.undelivered = chunk_count
        self.given_up = False

    def chunk(self, agenda: Agenda, transport: Transport, number: int) -> Part:
        """Return one of its chunks; the last one is smaller."""
        before = number * transport.chunk_bytes
        is_last = number == self.chunk_count - 1
        return Part(agenda, self, number, self.payload_bytes - before if is_last else transport.chunk_bytes)


class Chunk(Happening):
    """What moves as one; it is its own next event, as it never has more than one.

    Attributes
    ----------
    payload_bytes, priority : int
    key, rank : int
        (exchange id, chunk number) as one integer, and the rank of its moves.
    way : tuple of int
        The stations of its route.
    hop : int
        Position on it of the station where the chunk arrived last.
    """

    def __init__(self, agenda: Agenda, key: int, payload_bytes: int, priority: int) -> None:
        super().__init__(agenda)
        self.payload_bytes = payload_bytes
        self.priority = priority
        self.key = key
        self.rank = MOVE + key
        self.way: tuple[int, ...] = ()
        self.hop = 0

    def torn_away(self) -> Self:
        """Revoke what would have happened to it next, and return it as one to whom anything can happen."""
        fresh = copy(self)
        self.revoke()
        return fresh


class Part(Chunk):
    """One chunk of an exchange.

    Attributes
    ----------
    exchange : Exchange
    number : int
    failures : int
        How often it failed so far.
    """

    def __init__(self, agenda: Agenda, exchange: Exchange, number: int, payload_bytes: int) -> None:
        super().__init__(agenda, exchange.number << CHUNK_BITS | number, payload_bytes, exchange.priority)
        self.exchange = exchange
        self.number = number
        self.failures = 0


class Particle(Chunk):
    """A test particle: its key is that of a chunk of an exchange behind all others.

    Attributes
    ----------
    number : int
    """

    def __init__(self, agenda: Agenda, number: int, way: tuple[int, ...], payload_bytes: int, priority: int) -> None:
        super().__init__(agenda, BEHIND_ALL << CHUNK_BITS | number, payload_bytes, priority)
        self.number = number
        self.way = way
