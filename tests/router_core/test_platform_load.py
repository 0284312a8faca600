"""From demand to split to route table: the solver and the load model say the same of every station."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from made_spaces import drawn_platform

from router_core.demand_model import Demand
from router_core.errors import BadInputError
from router_core.loads import utilisation
from router_core.paths.k_shortest import k_shortest
from router_core.paths.platform_load import group_demand, platform_unit_load
from router_core.splits.peak import PeakSolver
from router_core.table import route_table

# Shares become whole weights of this many in a table.
WEIGHTS = 2**16


def drawn_demand(random: Random, network: object, pairs: list[tuple[int, int]]) -> Demand:
    source, target = np.array(pairs, dtype=np.int32).T
    exchanges = np.array([random.uniform(0.1, 3) for _ in pairs])
    return Demand(source, target, exchanges, exchanges * [random.uniform(1e3, 1e6) for _ in pairs])


@pytest.mark.parametrize("seed", range(20), ids=lambda seed: f"seed-{seed}-")
def test_solver_and_load_model_agree(seed: int) -> None:
    random = Random(seed)
    network, space = drawn_platform(random, transit=5)
    paths = k_shortest(space, 3)
    groups = network.node_group
    joined = {
        (int(a), int(b))
        for a, b, first, last in zip(
            paths.source, paths.target, paths.pair_start[:-1], paths.pair_start[1:], strict=True
        )
        if last > first
    }
    ends = network.endpoints.tolist()
    pairs = [(a, b) for a in ends for b in ends if a != b and (int(groups[a]), int(groups[b])) in joined]
    if not pairs:
        pytest.skip("nothing is joined in this one")
    demand = drawn_demand(random, network, pairs)
    available = np.array([random.uniform(0.3, 1) for _ in range(network.line_count)])
    solver = PeakSolver(paths, platform_unit_load(network, available))
    asked = group_demand(network, paths, demand)
    split = solver.solve(asked)
    told = solver.utilisation(asked, split.shares)
    found = utilisation(network, route_table(network, split), demand, available)
    # Endpoints' own stations carry the same whatever the routing; the lines of a group with several homes are pooled.
    inner = np.ones(network.station_count, dtype=bool)
    inner[network.node_station[ends]] = False
    inner[list(network.access_station.values())] = False
    np.testing.assert_allclose(found[inner], told[inner], atol=len(pairs) * 8 / WEIGHTS * told.max())
    pooled = {int(station) for path in range(paths.path_count) for station in paths.stations(path)} - set(
        np.flatnonzero(inner).tolist()
    )
    for group, homes in enumerate(network.groups):
        members = np.flatnonzero(groups == group)
        for home in homes:
            own = [network.access_station[int(node), home] for node in members]
            if network.access_station[network.group_endpoint[group], home] in pooled:
                mean = told[network.access_station[network.group_endpoint[group], home]]
                assert found[own].mean() == pytest.approx(mean, rel=1e-2, abs=1e-3 * told.max())


def test_demand_of_a_pair_without_paths_is_named() -> None:
    network, space = drawn_platform(Random(1))
    paths = k_shortest(space, 1, [0], [0])
    ends = network.endpoints.tolist()
    strange = next((a, b) for a in ends for b in ends if (network.node_group[a], network.node_group[b]) != (0, 0))
    with pytest.raises(
        BadInputError, match=f"demand of {network.node_name[strange[0]]} - {network.node_name[strange[1]]}"
    ):
        group_demand(network, paths, drawn_demand(Random(1), network, [strange]))
