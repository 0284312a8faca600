"""Best routes of spaces and of endpoints against trying every arc in turn, and changes against solving anew."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from made_networks import drawn_network

from router_core.best.best_routes import CLOSED, NO_STATION, UNREACHABLE, BestRoutes
from router_core.best.endpoint_routes import EndpointRoutes
from router_core.errors import BadInputError
from router_core.network import Network
from router_core.paths.route_space import RouteSpace, space_of_lines, space_of_network
from router_core.plan import route
from router_core.routing_graph import ARRIVED, READY_PROCESSED, STATES, RoutingGraph, routing_graph
from router_core.vocabulary import StationRole


def seed_ids(seed: int) -> str:
    return f"seed-{seed}-"


def drawn_space(random: Random) -> RouteSpace:
    """A platform, torn now and then, or a topology with parallel lines, loops and lines of capacity 0."""
    if random.random() < 0.5:
        return space_of_network(drawn_network(random, transit=random.choice((2, 6)), torn=random.choice((0.0, 0.3))))
    nodes = random.choice((1, 4, 9))
    ends = [(random.randrange(nodes), random.randrange(nodes)) for _ in range(random.choice((0, 3 * nodes)))]
    capacity = [float(random.choice((0, 1, 1, 2))) for _ in ends]
    return space_of_lines([f"n{node}" for node in range(nodes)], np.array(ends).reshape(-1, 2), np.array(capacity))


def drawn_costs(random: Random, count: int) -> np.ndarray:
    """Small costs, so that ties abound, or measured delays; one station in eight is closed."""
    greatest = random.choice((3, 3, 10**9))
    cost = [CLOSED if random.random() < 1 / 8 else random.randint(1, greatest) for _ in range(count)]
    return np.array(cost, dtype=np.int64)


def relaxed(graph: RoutingGraph, cost: np.ndarray, begin: int) -> np.ndarray:
    """Distances from a state, by trying every arc until none leads anywhere sooner."""
    distance = np.full(graph.state_count, UNREACHABLE, dtype=object)
    distance[begin] = 0
    length = [int(cost[station]) for station in graph.arc_station]
    arcs = [(int(a), int(b), c) for a, b, c in zip(graph.arc_tail, graph.arc_head, length, strict=True) if c < CLOSED]
    moved = True
    while moved:
        moved = False
        for tail, head, step in arcs:
            if distance[tail] + step < distance[head]:
                distance[head] = distance[tail] + step
                moved = True
    return distance


def expected(space: RouteSpace, cost: np.ndarray) -> np.ndarray:
    rows = [relaxed(space.graph, cost, int(entry))[space.exit] for entry in space.entry]
    return np.array(rows, dtype=np.int64).reshape(space.end_count, space.end_count)


def check_route(graph: RoutingGraph, begin: int, end: int, stations: tuple[int, ...]) -> None:
    """Some walk from begin to end visits exactly these stations."""
    at = {begin}
    for station in stations:
        arcs = np.flatnonzero(graph.arc_station == station)
        at = {int(graph.arc_head[arc]) for arc in arcs if int(graph.arc_tail[arc]) in at}
    assert end in at


@pytest.mark.parametrize("seed", range(30), ids=seed_ids)
def test_equals_trying_every_arc(seed: int) -> None:
    random = Random(seed)
    space = drawn_space(random)
    np.testing.assert_array_equal(BestRoutes(space).matrix(), expected(space, space.station_cost))
    cost = drawn_costs(random, space.station_count)
    best = BestRoutes(space, cost)
    matrix = best.matrix()
    np.testing.assert_array_equal(matrix, expected(space, cost))
    source, target = np.divmod(np.arange(matrix.size), max(1, len(matrix)))
    paths = best.paths(source, target)
    assert paths.unconnected.tolist() == np.flatnonzero(matrix == UNREACHABLE).tolist()
    for pair, (a, b) in enumerate(zip(source.tolist(), target.tolist(), strict=True)):
        stations = best.stations(a, b)
        assert paths.paths_of(pair) == ([] if matrix[a, b] == UNREACHABLE else [stations])
        assert best.next(a, b) == (stations[0] if stations else NO_STATION)
        if matrix[a, b] == UNREACHABLE:
            assert stations == ()
        else:
            assert sum(cost[station] for station in stations) == matrix[a, b] == best.cost(a, b)
            check_route(space.graph, int(space.entry[a]), int(space.exit[b]), stations)
    cut = [space.pair_name(a, b) for a, b in zip(*space.all_pairs(), strict=True) if matrix[a, b] == UNREACHABLE]
    assert list(best.unreachable_names()) == cut


@pytest.mark.parametrize("seed", range(20), ids=seed_ids)
def test_changes_lead_where_solving_anew_leads(seed: int) -> None:
    random = Random(100 + seed)
    space = drawn_space(random)
    cost = drawn_costs(random, space.station_count)
    best = BestRoutes(space, cost)
    for _ in range(25):
        several = random.choice((0, 1, 1, 1, 4)) if space.station_count else 0
        station = [random.randrange(space.station_count) for _ in range(several)]
        changed = [int(drawn_costs(random, 1)[0]) for _ in station]
        for index, value in zip(station, changed, strict=True):
            cost[index] = value
        if several == 1:
            best.update(station[0], changed[0])
        else:
            best.update(station, changed)
        # Labels that nobody asks for between two changes must not be taken for good ones.
        if random.random() < 0.5:
            continue
        anew = BestRoutes(space, cost)
        np.testing.assert_array_equal(best.station_cost, cost)
        np.testing.assert_array_equal(best.matrix(), anew.matrix())
        np.testing.assert_array_equal(best.paths().path_station, anew.paths().path_station)
    np.testing.assert_array_equal(best.matrix(), expected(space, cost))


def test_long_routes_find_room() -> None:
    """More stations in all than there is room for at first."""
    nodes = 200
    space = space_of_lines(
        [str(n) for n in range(nodes)], np.array([(n, n + 1) for n in range(nodes - 1)]), np.ones(199)
    )
    best = BestRoutes(space)
    paths = best.paths()
    for pair in (0, paths.pair_count // 2, paths.pair_count - 1):
        a, b = int(paths.source[pair]), int(paths.target[pair])
        assert paths.paths_of(pair) == ([tuple(range(a, b))] if a < b else [])


def best_by_hand(network: Network, cost: np.ndarray, source: int, target: int) -> int:
    """Distance of two endpoints: every pair of homes, each by trying every arc."""
    graph = routing_graph(network)
    values = cost.astype(object)
    found = UNREACHABLE
    for first in network.homes[source]:
        trunk = relaxed(graph, cost, STATES * first + ARRIVED)
        for last in network.homes[target]:
            stations = (
                network.node_station[source],
                network.access_station[source, first],
                network.access_station[last, target],
                network.node_station[target],
            )
            parts = [values[station] for station in stations] + [trunk[STATES * last + READY_PROCESSED]]
            if max(parts) < CLOSED:
                found = min(found, sum(parts))
    return found


@pytest.mark.parametrize("seed", range(12), ids=seed_ids)
def test_endpoints_are_composed_from_their_homes(seed: int) -> None:
    random = Random(seed)
    network = drawn_network(random, torn=random.choice((0.0, 0.3)))
    routes = EndpointRoutes(network, drawn_costs(random, network.station_count))
    cost = drawn_costs(random, network.station_count)
    changed = np.flatnonzero(cost != routes.station_cost)
    routes.update(changed, cost[changed])
    np.testing.assert_array_equal(routes.station_cost, cost)
    ends = network.endpoints
    source, target = (side.reshape(-1) for side in np.meshgrid(ends, ends))
    found = routes.costs(source, target)
    for a, b, distance in zip(source.tolist(), target.tolist(), found.tolist(), strict=True):
        if a == b:
            assert distance == 0
            assert routes.route(a, b) == ()
            continue
        assert distance == best_by_hand(network, cost, a, b)
        stations, trunk = routes.route(a, b), routes.trunk(a, b)
        if distance == UNREACHABLE:
            assert stations == ()
            assert trunk is None
            continue
        assert trunk is not None
        assert trunk.first in network.homes[a]
        assert trunk.last in network.homes[b]
        assert stations == route(network, a, b, trunk)
        assert sum(int(cost[station]) for station in stations) == distance
        assert [network.station_role[station] for station in stations].count(StationRole.PROCESS) == 1
        check_route(
            routing_graph(network),
            STATES * trunk.first + ARRIVED,
            STATES * trunk.last + READY_PROCESSED,
            trunk.stations,
        )


def test_a_refused_change_changes_nothing() -> None:
    space = space_of_lines(("a", "b", "c"), np.array([(0, 1), (1, 2)]), np.ones(2), np.array([5, 7]))
    best = BestRoutes(space)
    for station, cost, message in (
        ([0, 1], [2, 0], r"cost of station b>c#1: must lie in 1\.\..*, or be CLOSED \(got 0\)"),
        (1, -4, r"cost of station b>c#1"),
        (1, CLOSED - 1, r"cost of station b>c#1"),
        (2, 1, r"station: must lie in 0\.\.1 \(got 2\)"),
        (0, float("nan"), r"cost: must be whole numbers"),
    ):
        with pytest.raises(BadInputError, match=message):
            best.update(station, cost)
    with pytest.raises(BadInputError, match=r"cost of station a>b#0"):
        best.solve([0, 7])
    with pytest.raises(BadInputError, match=r"must be whole numbers of shape \(2,\)"):
        best.solve([1])
    with pytest.raises(BadInputError, match=r"target: must lie in 0\.\.2 \(got -1\)"):
        best.cost(0, -1)
    assert best.matrix().tolist() == [[0, 5, 12], [UNREACHABLE, 0, 7], [UNREACHABLE, UNREACHABLE, 0]]


def test_endpoint_routes_name_what_is_no_endpoint() -> None:
    network = drawn_network(Random(1))
    routes = EndpointRoutes(network, np.ones(network.station_count, dtype=np.int64))
    transit = int(np.flatnonzero(~network.is_endpoint)[0])
    with pytest.raises(BadInputError, match="source: must be an endpoint"):
        routes.cost(transit, int(network.endpoints[0]))
    with pytest.raises(BadInputError, match="cost of station t0"):
        routes.update(0, 0)
