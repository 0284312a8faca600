"""Where chunks enter: an endpoint that holds them back while its credit is used up."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from router_core.network import NO_LIMIT, Network
from sim.reference.agenda import SETTLE, Agenda, Happening
from sim.reference.journey import Part


class FrontEnd:
    """The credit of one endpoint, and the chunks held there.

    Parameters
    ----------
    network : Network
    node : int
    agenda : Agenda
    send : callable
        Lets an admitted chunk set out, now.
    """

    def __init__(self, network: Network, node: int, agenda: Agenda, send: Callable[[Part], None]) -> None:
        self._limit_bytes = int(network.node_credit_bytes[node])
        self._return_ns = int(network.node_credit_return_ns[node])
        self._place = f"node {network.node_name[node]}"
        self._agenda = agenda
        self._send = send
        self._outstanding_bytes = 0
        self._order = count()
        self._held: list[tuple[int, int, Part]] = []

    @property
    def held(self) -> int:
        """How many chunks are held."""
        return len(self._held)

    def enter(self, chunk: Part) -> None:
        """Admit a chunk that enters, in its own move, or hold it."""
        if self._limit_bytes == NO_LIMIT:
            self._send(chunk)
        elif self._held or not self._fits(chunk):
            heappush(self._held, (chunk.priority, next(self._order), chunk))
        else:
            self._outstanding_bytes += chunk.payload_bytes
            self._send(chunk)

    def take_back(self, chunk: Part) -> None:
        """A chunk was delivered or given up: its bytes travel back."""
        if self._limit_bytes == NO_LIMIT:
            return
        payload_bytes = chunk.payload_bytes

        def settle(_: Happening) -> None:
            self._outstanding_bytes -= payload_bytes
            self._admit()

        self._agenda.after(self._return_ns, SETTLE, Happening(self._agenda), settle, self._place)

    def _admit(self) -> None:
        """Admit the first of those held, as long as it fits; they set out in this instant's moves."""
        while self._held and self._fits(self._held[0][-1]):
            chunk = heappop(self._held)[-1]
            self._outstanding_bytes += chunk.payload_bytes
            self._agenda.after(0, chunk.rank, chunk, self._send, self._place)

    def _fits(self, chunk: Part) -> bool:
        # Else a chunk larger than the whole credit would never be sent.
        return self._outstanding_bytes == 0 or self._outstanding_bytes + chunk.payload_bytes <= self._limit_bytes
