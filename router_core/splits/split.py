"""What a split solver answers: shares of every path, what they reach, and what no split could beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.paths.pair_demand import checked_pair_demand
from router_core.paths.path_set import PathSet


@dataclass(frozen=True, eq=False)
class Split:
    """Shares of each pair's demand on its paths, with a certificate.

    Attributes
    ----------
    paths : PathSet
    shares : float64 (P,)
        At least 0; those of a pair sum to 1, or are all 0 where the pair has no open path.
    objective : float
        What these shares reach: peak utilisation, or cost, of the demand that has a path.
    lower_bound : float
        No shares of these paths reach less; ``lower_bound <= objective``.
    sweeps : int
        Passes over the pairs that it took.
    unrouted : intp (U,)
        Pairs with demand and no open path, ascending: reported, and left out of the objective.
    """

    paths: PathSet
    shares: NDArray[np.float64]
    objective: float
    lower_bound: float
    sweeps: int
    unrouted: NDArray[np.intp]

    @property
    def gap(self) -> float:
        """Relative distance between objective and bound; 0 if there is nothing to carry."""
        return (self.objective - self.lower_bound) / self.objective if self.objective > 0 else 0.0

    @property
    def unrouted_names(self) -> tuple[str, ...]:
        """Names of the pairs that could not be routed."""
        space = self.paths.space
        return tuple(
            space.pair_name(int(self.paths.source[pair]), int(self.paths.target[pair])) for pair in self.unrouted
        )


def checked_demand(
    demand: NDArray[np.floating] | Sequence[float], paths: PathSet, components: int = 1
) -> NDArray[np.float64]:
    """Return demand as float64 (components, D), or name the first pair whose demand cannot be.

    Parameters
    ----------
    demand : float (D,) or (components, D)

    Raises
    ------
    BadInputError
        If the shape is wrong or a value is negative or not finite.
    """
    return checked_pair_demand(demand, paths.space, paths.source, paths.target, components)
