"""The few paths of each pair that plans choose from: they share load well, and do not all fail together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from router_core.kernels.risk_paths import common_risks
from router_core.paths.capacity import checked_capacity
from router_core.paths.k_shortest import k_shortest
from router_core.paths.pairs import (
    Ends,
    checked_count,
    checked_pairs,
    distinct_pairs,
    first_paths,
    joined,
    of_pairs,
    opened,
    some_paths,
)
from router_core.paths.path_set import PathSet, path_set
from router_core.paths.route_space import RouteSpace
from router_core.paths.shared_risks import SharedRisks, bits
from router_core.paths.tree_mixture import mix

Path = tuple[int, ...]


def choose_paths(
    space: RouteSpace,
    capacity: NDArray[np.floating],
    k: int = 4,
    source: Ends | None = None,
    target: Ends | None = None,
    *,
    seed: int = 0,
) -> PathSet:
    """Choose about k paths of each pair: the cheapest one, ways that share load well, and ways past every single risk.

    Demand is not known here. The cheapest path comes first, then the ways of a tree mixture by weight. Where all k fail
    with a risk that another path would avoid, the last ones make room for paths that do: further ways of the mixture,
    or paths found for the purpose where these avoid more. Where no k paths are found that do, **the pair gets more than
    k**: ``np.diff(paths.pair_start) > k`` tells which. On the bundled province no pair does for k = 4, and in its
    busiest hour the best split on these paths is the optimum, a peak of 0.51, where four cheapest paths reach 0.87.

    Parameters
    ----------
    space : RouteSpace
    capacity : float (S,)
        What each station carries, in one unit for all, >= 0; infinite if nothing ever fills it, 0 if it is closed. For
        the platform, `platform_capacity`.
    k : int
        At least 1.
    source, target : int (D,), optional
        Ends of each pair; all pairs with a way to go by default.
    seed : int
        Of the mixture's drawn demands.

    Returns
    -------
    PathSet
        Loopless paths without closed stations. `unprotected` finds no avoidable risk in it. Pairs without an open path
        are ``paths.unconnected``.

    Raises
    ------
    BadInputError
        Naming the station, pair or parameter that is not as above.
    """
    count = checked_count("k", k)
    room = checked_capacity(capacity, space)
    *pairs, place = distinct_pairs(space, *checked_pairs(space, source, target))
    candidates = _candidates(opened(space, room == 0), room, *pairs, seed=seed)
    return replace(of_pairs(_protected(candidates, count), place), space=space)


@dataclass(frozen=True, eq=False)
class Unprotected:
    """Pairs whose paths all fail with one risk; by pair, then in the order of the first path.

    Attributes
    ----------
    paths : PathSet
    pair, risk : int32 (N,)
    avoidable : bool (N,)
        Whether the graph has a path of this pair that the risk does not touch: the set lacks one. Else no path could
        help, as where the risk is the pair's own node.
    """

    paths: PathSet
    pair: NDArray[np.int32]
    risk: NDArray[np.int32]
    avoidable: NDArray[np.bool_]

    @property
    def lacking(self) -> list[tuple[int, int]]:
        """Each (pair, risk) for which the set lacks a path that the graph has."""
        return list(zip(self.pair[self.avoidable].tolist(), self.risk[self.avoidable].tolist(), strict=True))

    def names(self) -> list[str]:
        """Say each of them for a message."""
        space, paths = self.paths.space, self.paths
        return [
            f"{space.pair_name(int(paths.source[pair]), int(paths.target[pair]))}: {space.risks.name[risk]}"
            for pair, risk in zip(self.pair.tolist(), self.risk.tolist(), strict=True)
        ]


def unprotected(paths: PathSet, capacity: NDArray[np.floating] | None = None) -> Unprotected:
    """Find every pair and risk such that all the pair's paths fail with the risk.

    Parameters
    ----------
    paths : PathSet
        Pairs without a path are left out.
    capacity : float (S,), optional
        Stations of capacity 0 do not count as ways that the graph allows; by default all stations do.

    Raises
    ------
    BadInputError
        Naming the station whose capacity is negative or not a number.
    """
    space = paths.space
    if capacity is not None:
        space = opened(space, checked_capacity(capacity, space) == 0)
    graph, risks = space.graph, space.risks
    number = np.repeat(np.arange(len(risks)), np.diff(risks.start))
    by_station = np.argsort(risks.station, kind="stable")
    pair, risk, avoidable = common_risks(
        graph.arc_start,
        graph.arc_head,
        graph.arc_station,
        space.entry,
        space.exit,
        risks.start,
        risks.station,
        np.searchsorted(risks.station[by_station], np.arange(space.station_count + 1)),
        number[by_station].astype(np.int32),
        np.argsort(paths.source, kind="stable"),
        paths.source,
        paths.target,
        paths.pair_start,
        paths.path_start,
        paths.path_station,
    )
    order = np.argsort(pair, kind="stable")
    return Unprotected(paths, pair[order], risk[order], avoidable[order])


def _candidates(
    space: RouteSpace, capacity: NDArray[np.float64], source: NDArray[np.int32], target: NDArray[np.int32], *, seed: int
) -> PathSet:
    """Return the mixture's ways of each pair, the cheapest of all paths before them."""
    mixed = mix(space, capacity, source, target, seed=seed).paths
    cheapest = k_shortest(space, 1, source, target)
    by_cost = np.lexsort((mixed.path_cost, mixed.path_pair))
    # The same pairs have a path in both, one in `cheapest`. Of equally cheap paths the one that more trees took.
    front = by_cost[mixed.pair_start[:-1][np.diff(mixed.pair_start) > 0]]
    strange = mixed.path_cost[front] > cheapest.path_cost
    rank = np.ones(mixed.path_count, dtype=np.int64)
    rank[front[~strange]] = 0
    moved = some_paths(mixed, np.lexsort((rank, mixed.path_pair)))
    return joined(some_paths(cheapest, np.flatnonzero(strange)), moved)


def _protected(candidates: PathSet, k: int) -> PathSet:
    """Take the first k candidates of each pair, and of those that then have an avoidable risk in common a better k."""
    front = first_paths(candidates, k)
    exposed = unprotected(front)
    weak = np.unique(exposed.pair[exposed.avoidable])
    if not len(weak):
        return front
    ways = of_pairs(candidates, weak)
    must = [0] * len(weak)
    for pair, risk in unprotected(first_paths(ways, 1)).lacking:
        must[pair] |= 1 << risk
    risks = SharedRisks(candidates.space)
    mended: list[list[Path]] = [[] for _ in range(candidates.pair_count)]
    for place, pair in enumerate(weak.tolist()):
        mended[pair] = _cover(risks, ways, place, must[place], k)
    sound = some_paths(front, np.flatnonzero(~np.isin(front.path_pair, weak)))
    return joined(sound, path_set(candidates.space, candidates.source, candidates.target, mended))


def _cover(risks: SharedRisks, ways: PathSet, pair: int, must: int, k: int) -> list[Path]:
    """Return k paths of a pair, or more if need be, that do not all fail with one of the risks that must not.

    As many of the first candidates stay as leave room for paths past what is common to them.
    """
    pool = ways.paths_of(pair)
    hit = [risks.of(path) & must for path in pool]
    for kept in range(max(1, min(k - 1, len(pool))), 0, -1):
        common = must
        for risk_set in hit[:kept]:
            common &= risk_set
        more = _past(risks, ways, pair, common, pool[kept:], hit[kept:], k - kept if kept > 1 else None)
        if more is not None:
            chosen = pool[:kept] + more
            rest = [path for path in pool[kept:] if path not in more]
            return chosen + rest[: max(0, k - len(chosen))]
    raise AssertionError("with one path kept, any number may follow")


def _past(
    risks: SharedRisks, ways: PathSet, pair: int, common: int, pool: list[Path], hit: list[int], most: int | None
) -> list[Path] | None:
    """Return paths of which one or another avoids each risk in `common`, or nothing if that takes more than `most`."""
    source, target = int(ways.source[pair]), int(ways.target[pair])
    more: list[Path] = []
    while common:
        if len(more) == most:
            return None
        best = min(range(len(pool)), key=lambda index: (hit[index] & common).bit_count(), default=None)
        path = None if best is None else pool[best]
        if path is None or risks.of(path) & common:
            other = risks.avoiding(source, target, common)
            assert other is not None, "a pair with a way past a risk is connected"
            if path is None or (risks.of(other) & common).bit_count() < (risks.of(path) & common).bit_count():
                path = other
        if risks.of(path) & common == common:
            # Fines alone may lead through every risk: the first one is avoided at any price.
            path = risks.without(source, target, next(bits(common)))
            assert path is not None, "the graph has a way past this risk"
        more.append(path)
        common &= risks.of(path)
    return more
