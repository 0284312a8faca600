"""What tides are made of: all that a history taught, and nothing that follows from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.time_grid import TimeGrid
from strategies.tides.bands import Bands
from strategies.tides.blend import TideRecord
from strategies.tides.days import Calendar, DayTable
from strategies.tides.mixture import Mixture
from strategies.tides.scale import Scale
from strategies.tides.totals import Totals


@dataclass(frozen=True, eq=False)
class Errors:
    """Whole days of whitened errors, E of them: what came against what had been said before.

    Attributes
    ----------
    kind : int64 (E,)
        Kind of each day.
    error : float64 (E, S, D)
        In standard deviations.
    """

    kind: NDArray[np.int64]
    error: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TideState:
    """What a fit keeps of the past of D series.

    Attributes
    ----------
    grid : TimeGrid
        The history so far, gaps included.
    calendar : callable
    record : TideRecord
        Which models were compared on what, and the blend.
    totals, recent, mixture, scale, bands, errors
        What was learnt.
    weights : float64 (M,)
        The blend of `MODELS`.
    """

    grid: TimeGrid
    calendar: Calendar
    record: TideRecord
    totals: Totals
    recent: DayTable
    mixture: Mixture
    scale: Scale
    bands: Bands
    errors: Errors
    weights: NDArray[np.float64]
