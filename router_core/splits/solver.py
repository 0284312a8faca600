"""What all split solvers share: reading the demand, where to begin, the limit of churn, and the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.paths.path_set import PathSet
from router_core.paths.unit_load import checked_unit_load
from router_core.splits.churn import Descent, within_churn
from router_core.splits.open_paths import OpenPaths
from router_core.splits.problem import checked_churn, checked_start
from router_core.splits.split import Split

GAP: Final = 0.01
SWEEPS_MAX: Final = 2000
NO_FEES: Final = np.empty(0)


class SplitSolver:
    """A solver over one path set; what depends on the paths alone is worked out once.

    Parameters
    ----------
    paths : PathSet
    unit_load : float (S,) or (R, S)
        Utilisation of a station by one unit of each of R components of demand, >= 0: 1 / capacity of a line; seconds of
        service for each exchange and for each byte on the platform. Infinite closes a station and every path over it.

    Raises
    ------
    BadInputError
        Naming the station whose load is negative or not a number.
    """

    def __init__(self, paths: PathSet, unit_load: NDArray[np.floating] | Sequence[float]) -> None:
        self.paths = paths
        self.unit_load = checked_unit_load(unit_load, paths.space)
        self._open = OpenPaths(paths, self.unit_load)

    def loaded(self, unit_load: NDArray[np.floating] | Sequence[float]) -> Self:
        """Return a solver over the same paths with other unit loads; quick where the same stations are closed."""
        loads = checked_unit_load(unit_load, self.paths.space)
        other = copy(self)
        other.unit_load = loads
        other._open = self._open.loaded(loads) or OpenPaths(self.paths, loads)
        return other

    def _solve(
        self,
        demand: NDArray[np.float64],
        weight: NDArray[np.float64],
        gap: float,
        start: NDArray[np.floating] | None,
        churn_max: float | None,
        prepare: Callable[[NDArray[np.float64]], Descent],
    ) -> Split:
        """Solve for demand whose last axis is that of the pairs; `prepare` is told what churn counts from."""
        if not gap > 0:
            raise BadInputError("gap", "must be positive", gap)
        given = None if start is None else checked_start(self.paths, start)
        begin = self._open.begin(given)
        if churn_max is None:
            swept = prepare(np.empty(0))(begin, 0.0, None)
        else:
            if given is None:
                raise BadInputError("start", "must be given where churn_max is", None)
            limit = checked_churn(churn_max)
            held = self._open.taken(given)
            swept = within_churn(prepare(held), begin, held, weight[self._open.path_pair], limit, gap)
        wanted = demand.max(axis=tuple(range(demand.ndim - 1)), initial=0.0) > 0
        return Split(
            self.paths,
            self._open.spread(swept.shares),
            swept.value,
            swept.bound,
            swept.sweeps,
            np.flatnonzero(wanted & ~self._open.served),
        )
