"""An agent's rounds: policies applied and told, kept and pinned; the server's absence; trust that never goes back."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from feed_agent import (
    HARD,
    NOW,
    NOW_NS,
    FakeServer,
    agent,
    bundle,
    content,
    rounds,
    signers,
    some_scope,
    trust,
    trust_file,
)
from learnt_toy import learnt, toy

from feed.agent.agent import AgentSetting
from feed.agent.alarms import Alarm, read_alarms
from feed.agent.expiry import Layer
from feed.agent.link import Unavailable
from feed.agent.state import KEPT, AgentState
from feed.bundle.delta import diff
from feed.bundle.manifest import etag_of
from feed.bundle.package import package
from feed.clock import SetClock
from feed.signing import dsse
from feed.signing.trust import TRUST_TYPE, new_trust, trust_json
from router_core.errors import BadInputError
from router_core.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS


def away_of(scope: str) -> dict[tuple[int, int], tuple[int, ...]]:
    """Another way than planned for one pair of the scope's group."""
    network, paths = toy().network, learnt().plan.paths
    own = int(network.node_group[network.node_index[scope]])
    for pair, source in enumerate(paths.source.tolist()):
        ways = int(paths.pair_start[pair + 1] - paths.pair_start[pair])
        if source == own and ways > 1:
            weights = learnt().plan.weights[10, paths.pair_start[pair] : paths.pair_start[pair + 1]]
            return {(own, int(paths.target[pair])): tuple(int(way == weights.argmin()) for way in range(ways))}
    raise AssertionError("the scope has a choice")


def test_a_policy_is_applied_and_told_once(tmp_path):
    server, clock = FakeServer(), SetClock(NOW_NS)
    one = agent(tmp_path, server, clock)
    one.step()
    assert one.in_force is None
    assert Alarm.NO_POLICY in one.alarms.on
    etag = server.publish(bundle(3))
    clock.advance(5 * SECOND_NS)
    rounds(one, clock, 4)
    assert one.in_force.checked.etag == etag
    assert [(told["result"], told["epoch"], told["etag"]) for told in server.told] == [("ack", 3, etag)]
    assert not one.alarms.on
    assert read_alarms(tmp_path / "state") == []


def test_reports_wait_for_the_server_and_come_at_least_once(tmp_path):
    server, clock = FakeServer(), SetClock(NOW_NS)
    server.publish(bundle(1))
    one = agent(tmp_path, server, clock)
    taken, server.report = server.report, lambda status: Unavailable("busy")
    rounds(one, clock, 2)
    assert one.in_force is not None
    again = agent(tmp_path, server, clock)
    server.report = taken
    clock.advance(HOUR_NS)
    rounds(again, clock, 2)
    assert [told["epoch"] for told in server.told] == [1]


def test_a_delta_is_applied_and_a_strange_one_makes_the_agent_ask_for_the_whole(tmp_path):
    server, clock = FakeServer(), SetClock(NOW_NS)
    first, second = bundle(1), bundle(2, of=content(away_of(some_scope())))
    server.publish(first)
    one = agent(tmp_path, server, clock)
    rounds(one, clock, 1)
    scope = some_scope()
    server.data, server.kind = diff(package(first, scope), package(second, scope)), "delta"
    server.etag = etag_of(second)
    rounds(one, clock, 1)
    assert one.in_force.checked.etag == server.etag
    assert one.in_force.checked.bundle.files == package(second, scope).files
    bases = []
    whole = server.fetch
    server.data, server.etag = b"strange", "3-0000000000000000"
    server.fetch = lambda scope, etag, base, wait_s: (bases.append(base), whole(scope, etag, base, wait_s))[1]
    rounds(one, clock, 1)
    server.publish(bundle(3))
    rounds(one, clock, 1)
    assert bases == [etag_of(second), None]
    assert one.in_force.checked.etag == server.etag
    assert [told["result"] for told in server.told] == ["ack"] * 3


@pytest.mark.parametrize(
    ("passed", "layer"),
    [
        (timedelta(0), Layer.DYNAMIC),
        (timedelta(minutes=15) - timedelta(microseconds=1), Layer.DYNAMIC),
        (timedelta(minutes=15), Layer.STATIC),
        (HARD - timedelta(microseconds=1), Layer.STATIC),
        (HARD, Layer.LAPSED),
        (timedelta(days=14), Layer.LAPSED),
        (timedelta(days=400), Layer.LAPSED),
    ],
)
@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
def test_the_servers_absence(tmp_path, passed, layer, restarted):
    """Fifteen minutes: the static layer. Fourteen days: still routing, and alarmed."""
    scope, server, clock = some_scope(), FakeServer(), SetClock(NOW_NS)
    away = away_of(scope)
    ((own, target),) = away
    server.publish(bundle(1, of=content(away)))
    one = agent(tmp_path, server, clock)
    rounds(one, clock, 1, 0.0)
    assert one.in_force.live.choice(own, target).weights == away[own, target]
    server.away = True
    clock.advance(round(passed.total_seconds() * 10**6) * 1_000)
    if restarted:
        one = agent(tmp_path, server, clock)
    rounds(one, clock, 1, 0.0)
    held = one.in_force
    assert held.layer == layer
    policy = held.checked.policy
    planned = policy.choice(target, policy.slot_at(clock.now_ns()), dynamic=False)
    wanted = away[own, target] if layer == Layer.DYNAMIC else planned.weights
    assert held.live.choice(own, target).weights == wanted
    assert all(held.live.choice(own, other) is not None for other in policy.targets)
    assert (Alarm.LAPSED in one.alarms.on) == (layer == Layer.LAPSED)
    if passed > timedelta(minutes=5) and not restarted:
        assert Alarm.SERVER_AWAY in one.alarms.on
    # A clock that runs back brings nothing back, not even by a restart.
    clock.set(NOW_NS)
    rounds(one, clock, 1, 0.0)
    assert one.in_force.layer == layer
    assert agent(tmp_path, server, clock).in_force.layer == layer
    # A new epoch starts afresh.
    server.away = False
    server.publish(bundle(2, of=content(away)))
    clock.set(NOW_NS + 10 * MINUTE_NS)
    for _ in range(3):
        one.step()
        clock.advance(10 * SECOND_NS)
    assert one.in_force.checked.bundle.manifest.epoch == 2
    assert one.in_force.layer == Layer.DYNAMIC
    assert Alarm.LAPSED not in one.alarms.on


def test_slots_change_by_the_clock_without_the_server(tmp_path):
    server, clock = FakeServer(), SetClock(NOW_NS)
    server.publish(bundle(1))
    one = agent(tmp_path, server, clock)
    rounds(one, clock, 1)
    server.away = True
    slots = []
    for _ in range(30):
        clock.advance(HOUR_NS)
        one.step()
        slots.append(one.in_force.slot)
    assert slots[:5] == [11, 12, 13, 14, 15]
    assert one.step() <= HOUR_NS


def test_what_takes_its_time_does_not_let_an_agent_sleep_into_the_next_slot(tmp_path):
    """The time that telling the server takes is no longer there to be slept."""

    class SlowToHear(FakeServer):
        def report(self, *words):
            clock.advance(20 * SECOND_NS)
            return super().report(*words)

    clock = SetClock(NOW_NS)
    server = SlowToHear()
    one = agent(tmp_path, server, clock, setting=AgentSetting(stations_ns=HOUR_NS, poll_ns=HOUR_NS))
    server.publish(bundle(1))
    clock.advance(HOUR_NS - NOW_NS % HOUR_NS - 30 * SECOND_NS)
    pause_ns = one.step()
    assert server.told, "that the policy was applied"
    assert clock.now_ns() + pause_ns == NOW_NS - NOW_NS % HOUR_NS + HOUR_NS
    server.publish(bundle(2))
    clock.set(NOW_NS - NOW_NS % HOUR_NS + 2 * HOUR_NS - 10 * SECOND_NS)
    assert one.step() == 0, "the slot began meanwhile"


def test_five_last_good_ones_are_kept(tmp_path):
    server, clock = FakeServer(), SetClock(NOW_NS)
    one, given = agent(tmp_path, server, clock), {}
    for epoch in range(1, 9):
        server.publish(bundle(epoch))
        given[epoch] = server.data
        rounds(one, clock, 1)
    state = AgentState(tmp_path / "state")
    assert [kept.epoch for kept in state.kept()] == [8, 7, 6, 5, 4]
    assert len(list((tmp_path / "state" / "bundles").iterdir())) == 5
    for kept in state.kept():
        assert state.package(kept) == given[kept.epoch]


def test_pins_hold_and_let_go(tmp_path):
    server, clock = FakeServer(), SetClock(NOW_NS)
    one = agent(tmp_path, server, clock)
    for epoch in (1, 2, 3):
        server.publish(bundle(epoch))
        rounds(one, clock, 1)
    state = AgentState(tmp_path / "state")
    with pytest.raises(BadInputError, match="kept"):
        state.pin(9)
    state.pin(2)
    server.publish(bundle(4))
    rounds(one, clock, 2)
    assert one.in_force.checked.bundle.manifest.epoch == 2
    assert Alarm.PINNED in one.alarms.on
    refused = [told for told in server.told if told["result"] == "nack"]
    assert [(told["epoch"], told["refusal"]) for told in refused] == [(4, "pinned")]
    assert agent(tmp_path, server, clock).in_force.checked.bundle.manifest.epoch == 2
    state.unpin()
    one.step()
    assert Alarm.PINNED not in one.alarms.on
    clock.advance(HOUR_NS)
    rounds(one, clock, 2)
    assert one.in_force.checked.bundle.manifest.epoch == 4
    assert not one.alarms.on


def test_a_failed_probe_leaves_the_last_good_policy_and_is_told(tmp_path):
    class Probe:
        answer: str | None = None

        def probe(self, policy, live):
            return self.answer

    server, clock, probe = FakeServer(), SetClock(NOW_NS), Probe()
    first = server.publish(bundle(1))
    one = agent(tmp_path, server, clock, probe=probe)
    rounds(one, clock, 1)
    probe.answer = "home 1: no echo"
    server.publish(bundle(2))
    rounds(one, clock, 5)
    assert one.in_force.checked.etag == first
    assert AgentState(tmp_path / "state").seen.epoch == 1
    assert [told["result"] for told in server.told] == ["ack", "nack"]
    assert (server.told[1]["refusal"], server.told[1]["detail"]) == ("probe-failed", "home 1: no echo")
    probe.answer = None
    clock.advance(HOUR_NS)
    rounds(one, clock, 2)
    assert one.in_force.checked.bundle.manifest.epoch == 2
    assert server.told[-1]["result"] == "ack"


def test_a_damaged_package_gives_way_to_an_older_one_until_it_is_fetched_again(tmp_path):
    server, clock = FakeServer(), SetClock(NOW_NS)
    one = agent(tmp_path, server, clock)
    for epoch in (1, 2):
        server.publish(bundle(epoch))
        rounds(one, clock, 1)
    path = tmp_path / "state" / "bundles" / f"{server.etag}.bundle"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    server.away = True
    one = agent(tmp_path, server, clock)
    one.step()
    assert one.in_force.checked.bundle.manifest.epoch == 1
    assert Alarm.DAMAGED in one.alarms.on
    server.away = False
    clock.advance(HOUR_NS)
    rounds(one, clock, 2)
    assert one.in_force.checked.bundle.manifest.epoch == 2
    assert path.read_bytes() == server.data
    assert not one.alarms.on


def test_a_full_disk_changes_nothing_and_heals(tmp_path, monkeypatch):
    server, clock = FakeServer(), SetClock(NOW_NS)
    first = server.publish(bundle(1))
    one = agent(tmp_path, server, clock)
    rounds(one, clock, 1)
    server.publish(bundle(2))
    with monkeypatch.context() as patch:
        patch.setattr("feed.disk.write_durably", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
        rounds(one, clock, 2)
        assert one.in_force.checked.etag == first
        assert Alarm.DISK in one.alarms.on
    rounds(one, clock, 2)
    assert one.in_force.checked.bundle.manifest.epoch == 2
    assert Alarm.DISK not in one.alarms.on


def test_what_cannot_be_tidied_away_takes_no_policy_back(tmp_path, monkeypatch):
    server, clock = FakeServer(), SetClock(NOW_NS)
    one = agent(tmp_path, server, clock)
    bundles = tmp_path / "state" / "bundles"

    def fails(self, path):
        raise OSError(5, "Input/output error", str(path))

    with monkeypatch.context() as patch:
        patch.setattr("feed.disk.SystemDisk.remove", fails)
        for epoch in range(1, KEPT + 3):
            etag = server.publish(bundle(epoch))
            rounds(one, clock, 1)
            assert one.in_force.checked.etag == etag
            assert AgentState(tmp_path / "state", read_only=True).active().etag == etag
    assert len(list(bundles.iterdir())) == KEPT + 2
    server.publish(bundle(KEPT + 3))
    rounds(one, clock, 1)
    assert len(list(bundles.iterdir())) == KEPT


def test_stations_that_are_down_are_left_out_and_forgotten_in_time(tmp_path):
    server, clock = FakeServer(), SetClock(NOW_NS)
    server.publish(bundle(1))
    one = agent(tmp_path, server, clock)
    rounds(one, clock, 1)
    policy = one.in_force.checked.policy
    ((own, target),) = away_of(some_scope())
    before = one.in_force.live.choice(own, target)
    used = next(trunk for trunk, weight in zip(before.trunks, before.weights, strict=True) if weight)
    others = {station for trunk in before.trunks if trunk != used for station in trunk.stations}
    dead = next(station for station in used.stations if station not in others)
    server.down = frozenset({policy.network.station_name[dead], "a station of another province"})
    clock.advance(10 * SECOND_NS)
    one.step()
    assert all(dead not in trunk.stations for trunk in one.in_force.live.choice(own, target).trunks)
    server.away = True
    clock.advance(20 * MINUTE_NS)
    one.step()
    assert one.in_force.live.choice(own, target).trunks == before.trunks


def test_a_server_that_is_away_is_asked_ever_less(tmp_path):
    server, clock = FakeServer(), SetClock(NOW_NS)
    server.publish(bundle(1))
    setting = AgentSetting()
    one = agent(tmp_path, server, clock, setting=setting)
    rounds(one, clock, 1)
    server.away, server.asked = True, 0
    until_ns, pauses = clock.now_ns() + DAY_NS, []
    while clock.now_ns() < until_ns:
        pause_ns = one.step()
        assert pause_ns > 0
        pauses.append(pause_ns)
        clock.advance(pause_ns)
    assert DAY_NS // (setting.backoff_ns_max * 3 // 2) <= server.asked <= DAY_NS // setting.backoff_ns_max + 20


def test_trust_goes_forward_by_signed_steps_and_never_back(tmp_path):
    server, clock = FakeServer(), SetClock(NOW_NS)
    one_key, two, _ = signers()
    installed = trust_file(tmp_path)
    one = agent(tmp_path, server, clock)
    new = new_trust(trust().keys, 1, version=2)
    for document in (trust_json(new), trust_json(new_trust(trust().keys, 1, version=1))):
        installed.write_bytes(document)
        one.step()
        assert Alarm.TRUST in one.alarms.on
    server.publish(bundle(1, by=(one_key,)))
    rounds(one, clock, 2)
    assert one.in_force is None
    installed.write_bytes(trust_json(new))
    envelope = dsse.sign(trust_json(new), TRUST_TYPE, (one_key, two))
    beside = tmp_path / f"{installed.name}.envelope.json"
    beside.write_bytes(envelope)
    beside.chmod(0o600)
    installed.touch()
    clock.advance(HOUR_NS // 10)
    rounds(one, clock, 2)
    assert Alarm.TRUST not in one.alarms.on
    assert one.in_force.checked.bundle.manifest.epoch == 1
    trust_file(tmp_path)
    again = agent(tmp_path, server, clock)
    again.step()
    assert Alarm.TRUST in again.alarms.on
    assert json.loads((tmp_path / "state" / "trust.json").read_bytes())["version"] == 2


def test_the_policy_stays_when_the_new_one_is_expired_by_a_wrong_clock(tmp_path):
    server, clock = FakeServer(), SetClock(NOW_NS)
    server.publish(bundle(1))
    one = agent(tmp_path, server, clock)
    rounds(one, clock, 1)
    clock.advance(30 * DAY_NS)  # the clock leaps, and comes back
    server.publish(bundle(2))
    one.step()
    assert one.in_force.checked.bundle.manifest.epoch == 1
    clock.set(NOW_NS + MINUTE_NS)
    rounds(one, clock, 2)
    assert one.in_force.checked.bundle.manifest.epoch == 2
    assert one.in_force.layer == Layer.DYNAMIC
    assert NOW.year == 2026
