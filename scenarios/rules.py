"""Rules of a whole network that no single key can break: what endpoints hang on, and that all are joined."""

from __future__ import annotations

import numpy as np

from router_core.errors import BadInputError
from router_core.network import Network
from router_core.vocabulary import NodeKind

_HOMES = {
    NodeKind.FRONT_END: ((NodeKind.CENTRE, NodeKind.CROSSING), "a front-end hangs on centres or on the crossing"),
    NodeKind.EXTERNAL: ((NodeKind.GATEWAY,), "an external endpoint hangs on gateways"),
}


def check_network(network: Network) -> None:
    """Raise `BadInputError` with the place ``node NAME`` for the first node that breaks a rule.

    Front-ends hang on centres or a crossing and externals on gateways, so that every exchange can pass a centre;
    every node can be reached from every other without passing an endpoint; there is a centre and an endpoint pair.
    """
    for node, homes in network.homes.items():
        allowed, rule = _HOMES[NodeKind(network.node_kind[node])]
        for home in homes:
            if network.node_kind[home] not in allowed:
                raise BadInputError(f"node {network.node_name[node]}", rule, network.node_name[home])
    if len(network.nodes_of(NodeKind.CENTRE)) == 0:
        raise BadInputError("nodes", "every exchange passes a centre, so there is at least one", 0)
    if len(network.endpoints) < 2:
        raise BadInputError("nodes", "an exchange needs two endpoints", len(network.endpoints))
    stranded = np.flatnonzero(~_reached(network))
    if len(stranded):
        rule = "every node is joined to every other over lines that end at no endpoint on the way"
        raise BadInputError(f"node {network.node_name[stranded[0]]}", rule, "no line leads there")


def _reached(network: Network) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Nodes reachable from the first centre without transit through an endpoint."""
    follows: list[list[int]] = [[] for _ in range(network.node_count)]
    for source, target in zip(network.line_source.tolist(), network.line_target.tolist(), strict=True):
        follows[source].append(target)
    first = int(network.nodes_of(NodeKind.CENTRE)[0])
    reached = np.zeros(network.node_count, dtype=np.bool_)
    reached[first] = True
    stack = [first]
    while stack:
        node = stack.pop()
        if network.is_endpoint[node]:
            continue
        for target in follows[node]:
            if not reached[target]:
                reached[target] = True
                stack.append(target)
    return reached
