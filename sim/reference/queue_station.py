"""FIFO and PRIORITY: each server serves one chunk, the others wait, in memory or on disk."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

from router_core.network import NO_LIMIT, Network
from router_core.units import service_ns
from router_core.vocabulary import Discipline
from sim.reference.agenda import DECIDE, Agenda, Happening
from sim.reference.journey import Chunk
from sim.reference.station import Station


class QueueStation(Station):
    """A station of discipline FIFO or PRIORITY; `Station` describes its parameters."""

    def __init__(
        self,
        network: Network,
        index: int,
        agenda: Agenda,
        onward: Callable[[Chunk], None],
        fail: Callable[[Chunk], None],
    ) -> None:
        super().__init__(network, index, agenda, onward, fail)
        self._by_class = network.station_discipline[index] == Discipline.PRIORITY
        self._buffer_bytes = int(network.station_buffer_bytes[index])
        self._spill_fixed_ns = int(network.station_spill_fixed_ns[index])
        self._spill_ps_per_byte = int(network.station_spill_ps_per_byte[index])
        # First come, first served and nothing to judge: whoever finds a free server and no queue, or is first when a
        # server falls free, is whom the station would start in the end. Starting it there and then gives the same
        # integers, and saves the event in which to decide.
        self._prompt = not self._by_class and self._buffer_bytes == NO_LIMIT
        self._order = count()
        self._waiting: list[tuple[int, int, Chunk]] = []
        self._arrived: list[Chunk] = []  # at this instant, where there is a buffer
        self._in_memory: set[Chunk] = set()
        self._on_disk: set[Chunk] = set()
        self._memory_bytes = 0
        self._end_ns: dict[Chunk, int] = {}  # of those in service
        self._work_ns = 0  # server time of all services begun
        self._deciding = False

    @property
    def waiting(self) -> int:
        """How many wait for a server."""
        return len(self._waiting)

    @property
    def busy_ns(self) -> int:
        """Server time spent: what was begun, less what is still to do of it."""
        return self._work_ns - sum(self._end_ns.values()) + len(self._end_ns) * self._agenda.now_ns

    def set_servers(self, servers: int) -> None:
        """Have so many servers; whoever can start does so when the station decides."""
        self.servers = servers
        self._decide_now()

    def _take(self, chunk: Chunk) -> None:
        if self._prompt and not self._waiting and len(self._end_ns) < self.servers:
            self._start(chunk)
            return
        heappush(self._waiting, (chunk.priority if self._by_class else 0, next(self._order), chunk))
        if not self._prompt:
            if self._buffer_bytes != NO_LIMIT:
                self._arrived.append(chunk)
            self._decide_now()

    def _clear(self) -> list[Chunk]:
        now_ns = self._agenda.now_ns
        self._work_ns -= sum(end_ns - now_ns for end_ns in self._end_ns.values())
        off = [chunk for *_, chunk in self._waiting] + [chunk.torn_away() for chunk in self._end_ns]
        self._waiting.clear()
        self._end_ns.clear()
        self._in_memory.clear()
        self._on_disk.clear()
        self._memory_bytes = 0
        return off

    def _decide_now(self) -> None:
        """Decide once, after all moves of this instant."""
        if not self._deciding:
            self._deciding = True
            self._agenda.after(0, DECIDE + self._index, Happening(self._agenda), self._decide, self.place)

    def _decide(self, _: Happening) -> None:
        self._deciding = False
        self._start_waiting()
        for chunk in self._arrived:
            if chunk in self._end_ns:
                continue
            if self._memory_bytes + chunk.payload_bytes <= self._buffer_bytes:
                self._in_memory.add(chunk)
                self._memory_bytes += chunk.payload_bytes
            else:
                self._on_disk.add(chunk)
                self.spilled += 1
        self._arrived.clear()

    def _start_waiting(self) -> None:
        while self._waiting and len(self._end_ns) < self.servers:
            self._start(heappop(self._waiting)[-1])

    def _start(self, chunk: Chunk) -> None:
        takes_ns = self._service_ns(chunk) + self._fetch_ns(chunk)
        self._count(chunk)
        self._work_ns += takes_ns
        self._end_ns[chunk] = self._agenda.now_ns + takes_ns
        self._agenda.after(takes_ns, chunk.rank, chunk, self._end, self.place)

    def _fetch_ns(self, chunk: Chunk) -> int:
        """Free the memory where a chunk waited, or return how long it takes to fetch it from disk [ns]."""
        if chunk in self._in_memory:
            self._in_memory.remove(chunk)
            self._memory_bytes -= chunk.payload_bytes
        elif chunk in self._on_disk:
            self._on_disk.remove(chunk)
            return service_ns(self._spill_fixed_ns, self._spill_ps_per_byte, chunk.payload_bytes)
        return 0

    def _end(self, chunk: Chunk) -> None:
        del self._end_ns[chunk]
        if self._prompt:
            self._start_waiting()
        else:
            self._decide_now()
        self._onward(chunk)
