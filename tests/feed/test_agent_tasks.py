"""Tasks: accepted = delivered + under way + held + refused; nothing twice; held, routed and tried again as it must."""

from __future__ import annotations

import errno
import json
import os
from datetime import timedelta

import numpy as np
import pytest
from feed_agent import NOW, NOW_NS, FakeServer, agent, bundle, content, rounds, some_scope
from feed_tasks import ScriptedCarrier, document, given_task, permitted, task_desk
from learnt_toy import toy

from feed.agent.alarms import Alarm
from feed.agent.carriers import Delivered, Settled, UnderWay
from feed.agent.desk import HELD, UNDER_WAY
from feed.agent.nifi_handoff import NifiHandoff
from feed.agent.state import AgentState
from feed.agent.tasks import TASK_BYTES_MAX
from feed.clock import SetClock
from feed.disk import SYSTEM_DISK, SystemDisk
from router_core.errors import BadInputError
from router_core.plan import route
from router_core.randomness import stream
from router_core.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

TASKS = 12


def ready(folder, carrier, of=None, disk=SYSTEM_DISK, **more):
    """An agent with a policy in force, and its desk."""
    server, clock = FakeServer(), SetClock(NOW_NS)
    server.publish(bundle(1, of=of))
    desk = task_desk(folder, carrier, disk=disk)
    one = agent(folder, server, clock, desk=desk, **more)
    rounds(one, clock, 1)
    return one, desk, server, clock


def refused(folder):
    return sorted((folder / "tasks" / "refused").glob("*.reason.json"))


def test_tasks_are_delivered_over_the_ways_of_the_policy(tmp_path):
    carrier = ScriptedCarrier()
    one, desk, _, clock = ready(tmp_path, carrier)
    for number in range(TASKS):
        given_task(tmp_path, f"t{number}", b"x" * number)
    rounds(one, clock, 2)
    clock.advance(DAY_NS)
    rounds(one, clock, 2)
    assert desk.counts() == {"held": 0, "under-way": 0, "delivered": TASKS, "refused": 0}
    network, policy = toy().network, one.in_force.checked.policy
    for order in carrier.orders:
        target = network.node_index[order.attributes["target"]]
        # Released an hour or a day later, a task goes by the slot of its release.
        ways = {
            route(network, policy.node, target, trunk)
            for slot in range(24)
            for trunk in policy.choice(int(network.node_group[target]), slot, dynamic=True).trunks
        }
        assert order.stations in ways
        assert order.attributes["route"][0] == some_scope()
        assert order.attributes["route"][-1] == order.attributes["target"]
        assert order.attributes["class"]
    assert not list((tmp_path / "tasks" / "in").iterdir())
    assert not list((tmp_path / "tasks" / "held").iterdir())


def test_a_task_is_held_as_the_policy_says(tmp_path):
    network = toy().network
    own = int(network.node_group[network.node_index[some_scope()]])
    holds = {(own, group): (2 * HOUR_NS, 3 * HOUR_NS) for group in range(len(network.groups))}
    carrier = ScriptedCarrier()
    one, desk, _, clock = ready(tmp_path, carrier, of=content(holds=holds))
    for number, mode in enumerate(["docking", "front_end", "query", "batch"] * 3):
        given_task(tmp_path, f"t{number}", mode=mode, kind="sync", priority=7)
    one.step()
    sent = {order.task for order in carrier.orders}
    held = {row[0]: row[1] for row in desk._state.rows("SELECT id, due_ns FROM tasks WHERE state = ?", (HELD,))}
    assert held
    assert len(sent) + len(held) == 12
    accepted_ns = clock.now_ns()
    policy, slot = one.in_force.checked.policy, one.in_force.slot
    for row in desk._state.rows("SELECT document, exchange, payload_bytes, due_ns FROM tasks"):
        task = desk._reader.known(row[0].encode())
        wanted = policy.handling(slot, True).handle(task.as_exchange(policy.node, accepted_ns, row[2]), row[1])
        assert row[3] == accepted_ns + int(wanted.hold_ns[0])
    last_ns = max(held.values())
    clock.set(last_ns - 1)
    one.step()
    assert desk.counts()["held"] >= 1
    assert one.step() <= SECOND_NS
    clock.set(last_ns)
    one.step()
    assert desk.counts()["held"] == 0


def _wrong_documents():
    late = (NOW + timedelta(hours=1)).isoformat()
    unshared = next(
        name for name in toy().catalogue.resource_name if not any(resource == name for resource, _ in permitted())
    )
    return {
        "target": {"target": "nowhere"},
        "centre": {"target": toy().network.node_name[_first_centre()]},
        "resource": {"resource": "unheard of"},
        "sharing": {"resource": unshared},
        "itself": {"target": some_scope()},
        "mode": {"mode": "pigeon"},
        "kind": {"kind": 1},
        "priority": {"priority": 8},
        "priority-text": {"priority": "3"},
        "deadline": {"deadline": late.replace("+00:00", "")},
        "extra": {"colour": "red"},
        "id": {"id": "../t"},
        "payload-path": {"payload": "../t.bin"},
        "payload-json": {"payload": "other.json"},
        "payload-gone": {"payload": "gone.bin"},
    }


def _first_centre():
    return int(np.flatnonzero(~toy().network.is_endpoint)[0])


@pytest.mark.parametrize("wrong", list(_wrong_documents()))
def test_wrong_tasks_are_refused_beside_with_their_reason(tmp_path, wrong):
    one, desk, _, clock = ready(tmp_path, ScriptedCarrier())
    folder = tmp_path / "tasks"
    fields = _wrong_documents()[wrong]
    (folder / "in" / "t.bin").write_bytes(b"payload")
    (folder / "in" / "t.json").write_text(json.dumps(document("t") | fields))
    rounds(one, clock, 2)
    assert sum(desk.counts().values()) == 0
    (reason,) = refused(tmp_path)
    assert json.loads(reason.read_bytes())["reason"].startswith("task")
    assert (folder / "refused" / "t.json").exists()
    assert not list((folder / "in").glob("*.json"))


@pytest.mark.parametrize("shape", ["garbage", "huge", "link", "folder", "pipe", "payload-link"])
def test_strange_files_are_refused(tmp_path, shape):
    one, desk, _, clock = ready(tmp_path, ScriptedCarrier())
    into = tmp_path / "tasks" / "in"
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps(document("t")))
    (into / "t.bin").write_bytes(b"x")
    match shape:
        case "garbage":
            (into / "t.json").write_bytes(b"\xff{")
        case "huge":
            (into / "t.json").write_bytes(b" " * (TASK_BYTES_MAX + 1))
        case "link":
            (into / "t.json").symlink_to(secret)
        case "folder":
            (into / "t.json").mkdir()
        case "pipe":
            os.mkfifo(into / "t.json")
        case "payload-link":
            (into / "t.bin").unlink()
            (into / "t.bin").symlink_to(secret)
            (into / "t.json").write_text(json.dumps(document("t")))
    rounds(one, clock, 2)
    assert sum(desk.counts().values()) == 0
    assert len(refused(tmp_path)) == 1
    assert not list(into.glob("*.json"))


def test_a_task_given_again_is_carried_out_once(tmp_path):
    carrier = ScriptedCarrier()
    one, desk, _, clock = ready(tmp_path, carrier)
    for _ in range(3):
        given_task(tmp_path, "t", mode="query", priority=0)
        rounds(one, clock, 2)
    assert len(carrier.orders) == 1
    assert desk.counts()["delivered"] == 1
    assert not list((tmp_path / "tasks" / "in").iterdir()), "what came with it is not left to fill the disk"
    given_task(tmp_path, "t", mode="query", priority=1)
    rounds(one, clock, 2)
    assert len(carrier.orders) == 1
    assert len(refused(tmp_path)) == 1


def test_a_payload_of_another_length_beside_a_task_given_again_is_left_alone(tmp_path):
    one, _, _, clock = ready(tmp_path, ScriptedCarrier())
    given_task(tmp_path, "t", mode="query", priority=0)
    rounds(one, clock, 2)
    given_task(tmp_path, "t", b"what the next task is to send", mode="query", priority=0)
    rounds(one, clock, 2)
    assert [path.name for path in (tmp_path / "tasks" / "in").iterdir()] == ["t.bin"]


def test_no_task_is_accepted_before_the_first_policy(tmp_path):
    carrier, server, clock = ScriptedCarrier(), FakeServer(), SetClock(NOW_NS)
    desk = task_desk(tmp_path, carrier)
    one = agent(tmp_path, server, clock, desk=desk)
    path = given_task(tmp_path, "t", mode="query")
    rounds(one, clock, 3)
    assert path.exists()
    assert not carrier.orders
    server.publish(bundle(1))
    rounds(one, clock, 3)
    assert len(carrier.orders) == 1


def test_failures_go_on_over_other_ways_after_a_pause_until_it_is_given_up(tmp_path):
    carrier = ScriptedCarrier()
    one, desk, _, clock = ready(tmp_path, carrier)
    network, transport = toy().network, toy().transport
    given_task(tmp_path, "t", mode="query", priority=0)
    one.step()
    first = carrier.orders[0]
    dead = next(s for s in first.stations[2:-2] if s not in set(first.stations[:2]) | set(first.stations[-2:]))
    # From now on every attempt fails; the first one at a station of its way.
    carrier.orders.clear()
    carrier.answers["u"] = UnderWay()
    given_task(
        tmp_path,
        "u",
        mode="query",
        priority=0,
        target=first.attributes["target"],
        resource=first.attributes["resource"],
    )
    one.step()
    assert desk.counts()[UNDER_WAY] == 1
    station = next((s for s in carrier.orders[0].stations[2:-2]), dead)
    carrier.fail("u", station)
    carrier.told = [Settled("u", 0, carrier.answers["u"])]
    one.step()
    assert desk.counts()["held"] == 1
    assert station in desk.suspects
    clock.advance(transport.backoff(1) - 1)
    one.step()
    assert len(carrier.orders) == 1
    clock.advance(1)
    one.step()
    assert len(carrier.orders) == 2
    others = one.in_force.live.between(one.in_force.checked.policy.node, network.node_index[first.attributes["target"]])
    if any(station not in trunk.stations for trunk in others.trunks):
        assert station not in carrier.orders[1].stations
    attempts = 0
    while desk.counts()["refused"] == 0:
        clock.advance(transport.backoff_ns_max)
        one.step()
        attempts += 1
        assert attempts <= transport.retries_max
    assert len(carrier.orders) == transport.retries_max + 1
    assert [order.attempt for order in carrier.orders] == list(range(transport.retries_max + 1))
    assert (tmp_path / "tasks" / "refused" / "u.given-up.payload").read_bytes() == b"payload"
    assert desk.counts() == {"held": 0, "under-way": 0, "delivered": 1, "refused": 1}


def test_what_was_accepted_is_told_window_by_window(tmp_path):
    one, _, server, clock = ready(tmp_path, ScriptedCarrier())
    for number in range(TASKS):
        given_task(tmp_path, f"t{number}", b"x" * (number + 1))
        one.step()
        clock.advance(20 * SECOND_NS)
    server.away = True
    clock.advance(2 * MINUTE_NS)
    one.step()
    server.away = False
    clock.advance(MINUTE_NS)
    for _ in range(5):
        clock.advance(30 * SECOND_NS)
        one.step()
    rows = [row for window in server.windows for row in window["accepted"]["tasks"]]
    assert sum(row["exchanges"] for row in rows) == TASKS
    assert sum(row["payload_bytes"] for row in rows) == TASKS * (TASKS + 1) // 2
    ends = [window["observed"] for window in server.windows]
    assert ends == sorted(set(ends))
    assert all(window["accepted"]["source"] == some_scope() for window in server.windows)
    from feed.server.reports import TelemetryBatch  # noqa: PLC0415

    for window in server.windows:
        TelemetryBatch.model_validate_json(json.dumps(window))


def test_reports_are_what_the_server_reads(tmp_path):
    from feed.server.reports import StatusReport  # noqa: PLC0415

    _, _, server, _ = ready(tmp_path, ScriptedCarrier())
    for status in server.told:
        StatusReport.model_validate_json(json.dumps(status))
    assert server.told


class Crash(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("seed", range(4))
def test_the_law_holds_through_crashes_at_every_step_to_the_disk(tmp_path, seed, monkeypatch):
    """Die at a drawn one of the acts that last, over and over, until all is done: no task is lost, none goes twice."""
    draw = stream(seed, "crashes")
    deaths = {"left": 0}
    for name in ("os.replace", "os.rename", "feed.agent.desk.Desk._clear", "feed.agent.state._put"):
        _dying(monkeypatch, name, deaths)
    handed: dict[str, list[int]] = {}
    server, clock = FakeServer(), SetClock(NOW_NS)
    server.publish(bundle(1))
    for number in range(TASKS):
        given_task(tmp_path, f"t{number}", mode="query", priority=0)
    crashes = 0
    for turn in range(400):
        deaths["left"] = int(draw.integers(1, 12)) if turn < 60 else 10**9
        try:
            desk = task_desk(tmp_path, NifiHandoff(tmp_path / "nifi", toy().network))
            one = agent(tmp_path, server, clock, desk=desk)
            one.step()
        except Crash:
            crashes += 1
        deaths["left"] = 10**9
        _nifi_works(tmp_path / "nifi", handed, draw)
        clock.advance(30 * SECOND_NS)
        if turn >= 60 and desk.counts()["delivered"] == TASKS:
            break
    assert crashes > 20
    assert desk.counts() == {"held": 0, "under-way": 0, "delivered": TASKS, "refused": 0}
    for task, attempts in handed.items():
        assert attempts == list(range(len(attempts))), f"{task} was handed over {attempts}"
    assert len(handed) == TASKS
    assert not list((tmp_path / "tasks" / "held").iterdir())


def _dying(monkeypatch, name, deaths):
    import importlib  # noqa: PLC0415

    module, _, attribute = name.rpartition(".")
    try:
        owner = importlib.import_module(module)
    except ModuleNotFoundError:
        outer, _, inner = module.rpartition(".")
        owner = getattr(importlib.import_module(outer), inner)
    real = getattr(owner, attribute)

    def act(*args, **more):
        deaths["left"] -= 1
        if deaths["left"] == 0:
            raise Crash
        found = real(*args, **more)
        deaths["left"] -= 1
        if deaths["left"] == 0:
            raise Crash
        return found

    monkeypatch.setattr(owner, attribute, act)


def _nifi_works(folder, handed, draw):
    """Take what lies in ``in/``, and tell what became of it: one in three fails."""
    if not (folder / "in").exists():
        return
    for path in sorted((folder / "in").glob("[!.]*.json")):
        order = json.loads(path.read_bytes())
        assert (folder / "in" / order["payload"]).read_bytes() == b"payload"
        handed.setdefault(order["task"], []).append(order["attempt"])
        (folder / "in" / order["payload"]).unlink()
        path.unlink()
        result = "failed" if draw.random() < 0.3 else "delivered"
        told = folder / "outcome" / path.name
        draft = told.with_name(f".{told.name}")
        draft.write_text(json.dumps({"task": order["task"], "attempt": order["attempt"], "result": result}))
        draft.rename(told)


def test_strange_outcomes_are_put_aside_and_alarm(tmp_path):
    carrier = NifiHandoff(tmp_path / "nifi", toy().network)
    told = tmp_path / "nifi" / "outcome"
    (told / "a.0.json").write_text("nonsense")
    (told / "b.0.json").write_text(json.dumps({"task": "c", "attempt": 0, "result": "delivered"}))
    (told / "d.1.json").write_text(json.dumps({"task": "d", "attempt": 1, "result": "delivered"}))
    assert carrier.outcomes() == [Settled("d", 1, Delivered())]
    assert carrier.strange == 2


def test_the_reader_names_place_and_rule(tmp_path):
    desk = task_desk(tmp_path)
    with pytest.raises(BadInputError, match=r"task\.priority"):
        desk._reader.read(json.dumps(document("t", priority=99)).encode())
    assert AgentState(tmp_path / "state").active() is None


class _SickDisk(SystemDisk):
    """Opens nothing while it is sick."""

    sick = False

    def opened(self, path):
        if self.sick:
            raise OSError(errno.EIO, "Input/output error", str(path))
        return super().opened(path)


def test_a_disk_that_fails_for_a_while_refuses_no_task_and_loses_no_outcome(tmp_path):
    disk = _SickDisk()
    carrier = NifiHandoff(tmp_path / "nifi", toy().network, disk)
    one, desk, _, clock = ready(tmp_path, carrier, disk=disk)
    given_task(tmp_path, "t", mode="query", priority=0)
    for sick in (True, False):
        disk.sick = sick
        rounds(one, clock, 3)
        assert (Alarm.DISK in one.alarms.on) == sick
        assert desk.counts()["under-way"] == (not sick)
    told = {"task": "t", "attempt": 0, "result": "delivered"}
    (tmp_path / "nifi" / "outcome" / "t.0.json").write_text(json.dumps(told))
    for sick in (True, False):
        disk.sick = sick
        rounds(one, clock, 3)
        assert desk.counts()["delivered"] == (not sick)
    assert not refused(tmp_path)
    assert not list((tmp_path / "nifi" / "strange").iterdir())
