"""What `survive` is built of: elements and pairs by brute force, windows row by row, who is cut off by plain search."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import combinations, pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest
from learnt_toy import hours
from made_networks import drawn_network
from scipy.stats import binomtest, chisquare

import scenarios
from router_core.errors import BadInputError
from router_core.exchanges import FIELDS, NO_DEADLINE
from router_core.network import NO_STATION, Network
from router_core.routing_graph import ARRIVED, READY_PROCESSED, STATES, routing_graph
from router_core.units import HOUR_NS, MINUTE_NS, SECOND_NS
from router_core.vocabulary import NodeKind, StationRole
from sim.studies.survival.cut_off import Reach
from sim.studies.survival.elements import KINDS, USUAL, Element, chosen_kinds, elements_of, pairs_of, singles
from sim.studies.survival.normal import Bounds, Course, time_until_normal
from sim.studies.survival.window import Span, WindowOrder, busiest_ns, cut_window, moment_ns
from sim.studies.survival.words import share_of
from traces.reader import TraceReader
from traces.writer import write_all

SPAN = Span(2 * MINUTE_NS, 3 * MINUTE_NS, 4 * MINUTE_NS)


def networks() -> dict[str, Network]:
    found = {name: scenarios.load(name).network for name in ("toy", "jiangxi")}
    return found | {f"drawn{seed}": drawn_network(Random(seed), torn=0.2) for seed in range(4)}


NETWORKS = networks()


# Elements.


@pytest.mark.parametrize("name", NETWORKS)
def test_elements_are_what_a_count_by_hand_finds(name):
    network = NETWORKS[name]
    by_kind: dict[str, list[Element]] = {kind: [] for kind in KINDS}
    for element in elements_of(network, tuple(KINDS)):
        by_kind[element.kind].append(element)
    cables: dict[int, set[int]] = {}
    where: dict[int, str] = {}
    for line in range(network.line_count):
        cable, ends = int(network.line_cable[line]), (int(network.line_source[line]), int(network.line_target[line]))
        cables.setdefault(cable, set()).add(int(network.line_station[line]))
        inside = network.node_site[ends[0]] == network.node_site[ends[1]]
        touching = any(network.node_kind[end] in (NodeKind.FRONT_END, NodeKind.EXTERNAL) for end in ends)
        where[cable] = "access" if touching else "inner" if inside else "line"
    for kind in ("line", "inner", "access"):
        expected = sorted(tuple(sorted(stations)) for cable, stations in cables.items() if where[cable] == kind)
        assert sorted(one.stations for one in by_kind[kind]) == expected
        assert all(len(one.stations) == 2 for one in by_kind[kind]), "both directions"
    for carrier, title in enumerate(network.carriers):
        own = {int(network.line_station[line]) for line in np.flatnonzero(network.line_carrier == carrier)}
        assert [set(one.stations) for one in by_kind["carrier"] if one.name == title] == ([own] if own else [])
    kinds = Counter(network.node_kind.tolist())
    assert len(by_kind["router"]) == kinds[NodeKind.ROUTER]
    assert len(by_kind["centre"]) == kinds[NodeKind.CENTRE]
    assert len(by_kind["gateway"]) == kinds[NodeKind.GATEWAY] + kinds[NodeKind.CROSSING]
    assert len(by_kind["endpoint"]) == len(network.endpoints)
    roles = network.station_role
    assert (
        sorted(one.stations[0] for one in by_kind["process"]) == np.flatnonzero(roles == StationRole.PROCESS).tolist()
    )
    for one in by_kind["centre"]:
        node = network.node_index[one.name]
        both = {int(network.node_station[node]), int(network.node_process_station[node])} - {NO_STATION}
        assert set(one.stations) == both, "what passes and what is processed"
    assert [one.pools for one in by_kind["pool"]] == [(place,) for place in range(len(network.pools))]
    for kind, elements in by_kind.items():
        assert len({one.name for one in elements}) == len(elements), kind


def test_a_carrier_at_a_site_is_its_lines_there_and_no_single_line_nor_all():
    network = NETWORKS["jiangxi"]
    found = elements_of(network, ("carrier-at",))
    assert len(found) == 2 * 12, "the province and its cities; a county has one line of each"
    for one in found:
        lines = [int(network.station_owner[station]) for station in one.stations]
        sites = [
            {int(network.node_site[end[line]]) for end in (network.line_source, network.line_target)} for line in lines
        ]
        assert set.intersection(*sites), "one site has them all"
        assert len({int(network.line_carrier[line]) for line in lines}) == 1


def test_kinds_are_chosen_by_name():
    assert chosen_kinds(None) == USUAL
    assert chosen_kinds("all") == tuple(KINDS)
    assert chosen_kinds("pool, line") == ("line", "pool")
    for bad in ("lines", "", "line,,pool"):
        with pytest.raises(BadInputError, match=r"^--kinds: must be `all`, or of line, "):
            chosen_kinds(bad)


# Pairs.


def by_hand(elements: tuple[Element, ...]) -> list[tuple[int, int]]:
    parts = [{*one.stations, *(("pool", pool) for pool in one.pools)} for one in elements]
    return [
        (a, b) for a, b in combinations(range(len(elements)), 2) if not (parts[a] <= parts[b] or parts[b] <= parts[a])
    ]


@pytest.mark.parametrize("kinds", [USUAL, ("line", "carrier"), ("pool",), ("centre", "process")])
def test_all_pairs_are_those_of_which_none_holds_the_other(kinds):
    elements = elements_of(NETWORKS["toy"], kinds)
    pairs = pairs_of(elements, None, 1)
    expected = by_hand(elements)
    assert [one.members for one in pairs.failures] == expected
    assert pairs.whole
    assert pairs.population == len(expected)
    for one in pairs.failures[:50]:
        assert set(one.stations) == {station for member in one.elements for station in member.stations}
    assert pairs_of(elements, len(expected) + 5, 1).failures == pairs.failures


@pytest.mark.parametrize("share", [0.02, 0.6])
@pytest.mark.parametrize("seed", range(3))
def test_drawn_pairs_are_pairs_and_none_comes_twice(seed, share):
    elements = elements_of(NETWORKS["toy"], USUAL)
    expected = set(by_hand(elements))
    count = int(share * len(expected))
    pairs = pairs_of(elements, count, seed)
    members = [one.members for one in pairs.failures]
    assert len(set(members)) == count
    assert set(members) <= expected
    assert members == sorted(members)
    assert (pairs.population, pairs.whole) == (len(expected), False)
    assert pairs_of(elements, count, seed) == pairs
    assert pairs_of(elements, count, seed + 100) != pairs


@pytest.mark.parametrize("count", [3, 12])
def test_every_pair_has_the_same_chance(count):
    """Few are drawn by trying again, many by choosing among all."""
    elements = elements_of(NETWORKS["toy"], ("centre", "process"))
    seen = Counter(one.members for seed in range(600) for one in pairs_of(elements, count, seed).failures)
    expected = by_hand(elements)
    assert set(seen) == set(expected)
    assert chisquare([seen[pair] for pair in expected]).pvalue > 1e-3


def test_no_pairs():
    elements = elements_of(NETWORKS["toy"], ("gateway",))
    assert pairs_of(elements[:1], None, 1).failures == ()
    assert pairs_of(elements, 0, 1).failures == ()
    assert [one.members for one in singles(elements)] == [(0,), (1,), (2,)]


# Windows.


def test_a_window_holds_what_was_submitted_in_it_and_knows_its_time(tmp_path):
    trace = tmp_path / "trace.parquet"
    with TraceReader(hours(9.0, 1.0)) as usual:
        given = usual.read_all()
        given.deadline_ns[::3] = NO_DEADLINE
        write_all(trace, usual.info, given)
    at_ns = 20 * MINUTE_NS + 7
    count = cut_window(WindowOrder(trace, at_ns, SPAN, tmp_path / "window.parquet"))
    begin_ns = at_ns - SPAN.lead_ns
    with TraceReader(trace) as whole, TraceReader(tmp_path / "window.parquet") as window:
        rows, part = whole.read_all(), window.read_all()
        assert window.info.span_ns == SPAN.whole_ns
        assert window.info.start - whole.info.start == timedelta(microseconds=begin_ns // 1_000)
        assert (window.info.resources, window.info.seed) == (whole.info.resources, whole.info.seed)
    kept = (rows.submitted_ns >= begin_ns) & (rows.submitted_ns < begin_ns + SPAN.whole_ns)
    assert count == len(part) == kept.sum() > 100
    for name in FIELDS:
        column = getattr(rows, name)[kept]
        if name == "submitted_ns":
            column = column - begin_ns
        if name == "deadline_ns":
            assert (column == NO_DEADLINE).any()
            column = np.where(column == NO_DEADLINE, NO_DEADLINE, column - begin_ns)
        np.testing.assert_array_equal(getattr(part, name), column)


def test_the_busiest_hour_is_that_of_a_count_quarter_by_quarter():
    trace = hours(7.1, 4.0)
    with TraceReader(trace) as reader:
        start, submitted = reader.info.start.replace(tzinfo=None), reader.read_all().submitted_ns
    best: tuple[int, int] | None = None
    at = datetime(2026, 3, 9, 7)
    while at < datetime(2026, 3, 9, 12):
        at_ns = round((at - start).total_seconds()) * SECOND_NS
        if at_ns >= SPAN.lead_ns and at_ns + SPAN.lasts_ns + SPAN.tail_ns <= 4 * HOUR_NS:
            count = int(((submitted >= at_ns) & (submitted < at_ns + HOUR_NS)).sum())
            if best is None or count > best[0]:
                best = count, at_ns
        at += timedelta(minutes=15)
    assert best is not None
    assert busiest_ns(trace, SPAN) == best[1]


def test_moments_by_the_clock():
    with TraceReader(hours(9.0, 1.0)) as reader:
        info = reader.info
    assert moment_ns("09:30", info, SPAN) == moment_ns("2026-03-09T09:30", info, SPAN) == 30 * MINUTE_NS
    assert moment_ns("09:02", info, SPAN) == SPAN.lead_ns
    assert moment_ns("09:53:00", info, SPAN) == 53 * MINUTE_NS
    # Two days hold the hour twice: the first that leaves room is meant.
    two_days = replace(info, span_ns=48 * HOUR_NS)
    assert moment_ns("09:00", two_days, SPAN) == 24 * HOUR_NS
    for bad, rule in (
        ("09:01", r"2 min before it and 7 min after"),
        ("09:54", r"2 min before it and 7 min after"),
        ("10:00", r"2 min before it"),
        ("noon", "a time of day such as"),
        ("2026-03-09T09:30+08:00", "without a zone"),
        ("09:30+08:00", "without a zone"),
    ):
        with pytest.raises(BadInputError, match=f"^--at: must .*{rule}"):
            moment_ns(bad, info, SPAN)
    with pytest.raises(BadInputError, match=r"--trace: must have at least 9 min"):
        busiest_ns(hours(9.0, 0.1), SPAN)


# Cut off.


def joined_by_search(network: Network, down: np.ndarray, source: int, target: int) -> bool:
    graph = routing_graph(network)
    arcs = [
        list(zip(graph.arc_head[a:b].tolist(), graph.arc_station[a:b].tolist(), strict=True))
        for a, b in pairwise(graph.arc_start.tolist())
    ]
    if down[network.node_station[source]] or down[network.node_station[target]]:
        return False
    stack = [
        STATES * home + ARRIVED for home in network.homes[source] if not down[network.access_station[source, home]]
    ]
    seen = set(stack)
    while stack:
        for head, station in arcs[stack.pop()]:
            if head not in seen and not down[station]:
                seen.add(head)
                stack.append(head)
    return any(
        STATES * home + READY_PROCESSED in seen and not down[network.access_station[home, target]]
        for home in network.homes[target]
    )


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "jiangxi"])
def test_who_is_cut_off_is_whom_a_search_does_not_reach(name):
    network, random = NETWORKS[name], Random(5)
    reach = Reach(network)
    ends = [(int(a), int(b)) for a in network.endpoints for b in network.endpoints if a != b]
    source, target = np.array(ends, dtype=np.int32).T
    cut = 0
    elements = elements_of(network, tuple(KINDS))
    for element in random.sample(elements, min(12, len(elements))):
        down = np.zeros(network.station_count, dtype=bool)
        down[list(element.stations)] = True
        found = reach.cut(source, target, down)
        picked = random.sample(range(len(ends)), min(25, len(ends)))
        assert [not joined_by_search(network, down, *ends[place]) for place in picked] == found[picked].tolist()
        cut += int(found.sum())
    assert cut > 0
    # Single directions too: who can send may not be able to receive.
    for _ in range(6):
        down = np.array([random.random() < 0.15 for _ in range(network.station_count)])
        found = reach.cut(source, target, down)
        picked = random.sample(range(len(ends)), min(25, len(ends)))
        assert [not joined_by_search(network, down, *ends[place]) for place in picked] == found[picked].tolist()
    everything = np.ones(network.station_count, dtype=bool)
    assert reach.cut(source, target, everything).all()


# Until normal.


def courses(seed: int, per_minute: int) -> tuple[Course, np.random.Generator]:
    random = np.random.default_rng(seed)
    submitted = np.sort(random.integers(0, SPAN.whole_ns, per_minute * SPAN.whole_ns // MINUTE_NS))
    delivered = submitted + random.integers(1, 20 * SECOND_NS, len(submitted))
    return Course(submitted, delivered, np.zeros(len(submitted), dtype=bool)), random


def naive_normal(
    course: Course, base: Course, hurt: np.ndarray, sooner: np.ndarray, bounds: Bounds
) -> tuple[int, bool]:
    minutes = (SPAN.lasts_ns + SPAN.tail_ns) // MINUTE_NS
    last = -1
    for minute in range(minutes):
        begin = SPAN.lead_ns + minute * MINUTE_NS
        end = min(begin + 5 * MINUTE_NS, SPAN.whole_ns)
        net = total = 0
        for row, at in enumerate(base.submitted_ns.tolist()):
            early = minute == 0 and at < SPAN.lead_ns and (hurt[row] or sooner[row])
            if begin <= at < end or early:
                total += 1
                net += int(hurt[row]) - int(sooner[row])
        flying = [
            sum(
                a < begin and (b < 0 or b >= begin) and not c
                for a, b, c in zip(*map(list, vars(one).values()), strict=True)
            )
            for one in (course, base)
        ]
        if net > bounds.band * total or flying[0] - flying[1] > max(10, 0.05 * flying[1]):
            last = minute
    if last < 0:
        return 0, True
    return (last + 1) * MINUTE_NS, last + 6 <= minutes


@pytest.mark.parametrize("seed", range(8))
def test_until_normal_is_what_a_count_minute_by_minute_says(seed):
    base, random = courses(seed, 30)
    bounds = Bounds(SECOND_NS, random.choice([0.0, 0.02, 0.2]))
    delay = random.integers(-2, 40, len(base.submitted_ns)) * SECOND_NS
    begin, length = random.integers(0, 6), random.integers(1, 4)
    touched = (base.submitted_ns // MINUTE_NS >= begin) & (base.submitted_ns // MINUTE_NS < begin + length)
    touched &= random.random(len(touched)) < random.choice([0.1, 0.9])
    delivered = base.delivered_ns + np.where(touched, delay, 0)
    delivered[touched & (random.random(len(touched)) < 0.1)] = -1
    course = Course(base.submitted_ns, delivered, (delivered < 0) & (random.random(len(touched)) < 0.5))
    counted = (base.submitted_ns >= SPAN.lead_ns) | (base.delivered_ns >= SPAN.lead_ns)
    hurt = counted & ((delivered < 0) | (delivered - base.delivered_ns > SECOND_NS))
    sooner = counted & (delivered >= 0) & (base.delivered_ns - delivered > SECOND_NS)
    assert time_until_normal(course, base, hurt, sooner, SPAN, bounds) == naive_normal(
        course, base, hurt, sooner, bounds
    )


def test_what_is_equal_is_normal_and_an_outage_is_until_it_ends():
    base, _ = courses(3, 200)
    nobody = np.zeros(len(base.submitted_ns), dtype=bool)
    assert time_until_normal(base, base, nobody, nobody, SPAN, Bounds()) == (0, True)
    during = (base.submitted_ns >= SPAN.lead_ns) & (base.submitted_ns < SPAN.until_ns)
    longer = replace(SPAN, tail_ns=20 * MINUTE_NS)
    assert time_until_normal(base, base, during, nobody, longer, Bounds()) == (SPAN.lasts_ns, True)
    assert time_until_normal(base, base, during, during, longer, Bounds()) == (0, True), "a mere shuffle"
    # With four minutes after the return nobody has seen five normal ones.
    assert time_until_normal(base, base, during, nobody, SPAN, Bounds()) == (SPAN.lasts_ns, False)


# Shares of pairs.


@pytest.mark.parametrize(("count", "tried"), [(0, 10), (3, 40), (40, 40), (17, 200)])
def test_intervals_are_those_of_clopper_and_pearson(count, tried):
    exact = binomtest(count, tried).proportion_ci(0.95, "exact")
    found = share_of(count, tried, whole=False)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
    assert found.low <= found.value == count / tried <= found.high
    whole = share_of(count, tried, whole=True)
    assert whole.low == whole.value == whole.high


def test_windows_are_not_cut_out_of_what_is_no_trace(tmp_path: Path):
    with pytest.raises(BadInputError, match=r"must exist"):
        cut_window(WindowOrder(tmp_path / "none.parquet", HOUR_NS, SPAN, tmp_path / "window.parquet"))
