"""Best routes of all pairs: of 56 centres, of 696 nodes, of a nation; and of a province's lawful routes.

How peers are treated: `benchmarks/peers/graph_libraries.py` has each library's best function; graphs are built outside
the clock, with the cheapest of parallel lines, while ours takes new costs of all lines within it. All take turns. The
value is the ratio to the fastest peer that finds distances *and* what gives next hops; those that find distances alone
are recorded under names that say so. Ours uses one core, rustworkx and networkit two where it helps them. Each
benchmark asserts that all distances are equal, and that next hops lead on over lines.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from statistics import median
from typing import Any

import numpy as np
import pytest
from measured import median_s
from numpy.typing import NDArray
from peers.graph_libraries import (
    Peer,
    netgraph_spf,
    networkit_apsp,
    networkit_dijkstra,
    reversed_matrix,
    rustworkx_floyd_warshall,
    rustworkx_lengths,
    scipy_dijkstra,
    scipy_floyd_warshall,
)
from pytest_benchmark.fixture import BenchmarkFixture
from route_workloads import Lines, Size, lines
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

import scenarios
from router_core.best.all_pairs import CLOSED, UNREACHABLE, AllPairs
from router_core.best.best_routes import BestRoutes
from router_core.best.regional_pairs import RegionalPairs
from router_core.kernels.regional_pairs import distances
from router_core.paths.route_space import space_of_network
from router_core.randomness import stream

ALONE = " (distances alone)"
SMALL = Size(cities=3, counties=2, front_ends=20)
SEED = 20_260_319


def in_turns(
    benchmark: BenchmarkFixture, ours: Callable[[], Any], peers: dict[str, Peer], *, turns: int, rounds: int
) -> dict[str, Any]:
    """Run each peer `rounds` times, then ours as often, and all that `turns` times; return what each peer found last.

    A few times in a row, as one run of some microseconds after a library that fills the caches would time the caches.
    """
    seconds: dict[str, list[float]] = {name: [] for name in peers}
    found: dict[str, Any] = {}
    begun = count()
    ours()

    def turn() -> None:
        if next(begun) % rounds:
            return
        for name, (solve, _) in peers.items():
            for _ in range(rounds):
                started = time.perf_counter()
                found[name] = solve()
                seconds[name].append(time.perf_counter() - started)

    benchmark.pedantic(ours, setup=turn, rounds=turns * rounds)
    medians = {name: median(values) for name, values in seconds.items()}
    ratios = {name: value / median_s(benchmark) for name, value in medians.items()}
    fair = [ratio for name, ratio in ratios.items() if not name.endswith(ALONE)]
    benchmark.extra_info |= {"peers": medians, "ratio": ratios, "value": min(fair)}
    return found


def record(benchmark: BenchmarkFixture, size: Size, goal: str, target: float | None = None, **values: Any) -> None:
    """Note a goal with its target; small sizes have neither, as they are run to see that they work."""
    if size.centres < Size().centres:
        goal, target = f"{goal}.small", None
    benchmark.extra_info |= {"goal": goal, **values} | ({} if target is None else {"target": target})


def check_same(pairs: AllPairs, work: Lines, peers: dict[str, Peer], found: dict[str, Any]) -> None:
    """All distances are equal, and each next hop is a line on a shortest route."""
    expected = np.where(pairs.distance == UNREACHABLE, np.inf, pairs.distance)
    for name, (_, distances_of) in peers.items():
        np.testing.assert_array_equal(distances_of(found[name]), expected, err_msg=name)
    length = np.full(expected.shape, np.inf)
    np.minimum.at(length, tuple(work.ends.T), work.cost)
    source, target = np.nonzero(np.isfinite(expected) & ~np.eye(len(expected), dtype=bool))
    after = pairs.next_node[source, target]
    np.testing.assert_array_equal(length[source, after] + expected[after, target], expected[source, target])


@pytest.mark.parametrize(
    ("size", "turns"),
    [pytest.param(SMALL, 2, id="small"), pytest.param(Size(), 20, id="56", marks=pytest.mark.heavy)],
)
def test_all_pairs_of_centres(benchmark: BenchmarkFixture, size: Size, turns: int) -> None:
    whole = lines(size)
    inner = (whole.ends < size.centres).all(axis=1)
    work = Lines(whole.ends[inner], whole.cost[inner], whole.province[: size.centres], whole.transit[: size.centres])
    pairs = AllPairs(size.centres, work.ends)
    graph = (size.centres, *work.cheapest())
    peers = {
        # One thread: on a busy machine a second one waits for its core a hundred times as long as the work takes.
        "networkit, APSP" + ALONE: networkit_apsp(*graph),
        "networkit": networkit_dijkstra(*graph),
        "netgraph-core": netgraph_spf(*graph),
        "scipy, Dijkstra": scipy_dijkstra(*graph),
        "scipy, Floyd-Warshall": scipy_floyd_warshall(*graph),
        "rustworkx": rustworkx_floyd_warshall(*graph),
    }
    found = in_turns(benchmark, lambda: pairs.solve(work.cost), peers, turns=turns, rounds=20)
    check_same(pairs, work, peers, found)
    record(benchmark, size, "route.56", 15.0, nodes=size.centres, lines=len(work.cost))


@pytest.mark.parametrize(
    ("size", "turns"),
    [pytest.param(SMALL, 2, id="small"), pytest.param(Size(), 5, id="696", marks=pytest.mark.heavy)],
)
def test_all_pairs_with_front_ends(benchmark: BenchmarkFixture, size: Size, turns: int) -> None:
    """Distances alone count in favour of a peer here, too: at this size they are what is fastest in two libraries."""
    work = lines(size)
    pairs = AllPairs(work.node_count, work.ends, transit=work.transit)
    graph = (work.node_count, *work.cheapest())
    peers = {
        # Its threads go on waiting for work for a while, so it is farthest from ours.
        "networkit, APSP, 2 threads" + ALONE: networkit_apsp(*graph, threads=2),
        "networkit": networkit_dijkstra(*graph),
        "netgraph-core": netgraph_spf(*graph),
        "rustworkx" + ALONE: rustworkx_lengths(*graph),
        "scipy": scipy_dijkstra(*graph),
    }
    found = in_turns(benchmark, lambda: pairs.solve(work.cost), peers, turns=turns, rounds=3)
    check_same(pairs, work, peers, found)
    value = min(benchmark.extra_info["ratio"].values())
    record(benchmark, size, "route.696", 40.0, value=value, nodes=work.node_count)


@pytest.mark.parametrize(
    "size", [pytest.param(SMALL, id="small"), pytest.param(Size(), id="56", marks=pytest.mark.heavy)]
)
def test_change_of_one_line(benchmark: BenchmarkFixture, size: Size) -> None:
    """The dearest of all changes of one line among the centres; the record's own statistics are over all changes."""
    work = lines(size)
    inner = (work.ends < size.centres).all(axis=1)
    ends, cost = work.ends[inner], work.cost[inner]
    pairs, anew = AllPairs(size.centres, ends), AllPairs(size.centres, ends)
    pairs.solve(cost)
    worst = dearest_change(benchmark, pairs, [(line, int(cost[line])) for line in range(len(cost))], turns=9)
    anew.solve(cost)
    np.testing.assert_array_equal(pairs.distance, anew.distance)
    np.testing.assert_array_equal(pairs.next_node, anew.next_node)
    record(benchmark, size, "route.56.change", value=worst)


def dearest_change(
    benchmark: BenchmarkFixture, pairs: AllPairs | RegionalPairs, changed: list[tuple[int, int]], *, turns: int
) -> float:
    """Fail and repair each line, make it longer and shorter, `turns` times each; return the greatest median [s]."""
    steps = [(line, value) for line, cost in changed for value in (CLOSED, cost, 3 * cost, max(1, cost // 2), cost)]
    for line, value in steps[:10]:
        pairs.update(line, value)
    order = iter(steps * turns)
    benchmark.pedantic(pairs.update, setup=lambda: (next(order), {}), rounds=len(steps) * turns)
    if benchmark.stats is None:
        return float("nan")
    seconds = np.array(benchmark.stats.stats.data).reshape(turns, len(steps))
    return float(np.median(seconds, axis=0).max())


NATIONS = [
    pytest.param(Size(cities=3, counties=2, front_ends=20, provinces=3), id="small"),
    pytest.param(Size(provinces=31), id="21576", marks=pytest.mark.heavy),
]


def nation(size: Size) -> tuple[Lines, RegionalPairs]:
    """Return a nation and its tables, solved and equal to SciPy's from a few sources."""
    work = lines(size)
    pairs = RegionalPairs(work.province, work.ends, transit=work.transit)
    pairs.solve(work.cost)
    return work, pairs


def check_nation(benchmark: BenchmarkFixture, work: Lines, pairs: RegionalPairs) -> None:
    """From three sources all distances are SciPy's; how long one of its searches takes goes on record."""
    ends, cost = work.cheapest()
    graph = reversed_matrix(work.node_count, ends[:, ::-1], cost)
    everyone = np.arange(work.node_count)
    started = time.perf_counter()
    sources = stream(SEED, "sources").choice(everyone, 3, replace=False)
    expected = dijkstra(graph, indices=sources)
    seconds = (time.perf_counter() - started) / len(sources)
    for source, row in zip(sources, expected, strict=True):
        np.testing.assert_array_equal(pairs.distances(np.full_like(everyone, source), everyone), row)
    benchmark.extra_info |= {
        "peers": {"scipy, Dijkstra from one source": seconds},
        "nodes": work.node_count,
        "bytes": pairs.nbytes,
    }


@pytest.mark.parametrize("size", NATIONS)
def test_national_change(benchmark: BenchmarkFixture, size: Size) -> None:
    """The dearest change of any line among the centres of one province, until every pair is exact again."""
    work, pairs = nation(size)
    own = np.flatnonzero((work.ends < size.centres).all(axis=1))
    worst = dearest_change(benchmark, pairs, [(line, int(work.cost[line])) for line in own.tolist()], turns=9)
    check_nation(benchmark, work, pairs)
    record(benchmark, size, "national.update", 25e-6, value=worst)


@pytest.mark.parametrize("size", NATIONS)
def test_national_pair(benchmark: BenchmarkFixture, size: Size) -> None:
    """Pairs of any nodes drawn from the whole nation, in compiled code; seconds a pair."""
    work, pairs = nation(size)
    draws = stream(SEED, "pairs").integers(0, work.node_count, (2, 100_000)).astype(np.int32)
    found = np.empty(draws.shape[1], dtype=np.int64)
    arguments = (draws[0], draws[1], *pairs._answers, found)
    benchmark.pedantic(distances, arguments, rounds=30, warmup_rounds=1)
    np.testing.assert_array_equal(found, pairs.distances(draws[0], draws[1]))
    assert (found < UNREACHABLE).all()
    check_nation(benchmark, work, pairs)
    assert pairs.nbytes < 1_000_000
    record(benchmark, size, "national.query", 50e-9, value=median_s(benchmark) / len(found))


def layered(space: Any, cost: NDArray[np.int64]) -> csr_array:
    """Matrix of a space's states, the cheapest of parallel arcs each."""
    graph = space.graph
    lengths = cost[graph.arc_station]
    order = np.lexsort((lengths, graph.arc_head, graph.arc_tail))
    arcs = np.stack((graph.arc_tail, graph.arc_head), axis=1)[order]
    ends, first = np.unique(arcs, axis=0, return_index=True)
    shape = (graph.state_count, graph.state_count)
    return csr_array((lengths[order][first].astype(np.float64), (ends[:, 0], ends[:, 1])), shape=shape)


@pytest.mark.parametrize(
    "scenario", [pytest.param("toy", id="small"), pytest.param("jiangxi", marks=pytest.mark.heavy)]
)
def test_lawful_routes_of_a_scenario(benchmark: BenchmarkFixture, scenario: str) -> None:
    """New costs of all stations, and the cost of the best lawful route of all pairs of ends."""
    space = space_of_network(scenarios.load(scenario).network)
    best, cost = BestRoutes(space), np.array(space.station_cost)
    graph = layered(space, cost)
    peers: dict[str, Peer] = {
        "scipy": (lambda: dijkstra(graph, indices=space.entry), lambda found: found[:, space.exit])
    }

    def ours() -> NDArray[np.int64]:
        best.solve(cost)
        return best.matrix()

    found = in_turns(benchmark, ours, peers, turns=3, rounds=10)
    np.testing.assert_array_equal(peers["scipy"][1](found["scipy"]), best.matrix())
    benchmark.extra_info |= {"goal": f"best.{scenario}", "ends": space.end_count}


@pytest.mark.parametrize(
    "scenario", [pytest.param("toy", id="small"), pytest.param("jiangxi", marks=pytest.mark.heavy)]
)
def test_change_of_one_station(benchmark: BenchmarkFixture, scenario: str) -> None:
    """One station three times as dear, and back, each station in its turn; labels are made when next asked for."""
    space = space_of_network(scenarios.load(scenario).network)
    best, cost = BestRoutes(space), np.array(space.station_cost)
    steps = [(station, factor * int(cost[station])) for station in range(len(cost)) for factor in (3, 1)]
    best.update(*steps[1])
    order = iter(steps)
    benchmark.pedantic(best.update, setup=lambda: (next(order), {}), rounds=len(steps))
    np.testing.assert_array_equal(best.matrix(), BestRoutes(space).matrix())
    benchmark.extra_info |= {"goal": f"best.{scenario}.change", "value": median_s(benchmark)}
