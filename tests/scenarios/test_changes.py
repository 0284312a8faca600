"""Changes of a scenario: what they say, what they leave alone, and what is refused."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scenarios
from router_core.background import RescaledBackground
from router_core.catalogue import SharingRule
from router_core.equal_cost import EqualCostPlan
from router_core.errors import BadInputError
from router_core.loads import utilisation
from router_core.network import Network
from router_core.platform import ChangedPlatform, Platform, unchanged
from router_core.vocabulary import Level, NodeKind, StationRole
from scenarios.copies import extended
from scenarios.line_kinds import line_kinds
from sim.other_users import OtherUsers
from traces.demand import hour_demand
from traces.generate import TraceGenerator
from traces.workload import Workload, build_workload

DAY = date(2026, 3, 17)
GROWTH = ("demand x1.5", "counties +2", "front-ends +3")


@pytest.fixture(scope="module", params=["toy", "jiangxi"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def base(name: str) -> Platform:
    return scenarios.load(name)


@pytest.fixture(scope="module")
def toy() -> Platform:
    return scenarios.load("toy")


@cache
def _work(digest: str) -> Workload:
    return build_workload(_KNOWN[digest])


_KNOWN: dict[str, Platform] = {}


def work(platform: Platform) -> Workload:
    """The workload of a platform, calibrated once a session."""
    _KNOWN[platform.digest] = platform
    return _work(platform.digest)


def rows_of(platform: Platform, seed: int = 3, **more: object) -> list[tuple[int, ...]]:
    generator = TraceGenerator(
        platform, start=datetime(2026, 3, 17, 9), span=timedelta(hours=2), seed=seed, exchanges_per_day=2_000, **more
    )
    found = []
    for batch in generator:
        columns = (batch.submitted_ns, batch.source, batch.target, batch.payload_bytes, batch.resource)
        found += list(zip(*(column.tolist() for column in columns), strict=True))
    return found


def leased(network: Network) -> np.ndarray:
    return np.repeat([kind not in ("local", "access", "second_access", "backbone") for kind in line_kinds(network)], 2)


def test_what_comes_to_nothing_is_the_scenario_itself(name: str, base: Platform) -> None:
    for texts in (
        ("demand x1",),
        ("counties +0", "front-ends x1"),
        ("servers +0", "lines x1"),
        ("lines x2", "lines x0.5"),
    ):
        assert scenarios.load(name, texts).digest == base.digest
    undone = (
        "demand x4",
        "demand x0.25",
        "lines x3",
        "lines x0.5",
        "lines x2",
        "lines x0.5",
        "pools x4",
        "pools x0.25",
    )
    assert scenarios.load(name, (*undone, "lines x0.5", "lines x1.25")).digest != base.digest
    there_and_back = scenarios.load(name, (*undone[:2], "lines x4", "lines x0.25", *undone[-2:]))
    assert there_and_back.digest == base.digest
    assert not isinstance(there_and_back, ChangedPlatform)


def test_equal_changes_make_equal_platforms_and_others_do_not(name: str) -> None:
    for texts, others in (
        (("demand x1.2", "counties +2"), ("counties  +2", "demand x1.20")),
        (("lines x4", "front-ends +5"), ("front-ends +5", "lines x2", "lines x2")),
        (("counties +1", "front-ends +1"), ("counties +1", "front-ends +1")),
    ):
        one, two = scenarios.load(name, texts), scenarios.load(name, others)
        assert isinstance(one, ChangedPlatform)
        assert one.digest == two.digest
    digests = {scenarios.load(name, (text,)).digest for text in ("demand x1.2", "demand x1.3", *GROWTH, "lines x2")}
    assert len(digests) == 6


def test_rebuilding_a_network_without_copies_gives_it_again(base: Platform) -> None:
    assert extended(base.network, []).network.digest == base.network.digest


@pytest.mark.parametrize("factor", [0.5, 1.2, 3.0])
def test_demand_is_so_much_more_than_the_unchanged_scenarios(toy: Platform, factor: float) -> None:
    """A calibration of the changed scenario would bring its peak back to the stated one."""
    before, after = work(toy), work(scenarios.load("toy", (f"demand x{factor}",)))
    assert after.calibration.factor == before.calibration.factor
    one, two = hour_demand(before, DAY, 10), hour_demand(after, DAY, 10)
    assert two.exchanges_per_s == pytest.approx(factor * one.exchanges_per_s)
    assert two.bytes_per_s == pytest.approx(factor * one.bytes_per_s)


def test_demand_of_one_type_leaves_the_others(name: str, base: Platform) -> None:
    kind = base.demand.types[1]
    before, after = work(base), work(scenarios.load(name, (f"demand:{kind.name} x2",)))
    ratio = after.flows.weight / before.flows.weight
    assert ratio == pytest.approx(np.where(before.flows.kinds() == 1, 2.0, 1.0))


def peak_of(platform: Platform, lines: np.ndarray) -> np.ndarray:
    """Utilisation of each line by all its users together in an hour, as the unchanged scenario would route."""
    network, workload = platform.network, work(platform)
    taken = platform.background.mean_fraction(10.5, True)
    plan = EqualCostPlan(unchanged(platform).network)
    own = utilisation(network, plan, hour_demand(workload, DAY, 10))
    return np.asarray((own[network.line_station] + taken)[lines])


def test_lines_of_twice_the_rate_are_half_as_busy(name: str, base: Platform) -> None:
    """So they are for all users together: the others do not grow because a line does."""
    after = scenarios.load(name, ("lines x2",))
    lines = leased(base.network)
    one, two = peak_of(base, lines), peak_of(after, lines)
    fixed = base.network.station_fixed_ns[base.network.line_station[lines]]
    assert two == pytest.approx(one / 2, rel=0.02, abs=float(fixed.max()) * 1e-9 * 10)
    assert (two < one).all()
    others = ~lines
    stations = base.network.line_station[others]
    assert (after.network.station_ps_per_byte[stations] == base.network.station_ps_per_byte[stations]).all()


def test_a_conference_takes_half_the_share_of_a_line_twice_as_fast(name: str, base: Platform) -> None:
    after = scenarios.load(name, ("lines x2",))
    assert isinstance(after.background, RescaledBackground)
    start = datetime(2026, 3, 17, 8)
    for seed in range(6):
        worlds = [OtherUsers(one.network, one.background, start, seed) for one in (base, after)]
        for hour in (1, 2, 7, 8):
            for world in worlds:
                world.step(hour * 3_600 * 10**9)
            one, two = worlds[0].fraction, worlds[1].fraction
            inside = leased(base.network) & (one < 0.9)
            assert two[inside] == pytest.approx(one[inside] / 2)


@pytest.mark.parametrize("seed", [1, 2])
def test_growth_adds_exchanges_and_leaves_those_there_were(toy: Platform, seed: int) -> None:
    """Common random numbers: every exchange of the unchanged trace is in the trace of the grown scenario."""
    before = rows_of(toy, seed)
    for texts in (
        ("demand x1.5",),
        ("counties +2",),
        ("front-ends +3",),
        GROWTH,
        ("lines x2", "servers x2", "pools x0"),
    ):
        after = rows_of(scenarios.load("toy", texts), seed)
        assert set(before) <= set(after)
        assert (len(after) > len(before)) == (texts[0] != "lines x2")


def test_less_demand_takes_exchanges_away_and_adds_none(toy: Platform) -> None:
    before, after = rows_of(toy), rows_of(scenarios.load("toy", ("demand x0.5",)))
    assert set(after) < set(before)
    assert 0.3 < len(after) / len(before) < 0.7


def test_demand_of_one_type_leaves_the_draws_of_the_others(toy: Platform) -> None:
    index = int(np.argmax([kind.share for kind in toy.demand.types]))
    kind = toy.demand.types[index]
    more = set(rows_of(scenarios.load("toy", (f"demand:{kind.name} x2",)))) - set(rows_of(toy))
    flows = work(toy).flows
    rows = flows.rows(index)
    assert more
    assert {row[1:3] for row in more} <= set(zip(flows.source[rows].tolist(), flows.target[rows].tolist(), strict=True))


def test_new_front_ends_bring_demand_in_proportion(name: str) -> None:
    before, after = work(scenarios.load(name)), work(scenarios.load(name, ("front-ends x2",)))
    network = before.platform.network
    ends = [network.node_kind[end] == NodeKind.FRONT_END for end in (before.flows.source, before.flows.target)]
    share = (ends[0].astype(float) + ends[1]) / 2
    expected = before.flows.weight.sum() + (share * before.flows.weight).sum()
    assert after.flows.weight.sum() == pytest.approx(expected)
    assert after.platform.network.node_count == network.node_count + len(network.nodes_of(NodeKind.FRONT_END))


def counties(network: Network) -> int:
    centres = network.nodes_of(NodeKind.CENTRE)
    return int((network.node_level[centres] == Level.COUNTY).sum())


def test_a_new_county_is_like_one_there_is(name: str, base: Platform) -> None:
    after = scenarios.load(name, ("counties +2",))
    network = after.network
    assert counties(network) == counties(base.network) + 2
    assert isinstance(after, ChangedPlatform)
    for number, copy in enumerate(after.copies[0], start=1):
        for model, node in zip(copy.model_node.tolist(), copy.node.tolist(), strict=True):
            assert network.node_name[node].startswith(f"new-county-{number}")
            assert network.node_kind[node] == network.node_kind[model]
            assert np.bincount(network.line_source)[node] <= np.bincount(network.line_source)[model]
        homes = {network.homes[n][0] for n in copy.node.tolist() if network.is_endpoint[n]}
        assert len(homes) == 1
        assert after.catalogue.node_unit[copy.node].max() >= base.catalogue.unit_count
    assert (network.node_xy[: base.network.node_count] == base.network.node_xy).all()
    assert after.catalogue.resource_count > base.catalogue.resource_count


@pytest.mark.parametrize("texts", [("front-ends x1.5", "counties +3", "demand x1.5", "counties +1", "front-ends +2")])
def test_the_catalogue_permits_every_flow_of_a_grown_scenario(name: str, texts: tuple[str, ...]) -> None:
    platform = scenarios.load(name, texts)
    workload: Workload = work(platform)
    flows = workload.flows
    verdict = platform.catalogue.verdict(platform.network, flows.source, flows.target, flows.resource)
    assert (verdict == SharingRule.PERMITTED).all()
    assert len(set(platform.network.node_name)) == platform.network.node_count
    assert len(set(platform.catalogue.unit_name)) == platform.catalogue.unit_count
    plan = EqualCostPlan(platform.network)
    assert np.isfinite(utilisation(platform.network, plan, hour_demand(workload, DAY, 10))).all()


def test_later_changes_reach_what_earlier_ones_added(name: str) -> None:
    one, two = scenarios.load(name, ("counties +1", "lines x2")), scenarios.load(name, ("lines x2", "counties +1"))
    assert one.digest == two.digest
    some = scenarios.load(name, ("counties +1", "servers:new-county-1 +4"))
    network = some.network
    station = network.node_process_station[network.node_index["new-county-1"]]
    assert network.station_servers[station] == 5


def test_lines_are_called_by_their_ends_and_carriers(name: str, base: Platform) -> None:
    network = base.network
    city = "ganzhou" if name == "jiangxi" else "west"

    def faster(text: str) -> set[str]:
        after = scenarios.load(name, (text,)).network
        differ = np.flatnonzero(after.station_ps_per_byte != network.station_ps_per_byte)
        assert (network.station_role[differ] == StationRole.LINE).all()
        return {network.station_name[station] for station in differ.tolist()}

    both, one = faster(f"lines:province-{city} x2"), faster(f"lines:province-a-{city}-a x2")
    assert one < both
    assert len(one) == 2
    assert len(both) == 4
    assert both <= faster("lines:province_city x2") < faster("lines x2")
    carriers = [faster(f"lines:{carrier} x2") for carrier in network.carriers]
    assert carriers[0].isdisjoint(carriers[1])
    assert faster(f"lines:{city}-province x2") == both


def test_servers_and_pools(name: str, base: Platform) -> None:
    network = base.network
    after = scenarios.load(name, ("servers:province x2", "pools x0")).network
    station = network.node_process_station[network.node_index["province"]]
    assert after.station_servers[station] == 2 * network.station_servers[station]
    rest = np.arange(network.station_count) != station
    assert (after.station_servers[rest] == network.station_servers[rest]).all()
    assert all(pool.servers == 0 for pool in after.pools)
    more = scenarios.load(name, (f"pool:{network.pools[0].name} +7",)).network.pools
    assert [pool.servers for pool in more] == [p.servers + (7 if i == 0 else 0) for i, p in enumerate(network.pools)]
    assert (scenarios.load(name, ("servers x0.001",)).network.station_servers >= 1).all()


def test_changes_are_told(name: str, base: Platform) -> None:
    after = scenarios.load(name, ("demand   x1.2", "lines x2"))
    assert isinstance(after, ChangedPlatform)
    assert after.changes == ("demand x1.2", "lines x2")
    assert after.title_en == f"{base.title_en} (demand x1.2, lines x2)"
    assert unchanged(after).digest == base.digest
    info = TraceGenerator(after, start=DAY, span=timedelta(hours=1), seed=1, exchanges_per_day=2_000).info
    assert info.provenance["changes"] == ["demand x1.2", "lines x2"]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "must read WHAT"),
        ("demand 1.2", "must read WHAT"),
        ("demand x-1", "must read WHAT"),
        ("demand xnan", "must read WHAT"),
        ("demand x1e3", "must read WHAT"),
        ("roads x2", "must change one of demand, front-ends"),
        ("demand +2", "changed by a factor"),
        ("counties x2", "changed by a number of new ones"),
        ("demand x0", "above 0 and at most 1000"),
        ("demand x1001", "above 0 and at most 1000"),
        ("lines x0", "above 0"),
        ("front-ends x0.5", "at least 1"),
        ("counties +1.5", "whole number"),
        ("counties +99999", "whole number in"),
        ("counties:west +1", "nothing follows a colon"),
        ("pool x2", "must say which one"),
        ("demand:nothing x2", "must name one of the types of demand"),
        ("lines:nowhere x2", "must name two nodes"),
        ("lines:east-hill x2", "no line joins the two"),
        ("servers:nowhere x2", "must name a node"),
        ("others +1", "changed by a factor"),
        ("servers:nation x2", "no centres of that level"),
        ("pool:nowhere x2", "must name one of the pools"),
        ("servers x999", "must not exceed"),
    ],
)
def test_refusals_are_one_line_that_says_what_is_wrong(text: str, rule: str) -> None:
    texts = ["servers x1000", "servers x1000"] if "999" in text and "servers" in text else []
    with pytest.raises(BadInputError, match=rule) as caught:
        scenarios.load("toy", [*texts, text])
    assert "\n" not in str(caught.value)
    assert "None" not in str(caught.value)


def test_changes_are_a_sequence_of_texts() -> None:
    with pytest.raises(BadInputError, match="sequence"):
        scenarios.load("toy", "demand x2")
    with pytest.raises(BadInputError, match="at most 100"):
        scenarios.load("toy", ["demand x1"] * 101)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["demand x2", "demand x0.5", "lines x1.25", "lines x0.8", "servers x3"]), max_size=6))
def test_factors_multiply_whatever_their_order(texts: list[str]) -> None:
    assert scenarios.load("toy", texts).digest == scenarios.load("toy", texts[::-1]).digest


CHANGED_FILE = 'schema = 1\nname = "faster"\ntitle_en = "a"\ntitle_zh = "b"\nextends = "toy"\nchanges = {}\n'


def test_a_file_may_have_changes_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "faster.toml"
    path.write_text(CHANGED_FILE.format('["lines x2", "demand x1.5"]'), encoding="utf-8")
    own, asked = scenarios.load(str(path)), scenarios.load("toy", ["lines x2", "demand x1.5"])
    assert own.network.digest == asked.network.digest != scenarios.load("toy").network.digest
    # Further ones are made after them, as if all stood in one list.
    assert scenarios.load(str(path), ["lines x0.5"]).network.digest == scenarios.load("toy").network.digest


@pytest.mark.parametrize(("value", "place"), [("3", "changes"), ('["lines xx"]', "change"), ("[2]", "changes[0]")])
def test_a_files_wrong_changes_are_its_own(value: str, place: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(CHANGED_FILE.format(value), encoding="utf-8")
    with pytest.raises(BadInputError) as caught:
        scenarios.load(str(path))
    assert caught.value.place == place
    assert caught.value.file == str(path)
