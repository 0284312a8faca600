"""Series of exchanges an hour as a scenario's demand model says, with the true means: what an oracle would forecast."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache

import numpy as np
from numpy.typing import NDArray

from router_core.calendar import day_of
from router_core.demand_model import SIZE_QUANTILES
from router_core.randomness import stream
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS
from router_core.vocabulary import NodeKind
from scenarios.loading import load
from traces.demand import type_day_means
from traces.tides import HOURS
from traces.workload import Workload, build_workload


@dataclass(frozen=True, eq=False)
class Series:
    """Drawn exchanges, their bytes and true means of D series over the T hours of a grid, each (T, D)."""

    grid: TimeGrid
    exchanges: NDArray[np.float64]
    payload_bytes: NDArray[np.float64]
    mean: NDArray[np.float64]
    mean_bytes: NDArray[np.float64]

    def part(self, first: int, last: int) -> Series:
        """The hours ``first .. last - 1``."""
        hours = slice(first, last)
        arrays = (array[hours] for array in (self.exchanges, self.payload_bytes, self.mean, self.mean_bytes))
        return Series(self.grid.part(first, last), *arrays)


@cache
def _workload(scenario: str, exchanges_per_day: int | None) -> Workload:
    return build_workload(load(scenario), exchanges_per_day)


def pair_series(
    scenario: str,
    first: date,
    days: int,
    seed: int,
    *,
    finer: bool = False,
    of_bytes: bool = False,
    exchanges_per_day: int | None = None,
) -> Series:
    """Draw what pairs of centres exchange an hour; an endpoint counts at its first home.

    Counts have the law of a generated trace: Poisson in each hour around the mean of its flows.

    Parameters
    ----------
    scenario : str
    first : date
    days : int
    seed : int
    finer : bool
        A series for each pair of groups and type of demand instead of one for each pair of centres.
    of_bytes : bool
        Draw sizes too, one an exchange; otherwise bytes are 0.
    exchanges_per_day : int, optional
    """
    workload = _workload(scenario, exchanges_per_day)
    kinds = len(workload.platform.demand.types)
    pair, pairs = (_group_pairs if finer else _home_pairs)(workload)
    share = np.zeros((2, kinds, HOURS, pairs))
    for kind in range(kinds):
        rows = pair[workload.flows.rows(kind)]
        inside = rows >= 0
        for working in (False, True):
            for hour in range(HOURS):
                weight = workload.shares.of(kind, hour, working)
                share[int(working), kind, hour] = np.bincount(rows[inside], weight[inside], pairs)
    grid = TimeGrid(datetime.combine(first, time()), HOUR_NS, days * HOURS)
    shape = (days, HOURS, pairs)
    mean, mean_bytes, exchanges, payload_bytes = (np.zeros(shape) for _ in range(4))
    size_mean = workload.calibration.mean_bytes
    for number, when in enumerate(grid.dates()):
        of_type = type_day_means(workload, when)
        parts = of_type[:, None, None] * share[int(day_of(when).working)]
        mean[number] = parts.sum(axis=0)
        mean_bytes[number] = (parts * size_mean[:, None, None]).sum(axis=0)
        random = stream(seed, f"tides {when.isoformat()}")
        if not of_bytes:
            exchanges[number] = random.poisson(mean[number])
            continue
        for kind in range(kinds):
            count = random.poisson(parts[kind])
            cell = np.repeat(np.arange(count.size), count.ravel())
            size = workload.sizes[kind][random.integers(0, SIZE_QUANTILES, len(cell))]
            exchanges[number] += count
            payload_bytes[number] += np.bincount(cell, size, count.size).reshape(count.shape)
    flat = (days * HOURS, pairs)
    return Series(grid, *(array.reshape(flat) for array in (exchanges, payload_bytes, mean, mean_bytes)))


def _home_pairs(workload: Workload) -> tuple[NDArray[np.int64], int]:
    """Ordered pair of centres of each flow, -1 within one centre or where a first home is none; all such pairs."""
    network = workload.platform.network
    centres = np.flatnonzero(network.node_kind == NodeKind.CENTRE)
    count = len(centres)
    home = np.full(network.node_count, -1, dtype=np.int64)
    for node, homes in network.homes.items():
        if network.node_kind[homes[0]] == NodeKind.CENTRE:
            home[node] = np.searchsorted(centres, homes[0])
    source, target = home[workload.flows.source], home[workload.flows.target]
    pair = source * (count - 1) + target - (target > source)
    return np.where((source == target) | (source < 0) | (target < 0), -1, pair), count * (count - 1)


def _group_pairs(workload: Workload) -> tuple[NDArray[np.int64], int]:
    group = workload.platform.network.node_group
    flows = workload.flows
    key = (group[flows.source].astype(np.int64) * (group.max() + 1) + group[flows.target]) * 64 + flows.kinds()
    found, index = np.unique(key, return_inverse=True)
    return index.astype(np.int64), len(found)
