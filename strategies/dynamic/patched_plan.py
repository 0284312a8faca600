"""A plan with other weights for a few pairs: what a control step changes, and no more."""

from __future__ import annotations

from collections.abc import Mapping

from router_core.plan import Choice, Plan


class PatchedPlan:
    """`Plan` that goes another way than the one beneath it where it says so.

    Parameters
    ----------
    base : Plan
    weights : mapping of (source group, target group) to tuple of int
        Weights of the pair's ways in `base`, in their order: as many, >= 0, with a positive sum.

    Attributes
    ----------
    base : Plan
    weights : dict of (source group, target group) to tuple of int
    """

    def __init__(self, base: Plan, weights: Mapping[tuple[int, int], tuple[int, ...]]) -> None:
        self.base = base
        self.weights = dict(weights)

    def __len__(self) -> int:
        return len(self.weights)

    def choice(self, source_group: int, target_group: int) -> Choice | None:
        """Ways of a pair, `None` if the plan beneath has none."""
        choice = self.base.choice(source_group, target_group)
        weights = self.weights.get((source_group, target_group))
        return choice if choice is None or weights is None else Choice(choice.trunks, weights)
