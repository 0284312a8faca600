"""How many bytes a station can begin to serve in a window: what law 3 leaves of any counter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from router_core.lending import lending
from router_core.network import NO_STATION, Network
from router_core.transport import WHOLE
from router_core.units import PAYLOAD_BYTES_MAX
from router_core.vocabulary import Discipline, StationRole


class ServedBound:
    """The most bytes of services begun in a window, borrowed servers and one service under way a server included.

    Bytes count when their service begins: the last one of each server may end after the window. At a station of equal
    shares every service begins on arrival, so it is bounded by what the stations before it hand over: those of the
    node that a line leaves. Where these share too, or a byte takes no time, there is no bound.

    Parameters
    ----------
    network : Network
    chunk_bytes : int
        As in `Transport`; with `WHOLE` an exchange of any size may have begun.
    tolerance : float
        How many times the bound a counter may tell, as its window is not exact, >= 1.
    """

    def __init__(self, network: Network, chunk_bytes: int, tolerance: float) -> None:
        servers = network.station_servers.astype(np.float64)
        lent = lending(network)
        # No node has more of a pool than there is.
        servers[lent.station] += lent.budget[lent.pool]
        per_byte = network.station_ps_per_byte
        rate = np.divide(1_000.0 * servers, per_byte, out=np.full(len(servers), np.inf), where=per_byte > 0)
        last = servers * (PAYLOAD_BYTES_MAX if chunk_bytes == WHOLE else chunk_bytes)
        shares = network.station_discipline == Discipline.SHARING
        rate[shares] = np.inf
        for station in np.flatnonzero(shares & (network.station_role == StationRole.LINE)).tolist():
            node = int(network.line_source[network.station_owner[station]])
            before = [int(network.node_station[node]), int(network.node_process_station[node])]
            before = [one for one in before if one != NO_STATION]
            rate[station], last[station] = rate[before].sum(), last[before].sum()
        self._rate = rate * tolerance
        self._last = last * tolerance

    def bytes_max(self, window_ns: int) -> NDArray[np.float64]:
        """Return the bound of each station for a window of this length, (S,); infinite where there is none."""
        return np.asarray(self._rate * window_ns + self._last)
