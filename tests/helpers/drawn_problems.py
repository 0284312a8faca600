"""Routing problems for hypothesis: small drawn topologies with some of their paths, what stations take, and demand."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
from hypothesis import strategies as st
from made_spaces import all_paths

from router_core.paths.path_set import PathSet, path_set
from router_core.paths.route_space import space_of_lines

# Mostly large enough for something to choose.
NODES = (1, 2, 3, 4, 4, 5, 5)
PAIRS = (0, 1, 3, 6, 8, 8)
PATHS = (0, 1, 2, 4, 4, 4)
# Equal values make ties, 0 what carries or asks for nothing; the others leave no common measure.
CAPACITIES = (0.0, 1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 10.0, 0.3)
DEMANDS = (0.0, 1.0, 1.0, 3.0, 0.01, 0.7)
PER_UNIT = (1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.0)


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

    Sizes are drawn one by one, so that they shrink; the rest comes from a seed, or most problems would be empty ones.
    """
    nodes, pair_count = draw(st.sampled_from(NODES)), draw(st.sampled_from(PAIRS))
    extra, components = draw(st.integers(0, 6)), draw(st.integers(1, 2))
    random = Random(draw(st.integers(0, 2**32 - 1)))
    ends = [(random.randrange(nodes), random.randrange(nodes)) for _ in range(extra)]
    if random.random() < 0.7:
        ends += [(number, random.randrange(number)) for number in range(1, nodes)]
    if random.random() < 0.8:
        ends += [(b, a) for a, b in ends]
    capacity = np.array([random.choice(CAPACITIES) for _ in ends])
    cost = np.array([random.randint(1, 3) for _ in ends], dtype=np.int64)
    space = space_of_lines([f"n{node}" for node in range(nodes)], np.array(ends).reshape(-1, 2), capacity, cost)
    pairs = [(random.randrange(nodes), random.randrange(nodes)) for _ in range(pair_count)]
    kept = []
    for a, b in pairs:
        every = all_paths(space, a, b)
        kept.append(random.sample(every, min(len(every), random.choice(PATHS))))
    paths = path_set(space, [a for a, _ in pairs], [b for _, b in pairs], kept)
    per_unit = np.array([[random.choice(PER_UNIT) for _ in ends] for _ in range(components)])
    unit_load = np.full((components, len(ends)), np.inf)
    np.divide(per_unit.reshape(unit_load.shape), capacity, out=unit_load, where=capacity > 0)
    if ends and random.random() < 0.3:
        unit_load[:, random.randrange(len(ends))] = np.inf
    demand = np.array([[random.choice(DEMANDS) for _ in pairs] for _ in range(components)])
    return Problem(paths, unit_load, demand.reshape(components, pair_count), _drawn_shares(random, paths))


def _drawn_shares(random: Random, paths: PathSet) -> np.ndarray:
    """Draw shares that sum to 1 a pair; a few pairs have none."""
    shares = np.array([random.choice((0.0, 1.0, 1.0, 3.0)) for _ in range(paths.path_count)])
    total = np.bincount(paths.path_pair, shares, paths.pair_count)[paths.path_pair]
    return np.divide(shares, total, out=np.zeros_like(shares), where=total > 0)
