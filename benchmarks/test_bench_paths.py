"""Path sets: the k shortest paths against netgraph-core's, and how well the chosen ones let a split do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from made_provinces import provinces
from measured import median_s
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture
from split_workloads import own_space, programmes

import scenarios
from router_core.exact.least_peak import least_peak
from router_core.exact.path_programme import best_split
from router_core.paths.capacity import platform_capacity
from router_core.paths.k_shortest import k_shortest
from router_core.paths.path_set import PathSet
from router_core.paths.route_space import RouteSpace, space_of_lines, space_of_network
from router_core.paths.survivable import choose_paths, unprotected
from traces.importers import import_files

TURNS, ROUNDS = 9, 4
NODES = range(50, 63)  # of the published networks that count
PUBLISHED_PEAK = 0.9  # the least peak utilisation of every published instance
# Several programs may share the machine: time of this process counts, not that of its neighbours.
pytestmark = pytest.mark.benchmark(timer=time.process_time)


def netgraph(space: RouteSpace, k: int) -> Callable[[NDArray[np.int32], NDArray[np.int32]], list[list[int]]]:
    """Return netgraph-core's search over a graph that is built; it takes one pair at a time."""
    core = pytest.importorskip("netgraph_core", reason="netgraph-core is in the bench extra")
    graph = space.graph
    cost = space.station_cost[graph.arc_station]
    built = core.Graph(graph.state_count, graph.arc_tail, graph.arc_head, np.ones(len(cost), dtype=np.int64), cost, 1)
    options = core.KspOptions(k)

    def search(source: NDArray[np.int32], target: NDArray[np.int32]) -> list[list[int]]:
        pairs = zip(source.tolist(), target.tolist(), strict=True)
        return [[cost for cost, _ in core.ksp(built, a, b, options)] for a, b in pairs]

    return search


@pytest.mark.parametrize(
    ("k", "every", "target"),
    [
        pytest.param(4, 20, 10, id="small"),
        pytest.param(4, 1, 10, id="4", marks=pytest.mark.heavy),
        pytest.param(8, 1, 7, id="8", marks=pytest.mark.heavy),
    ],
)
def test_k_shortest(benchmark: BenchmarkFixture, k: int, every: int, target: float) -> None:
    space, _, _ = provinces(1)
    ends = tuple(end[::every] for end in space.all_pairs())
    peer = netgraph(space, k)
    k_shortest(space, k, *ends)  # compiles
    seconds: list[float] = []
    costs: list[list[int]] = []
    turn = iter(range(TURNS * ROUNDS))

    def peer_first() -> None:
        if next(turn) % ROUNDS == 0:
            started = time.process_time()
            costs[:] = peer(*ends)
            seconds.append(time.process_time() - started)

    found: PathSet = benchmark.pedantic(lambda: k_shortest(space, k, *ends), setup=peer_first, rounds=TURNS * ROUNDS)
    assert len(costs) == found.pair_count
    assert [cost for of_pair in costs for cost in of_pair] == found.path_cost.tolist()
    assert [len(of_pair) for of_pair in costs] == np.diff(found.pair_start).tolist()
    ratio = median(seconds) / median_s(benchmark)
    benchmark.extra_info |= {
        "goal": f"ksp.{k}" if every == 1 else f"ksp.{k}.small",
        "value": ratio,
        "target": target,
        "pairs": found.pair_count,
        "peers": {"netgraph-core": median(seconds)},
        "ratio": {"netgraph-core": ratio},
    }


def check_survival(paths: PathSet) -> None:
    assert unprotected(paths).lacking == []
    assert not len(paths.unconnected)


def test_quality_small(benchmark: BenchmarkFixture) -> None:
    """The best split on the chosen paths of a made province against the least peak over all paths."""
    space, unit_load, demand = provinces(1)
    paths = benchmark.pedantic(choose_paths, (space, 1 / unit_load), rounds=3, warmup_rounds=1)
    check_survival(paths)
    between = demand[paths.source, paths.target]
    least = least_peak(space, unit_load, paths.source, paths.target, between).lower_bound
    ratio = best_split(paths, unit_load, between, tie_by_cost=False).objective / least
    assert 1 - 1e-6 <= ratio < 1.1
    benchmark.extra_info |= {
        "goal": "paths.quality.small",
        "value": ratio,
        "target": 1.015,
        "seconds": median_s(benchmark),
    }


def published() -> list[tuple[RouteSpace, NDArray[np.float64], list[NDArray[np.float64]]]]:
    """Read the published networks: space, capacity (S,), and demands (n, n) each."""
    folder = Path(os.environ.get("EXCHANGE_DATA", Path(__file__).parents[2] / "shared" / "data")) / "repetita"
    graphs = sorted(folder.glob("*.graph"))
    if not graphs:
        pytest.skip(f"published data is not at {folder}: set EXCHANGE_DATA")
    found = []
    for graph in graphs:
        read = [import_files([graph, demand]) for demand in sorted(folder.glob(f"{graph.stem}.*.demands"))]
        topology = read[0].topology
        if topology.node_count in NODES:
            capacity = np.array(topology.rate_mbps)
            space = space_of_lines(topology.node_names, topology.lines, capacity)
            found.append((space, capacity, [one.series.demand_mbps[0] for one in read]))
    return found


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(3), ids=lambda seed: f"seed-{seed}-")
def test_quality(benchmark: BenchmarkFixture, seed: int) -> None:
    """Four paths a pair, chosen without a look at any demand, on published networks of known optimum."""
    networks = published()
    chosen: list[PathSet] = benchmark.pedantic(
        lambda: [choose_paths(space, capacity, seed=seed) for space, capacity, _ in networks], rounds=3, warmup_rounds=1
    )
    ratios = []
    for paths, (_, capacity, demands) in zip(chosen, networks, strict=True):
        check_survival(paths)
        assert np.diff(paths.pair_start).max() <= 4
        for demand in demands:
            found = best_split(paths, 1 / capacity, demand[paths.source, paths.target], tie_by_cost=False)
            ratios.append(found.objective / PUBLISHED_PEAK)
    assert min(ratios) > 1 - 1e-3
    benchmark.extra_info |= {
        "goal": "paths.quality",
        "value": float(np.mean(ratios)),
        "target": 1.015,
        "p95": float(np.percentile(ratios, 95)),
        "p95_target": 1.08,
        "max": max(ratios),
        "instances": len(ratios),
        "seconds_a_network": median_s(benchmark) / len(networks),
    }


@pytest.mark.parametrize(
    "scenario", [pytest.param("toy", id="small"), pytest.param("jiangxi", marks=pytest.mark.heavy)]
)
def test_choice_for_a_platform(benchmark: BenchmarkFixture, scenario: str) -> None:
    network = scenarios.load(scenario).network
    space, capacity = space_of_network(network), platform_capacity(network)
    paths = benchmark.pedantic(choose_paths, (space, capacity), rounds=3, warmup_rounds=1)
    check_survival(paths)
    benchmark.extra_info |= {
        "goal": f"paths.choice.{scenario}",
        "value": median_s(benchmark),
        "pairs": paths.pair_count,
        "paths": paths.path_count,
    }


@pytest.mark.parametrize("kind", ["leased", "planned"])
@pytest.mark.parametrize(
    "size", [pytest.param((20, 2), id="small"), pytest.param((56, 8), id="56", marks=pytest.mark.heavy)]
)
def test_quality_on_made_networks(benchmark: BenchmarkFixture, size: tuple[int, int], kind: str) -> None:
    """On drawn networks that nothing was designed on; planned lines, sized for transit, are where it falls short."""
    drawn = [programme for programme in programmes(*size) if programme.name.endswith(kind)]
    spaces = [own_space(programme) for programme in drawn]
    chosen = benchmark.pedantic(
        lambda: [choose_paths(space, 1 / one.unit_load, 4) for space, one in zip(spaces, drawn, strict=True)], rounds=1
    )
    ratios, cheapest = [], []
    for space, paths, one in zip(spaces, chosen, drawn, strict=True):
        found = least_peak(space, one.unit_load, one.paths.source, one.paths.target, one.demand)
        for kept, set_of_paths in ((ratios, paths), (cheapest, k_shortest(space, 4))):
            split = best_split(set_of_paths, one.unit_load, one.demand, tie_by_cost=False)
            assert split.objective >= found.lower_bound * (1 - 1e-9)
            kept.append(split.objective / found.objective)
    benchmark.extra_info |= {
        "goal": f"paths.quality.{kind}",
        "value": float(np.mean(ratios)),
        "p95": float(np.quantile(ratios, 0.95)),
        "ksp_4": float(np.mean(cheapest)),
        "instances": len(ratios),
    }
