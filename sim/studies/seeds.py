"""Seeds of a study's replications."""

from __future__ import annotations

from typing import Final

from router_core.randomness import stream

SEEDS_BELOW: Final = 1_000_000_000


def seeds_of(seed: int, count: int) -> tuple[int, ...]:
    """Return so many different seeds; those of fewer are the first of those of more."""
    draws = stream(seed, "study.seeds")
    found: dict[int, None] = {}
    while len(found) < count:
        found[int(draws.integers(SEEDS_BELOW))] = None
    return tuple(found)
