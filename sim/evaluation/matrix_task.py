"""The question that a series of matrices asks: lines to route over, and demand in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.network import frozen
from router_core.paths.route_space import RouteSpace, space_of_lines
from traces.matrices import MatrixSeries

SECOND_NS: Final = 1_000_000_000
INVERSE_CAPACITY: Final = "inverse-capacity"
IGP: Final = "igp"
HOPS: Final = "hops"
METRICS: Final = (INVERSE_CAPACITY, IGP, HOPS)
# Administrative weights may be fractions; costs are whole.
IGP_SCALE: Final = 2**10


@dataclass(frozen=True, eq=False)
class MatrixTask:
    """A series with its lines as a space of routes; D pairs of different nodes, S directed lines.

    Attributes
    ----------
    series : MatrixSeries
    space : RouteSpace
    capacity : float64 (S,)
        Of each directed line [Mbit/s], > 0.
    source, target : int32 (D,)
    """

    series: MatrixSeries
    space: RouteSpace
    capacity: NDArray[np.float64]
    source: NDArray[np.int32]
    target: NDArray[np.int32]

    def demand(self, index: int) -> NDArray[np.float64]:
        """Return a read-only copy of one matrix by pair, (D,) [Mbit/s]: no way leads from it to the next one."""
        return frozen(self.series.demand_mbps[index, self.source, self.target], np.float64)

    def begin_ns(self, index: int) -> int:
        """Begin of an interval since 1970-01-01 UTC [ns]."""
        return int(self.series.t_utc[index].astype(np.int64)) * SECOND_NS

    @property
    def interval_ns(self) -> int:
        """Length of every interval [ns]: the shortest time between two; 1 s if there is only one."""
        return (self.series.gap_s() or 1) * SECOND_NS

    def pair_name(self, pair: int) -> str:
        """Name a pair for a message."""
        return self.space.pair_name(int(self.source[pair]), int(self.target[pair]))


def matrix_task(
    series: MatrixSeries, *, metric: str = INVERSE_CAPACITY, capacity_mbps: float | None = None
) -> MatrixTask:
    """Make the task of a series.

    Parameters
    ----------
    series : MatrixSeries
    metric : one of `METRICS`
        What a short path is: by inverse capacity, by the series' administrative weights, or by the number of lines.
    capacity_mbps : float, optional
        Gives every line this rate [Mbit/s] instead of its own.

    Raises
    ------
    BadInputError
        If the metric is unknown, or the series has none, or the rate is not finite and positive.
    """
    ends, capacity = series.directed_lines()
    if capacity_mbps is not None:
        if not 0 < capacity_mbps < np.inf:
            raise BadInputError("capacity_mbps", "must be finite and positive", capacity_mbps)
        capacity = frozen(np.full(len(capacity), capacity_mbps), np.float64)
    space = space_of_lines(series.nodes, ends, capacity, _cost(series, metric))
    source, target = space.all_pairs()
    return MatrixTask(series, space, capacity, source, target)


def _cost(series: MatrixSeries, metric: str) -> NDArray[np.int64] | None:
    """Return the cost of each directed line, None for the inverse of its capacity."""
    if metric not in METRICS:
        raise BadInputError("metric", f"must be one of {', '.join(METRICS)}", metric)
    if metric == INVERSE_CAPACITY:
        return None
    if metric == HOPS:
        return np.ones(len(series.directed_lines()[0]), dtype=np.int64)
    if series.igp_metric is None:
        raise BadInputError("metric", "igp needs an igp_metric in the series", metric)
    weight = series.igp_metric if series.directed else np.tile(series.igp_metric, 2)
    # A weight too large stays too large and is refused with the name of its line; 0 costs next to nothing.
    return np.clip(np.rint(weight * IGP_SCALE), 1, 2.0**62).astype(np.int64)
