"""What best routes ask of the lines and costs they are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from router_core.errors import BadInputError

# Cost of a line that nothing may take, and distance of a pair that no way joins.
CLOSED: Final = 2**62
UNREACHABLE: Final = CLOSED
WHOLE: Final = (int, np.integer)


def checked_lines(node_count: int, lines: ArrayLike) -> NDArray[np.integer]:
    """Return tails and heads, int (L, 2), or refuse them by name."""
    ends = np.array(lines)
    if ends.size == 0:
        return np.empty((0, 2), dtype=np.int32)
    if ends.ndim != 2 or ends.shape[1] != 2 or not np.issubdtype(ends.dtype, np.integer):
        raise BadInputError("lines", "must be whole numbers of shape (L, 2)", (ends.dtype.name, ends.shape))
    outside = np.flatnonzero(((ends < 0) | (ends >= node_count)).any(axis=1))
    if len(outside):
        place = f"line {int(outside[0])}"
        raise BadInputError(place, f"joins nodes 0..{node_count - 1}", tuple(ends[outside[0]].tolist()))
    return ends


def checked_transit(node_count: int, transit: ArrayLike | None) -> NDArray[np.bool_]:
    """Return which nodes may be passed, (n,); all where nothing is said."""
    if transit is None:
        return np.ones(node_count, dtype=np.bool_)
    passable = np.array(transit)
    if passable.shape != (node_count,) or passable.dtype != np.bool_:
        rule = f"must be truth values of shape ({node_count},)"
        raise BadInputError("transit", rule, (passable.dtype.name, passable.shape))
    return passable


def checked_names(node_count: int, names: Sequence[str] | None) -> tuple[str, ...]:
    """Return a name for each node: its number where none are given."""
    found = tuple(map(str, range(node_count) if names is None else names))
    if len(found) != node_count:
        raise BadInputError("names", f"must name {node_count} nodes", len(found))
    return found


def checked_node(place: str, node: int, node_count: int) -> None:
    """Refuse what is no node."""
    if not 0 <= node < node_count:
        raise BadInputError(place, f"must lie in 0..{node_count - 1}", node)


def checked_pairs(source: ArrayLike, target: ArrayLike, count: int) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Return sources and targets, int (C,), each 0 .. `count` - 1, or refuse them."""
    pairs = np.atleast_1d(np.asarray(source)), np.atleast_1d(np.asarray(target))
    for place, ends in zip(("source", "target"), pairs, strict=True):
        wrong = ends.ndim != 1 or ends.shape != pairs[0].shape
        if wrong or (ends.size and not np.issubdtype(ends.dtype, np.integer)):
            raise BadInputError(place, "must be whole numbers of shape (C,)", (ends.dtype.name, ends.shape))
        outside = ends[(ends < 0) | (ends >= count)]
        if len(outside):
            raise BadInputError(place, f"must lie in 0..{count - 1}", int(outside[0]))
    return pairs


def whole_numbers(values: ArrayLike, shape: tuple[int, ...], place: str) -> NDArray[np.int64]:
    """Return a copy as int64 of this shape, or refuse it."""
    given = np.asarray(values)
    if given.shape != shape or (given.size and not np.issubdtype(given.dtype, np.integer)):
        raise BadInputError(place, f"must be whole numbers of shape {shape}", (given.dtype.name, given.shape))
    if given.dtype == np.uint64 and given.size and int(given.max()) > CLOSED:
        raise BadInputError(place, f"must not exceed {CLOSED}", int(given.max()))
    return given.astype(np.int64)


def checked_changes(
    number: ArrayLike, cost: ArrayLike, count: int, place: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return what changes and its new costs, each number once: of one named twice the last cost stands.

    Parameters
    ----------
    number : int (C,) or int
        0 .. `count` - 1.
    cost : int (C,) or int
    place : str
        What is numbered.
    """
    if isinstance(number, WHOLE) and isinstance(cost, WHOLE) and 0 <= number < count and 0 <= cost <= CLOSED:
        # One change at a time is what a brain makes most: it need not be sorted.
        return np.array([number], dtype=np.int64), np.array([cost], dtype=np.int64)
    given = np.atleast_1d(np.asarray(number))
    if given.ndim != 1 or (given.size and not np.issubdtype(given.dtype, np.integer)):
        raise BadInputError(place, "must be whole numbers of shape (C,)", (given.dtype.name, given.shape))
    outside = (given < 0) | (given >= count)
    if outside.any():
        raise BadInputError(place, f"must lie in 0..{count - 1}", int(given[outside][0]))
    changed = whole_numbers(np.atleast_1d(cost), given.shape, "cost")
    last = len(given) - 1 - np.unique(given[::-1], return_index=True)[1]
    return given[last].astype(np.int64), changed[last]


def refuse_costs(cost: NDArray[np.int64], greatest: int, name: Callable[[int], str]) -> None:
    """Raise for the first of these costs that breaks a rule, naming it by its place."""
    if len(cost) == 1 and 1 <= cost[0] <= greatest:
        return
    broken = np.flatnonzero((cost < 1) | ((cost > greatest) & (cost != CLOSED)))
    if len(broken):
        first = int(broken[0])
        raise BadInputError(f"cost of {name(first)}", f"must lie in 1..{greatest}, or be CLOSED", int(cost[first]))
