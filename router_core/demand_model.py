"""What a scenario says about demand: its types, their tides and sizes. The trace generator draws from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.vocabulary import Mode, TaskKind

SIZE_QUANTILES = 65_536


@dataclass(frozen=True)
class SizeLaw:
    """Payload sizes: a lognormal body with a Pareto tail, cut off at a maximum.

    Attributes
    ----------
    median_bytes : int
        Median of the body, at least 1.
    sigma : float
        Standard deviation of the body's logarithm, >= 0.
    tail_share : float
        Share of exchanges in the tail, in [0, 0.5); it begins where the body's upper quantile of that share lies.
    tail_alpha : float
        Pareto exponent of the tail, > 1.
    max_bytes : int
        No payload is larger; where calibration enlarges sizes, it enlarges this too.
    """

    median_bytes: int
    sigma: float
    tail_share: float
    tail_alpha: float
    max_bytes: int


@dataclass(frozen=True)
class DemandType:
    """One true type of demand, and how it moves with hour, week and calendar.

    Attributes
    ----------
    name, title_en, title_zh : str
    mode : Mode
    kind : TaskKind
        SYNC recurs on a schedule (`period_ns`, phases differ from task to task); EXCHANGE comes on demand (Poisson).
    priority : int
        Class of service, 0 is the most urgent.
    share : float
        Share of all exchanges of a plain working day, > 0; the shares of a scenario sum to 1.
    hours, off_hours : tuple of 24 floats
        Relative weight of each hour on working days and on other days, >= 0, not all 0. A SYNC type runs only in
        hours of positive weight.
    weekend, holiday : float
        Level of such a day against a plain working day, >= 0.
    month_end, reporting, yearly, half_yearly : float
        Level against a plain day: on the last two working days of a month, on the working days from the 1st up to
        the 5th, in the last five working days of January and February, and in the last five of July.
    deadline_ns : int
        Time from submission to deadline [ns]; 0: none.
    deferrable : bool
        Whether it may be held back within its deadline.
    period_ns : int
        Period of a SYNC task [ns], 0 for EXCHANGE.
    size : SizeLaw
    scales : bool
        Whether calibration multiplies its sizes (bulk) or leaves them (messages and queries).
    same_sector, same_region, upward, downward : float
        Gravity factors, > 0: between units of one sector, of one region, from a lower to a higher level, and back.
    fan_out : int
        How many consumers a resource of this type has on average, at least 1.
    """

    name: str
    title_en: str
    title_zh: str
    mode: Mode
    kind: TaskKind
    priority: int
    share: float
    hours: tuple[float, ...]
    off_hours: tuple[float, ...]
    weekend: float
    holiday: float
    month_end: float
    reporting: float
    yearly: float
    half_yearly: float
    deadline_ns: int
    deferrable: bool
    period_ns: int
    size: SizeLaw
    scales: bool
    same_sector: float
    same_region: float
    upward: float
    downward: float
    fan_out: int


@dataclass(frozen=True)
class DemandModel:
    """The demand of a scenario.

    Attributes
    ----------
    types : tuple of DemandType
    exchanges_per_day : int
        Exchanges of a plain working day, the default of a generated day.
    peak_utilisation : float
        Utilisation of the busiest station in the busiest hour of a plain working day under `ecmp`, to which sizes
        are calibrated, in (0, 1).
    structure_seed : int
        Seed of the flows: who exchanges what with whom belongs to the scenario, not to a trace.
    """

    types: tuple[DemandType, ...]
    exchanges_per_day: int
    peak_utilisation: float
    structure_seed: int


@dataclass(frozen=True, eq=False)
class Demand:
    """Mean rates between endpoints over some span; D rows, several may share a pair.

    Attributes
    ----------
    source, target : int32 (D,)
        Node indices of endpoints.
    exchanges_per_s, bytes_per_s : float64 (D,)
        Mean rates, >= 0.
    """

    source: NDArray[np.int32]
    target: NDArray[np.int32]
    exchanges_per_s: NDArray[np.float64]
    bytes_per_s: NDArray[np.float64]
