"""Laws 1 to 3 on the trail of a data plane in a drawn world: what it shows must add up, whatever the rules."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from compare_planes import Trail
from made_rounds import ParticleRow
from plain_worlds import Change, Row, Send, Submit, World

from router_core.network import NO_LIMIT
from router_core.vocabulary import Discipline
from sim.data_plane import LOST, Refusal

# An exchange visits its own station, two access lines, a centre's processing and the other end at least: 1 ns each.
VISITS_MIN = 5
GROWING = ("now_ns", "busy_ns", "served", "served_bytes", "spilled", "failed", "submitted", "delivered", "refused")
GROWING += ("particles_sent", "particles_received", "particles_lost")


def taken_rows(world: World, trail: Trail) -> list[Row]:
    """Return the exchanges that a plane took in, in order of ids."""
    return [row for at in trail.taken if isinstance(step := world.steps[at], Submit) for row in step.rows]


def sent_rows(world: World, trail: Trail) -> list[tuple[int, ParticleRow]]:
    """Return when each particle was sent, and what it is, in order of numbers."""
    sends = [step for at in trail.taken if isinstance(step := world.steps[at], Send)]
    return [(step.at_ns, row) for step in sends for row in step.rows]


def check_laws(world: World, trail: Trail) -> None:
    """Assert laws 1 to 3; the world's last step must be a look behind everything, if the run came so far."""
    assert not trail.crash, trail.crash
    if trail.ended:
        return
    _check_accounts(world, trail)
    _check_particles(world, trail)
    _check_ends(world, trail)
    _check_rates(world, trail)
    if not any(isinstance(step, Change) for step in world.steps):
        _check_work(world, trail)


def _check_accounts(world: World, trail: Trail) -> None:
    """Law 1 and 2: every exchange is in one place at every instant, and nothing is ever taken back."""
    rows = taken_rows(world, trail)
    submitted_ns = np.array([row.at_ns for row in rows])
    delivered_ns = np.array(trail.outcome["delivered_ns"])
    refusal = np.array(trail.outcome["refusal"])
    assert len(delivered_ns) == len(refusal) == len(rows)
    for before, after in pairwise(trail.snapshots()):
        for name in GROWING:
            assert (np.array(after[name]) >= np.array(before[name])).all(), f"{name} falls"
    for position, shown in trail.seen.items():
        if isinstance(shown, str):
            continue
        now_ns = shown["now_ns"]
        handed_over = [world.steps[at] for at in trail.taken if at < position]
        count = sum(len(step.rows) for step in handed_over if isinstance(step, Submit))
        assert now_ns == world.steps[position].at_ns
        assert shown["submitted"] == (submitted_ns[:count] < now_ns).sum()
        assert shown["delivered"] == ((delivered_ns >= 0) & (delivered_ns < now_ns)).sum()
        no_route = ((refusal == Refusal.NO_ROUTE) & (submitted_ns < now_ns)).sum()
        assert no_route <= shown["refused"] <= no_route + (refusal == Refusal.GAVE_UP).sum()
        assert min(shown["held"], shown["retrying"], *shown["waiting"]) >= 0
        if "refusal" in shown:
            # An outcome asked for on the way is the last one as far as it goes.
            assert len(shown["refusal"]) == count
            past = (delivered_ns >= 0) & (delivered_ns < now_ns)
            assert shown["delivered_ns"] == np.where(past, delivered_ns, -1)[:count].tolist()
            assert (np.array(shown["refusal"]) != Refusal.NOT_REFUSED).sum() == shown["refused"]
    assert (delivered_ns[delivered_ns >= 0] >= submitted_ns[delivered_ns >= 0] + VISITS_MIN).all()


def _check_particles(world: World, trail: Trail) -> None:
    """Law 1 and 2 for particles: each is collected once, having come after it was sent, or lost."""
    rows, ended = sent_rows(world, trail), dict(trail.collected())
    assert len(trail.collected()) == len(ended)
    assert sorted(ended) == list(range(len(rows))), "in the end none is under way"
    for number, (sent_ns, (stations, _, _)) in enumerate(rows):
        assert ended[number] == LOST or ended[number] >= sent_ns + len(stations)
    rounds = [at for at in trail.taken if isinstance(world.steps[at], Send)]
    sizes = [len(world.steps[at].rows) for at in rounds]
    assert trail.sent == [sum(sizes[:place]) for place in range(len(sizes))]
    for position, shown in trail.seen.items():
        if isinstance(shown, str):
            continue
        sent = sum(size for at, size in zip(rounds, sizes, strict=True) if at < position)
        came = sum(0 <= ended[number] < shown["now_ns"] for number in range(sent))
        assert (shown["particles_sent"], shown["particles_received"]) == (sent, came)
        assert shown["particles_lost"] <= sent - came
        assert all(ended[number] < shown["now_ns"] for number in shown.get("number", ()))


def _check_ends(world: World, trail: Trail) -> None:
    """Law 1 at the end: delivered or refused, not both; every byte passed both ends; nothing is left anywhere."""
    rows, last = taken_rows(world, trail), trail.snapshots()[-1]
    delivered = np.array(trail.outcome["delivered_ns"]) >= 0
    refused = np.array(trail.outcome["refusal"]) != Refusal.NOT_REFUSED
    retries = np.array(trail.outcome["retries"])
    assert (delivered ^ refused).all()
    assert last["submitted"] == len(rows) == last["delivered"] + last["refused"]
    assert last["held"] == last["retrying"] == max(last["waiting"]) == 0
    most = [world.transport.chunk_count(row.payload_bytes) * world.transport.retries_max for row in rows]
    assert (retries <= most).all()
    assert (retries[np.array(trail.outcome["refusal"]) == Refusal.NO_ROUTE] == 0).all()
    passed = np.zeros(world.network.station_count, dtype=object)
    for row, arrived in zip(rows, delivered, strict=True):
        for end in (row.source, row.target):
            passed[world.network.node_station[end]] += row.payload_bytes if arrived else 0
    ends = world.network.node_station[world.network.endpoints]
    particles, ended = sent_rows(world, trail), dict(trail.collected())
    for number, (_, (stations, payload_bytes, _)) in enumerate(particles):
        for end in (stations[0], stations[-1]):
            passed[end] += payload_bytes if ended[number] >= 0 else 0
    served_bytes = np.array(last["served_bytes"], dtype=object)
    assert (served_bytes[ends] >= passed[ends]).all()
    if not retries.any() and Refusal.GAVE_UP not in trail.outcome["refusal"] and LOST not in ended.values():
        # Nothing was served twice, nor in vain.
        assert (served_bytes[ends] == passed[ends]).all()
        assert sum(last["failed"]) == 0


def _check_rates(world: World, trail: Trail) -> None:
    """Law 3: no more server time than there is; services under way go on when servers are taken away."""
    network = world.network
    most = network.station_servers.astype(object)
    down: set[int] = set()
    before = {"now_ns": 0, "busy_ns": [0] * network.station_count}
    shared = network.station_discipline == Discipline.SHARING
    for position, step in enumerate(world.steps):
        shown = trail.seen.get(position)
        if isinstance(step, Change) and shown is None:
            for station, value, *_ in step.entries:
                if step.kind == "servers":
                    most[station] = max(most[station], value)
                elif step.kind == "up":
                    (down.discard if value else down.add)(station)
        if not isinstance(shown, dict):
            continue
        spent = np.array(shown["busy_ns"], dtype=object) - np.array(before["busy_ns"], dtype=object)
        assert (spent <= most * (shown["now_ns"] - before["now_ns"])).all()
        waiting = np.array(shown["waiting"])
        assert not waiting[shared].any()
        assert not waiting[list(down)].any(), "what is on a stopped station fails"
        before = shown
    last = trail.snapshots()[-1]
    assert not np.array(last["spilled"])[network.station_buffer_bytes == NO_LIMIT].any()
    assert (np.array(last["spilled"]) <= np.array(last["served"]) + np.array(last["failed"])).all()


def _check_work(world: World, trail: Trail) -> None:
    """Law 3 where nothing is ever changed: server time is the sum of the services, each rounded up to 1 ns."""
    network, last = world.network, trail.snapshots()[-1]
    busy, served, spilled = (np.array(last[name], dtype=object) for name in ("busy_ns", "served", "spilled"))
    least = (
        served * network.station_fixed_ns
        + np.array(last["served_bytes"], dtype=object) * (network.station_ps_per_byte.astype(object)) // 1_000
    )
    # On disk, bytes are not counted apart.
    extra = spilled * network.station_spill_fixed_ns
    disk_bytes = np.where(spilled > 0, np.array(last["served_bytes"], dtype=object), 0)
    most = least + served + extra + disk_bytes * network.station_spill_ps_per_byte // 1_000 + spilled
    shared = network.station_discipline == Discipline.SHARING
    assert (busy[~shared] >= (least + extra)[~shared]).all()
    assert (busy[~shared] <= most[~shared]).all()
    # Each arrival or departure costs all those present less than 1/1024 ns, a departure less than 1 ns a server.
    slack = served + served * served * 2 // 1_024 + served * network.station_servers
    assert (busy[shared] >= least[shared]).all()
    assert (busy[shared] <= (least + slack)[shared]).all()
