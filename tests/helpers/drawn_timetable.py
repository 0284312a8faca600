"""What is done to a data plane in a drawn world: steps with their instants, and their places at an instant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from made_networks import Grain
from made_rounds import ParticleRow
from plain_worlds import Change, Cut, Look, Replan, Row, Send, Step, Submit

from router_core.network import Network
from router_core.plan import Choice
from router_core.vocabulary import PRIORITY_MAX

# (instant, place at that instant, step)
Entry = tuple[float, float, Step]


def changes(random: Random, network: Network, grain: Grain, instants: list[int], kind: str) -> list[Entry]:
    """Draw changes of services and servers, up and down; in a world of floors, services fall from 1 ms to 1 ns."""
    entries: list[Entry] = []
    if kind == "floor":
        for _ in range(random.randint(1, 4)):
            share = random.choice((0.1, 0.5, 1.0))
            fast = [station for station in range(network.station_count) if random.random() < share] or [0]
            entries.append(_entry(random, Change(random.choice(instants), "service", tuple((s, 1, 0) for s in fast))))
    # A service of 1 ns leaves the grid, and simultaneous events become rare behind it.
    least = 1 if kind not in ("coarse", "ties") or random.random() < 0.2 else grain.grid_ns
    for _ in range(random.randint(1, 25)):
        stations = random.sample(range(network.station_count), random.choice((1, 1, 2, 6)))
        at = random.choice(instants)
        if random.random() < 0.6:
            fixed = (least, grain.grid_ns, grain.grid_ns * random.randint(1, 8))
            drawn = tuple((s, random.choice(fixed), random.choice(grain.rates_ps)) for s in stations)
            entries.append(_entry(random, Change(at, "service", drawn)))
        else:
            servers = tuple((s, random.choice((1, 1, 2, 3, 4, 12))) for s in stations)
            entries.append(_entry(random, Change(at, "servers", servers)))
    return entries


def fault_steps(random: Random, network: Network, instants: list[int]) -> list[Entry]:
    """Draw stations that stop, alone or several at once, and mostly return; some are told twice."""
    entries: list[Entry] = []
    for _ in range(random.randint(1, random.choice((2, 10, 30)))):
        stations = random.sample(range(network.station_count), random.choice((1, 1, 2, 5)))
        begin, end = sorted((random.choice(instants), random.choice(instants)))
        told = [begin] + ([random.choice(instants)] if random.random() < 0.1 else [])
        entries += [_entry(random, Change(at, "up", tuple((station, 0) for station in stations))) for at in told]
        if random.random() < 0.85:
            if random.random() < 0.3:
                stations = random.sample(stations, 1)
            entries.append(_entry(random, Change(end, "up", tuple((station, 1) for station in stations))))
    return entries


def bad_steps(random: Random, network: Network, rows: list[Row], instants: list[int]) -> list[Entry]:
    """Draw batches, commands and advances that break a rule, and must change nothing."""
    router = int(min(set(range(network.node_count)) - set(network.endpoints.tolist())))
    last = rows[-1].at_ns + 10**6
    good = Row(last, rows[0].source, rows[0].target, 512, 0)
    beyond = network.station_count
    batches = (
        (good, good._replace(target=good.source)),
        (good, good._replace(source=-1)),
        (good, good._replace(source=network.node_count)),
        (good, good._replace(target=router)),
        (good, good._replace(payload_bytes=-1)),
        (good, good._replace(payload_bytes=2**40 + 1)),
        (good, good._replace(priority=PRIORITY_MAX + 1)),
        (good, good._replace(at_ns=last - 1)),
        (good._replace(at_ns=10**18 + 1),),
        (good._replace(at_ns=-1), good),
    )
    commands = (
        ("service", ((0, 0, 1_000),)),
        ("service", ((0, 512, -1),)),
        ("service", ((0, 10**18 + 1, 0), (0, 512, 0))),
        ("servers", ((0, 0),)),
        ("servers", ((1, 100_001),)),
        ("servers", ((1, 2), (1, 2))),
        ("up", ((0, 0), (beyond, 0))),
        ("up", ((-1, 1),)),
    )
    entries: list[Entry] = []
    for _ in range(random.randint(1, 6)):
        at = random.choice(instants)
        step: Step = random.choice(
            (
                Submit(at, random.choice(batches)),
                Submit(at, (good,), spoilt=random.choice(("payload_bytes", "source"))),
                Change(at, *random.choice(commands)),
            )
        )
        entries.append(_entry(random, step))
        if random.random() < 0.2 and at > 0:
            # Its place in the order is the instant's, but it asks for an earlier one.
            entries.append((at, random.random(), Cut(at - 1)))
    return entries


def bad_plan(random: Random, network: Network, rows: list[Row], plan: Replan, instants: list[int]) -> list[Entry]:
    """Draw a plan with one choice that breaks a rule: refused at once if someone under way asks for it, or later."""
    row = random.choice(rows)
    ends = (
        network.group_endpoint[int(network.node_group[row.source])],
        network.group_endpoint[int(network.node_group[row.target])],
    )
    choice = plan.table[ends]
    if choice is None:
        return []
    trunk = choice.trunks[0]
    spoilt = random.choice(
        (
            replace(choice, weights=(*choice.weights, 1)),
            replace(choice, weights=(-1,) * len(choice.weights)),
            replace(choice, weights=(0,) * len(choice.weights)),
            Choice((replace(trunk, stations=(*trunk.stations, network.station_count)),), (1,)),
            Choice((replace(trunk, stations=(-1, *trunk.stations)),), (1,)),
            Choice((replace(trunk, first=ends[0]),), (1,)),
            Choice((trunk, replace(trunk, last=-1)), (1, 0)),
        )
    )
    at = random.choice(instants)
    return [_entry(random, Replan(at, plan.table | {ends: spoilt}, reroute=random.random() < 0.8))]


def looks(random: Random, steps: list[Entry], instants: list[int], *, last: bool = False) -> list[Entry]:
    """Draw snapshots at any instant, and right before and right after steps of the same instant; and cuts."""
    entries = [_entry(random, Look(at, outcome=last or random.random() < 0.2)) for at in instants[:40]]
    entries += [_entry(random, Cut(at)) for at in instants if not last and random.random() < 0.2]
    for at, place, step in steps:
        if random.random() < 0.2 and isinstance(step, Replan | Change):
            entries += [(at, place - 1e-9, Look(step.at_ns)), (at, place + 1e-9, Look(step.at_ns))]
    return entries


def sends(
    random: Random, network: Network, draw_row: Callable[[], ParticleRow], instants: list[int], most: int
) -> list[Entry]:
    """Draw rounds of particles, several at an instant now and then; some must be refused, and then nothing is sent."""
    entries: list[Entry] = []
    for _ in range(random.choice((1, 2, 6))):
        rows = [draw_row() for _ in range(random.choice((0, 1, 1, 3, 10, most)))]
        at = random.choice(instants)
        entries.append(_entry(random, Send(at, tuple(rows))))
        if rows and random.random() < 0.1:
            way, payload_bytes, priority = rows[-1]
            bad = random.choice(
                (
                    (way[1:], payload_bytes, priority),
                    (way[:2] + way[3:], payload_bytes, priority),
                    (way[:2] + way[:2] + way[2:], payload_bytes, priority),
                    ((*way[:2], network.station_count, *way[3:]), payload_bytes, priority),
                    (way, -1, priority),
                    (way, payload_bytes, PRIORITY_MAX + 1),
                )
            )
            entries.append(_entry(random, Send(at, (*rows[:-1], bad))))
    return entries


def batches(random: Random, rows: list[Row]) -> list[Entry]:
    """Cut exchanges into batches handed over just in time, somewhat early, or far ahead; some are empty."""
    sizes = random.choice(((0, 1, 2, 7), (0, 7, 50), (1000,)))
    entries: list[Entry] = []
    row, at = 0, 0
    while row < len(rows):
        batch = tuple(rows[row : row + random.choice(sizes)])
        due = rows[row].at_ns
        at = max(at, random.choice((due, due, at, random.randint(min(at, due), due))))
        entries.append((at, 0.0, Submit(at, batch)))
        row += len(batch)
    # Batches keep their order: later ones have later instants, or the same one and a later place.
    places = sorted(random.random() for _ in entries)
    return [(at, place, step) for (at, _, step), place in zip(entries, places, strict=True)]


def _entry(random: Random, step: Step) -> Entry:
    return (step.at_ns, random.random(), step)
