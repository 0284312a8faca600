"""The graph in which every path is a valid trunk: it leaves as processed what entered unprocessed.

Each transit node has four states: arrived or ready to leave, unprocessed or processed. Every arc is one station:
passing a node keeps the processing state, processing at a centre changes it, lines join nodes within a state. A path
from "arrived unprocessed" at one home to "ready, processed" at another then passes exactly one centre's processing,
and is loop-free in each processing state (`docs/adr/0003`). The construction is the layered graph of service chains
(Dwaraki and Wolf, "Adaptive Service-Chain Routing for Virtual Network Functions", 2016).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.network import NO_STATION, Network
from router_core.vocabulary import NodeKind

ARRIVED: Final = 0
READY: Final = 1
ARRIVED_PROCESSED: Final = 2
READY_PROCESSED: Final = 3
STATES: Final = 4


@dataclass(frozen=True, eq=False)
class RoutingGraph:
    """Arcs in compressed rows by their tail; A arcs over ``4 * node_count`` states (state = 4 * node + kind).

    Attributes
    ----------
    arc_start : int64 (4 N + 1,)
        Arcs that leave state x: ``arc_start[x]:arc_start[x + 1]``.
    arc_tail, arc_head : int32 (A,)
        States.
    arc_station : int32 (A,)
        The one station an exchange visits on the arc.
    """

    arc_start: NDArray[np.int64]
    arc_tail: NDArray[np.int32]
    arc_head: NDArray[np.int32]
    arc_station: NDArray[np.int32]

    @property
    def state_count(self) -> int:
        """Number of states."""
        return len(self.arc_start) - 1

    def extended(self, arcs: list[tuple[int, int, int]]) -> RoutingGraph:
        """Return the graph with further arcs (tail, head, station)."""
        if not arcs:
            return self
        more = np.array(arcs, dtype=np.int32)
        return compressed(
            np.concatenate((self.arc_tail, more[:, 0])),
            np.concatenate((self.arc_head, more[:, 1])),
            np.concatenate((self.arc_station, more[:, 2])),
            self.state_count,
        )


def routing_graph(network: Network, *, process_at_first_centre: bool = False) -> RoutingGraph:
    """Build the graph; endpoints have no arcs, as they are never transit.

    Parameters
    ----------
    network : Network
    process_at_first_centre : bool
        Leave out passing a centre unprocessed: an exchange is then processed where it first meets a centre, as a
        router that knows no load would do.
    """
    tail: list[NDArray[np.int64]] = []
    head: list[NDArray[np.int64]] = []
    station: list[NDArray[np.int64]] = []

    def add(tails: NDArray[np.integer], heads: NDArray[np.integer], stations: NDArray[np.integer]) -> None:
        tail.append(tails.astype(np.int64))
        head.append(heads.astype(np.int64))
        station.append(stations.astype(np.int64))

    transit = np.flatnonzero(~network.is_endpoint)
    centres = network.nodes_of(NodeKind.CENTRE)
    unprocessed = np.setdiff1d(transit, centres) if process_at_first_centre else transit
    passing = network.node_station
    add(STATES * unprocessed + ARRIVED, STATES * unprocessed + READY, passing[unprocessed])
    add(STATES * transit + ARRIVED_PROCESSED, STATES * transit + READY_PROCESSED, passing[transit])
    process = network.node_process_station[centres]
    assert (process != NO_STATION).all(), "every centre processes"
    add(STATES * centres + ARRIVED, STATES * centres + READY_PROCESSED, process)
    lines = np.flatnonzero(~network.is_endpoint[network.line_source] & ~network.is_endpoint[network.line_target])
    source = network.line_source[lines].astype(np.int64)
    target = network.line_target[lines].astype(np.int64)
    add(STATES * source + READY, STATES * target + ARRIVED, network.line_station[lines])
    add(STATES * source + READY_PROCESSED, STATES * target + ARRIVED_PROCESSED, network.line_station[lines])

    return compressed(np.concatenate(tail), np.concatenate(head), np.concatenate(station), STATES * network.node_count)


def compressed(
    tails: NDArray[np.integer], heads: NDArray[np.integer], stations: NDArray[np.integer], states: int
) -> RoutingGraph:
    """Return the graph of these arcs, which may come in any order, over so many states."""
    order = np.lexsort((stations, heads, tails))
    counts = np.bincount(tails, minlength=states)
    return RoutingGraph(
        arc_start=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        arc_tail=tails[order].astype(np.int32),
        arc_head=heads[order].astype(np.int32),
        arc_station=stations[order].astype(np.int32),
    )
