"""All pairs in libraries of graphs, each as its documentation does it best; the graph is built beforehand.

A result has the distances, (n, n), and, but for those that say so, what gives next hops: predecessors on the reversed
graph, or successors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra, floyd_warshall

Solve = Callable[[], Any]
Distances = Callable[[Any], NDArray[np.float64]]
# What it does, and the distances in what it returned, indexed as (source, target).
Peer = tuple[Solve, Distances]


def reversed_matrix(nodes: int, ends: NDArray[np.int64], cost: NDArray[np.int64]) -> csr_array:
    """Matrix of the reversed graph: predecessors there are next hops here."""
    return csr_array((cost.astype(np.float64), (ends[:, 1], ends[:, 0])), shape=(nodes, nodes))


def scipy_floyd_warshall(nodes: int, ends: NDArray[np.int64], cost: NDArray[np.int64]) -> Peer:
    graph = reversed_matrix(nodes, ends, cost)
    return lambda: floyd_warshall(graph, return_predecessors=True), lambda found: found[0].T


def scipy_dijkstra(nodes: int, ends: NDArray[np.int64], cost: NDArray[np.int64]) -> Peer:
    graph = reversed_matrix(nodes, ends, cost)
    return lambda: dijkstra(graph, return_predecessors=True), lambda found: found[0].T


def _rustworkx_graph(nodes: int, ends: NDArray[np.int64], cost: NDArray[np.int64]) -> tuple[Any, Any]:
    rustworkx = pytest.importorskip("rustworkx", reason="peers are in the extra bench")
    graph = rustworkx.PyDiGraph()
    graph.add_nodes_from(range(nodes))
    graph.add_edges_from([(a, b, float(c)) for (a, b), c in zip(ends.tolist(), cost.tolist(), strict=True)])
    return rustworkx, graph


def rustworkx_floyd_warshall(nodes: int, ends: NDArray[np.int64], cost: NDArray[np.int64]) -> Peer:
    library, graph = _rustworkx_graph(nodes, ends, cost)
    solve = library.digraph_floyd_warshall_successor_and_distance
    return lambda: solve(graph, weight_fn=float), lambda found: found[0]


def rustworkx_lengths(nodes: int, ends: NDArray[np.int64], cost: NDArray[np.int64]) -> Peer:
    """Distances alone."""
    library, graph = _rustworkx_graph(nodes, ends, cost)

    def distances(found: Any) -> NDArray[np.float64]:
        result = np.full((nodes, nodes), np.inf)
        np.fill_diagonal(result, 0)
        for source, row in found.items():
            result[source, list(row)] = list(row.values())
        return result

    return lambda: library.digraph_all_pairs_dijkstra_path_lengths(graph, float), distances


def _networkit_graph(nodes: int, ends: NDArray[np.int64], cost: NDArray[np.int64]) -> tuple[Any, Any]:
    networkit = pytest.importorskip("networkit", reason="peers are in the extra bench")
    graph = networkit.Graph(nodes, weighted=True, directed=True)
    for (a, b), length in zip(ends.tolist(), cost.tolist(), strict=True):
        graph.addEdge(a, b, length)
    return networkit, graph


def networkit_dijkstra(nodes: int, ends: NDArray[np.int64], cost: NDArray[np.int64]) -> Peer:
    library, graph = _networkit_graph(nodes, ends, cost)

    def solve() -> Any:
        searches = [library.distance.Dijkstra(graph, source, storePaths=True) for source in range(nodes)]
        for search in searches:
            search.run()
        return searches

    return solve, lambda found: np.array([search.getDistances() for search in found])


def networkit_apsp(nodes: int, ends: NDArray[np.int64], cost: NDArray[np.int64], threads: int = 1) -> Peer:
    """Distances alone, left in the library."""
    library, graph = _networkit_graph(nodes, ends, cost)

    def solve() -> Any:
        library.setNumberOfThreads(threads)
        search = library.distance.APSP(graph)
        search.run()
        return search

    return solve, lambda found: np.array(found.getDistances())


def netgraph_spf(nodes: int, ends: NDArray[np.int64], cost: NDArray[np.int64]) -> Peer:
    library = pytest.importorskip("netgraph_core", reason="peers are in the extra bench")
    tail, head = (np.ascontiguousarray(side, dtype=np.int32) for side in ends.T)
    graph = library.Graph(nodes, tail, head, np.ones(len(cost), dtype=np.int64), cost, 1.0)
    options = library.SpfOptions(library.Direction.FORWARD, parallel_edges=False)

    def distances(found: Any) -> NDArray[np.float64]:
        costs = np.array([search.costs for search in found])
        return np.where(costs == library.UNREACHABLE, np.inf, costs)

    return lambda: [library.spf(graph, source, options) for source in range(nodes)], distances
