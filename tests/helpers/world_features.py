"""What really happened in a world: read off its trail, or shown by a twin world without the feature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from compare_planes import PlaneFactory, Trail, drive
from plain_worlds import Change, Replan, Send, Submit, World

from router_core.network import Network, frozen
from router_core.network_builder import SERVERS_MAX
from router_core.transport import WHOLE
from router_core.vocabulary import Discipline
from sim.data_plane import Refusal

# What a trail shows.
SHOWN = (
    "chunked",
    "failed",
    "gave up",
    "held",
    "input refused",
    "no route",
    "nothing to carry",
    "particle came",
    "particle lost",
    "particle refused",
    "plan ended the run",
    "plan refused",
    "retried",
    "served by priority",
    "shared",
    "spilled",
    "stopped for good",
    "submitted together",
    "waited",
)
# What only a twin shows: without the feature the integers would be others.
TWINS = (
    "chunk let others in between",
    "class overtook",
    "rerouted",
    "servers changed",
    "service changed",
    "shared by > 2",
)


def happened(world: World, trail: Trail) -> set[str]:
    """Return which of `SHOWN` a trail shows."""
    if trail.ended:
        return {"plan ended the run"}
    network, rows = world.network, world.rows
    snapshots, outcome = trail.snapshots(), trail.outcome
    served = np.array(snapshots[-1]["served"]) > 0
    discipline = network.station_discipline[served]
    chunk_bytes = world.transport.chunk_bytes
    ups = [entry for step in world.steps if isinstance(step, Change) and step.kind == "up" for entry in step.entries]
    last_up = {station: up for station, up in ups if 0 <= station < network.station_count}
    return {
        feature
        for feature, is_so in {
            "chunked": chunk_bytes != WHOLE and any(row.payload_bytes > chunk_bytes for row in rows),
            "failed": any(snapshots[-1]["failed"]),
            "gave up": Refusal.GAVE_UP in outcome["refusal"],
            "held": any(shown["held"] for shown in snapshots),
            "input refused": any(isinstance(seen, str) for seen in trail.seen.values()),
            "no route": Refusal.NO_ROUTE in outcome["refusal"],
            "plan refused": any(
                isinstance(world.steps[at], Replan) for at, s in trail.seen.items() if isinstance(s, str)
            ),
            "particle came": any(at >= 0 for _, at in trail.collected()),
            "particle lost": any(at < 0 for _, at in trail.collected()),
            "particle refused": any(
                isinstance(world.steps[at], Send) for at, s in trail.seen.items() if isinstance(s, str)
            ),
            "nothing to carry": any(row.payload_bytes == 0 for row in rows),
            "retried": any(outcome["retries"]),
            "served by priority": (discipline == Discipline.PRIORITY).any(),
            "shared": (discipline == Discipline.SHARING).any(),
            "spilled": any(snapshots[-1]["spilled"]),
            "stopped for good": any(not up and snapshots[-1]["failed"][s] for s, up in last_up.items()),
            "submitted together": len({row.at_ns for row in rows}) < len(rows),
            "waited": any(any(shown["waiting"]) for shown in snapshots),
        }.items()
        if is_so
    }


def mattered(world: World, trail: Trail, plane_factory: PlaneFactory, among: set[str]) -> set[str]:
    """Return which of `TWINS`, among those asked for, changed a number of this world."""
    return {
        feature
        for feature, one, other in _twins(world, among)
        if (trail if one is world else drive(one, plane_factory)) != drive(other, plane_factory)
    }


def _twins(world: World, among: set[str]) -> Iterator[tuple[str, World, World]]:
    """Give (feature, world, the same without it), where there is any."""
    network, steps = world.network, world.steps
    sharing = network.station_discipline == Discipline.SHARING
    if "chunk let others in between" in among and world.transport.chunk_bytes != WHOLE:
        whole = replace(world, transport=replace(world.transport, chunk_bytes=WHOLE))
        yield "chunk let others in between", world, whole
    if "class overtook" in among and (network.station_discipline == Discipline.PRIORITY).any():
        fifo = np.where(sharing, Discipline.SHARING, Discipline.FIFO)
        yield "class overtook", world, replace(world, network=_with(network, "station_discipline", fifo))
    if "rerouted" in among and any(isinstance(step, Replan) and step.reroute for step in steps):
        kept = tuple(replace(step, reroute=False) if isinstance(step, Replan) else step for step in steps)
        yield "rerouted", world, replace(world, steps=kept)
    for feature, kind in (("servers changed", "servers"), ("service changed", "service")):
        kept = tuple(step for step in steps if not (isinstance(step, Change) and step.kind == kind))
        if feature in among and len(kept) < len(steps):
            gone = tuple(replace(s, entries=()) if isinstance(s, Change) and s.kind == kind else s for s in steps)
            yield feature, world, replace(world, steps=gone)
    if "shared by > 2" in among and sharing.any():
        # With two servers the share is less than a whole server only from the third one on.
        calm = tuple(s for s in steps if not (isinstance(s, Change) and s.kind == "servers"))
        two, many = (
            replace(
                world,
                steps=calm,
                network=_with(network, "station_servers", np.where(sharing, servers, network.station_servers)),
            )
            for servers in (2, SERVERS_MAX)
        )
        yield "shared by > 2", two, many


def _with(network: Network, column: str, values: np.ndarray) -> Network:
    return replace(network, **{column: frozen(values, getattr(network, column).dtype.type)})


def submitted_count(world: World, trail: Trail) -> int:
    """Return how many exchanges a plane took in."""
    return sum(len(step.rows) for at, step in enumerate(world.steps) if isinstance(step, Submit) and at in trail.taken)
