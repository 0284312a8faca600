"""The stations' series of a run: what each slot did, kept only where something happened."""

from __future__ import annotations

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
    rows : StationSlots
    """

    edge_ns: NDArray[np.int64]
    held: NDArray[np.int64]
    retrying: NDArray[np.int64]
    rows: StationSlots


class SeriesRecorder:
    """Takes a snapshot at each slot's border."""

    def __init__(self, network: Network) -> None:
        self._servers = network.station_servers.astype(np.float64)
        self._last: Snapshot | None = None
        self._edges: list[int] = []
        self._held: list[int] = []
        self._retrying: list[int] = []
        self._parts: list[tuple[NDArray[np.generic], ...]] = []

    def record(self, snapshot: Snapshot) -> None:
        """Close the slot that ends now; the first snapshot only opens the first one."""
        last, self._last = self._last, snapshot
        if last is not None and snapshot.now_ns == last.now_ns:
            self._last = last
            return
        self._edges.append(snapshot.now_ns)
        if last is None:
            return
        self._held.append(snapshot.held)
        self._retrying.append(snapshot.retrying)
        busy_ns = snapshot.busy_ns - last.busy_ns
        served, spilled = snapshot.served - last.served, snapshot.spilled - last.spilled
        failed = snapshot.failed - last.failed
        kept = np.flatnonzero((busy_ns > 0) | (served > 0) | (snapshot.waiting > 0) | (spilled > 0) | (failed > 0))
        share = busy_ns[kept] / (self._servers[kept] * (snapshot.now_ns - last.now_ns))
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
        return Series(edge_ns, held, retrying, StationSlots(*columns))
