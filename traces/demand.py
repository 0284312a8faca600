"""Mean rates between endpoints in an hour, for solvers that need no single exchange."""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

from router_core.calendar import day_of
from router_core.demand_model import Demand
from router_core.errors import BadInputError
from traces.calibrate import HOUR_S
from traces.tides import HOURS, day_means
from traces.workload import Workload


def hour_demand(workload: Workload, when: date | None, hour: int) -> Demand:
    """Return the mean rates of one hour, one row for each flow that exchanges anything in it.

    Rows of one type share their mean size, which solvers make use of; a pair with several flows has several rows.

    Parameters
    ----------
    workload : Workload
    when : date or None
        Local date; `None` stands for a plain working day, on which nothing special is due.
    hour : int
        Hour of the day, 0..23.
    """
    if not 0 <= hour < HOURS:
        raise BadInputError("hour", "must lie in 0..23", hour)
    working = when is None or day_of(when).working
    flows = workload.flows
    means = type_day_means(workload, when)
    exchanges = np.concatenate(
        [mean / HOUR_S * workload.shares.of(kind, hour, working) for kind, mean in enumerate(means)]
    )
    size = exchanges * np.repeat(workload.calibration.mean_bytes, np.diff(flows.type_start))
    used = exchanges > 0
    return Demand(flows.source[used], flows.target[used], exchanges[used], size[used])


def busiest_hour(workload: Workload) -> int:
    """Hour of a plain working day in which the busiest station is busiest under equal-cost routing."""
    return workload.calibration.hour


def type_day_means(workload: Workload, when: date | None) -> NDArray[np.float64]:
    """Mean number of exchanges of each type on a date, or on a plain working day; shape (K,)."""
    model = workload.platform.demand
    if when is None:
        return np.array([workload.mean_per_day * kind.share for kind in model.types])
    return day_means(model, day_of(when), workload.mean_per_day)


def expected_counts(workload: Workload, when: date) -> NDArray[np.float64]:
    """Mean number of exchanges of each type in each hour of a date, timetables included; shape (K, 24)."""
    working = day_of(when).working
    counts = np.zeros((len(workload.platform.demand.types), HOURS))
    for kind, mean in enumerate(type_day_means(workload, when)):
        counts[kind] = [mean * workload.shares.of(kind, hour, working).sum() for hour in range(HOURS)]
    return counts
