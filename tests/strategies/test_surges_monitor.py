"""The monitor: what it says of surges planted in drawn reports, and where it must say nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace

import numpy as np
import pytest

import scenarios
from router_core.errors import BadInputError
from router_core.randomness import stream
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS, MINUTE_NS, SECOND_NS
from router_core.vocabulary import TaskKind
from strategies.brain import DemandReported, TelemetryArrived
from strategies.static.demand_series import DemandSeries
from strategies.surges.monitor import SurgeMonitor
from strategies.surges.regions import regions
from strategies.surges.surge import Scope, Surge
from strategies.surges.watch import ALL_CLASSES, Flows, WatchList
from strategies.tides.forecast import Forecast

NETWORK = scenarios.load("toy").network
START = datetime(2026, 3, 17, 8)
SEEDS = pytest.mark.parametrize("seed", range(3))
CLASSES = 3  # the last one runs by a timetable


class Platform:
    """Relations between all endpoints in every class, their rates a minute, and what is forecast of them."""

    def __init__(self, seed: int = 0, rate: float = 2.0, hours: tuple[float, ...] = (1.0,) * 8) -> None:
        ends = NETWORK.endpoints
        source, target = (grid.ravel() for grid in np.meshgrid(ends, ends, indexing="ij"))
        kept = source != target
        self.source = np.repeat(source[kept], CLASSES).astype(np.int32)
        self.target = np.repeat(target[kept], CLASSES).astype(np.int32)
        self.kind = np.tile(np.arange(CLASSES), int(kept.sum()))
        random = stream(seed, "monitor test")
        self.random = random
        self.rate = rate * random.uniform(0.5, 1.5, len(self.kind))
        self.hours = np.array(hours)
        group = NETWORK.node_group
        groups = len(NETWORK.groups)
        pair = group[self.source].astype(np.int64) * groups + group[self.target]
        key, self.column = np.unique(pair * CLASSES + self.kind, return_inverse=True)
        shares = []
        for end in (self.source, self.target):
            amount = np.bincount(end.astype(np.int64) * CLASSES + self.kind, self.rate, NETWORK.node_count * CLASSES)
            amount = amount.reshape(-1, CLASSES)
            whole = np.zeros((groups, CLASSES))
            np.add.at(whole, group[ends], amount[ends])
            share = np.zeros_like(amount)
            share[ends] = amount[ends] / whole[group[ends]]
            shares.append(share)
        self.series = DemandSeries(
            source_group=(key // CLASSES // groups).astype(np.int32),
            target_group=(key // CLASSES % groups).astype(np.int32),
            demand_class=(key % CLASSES).astype(np.int32),
            mean_bytes=np.ones(len(key)),
            class_count=CLASSES,
            sent=shares[0],
            received=shares[1],
        )
        hourly = 60.0 * np.bincount(self.column, self.rate, len(key))
        grid = TimeGrid(START, HOUR_NS, len(hours))
        mean = self.hours[:, None] * hourly
        self.forecast = Forecast(grid, mean, mean, mean, np.zeros(len(hours), dtype=bool))
        self.classes = SimpleNamespace(
            classes=tuple(SimpleNamespace(name=name) for name in ("questions", "files", "nightly")),
            classify_relations=lambda source, target, mode, kind, priority: mode.astype(np.int16),
            relation_class=np.arange(CLASSES),
            relation_exchanges=np.ones(CLASSES, dtype=np.int64),
            kind=np.array([TaskKind.EXCHANGE, TaskKind.EXCHANGE, TaskKind.SYNC]),
        )

    def monitor(self) -> SurgeMonitor:
        return SurgeMonitor(NETWORK, self.classes, self.series, self.forecast, START)

    def report(self, minute: int, factor: np.ndarray | float = 1.0, tide: float | None = None) -> DemandReported:
        """What came in a minute."""
        hour = min(minute // 60, len(self.hours) - 1)
        rate = self.rate * factor * (self.hours[hour] if tide is None else tide)
        count = self.random.poisson(rate)
        # The timetable has everything of an hour in its tenth minute.
        timed = self.kind == 2
        count[timed] = self.random.poisson(60 * rate[timed]) if minute % 60 == 10 else 0
        some = count > 0
        end = (minute + 1) * MINUTE_NS
        return DemandReported(
            now_ns=end + 5 * SECOND_NS,
            observed_ns=end,
            window_ns=MINUTE_NS,
            source=self.source[some],
            target=self.target[some],
            mode=self.kind[some].astype(np.int8),
            kind=np.where(timed, TaskKind.SYNC, TaskKind.EXCHANGE)[some].astype(np.int8),
            priority=np.zeros(int(some.sum()), dtype=np.int8),
            exchanges=count[some].astype(np.int64),
            payload_bytes=count[some].astype(np.int64),
        )


def watch(platform: Platform, monitor: SurgeMonitor, minutes: range, factor=1.0) -> list[Surge]:
    return [surge for minute in minutes for surge in monitor.observe(platform.report(minute, factor))]


@SEEDS
def test_what_was_forecast_is_no_surge(seed):
    platform = Platform(seed, hours=(1.0, 3.0, 1.0, 2.0))
    monitor = platform.monitor()
    assert watch(platform, monitor, range(240)) == []
    assert monitor.active == monitor.over == ()
    assert len(monitor.counts) == len(platform.series)


@SEEDS
def test_a_tide_that_rises_smoothly_is_no_surge(seed):
    platform = Platform(seed, hours=(1.0, 3.0, 5.0, 5.0))
    monitor = platform.monitor()
    found = []
    for minute in range(180):
        middle = np.interp(minute / 60 - 0.5, np.arange(4), platform.hours)
        found += monitor.observe(platform.report(minute, tide=float(middle)))
    assert found == []


def struck(platform: Platform, scope: Scope, of_class: int) -> np.ndarray:
    """Relations of a place: an endpoint's as source or target, a region's, a class's."""
    node = int(NETWORK.endpoints[2])
    inside = {
        Scope.SOURCE: platform.source == node,
        Scope.TARGET: platform.target == node,
        Scope.CLASS: np.ones(len(platform.kind), dtype=bool),
    }
    if scope == Scope.REGION:
        region = regions(NETWORK)[1][NETWORK.node_group]
        return ((region[platform.source] == 0) | (region[platform.target] == 0)) & (platform.kind < 2)
    return inside[scope] & ((platform.kind == of_class) if of_class >= 0 else (platform.kind < 2))


@SEEDS
@pytest.mark.parametrize(
    ("scope", "of_class"),
    [
        (Scope.SOURCE, 0),
        (Scope.SOURCE, -1),
        (Scope.TARGET, 1),
        (Scope.TARGET, -1),
        (Scope.REGION, -1),
        (Scope.CLASS, 1),
    ],
)
def test_a_surge_is_found_once_in_minutes_placed_sized_and_over(seed, scope, of_class):
    platform = Platform(seed)
    monitor = platform.monitor()
    assert watch(platform, monitor, range(90)) == []
    inside = struck(platform, scope, of_class)
    found = watch(platform, monitor, range(90, 120), np.where(inside, 4.0, 1.0))
    assert found
    surge = monitor.active[-1]
    assert len(monitor.active) == 1
    assert (surge.scope, surge.demand_class) == (scope, of_class)
    first = found[0]
    assert 90 * MINUTE_NS - MINUTE_NS <= first.onset_ns <= first.found_ns <= 93 * MINUTE_NS
    if scope in (Scope.SOURCE, Scope.TARGET):
        assert surge.names == (NETWORK.node_name[NETWORK.endpoints[2]],)
    if scope == Scope.CLASS:
        assert surge.names == ("files",)
    # Its series are those that it raises, and the factor is theirs.
    assert set(platform.column[inside]) <= set(surge.series.tolist())
    own = np.isin(platform.column, surge.series)
    true = (platform.rate * np.where(inside, 4.0, 1.0))[own].sum() / platform.rate[own].sum()
    assert surge.factor == pytest.approx(true, rel=0.15)
    assert surge.rate == pytest.approx(true * surge.expected_rate, rel=0.35)
    over = []
    for minute in range(120, 140):
        monitor.observe(platform.report(minute))
        over += monitor.over
    assert [one.number for one in over] == [surge.number]
    assert monitor.active == ()


@SEEDS
def test_demand_of_relations_that_no_series_knows_counts(seed):
    platform = Platform(seed)
    target = int(NETWORK.endpoints[2])
    # Series towards one endpoint's group are unknown: nothing was ever forecast.
    kept = platform.series.target_group != NETWORK.node_group[target]
    series = replace(
        platform.series,
        **{name: getattr(platform.series, name)[kept] for name in ("source_group", "target_group", "demand_class")},
        mean_bytes=platform.series.mean_bytes[kept],
    )
    arrays = {name: getattr(platform.forecast, name)[:, kept] for name in ("p50", "p95", "mean")}
    monitor = SurgeMonitor(NETWORK, platform.classes, series, replace(platform.forecast, **arrays), START)
    towards = platform.target == target
    assert watch(platform, monitor, range(60), np.where(np.isin(platform.column, np.flatnonzero(kept)), 1.0, 0.0)) == []
    found = watch(
        platform,
        monitor,
        range(60, 66),
        np.where(np.isin(platform.column, np.flatnonzero(kept)), 1.0, np.where(towards, 4.0, 0.0)),
    )
    assert found
    assert monitor.active[-1].scope == Scope.TARGET
    assert len(monitor.active[-1].series) == 0
    assert monitor.active[-1].factor > 1


@SEEDS
def test_missing_late_and_repeated_reports_are_borne(seed):
    platform = Platform(seed)
    monitor = platform.monitor()
    reports = [platform.report(minute) for minute in range(150)]
    order = [*range(60), *range(75, 100), 80, 99, 10, *range(103, 150)]
    assert [surge for place in order for surge in monitor.observe(reports[place])] == []
    assert monitor.observe(replace(reports[149], observed_ns=151 * MINUTE_NS, window_ns=2 * MINUTE_NS)) == []


def test_equal_reports_give_equal_surges():
    said = []
    for _ in range(2):
        platform = Platform(5)
        monitor = platform.monitor()
        factor = np.where(struck(platform, Scope.TARGET, 0), 5.0, 1.0)
        found = watch(platform, monitor, range(60)) + watch(platform, monitor, range(60, 80), factor)
        said.append([(one.number, one.names, one.onset_ns, one.found_ns, one.factor) for one in found])
    assert said[0] == said[1] != []


def test_reports_that_are_none_are_refused_by_name():
    platform = Platform()
    monitor = platform.monitor()
    report = platform.report(0)
    for wrong, place in (
        (replace(report, source=report.source[:-1]), "demand.source"),
        (replace(report, exchanges=-report.exchanges), "demand.exchanges"),
        (replace(report, target=np.full_like(report.target, NETWORK.node_count)), "demand.target"),
        (replace(report, source=np.full_like(report.source, -1)), "demand.source"),
    ):
        with pytest.raises(BadInputError, match=place):
            monitor.observe(wrong)
    bad = replace(platform.forecast, mean=platform.forecast.mean * np.nan)
    with pytest.raises(BadInputError, match=r"forecast\.mean"):
        SurgeMonitor(NETWORK, platform.classes, platform.series, bad, START)
    with pytest.raises(BadInputError, match="window_ns"):
        SurgeMonitor(NETWORK, platform.classes, platform.series, platform.forecast, START, window_ns=0)


@SEEDS
def test_sums_over_what_is_watched_are_those_of_each_unit(seed):
    platform = Platform(seed)
    watched = WatchList(NETWORK, platform.series, ("a", "b", "c"), np.array([True, True, False]))
    random = stream(seed, "watch test")
    flows = Flows.of(platform.series)
    group = NETWORK.node_group.astype(np.int64)
    told = [platform.source.astype(np.int64), platform.target.astype(np.int64)]
    flows = flows.plus([Flows(group[told[0]], group[told[1]], told[0], told[1], platform.kind.astype(np.int64))])
    amount = random.random(len(flows.source))
    totals = watched.totals(flows, amount)
    assert len(totals) == len(watched) == len(watched.classes())
    for place in range(len(watched)):
        unit = watched.unit(place)
        assert watched.place(unit) == place
        assert watched.classes()[place] == unit.demand_class
        assert totals[place] == pytest.approx(float(amount @ watched.inside(unit, flows)), abs=1e-9)
        assert watched.names(unit)
    assert watched.unit(len(watched) - 1).demand_class == ALL_CLASSES


def telemetry(minute: int, share: np.ndarray, up: np.ndarray | None = None) -> TelemetryArrived:
    stations = NETWORK.station_count
    return TelemetryArrived(
        now_ns=(minute + 1) * MINUTE_NS + 5 * SECOND_NS,
        observed_ns=(minute + 1) * MINUTE_NS,
        window_ns=MINUTE_NS,
        utilisation=share,
        waiting=np.zeros(stations, dtype=np.int64),
        served_bytes=np.zeros(stations, dtype=np.int64),
        up=np.ones(stations, dtype=bool) if up is None else up,
    )


@SEEDS
def test_a_station_far_above_its_own_course_is_a_surge_until_it_returns(seed):
    platform = Platform(hours=(1.0, 1.0, 2.0, 2.0, 2.0))
    monitor = platform.monitor()
    random = stream(seed, "stations test")
    stations = NETWORK.station_count
    usual = random.uniform(0.1, 0.3, stations)
    found, over = [], []
    for minute in range(300):
        tide = 1.0 if minute < 120 else 2.0  # forecast: no surge
        share = np.clip(tide * usual + 0.03 * random.standard_normal(stations), 0.0, 1.0)
        up = np.ones(stations, dtype=bool)
        if minute in range(180, 200):
            up[7] = False
            share[7] = 0.0
        if minute in range(240, 270):
            share[3] = min(4.0 * usual[3] + 0.4, 1.0)
        found += monitor.observe_stations(telemetry(minute, share, up))
        over += [(minute, one) for one in monitor.over]
    assert [one.names for one in found] == [(NETWORK.station_name[3],)]
    assert found[0].scope == Scope.STATION
    assert 240 <= found[0].found_ns // MINUTE_NS <= 250
    assert [(270 <= minute <= 285, one.number) for minute, one in over] == [(True, found[0].number)]
    with pytest.raises(BadInputError, match="utilisation"):
        monitor.observe_stations(telemetry(301, np.zeros(stations - 1)))


@SEEDS
@pytest.mark.parametrize(("stations", "minutes", "said"), [(1, 5, 0), (1, 20, 1), (6, 5, 1)])
def test_a_station_that_is_busy_for_minutes_is_a_surge_only_beside_many(seed, stations, minutes, said):
    monitor = Platform().monitor()
    random = stream(seed, "busy stations test")
    usual = random.uniform(0.1, 0.3, NETWORK.station_count)
    found = []
    for minute in range(150):
        share = np.clip(usual + 0.03 * random.standard_normal(len(usual)), 0.0, 1.0)
        if 100 <= minute < 100 + minutes:
            share[:stations] = 1.0
        found += monitor.observe_stations(telemetry(minute, share))
    assert len(found) == said
    assert all(set(one.names) <= set(NETWORK.station_name[:stations]) for one in found)


def test_regions_are_seats_and_what_hangs_on_them():
    names, region = regions(NETWORK)
    assert len(region) == len(NETWORK.groups)
    for group, homes in enumerate(NETWORK.groups):
        level = int(NETWORK.node_level[homes[0]])
        top = int(NETWORK.node_level[NETWORK.nodes_of(1)].min())
        assert (region[group] == -1) == (level <= top)
        if NETWORK.node_name[homes[0]] in names:
            assert names[region[group]] == NETWORK.node_name[homes[0]]
    assert (region >= 0).any()
