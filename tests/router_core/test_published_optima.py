"""Our optima are the published ones, where published data is at hand."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from router_core.exact.least_peak import least_peak
from router_core.exact.path_programme import best_split
from router_core.paths.path_set import PathSet, path_set
from router_core.paths.route_space import RouteSpace, space_of_lines
from traces.importers.reading import Options, open_source
from traces.importers.repetita import read_repetita

PUBLISHED = 1e-6
REPETITA_OPTIMUM, REPETITA_TOLERANCE = 0.9, 2e-4
FOLDER = Path(os.environ.get("EXCHANGE_DATA", Path(__file__).parents[3] / "shared" / "data"))
POD_STEP = 375
# A sample each time; `pytest -m heavy` checks all 7,500 matrices of each pod.
STEPS = [pytest.param(POD_STEP, id="sample"), pytest.param(1, id="all", marks=pytest.mark.heavy)]
INSTANCES = sorted(path.name for path in (FOLDER / "repetita").glob("*.demands")) or ["none"]


def pod_arrays(name: str) -> dict[str, np.ndarray]:
    path = FOLDER / "facebook_pods" / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"published data is not at {path}: set EXCHANGE_DATA")
    with np.load(path) as arrays:
        return {key: arrays[key] for key in arrays.files}


def pod_space(pod: dict[str, np.ndarray]) -> RouteSpace:
    return space_of_lines([f"n{node}" for node in range(pod["demand"].shape[1])], pod["links"], pod["capacity"])


def three_shortest(space: RouteSpace, pod: dict[str, np.ndarray]) -> PathSet:
    """The direct line of each pair, and the ways over the two other nodes of lowest number."""
    line = {(a, b): number for number, (a, b) in enumerate(pod["links"].tolist())}
    source, target = space.all_pairs()
    paths = []
    for a, b in zip(source.tolist(), target.tolist(), strict=True):
        others = [node for node in range(space.end_count) if node not in (a, b)]
        paths.append([[line[a, b]], *([line[a, node], line[node, b]] for node in others[:2])])
    return path_set(space, source, target, paths)


@pytest.mark.parametrize("step", STEPS)
def test_pod_a_over_all_routes(step):
    pod = pod_arrays("pod_a")
    space = pod_space(pod)
    source, target = space.all_pairs()
    for matrix, published in zip(pod["demand"][::step], pod["optimal_mlu"][::step], strict=True):
        found = least_peak(space, 1 / pod["capacity"], source, target, matrix[source, target], gap=PUBLISHED / 10)
        assert found.objective == pytest.approx(published, rel=PUBLISHED)
        assert found.lower_bound == pytest.approx(published, rel=PUBLISHED)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", ["pod_a", "pod_b"])
def test_pods_over_three_paths(name, step):
    """The publisher splits over three paths a pair: those are all that the smaller pod has, but not the larger one."""
    pod = pod_arrays(name)
    space = pod_space(pod)
    paths = three_shortest(space, pod)
    for matrix, published in zip(pod["demand"][::step], pod["optimal_mlu"][::step], strict=True):
        demand = matrix[paths.source, paths.target]
        found = best_split(paths, 1 / pod["capacity"], demand, tie_by_cost=False)
        assert found.objective == pytest.approx(published, rel=PUBLISHED)
        assert found.lower_bound == pytest.approx(published, rel=PUBLISHED)


def test_pod_b_could_do_better_over_all_routes():
    pod = pod_arrays("pod_b")
    space = pod_space(pod)
    source, target = space.all_pairs()
    for matrix, published in zip(pod["demand"][::POD_STEP], pod["optimal_mlu"][::POD_STEP], strict=True):
        found = least_peak(space, 1 / pod["capacity"], source, target, matrix[source, target])
        assert found.objective < published


@cache
def repetita_space(name: str) -> tuple[RouteSpace, np.ndarray]:
    topology = read_repetita(open_source(FOLDER / "repetita" / f"{name}.graph"), Options()).topology
    assert topology is not None
    return space_of_lines(topology.node_names, topology.lines, topology.rate_mbps), topology.rate_mbps


@pytest.mark.parametrize("instance", INSTANCES)
def test_repetita(instance):
    if instance == "none":
        pytest.skip(f"published data is not at {FOLDER / 'repetita'}: set EXCHANGE_DATA")
    space, rate = repetita_space(instance.split(".")[0])
    snapshot = read_repetita(open_source(FOLDER / "repetita" / instance), Options()).snapshot
    assert snapshot is not None
    matrix = snapshot.matrix({str(node): node for node in range(space.end_count)}, space.end_count)
    source, target = np.nonzero(matrix)
    found = least_peak(space, 1 / rate, source, target, matrix[source, target])
    assert found.unrouted == ()
    assert found.objective == pytest.approx(REPETITA_OPTIMUM, abs=REPETITA_TOLERANCE)
    assert found.lower_bound == pytest.approx(REPETITA_OPTIMUM, abs=REPETITA_TOLERANCE)
