"""Worlds drawn from one integer: a small network, exchanges, and a timetable of all that can be done to a data plane.

Most of them live on a coarse grid of instants and sizes, where simultaneous events are the rule. Every feature is
switched on with a probability that is itself drawn, so simple worlds occur beside full ones. All of them end by
themselves: retries are few, and the last step lies far behind everything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

import numpy as np
from drawn_timetable import Entry, bad_plan, bad_steps, batches, changes, fault_steps, looks, sends
from made_networks import Grain, drawn_network
from made_rounds import ParticleRow
from plain_worlds import Replan, Row, Table, World

from router_core.network import NO_LIMIT, Network, frozen
from router_core.network_builder import Service
from router_core.plan import Choice, Trunk, route
from router_core.transport import WHOLE, Transport
from router_core.units import DURATION_NS_MAX
from router_core.vocabulary import Discipline, NodeKind

# The kind of a world is its seed's last digit: coarse ones are the most, and every run of twenty seeds has these kinds
# ("big" takes turns with "floor"). One seed in fifty is a crowd: so many at once that every container has to grow.
KINDS = ("coarse",) * 6 + ("odd", "odd", "ties", "floor")
# Sizes are multiples of half the least chunk, and so are instants: a byte takes whole nanoseconds on the coarse grid.
GRID = 512


@dataclass(frozen=True)
class Style(Grain):
    """A grain, and how much of each feature there is."""

    grid_bytes: int = GRID
    sizes_max: int = 10
    far_ns: int = 0
    priority: float = 0.0
    sharing: float = 0.0
    buffers: float = 0.0
    credits: float = 0.0
    floor_ns: int = 0

    def service(self, random: Random) -> Service:
        service = super().service(random)
        if self.floor_ns and random.random() < 0.6:
            service = replace(service, fixed_ns=self.floor_ns)
        if self.far_ns and random.random() < 0.1:
            service = replace(service, after_ns=self.far_ns)
        dice = random.random()
        if dice < self.sharing:
            return replace(service, discipline=Discipline.SHARING)
        if dice < self.sharing + self.priority:
            service = replace(service, discipline=Discipline.PRIORITY)
        if random.random() < self.buffers:
            service = replace(
                service,
                buffer_bytes=self.grid_bytes * random.choice((0, 0, 1, 2, 5, 50)),
                spill_fixed_ns=self.grid_ns * random.randint(0, 4),
                spill_ps_per_byte=random.choice(self.rates_ps),
            )
        return service


def kind_of(seed: int) -> str:
    """Return the kind of a seed's world."""
    kind = KINDS[seed % 10]
    if seed % 50 == 27:
        return "crowd"
    return "big" if kind == "floor" and seed // 10 % 2 else kind


def drawn_world(seed: int) -> World:
    """Draw the world of a seed."""
    random = Random(seed)
    kind = kind_of(seed)
    plenty = random.choice((0.0, 0.3, 0.6, 0.9))

    def on(share: float = 1.0) -> bool:
        return random.random() < plenty * share

    def amount() -> float:
        return random.choice((0.2, 0.5, 1.0)) if on() else 0.0

    style = Style(
        grid_ns=GRID,
        servers_max=random.choice((1, 2, 4, 4, 12)),
        sizes_max=random.choice((3, 10, 10, 10, 60)),
        far_ns=random.choice((0, 0, 0, 10**6, 10**9)),
        priority=amount(),
        sharing=amount() * 0.7,
        buffers=amount(),
        credits=amount(),
    )
    if kind == "odd":
        style = replace(style, grid_ns=7, grid_bytes=random.choice((1, 7, 333)), rates_ps=(0, 333, 1_001, 12_345))
    elif kind == "floor":
        style = replace(style, floor_ns=1_000_000)
    elif kind == "big":
        # The slowest rate with the largest size is left out: a queue of those lasts longer than time.
        bytes_2, rates = random.choice(
            ((20, (0, 333, 8_000_000)), (30, (0, 1_000, 8_000_000)), (36, (0, 1_000, 2_000)))
        )
        style = replace(
            style, grid_ns=10**11 + random.randint(0, 1), grid_bytes=2**bytes_2 + 1, rates_ps=rates, sizes_max=10
        )
    network = drawn_network(
        random,
        transit=random.randint(3, 8),
        front_ends=random.randint(20, 40) if kind == "crowd" else random.randint(3, 8),
        extra_lines=random.randint(0, 5),
        grain=style,
    )
    network = _with_credits(random, network, style)
    transport = _transport(random, style, on)
    rows = _rows(random, network, style, kind, classes=8 if on(1.3) else 1)
    # What happens goes on behind the last submission, as queues are long by then.
    span = max((rows[-1].at_ns - rows[0].at_ns) * 3 // 2, 20 * style.grid_ns)
    instants = _instants(random, rows[0].at_ns, span, style)
    plans = _plans(random, network, instants, on)
    steps: list[Entry] = [(step.at_ns, random.random(), step) for step in plans]
    if on(0.2):
        steps += bad_plan(random, network, rows, plans[0], instants)
    if on() or kind == "floor":
        steps += changes(random, network, style, instants, kind)
    if on():
        steps += fault_steps(random, network, instants)
    if on(0.6):
        steps += bad_steps(random, network, rows, instants)
    steps += looks(random, steps, instants)
    steps += _sends(seed, network, style, kind, instants)
    steps += batches(random, rows)
    far = DURATION_NS_MAX if kind == "big" else rows[-1].at_ns + 10**15
    steps += looks(random, [], [far], last=True)
    return World(
        seed, kind, network, transport, tuple(step for _, _, step in sorted(steps, key=lambda entry: entry[:2]))
    )


def _with_credits(random: Random, network: Network, style: Style) -> Network:
    limits = np.full(network.node_count, NO_LIMIT, dtype=np.int64)
    returns = np.ones(network.node_count, dtype=np.int64)
    for node in network.endpoints.tolist():
        if random.random() < style.credits:
            limits[node] = style.grid_bytes * random.choice((0, 1, 3, 10, 40))
            returns[node] = max(1, style.grid_ns * random.choice((0, 1, 2, 8)))
    return replace(network, node_credit_bytes=frozen(limits, np.int64), node_credit_return_ns=frozen(returns, np.int64))


def _transport(random: Random, style: Style, on) -> Transport:
    chunk = WHOLE
    if on():
        # A few chunks for the larger ones; never fewer bytes than the transport allows.
        chunk = max(1_024, style.grid_bytes * random.choice((1, 2, 2, 3)))
    backoff = style.grid_ns * random.choice((1, 1, 2, 5, 200))
    return Transport(chunk, random.choice((0, 1, 2, 4)), backoff, backoff * random.choice((1, 2, 3, 100)))


def _rows(random: Random, network: Network, style: Style, kind: str, classes: int) -> list[Row]:
    """Draw exchanges in bursts; a world of ties has them all at a handful of instants."""
    count = random.randint(20, 150) if random.random() < 0.25 else random.randint(150, 400)
    if kind == "crowd":
        count = random.randint(1_200, 2_000)
    ends = network.endpoints.tolist()
    if kind != "crowd" and random.random() < 0.3:
        ends = random.sample(ends, random.randint(2, min(4, len(ends))))
    slack = 0 if kind == "crowd" and random.random() < 0.5 else random.choice((1, 1, 4))
    sizes_max = style.sizes_max * random.choice((1, 1, 3) if kind == "odd" else (1,))
    if kind == "odd" and style.grid_bytes == 1:
        sizes_max *= 400
    at_ns = {"big": 10**17}.get(kind, style.grid_ns * random.choice((0, 0, 3)))
    if kind == "floor":
        slack *= 100
    if kind == "ties":
        few = sorted(at_ns + style.grid_ns * random.randint(0, 40) for _ in range(random.randint(1, 5)))
        when = sorted(random.choice(few) for _ in range(count))
    else:
        when = []
        for _ in range(count):
            at_ns += style.grid_ns * slack * random.choice((0, 0, 0, 1, 1, 2, 3, 10))
            when.append(at_ns)
    return [
        Row(
            at,
            *random.sample(ends, 2),
            style.grid_bytes * random.choice((0, random.randint(0, sizes_max), random.randint(0, sizes_max))),
            random.randrange(classes),
        )
        for at in when
    ]


def _sends(seed: int, network: Network, style: Style, kind: str, instants: list[int]) -> list[Entry]:
    """Draw test particles for half of the worlds: with draws of their own, so that all others are as without them."""
    random = Random(f"{seed} particles")
    pool, ends = _Ways(random, network), network.endpoints.tolist()
    classes = random.choice((1, 8))

    def row() -> ParticleRow:
        source, target = random.sample(ends, 2)
        trunk = pool.trunk(random.choice(network.homes[source]), random.choice(network.homes[target]))
        size = style.grid_bytes * random.choice((0, 1, random.randint(0, style.sizes_max)))
        return route(network, source, target, trunk), size, random.randrange(classes)

    if random.random() < 0.5:
        return []
    return sends(random, network, row, instants, 1_000 if kind == "crowd" else 40)


def _instants(random: Random, start: int, span: int, style: Style) -> list[int]:
    """Draw when something is done; the fewer instants, the more is done at one."""
    grid = style.grid_ns
    return [start // grid * grid + grid * random.randint(0, span // grid) for _ in range(random.choice((3, 15, 60)))]


def _plans(random: Random, network: Network, instants: list[int], on) -> list[Replan]:
    """Draw the plans of a run; the first one is mostly there from the beginning."""
    ways_max = random.choice((2, 3)) if on(1.3) else 1
    lost = 0.15 if on(0.5) else 0.0
    pool = _Ways(random, network)
    count = random.randint(1, 4) if on() else 0
    firsts = [0] if random.random() < 0.85 else [random.choice(instants)]
    return [
        Replan(at, _table(random, network, pool, ways_max, lost), reroute=random.random() < 0.6)
        for at in firsts + [random.choice(instants) for _ in range(count)]
    ]


def _table(random: Random, network: Network, pool: _Ways, ways_max: int, lost: float) -> Table:
    table: Table = {}
    for source in network.group_endpoint:
        for target in network.group_endpoint:
            if random.random() < lost:
                table[source, target] = None
                continue
            ways = random.randint(1, ways_max)
            trunks = tuple(
                pool.trunk(random.choice(network.homes[source]), random.choice(network.homes[target]))
                for _ in range(ways)
            )
            weights = [random.choice((0, 1, 1, 2, 5)) for _ in range(ways)]
            weights[random.randrange(ways)] += 1
            table[source, target] = Choice(trunks, tuple(weights))
    return table


class _Ways:
    """A few ways between any two homes: random paths to a centre and on, drawn when first asked for."""

    def __init__(self, random: Random, network: Network) -> None:
        self._random = random
        self._network = network
        self._centres = network.nodes_of(NodeKind.CENTRE).tolist()
        self._lines: dict[int, list[tuple[int, int]]] = {}
        self._drawn: dict[tuple[int, int], list[Trunk]] = {}
        ends = zip(
            network.line_source.tolist(), network.line_target.tolist(), network.line_station.tolist(), strict=True
        )
        for source, target, station in ends:
            if not (network.is_endpoint[source] or network.is_endpoint[target]):
                self._lines.setdefault(source, []).append((target, station))

    def trunk(self, first: int, last: int) -> Trunk:
        """Return one of up to four ways."""
        drawn = self._drawn.setdefault((first, last), [])
        if not drawn or (len(drawn) < 4 and self._random.random() < 0.7):
            drawn.append(self._draw(first, last))
        return self._random.choice(drawn)

    def _draw(self, first: int, last: int) -> Trunk:
        via = self._random.choice(self._centres)
        network = self._network
        stations = []
        for station, node in [(-1, first), *self._walk(first, via)]:
            stations += [station, int(network.node_station[node])]
        stations[-1] = int(network.node_process_station[via])
        for station, node in self._walk(via, last):
            stations += [station, int(network.node_station[node])]
        return Trunk(first, last, tuple(stations[1:]))

    def _walk(self, node: int, goal: int) -> list[tuple[int, int]]:
        """Lines and nodes after `node` up to `goal`: depth first in random order, so detours are common."""
        start, seen, path = node, {node}, []
        while node != goal:
            onward = [(station, target) for target, station in self._lines[node] if target not in seen]
            if onward:
                path.append(self._random.choice(onward))
            else:
                path.pop()
            node = path[-1][1] if path else start
            seen.add(node)
        return path
