"""The least peak utilisation that any routing of a demand could reach: the yardstick of every plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.exact.arc_programme import arc_peak
from router_core.exact.commodities import commodities
from router_core.exact.source_trees import tree_peak
from router_core.paths.pair_demand import checked_pair_demand
from router_core.paths.pairs import Ends, checked_pairs
from router_core.paths.route_space import RouteSpace
from router_core.paths.unit_load import checked_unit_load

GAP: Final = 1e-4
# The smallest programmes are solved at once, and small ones with many ways too: there column generation takes many
# rounds, or never settles, as on complete graphs of 16 nodes; sparse ones take it a third of the plain one's time.
PLAIN_SIZE_MAX: Final = 300
DENSE_SIZE_MAX: Final = 4_000
DENSE_DEGREE: Final = 6.5
# Rounds after which column generation gives way to the plain programme: by then it has cost about as much.
ROUNDS_MIN: Final = 5
SIZE_A_ROUND: Final = 400


@dataclass(frozen=True)
class Optimum:
    """Peak utilisation of the best routing found, and a bound that no routing can beat.

    Attributes
    ----------
    objective, lower_bound : float
        Utilisation of the busiest station, ``lower_bound <= optimum <= objective``.
    rounds : int
        Rounds of column generation; 0 where one programme was solved, or none had to be.
    unrouted : tuple of int
        Positions of pairs with demand and no open way, ascending: reported, and left out of the objective.
    """

    objective: float
    lower_bound: float
    rounds: int
    unrouted: tuple[int, ...] = field(default=())

    @property
    def gap(self) -> float:
        """Relative distance between the two."""
        return (self.objective - self.lower_bound) / self.objective if self.objective > 0 else 0.0


def least_peak(
    space: RouteSpace,
    unit_load: NDArray[np.floating] | Sequence[float],
    source: Ends,
    target: Ends,
    demand: NDArray[np.floating] | Sequence[float],
    gap: float = GAP,
    *,
    floor: float = 0.0,
) -> Optimum:
    """Return the least peak utilisation over all routings of a demand, within a relative gap.

    A pair's demand may be split at will over all ways of the space.

    Parameters
    ----------
    space : RouteSpace
    unit_load : float (S,) or (R, S)
        Utilisation of a station by one unit of each of R components of demand, >= 0; infinite closes the station.
    source, target : int (D,)
        Ends of each pair; a pair may come more than once.
    demand : float (D,) or (R, D)
        Finite, >= 0.
    gap : float
        Stop when the objective is within this share of the bound; what is tighter than 1e-8 may not be reached.
    floor : float
        Utilisation of the busiest of stations that no routing changes and that are not of the space.

    Raises
    ------
    BadInputError
        Naming what is malformed.
    """
    loads = checked_unit_load(unit_load, space)
    ends = checked_pairs(space, source, target)
    rows = commodities(space, loads, *ends, checked_pair_demand(demand, space, *ends, len(loads)))
    unrouted = tuple(rows.unrouted.tolist())
    if rows.scale == 0:
        return Optimum(floor, floor, 0, unrouted)
    low = floor / rows.scale
    if rows.size <= (DENSE_SIZE_MAX if rows.degree > DENSE_DEGREE else PLAIN_SIZE_MAX):
        (peak, bound), rounds = arc_peak(rows), 0
    else:
        peak, bound, rounds = tree_peak(rows, gap, ROUNDS_MIN + rows.size // SIZE_A_ROUND, low)
        if peak > low and peak - max(bound, low) > gap * peak:
            plain = arc_peak(rows)
            peak, bound = min(peak, plain[0]), max(bound, plain[1])
    objective = max(peak * rows.scale, floor)
    return Optimum(objective, min(max(bound * rows.scale, floor), objective), rounds, unrouted)
