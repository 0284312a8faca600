"""The pairs that a maker of paths is asked about, checked at the edge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.network import frozen
from router_core.paths.path_set import PathSet
from router_core.paths.route_space import RouteSpace

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


def gathered(start: NDArray[np.int64], rows: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pick rows of a compressed array: return the start of each in the result, and the positions to take."""
    length = np.diff(start)[rows]
    begin = np.concatenate(([0], np.cumsum(length))).astype(np.int64)
    return begin, np.arange(begin[-1]) + np.repeat(start[rows] - begin[:-1], length)
