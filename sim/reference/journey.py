"""What moves: exchanges, in chunks."""

from __future__ import annotations

from copy import copy
from typing import Final

from router_core.transport import Transport
from sim.reference.agenda import MOVE, Agenda, Happening

CHUNK_BITS: Final = 31


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

    def chunk(self, agenda: Agenda, transport: Transport, number: int) -> Chunk:
        """Return one of its chunks; the last one is smaller."""
        before = number * transport.chunk_bytes
        is_last = number == self.chunk_count - 1
        return Chunk(agenda, self, number, self.payload_bytes - before if is_last else transport.chunk_bytes)


class Chunk(Happening):
    """One chunk of an exchange; it is its own next event, as it never has more than one.

    Attributes
    ----------
    exchange : Exchange
    number, payload_bytes : int
    key, rank : int
        (exchange id, chunk number) as one integer, and the rank of its moves.
    way : tuple of int
        The stations of its route.
    hop : int
        Position on it of the station where the chunk arrived last.
    failures : int
        How often it failed so far.
    """

    def __init__(self, agenda: Agenda, exchange: Exchange, number: int, payload_bytes: int) -> None:
        super().__init__(agenda)
        self.exchange = exchange
        self.number = number
        self.payload_bytes = payload_bytes
        self.key = exchange.number << CHUNK_BITS | number
        self.rank = MOVE + self.key
        self.way: tuple[int, ...] = ()
        self.hop = 0
        self.failures = 0

    def torn_away(self) -> Chunk:
        """Revoke what would have happened to it next, and return it as one to whom anything can happen."""
        fresh = copy(self)
        self.revoke()
        return fresh
