"""What every way through a network obeys, whoever found it."""

from __future__ import annotations

from router_core.network import Network
from router_core.plan import Choice, Trunk
from router_core.vocabulary import NodeKind, StationRole


def check_trunk(network: Network, trunk: Trunk, source_homes: tuple[int, ...], target_homes: tuple[int, ...]) -> None:
    """Assert that a trunk exists, is processed once at a centre, and passes no node twice in one processing state."""
    assert trunk.first in source_homes
    assert trunk.last in target_homes
    roles = [int(network.station_role[station]) for station in trunk.stations]
    owners = [int(network.station_owner[station]) for station in trunk.stations]
    assert roles.count(StationRole.PROCESS) == 1
    # Nodes and lines take turns, from the first home to the last.
    assert all((role == StationRole.LINE) == (place % 2 == 1) for place, role in enumerate(roles))
    nodes = owners[::2]
    assert nodes[0] == trunk.first
    assert nodes[-1] == trunk.last
    for before, line, after in zip(nodes, owners[1::2], nodes[1:], strict=False):
        assert (int(network.line_source[line]), int(network.line_target[line])) == (before, after)
        assert int(network.line_station[line]) in trunk.stations
    for place, node in enumerate(nodes):
        assert not network.is_endpoint[node], "endpoints are never transit"
        processed_here = roles[2 * place] == StationRole.PROCESS
        expected = network.node_process_station[node] if processed_here else network.node_station[node]
        assert trunk.stations[2 * place] == expected
    where = roles.index(StationRole.PROCESS) // 2
    assert network.node_kind[nodes[where]] == NodeKind.CENTRE
    for part in (nodes[: where + 1], nodes[where:]):
        assert len(set(part)) == len(part)


def check_choice(network: Network, choice: Choice, source_group: int, target_group: int) -> None:
    """Assert the laws of a choice and of each of its trunks."""
    assert len(choice.trunks) == len(choice.weights) > 0
    assert all(isinstance(weight, int) and weight >= 0 for weight in choice.weights)
    assert sum(choice.weights) > 0
    for trunk in choice.trunks:
        check_trunk(network, trunk, network.groups[source_group], network.groups[target_group])
