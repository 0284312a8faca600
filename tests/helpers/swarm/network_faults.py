"""Troubles of the network that is simulated, as the simulator's faults."""

from __future__ import annotations

from collections.abc import Sequence

from router_core.network import Network
from router_core.vocabulary import NodeKind
from sim.faults import Fault, FaultKind
from swarm.troubles import Kind, Trouble

IN_NETWORK = {Kind.NODE_CRASH, Kind.LINE_CUT, Kind.SLOW_LINE, Kind.POOL_EMPTY}


def faults_of(network: Network, troubles: Sequence[Trouble]) -> tuple[Fault, ...]:
    """Return the troubles of the network as the simulator's faults."""
    found = (_fault(network, one) for one in troubles if one.kind in IN_NETWORK)
    return tuple(one for one in found if one is not None)


def _fault(network: Network, one: Trouble) -> Fault | None:
    match one.kind:
        case Kind.NODE_CRASH:
            kinds = (NodeKind.CENTRE, NodeKind.ROUTER, NodeKind.FRONT_END)
            nodes = [node for node in range(network.node_count) if int(network.node_kind[node]) in kinds]
            node = nodes[one.whom % len(nodes)]
            stations = {int(network.node_station[node]), int(network.node_process_station[node])} - {-1}
            return Fault(FaultKind.STOP, tuple(sorted(stations)), one.from_ns, one.until_ns)
        case Kind.LINE_CUT:
            return Fault(FaultKind.STOP, _line(network, one.whom), one.from_ns, one.until_ns)
        case Kind.SLOW_LINE:
            factor = 1.0 + 20.0 * one.strength
            return Fault(FaultKind.SLOW, _line(network, one.whom), one.from_ns, one.until_ns, factor=factor)
        case _:
            if not network.pools:
                return None
            return Fault(FaultKind.POOL, (), one.from_ns, one.until_ns, pool=one.whom % len(network.pools))


def _line(network: Network, whom: int) -> tuple[int, ...]:
    """A line, and the one back: a digger cuts both."""
    line = whom % len(network.line_source)
    ends = int(network.line_source[line]), int(network.line_target[line])
    both = [
        int(network.line_station[other])
        for other in range(len(network.line_source))
        if (int(network.line_source[other]), int(network.line_target[other])) in (ends, ends[::-1])
        and int(network.line_carrier[other]) == int(network.line_carrier[line])
    ]
    return tuple(sorted(both))
