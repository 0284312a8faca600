"""Spaces for tests of paths: small drawn topologies and platforms, and paths found without any cleverness."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import numpy as np
from made_networks import drawn_network
from scipy.optimize import linprog
from scipy.sparse import csr_array

from router_core.network import Network
from router_core.paths.path_set import PathSet
from router_core.paths.route_space import RouteSpace, space_of_lines, space_of_network


def drawn_topology(
    random: Random, nodes: int, lines: int, *, cost_max: int | None = 3, both_ways: bool = False
) -> RouteSpace:
    """Draw lines at random: parallel ones, ties, zero capacities, loops at a node and parts without a way among them.

    A bound on the costs of None leaves them to the capacities. With `both_ways` each line also goes back, and all form
    one connected whole.
    """
    ends = [(random.randrange(nodes), random.randrange(nodes)) for _ in range(lines)]
    if both_ways:
        ends = [(number, random.randrange(number)) for number in range(1, nodes)] + [(a, b) for a, b in ends if a != b]
        ends += [(b, a) for a, b in ends]
    capacity = np.array([float(random.choice((0, 1, 2, 10) if not both_ways else (1, 2, 10))) for _ in ends])
    cost = None if cost_max is None else np.array([random.randint(1, cost_max) for _ in ends])
    carrier = np.array([random.randrange(-1, 2) for _ in ends])
    names = [f"n{number}" for number in range(nodes)]
    return space_of_lines(names, np.array(ends).reshape(-1, 2), capacity, cost, carrier=carrier)


def drawn_platform(random: Random, *, torn: float = 0.0, transit: int = 4) -> tuple[Network, RouteSpace]:
    """Draw a platform and its space."""
    network = drawn_network(random, transit=transit, front_ends=3, extra_lines=random.randint(0, 3), torn=torn)
    return network, space_of_network(network)


def all_paths(
    space: RouteSpace, source: int, target: int, closed: frozenset[int] = frozenset()
) -> list[tuple[int, ...]]:
    """List every loopless path of a pair that avoids the closed stations."""
    graph, end = space.graph, int(space.exit[target])

    def onward(state: int, visited: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if state == end:
            yield ()
            return
        for arc in range(graph.arc_start[state], graph.arc_start[state + 1]):
            head, station = int(graph.arc_head[arc]), int(graph.arc_station[arc])
            if head not in visited and station not in closed:
                for rest in onward(head, (*visited, head)):
                    yield (station, *rest)

    entry = int(space.entry[source])
    return list(onward(entry, (entry,)))


def cost_of(space: RouteSpace, path: tuple[int, ...]) -> int:
    return sum(int(space.station_cost[station]) for station in path)


def is_lawful(space: RouteSpace, source: int, target: int, path: tuple[int, ...]) -> bool:
    """Whether stations lead from an entry to an exit over arcs, and some way to read them repeats no state."""
    graph = space.graph
    front = {(int(space.entry[source]),)}
    for station in path:
        onward = set()
        for visited in front:
            for arc in range(graph.arc_start[visited[-1]], graph.arc_start[visited[-1] + 1]):
                head = int(graph.arc_head[arc])
                if graph.arc_station[arc] == station and head not in visited:
                    onward.add((*visited, head))
        front = onward
    return any(visited[-1] == space.exit[target] for visited in front)


def check_lawful(paths: PathSet) -> None:
    """Assert that a set's paths exist arc by arc, repeat no state, and differ."""
    space = paths.space
    assert paths.pair_start[0] == 0
    assert paths.path_start[0] == 0
    assert paths.pair_start[-1] == paths.path_count
    assert paths.path_start[-1] == len(paths.path_station)
    for pair, (source, target) in enumerate(zip(paths.source.tolist(), paths.target.tolist(), strict=True)):
        found = paths.paths_of(pair)
        assert len(set(found)) == len(found)
        for path in found:
            assert is_lawful(space, source, target, path), (space.pair_name(source, target), path)


def drawn_capacity(random: Random, space: RouteSpace) -> np.ndarray:
    """Draw capacities, closed and endless stations among them."""
    return np.array([random.choice((0.0, 1.0, 1.0, 2.0, 10.0, np.inf)) for _ in range(space.station_count)])


def least_peak(paths: PathSet, capacity: np.ndarray, demand: np.ndarray) -> float:
    """Peak utilisation of the best split, by a linear programme over shares."""
    count = paths.path_count
    column = np.repeat(np.arange(count), np.diff(paths.path_start))
    use = demand[paths.path_pair][column] / capacity[paths.path_station]
    stations = paths.space.station_count
    rows = np.concatenate((paths.path_station, np.arange(stations)))
    columns = np.concatenate((column, np.full(stations, count)))
    load = csr_array((np.concatenate((use, np.full(stations, -1.0))), (rows, columns)), shape=(stations, count + 1))
    whole = csr_array((np.ones(count), (paths.path_pair, np.arange(count))), shape=(paths.pair_count, count + 1))
    objective = np.zeros(count + 1)
    objective[-1] = 1.0
    solved = linprog(
        objective, A_ub=load, b_ub=np.zeros(stations), A_eq=whole, b_eq=np.ones(paths.pair_count), method="highs"
    )
    assert solved.status == 0, solved.message
    return float(solved.fun)
