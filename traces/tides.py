"""How much of each type of demand falls into each hour of a date."""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

from router_core.calendar import Day, DayKind, day_of
from router_core.demand_model import DemandModel, DemandType

HOURS = 24


def day_level(kind: DemandType, day: Day) -> float:
    """Exchanges of a day against a plain working day; what is due on the same day multiplies."""
    if day.kind == DayKind.WEEKEND:
        return kind.weekend
    if day.kind == DayKind.HOLIDAY:
        return kind.holiday
    level = 1.0
    for due, factor in (
        (day.month_end, kind.month_end),
        (day.reporting, kind.reporting),
        (day.yearly, kind.yearly),
        (day.half_yearly, kind.half_yearly),
    ):
        if due:
            level *= factor
    return level


def hour_weights(kind: DemandType, working: bool) -> NDArray[np.float64]:
    """Share of a day's exchanges in each hour; sums to 1, shape (24,)."""
    weights = np.array(kind.hours if working else kind.off_hours, dtype=np.float64)
    return np.asarray(weights / weights.sum())


def day_means(model: DemandModel, day: Day, exchanges_per_day: float) -> NDArray[np.float64]:
    """Mean number of exchanges of each type on a day, shape (K,).

    `exchanges_per_day` is that of a plain working day, over all types.
    """
    levels = np.array([day_level(kind, day) for kind in model.types])
    return np.asarray(exchanges_per_day * np.array([kind.share for kind in model.types]) * levels)


def hour_means(model: DemandModel, when: date, exchanges_per_day: float) -> NDArray[np.float64]:
    """Mean number of exchanges of each type in each hour of a date as the tides say, shape (K, 24).

    Each row sums to the day's level. A synchronisation type follows its timetable: its rows are met over all tasks
    and days alike, not in every hour of a small scenario; `traces.demand` gives the exact means.
    """
    day = day_of(when)
    weights = np.stack([hour_weights(kind, day.working) for kind in model.types])
    return np.asarray(day_means(model, day, exchanges_per_day)[:, None] * weights)
