"""Plans by weights of a path set, whose choices are made when they are asked for."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from router_core.network import Network
from router_core.paths.path_set import PathSet
from router_core.paths.trunks import path_trunks
from router_core.plan import Choice, Trunk
from router_core.table.weights import whole_weights


class PathPlans:
    """Makes plans over the same paths: each has the choices of its `route_table`, made when they are asked for.

    A table of all pairs costs a twentieth of a second, and most of a province's pairs are never asked for.

    Parameters
    ----------
    network : Network
    paths : PathSet
        Of ``space_of_network(network)``.
    """

    def __init__(self, network: Network, paths: PathSet) -> None:
        self._trunks = path_trunks(network, paths)
        self._paths = paths
        ends = zip(paths.source.tolist(), paths.target.tolist(), strict=True)
        self._pair = {ends_of: pair for pair, ends_of in enumerate(ends)}
        self._of_pair: dict[int, tuple[Trunk, ...]] = {}

    def plan(self, shares: NDArray[np.float64]) -> PathPlan:
        """Return a plan by shares (P,), those of a pair of sum one; `BadInputError` as of `whole_weights`."""
        return PathPlan(self, whole_weights(shares, self._paths.pair_start))

    def choice(self, source_group: int, target_group: int, weights: NDArray[np.int64]) -> Choice | None:
        """Ways of a pair by weights (P,), `None` if it has none."""
        pair = self._pair.get((source_group, target_group))
        if pair is None:
            return None
        first, last = self._paths.pair_start[pair : pair + 2].tolist()
        own = tuple(weights[first:last].tolist())
        if not any(own):
            return None
        trunks = self._of_pair.get(pair)
        if trunks is None:
            trunks = tuple(self._trunks.trunk(path) for path in range(first, last))
            self._of_pair[pair] = trunks
        return Choice(trunks, own)


class PathPlan:
    """`Plan` of one set of whole weights.

    Attributes
    ----------
    weights : int64 (P,)
    """

    def __init__(self, plans: PathPlans, weights: NDArray[np.int64]) -> None:
        self._plans = plans
        self.weights = weights

    def choice(self, source_group: int, target_group: int) -> Choice | None:
        """Ways of a pair, `None` if it has none."""
        return self._plans.choice(source_group, target_group, self.weights)


# Studies make many brains of one preparation, one after another: what a pair's ways are depends on the paths alone.
@lru_cache(maxsize=2)
def path_plans(network: Network, paths: PathSet) -> PathPlans:
    """Return the maker of plans over these paths; parameters as of `PathPlans`."""
    return PathPlans(network, paths)
