"""`grow` on the toy province: laws of limits and upgrades, and the numbers against plain ones."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import scenarios
from router_core.equal_cost import EqualCostPlan
from router_core.errors import BadInputError
from router_core.loads import Incidence
from sim.studies.case import platform_of
from sim.studies.growth.grow import Grown, GrowSpec, grow
from sim.studies.growth.loads import Horizon, Judge, day_demand, heaviest_days, station_loads
from sim.studies.growth.price_list import PriceList, read_prices
from sim.studies.growth.rates import Growth, anniversary, parse_growth
from sim.studies.growth.study import found_of, tables_of, verdict_of
from sim.studies.growth.worst_hour import growth_changes, verify
from sim.workers import open_workers
from traces.demand import hour_demand
from traces.generate import TraceGenerator
from traces.workload import build_workload

START = date(2026, 3, 17)
KINDS = tuple(kind.name for kind in scenarios.load("toy").demand.types)
# Enough room for a year without limits at limit 1, and for growth to reach some.
ROOMY = ("lines x6", "lines:access x3", "lines:second_access x14", "lines:backbone x4", "servers x1.5")


def asked(**more: object) -> GrowSpec:
    spec = GrowSpec("toy", Growth(demand=0.6), START, years=2, changes=ROOMY, limit=0.9, quantile=0.9, seeds=(1, 2, 3))
    return replace(spec, **more)


@pytest.fixture(scope="module")
def grown() -> Grown:
    return grow(asked())


def test_the_roomy_toy_reaches_a_limit_under_way(grown: Grown) -> None:
    first = grown.limits.first
    assert first is not None
    assert first.first is not None
    assert datetime(2026, 4, 1) < first.first < datetime(2028, 3, 17)
    assert grown.proposal is not None
    assert grown.proposal.upgrades


def test_order_dates_and_degrees_fit_together(grown: Grown) -> None:
    order = grown.limits.in_order()
    assert [one.first for one in order] == sorted(one.first for one in order if one.first)
    for one in order:
        assert one.first_degree >= 1
        assert one.peak_degree >= one.first_degree
        assert one.hours >= 1
    tide = grown.limits.tide
    assert len(tide.day) == (anniversary(START, 2) - START).days
    before = [degree for day, degree in zip(tide.day, tide.degree, strict=True) if day.date() < order[0].first.date()]
    assert max(before) < 1
    assert max(tide.degree) == pytest.approx(grown.limits.busiest().peak_degree)


@pytest.mark.parametrize(
    ("key", "values", "later"),
    [
        ("growth", [Growth(demand=rate) for rate in (5.0, 0.6, -0.3)], "slower growth"),
        ("changes", [(*ROOMY, f"lines x{by}", f"servers x{by}", f"lines:access x{by}") for by in (0.7, 1.4)], "room"),
        ("limit", [0.7, 0.9, 1.0], "a higher limit"),
        ("quantile", [0.99, 0.9, 0.5], "less caution"),
    ],
)
def test_the_first_limit_never_comes_earlier_with(key: str, values: list[object], later: str) -> None:
    """Under equal-cost ways: a static split is chosen anew for every platform."""
    courses = [grow(asked(routing="ecmp", **{key: value})).limits.first for value in values]
    dates = [datetime.max if course is None else course.first for course in courses]
    assert dates == sorted(dates), later
    assert len(set(dates)) > 1


def test_without_a_limit_nothing_is_bought() -> None:
    grown = grow(asked(growth=Growth(demand=-0.2), changes=(*ROOMY, "lines x40", "lines:access x9", "servers x40")))
    assert grown.limits.first is None
    assert grown.proposal is None
    verdict = verdict_of(grown, None)
    assert verdict.good
    assert "No limit" in verdict.text.en
    assert "upgrades" not in tables_of(grown, None)


def test_with_the_upgrades_no_limit_is_passed(grown: Grown) -> None:
    proposal = grown.proposal
    assert proposal is not None
    assert proposal.beyond == ()
    assert grown.after is not None
    assert grown.after <= 1.005
    assert proposal.lower_bound <= proposal.cost == pytest.approx(sum(one.cost for one in proposal.upgrades))
    again = platform_of("toy", (*ROOMY, *proposal.changes)).network
    base = platform_of("toy", ROOMY).network
    faster = again.station_ps_per_byte < base.station_ps_per_byte
    more = again.station_servers > base.station_servers
    lent = [a.servers - b.servers for a, b in zip(again.pools, base.pools, strict=True)]
    kinds = {kind: sum(one.kind == kind for one in proposal.upgrades) for kind in ("line", "servers", "pool")}
    assert faster.sum() == 2 * kinds["line"]
    assert more.sum() == kinds["servers"]
    assert sum(count > 0 for count in lent) == kinds["pool"]


def test_an_upgrade_left_out_is_missed(grown: Grown) -> None:
    """Nothing that is bought is idle: with any one of them for nothing in the list, all others are still needed."""
    proposal = grown.proposal
    assert proposal is not None
    dear = {name: 100 * price for name, price in PriceList().servers.items()}
    other = grow(asked(prices=PriceList(lines=tuple(100 * one for one in PriceList().lines), step=200.0, servers=dear)))
    assert other.proposal is not None
    assert other.proposal.cost == pytest.approx(100 * proposal.cost, rel=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_work_of_an_hour_is_that_of_the_load_model(seed: int) -> None:
    """Against `router_core.loads`, hour by hour, at zero growth."""
    platform = scenarios.load("toy")
    workload = build_workload(platform)
    plan = EqualCostPlan(platform.network)
    loads = station_loads(workload, plan)
    number, hour = 7 * seed + seed, 9 + seed
    horizon = Horizon(START, 100, Growth())
    when = horizon.day(number)
    demand = hour_demand(workload, when, hour)
    expected = Incidence(platform.network, plan, demand.source, demand.target).work(
        demand.exchanges_per_s, demand.bytes_per_s
    )
    working = when.weekday() < 5
    mean, variance = loads.work(day_demand(workload, horizon, number), working)
    assert mean[hour] == pytest.approx(expected, rel=1e-9, abs=1e-15)
    assert (variance >= 0).all()


def test_the_variance_of_an_hours_work_is_that_of_drawn_traces() -> None:
    platform = scenarios.load("toy")
    workload = build_workload(platform)
    network = platform.network
    loads = station_loads(workload, EqualCostPlan(network))
    mean, variance = loads.work(day_demand(workload, Horizon(START, 9, Growth()), 0), True)
    drawn = []
    generator = TraceGenerator(platform, start=datetime(2026, 3, 17, 10), span=timedelta(hours=1), seed=0)
    for seed in range(60):
        generator.seed = seed
        batch = next(iter(generator))
        work = np.zeros(network.station_count)
        fixed, ps = network.station_fixed_ns * 1e-9, network.station_ps_per_byte * 1e-12
        for ends in (batch.source, batch.target):
            station = network.node_station[ends]
            np.add.at(work, station, fixed[station] + batch.payload_bytes * ps[station])
        drawn.append(work / 3_600)
    sample = np.stack(drawn)
    stations = network.node_station[network.endpoints]
    busy = stations[mean[10, stations] > np.median(mean[10, stations])]
    assert sample[:, busy].sum(axis=1).mean() == pytest.approx(mean[10, busy].sum(), rel=0.05)
    assert np.median(sample[:, busy].var(axis=0) / variance[10, busy]) == pytest.approx(1, abs=0.4)


def test_the_heaviest_days_hold_the_highest_load() -> None:
    workload = build_workload(scenarios.load("toy"))
    for growth in (Growth(demand=0.3), Growth(demand=-0.3)):
        horizon = Horizon(START, 400, growth)
        heavy = heaviest_days(workload, horizon, 0, 400)
        every = np.stack([day_demand(workload, horizon, number) for number in range(400)])
        assert every[heavy].max(axis=0) == pytest.approx(every.max(axis=0))
        assert len(heavy) < 40


def test_counties_that_come_year_by_year_bring_limits_of_their_own() -> None:
    grown = grow(asked(growth=Growth(demand=0.3, counties=1), routing="ecmp"))
    assert grown.platform.network.node_index.get("new-county-1") is not None
    assert grown.limits.tide.exchanges[0] == pytest.approx(
        grow(asked(growth=Growth(demand=0.3), routing="ecmp")).limits.tide.exchanges[0]
    )
    second = grown.limits.tide.day.index(datetime(2027, 3, 17))
    tide = grow(asked(growth=Growth(demand=0.3), routing="ecmp")).limits.tide
    assert grown.limits.tide.exchanges[second] > tide.exchanges[second]
    assert grown.limits.tide.exchanges[second - 1] == pytest.approx(tide.exchanges[second - 1])


def test_seeds_are_reproducible_and_each_its_own(grown: Grown) -> None:
    assert set(grown.limits.drawn) == {1, 2, 3}
    again = grow(asked(seeds=(3,)))
    assert again.limits.drawn[3] == grown.limits.drawn[3]


def test_pools_that_lend_make_no_limit_earlier() -> None:
    lent, alone = grow(asked(routing="ecmp")), grow(asked(routing="ecmp", borrowing=False))
    assert lent.limits.first is not None
    assert alone.limits.first is not None
    assert lent.limits.first.first >= alone.limits.first.first
    assert alone.proposal is not None
    assert all(one.kind != "pool" for one in alone.proposal.upgrades)


def test_the_worst_hour_is_better_once_upgraded(grown: Grown, tmp_path: Path) -> None:
    with open_workers("here") as workers:
        verified = verify(grown, workers, (1, 2), 1_500, tmp_path)
    assert verified.when in [one.when for one in grown.hours]
    for before, after in zip(verified.before, verified.after, strict=True):
        assert after["p99.all"] < before["p99.all"]
        assert after["missed.all"] <= before["missed.all"]
    found = found_of(grown, verified)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert tables_of(grown, verified)["replay"].num_rows == 4


def test_growth_as_changes_is_the_growth_of_the_years() -> None:
    growth = Growth(demand=0.3, types={KINDS[0]: 0.1}, others=0.05)
    days = 500
    platform = scenarios.load("toy", growth_changes(growth, KINDS, days))
    base = build_workload(scenarios.load("toy"))
    grown = build_workload(platform)
    factors = [growth.factor(kind, days) for kind in KINDS]
    assert grown.type_growth == pytest.approx(factors, rel=1e-5)
    assert grown.calibration.factor == base.calibration.factor
    assert growth_changes(Growth(), KINDS, days) == ()
    line = platform.background.line_profile >= 0
    ratio = platform.background.line_scale[line] / scenarios.load("toy").background.line_scale[line]
    assert ratio == pytest.approx(growth.others_factor(days), rel=1e-5)


def test_the_degree_of_a_pool_counts_what_its_stations_lack() -> None:
    platform = scenarios.load("toy")
    workload = build_workload(platform)
    loads = station_loads(workload, EqualCostPlan(platform.network))
    judge = Judge(platform, loads, 0.5, 0.5, borrowing=True)
    network = platform.network
    work = np.zeros((1, network.station_count))
    station = network.node_process_station[network.node_index["east"]]
    servers, budget = (
        network.station_servers[station],
        network.pools[network.node_pool[network.node_index["east"]]].servers,
    )
    work[0, station] = 0.5 * (servers + budget / 2)
    watched = judge.watched()
    degree = judge.degree(work, np.zeros_like(work))[0]
    assert degree[watched.name.index("pool east-cloud")] == pytest.approx(0.5)
    assert np.count_nonzero(degree) == 1


@pytest.mark.parametrize(
    ("text", "growth"),
    [
        (["demand=25%"], Growth(demand=0.25)),
        (["demand=-5%/year", "others=10%"], Growth(demand=-0.05, others=0.1)),
        (["counties=3", "front-ends=50"], Growth(counties=3, front_ends=50)),
        (["front-ends=10%", f"demand:{KINDS[0]}=7.5%"], Growth(front_end_rate=0.1, types={KINDS[0]: 0.075})),
        ([], Growth()),
    ],
)
def test_growth_is_read(text: list[str], growth: Growth) -> None:
    assert parse_growth(text, KINDS) == growth


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("demand", "must read"),
        ("demand=25", "must be a share"),
        ("demand=nan%", "must read"),
        ("demand=-95%", "must lie in"),
        ("demand:nothing=5%", "types of demand"),
        ("counties=5%", "whole number"),
        ("counties=-1", "0 or more"),
        ("counties=1.5", "whole number"),
        ("front-ends=-5%", "must lie in"),
        ("roads=5%", "must be of demand"),
    ],
)
def test_growth_that_cannot_be_is_refused(text: str, rule: str) -> None:
    with pytest.raises(BadInputError, match=rule):
        parse_growth([text], KINDS)
    with pytest.raises(BadInputError, match="once"):
        parse_growth(["demand=1%", "demand=2%"], KINDS)


def test_prices_of_a_file_and_classes(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text("[lines]\nrates_mbps = [10, 20.0]\nprices = [5, 8]\nstep = 1\n[servers]\npool = 0.5\n")
    prices = read_prices(path)
    assert prices.classes(10.0)[0] == (20.0, 4.0)
    assert prices.servers["pool"] == 0.5
    assert prices.servers["city"] == PriceList().servers["city"]
    rates = [rate for rate, _ in prices.classes(15.0)]
    costs = [cost for _, cost in prices.classes(15.0)]
    assert rates == [20.0, 40.0, 80.0, 160.0]
    assert costs == sorted(costs)
    for text, place in (
        ("[roads]", "roads"),
        ("[lines]\nrates_mbps = [2, 1]", "rates_mbps"),
        ("[lines]\nrates_mbps = [1, 2]", "lines.prices"),
        ("[lines]\nstep = -1", "lines.step"),
        ("[servers]\ncity = nan", "servers.city"),
        ("[servers]\ntown = 1", "servers.town"),
        ("lines = 3", "lines"),
        ("[lines", "file"),
    ):
        path.write_text(text)
        with pytest.raises(BadInputError, match=place) as caught:
            read_prices(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"years": 0}, "--years"),
        ({"limit": 1.2}, "--limit"),
        ({"quantile": 1.0}, "--quantile"),
        ({"routing": "x"}, "--routing"),
    ],
)
def test_a_spec_that_cannot_be_is_refused(more: dict[str, object], place: str) -> None:
    with pytest.raises(BadInputError, match=place):
        asked(**more)


def test_the_command(tmp_path: Path) -> None:
    import typer  # noqa: PLC0415

    from exchange_router.grow_command import grow_scenario  # noqa: PLC0415

    app = typer.Typer()
    app.command()(grow_scenario)
    out = tmp_path / "grown"
    words = ["--scenario", "toy", "--growth", "demand=40%", "--years", "1", "--seeds", "2", "--replays", "1"]
    words += ["--start", "2026-03-17", "--exchanges-per-day", "800", "--workers", "here", "--out", str(out), "--json"]
    runner = CliRunner()
    done = runner.invoke(app, words)
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["found"]["first"]["at"].startswith("2026-03-17")
    assert {one.name for one in out.glob("*.parquet")} == {
        f"{name}.parquet" for name in ("growth", "limits", "tide", "seeds", "upgrades", "replay")
    }
    first = (out / "study.json").read_bytes()
    assert runner.invoke(app, words).exit_code == 0
    assert (out / "study.json").read_bytes() == first
