"""The stations' series of a run: what each slot did, kept only where something happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.network import Network
from sim.data_plane import Snapshot
from sim.results import StationSlots


@dataclass(frozen=True, eq=False)
class Series:
    """Stations by slots; a station's slot without a row is all zero.

    Attributes
    ----------
    edge_ns : int64 (T + 1,)
        Borders of the T slots [ns]; the last slot may be shorter.
    held, retrying : int64 (T,)
        Chunks that wait for credit, and for their next attempt, at each slot's end.
    withheld, withheld_bytes : int64 (T,)
        Exchanges that front-ends hold back as the brain told them, and their bytes, at each slot's end.
    lent : int64 (T, P)
        Servers that each pool has lent at each slot's end, starting ones included.
    rows : StationSlots
    """

    edge_ns: NDArray[np.int64]
    held: NDArray[np.int64]
    retrying: NDArray[np.int64]
    withheld: NDArray[np.int64]
    withheld_bytes: NDArray[np.int64]
    lent: NDArray[np.int64]
    rows: StationSlots


@dataclass(frozen=True, eq=False)
class Steered:
    """What the brain's commands make of front-ends and pools at one instant.

    Attributes
    ----------
    withheld, withheld_bytes : int
        As in `Series`.
    lent : sequence of int, length P
        As in `Series`.
    borrowed_ns : int64 (S,)
        Time that borrowed servers were there at each station since the start of the run [ns].
    """

    withheld: int
    withheld_bytes: int
    lent: Sequence[int]
    borrowed_ns: NDArray[np.int64]


class SeriesRecorder:
    """Takes a snapshot at each slot's border."""

    def __init__(self, network: Network) -> None:
        self._servers = network.station_servers.astype(np.float64)
        self._last: tuple[Snapshot, Steered] | None = None
        self._pools = len(network.pools)
        self._edges: list[int] = []
        self._held: list[int] = []
        self._retrying: list[int] = []
        self._withheld: list[tuple[int, int]] = []
        self._lent: list[Sequence[int]] = []
        self._parts: list[tuple[NDArray[np.generic], ...]] = []

    def record(self, snapshot: Snapshot, steered: Steered) -> None:
        """Close the slot that ends now; the first snapshot only opens the first one."""
        before = self._last
        if before is not None and snapshot.now_ns == before[0].now_ns:
            return
        self._last = snapshot, steered
        self._edges.append(snapshot.now_ns)
        if before is None:
            return
        last, steered_before = before
        self._held.append(snapshot.held)
        self._retrying.append(snapshot.retrying)
        self._withheld.append((steered.withheld, steered.withheld_bytes))
        self._lent.append(steered.lent)
        busy_ns = snapshot.busy_ns - last.busy_ns
        served, spilled = snapshot.served - last.served, snapshot.spilled - last.spilled
        failed = snapshot.failed - last.failed
        kept = np.flatnonzero((busy_ns > 0) | (served > 0) | (snapshot.waiting > 0) | (spilled > 0) | (failed > 0))
        there_ns = self._servers * (snapshot.now_ns - last.now_ns) + (steered.borrowed_ns - steered_before.borrowed_ns)
        # A service that outlasts a server given back makes a station busier than its servers can be.
        share = np.minimum(busy_ns[kept] / there_ns[kept], 1.0)
        self._parts.append(
            (
                np.full(len(kept), len(self._edges) - 2, dtype=np.int32),
                kept.astype(np.int32),
                share.astype(np.float32),
                snapshot.waiting[kept].astype(np.int32),
                served[kept],
                (snapshot.served_bytes - last.served_bytes)[kept],
                spilled[kept],
                failed[kept],
            )
        )

    def series(self) -> Series:
        """Return what was recorded."""
        empty = tuple(np.empty(0, dtype=kind) for kind in ("i4", "i4", "f4", "i4", "i8", "i8", "i8", "i8"))
        columns = [np.concatenate(column) for column in zip(empty, *self._parts, strict=True)]
        edge_ns, held, retrying = (np.array(of, dtype=np.int64) for of in (self._edges, self._held, self._retrying))
        withheld = np.array(self._withheld, dtype=np.int64).reshape(len(self._withheld), 2)
        lent = np.array(self._lent, dtype=np.int64).reshape(len(self._lent), self._pools)
        return Series(edge_ns, held, retrying, withheld[:, 0], withheld[:, 1], lent, StationSlots(*columns))
