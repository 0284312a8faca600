"""What other users took of the lines in the past, hour by hour, as telemetry told it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS


@dataclass(frozen=True, eq=False)
class LineHistory:
    """Mean share of each directed line that others took in each hour.

    Attributes
    ----------
    grid : TimeGrid
        H hours of local time.
    others : float32 (H, L)
        In [0, 1]; NaN where no telemetry came.
    """

    grid: TimeGrid
    others: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.grid.step_ns != HOUR_NS:
            raise BadInputError("lines.grid", "must have steps of an hour", self.grid.step_ns)
        if self.others.ndim != 2 or len(self.others) != self.grid.count:
            raise BadInputError("lines.others", f"must have {self.grid.count} rows", self.others.shape)
        wrong = np.argwhere((self.others < 0) | (self.others > 1))
        if len(wrong):
            hour, line = wrong[0].tolist()
            raise BadInputError(f"lines.others[{hour}, {line}]", "must lie in 0..1", float(self.others[hour, line]))
