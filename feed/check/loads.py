"""What is expected of the network in the slots of a policy: likely courses of demand, and what other users take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.network import Network
from router_core.time_grid import TimeGrid
from strategies.static.demand_series import DemandSeries
from strategies.static.prepare import Prepared
from strategies.static.slot_planner import AVAILABLE_MIN

COURSES: Final = 20
QUANTILE: Final = 0.95
# Courses of so many spans are kept from one check to the next.
KEPT: Final = 16

Draw = Callable[[int, int], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Loads:
    """Demand of D series and room on L lines over T hours.

    The 95 % quantile that a policy must carry is that of each *station's* load, over whole courses of demand. Series
    are many and thin: if all came at their own 95 % quantile at once, that would be no day there ever was.

    Attributes
    ----------
    grid : TimeGrid
        Hours.
    series : DemandSeries
    mean : float64 (T, D)
        Exchanges an hour that are submitted.
    available, available_low : float64 (T, L)
        Share of each line that other users leave: as expected, and what they leave at least with probability 0.95.
    draw : callable
        Likely courses of the hours ``first .. last - 1``, float64 (M, last - first, D), the same ones whenever asked.
    """

    grid: TimeGrid
    series: DemandSeries
    mean: NDArray[np.float64]
    available: NDArray[np.float64]
    available_low: NDArray[np.float64]
    draw: Draw
    _kept: dict[tuple[int, int], NDArray[np.float64]] = field(default_factory=dict, repr=False)

    def courses(self, first: int, last: int) -> NDArray[np.float64]:
        """Return the courses of these hours, (M, last - first, D); those asked for of late are kept."""
        key = first, last
        if key not in self._kept:
            while len(self._kept) >= KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = self.draw(first, last)
        return self._kept[key]


def loads_of(network: Network, prepared: Prepared, *, courses: int = COURSES, seed: int = 0) -> Loads:
    """Return what a preparation expects of the hours that it planned.

    Parameters
    ----------
    network : Network
    prepared : Prepared
    courses : int
        Number M, >= 1.
    seed : int
    """
    if courses < 1:
        raise BadInputError("courses", "must be at least 1", courses)
    grid, tides = prepared.plan.grid, prepared.tides
    shape = (grid.count, network.line_count)
    others = high = np.zeros(shape)
    if prepared.lines is not None:
        others, high = prepared.lines.others(grid), prepared.lines.others_high(grid, QUANTILE)
    return Loads(
        grid=grid,
        series=prepared.series,
        mean=tides.forecast(grid).mean,
        available=np.maximum(1.0 - others, AVAILABLE_MIN),
        available_low=np.maximum(1.0 - np.maximum(high, others), AVAILABLE_MIN),
        draw=lambda first, last: tides.scenarios(grid.part(first, last), courses, seed),
    )
