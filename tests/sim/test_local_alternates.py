"""Local alternates: the route table's answer to the integer, and replays in which things stop and no brain speaks."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import cache
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from made_networks import DrawnPlan, drawn_network, exchanges

import scenarios
from router_core.background import no_background
from router_core.errors import BadInputError
from router_core.exchanges import Exchanges
from router_core.live_plan import LivePlan
from router_core.network import Network
from router_core.paths.capacity import platform_capacity
from router_core.paths.path_set import PathSet
from router_core.paths.route_space import space_of_network
from router_core.paths.survivable import choose_paths
from router_core.plan import Choice, Plan, Trunk, route
from router_core.routing_graph import ARRIVED, READY_PROCESSED, STATES, routing_graph
from router_core.splits.split import Split
from router_core.table import RouteTable, route_table
from router_core.transport import Transport
from router_core.units import MS_NS, SECOND_NS
from sim.data_plane import Refusal
from sim.faults import Fault, FaultKind
from sim.replay import DATA_PLANES
from sim.ways import ways
from sim.world import Record, World, WorldConfig
from strategies.brain import Command, Event, SetPlan, SlotStarted

IDS = (0, 1, 2, 5, 17, 2**31, 2**62 - 1)
FROM_NS, UNTIL_NS, SPAN_NS = 20 * SECOND_NS, 50 * SECOND_NS, 60 * SECOND_NS
# What a small exchange takes of an idle toy, with room.
IDLE_NS = 500 * MS_NS


class OneChoice:
    """Gives all pairs of groups one choice."""

    def __init__(self, choice: Choice) -> None:
        self._choice = choice

    def choice(self, source_group: int, target_group: int) -> Choice | None:
        return self._choice


def some_down(random: Random, network: Network, share: float) -> np.ndarray:
    return np.array([random.random() < share for _ in range(network.station_count)])


@pytest.mark.parametrize("seed", range(12))
def test_it_takes_the_way_that_the_route_table_says(seed):
    """At every attempt; and where the table has none it changes nothing."""
    random = Random(seed)
    network = drawn_network(random)
    plan = DrawnPlan(random, network, without_route=0.1, ways_max=5)
    table = route_table(network, plan)
    seen = {"own": 0, "other": 0, "none": 0}
    for share in (0.02, 0.05, 0.15, 0.4):
        down = some_down(random, network, share)
        live = LivePlan(plan, network, down)
        for source in network.endpoints.tolist():
            for target in network.endpoints.tolist():
                own, found = plan.choice(*network.node_group[[source, target]].tolist()), live.between(source, target)
                assert (own is None) == (found is None)
                for exchange_id in IDS if own else ():
                    for attempt in range(4):
                        place = own.pick(exchange_id, attempt)
                        trunk = found.trunks[found.pick(exchange_id, attempt)]
                        told = table.lookup_live(source, target, 0, exchange_id, down, attempt)
                        if told is None:
                            assert trunk == own.trunks[place]
                            seen["none"] += 1
                            continue
                        assert trunk == told.trunk
                        seen["own" if trunk == own.trunks[place] else "other"] += 1
    assert min(seen.values()) > 0, seen


def test_the_first_live_way_without_weight_is_the_last_resort():
    network = drawn_network(Random(4), transit=4, front_ends=3, dual_homed=0.0)
    group = int(network.node_group[network.endpoints[0]])
    home = network.groups[group][0]
    plain = int(network.node_station[home])
    lines = network.line_station[:5].tolist()
    trunks = tuple(Trunk(home, home, (plain, line)) for line in lines)
    plan = OneChoice(Choice(trunks, (3, 0, 2, 0, 0)))

    def taken(*down: int) -> list[int]:
        mask = np.zeros(network.station_count, dtype=bool)
        mask[[lines[one] for one in down]] = True
        found = LivePlan(plan, network, mask).choice(group, group)
        assert found.weights == (3, 0, 2, 0, 0)
        return [trunks.index(found.trunks[place]) for place in (0, 2)]

    assert taken(0) == [2, 2]
    assert taken(2, 1) == [0, 0]
    assert taken(0, 2) == [1, 1]
    assert taken(0, 2, 1) == [3, 3]
    assert taken(0, 2, 1, 3, 4) == [0, 2]


@pytest.mark.parametrize("seed", range(4))
def test_nobody_moves_who_need_not_and_nobody_else_is_asked(seed):
    random = Random(seed)
    network = drawn_network(random)
    plan = DrawnPlan(random, network, ways_max=4)
    nothing = LivePlan(plan, network, np.zeros(network.station_count, dtype=bool))
    down = some_down(random, network, 0.1)
    live = LivePlan(plan, network, down)
    groups = range(len(network.groups))
    for source in groups:
        for target in groups:
            own, found = plan.choice(source, target), live.choice(source, target)
            assert nothing.choice(source, target) is own
            assert live.choice(source, target) is found
            assert found.weights == own.weights
            for before, after in zip(own.trunks, found.trunks, strict=True):
                if not down[list(before.stations)].any():
                    assert after is before


def test_who_is_down_is_told_of_every_station():
    network = drawn_network(Random(1))
    for wrong in (np.zeros(network.station_count - 1, dtype=bool), np.zeros(network.station_count, dtype=np.uint8)):
        with pytest.raises(BadInputError, match="live plan: down: must be bool of shape"):
            LivePlan(DrawnPlan(Random(1), network), network, wrong)


class FirstSlot:
    """Sets one plan when the run starts, and says nothing more."""

    name = "first-slot"

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def handle(self, event: Event) -> list[Command]:
        return [SetPlan(self._plan)] if isinstance(event, SlotStarted) and event.slot == 0 else []


@cache
def arcs(network: Network) -> list[list[tuple[int, int]]]:
    """Head and station of each arc that leaves a state."""
    graph = routing_graph(network)
    rows = list(zip(graph.arc_head.tolist(), graph.arc_station.tolist(), strict=True))
    return [rows[begin:end] for begin, end in pairwise(graph.arc_start.tolist())]


class Reach:
    """Which endpoints a lawful way joins when stations are down: a search, arc by arc."""

    def __init__(self, network: Network, down: np.ndarray) -> None:
        self._network, self._down = network, down.tolist()
        self._found: dict[int, set[int]] = {}

    def _from(self, source: int) -> set[int]:
        if source not in self._found:
            network, down = self._network, self._down
            homes = [home for home in network.homes[source] if not down[network.access_station[source, home]]]
            stack = [STATES * home + ARRIVED for home in homes]
            seen = self._found[source] = set(stack)
            while stack:
                for head, station in arcs(network)[stack.pop()]:
                    if head not in seen and not down[station]:
                        seen.add(head)
                        stack.append(head)
        return self._found[source]

    def joins(self, source: int, target: int) -> bool:
        network, down = self._network, self._down
        if down[network.node_station[source]] or down[network.node_station[target]]:
            return False
        reached = self._from(source)
        return any(
            STATES * home + READY_PROCESSED in reached and not down[network.access_station[home, target]]
            for home in network.homes[target]
        )


def failures(network: Network) -> dict[str, np.ndarray]:
    """Every single line, carrier and node, and every access line, with the stations that stop."""
    risks = space_of_network(network).risks
    found = {name: risks.stations(number) for number, name in enumerate(risks.name)}
    for cable in np.unique(network.line_cable).tolist():
        stations = network.line_station[network.line_cable == cable]
        found.setdefault(f"cable {network.station_name[int(stations[0])]}", stations)
    return found


def lopsided_table(network: Network, paths: PathSet, seed: int) -> RouteTable:
    """A plan that leaves half of the pairs one way of weight, and the others some."""
    random = np.random.default_rng(seed)
    shares = random.exponential(size=paths.path_count) * (random.random(paths.path_count) < 0.5)
    first = paths.pair_start[:-1][np.diff(paths.pair_start) > 0]
    shares[first] += 1e-3
    alone = random.random(paths.pair_count) < 0.5
    shares *= ~alone[paths.path_pair]
    shares[first] += alone[paths.path_pair[first]]
    shares /= np.bincount(paths.path_pair, shares, paths.pair_count)[paths.path_pair]
    return route_table(network, Split(paths, shares, 0.0, 0.0, 0, np.empty(0, dtype=np.intp)))


@cache
def toy():
    platform = scenarios.load("toy")
    platform = replace(platform, transport=replace(platform.transport, retries_max=60))
    network = platform.network
    return platform, choose_paths(space_of_network(network), platform_capacity(network), 4)


def everybody(network: Network, seed: int) -> Exchanges:
    """Two small exchanges of each pair of endpoints, at any time."""
    random = np.random.default_rng(seed)
    pairs = [(a, b) for a in network.endpoints for b in network.endpoints if a != b] * 2
    source, target = np.array(pairs).T
    order = random.permutation(len(pairs))
    at = np.sort(random.integers(0, SPAN_NS - SECOND_NS, len(pairs)))
    return exchanges(at, source[order], target[order], random.integers(1, 20_000, len(pairs)))


def run(
    network: Network,
    transport: Transport,
    batch: Exchanges,
    plan: Plan,
    stations: np.ndarray,
    plane: str,
    until_ns: int,
) -> Record:
    fault = Fault(FaultKind.STOP, tuple(stations.tolist()), FROM_NS, until_ns)
    world = World(
        network,
        no_background(network.line_count),
        FirstSlot(plan),
        DATA_PLANES[plane](network, transport),
        start=datetime(2026, 3, 17, 9, 0),
        span_ns=SPAN_NS,
        seed=1,
        config=WorldConfig(slot_ns=5 * SECOND_NS),
        faults=[fault],
    )
    return world.run(iter([batch]))


def assert_carried(network: Network, transport: Transport, record: Record, stations: np.ndarray) -> int:
    """Whoever is connected has waited for no more than one back-off; return how many others there are."""
    down = np.zeros(network.station_count, dtype=bool)
    down[stations] = True
    reach = Reach(network, down)
    trace, outcome = record.exchanges, record.outcome
    joined = [reach.joins(*ends) for ends in zip(trace.source.tolist(), trace.target.tolist(), strict=True)]
    took_ns = outcome.delivered_ns - trace.submitted_ns
    late = np.flatnonzero(
        (outcome.delivered_ns < 0) | (took_ns > transport.backoff_ns + IDLE_NS) | (outcome.retries > 1)
    )
    wrong = [row for row in late.tolist() if joined[row]]
    assert not wrong, [(trace.source[row], trace.target[row], took_ns[row], outcome.retries[row]) for row in wrong[:3]]
    # And of the others nobody is dropped: they wait until what stopped returns.
    assert (outcome.delivered_ns > 0).all()
    assert not (outcome.refusal == Refusal.NO_ROUTE).any()
    return joined.count(False)


@pytest.mark.parametrize("seed", range(2))
def test_whatever_single_thing_stops_the_connected_are_carried_at_once(seed):
    platform, paths = toy()
    network = platform.network
    plan, batch = lopsided_table(network, paths, seed), everybody(network, seed)
    cut_off = retried = 0
    for stations in failures(network).values():
        record = run(network, platform.transport, batch, plan, stations, "compiled", UNTIL_NS)
        cut_off += assert_carried(network, platform.transport, record, stations)
        retried += int(record.outcome.retries.sum())
    assert cut_off > 0
    assert retried > 0


@pytest.mark.parametrize("number", range(0, 60, 6))
def test_both_planes_carry_them_alike(number):
    platform, paths = toy()
    network = platform.network
    name, stations = sorted(failures(network).items())[number]
    plan, batch = lopsided_table(network, paths, number), everybody(network, number)
    records = [run(network, platform.transport, batch, plan, stations, plane, UNTIL_NS) for plane in DATA_PLANES]
    for record in records:
        assert_carried(network, platform.transport, record, stations)
    for column in ("delivered_ns", "refusal", "retries"):
        one, other = (getattr(record.outcome, column) for record in records)
        np.testing.assert_array_equal(one, other, err_msg=name)


def test_a_second_home_takes_over_when_an_access_line_is_cut():
    """Even where no plan gives the second home any weight: the group's other endpoints do not notice."""
    platform, paths = toy()
    network = platform.network
    table = lopsided_table(network, paths, 3)
    twice = 0
    for source, homes in network.homes.items():
        for home in homes if len(homes) > 1 else ():
            down = np.zeros(network.station_count, dtype=bool)
            down[[network.access_station[source, home], network.access_station[home, source]]] = True
            live = LivePlan(table, network, down)
            for target in network.endpoints.tolist():
                for a, b in ((source, target), (target, source)) if target != source else ():
                    found = ways(network, live, a, b)
                    taken = [
                        stations for stations, weight in zip(found.routes, found.choice.weights, strict=True) if weight
                    ]
                    assert not down[[station for stations in taken for station in stations]].any()
                    twice += 1
                    if source not in (a, b):
                        assert live.between(a, b) == table.choice(*network.node_group[[a, b]].tolist())
    assert twice > 0


@pytest.mark.parametrize("seed", range(3))
def test_no_connected_pair_of_the_province_lacks_a_live_way(seed):
    """A sample of pairs, and of what can stop; half of it access lines of endpoints with two homes."""
    network = jiangxi()
    random = Random(seed)
    groups = len(network.groups)
    paths = some_paths()
    pairs = list(zip(paths.source.tolist(), paths.target.tolist(), strict=True))
    table = lopsided_table(network, paths, seed)
    members = [np.flatnonzero(network.node_group == group) for group in range(groups)]
    everything = failures(network)
    stopped = [everything[name] for name in random.sample(sorted(everything), 12)]
    for end in random.sample([end for end, homes in network.homes.items() if len(homes) > 1], 12):
        home = random.choice(network.homes[end])
        stopped.append(np.array([network.access_station[end, home], network.access_station[home, end]]))
        # Ask for this very endpoint wherever its group comes up.
        members[network.node_group[end]] = np.array([end])
    moved = 0
    for stations in stopped:
        down = np.zeros(network.station_count, dtype=bool)
        down[stations] = True
        live, reach = LivePlan(table, network, down), Reach(network, down)
        for a, b in pairs:
            source, target = (int(random.choice(members[group].tolist())) for group in (a, b))
            if source == target or not reach.joins(source, target):
                continue
            found = live.between(source, target)
            before = table.choice(a, b)
            for exchange_id in IDS:
                own = before.trunks[before.pick(exchange_id)]
                stations_now = route(network, source, target, found.trunks[found.pick(exchange_id)])
                assert not down[list(stations_now)].any()
                moved += found.trunks[found.pick(exchange_id)] != own
    assert moved > 0


@cache
def jiangxi() -> Network:
    return scenarios.load("jiangxi").network


@cache
def some_paths() -> PathSet:
    """Paths of a sample of pairs of groups."""
    network = jiangxi()
    source = np.arange(0, len(network.groups), 2)
    target = (source * 7 + 3) % len(network.groups)
    return choose_paths(space_of_network(network), platform_capacity(network), 4, source, target)
