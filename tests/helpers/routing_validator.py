"""One validator for every routing algorithm: whatever made a split, this is what must hold of it.

Nothing here knows how a split was found, and loads are worked out the slow way: path by path, arc by arc.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from made_spaces import check_lawful

from router_core.paths.path_set import PathSet
from router_core.paths.route_space import RouteSpace
from router_core.splits.split import Split

RELATIVE = 1e-9
# Of a sum of a pair's shares.
WHOLE = 1e-9


@dataclass(frozen=True, eq=False)
class Goal:
    """What a split was to minimise: the peak of one matrix, or the mean or worst peak of several.

    Attributes
    ----------
    unit_load : float64 (R, S)
    demands : float64 (M, R, D)
    weights : float64 (M,)
        In the mean; those of weight 0 do not count in the worst case either.
    worst_case : bool
    start, churn_max
        Shares before, and how much of the traffic may leave open paths; no limit if there is no start.
    """

    unit_load: np.ndarray
    demands: np.ndarray
    weights: np.ndarray = field(default_factory=lambda: np.ones(1))
    worst_case: bool = False
    start: np.ndarray | None = None
    churn_max: float = 1.0

    @property
    def used(self) -> np.ndarray:
        return self.demands[self.weights > 0]

    def value(self, paths: PathSet, shares: np.ndarray) -> float:
        """What shares reach; asserts on the way that flow is conserved."""
        peaks = [naive_load(paths, shares, demand, self.unit_load).max(initial=0.0) for demand in self.used]
        chances = self.weights[self.weights > 0]
        return float(max(peaks)) if self.worst_case else float(chances @ np.array(peaks) / chances.sum())


def validate(split: Split, goal: Goal, exact: Split | None = None) -> None:
    """Assert all that holds of any split; of an exact one, that its optimum lies between bound and objective."""
    paths = split.paths
    check_lawful(paths)
    usable = open_ones(paths, goal.unit_load)
    _check_shares(split, usable)
    wanted = (goal.used > 0).any(axis=(0, 1))
    lost = [pair for pair in range(paths.pair_count) if wanted[pair] and not usable[paths.path_pair == pair].any()]
    assert split.unrouted.tolist() == lost
    names = [paths.space.pair_name(int(paths.source[pair]), int(paths.target[pair])) for pair in lost]
    assert list(split.unrouted_names) == names
    assert close(split.objective, goal.value(paths, split.shares)), (split.objective, goal.value(paths, split.shares))
    assert 0 <= split.lower_bound <= split.objective
    if goal.start is not None:
        assert churn(split, goal, usable) <= goal.churn_max + WHOLE
    if exact is not None:
        assert split.lower_bound <= exact.objective * (1 + RELATIVE)
        assert split.objective >= exact.lower_bound * (1 - RELATIVE)


def _check_shares(split: Split, usable: np.ndarray) -> None:
    assert split.shares.shape == (split.paths.path_count,)
    assert np.isfinite(split.shares).all()
    assert (split.shares >= 0).all()
    assert (split.shares[~usable] == 0).all()
    for pair in range(split.paths.pair_count):
        own = split.paths.path_pair == pair
        total = split.shares[own].sum()
        assert total == 0 if not usable[own].any() else abs(total - 1) <= WHOLE


def close(one: float, other: float) -> bool:
    return abs(one - other) <= RELATIVE * max(abs(one), abs(other))


def open_ones(paths: PathSet, unit_load: np.ndarray) -> np.ndarray:
    """Which paths pass no station that is closed."""
    return np.array(
        [np.isfinite(unit_load[:, list(paths.stations(path))]).all() for path in range(paths.path_count)], dtype=bool
    )


def churn(split: Split, goal: Goal, usable: np.ndarray) -> float:
    """Share of all traffic that left an open path: of the components alike, and of the matrices by their weights."""
    assert goal.start is not None
    left = np.where(usable, np.maximum(goal.start - split.shares, 0.0), 0.0)
    by_pair = np.bincount(split.paths.path_pair, left, split.paths.pair_count)
    total = 0.0
    for demand, weight in zip(goal.demands, goal.weights, strict=True):
        rows = [row / row.sum() for row in demand if row.sum() > 0]
        total += weight * (np.mean(rows, axis=0) @ by_pair if rows else 0.0)
    return float(total / goal.weights.sum())


def naive_load(paths: PathSet, shares: np.ndarray, demand: np.ndarray, unit_load: np.ndarray) -> np.ndarray:
    """Utilisation of every station, (S,), by demand (R, D): every path is walked, and its flow put on each arc."""
    space, graph = paths.space, paths.space.graph
    flow = np.zeros((len(demand), len(graph.arc_head)))
    supply = np.zeros((len(demand), graph.state_count))
    for path in np.flatnonzero(shares).tolist():
        pair = int(paths.path_pair[path])
        amount = demand[:, pair] * shares[path]
        for arc in walk(space, int(paths.source[pair]), int(paths.target[pair]), paths.stations(path)):
            flow[:, arc] += amount
        supply[:, space.entry[paths.source[pair]]] += amount
        supply[:, space.exit[paths.target[pair]]] -= amount
    # What enters a state, from outside or by an arc, leaves it.
    for state in range(graph.state_count):
        out = flow[:, graph.arc_tail == state].sum(axis=1)
        into = flow[:, graph.arc_head == state].sum(axis=1)
        assert np.allclose(out - into, supply[:, state], rtol=0, atol=RELATIVE * max(1.0, demand.sum()))
    load = np.zeros(space.station_count)
    for arc, station in enumerate(graph.arc_station.tolist()):
        if flow[:, arc].any():
            load[station] += flow[:, arc] @ unit_load[:, station]
    return load


def walk(space: RouteSpace, source: int, target: int, stations: tuple[int, ...]) -> list[int]:
    """Arcs of a path that repeat no state."""
    graph, end = space.graph, int(space.exit[target])

    def onward(state: int, rest: tuple[int, ...], visited: frozenset[int]) -> list[int] | None:
        if not rest:
            return [] if state == end else None
        for arc in range(graph.arc_start[state], graph.arc_start[state + 1]):
            head = int(graph.arc_head[arc])
            if graph.arc_station[arc] == rest[0] and head not in visited:
                found = onward(head, rest[1:], visited | {head})
                if found is not None:
                    return [arc, *found]
        return None

    begin = int(space.entry[source])
    found = onward(begin, stations, frozenset((begin,)))
    assert found is not None, (space.pair_name(source, target), stations)
    return found
