"""How much a brain's plans move traffic about, whatever their kind."""

from __future__ import annotations

from typing import Final

import numpy as np

from router_core.network import Network
from router_core.plan import Choice, Plan, Trunk

# Asking a plan for all pairs of groups of a province at every control step would cost more than the replay.
PAIRS: Final = 64


class ChurnMeter:
    """Adds up what share of its exchanges a pair sends another way, from plan to plan.

    Pairs are of groups of endpoints, evenly spread over all; every exchange that a plan moves from one way to another
    counts, so a pair that goes over altogether and comes back counts 2.

    Parameters
    ----------
    network : Network
    pairs : int
        How many are looked at, at most; >= 0.

    Attributes
    ----------
    moved : float
        Sum over plans of half the L1 distance of the shares before and after, mean over the pairs; >= 0.
    """

    def __init__(self, network: Network, pairs: int = PAIRS) -> None:
        groups = len(network.groups)
        everything = groups * groups
        spread = np.unique(np.linspace(0, everything - 1, min(pairs, everything)).round().astype(np.int64))
        ends = [divmod(int(one), groups) for one in spread] if pairs else []
        self._pairs = [(source, target) for source, target in ends if source != target]
        self._before: list[dict[Trunk, float]] | None = None
        self.moved = 0.0

    def observe(self, plan: Plan) -> None:
        """Take in the plan that is in force from now on."""
        if not self._pairs:
            return
        now = [_shares(plan.choice(source, target)) for source, target in self._pairs]
        if self._before is not None:
            self.moved += sum(map(_distance, self._before, now)) / len(now)
        self._before = now


def _shares(choice: Choice | None) -> dict[Trunk, float]:
    if choice is None:
        return {}
    total = sum(choice.weights)
    return {trunk: weight / total for trunk, weight in zip(choice.trunks, choice.weights, strict=True) if weight}


def _distance(before: dict[Trunk, float], after: dict[Trunk, float]) -> float:
    return sum(abs(after.get(way, 0.0) - before.get(way, 0.0)) for way in before.keys() | after.keys()) / 2
