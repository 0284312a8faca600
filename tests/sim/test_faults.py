"""Faults composed with one another and with other users: against a recomputation from scratch at every instant."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil
from random import Random

import numpy as np
import pytest
from made_networks import drawn_network

from router_core.network import Network
from router_core.units import PS_PER_BYTE_MAX
from sim.data_plane import PlaneCommand, SetStationServers, SetStationService, SetStationUp
from sim.faults import NEVER_NS, Fault, FaultKind, StationFaults


class Stations:
    """What commands have made of the stations."""

    def __init__(self, network: Network) -> None:
        self.fixed_ns = network.station_fixed_ns.copy()
        self.ps_per_byte = network.station_ps_per_byte.copy()
        self.servers = network.station_servers.copy()
        self.up = np.ones(network.station_count, dtype=bool)

    def obey(self, command: PlaneCommand) -> None:
        assert len(np.unique(command.station)) == len(command.station) > 0
        match command:
            case SetStationService():
                self.fixed_ns[command.station] = command.fixed_ns
                self.ps_per_byte[command.station] = command.ps_per_byte
            case SetStationServers():
                assert (command.servers != self.servers[command.station]).all(), "a command that changes nothing"
                self.servers[command.station] = command.servers
            case SetStationUp():
                assert (command.up != self.up[command.station]).all(), "a command that changes nothing"
                self.up[command.station] = command.up


def drawn_faults(random: Random, network: Network, count: int) -> list[Fault]:
    faults = []
    for _ in range(count):
        begin = random.randrange(20)
        kind = random.choice((FaultKind.STOP, FaultKind.SLOW, FaultKind.SERVERS))
        faults.append(
            Fault(
                kind,
                tuple(random.sample(range(network.station_count), random.randint(1, 4))),
                begin,
                random.choice((NEVER_NS, begin + random.randint(1, 10))),
                random.choice((1.0, 1.1, 1.5, 3.0, 1e5)) if kind == FaultKind.SLOW else 1.0,
                random.randint(1, 3),
            )
        )
    return faults


def recomputed(
    network: Network, faults: Sequence[Fault], others_ps: np.ndarray, borrowed: np.ndarray, now: int
) -> Stations:
    """Every station anew from the faults in force now."""
    stations = Stations(network)
    for station in range(network.station_count):
        here = [fault for fault in faults if station in fault.stations and fault.from_ns <= now < fault.until_ns]
        factor = Fraction(1)
        for fault in here:
            if fault.kind == FaultKind.SLOW:
                factor *= Fraction(fault.factor)
        stations.fixed_ns[station] = ceil(int(network.station_fixed_ns[station]) * factor)
        stations.ps_per_byte[station] = min(ceil(int(others_ps[station]) * factor), PS_PER_BYTE_MAX)
        for fault in here:
            if fault.kind == FaultKind.SERVERS:
                stations.servers[station] = min(stations.servers[station], fault.servers)
        stations.servers[station] += borrowed[station]
        stations.up[station] = all(fault.kind != FaultKind.STOP for fault in here)
    return stations


def assert_same(one: Stations, other: Stations) -> None:
    for name in ("fixed_ns", "ps_per_byte", "servers", "up"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


@pytest.mark.parametrize("seed", range(40))
def test_overlapping_faults_and_other_users_compose(seed):
    """And borrowed servers, which no fault strikes."""
    random = Random(seed)
    network = drawn_network(random, transit=3, front_ends=2, extra_lines=1)
    faults = drawn_faults(random, network, random.randint(1, 25))
    composed, stations = StationFaults(network, faults), Stations(network)
    others_ps = network.station_ps_per_byte.copy()
    borrowed = np.zeros(network.station_count, dtype=np.int32)
    at_work = set()
    for now in range(32):
        if random.random() < 0.4:
            borrowed[random.randrange(network.station_count)] = random.randint(0, 3)
            for command in composed.with_borrowed(borrowed):
                stations.obey(command)
        if random.random() < 0.4:
            lines = np.array(random.sample(network.line_station.tolist(), 3), dtype=np.int32)
            others_ps[lines] = [random.randint(1, 10_000) for _ in lines]
            command = SetStationService(lines, network.station_fixed_ns[lines], others_ps[lines])
            stations.obey(composed.left_by_others(command))
        if now in composed.instants:
            commands = composed.step(now)
            at_work |= {type(command) for command in commands}
            for command in commands:
                stations.obey(command)
        truth = recomputed(network, faults, others_ps, borrowed, now)
        assert_same(stations, truth)
        np.testing.assert_array_equal(composed.up, truth.up)
    ends = {at for fault in faults for at in (fault.from_ns, fault.until_ns)} - {NEVER_NS}
    assert composed.instants == tuple(sorted(ends))
    assert at_work or len(faults) < 5


@pytest.mark.parametrize("seed", range(10))
def test_the_order_of_faults_does_not_count(seed):
    random = Random(seed)
    network = drawn_network(random)
    faults = drawn_faults(random, network, 15)
    shuffled = random.sample(faults, len(faults))
    one, other = StationFaults(network, faults), StationFaults(network, shuffled)
    assert one.instants == other.instants
    for now in one.instants:
        a, b = one.step(now), other.step(now)
        assert [type(command) for command in a] == [type(command) for command in b]
        for first, second in zip(a, b, strict=True):
            for name in vars(first):
                np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_after_all_faults_a_station_is_as_before():
    network = drawn_network(Random(3))
    faults = [
        Fault(FaultKind.SLOW, (0, 1), 0, 5, 1.1),
        Fault(FaultKind.SLOW, (0,), 2, 7, 3.0),
        Fault(FaultKind.STOP, (0, 2), 1, 9),
        Fault(FaultKind.SERVERS, tuple(range(network.station_count)), 1, 9, servers=1),
    ]
    composed, stations = StationFaults(network, faults), Stations(network)
    for now in composed.instants:
        for command in composed.step(now):
            stations.obey(command)
    assert_same(stations, Stations(network))


def test_one_stop_after_another_is_one_stop():
    network = drawn_network(Random(3))
    faults = [Fault(FaultKind.STOP, (0,), 0, 5), Fault(FaultKind.STOP, (0,), 5, 9), Fault(FaultKind.STOP, (0,), 3, 6)]
    composed = StationFaults(network, faults)
    told = {now: [bool(command.up[0]) for command in composed.step(now)] for now in composed.instants}
    assert told == {0: [False], 3: [], 5: [], 6: [], 9: [True]}
