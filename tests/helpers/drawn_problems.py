"""Routing problems for hypothesis: small drawn topologies with some of their paths, what stations take, and demand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from made_spaces import all_paths

from router_core.paths.path_set import PathSet, path_set
from router_core.paths.route_space import space_of_lines

NODES_MAX = 5
PATHS_MAX = 4
# Equal values make ties, 0 what carries or asks for nothing; the others leave no common measure.
CAPACITIES = st.sampled_from((0.0, 1.0, 1.0, 1.0, 2.0, 10.0, 0.3))
DEMANDS = st.sampled_from((0.0, 0.0, 1.0, 1.0, 3.0, 0.01, 0.7))


@dataclass(frozen=True, eq=False, repr=False)
class Problem:
    """A path set, unit loads (R, S), demand of its pairs (R, D) and shares to begin with (P,)."""

    paths: PathSet
    unit_load: np.ndarray
    demand: np.ndarray
    start: np.ndarray

    def __repr__(self) -> str:
        paths = self.paths
        pairs = [
            (paths.space.pair_name(a, b), paths.paths_of(pair))
            for pair, (a, b) in enumerate(zip(paths.source.tolist(), paths.target.tolist(), strict=True))
        ]
        numbers = {"unit_load": self.unit_load, "demand": self.demand, "start": self.start}
        shown = ", ".join(f"{name}={values.tolist()}" for name, values in numbers.items())
        return f"Problem({paths.space.station_name}, {pairs}, {shown})"


@st.composite
def drawn_problems(draw: st.DrawFn) -> Problem:
    """Draw a problem: parallel lines, loops at a node, zero capacities, closed stations, parts without a way, bridges,
    ties, a single node, nothing to carry, pairs that come twice, pairs of a node with itself, two components of demand.
    """
    nodes = draw(st.integers(1, NODES_MAX))
    ends = draw(st.lists(st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1)), max_size=10))
    if draw(st.booleans()):
        ends += [(b, a) for a, b in ends]
    capacity = np.array([draw(CAPACITIES) for _ in ends])
    cost = np.array([draw(st.integers(1, 3)) for _ in ends], dtype=np.int64)
    space = space_of_lines([f"n{node}" for node in range(nodes)], np.array(ends).reshape(-1, 2), capacity, cost)
    node = st.integers(0, nodes - 1)
    pairs = draw(st.lists(st.tuples(node, node), max_size=8))
    every = [draw(st.permutations(all_paths(space, a, b))) for a, b in pairs]
    kept = [found[: draw(st.integers(0 if draw(st.booleans()) else 1, PATHS_MAX))] for found in every]
    paths = path_set(space, [a for a, _ in pairs], [b for _, b in pairs], kept)
    components = draw(st.integers(1, 2))
    unit_load = np.array(
        [
            draw(st.lists(st.sampled_from((1.0, 1.0, 0.5, 0.0)), min_size=len(ends), max_size=len(ends)))
            for _ in range(components)
        ]
    ).reshape(components, len(ends))
    with np.errstate(divide="ignore", invalid="ignore"):
        unit_load = np.where(capacity > 0, unit_load / capacity, np.inf)
    closed = draw(st.lists(st.sampled_from(range(len(ends))), max_size=1)) if ends else []
    unit_load[:, closed] = np.inf
    demand = np.array([[draw(DEMANDS) for _ in pairs] for _ in range(components)]).reshape(components, len(pairs))
    return Problem(paths, unit_load, demand, _drawn_shares(draw, paths))


def _drawn_shares(draw: st.DrawFn, paths: PathSet) -> np.ndarray:
    """Draw shares that sum to 1 a pair; a few pairs have none."""
    shares = np.array([draw(st.sampled_from((0.0, 1.0, 1.0, 3.0))) for _ in range(paths.path_count)])
    total = np.bincount(paths.path_pair, shares, paths.pair_count)[paths.path_pair]
    return np.divide(shares, total, out=np.zeros_like(shares), where=total > 0)
