"""Which risks a path fails with, and the path that avoids as many of some risks as possible."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from router_core.kernels.risk_paths import avoiding_path
from router_core.paths.k_shortest import ordered_cost
from router_core.paths.route_space import RouteSpace


class SharedRisks:
    """The risks of a space as sets in the bits of integers: bit r stands for risk r.

    Parameters
    ----------
    space : RouteSpace
    """

    def __init__(self, space: RouteSpace) -> None:
        self._space = space
        self._cost = ordered_cost(space)
        self._of_station = [0] * space.station_count
        for risk in range(len(space.risks)):
            for station in space.risks.stations(risk).tolist():
                self._of_station[station] |= 1 << risk

    def of(self, path: Iterable[int]) -> int:
        """Risks that a path of these stations fails with."""
        found = 0
        for station in path:
            found |= self._of_station[station]
        return found

    def avoiding(self, source: int, target: int, risks: int) -> tuple[int, ...] | None:
        """Return the path that fails with few of these risks, and among such paths the cheapest.

        Each station pays a fine for each of its risks, so a path that visits two stations of one risk pays twice: these
        are the fewest risks only where no path does.
        """
        fine = np.zeros(self._space.station_count, dtype=np.int64)
        for risk in bits(risks):
            fine[self._space.risks.stations(risk)] += 1
        return self._path(source, target, fine, np.zeros(len(fine), dtype=np.bool_))

    def without(self, source: int, target: int, risk: int) -> tuple[int, ...] | None:
        """Return the cheapest path that does not fail with this risk."""
        closed = np.zeros(self._space.station_count, dtype=np.bool_)
        closed[self._space.risks.stations(risk)] = True
        return self._path(source, target, np.zeros(len(closed), dtype=np.int64), closed)

    def _path(
        self, source: int, target: int, fine: NDArray[np.int64], closed: NDArray[np.bool_]
    ) -> tuple[int, ...] | None:
        graph, start, end = self._space.graph, self._space.entry[source], self._space.exit[target]
        path = avoiding_path(
            graph.arc_start, graph.arc_tail, graph.arc_head, graph.arc_station, self._cost, fine, closed, start, end
        )
        return tuple(path.tolist()) if len(path) or start == end else None


def bits(risks: int) -> Iterator[int]:
    """Numbers of the risks in a set, ascending."""
    while risks:
        lowest = risks & -risks
        yield lowest.bit_length() - 1
        risks ^= lowest
