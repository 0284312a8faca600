"""Where servers from a cloud's pool serve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.network import NO_POOL, NO_STATION, Network


@dataclass(frozen=True, eq=False)
class Lending:
    """The B nodes that can borrow, ascending.

    Attributes
    ----------
    node, station, pool : int32 (B,)
        The node, the station at which its borrowed servers serve (an endpoint's own one, a centre's processing), and
        the pool they come from.
    budget : int64 (pools,)
        Servers that each pool can lend at once.
    start_ns : int64 (B,)
        From the request until a server serves [ns].
    """

    node: NDArray[np.int32]
    station: NDArray[np.int32]
    pool: NDArray[np.int32]
    budget: NDArray[np.int64]
    start_ns: NDArray[np.int64]


def lending_station(network: Network) -> NDArray[np.int32]:
    """Return where each node borrows servers for, (N,): its processing if it has one, else its own station."""
    own, process = network.node_station, network.node_process_station
    return np.where(process != NO_STATION, process, own).astype(np.int32)


def lending(network: Network) -> Lending:
    """Return who can borrow from whom."""
    node = np.flatnonzero(network.node_pool != NO_POOL).astype(np.int32)
    pool = network.node_pool[node]
    return Lending(
        node=node,
        station=lending_station(network)[node],
        pool=pool,
        budget=np.array([one.servers for one in network.pools], dtype=np.int64),
        start_ns=np.array([network.pools[number].start_ns for number in pool.tolist()], dtype=np.int64),
    )
