"""Where a brain's name becomes an object: one table of brains in the simulated world, one of those over matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from router_core.errors import BadInputError
from router_core.network import Network
from strategies.baselines import ecmp, shortest_path
from strategies.brain import Brain
from strategies.matrix_baselines import ClairvoyantSplits, ReactiveBrain
from strategies.matrix_baselines import ecmp as matrix_ecmp
from strategies.matrix_baselines import shortest_path as matrix_shortest_path
from strategies.matrix_brain import Clairvoyant, MatrixBrain, MatrixSetting

BRAINS: Final[dict[str, Callable[[Network], Brain]]] = {
    "shortest-path": shortest_path,
    "ecmp": ecmp,
}
# The clairvoyant is no brain: it is made here and called by a way of its own.
MATRIX_BRAINS: Final[dict[str, Callable[[MatrixSetting], MatrixBrain | Clairvoyant]]] = {
    "shortest-path": matrix_shortest_path,
    "ecmp": matrix_ecmp,
    "reactive": ReactiveBrain,
    "clairvoyant": ClairvoyantSplits,
}


def make_brain(name: str, network: Network) -> Brain:
    """Return a new brain of that name, or raise `BadInputError`."""
    if name not in BRAINS:
        raise BadInputError("brain", f"must be one of {', '.join(BRAINS)}", name)
    return BRAINS[name](network)


def make_matrix_brain(name: str, setting: MatrixSetting) -> MatrixBrain | Clairvoyant:
    """Return a new brain over matrices of that name, or raise `BadInputError`."""
    if name not in MATRIX_BRAINS:
        raise BadInputError("brain", f"must be one of {', '.join(MATRIX_BRAINS)}", name)
    return MATRIX_BRAINS[name](setting)
