"""Faults of stations over time, and what those in force together make of each station."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from math import ceil, prod
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.network import NO_POOL, Network
from router_core.units import DURATION_NS_MAX, PS_PER_BYTE_MAX
from sim.data_plane import PlaneCommand, SetStationServers, SetStationService, SetStationUp

NEVER_NS: Final = 2**63 - 1


class FaultKind(IntEnum):
    """What a fault does: its stations stop, take longer, or lose servers; or a cloud's pool lends nothing."""

    STOP = 0
    SLOW = 1
    SERVERS = 2
    POOL = 3


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes
    ----------
    kind : FaultKind
    stations : tuple of int
        What it strikes; of POOL none.
    from_ns, until_ns : int
        In force from the one instant until before the other [ns]; `NEVER_NS`: to the end of the run.
    factor : float
        SLOW: a service takes so many times as long, >= 1.
    servers : int
        SERVERS: at most so many are left, >= 1.
    pool : int
        POOL: which one, else `NO_POOL`.
    """

    kind: FaultKind
    stations: tuple[int, ...]
    from_ns: int
    until_ns: int
    factor: float = 1.0
    servers: int = 1
    pool: int = NO_POOL


class StationFaults:
    """Composes the faults in force on each station with one another, the load of other users and borrowed servers.

    A station is up while no stop is in force. Factors multiply, exactly and in any order, and what they multiply is
    what other users leave; no rate falls below the slowest a station can have. Of several losses of servers the
    greatest counts, and it strikes a station's own servers: those borrowed from a cloud are elsewhere.

    Parameters
    ----------
    network : Network
    faults : sequence of Fault

    Attributes
    ----------
    instants : tuple of int
        When something changes, ascending [ns]; `step` is to be called at each.
    up : bool (S,)
        Which stations are up now.
    pool_up : bool (P,)
        Which pools lend now; `sim.pools` says what that does to those who borrow.
    """

    def __init__(self, network: Network, faults: Sequence[Fault]) -> None:
        self._touched: dict[int, set[int]] = {}
        self._of: dict[int, list[Fault]] = {}
        self._of_pools = [fault for fault in faults if fault.kind == FaultKind.POOL]
        for fault in faults:
            for at_ns in {fault.from_ns, fault.until_ns} - {NEVER_NS}:
                self._touched.setdefault(at_ns, set()).update(fault.stations)
            for station in fault.stations:
                self._of.setdefault(station, []).append(fault)
        self.instants = tuple(sorted(self._touched))
        self.up: NDArray[np.bool_] = np.ones(network.station_count, dtype=np.bool_)
        self.pool_up: NDArray[np.bool_] = np.ones(len(network.pools), dtype=np.bool_)
        self._servers = network.station_servers.copy()
        self._servers_all = network.station_servers
        self._borrowed = np.zeros(network.station_count, dtype=np.int32)
        # What a service takes without faults; other users change it, line by line.
        self._fixed_ns = network.station_fixed_ns.copy()
        self._ps_per_byte = network.station_ps_per_byte.copy()
        self._factor: dict[int, Fraction] = {}

    def left_by_others(self, command: SetStationService) -> SetStationService:
        """Take in what other users leave of some stations, and return what is left with the faults in force."""
        self._fixed_ns[command.station] = command.fixed_ns
        self._ps_per_byte[command.station] = command.ps_per_byte
        return self._service(command.station)

    def with_borrowed(self, borrowed: NDArray[np.int32]) -> list[PlaneCommand]:
        """Take in how many servers each station has borrowed, (S,), and return what changes."""
        changed = np.flatnonzero(borrowed != self._borrowed).astype(np.int32)
        self._borrowed = borrowed.copy()
        return [self._staff(changed)] if len(changed) else []

    def step(self, now_ns: int) -> list[PlaneCommand]:
        """Return what changes at this instant; each station is set once, however many faults begin and end on it."""
        self.pool_up[:] = True
        self.pool_up[[fault.pool for fault in self._of_pools if fault.from_ns <= now_ns < fault.until_ns]] = False
        slowed, staffed, turned = [], [], []
        for station in sorted(self._touched.get(now_ns, ())):
            here = [fault for fault in self._of[station] if fault.from_ns <= now_ns < fault.until_ns]
            factor = prod((Fraction(fault.factor) for fault in here if fault.kind == FaultKind.SLOW), start=Fraction(1))
            if factor != self._factor.get(station, 1):
                self._factor[station] = factor
                slowed.append(station)
            whole = int(self._servers_all[station])
            servers = min([whole, *(fault.servers for fault in here if fault.kind == FaultKind.SERVERS)])
            if servers != self._servers[station]:
                self._servers[station] = servers
                staffed.append(station)
            up = not any(fault.kind == FaultKind.STOP for fault in here)
            if up != self.up[station]:
                self.up[station] = up
                turned.append(station)
        commands: list[PlaneCommand] = []
        if slowed:
            commands.append(self._service(np.array(slowed, dtype=np.int32)))
        if staffed:
            commands.append(self._staff(np.array(staffed, dtype=np.int32)))
        if turned:
            commands.append(SetStationUp(np.array(turned, dtype=np.int32), self.up[turned]))
        return commands

    def _staff(self, stations: NDArray[np.int32]) -> SetStationServers:
        return SetStationServers(stations, self._servers[stations] + self._borrowed[stations])

    def _service(self, stations: NDArray[np.int32]) -> SetStationService:
        fixed_ns, ps_per_byte = self._fixed_ns[stations], self._ps_per_byte[stations]
        for row, station in enumerate(stations.tolist() if self._factor else ()):
            factor = self._factor.get(station)
            if factor is not None:
                # In whole numbers: floats multiplied in another order would differ in the last nanosecond.
                fixed_ns[row] = min(ceil(int(fixed_ns[row]) * factor), DURATION_NS_MAX)
                ps_per_byte[row] = min(ceil(int(ps_per_byte[row]) * factor), PS_PER_BYTE_MAX)
        return SetStationService(stations, fixed_ns, ps_per_byte)
