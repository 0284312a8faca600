"""Where a brain's name becomes an object: one table of brains in the simulated world, one of those over matrices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from router_core.errors import BadInputError
from router_core.network import Network
from router_core.transport import Transport
from strategies.baselines import ecmp, shortest_path
from strategies.brain import Brain
from strategies.dynamic.dynamic_brain import DynamicBrain
from strategies.dynamic.matrix_dynamic import MatrixDynamicBrain
from strategies.dynamic.matrix_probing import MatrixProbingBrain
from strategies.dynamic.setting import DynamicSetting
from strategies.matrix_baselines import ClairvoyantSplits, ReactiveBrain
from strategies.matrix_baselines import ecmp as matrix_ecmp
from strategies.matrix_baselines import shortest_path as matrix_shortest_path
from strategies.matrix_brain import Clairvoyant, MatrixBrain, MatrixSetting, ProbingBrain
from strategies.static.matrix_plan import MatrixStaticBrain
from strategies.static.prepare import Prepared
from strategies.static.static_brain import StaticBrain


@dataclass(frozen=True, eq=False)
class Preparation:
    """What a prepared brain goes by, the local time of its run's instant 0, without a zone, and how exchanges go.

    `setting` is for those that answer what happens; `static` has none.
    """

    prepared: Prepared
    start: datetime
    transport: Transport = field(default_factory=Transport)
    setting: DynamicSetting = field(default_factory=DynamicSetting)


def _static(network: Network, preparation: Preparation, *, holds: bool = True) -> Brain:
    prepared = preparation.prepared
    return StaticBrain(network, prepared.plan, prepared.classes, preparation.start, holds=holds)


def _dynamic(network: Network, preparation: Preparation, *, probing: bool = False) -> Brain:
    return DynamicBrain(
        network,
        preparation.prepared,
        preparation.start,
        setting=preparation.setting,
        probing=probing,
        transport=preparation.transport,
    )


BRAINS: Final[dict[str, Callable[[Network], Brain]]] = {
    "shortest-path": shortest_path,
    "ecmp": ecmp,
}
# They carry out what was prepared from a history.
PREPARED_BRAINS: Final[dict[str, Callable[[Network, Preparation], Brain]]] = {
    "static": _static,
    "static-no-holds": partial(_static, holds=False),
    "dynamic": _dynamic,
    "probing": partial(_dynamic, probing=True),
}
# The clairvoyant is no brain, and one that probes is told no matrix: made here, they are called in ways of their own.
MATRIX_BRAINS: Final[dict[str, Callable[[MatrixSetting], MatrixBrain | Clairvoyant | ProbingBrain]]] = {
    "shortest-path": matrix_shortest_path,
    "ecmp": matrix_ecmp,
    "static": MatrixStaticBrain,
    "dynamic": MatrixDynamicBrain,
    "reactive": ReactiveBrain,
    "probing": MatrixProbingBrain,
    "clairvoyant": ClairvoyantSplits,
}


# Those of them that go by a setting.
SET_BRAINS: Final = ("dynamic", "probing")


def make_brain(name: str, network: Network, preparation: Preparation | None = None) -> Brain:
    """Return a new brain of that name; raise `BadInputError` if there is none, or if it lacks its preparation."""
    if name in BRAINS:
        return BRAINS[name](network)
    if name not in PREPARED_BRAINS:
        raise BadInputError("brain", f"must be one of {', '.join((*BRAINS, *PREPARED_BRAINS))}", name)
    if preparation is None:
        raise BadInputError("brain", "needs a preparation", name)
    return PREPARED_BRAINS[name](network, preparation)


def make_matrix_brain(name: str, setting: MatrixSetting) -> MatrixBrain | Clairvoyant | ProbingBrain:
    """Return a new brain over matrices of that name, or raise `BadInputError`."""
    if name not in MATRIX_BRAINS:
        raise BadInputError("brain", f"must be one of {', '.join(MATRIX_BRAINS)}", name)
    return MATRIX_BRAINS[name](setting)
