"""SHARING: everyone is served at once, in equal shares, exact in integers by virtual time."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final

from router_core.network import Network
from sim.reference.agenda import SETTLE, Agenda, Happening
from sim.reference.journey import Chunk
from sim.reference.station import Station

# Virtual time counts in parts of a nanosecond, so that rounding it down costs no one a whole one.
PARTS: Final = 1024


class SharingStation(Station):
    """A station of discipline SHARING; `Station` describes its parameters."""

    def __init__(
        self,
        network: Network,
        index: int,
        agenda: Agenda,
        onward: Callable[[Chunk], None],
        fail: Callable[[Chunk], None],
    ) -> None:
        super().__init__(network, index, agenda, onward, fail)
        self._virtual = 0
        self._since_ns = 0
        self._spent_ns = 0
        self._order = count()
        self._sharers: list[tuple[int, int, Chunk]] = []  # a heap by tag
        self._alarm = Happening(agenda)

    @property
    def waiting(self) -> int:
        """No one waits."""
        return 0

    @property
    def busy_ns(self) -> int:
        """Integral of the servers in use; asking changes nothing."""
        return self._spent_ns + (self._agenda.now_ns - self._since_ns) * min(len(self._sharers), self.servers)

    def set_servers(self, servers: int) -> None:
        """Share so many servers from now on."""
        if servers != self.servers:
            self._catch_up()
            self.servers = servers
            self._set_alarm()

    def set_service(self, fixed_ns: int, ps_per_byte: int) -> None:
        """Serve at these figures; a new rate stretches what is left of those under way."""
        new, old = ps_per_byte, self.ps_per_byte
        if new != old:
            self._catch_up()
            if old > 0:
                now = self._virtual
                self._sharers = [(now - (now - tag) * new // old, order, chunk) for tag, order, chunk in self._sharers]
                heapify(self._sharers)
            self._set_alarm()
        super().set_service(fixed_ns, ps_per_byte)

    def _take(self, chunk: Chunk) -> None:
        self._catch_up()
        self._count(chunk)
        heappush(self._sharers, (self._virtual + PARTS * self._service_ns(chunk), next(self._order), chunk))
        self._set_alarm()

    def _clear(self) -> list[Chunk]:
        self._catch_up()
        off = [chunk for *_, chunk in self._sharers]
        self._sharers.clear()
        self._set_alarm()
        return off

    def _catch_up(self) -> None:
        """Bring virtual time up to now. It is rounded, so this may be done at changes alone, never at a look."""
        elapsed_ns = self._agenda.now_ns - self._since_ns
        sharing = len(self._sharers)
        self._spent_ns += elapsed_ns * min(sharing, self.servers)
        if sharing <= self.servers:
            self._virtual += elapsed_ns * PARTS
        else:
            self._virtual += elapsed_ns * PARTS * self.servers // sharing
        self._since_ns = self._agenda.now_ns

    def _set_alarm(self) -> None:
        """Set the alarm for the next to leave; a short one that has just come may be earlier than any before."""
        self._alarm.revoke()
        if self._sharers:
            # Negative if it is due at this instant and a command came first.
            rest = max(0, self._sharers[0][0] - self._virtual)
            crowd, servers = max(len(self._sharers), self.servers), self.servers
            delay_ns = -(-rest * crowd // (PARTS * servers))
            self._alarm = Happening(self._agenda)
            self._agenda.after(delay_ns, SETTLE, self._alarm, self._leave, self.place)

    def _leave(self, _: Happening) -> None:
        """Whoever is done leaves; each goes on in its own move at this instant."""
        self._catch_up()
        while self._sharers and self._sharers[0][0] <= self._virtual:
            chunk = heappop(self._sharers)[-1]
            self._agenda.after(0, chunk.rank, chunk, self._onward, self.place)
        self._set_alarm()
