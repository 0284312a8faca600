"""Plainer versions of a world, one feature at a time; each has a name that tells it from the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
from plain_worlds import Replan, Row, Send, Step, Submit, World, stand_ins, used_stations, used_ways

from router_core.network import NO_LIMIT, frozen
from router_core.plan import Choice
from router_core.transport import WHOLE
from router_core.vocabulary import Discipline

# A network's columns and their plainest values; some go together.
COLUMNS: tuple[dict[str, int], ...] = (
    {"station_discipline": Discipline.FIFO},
    {"station_buffer_bytes": NO_LIMIT, "station_spill_fixed_ns": 0, "station_spill_ps_per_byte": 0},
    {"station_spill_fixed_ns": 0},
    {"station_spill_ps_per_byte": 0},
    {"node_credit_bytes": NO_LIMIT, "node_credit_return_ns": 1},
    {"node_credit_return_ns": 1},
    {"station_servers": 1},
    {"station_after_ns": 0},
    {"station_ps_per_byte": 0},
    {"station_fixed_ns": 1},
)


def plainer(world: World) -> Iterator[tuple[str, World]]:
    """Give (name, plainer world), the greatest simplifications first; worlds equal to the given one are left out."""
    yield from _batches(world)
    yield from _transport(world)
    for number, values in enumerate(COLUMNS):
        yield from _columns(world, f"column {number}", values, None)
    yield from _plans(world)
    used = used_stations(world)
    for number, values in enumerate(COLUMNS):
        ends = world.network.endpoints.tolist()
        for index in ends if next(iter(values)).startswith("node") else used:
            yield from _columns(world, f"column {number} at {index}", values, index)
    yield from _shorter_ways(world)
    yield from _rows(world)
    yield from _particles(world)
    yield from _instants(world)


def _batches(world: World) -> Iterator[tuple[str, World]]:
    """One batch at the beginning instead of many."""
    places = [place for place, step in enumerate(world.steps) if isinstance(step, Submit) and not step.spoilt]
    if len(places) > 1:
        steps = [step for place, step in enumerate(world.steps) if place not in places]
        yield "one batch", replace(world, steps=(Submit(0, tuple(world.rows)), *steps))


def _transport(world: World) -> Iterator[tuple[str, World]]:
    transport = world.transport
    for name, changed in (
        ("whole", replace(transport, chunk_bytes=WHOLE)),
        ("no retries", replace(transport, retries_max=0)),
        ("one retry", replace(transport, retries_max=min(1, transport.retries_max))),
        ("even back-off", replace(transport, backoff_ns_max=transport.backoff_ns)),
    ):
        if changed != transport:
            yield name, replace(world, transport=changed)


def _columns(world: World, name: str, values: dict[str, int], index: int | None) -> Iterator[tuple[str, World]]:
    columns = {}
    for column, value in values.items():
        array = getattr(world.network, column).copy()
        array[slice(None) if index is None else index] = value
        if not np.array_equal(array, getattr(world.network, column)):
            columns[column] = frozen(array, array.dtype.type)
    if columns:
        yield name, replace(world, network=replace(world.network, **columns))


def _plans(world: World) -> Iterator[tuple[str, World]]:
    """No rerouting, and one way instead of several: for all pairs, then pair by pair."""
    for place, step in enumerate(world.steps):
        if not isinstance(step, Replan):
            continue
        if step.reroute:
            yield (
                f"step {place} of {len(world.steps)} without reroute",
                _put(world, place, replace(step, reroute=False)),
            )
        for way in range(3):
            table = {ends: _only(choice, way) for ends, choice in step.table.items()}
            if table != step.table:
                yield f"way {way} of step {place} of {len(world.steps)}", _put(world, place, replace(step, table=table))
        for ends, choice in step.table.items():
            for way in range(len(choice.trunks)) if choice and len(choice.trunks) > 1 else ():
                table = step.table | {ends: _only(choice, way)}
                yield f"way {way} of {ends} in step {place}", _put(world, place, replace(step, table=table))


def _only(choice: Choice | None, way: int) -> Choice | None:
    if choice is None or len(choice.trunks) == 1:
        return choice
    return Choice((choice.trunks[way % len(choice.trunks)],), (1,))


def _shorter_ways(world: World) -> Iterator[tuple[str, World]]:
    """Ways with stations left out, all but the processing one or any one: a plane never asks who is joined to whom."""
    process = set(world.network.node_process_station.tolist())
    for place, ends, choice in used_ways(world):
        step = world.steps[place]
        assert isinstance(step, Replan)
        key = stand_ins(world, *ends)
        for way, trunk in enumerate(choice.trunks if choice else ()):
            kept = tuple(station for station in trunk.stations if station in process)
            rest = [number for number, station in enumerate(trunk.stations) if station not in process]
            singles = [trunk.stations[:number] + trunk.stations[number + 1 :] for number in rest]
            for stations in (kept, *singles) if rest else ():
                trunks = (*choice.trunks[:way], replace(trunk, stations=stations), *choice.trunks[way + 1 :])
                table = step.table | {key: replace(choice, trunks=trunks)}
                yield f"{ends} by {stations} in step {place}, way {way}", _put(world, place, replace(step, table=table))


def _rows(world: World) -> Iterator[tuple[str, World]]:
    """The same class, size and instant for all, then exchange by exchange."""
    plain = {
        "class": lambda row, _: row._replace(priority=0),
        "size 0": lambda row, _: row._replace(payload_bytes=0),
        "size": lambda row, _: row._replace(payload_bytes=min(row.payload_bytes, 512)),
        "instant": lambda row, before: row._replace(at_ns=before.at_ns if before else row.at_ns),
    }
    places = [
        (place, number)
        for place, step in enumerate(world.steps)
        if isinstance(step, Submit)
        for number in range(len(step.rows))
    ]
    for name, change in plain.items():
        steps = list(world.steps)
        for only in (None, *places):
            before: Row | None = None
            steps = list(world.steps)
            for place, number in places:
                step = steps[place]
                assert isinstance(step, Submit)
                row = step.rows[number]
                if only in (None, (place, number)):
                    row = change(row, before)
                    steps[place] = replace(step, rows=(*step.rows[:number], row, *step.rows[number + 1 :]))
                before = row
            if tuple(steps) != world.steps:
                yield f"{name} of {only} among {len(places)}", replace(world, steps=tuple(steps))


def _particles(world: World) -> Iterator[tuple[str, World]]:
    """Particles without bytes, and of the first class."""
    for place, step in enumerate(world.steps):
        for number, (stations, payload_bytes, priority) in enumerate(step.rows if isinstance(step, Send) else ()):
            for name, row in (
                ("class", (stations, payload_bytes, 0)),
                ("size 0", (stations, 0, priority)),
                ("size", (stations, min(payload_bytes, 512), priority)),
            ):
                if row != step.rows[number]:
                    rows = (*step.rows[:number], row, *step.rows[number + 1 :])
                    told = f"{name} of particle {number} of step {place} among {len(step.rows)} and {len(world.steps)}"
                    yield told, _put(world, place, replace(step, rows=rows))


def _instants(world: World) -> Iterator[tuple[str, World]]:
    """All but what happens at 0 happens sooner by the same time; a step is done with the one before, or sooner."""
    steps = [step for step in world.steps if step.at_ns > 0]
    first = min([row.at_ns for row in world.rows] + [step.at_ns for step in steps], default=0)
    if first > 0:
        yield f"sooner by {first}", replace(world, steps=tuple(_sooner(step, first) for step in world.steps))
    for place, (before, step) in enumerate(pairwise(world.steps), 1):
        for at_ns in (before.at_ns, (before.at_ns + step.at_ns) // 2):
            if not isinstance(step, Submit) and at_ns < step.at_ns:
                yield f"step {place} of {len(world.steps)} at {at_ns}", _put(world, place, replace(step, at_ns=at_ns))


def _sooner(step: Step, by: int) -> Step:
    step = replace(step, at_ns=max(0, step.at_ns - by))
    if isinstance(step, Submit):
        step = replace(step, rows=tuple(row._replace(at_ns=row.at_ns - by) for row in step.rows))
    return step


def _put(world: World, place: int, step: Step) -> World:
    return replace(world, steps=(*world.steps[:place], step, *world.steps[place + 1 :]))
