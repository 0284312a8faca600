from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from router_core.equal_cost import EqualCostPlan
from router_core.errors import BadInputError
from router_core.loads import utilisation
from router_core.platform import Platform
from router_core.units import HOUR_NS, SECOND_NS
from traces import calibrate
from traces.calibrate import largest
from traces.demand import busiest_hour, expected_counts, hour_demand
from traces.sizes import size_table, unscaled_sizes
from traces.tides import hour_means
from traces.workload import Workload, build_workload

HOUR_S = HOUR_NS // SECOND_NS
MONTH_END = date(2026, 3, 31)


def peak_of_the_day(platform: Platform, workload: Workload) -> tuple[float, int, int]:
    """The busiest station over all hours, by the demand that others are given: (utilisation, hour, station)."""
    plan = EqualCostPlan(platform.network)
    load = np.stack(
        [
            utilisation(
                platform.network,
                plan,
                hour_demand(workload, None, hour),
                1 - platform.background.mean_fraction(hour + 0.5, True),
            )
            for hour in range(24)
        ]
    )
    hour, station = np.unravel_index(load.argmax(), load.shape)
    return float(load.max()), int(hour), int(station)


@pytest.mark.parametrize("exchanges_per_day", [None, 700, 50_000, 1_000_000])
def test_peak_is_reached(toy: Platform, exchanges_per_day: int | None) -> None:
    workload = build_workload(toy, exchanges_per_day)
    found, hour, station = peak_of_the_day(toy, workload)
    assert abs(found - toy.demand.peak_utilisation) < 1e-6
    assert (hour, station) == (busiest_hour(workload), workload.calibration.station)
    assert abs(workload.calibration.utilisation - found) < 1e-9


@pytest.mark.parametrize("peak", [0.3, 0.95])
def test_stated_peak_counts(toy: Platform, peak: float) -> None:
    platform = replace(toy, demand=replace(toy.demand, peak_utilisation=peak))
    assert abs(peak_of_the_day(platform, build_workload(platform))[0] - peak) < 1e-6


def test_peak_of_the_province(jiangxi: Platform) -> None:
    workload = build_workload(jiangxi)
    plan = EqualCostPlan(jiangxi.network)
    hour = busiest_hour(workload)
    load = utilisation(
        jiangxi.network,
        plan,
        hour_demand(workload, None, hour),
        1 - jiangxi.background.mean_fraction(hour + 0.5, True),
    )
    assert abs(load.max() - jiangxi.demand.peak_utilisation) < 1e-6


def test_parts_add_up(toy: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many groups are looked at together, the factor is the same."""
    whole = build_workload(toy).calibration
    monkeypatch.setattr(calibrate, "GROUPS_AT_ONCE", 1)
    assert build_workload(toy).calibration.factor == whole.factor


def test_only_bulk_is_scaled(toy: Platform) -> None:
    calibration = build_workload(toy).calibration
    assert calibration.factor != 1
    for index, kind in enumerate(toy.demand.types):
        factor = calibration.factor if kind.scales else 1.0
        table = size_table(unscaled_sizes(kind.size), factor, largest(kind.size, factor))
        assert np.array_equal(calibration.sizes[index], table)
        assert calibration.mean_bytes[index] == table.mean()


@pytest.mark.parametrize("count", [50, 500, 20_000])
def test_fewer_exchanges_are_larger_and_keep_the_peak(toy: Platform, count: int) -> None:
    calibration = build_workload(toy, count).calibration
    assert abs(calibration.utilisation - toy.demand.peak_utilisation) < 1e-6
    for index, kind in enumerate(toy.demand.types):
        if kind.scales:
            assert calibration.sizes[index].max() <= round(kind.size.max_bytes * max(1.0, calibration.factor))


def test_load_is_a_factor_on_counts(toy: Platform) -> None:
    once, twice = build_workload(toy), build_workload(toy, load=2.5)
    assert twice.calibration.factor == once.calibration.factor
    a, b = hour_demand(once, None, 10), hour_demand(twice, None, 10)
    assert np.allclose(b.exchanges_per_s, 2.5 * a.exchanges_per_s)
    assert np.allclose(b.bytes_per_s, 2.5 * a.bytes_per_s)


def test_demand_of_an_hour_is_what_is_expected(toy: Platform) -> None:
    workload = build_workload(toy)
    day = workload.platform.demand
    counts = expected_counts(workload, MONTH_END)
    for hour in (0, 3, 10, 15, 23):
        demand = hour_demand(workload, MONTH_END, hour)
        assert np.isclose(demand.exchanges_per_s.sum() * HOUR_S, counts[:, hour].sum())
        assert np.isclose(demand.bytes_per_s.sum() * HOUR_S, counts[:, hour] @ workload.calibration.mean_bytes)
        assert (demand.exchanges_per_s > 0).all()
    # Over a day every type has its level, whatever its timetable.
    tides = hour_means(day, MONTH_END, workload.mean_per_day)
    assert np.allclose(counts.sum(axis=1), tides.sum(axis=1))


def test_more_than_a_station_can_serve(toy: Platform) -> None:
    with pytest.raises(BadInputError) as caught:
        build_workload(toy, 10**9)
    assert "demand.peak_utilisation: 0.8 must be above what 1000000000 exchanges a day ask of station" in str(
        caught.value
    )


def test_less_than_the_largest_sizes_bring(toy: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate, "PAYLOAD_BYTES_MAX", 10**6)
    with pytest.raises(BadInputError, match="must be within reach of 100 exchanges a day of the largest sizes"):
        build_workload(toy, 100)


@pytest.mark.parametrize("load", [0.0, -1.0, float("nan"), float("inf"), 1e9])
def test_load_is_checked(toy: Platform, load: float) -> None:
    with pytest.raises(BadInputError, match="load: must be above 0"):
        build_workload(toy, load=load)


@pytest.mark.parametrize("count", [0, -5, 10**10])
def test_count_is_checked(toy: Platform, count: int) -> None:
    with pytest.raises(BadInputError, match="exchanges_per_day: must lie in"):
        build_workload(toy, count)


def test_hour_is_checked(toy: Platform) -> None:
    with pytest.raises(BadInputError, match=r"hour: must lie in 0\.\.23"):
        hour_demand(build_workload(toy), None, 24)


def test_a_scenario_without_types(toy: Platform) -> None:
    with pytest.raises(BadInputError, match=r"demand\.types: a scenario needs at least one type"):
        build_workload(replace(toy, demand=replace(toy.demand, types=())))
