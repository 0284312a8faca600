"""The pairs that a maker of paths is asked about, checked at the edge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.network import frozen
from router_core.paths.path_set import PathSet
from router_core.paths.route_space import RouteSpace
from router_core.routing_graph import compressed

Ends = Sequence[int] | NDArray[np.integer]


def checked_pairs(
    space: RouteSpace, source: Ends | None = None, target: Ends | None = None
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return sources and targets, int32 (D,); all pairs with a way to go if none are given.

    Raises
    ------
    BadInputError
        If only one of them is given, their shapes differ, or an end is no end of the space.
    """
    if source is None and target is None:
        return space.all_pairs()
    if source is None or target is None:
        raise BadInputError("pairs", "source and target are given both or neither", (source, target))
    ends = []
    for place, given in (("source", source), ("target", target)):
        values = np.asarray(given)
        if values.ndim != 1 or (values.size and not np.issubdtype(values.dtype, np.integer)):
            raise BadInputError(place, "must be a row of whole numbers", (values.dtype.name, values.shape))
        outside = np.flatnonzero((values < 0) | (values >= space.end_count))
        if len(outside):
            raise BadInputError(
                f"{place} of pair {int(outside[0])}", f"must lie in 0..{space.end_count - 1}", int(values[outside[0]])
            )
        ends.append(values.astype(np.int32))
    if len(ends[0]) != len(ends[1]):
        raise BadInputError("pairs", "source and target must be of one length", (len(ends[0]), len(ends[1])))
    return ends[0], ends[1]


def checked_count(name: str, value: int, least: int = 1) -> int:
    """Return a number of paths, or name what is wrong with it."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise BadInputError(name, f"must be a whole number of at least {least}", value)
    return int(value)


def set_of_arcs(
    space: RouteSpace,
    source: NDArray[np.int32],
    target: NDArray[np.int32],
    pair_start: NDArray[np.int64],
    path_start: NDArray[np.int64],
    path_arc: NDArray[np.int32],
) -> PathSet:
    """Make the set of what a kernel found: arcs in compressed rows, for paths in order of pair and preference."""
    return PathSet(
        space,
        frozen(source, np.int32),
        frozen(target, np.int32),
        frozen(pair_start, np.int64),
        frozen(path_start, np.int64),
        frozen(space.graph.arc_station[path_arc], np.int32),
    )


def distinct_pairs(
    space: RouteSpace, source: NDArray[np.int32], target: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.intp]]:
    """Return each pair once, by source and target, and where each of the given ones is among them."""
    ends = max(space.end_count, 1)
    key, place = np.unique(source.astype(np.int64) * ends + target, return_inverse=True)
    return (key // ends).astype(np.int32), (key % ends).astype(np.int32), place


def gathered(start: NDArray[np.int64], rows: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pick rows of a compressed array: return the start of each in the result, and the positions to take."""
    length = np.diff(start)[rows]
    begin = np.concatenate(([0], np.cumsum(length))).astype(np.int64)
    return begin, np.arange(begin[-1]) + np.repeat(start[rows] - begin[:-1], length)


def of_pairs(paths: PathSet, pair: NDArray[np.integer]) -> PathSet:
    """Return the paths of these pairs, which may repeat."""
    pair_start, kept = gathered(paths.pair_start, pair)
    path_start, stations = gathered(paths.path_start, kept)
    return PathSet(
        paths.space,
        frozen(paths.source[pair], np.int32),
        frozen(paths.target[pair], np.int32),
        frozen(pair_start, np.int64),
        frozen(path_start, np.int64),
        frozen(paths.path_station[stations], np.int32),
    )


def some_paths(paths: PathSet, kept: NDArray[np.integer]) -> PathSet:
    """Return the same pairs with these paths alone, given by ascending pair, in the order of preference wanted."""
    path_start, stations = gathered(paths.path_start, kept)
    counts = np.bincount(paths.path_pair[kept], minlength=paths.pair_count)
    return PathSet(
        paths.space,
        paths.source,
        paths.target,
        frozen(np.concatenate(([0], np.cumsum(counts))), np.int64),
        frozen(path_start, np.int64),
        frozen(paths.path_station[stations], np.int32),
    )


def joined(one: PathSet, two: PathSet) -> PathSet:
    """Return the paths of each pair in one set and then those in another one of the same pairs."""
    pair = np.concatenate((one.path_pair, two.path_pair))
    order = np.argsort(pair, kind="stable")
    path_start, stations = gathered(
        np.concatenate((one.path_start, one.path_start[-1] + two.path_start[1:])).astype(np.int64), order
    )
    return PathSet(
        one.space,
        one.source,
        one.target,
        frozen(one.pair_start + two.pair_start, np.int64),
        frozen(path_start, np.int64),
        frozen(np.concatenate((one.path_station, two.path_station))[stations], np.int32),
    )


def first_paths(paths: PathSet, k: int) -> PathSet:
    """Return the same pairs with their first k paths alone."""
    rank = np.arange(paths.path_count) - paths.pair_start[paths.path_pair]
    return some_paths(paths, np.flatnonzero(rank < k))


def opened(space: RouteSpace, closed: NDArray[np.bool_]) -> RouteSpace:
    """Return the space without the arcs of closed stations, (S,)."""
    graph = space.graph
    kept = ~closed[graph.arc_station]
    if kept.all():
        return space
    rest = compressed(graph.arc_tail[kept], graph.arc_head[kept], graph.arc_station[kept], graph.state_count)
    return replace(space, graph=rest)
