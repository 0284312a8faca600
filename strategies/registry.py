"""The one table in which a brain's name becomes an object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from router_core.errors import BadInputError
from router_core.network import Network
from strategies.baselines import ecmp, shortest_path
from strategies.brain import Brain

BRAINS: Final[dict[str, Callable[[Network], Brain]]] = {
    "shortest-path": shortest_path,
    "ecmp": ecmp,
}


def make_brain(name: str, network: Network) -> Brain:
    """Return a new brain of that name, or raise `BadInputError`."""
    if name not in BRAINS:
        raise BadInputError("brain", f"must be one of {', '.join(BRAINS)}", name)
    return BRAINS[name](network)
