"""When synchronisation tasks run: a period, a phase of whole minutes, and only in hours of positive weight."""

from __future__ import annotations

from math import gcd

import numpy as np
from numpy.typing import NDArray

from router_core.demand_model import DemandType
from router_core.errors import BadInputError
from router_core.units import DAY_NS, HOUR_NS, MINUTE_NS
from traces.tides import HOURS, hour_weights


def granule_ns(period_ns: int) -> int:
    """Return the step of phases, and the time within which a run submits its exchanges: a minute or less [ns]."""
    return gcd(period_ns, MINUTE_NS)


def check_period(kind: DemandType) -> None:
    """Raise `BadInputError` unless the period of a synchronisation type divides a day: timetables repeat daily."""
    if kind.period_ns <= 0 or DAY_NS % kind.period_ns:
        raise BadInputError(f"demand type {kind.name}.period_ns", "must divide a day", kind.period_ns)


def runs_in_hour(phase_ns: NDArray[np.int64], period_ns: int, hour: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first run of each task at or after the hour's start [ns of day], and how many begin in the hour."""
    start = hour * HOUR_NS
    first = -((phase_ns - start) // period_ns)  # ceil((start - phase) / period)
    count = -((phase_ns - start - HOUR_NS) // period_ns) - first
    return phase_ns + first * period_ns, count


def phases(kind: DemandType, working: bool, rank: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the phase of each task [ns], below the period.

    Parameters
    ----------
    kind : DemandType
        A synchronisation type.
    working : bool
        The timetable of working days, or that of days off.
    rank : float64 (tasks,)
        Where each task stands in the order of phases, in [0, 1). Evenly spread ranks give a phase its share of the
        hours' weights, so that every task has a run in an hour of positive weight.
    """
    step = granule_ns(kind.period_ns)
    candidates = np.arange(0, kind.period_ns, step, dtype=np.int64)
    hours = hour_weights(kind, working)
    weights = sum(runs_in_hour(candidates, kind.period_ns, hour)[1] * hours[hour] for hour in range(HOURS))
    return np.asarray(candidates[quantile_index(np.cumsum(weights), rank)])


def quantile_index(cumulative: NDArray[np.float64], rank: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the index that each rank in [0, 1) falls on, by cumulative weights; one of weight 0 is never chosen."""
    # Rounding may lift rank * total to the total itself: the last index of positive weight is the bound.
    last = np.searchsorted(cumulative, cumulative[-1], side="left")
    return np.asarray(np.minimum(np.searchsorted(cumulative, rank * cumulative[-1], side="right"), last))
