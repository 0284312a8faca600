"""Alerts: delays against a naive sum, warnings before it is too late, told once and taken back."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from made_history import BEATS, NIGHT, OFFICE, made_history
from made_networks import drawn_network

import scenarios
from router_core.errors import BadInputError
from router_core.link_state import LinkState
from router_core.network import Network
from router_core.paths.capacity import platform_capacity
from router_core.paths.path_set import PathSet, path_set
from router_core.paths.route_space import space_of_network
from router_core.paths.survivable import choose_paths
from router_core.transport import WHOLE
from router_core.units import MINUTE_NS, SECOND_NS
from router_core.vocabulary import Discipline
from strategies.classes.fit import fit_classes
from strategies.decision import Decision, DecisionKind, Reason
from strategies.guard.alerts import Alerts, AlertSetting
from strategies.guard.class_leads import NO_LEAD, ClassLeads, class_leads
from strategies.guard.deadline_risk import DeadlineRisk, RiskSetting

USUAL = 1_000.0


def paths_of(network: Network, k: int = 3) -> PathSet:
    return choose_paths(space_of_network(network), platform_capacity(network), k)


def drawn_state(random: np.random.Generator, network: Network, now_ns: int, *, down: float = 0.0) -> LinkState:
    stations = network.station_count
    free = network.station_fixed_ns + network.station_after_ns + network.station_ps_per_byte / 1_000 * USUAL
    return LinkState(
        now_ns=now_ns,
        stay_ns=free * random.uniform(0.8, 4.0, stations),
        utilisation=random.uniform(0.0, 1.0, stations),
        loss=np.zeros(stations),
        observed_ns=np.full(stations, now_ns - SECOND_NS, dtype=np.int64),
        confidence=random.uniform(0.0, 1.0, stations),
        identified=np.ones(stations, dtype=bool),
        up=random.random(stations) >= down,
    )


def drawn_weights(random: np.random.Generator, paths: PathSet) -> np.ndarray:
    return (random.integers(0, 50, paths.path_count) * (random.random(paths.path_count) < 0.6)).astype(np.int32)


def naive(
    network: Network,
    paths: PathSet,
    state: LinkState,
    weights: np.ndarray,
    growth: np.ndarray,
    size: int,
    chunk_bytes: int,
    setting: RiskSetting,
    pair: int,
) -> tuple[float, float] | None:
    """Mean and pessimistic delay of an exchange, station by station; None without a live way."""
    access = set(network.access_station.values())

    def figures(station: int) -> tuple[float, float, float, float]:
        room = 1.0
        if network.station_discipline[station] == Discipline.SHARING:
            room = max(1.0 - state.utilisation[station], setting.room_least)
        byte = network.station_ps_per_byte[station] / 1_000 / room
        fixed = float(network.station_fixed_ns[station] + network.station_after_ns[station])
        wait = max(0.0, state.stay_ns[station] - fixed - byte * setting.usual_bytes) * growth[station]
        return fixed, wait, wait * (2.0 - state.confidence[station]), byte

    def total(stations: list[int]) -> tuple[float, float, float, float]:
        found = [figures(station) for station in stations]
        mean = sum(one[0] + one[1] for one in found)
        high = mean + setting.deviations * sum(one[2] ** 2 for one in found) ** 0.5
        return mean, high, sum(one[3] for one in found), max((one[3] for one in found), default=0.0)

    first, end = paths.pair_start[pair], paths.pair_start[pair + 1]
    live = [path for path in range(first, end) if all(state.up[one] or one in access for one in paths.stations(path))]
    if not live:
        return None
    used = [path for path in live if weights[path]] or live[:1]
    whole = sum(weights[path] for path in used)
    most = max(weights[path] for path in used)
    share = {path: weights[path] / whole if whole else 1.0 for path in used}
    ways = {path: total(list(paths.stations(path))) for path in used}
    counted = [path for path in used if share[path] >= setting.least_share or weights[path] == most]
    ends = []
    for group, outward in ((paths.source[pair], True), (paths.target[pair], False)):
        rows = []
        for node in np.flatnonzero(network.node_group == group).tolist():
            homes = network.homes[node]
            stations = [int(network.node_station[node])]
            if len(homes) == 1:
                stations.append(network.access_station[(node, homes[0]) if outward else (homes[0], node)])
            rows.append(total(stations))
        mean, *others = zip(*rows, strict=True)
        ends.append((sum(mean) / len(mean), *(max(column) for column in others)))
    chunk = size if chunk_bytes == WHOLE else min(size, chunk_bytes)
    byte_sum = max(ways[path][2] for path in counted) + sum(one[2] for one in ends)
    byte_most = max([ways[path][3] for path in counted] + [one[3] for one in ends])
    carried = byte_sum * chunk + byte_most * (size - chunk)
    mean = sum(share[path] * ways[path][0] for path in used) + sum(one[0] for one in ends)
    high = max(ways[path][1] for path in counted) + sum(one[1] for one in ends)
    return mean + carried, high + carried


@pytest.mark.parametrize("seed", range(6))
def test_delays_are_the_naive_sums_step_after_step(seed):
    """Whatever changes from step to step: stations, weights, who is up, queues."""
    # The toy has several endpoints a group; few drawn ones do.
    toy = seed == 0
    network = scenarios.load("toy").network if toy else drawn_network(Random(seed), transit=5, front_ends=5)
    paths, random = paths_of(network), np.random.default_rng(seed)
    setting = RiskSetting(usual_bytes=USUAL, chunk_bytes=2_000, change_share=0.0, change_ns=0.0)
    risk = DeadlineRisk(network, paths, setting)
    state, weights = drawn_state(random, network, MINUTE_NS), drawn_weights(random, paths)
    waiting = random.integers(0, 20, network.station_count)
    growth = np.ones(network.station_count)
    unrouted = 0
    for step in range(8):
        delays = risk.delays(state, weights, waiting)
        for size in (0, 500, 2_000, 50_000):
            mean, high = delays.of_payload(size, 2_000)
            for pair in range(paths.pair_count):
                expected = naive(network, paths, state, weights, growth, size, 2_000, setting, pair)
                assert delays.routed[pair] == (expected is not None)
                unrouted += expected is None
                if expected is not None:
                    assert (mean[pair], high[pair]) == pytest.approx(expected, rel=1e-9)
        now_ns = state.now_ns + MINUTE_NS
        change = step % 4
        state = replace(state, now_ns=now_ns, observed_ns=np.full_like(state.observed_ns, now_ns - SECOND_NS))
        before, growth = waiting, np.ones(network.station_count)
        if change == 0:
            weights = drawn_weights(random, paths)
        elif change == 1:
            state = replace(state, up=random.random(network.station_count) > 0.3)
        elif change == 2:
            few = random.random(network.station_count) < 0.2
            state = replace(state, stay_ns=np.where(few, state.stay_ns * 3.0, state.stay_ns))
        else:
            waiting = random.integers(0, 20, network.station_count)
            grown = np.maximum(waiting - before, 0) / np.maximum(waiting, 1) * (1 + 1 / 60)
            growth = 1 + np.where(state.utilisation >= setting.busy, grown, 0)
    assert unrouted > 0


def test_small_changes_may_wait_but_never_add_up():
    network = drawn_network(Random(3), transit=5, front_ends=5)
    paths, random = paths_of(network), np.random.default_rng(3)
    setting = RiskSetting(usual_bytes=USUAL, change_share=0.05, change_ns=0.0)
    lazy = DeadlineRisk(network, paths, setting)
    exact = DeadlineRisk(network, paths, replace(setting, change_share=0.0))
    state, weights = drawn_state(random, network, MINUTE_NS), drawn_weights(random, paths)
    skipped = 0
    for step in range(2, 60):
        state = replace(state, now_ns=step * MINUTE_NS, stay_ns=state.stay_ns * random.uniform(0.99, 1.03))
        one, other = lazy.delays(state, weights).figures[1], exact.delays(state, weights).figures[1]
        skipped += not np.array_equal(one, other)
        np.testing.assert_allclose(one, other, rtol=0.06)
    assert skipped > 0


def test_leads_and_sizes_are_what_the_classes_learnt():
    """By powers of two: a lead is never told longer than it is, a size never smaller."""
    network = scenarios.load("jiangxi").network
    model = fit_classes(made_history((OFFICE, NIGHT, BEATS)).history, network, seed=1)
    group = network.node_group
    pairs = sorted(set(zip(group[model.source].tolist(), group[model.target].tolist(), strict=True)))[::3]
    source, target = np.array(pairs).T
    paths = path_set(space_of_network(network), source, target, [[] for _ in pairs])
    leads = class_leads(network, model, paths)
    for one in (OFFICE, NIGHT, BEATS):
        members = np.flatnonzero((model.mode == one.mode) & (model.kind == one.kind))
        (kind,) = set(model.relation_class[members].tolist())
        assert leads.name[kind] == model.classes[kind].name
        assert one.lead_s / 2 < leads.lead_ns[kind] / SECOND_NS <= one.lead_s
        assert 2 ** (one.digits - 1) <= leads.usual_bytes[kind] <= leads.large_bytes[kind] < 2 ** (one.digits + 1)
        there = {
            (int(group[a]), int(group[b])) for a, b in zip(model.source[members], model.target[members], strict=True)
        }
        assert [bool(cell) for cell in leads.occurs[kind]] == [pair in there for pair in pairs]


def leads_of(paths: PathSet, lead_s: list[float], size: int = 1_000) -> ClassLeads:
    count = len(lead_s)
    return ClassLeads(
        name=tuple(f"class-{number}" for number in range(count)),
        lead_ns=np.array([NO_LEAD if one < 0 else round(one * SECOND_NS) for one in lead_s], dtype=np.int64),
        usual_bytes=np.full(count, size, dtype=np.int64),
        large_bytes=np.full(count, size, dtype=np.int64),
        occurs=np.ones((count, paths.pair_count), dtype=bool),
    )


class Toy:
    """The toy at rest, where one station can be made slow."""

    def __init__(self, lead_s: list[float], **setting) -> None:
        self.network = scenarios.load("toy").network
        self.paths = paths_of(self.network, 2)
        network = self.network
        free = network.station_fixed_ns + network.station_after_ns + network.station_ps_per_byte / 1_000 * USUAL
        self.free_ns = free.astype(np.float64)
        self.leads = leads_of(self.paths, lead_s)
        risk = RiskSetting(usual_bytes=USUAL)
        self.alerts = Alerts(network, self.paths, self.leads, AlertSetting(risk=risk, **setting))
        self.weights = np.ones(self.paths.path_count, dtype=np.int32)
        self.minute = 0

    def step(self, wait_s=None, used=None, down=(), age_s=1, **more) -> list[Decision]:
        """Take a step a minute on, with these waits and utilisations by station."""
        self.minute += 1
        stations, now_ns = self.network.station_count, self.minute * MINUTE_NS
        stay, utilisation, up = self.free_ns.copy(), np.zeros(stations), np.ones(stations, dtype=bool)
        for station, wait in (wait_s or {}).items():
            stay[station] += wait * SECOND_NS
        for station, share in (used or {}).items():
            utilisation[station] = share
        up[list(down)] = False
        observed = np.full(stations, now_ns - age_s * SECOND_NS, dtype=np.int64)
        state = LinkState(
            now_ns, stay, utilisation, np.zeros(stations), observed, np.ones(stations), np.ones(stations, bool), up
        )
        return self.alerts.step(state, self.weights, **more)

    def on_paths(self) -> int:
        """A carrier's line that many pairs use."""
        counts = np.bincount(self.paths.path_station, minlength=self.network.station_count)
        lines = self.network.line_station[self.network.line_carrier >= 0]
        return int(lines[counts[lines].argmax()])


def test_all_is_quiet_where_nothing_happens():
    toy = Toy([5.0, 60.0, -1])
    for _ in range(20):
        assert toy.step(pool_left=np.zeros(len(toy.network.pools), dtype=np.int64)) == []
    assert toy.alerts.active == []


def test_a_growing_queue_is_told_before_the_deadline_is_missed():
    toy = Toy([60.0])
    line = toy.on_paths()
    warned = missed = None
    for minute in range(1, 40):
        wait_s = 3.0 * minute
        told = toy.step({line: wait_s}, {line: 1.0})
        if missed is None and wait_s > 60.0:
            missed = toy.minute
        if warned is None and any(one.reason is Reason.DEADLINE_AT_RISK for one in told):
            warned = toy.minute
            (alert,) = [one for one in told if one.reason is Reason.DEADLINE_AT_RISK]
            assert alert.subject[0] == "class-0"
            assert alert.subject[2] == toy.network.station_name[line]
            assert alert.figures["lead_s"] == 60.0
            assert 0.7 * 60 < alert.figures["delay_s"] < 60.0
            users = np.unique(toy.paths.path_pair[_paths_over(toy.paths, line)])
            assert alert.figures["pairs"] == len(users)
    assert warned is not None
    assert missed is not None
    assert warned <= missed - 5


def _paths_over(paths: PathSet, station: int) -> np.ndarray:
    places = np.flatnonzero(paths.path_station == station)
    return np.unique(np.searchsorted(paths.path_start, places, side="right") - 1)


def test_what_is_held_has_less_time_left():
    toy = Toy([60.0, 60.0])
    line = toy.on_paths()
    told = toy.step({line: 5.0}, hold_ns=np.array([0, 40 * SECOND_NS]))
    assert [one.subject[0] for one in told] == ["class-1"]


def test_a_warning_is_given_once_and_taken_back_when_it_is_over():
    toy = Toy([60.0])
    line = toy.on_paths()
    high, between, low = 25.0, 13.0, 5.0  # pessimistic: three times as long
    assert toy.step({line: between}) == []
    (told,) = toy.step({line: high})
    assert told.reason is Reason.DEADLINE_AT_RISK
    for wait_s in (high, between, high, between, between, high):
        assert toy.step({line: wait_s}) == []
    assert toy.alerts.active == [(Reason.DEADLINE_AT_RISK, told.subject)]
    # A moment of calm is not the end of it.
    assert toy.step({line: low}) == []
    assert toy.step({line: high}) == []
    assert toy.step({line: low}) == []
    (over,) = toy.step({line: low})
    assert (over.kind, over.reason, over.subject) == (DecisionKind.ALERT, Reason.AS_FORECAST, told.subject)
    assert toy.alerts.active == []
    assert toy.step({line: between}) == []


def test_busy_stations_are_told_after_some_steps_and_empty_pools_with_them():
    toy = Toy([-1], busy_steps=3)
    pool = next(number for number, one in enumerate(toy.network.pools) if one.servers)
    node = int(np.flatnonzero(toy.network.node_pool == pool)[0])
    process = int(toy.network.node_process_station[node])
    station = process if process >= 0 else int(toy.network.node_station[node])
    left = np.array([one.servers for one in toy.network.pools])
    for used in (0.96, 0.99, 0.9, 0.97, 0.98):
        assert toy.step(used={station: used}, pool_left=left) == []
    (told,) = toy.step(used={station: 0.99}, pool_left=left)
    assert (told.reason, told.subject) == (Reason.STATION_BUSY, (toy.network.station_name[station],))
    left[pool] = 0
    (told,) = toy.step(used={station: 0.9}, pool_left=left)
    assert (told.reason, told.subject[0]) == (Reason.POOL_EMPTY, toy.network.pools[pool].name)
    assert told.figures["stations"] == 1
    assert toy.step(used={station: 0.5}, pool_left=left) == []
    assert {one.reason for one in toy.step(pool_left=left)} == {Reason.STATION_IDLE}
    assert toy.alerts.active == []


def test_a_step_that_saw_nothing_new_counts_for_nothing():
    toy = Toy([-1], busy_steps=3)
    assert toy.step(used={30: 0.99}) == []
    for _ in range(5):
        assert toy.step(used={30: 0.99}, age_s=(toy.minute * 60) + 1) == []
    assert toy.step(used={30: 0.99}) == []
    assert len(toy.step(used={30: 0.99})) == 1


def test_pairs_without_a_live_way_are_told_first():
    toy = Toy([60.0])
    network, line = toy.network, toy.on_paths()
    centre = int(network.groups[int(toy.paths.source[0])][0])
    down = [int(network.node_station[centre]), int(network.node_process_station[centre])]
    told = toy.step({line: 100.0}, down=down)
    assert told[0].reason is Reason.STATIONS_DOWN
    live = np.ones(network.station_count, dtype=bool)
    live[down] = False
    lost = [
        pair
        for pair in range(toy.paths.pair_count)
        if not any(live[list(one)].all() for one in toy.paths.paths_of(pair))
    ]
    assert told[0].figures == {"pairs": float(len(lost)), "stations": 2.0}
    assert toy.step({line: 100.0}, down=down) == []
    toy.step()
    assert Reason.STATIONS_UP in {one.reason for one in toy.step()}


def test_the_gravest_come_first_and_the_others_later():
    toy = Toy([-1], busy_steps=1, alerts_max=2)
    used = {station: 0.96 + 0.001 * station for station in range(20, 27)}
    seen = []
    for count in (2, 2, 2, 1, 0):
        told = toy.step(used=used)
        assert len(told) == count
        seen += [one.subject[0] for one in told]
    assert seen == [toy.network.station_name[station] for station in sorted(used, reverse=True)]


@pytest.mark.parametrize("seed", range(4))
def test_no_network_and_no_state_is_too_strange(seed):
    """One group, no way, parallel lines, nothing known; and every figure that is told is finite."""
    random = np.random.default_rng(seed)
    network = drawn_network(Random(seed), transit=1 + seed, front_ends=1 + seed, torn=0.3)
    paths = paths_of(network)
    alerts = Alerts(network, paths, leads_of(paths, [1e-6, 1.0]), AlertSetting(busy_steps=1))
    for step in range(1, 6):
        state = drawn_state(random, network, step * MINUTE_NS, down=0.3)
        state = replace(state, observed_ns=np.full(network.station_count, -1), utilisation=state.utilisation * 3)
        waiting = random.integers(0, 9, network.station_count)
        alerts.step(state, drawn_weights(random, paths), waiting=waiting)


def test_wrong_input_is_named():
    toy = Toy([60.0])
    toy.weights = toy.weights[1:]
    with pytest.raises(BadInputError, match="alerts: weights: must be int32 of shape"):
        toy.step()
    few = replace(toy.leads, occurs=toy.leads.occurs[:, 1:])
    with pytest.raises(BadInputError, match="class leads: occurs: must have"):
        Alerts(toy.network, toy.paths, few)
    with pytest.raises(BadInputError, match=r"class leads: lead_ns\[0\]: must be positive"):
        replace(toy.leads, lead_ns=np.zeros(1, dtype=np.int64))
    with pytest.raises(BadInputError, match=r"alerts\.idle"):
        AlertSetting(busy=0.8, idle=0.9)
    with pytest.raises(BadInputError, match=r"alerts\.usual_bytes"):
        RiskSetting(usual_bytes=0.0)
