"""Finds the size of bulk exchanges at which the busiest station of the busiest hour reaches the stated utilisation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.demand_model import SizeLaw
from router_core.equal_cost import EqualCostPlan
from router_core.errors import BadInputError
from router_core.loads import Incidence, per_server
from router_core.platform import Platform
from router_core.units import HOUR_NS, PAYLOAD_BYTES_MAX, SECOND_NS
from traces.flows import Flows
from traces.shares import HourShares
from traces.sizes import size_table, unscaled_sizes
from traces.tides import HOURS

HOUR_S: Final = HOUR_NS / SECOND_NS
FACTOR_MIN: Final = 1e-12
FACTOR_MAX: Final = 1e12
# Nine digits: the factor does not hang on the last bit of a machine's arithmetic, and neither do the bytes of a trace.
FACTOR_DIGITS: Final = 9
GROUPS_AT_ONCE: Final = 128


@dataclass(frozen=True, eq=False)
class Calibration:
    """Sizes of each type of demand, and what they lead to.

    Attributes
    ----------
    factor : float
        What the sizes of the types with `scales` were multiplied by; 1 if no type scales.
    sizes : int64 (K, SIZE_QUANTILES)
        Payload sizes of each type, every entry equally likely [bytes]; read-only.
    mean_bytes : float64 (K,)
        Exact mean payload of each type.
    utilisation : float
        Of the busiest station in the busiest hour of a plain working day under `ecmp`.
    hour : int
        That hour of the day, 0..23.
    station : int
        That station.
    """

    factor: float
    sizes: NDArray[np.int64]
    mean_bytes: NDArray[np.float64]
    utilisation: float
    hour: int
    station: int


def calibrate(platform: Platform, shares: HourShares, exchanges_per_day: float) -> Calibration:
    """Scale the sizes so that a plain working day of so many exchanges peaks at ``demand.peak_utilisation``.

    The load is that of `router_core.loads` under equal-cost routing, in every hour of the day, on lines of which the
    other users' mean share is taken away. Types without `scales` and the time an exchange takes whatever its size do
    not change; the cut at the largest size is part of what is solved for. Fewer exchanges are larger ones, and the cut
    grows with them (`largest`). Source: bisection, the peak rises with the factor.

    Raises
    ------
    BadInputError
        If what does not scale fills a station by itself, or the largest sizes do not reach the peak.
    """
    types = platform.demand.types
    laws = [unscaled_sizes(kind.size) for kind in types]

    def sizes_at(factor: float) -> NDArray[np.int64]:
        factors = [factor if kind.scales else 1.0 for kind in types]
        return np.stack(
            [
                size_table(law, scale, largest(kind.size, scale))
                for law, scale, kind in zip(laws, factors, types, strict=True)
            ]
        )

    scaling = np.array([kind.scales for kind in types])
    fixed_bytes = np.where(scaling, 0.0, sizes_at(1.0).mean(axis=1))
    fixed, per_byte = _load(platform, shares, exchanges_per_day, fixed_bytes, np.flatnonzero(scaling))

    def load_at(factor: float) -> NDArray[np.float64]:
        means = sizes_at(factor)[scaling].mean(axis=1)
        return np.asarray(fixed + np.tensordot(means, per_byte, axes=1))

    factor = 1.0
    if scaling.any():
        factor = _solve(platform, exchanges_per_day, fixed, load_at)
    load = load_at(factor)
    hour, station = np.unravel_index(int(load.argmax()), load.shape)
    sizes = sizes_at(factor)
    mean_bytes = sizes.mean(axis=1)
    for array in (sizes, mean_bytes):
        array.setflags(write=False)
    return Calibration(factor, sizes, mean_bytes, float(load.max()), int(hour), int(station))


def largest(law: SizeLaw, factor: float) -> int:
    """Largest payload of a law at a factor [bytes]: the cut keeps its place in the law where sizes grow."""
    return min(PAYLOAD_BYTES_MAX, round(law.max_bytes * max(1.0, factor)))


def _load(
    platform: Platform,
    shares: HourShares,
    exchanges_per_day: float,
    fixed_bytes: NDArray[np.float64],
    scaling: NDArray[np.intp],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Utilisation by what does not scale (24, S), and by one byte a scaling exchange (scaling types, 24, S)."""
    network = platform.network
    pair, source, target = pairs_of(shares.flows)
    # Rates of each hour and pair: exchanges and bytes of what does not scale, then exchanges of each scaling type.
    rates = np.zeros((2 + len(scaling), HOURS, len(source)))
    for hour in range(HOURS):
        for index, kind in enumerate(platform.demand.types):
            per_s = exchanges_per_day * kind.share / HOUR_S * shares.of(index, hour, True)
            rate = pair_sums(pair[shares.flows.rows(index)], per_s, len(source))
            rates[0, hour] += rate
            rates[1, hour] += rate * fixed_bytes[index]
            rates[2:, hour][scaling == index] = rate
    work = np.zeros((1 + len(scaling), HOURS, network.station_count))
    nothing = np.zeros(len(source))
    for part in parts_by_source(network.node_group[source]):
        incidence = Incidence(network, EqualCostPlan(network), source[part], target[part])
        for hour in range(HOURS):
            work[0, hour] += incidence.work(rates[0, hour, part], rates[1, hour, part])
            for place in range(len(scaling)):
                work[1 + place, hour] += incidence.work(nothing[part], rates[2 + place, hour, part])
    for hour in range(HOURS):
        available = 1.0 - platform.background.mean_fraction(hour + 0.5, True)
        for load in work[:, hour]:
            load[:] = per_server(network, load, available)
    return work[0], work[1:]


def parts_by_source(group: NDArray[np.int32]) -> Iterator[NDArray[np.intp]]:
    """Cut pairs into parts of a few source groups: a plan keeps a tree for each, too many for a whole nation."""
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    yield from np.split(order, starts[GROUPS_AT_ONCE::GROUPS_AT_ONCE])


def pairs_of(flows: Flows) -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.int32]]:
    """Number the distinct pairs of endpoints: pair of each flow (F,), source and target of each pair."""
    key = flows.source.astype(np.int64) << 32 | flows.target
    pairs, pair = np.unique(key, return_inverse=True)
    return pair, (pairs >> 32).astype(np.int32), (pairs & 0xFFFFFFFF).astype(np.int32)


def pair_sums(pair: NDArray[np.intp], values: NDArray[np.float64], pairs: int) -> NDArray[np.float64]:
    """Sum the values of flows over their pairs, (pairs,)."""
    return np.bincount(pair, values, minlength=pairs).astype(np.float64)


def _solve(
    platform: Platform,
    exchanges_per_day: float,
    fixed: NDArray[np.float64],
    load_at: Callable[[float], NDArray[np.float64]],
) -> float:
    goal = platform.demand.peak_utilisation
    if load_at(FACTOR_MIN).max() >= goal:
        hour, station = np.unravel_index(int(fixed.argmax()), fixed.shape)
        name = platform.network.station_name[station]
        raise BadInputError(
            "demand.peak_utilisation",
            f"{goal} must be above what {exchanges_per_day} exchanges a day ask of station {name} at {hour}:00 "
            "whatever their size",
            round(float(fixed.max()), 6),
        )
    if load_at(FACTOR_MAX).max() < goal:
        raise BadInputError(
            "demand.peak_utilisation",
            f"{goal} must be within reach of {exchanges_per_day} exchanges a day of the largest sizes allowed",
            round(float(load_at(FACTOR_MAX).max()), 6),
        )
    low, high = FACTOR_MIN, FACTOR_MAX
    while high / low > 1 + 1e-12:
        middle = float(np.sqrt(low * high))
        if load_at(middle).max() < goal:
            low = middle
        else:
            high = middle
    return float(f"{high:.{FACTOR_DIGITS}g}")
