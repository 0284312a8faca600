"""Histories drawn from a platform's demand model hour by hour, without a trace: the same laws, in seconds."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray

from router_core.calendar import day_of
from router_core.demand_history import SIZE_BINS, DemandHistory, Relations
from router_core.demand_model import SIZE_QUANTILES
from router_core.platform import Platform
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS
from traces.demand import type_day_means
from traces.workload import build_workload


def drawn_history(
    platform: Platform, start: date, days: int, seed: int, exchanges_per_day: int | None = None
) -> tuple[DemandHistory, NDArray[np.int16]]:
    """A history, and the type with most exchanges of each of its relations, (R,)."""
    workload = build_workload(platform, exchanges_per_day)
    random = np.random.default_rng([seed, 5])
    flows, types = workload.flows, platform.demand.types
    kind = flows.kinds().astype(np.int64)
    columns = np.stack(
        [
            flows.source.astype(np.int64),
            flows.target.astype(np.int64),
            *(np.array([int(getattr(one, name)) for one in types])[kind] for name in ("mode", "kind", "priority")),
        ],
        axis=1,
    )
    names, relation = np.unique(columns, axis=0, return_inverse=True)
    relation = relation.reshape(-1)
    counts = np.zeros((days * 24, len(flows)), dtype=np.int64)
    for day in range(days):
        when = start + timedelta(days=day)
        means = type_day_means(workload, when)
        for hour in range(24):
            for index in range(len(types)):
                share = workload.shares.of(index, hour, day_of(when).working)
                counts[day * 24 + hour, flows.rows(index)] = random.poisson(means[index] * share)
    of_flow = counts.sum(axis=0)
    digits = np.zeros((len(types), SIZE_BINS))
    for index in range(len(types)):
        exact = np.frexp(workload.sizes[index].astype(np.float64))[1]
        digits[index] = np.bincount(exact, minlength=SIZE_BINS) / SIZE_QUANTILES
    size_count = np.zeros((len(names), SIZE_BINS), dtype=np.int64)
    np.add.at(size_count, relation, random.multinomial(of_flow, digits[kind]))
    true = np.zeros((len(names), len(types)), dtype=np.int64)
    np.add.at(true, (relation, kind), of_flow)
    lead = np.array([one.deadline_ns or -1 for one in types])[kind]
    lead_ns = np.full(len(names), np.iinfo(np.int64).max)
    np.minimum.at(lead_ns, relation[of_flow > 0], lead[of_flow > 0])
    amount = np.zeros((days * 24, len(names)), dtype=np.int64)
    np.add.at(amount.T, relation, counts.T)
    mean_bytes = workload.sizes.mean(axis=1)[kind]
    per_relation = np.bincount(relation, of_flow * mean_bytes) / np.maximum(np.bincount(relation, of_flow), 1)
    hour_of, which = np.nonzero(amount)
    history = DemandHistory(
        grid=TimeGrid(datetime.combine(start, time()), HOUR_NS, days * 24),
        observed=np.ones(days * 24, dtype=np.bool_),
        relations=Relations(
            source=names[:, 0].astype(np.int32),
            target=names[:, 1].astype(np.int32),
            mode=names[:, 2].astype(np.int8),
            kind=names[:, 3].astype(np.int8),
            priority=names[:, 4].astype(np.int8),
            lead_ns=np.where(lead_ns == np.iinfo(np.int64).max, -1, lead_ns),
            size_count=size_count,
        ),
        hour_start=np.searchsorted(hour_of, np.arange(days * 24 + 1)).astype(np.int64),
        relation=which.astype(np.int32),
        exchanges=amount[hour_of, which],
        payload_bytes=np.rint(amount[hour_of, which] * per_relation[which]).astype(np.int64),
    )
    present = amount.any(axis=0)
    return restricted(history, present), true.argmax(axis=1).astype(np.int16)[present]


def restricted(history: DemandHistory, kept: NDArray[np.bool_]) -> DemandHistory:
    """The history of some relations alone, by a mask (R,) or by rows in their order."""
    number = np.cumsum(kept) - 1
    row = kept[history.relation]
    hour = history.hour_of_row()[row]
    return replace(
        history,
        relations=Relations(**{name: column[kept] for name, column in vars(history.relations).items()}),
        hour_start=np.searchsorted(hour, np.arange(history.hours + 1)).astype(np.int64),
        relation=number[history.relation[row]].astype(np.int32),
        exchanges=history.exchanges[row],
        payload_bytes=history.payload_bytes[row],
    )


def true_pairs(history: DemandHistory, true: NDArray[np.int16], types: int) -> NDArray[np.int16]:
    """Type with most exchanges of each pair of endpoints, in ascending order of the pairs."""
    ends = np.stack([history.relations.source, history.relations.target], axis=1)
    units, unit = np.unique(ends, axis=0, return_inverse=True)
    amount = np.zeros((len(units), types))
    np.add.at(amount, (unit.reshape(-1), true), history.totals())
    return amount.argmax(axis=1).astype(np.int16)
