"""What stations carry when something fails and front-ends move to other ways by themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.kernels.failure_loads import add_flows, all_stand_in, failure_peaks, paths_by_station
from router_core.paths.path_set import PathSet


class FailureLoads:
    """Flows over the paths of a set, without a failure and after each single risk of its space.

    Front-ends move as `router_core.live_plan.LivePlan` says: a dead path's weight goes to the pair's next live path of
    positive weight, round and round, else to its first live path; a pair without a live path carries nothing.

    Parameters
    ----------
    paths : PathSet
    """

    def __init__(self, paths: PathSet) -> None:
        self._paths = paths
        self._by_start, self._by_path = paths_by_station(
            paths.path_start, paths.path_station, paths.space.station_count
        )

    def flows(self, weights: NDArray[np.int64], demand: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what passes each station, float64 (S, Q).

        Parameters
        ----------
        weights : int64 (P,)
            Not negative; a pair whose weights are all 0 carries nothing.
        demand : float64 (D, Q)
            Of each pair, in Q columns.
        """
        paths = self._paths
        self._check(weights, demand)
        flow = np.zeros((paths.space.station_count, demand.shape[1]))
        add_flows(paths.pair_start, paths.path_start, paths.path_station, weights, demand, flow)
        return flow

    def peaks(
        self,
        weights: NDArray[np.int64],
        demand: NDArray[np.float64],
        flow: NDArray[np.float64],
        unit_load: NDArray[np.float64],
        rank: int,
        scale: NDArray[np.float64] | None = None,
        above: float = -1.0,
    ) -> NDArray[np.float64]:
        """Return the utilisation of stations after each risk, float64 (R, S), NaN where no flow changes.

        Parameters
        ----------
        weights : int64 (P,)
        demand : float64 (D, 2 M)
            Exchanges a second in M courses, then bytes a second in the same.
        flow : float64 (S, 2 M)
            `flows` of these.
        unit_load : float64 (2, S)
            As of `platform_unit_load`.
        rank : int
            Which of the M utilisations of a station counts, from 0, ascending.
        scale : float64 (R,), optional
            Share of the moves that each risk causes; all of them if not given.
        above : float
            Where no course is beyond this, NaN too.
        """
        paths, risks = self._paths, self._paths.space.risks
        self._check(weights, demand)
        courses = demand.shape[1] // 2
        if demand.shape[1] % 2 or not 0 <= rank < courses:
            raise BadInputError("rank", f"must lie in 0..{courses - 1} of whole courses", (rank, demand.shape))
        result: NDArray[np.float64] = np.full((len(risks), paths.space.station_count), np.nan)
        failure_peaks(
            paths.pair_start,
            paths.path_pair,
            paths.path_start,
            paths.path_station,
            self._by_start,
            self._by_path,
            risks.start,
            risks.station,
            weights,
            demand,
            flow,
            np.ascontiguousarray(unit_load),
            np.ones(len(risks)) if scale is None else scale,
            rank,
            above,
            result,
        )
        return result

    def after(self, weights: NDArray[np.int64], risk: int) -> NDArray[np.int64]:
        """Return the weights (P,) by which front-ends send after a risk."""
        paths = self._paths
        dead = np.zeros(paths.path_count, dtype=np.bool_)
        for station in paths.space.risks.stations(risk).tolist():
            dead[self._by_path[self._by_start[station] : self._by_start[station + 1]]] = True
        result = np.empty_like(weights)
        all_stand_in(paths.pair_start, weights, dead, result)
        return result

    def pairs_over(self, weights: NDArray[np.int64], station: int) -> NDArray[np.int32]:
        """Return the pairs that send over a station by these weights, ascending."""
        over = self._by_path[self._by_start[station] : self._by_start[station + 1]]
        return np.unique(self._paths.path_pair[over[weights[over] > 0]])

    def _check(self, weights: NDArray[np.int64], demand: NDArray[np.float64]) -> None:
        paths = self._paths
        if weights.dtype != np.int64 or weights.shape != (paths.path_count,) or (weights < 0).any():
            raise BadInputError("weights", f"must be int64 ({paths.path_count},), none negative", weights.shape)
        if demand.ndim != 2 or len(demand) != paths.pair_count:
            raise BadInputError("demand", f"must be of shape ({paths.pair_count}, Q)", demand.shape)
