"""The static plan of some days, on one screen: holds first, then one slot after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from router_core.errors import BadInputError
from router_core.loads import server_time
from router_core.network import NO_GROUP, Network
from router_core.paths.path_set import PathSet
from router_core.paths.platform_load import platform_unit_load
from router_core.splits.peak import PeakSolver
from router_core.units import HOUR_NS
from strategies.classes.class_model import PolicyTemplate
from strategies.static.demand_series import DemandSeries
from strategies.static.holds import LAG_NS, plan_holds, released
from strategies.static.slot_planner import AVAILABLE_MIN, PlanSetting, Slot, SlotPlanner
from strategies.static.week_plan import WEIGHT_TOTAL, SlotFigures, WeekPlan
from strategies.tides.forecast import Forecast

HOUR_S = 3_600.0


def plan_week(
    network: Network,
    paths: PathSet,
    series: DemandSeries,
    policies: Sequence[PolicyTemplate],
    forecast: Forecast,
    scenarios: NDArray[np.float64],
    others: NDArray[np.float64],
    setting: PlanSetting | None = None,
    on_progress: Callable[[float], None] = lambda _done: None,
) -> WeekPlan:
    """Plan every slot of a forecast.

    Parameters
    ----------
    network : Network
    paths : PathSet
        Of ``space_of_network(network)``, with a path for every connected pair that there is.
    series : DemandSeries
        What the D columns of forecast and scenarios are.
    policies : sequence of PolicyTemplate, length C
    forecast : Forecast
        Exchanges of each series in each of K hours.
    scenarios : float64 (M, K, D)
        Likely courses of the same.
    others : float64 (K, L)
        Expected share of each line that other users take.
    setting : PlanSetting, optional
    on_progress : callable, optional
        Told what share of the slots is planned.

    Raises
    ------
    BadInputError
        If shapes do not fit, or a slot is no hour.
    """
    setting = setting or PlanSetting()
    grid = forecast.grid
    _check(grid.step_ns, (grid.count, len(series)), scenarios, others, (grid.count, network.line_count))
    limits = [one.hold_max_ns if setting.holds and one.deferrable else 0 for one in policies]
    pair = series.pairs_in(paths)
    hold = _holds(network, paths, series, pair, forecast, others, np.array(limits, dtype=np.int64))
    sent = _released(scenarios, hold, series)
    planner = SlotPlanner(network, paths, setting)
    slots: list[Slot] = []
    for slot in range(grid.count):
        demands = _by_pair(sent[:, slot], series, pair, paths.pair_count)
        submitted = _by_pair(scenarios[:, slot], series, pair, paths.pair_count)
        work = np.max([_endpoint_work(network, series, row) for row in sent[:, slot]], axis=0)
        slots.append(planner.plan(demands, submitted, others[slot], work))
        on_progress((slot + 1) / grid.count)
    figures = {name: np.array([slot.figures[name] for slot in slots]) for name in slots[0].figures}
    return WeekPlan(
        grid=grid,
        topology=network.digest,
        paths=paths,
        weights=np.stack([slot.weights for slot in slots]),
        node=planner.nodes,
        servers=np.stack([slot.servers for slot in slots]),
        lag_ns=np.array(LAG_NS, dtype=np.int64),
        hold=hold,
        hold_of_lead=setting.hold_of_lead,
        priority=np.array([one.priority for one in policies], dtype=np.int8),
        provisional=forecast.provisional,
        figures=SlotFigures(held_share=_held_share(forecast, hold, series), **figures),
    )


def _check(
    step_ns: int,
    shape: tuple[int, int],
    scenarios: NDArray[np.float64],
    others: NDArray[np.float64],
    lines: tuple[int, int],
) -> None:
    if step_ns != HOUR_NS:
        raise BadInputError("forecast.grid", "must have steps of an hour", step_ns)
    if scenarios.ndim != 3 or scenarios.shape[1:] != shape or len(scenarios) == 0:
        raise BadInputError("scenarios", f"must be of shape (M, {shape[0]}, {shape[1]})", scenarios.shape)
    if others.shape != lines:
        raise BadInputError("others", f"must be of shape {lines}", others.shape)


def _holds(
    network: Network,
    paths: PathSet,
    series: DemandSeries,
    pair: NDArray[np.intp],
    forecast: Forecast,
    others: NDArray[np.float64],
    limits: NDArray[np.int64],
) -> NDArray[np.int16]:
    """Plan the holds of each day by the expected load, routed as were best if nothing were held; (K, C, J)."""
    grid = forecast.grid
    hold = np.zeros((grid.count, series.class_count, len(LAG_NS)), dtype=np.int16)
    hold[:, :, 0] = WEIGHT_TOTAL
    if not limits.any():
        return hold
    on_path = np.repeat(np.arange(paths.path_count), np.diff(paths.path_start))
    visits = sparse.csr_array(
        (np.ones(len(on_path)), (paths.path_station, on_path)), shape=(network.station_count, paths.path_count)
    )
    shares: NDArray[np.float64] | None = None
    solver = PeakSolver(paths, platform_unit_load(network))
    for day in np.unique(grid.day()).tolist():
        hours = np.flatnonzero(grid.day() == day)
        load = np.zeros((len(hours), series.class_count, network.station_count))
        for place, hour in enumerate(hours.tolist()):
            unit_load = platform_unit_load(network, np.maximum(1.0 - others[hour], AVAILABLE_MIN))
            demand = _by_pair(forecast.mean[None, hour], series, pair, paths.pair_count)[0]
            shares = solver.loaded(unit_load).solve(demand, gap=0.05, start=shares).shares
            by_class = _by_pair_and_class(forecast.mean[hour], series, pair, paths.pair_count)
            for part, unit in zip(by_class, unit_load, strict=True):
                finite = np.where(np.isfinite(unit), unit, 0.0)
                load[place] += (visits @ (part[paths.path_pair] * shares[:, None])).T * finite
        hold[hours] = plan_holds(load, limits)
    return hold


def _released(scenarios: NDArray[np.float64], hold: NDArray[np.int16], series: DemandSeries) -> NDArray[np.float64]:
    """Return what is sent in each hour of what is submitted in each, (M, K, D)."""
    waits = np.flatnonzero((hold[:, :, 0] < WEIGHT_TOTAL).any(axis=0))
    waiting = np.flatnonzero(np.isin(series.demand_class, waits))
    if len(waiting) == 0:
        return scenarios
    result = scenarios.copy()
    lag_ns = np.array(LAG_NS, dtype=np.int64)
    result[:, :, waiting] = released(scenarios[:, :, waiting], hold[:, series.demand_class[waiting]], lag_ns)
    return result


def _by_pair(
    exchanges: NDArray[np.float64], series: DemandSeries, pair: NDArray[np.intp], pairs: int
) -> NDArray[np.float64]:
    """Turn exchanges an hour (M, D) into exchanges and bytes a second of each pair, (M, 2, pairs)."""
    rate = exchanges / HOUR_S
    return np.stack(
        [[np.bincount(pair, row, pairs), np.bincount(pair, row * series.mean_bytes, pairs)] for row in rate]
    )


def _by_pair_and_class(
    exchanges: NDArray[np.float64], series: DemandSeries, pair: NDArray[np.intp], pairs: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Turn exchanges an hour (D,) into exchanges, and bytes, a second of each pair and class, each (pairs, C)."""
    place = pair * series.class_count + series.demand_class
    shape = (pairs, series.class_count)
    rate = exchanges / HOUR_S
    cells = shape[0] * shape[1]
    counts, sizes = (np.bincount(place, row, cells).astype(np.float64) for row in (rate, rate * series.mean_bytes))
    return counts.reshape(shape), sizes.reshape(shape)


def _endpoint_work(network: Network, series: DemandSeries, exchanges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Server time that exchanges an hour (D,) ask of the endpoints' own stations [s/s], (S,)."""
    groups = len(network.groups)
    ends = np.flatnonzero(network.node_group != NO_GROUP)
    group = network.node_group[ends]
    totals = np.zeros((2, len(ends)))
    for of_group, share in ((series.source_group, series.sent), (series.target_group, series.received)):
        place = of_group.astype(np.int64) * series.class_count + series.demand_class
        for row, amount in enumerate((exchanges, exchanges * series.mean_bytes)):
            whole = np.bincount(place, amount / HOUR_S, groups * series.class_count).reshape(groups, -1)
            totals[row] += (share[ends] * whole[group]).sum(axis=1)
    result = np.zeros(network.station_count)
    station = network.node_station[ends]
    counts, sizes = (np.bincount(station, row, network.station_count).astype(np.float64) for row in totals)
    result[station] = server_time(network, counts, sizes)[station]
    return result


def _held_share(forecast: Forecast, hold: NDArray[np.int16], series: DemandSeries) -> NDArray[np.float64]:
    """Share of each hour's bytes that are held back, (K,)."""
    sizes = forecast.mean * series.mean_bytes
    waits = 1.0 - hold[:, series.demand_class, 0] / float(WEIGHT_TOTAL)
    total = sizes.sum(axis=1)
    return np.asarray(np.divide((sizes * waits).sum(axis=1), total, out=np.zeros(len(total)), where=total > 0))
