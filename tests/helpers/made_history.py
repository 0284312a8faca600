"""Histories of made classes: relations whose hours, calendar, sizes and ways are stated in a line each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time

import numpy as np
from numpy.typing import NDArray

from router_core.calendar import day_of
from router_core.demand_history import SIZE_BINS, DemandHistory, Relations
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS, SECOND_NS
from router_core.vocabulary import Mode, TaskKind


@dataclass(frozen=True)
class MadeClass:
    """One class; a relation draws its rate around `per_day` exchanges a plain working day."""

    hours: tuple[int, ...]
    weekend: float = 1.0
    month_end: float = 1.0
    yearly: float = field(default=1.0, kw_only=True)
    per_day: float = 60.0
    mode: Mode = Mode.DOCKING
    kind: TaskKind = TaskKind.EXCHANGE
    priority: int = 1
    lead_s: int = 60
    digits: int = 12


NIGHT = MadeClass((0, 1, 2, 3), 0.8, 1.0, mode=Mode.FRONT_END, kind=TaskKind.SYNC, priority=3, lead_s=21_600, digits=24)
OFFICE = MadeClass((9, 10, 11, 14, 15, 16), 0.05, 1.0, mode=Mode.QUERY, priority=0, lead_s=5, digits=12)
REPORTS = MadeClass((9, 10, 11, 14, 15, 16, 17), 0.2, 6.0, mode=Mode.BATCH, priority=2, lead_s=3_600, digits=25)
BEATS = MadeClass(tuple(range(24)), kind=TaskKind.SYNC, digits=9)


@dataclass(frozen=True)
class MadeHistory:
    """A history, and the number of the class of each relation."""

    history: DemandHistory
    true: NDArray[np.int16]
    classes: tuple[MadeClass, ...] = field(default=())


def made_history(
    classes: tuple[MadeClass, ...] = (NIGHT, OFFICE, REPORTS, BEATS),
    *,
    each: int = 40,
    days: int = 42,
    start: date = date(2026, 3, 2),
    seed: int = 0,
    names_seed: int = 0,
    observed: NDArray[np.bool_] | None = None,
) -> MadeHistory:
    """Draw a history: `names_seed` says which endpoints are whose, `seed` what they exchange."""
    count = each * len(classes)
    names = np.random.default_rng([names_seed, 1])
    pairs = names.permutation(100 * 99)[:count]
    source, target = pairs // 99, pairs % 99
    target = target + (target >= source)
    true = np.repeat(np.arange(len(classes)), each)
    size = np.exp(np.random.default_rng(7).normal(0.0, 0.5, count))
    random = np.random.default_rng([seed, 2])
    grid = TimeGrid(datetime.combine(start, time()), HOUR_NS, 24 * days)
    amount = np.zeros((24 * days, count), dtype=np.int64)
    for number, when in enumerate(grid.dates()):
        day = day_of(when)
        for index, one in enumerate(classes):
            level = 1.0 if day.working else one.weekend
            level *= one.month_end if day.month_end else 1.0
            level *= one.yearly if day.yearly else 1.0
            mean = np.zeros(24)
            mean[list(one.hours)] = level * one.per_day / len(one.hours)
            columns = true == index
            amount[24 * number : 24 * number + 24, columns] = random.poisson(mean[:, None] * size[columns])
    seen = np.ones(24 * days, dtype=np.bool_) if observed is None else observed
    amount[~seen] = 0
    order = np.lexsort((target, source))
    amount, true = amount[:, order], true[order]
    size_count = np.zeros((count, SIZE_BINS), dtype=np.int64)
    drawn = np.array([one.digits for one in classes])[true]
    for offset in (-1, 0, 1):
        size_count[np.arange(count), drawn + offset] = amount.sum(axis=0) // 3
    size_count[np.arange(count), drawn] += amount.sum(axis=0) - size_count.sum(axis=1)

    def column(name: str, dtype: type[np.generic]) -> NDArray[np.generic]:
        return np.array([int(getattr(one, name)) for one in classes])[true].astype(dtype)

    hour, relation = np.nonzero(amount)
    exchanges = amount[hour, relation]
    history = DemandHistory(
        grid=grid,
        observed=seen,
        relations=Relations(
            source=source[order].astype(np.int32),
            target=target[order].astype(np.int32),
            mode=column("mode", np.int8),
            kind=column("kind", np.int8),
            priority=column("priority", np.int8),
            lead_ns=column("lead_s", np.int64) * SECOND_NS,
            size_count=size_count,
        ),
        hour_start=np.searchsorted(hour, np.arange(24 * days + 1)).astype(np.int64),
        relation=relation.astype(np.int32),
        exchanges=exchanges,
        payload_bytes=exchanges << (drawn[relation] - 1),
    )
    return MadeHistory(history, true.astype(np.int16), classes)
