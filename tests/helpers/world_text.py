"""A small world in words, on one screen: what a failing seed came down to."""

from __future__ import annotations

import os
from itertools import zip_longest

from plain_worlds import Change, Cut, Look, Replan, Send, Step, Submit, World, used_stations, used_ways

from router_core.network import NO_LIMIT
from router_core.plan import route
from router_core.transport import WHOLE
from router_core.vocabulary import Discipline

LINES_MAX = 60
# Set in processes that have the sanitized extensions.
SANITIZED = "ENGINE_SANITIZED"


def replay_command(seed: int) -> str:
    """Return the command that draws, compares and shrinks the world of a seed again."""
    # Under sanitizers a world may fail that does not without them.
    if SANITIZED in os.environ:
        return f"make soak-sanitized SEED={seed} SANITIZED_WORLDS=1"
    return f"make soak-planes SEED={seed} PLANE_WORLDS=1"


def describe(world: World, difference: str) -> str:
    """Return a world in words with its first difference and the command that replays it."""
    transport = world.transport
    chunks = "whole" if transport.chunk_bytes == WHOLE else f"in chunks of {transport.chunk_bytes} B"
    lines = [
        f"{world.kind} world of seed {world.seed}, shrunk: {len(world.rows)} exchanges, {len(world.steps)} steps",
        f"exchanges move {chunks}, {transport.retries_max} retries after "
        f"{transport.backoff_ns}..{transport.backoff_ns_max} ns",
        "stations on the ways:",
        *(
            f"  {_station(world, station)}"
            for station in used_stations(world)
            if 0 <= station < world.network.station_count
        ),
        *_credits(world),
        *_ways(world),
        "steps:",
    ]
    number = 0
    for position, step in enumerate(world.steps):
        lines += _step(world, position, step, number)
        if isinstance(step, Submit):
            number += len(step.rows)
    if len(lines) > LINES_MAX:
        lines = [*lines[:LINES_MAX], f"  ... and {len(lines) - LINES_MAX} more lines"]
    return "\n".join([*lines, f"difference: {difference}", f"replay: {replay_command(world.seed)}"])


def _station(world: World, station: int) -> str:
    network = world.network
    servers = int(network.station_servers[station])
    text = (
        f"{station:3} {network.station_name[station]:14} {Discipline(int(network.station_discipline[station])).name:8} "
        f"{servers} server{'s' if servers > 1 else ' '} "
        f"{network.station_fixed_ns[station]} ns + {network.station_ps_per_byte[station]} ps/B"
    )
    if network.station_after_ns[station]:
        text += f", then {network.station_after_ns[station]} ns"
    if network.station_buffer_bytes[station] != NO_LIMIT:
        text += (
            f", memory {network.station_buffer_bytes[station]} B, disk {network.station_spill_fixed_ns[station]} ns"
            f" + {network.station_spill_ps_per_byte[station]} ps/B"
        )
    return text


def _credits(world: World) -> list[str]:
    network = world.network
    return [
        f"  {network.node_name[node]} has a credit of {network.node_credit_bytes[node]} B, "
        f"back after {network.node_credit_return_ns[node]} ns"
        for node in sorted({row.source for row in world.rows})
        if 0 <= node < network.node_count and network.node_credit_bytes[node] != NO_LIMIT
    ]


def _ways(world: World) -> list[str]:
    network, lines = world.network, []
    for position, (source, target), choice in used_ways(world):
        head = f"  plan of step {position}, {network.node_name[source]} > {network.node_name[target]}:"
        if choice is None:
            lines.append(f"{head} none")
            continue
        # A plan may be there to be refused: its weights need not fit, nor its trunks join the two.
        for weight, trunk in zip_longest(choice.weights, choice.trunks):
            told = "no way"
            if trunk is not None:
                joins = trunk.first in network.homes[source] and trunk.last in network.homes[target]
                stations = route(network, source, target, trunk) if joins else trunk.stations
                told = (
                    f"{' '.join(map(str, stations))}{'' if joins else f', a trunk from {trunk.first} to {trunk.last}'}"
                )
            lines.append(f"{head} weight {weight}, {told}")
    return lines


def _step(world: World, position: int, step: Step, number: int) -> list[str]:
    head = f"  {position:2} at {step.at_ns}:"
    match step:
        case Submit(rows=rows, spoilt=spoilt):
            name = dict(enumerate(world.network.node_name))
            return [f"{head} batch of {len(rows)}{f', wrong dtype of {spoilt}' if spoilt else ''}"] + [
                f"       {number + place} at {row.at_ns}: {name.get(row.source, row.source)} > "
                f"{name.get(row.target, row.target)}, {row.payload_bytes} B, class {row.priority}"
                for place, row in enumerate(rows)
            ]
        case Send(rows=rows):
            return [f"{head} particles: {len(rows)}"] + [
                f"       {' '.join(map(str, stations))}, {payload_bytes} B, class {priority}"
                for stations, payload_bytes, priority in rows
            ]
        case Replan(reroute=reroute):
            return [f"{head} plan{' with reroute' if reroute else ''}"]
        case Change(kind=kind, entries=entries):
            told = ", ".join(f"station {station} to {' '.join(map(str, new))}" for station, *new in entries)
            return [f"{head} {kind}: {told}"]
        case Look(outcome=outcome):
            return [f"{head} snapshot{', outcome, and particles are collected' if outcome else ''}"]
        case Cut():
            return [f"{head} advance"]
