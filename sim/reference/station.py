"""What every station has, whatever its discipline: figures, counts, and whether it works at all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from router_core.network import Network
from router_core.units import service_ns
from sim.reference.agenda import Agenda
from sim.reference.journey import Chunk


class Station(ABC):
    """Servers, and whom they serve.

    Parameters
    ----------
    network : Network
    index : int
    agenda : Agenda
    onward : callable
        Takes over a chunk that has been served.
    fail : callable
        Takes over a chunk that failed.

    Attributes
    ----------
    place : str
        What an error calls it.
    servers, fixed_ns, ps_per_byte : int
        As they are in force.
    up : bool
    served, served_bytes, spilled, failed : int
        As in `Snapshot`.
    """

    def __init__(
        self,
        network: Network,
        index: int,
        agenda: Agenda,
        onward: Callable[[Chunk], None],
        fail: Callable[[Chunk], None],
    ) -> None:
        self._index = index
        self.place = f"station {network.station_name[index]}"
        self._agenda = agenda
        self._onward = onward
        self._fail = fail
        self.servers = int(network.station_servers[index])
        self.fixed_ns = int(network.station_fixed_ns[index])
        self.ps_per_byte = int(network.station_ps_per_byte[index])
        self.up = True
        self.served = 0
        self.served_bytes = 0
        self.spilled = 0
        self.failed = 0

    def arrive(self, chunk: Chunk) -> None:
        """A chunk arrives, in its own move."""
        if self.up:
            self._take(chunk)
        else:
            self.failed += 1
            self._fail(chunk)

    def set_up(self, up: bool) -> None:
        """Stop, and everyone on the station fails; or return, empty."""
        if not up:
            for chunk in self._clear():
                self.failed += 1
                self._fail(chunk)
        self.up = up

    def set_service(self, fixed_ns: int, ps_per_byte: int) -> None:
        """Serve at these figures whoever begins from now on."""
        self.fixed_ns = fixed_ns
        self.ps_per_byte = ps_per_byte

    @abstractmethod
    def set_servers(self, servers: int) -> None:
        """Have so many servers from now on; services under way go on."""

    @property
    @abstractmethod
    def waiting(self) -> int:
        """How many wait for a server."""

    @property
    @abstractmethod
    def busy_ns(self) -> int:
        """Server time spent up to now [ns]."""

    @abstractmethod
    def _take(self, chunk: Chunk) -> None:
        """Serve a chunk that arrives, or let it wait."""

    @abstractmethod
    def _clear(self) -> list[Chunk]:
        """Take everyone off the station."""

    def _service_ns(self, chunk: Chunk) -> int:
        """How long a service of a chunk takes that begins now [ns]."""
        return service_ns(self.fixed_ns, self.ps_per_byte, chunk.payload_bytes)

    def _count(self, chunk: Chunk) -> None:
        self.served += 1
        self.served_bytes += chunk.payload_bytes
