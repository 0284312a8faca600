"""NiFi's files: whole to whoever reads them at any time, the ways of the moment, never empty."""

from __future__ import annotations

import csv
import threading
from io import StringIO

import numpy as np
from feed_agent import NOW_NS, FakeServer, agent, bundle, content, rounds, some_scope
from learnt_toy import learnt, toy

from feed.agent.nifi_file import NifiFile
from feed.bundle.nifi import nifi_csv
from feed.clock import SetClock
from router_core.units import HOUR_NS, MINUTE_NS, SECOND_NS


def moved() -> dict[tuple[int, int], tuple[int, ...]]:
    """Each pair of the scope's group goes its least way."""
    network, paths = toy().network, learnt().plan.paths
    own = int(network.node_group[network.node_index[some_scope()]])
    away = {}
    for pair in np.flatnonzero(paths.source == own).tolist():
        weights = learnt().plan.weights[10, paths.pair_start[pair] : paths.pair_start[pair + 1]]
        if len(weights):
            away[own, int(paths.target[pair])] = tuple(int(way == weights.argmin()) for way in range(len(weights)))
    return away


def test_the_file_is_that_of_the_bundle_and_follows_slot_and_layer(tmp_path):
    server, clock, path = FakeServer(), SetClock(NOW_NS), tmp_path / "nifi" / "routes.csv"
    one = agent(tmp_path, server, clock, nifi=NifiFile(path))
    one.step()
    assert not path.exists()
    whole = bundle(1, of=content(moved()))
    server.publish(whole)
    clock.advance(3 * SECOND_NS)
    one.step()
    policy = one.in_force.checked.policy
    parsed, group = policy.parsed, policy.group
    dynamic = path.read_bytes()
    assert dynamic == parsed.nifi[group] == nifi_csv(toy().network, parsed, group, 10)
    assert path.with_name("names.csv").read_bytes() == whole.files["nifi/names.csv"]
    server.away = True
    clock.advance(20 * MINUTE_NS)
    one.step()
    assert path.read_bytes() == nifi_csv(toy().network, parsed, group, 10, dynamic=False) != dynamic
    clock.advance(4 * HOUR_NS)
    one.step()
    assert path.read_bytes() == nifi_csv(toy().network, parsed, group, 14, dynamic=False)
    assert path.stat().st_mode & 0o777 == 0o644


def test_local_alternates_take_the_weight_of_what_is_down(tmp_path):
    server, clock, path = FakeServer(), SetClock(NOW_NS), tmp_path / "routes.csv"
    server.publish(bundle(1))
    one = agent(tmp_path, server, clock, nifi=NifiFile(path))
    one.step()
    before = path.read_text()
    network = toy().network
    policy = one.in_force.checked.policy
    used = one.in_force.live.choice_from(policy.node, policy.targets[-1]).trunks[0]
    inner = used.stations[len(used.stations) // 2]
    server.down = frozenset({network.station_name[inner]})
    clock.advance(20 * SECOND_NS)
    one.step()
    after = path.read_text()
    assert after != before
    rows = list(csv.reader(StringIO(after)))[1:]
    assert [row[0] for row in rows] == [row[0] for row in list(csv.reader(StringIO(before)))[1:]]
    for _, value in rows:
        assert sum(int(way.split(":")[0]) for way in value.split(";")) == 65_536
    server.down = frozenset()
    clock.advance(20 * SECOND_NS)
    one.step()
    assert path.read_text() == before


def test_a_reader_at_any_time_sees_a_whole_file(tmp_path):
    server, clock, path = FakeServer(), SetClock(NOW_NS), tmp_path / "routes.csv"
    server.publish(bundle(1))
    one = agent(tmp_path, server, clock, nifi=NifiFile(path))
    one.step()
    stop, seen, wrong = threading.Event(), set(), []
    lines = path.read_bytes().count(b"\n")

    def read() -> None:
        while not stop.is_set():
            data = path.read_bytes()
            seen.add(data)
            if data.count(b"\n") != lines or not data.startswith(b"key,value\n") or not data.endswith(b"\n"):
                wrong.append(data)

    reader = threading.Thread(target=read)
    reader.start()
    for epoch in range(2, 40):
        server.publish(bundle(epoch, of=content(moved() if epoch % 2 else None)))
        rounds(one, clock, 1)
    stop.set()
    reader.join()
    assert not wrong
    assert len(seen) > 1
