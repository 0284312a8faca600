"""A policy as rows: from an endpoint to a group of endpoints in a class of service, the ways in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from feed.bundle.documents import Way
from feed.bundle.parsed import Parsed, weights_at
from feed.refusals import Refusal, RefusedBundleError


@dataclass(frozen=True)
class Row:
    """Ways of one row; those without weight are precomputed alternates.

    Attributes
    ----------
    scope : str
        Endpoint.
    target : str
        Name of a group.
    priority : int
        Class of service.
    ways : tuple of Way
    weights : tuple of int
    """

    scope: str
    target: str
    priority: int
    ways: tuple[Way, ...]
    weights: tuple[int, ...]


def priorities(parsed: Parsed) -> tuple[int, ...]:
    """Return the classes of service that tasks travel in, ascending."""
    return tuple(sorted({one.priority for one in parsed.classes.classes}))


def rows(parsed: Parsed, scope: str, slot: int = 0, *, dynamic: bool = True) -> Iterator[Row]:
    """Yield the rows of an endpoint in a slot, target groups ascending, then classes of service.

    Raises
    ------
    RefusedBundleError
        WRONG_SCOPE if the bundle knows no such endpoint, or is a package of another group.
    """
    group = parsed.platform.endpoints.get(scope)
    if group is None or group not in parsed.routes:
        raise RefusedBundleError(
            Refusal.WRONG_SCOPE, f"scope: must be an endpoint with routes here, not {scope[:80]!r}"
        )
    moved = dict(parsed.now[group].weights) if dynamic and group in parsed.now else {}
    classes = priorities(parsed)
    for one in parsed.routes[group].targets:
        weights = moved.get(one.target) or weights_at(one.weights, slot)
        for priority in classes:
            yield Row(scope, parsed.platform.groups[one.target].name, priority, one.ways, weights)


def row_count(parsed: Parsed) -> int:
    """Return how many rows all endpoints have."""
    classes = len(priorities(parsed))
    targets = {group: len(document.targets) for group, document in parsed.routes.items()}
    return sum(targets.get(group, 0) for group in parsed.platform.endpoints.values()) * classes
