"""Small networks and batches of exchanges for tests: made by hand, or drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np

from router_core.exchanges import DTYPES, FIELDS, NO_DEADLINE, NO_LABEL, Exchanges
from router_core.network import Network
from router_core.network_builder import NetworkBuilder, Service
from router_core.plan import Choice, Trunk
from router_core.vocabulary import NodeKind

# A station at which nobody ever waits.
INSTANT = Service(servers=100_000, fixed_ns=1, ps_per_byte=0)


def exchanges(submitted_ns, source, target, payload_bytes, **columns) -> Exchanges:
    """Make a batch; scalars are repeated, and what is not named gets a default."""
    count = len(submitted_ns)
    given = {"submitted_ns": submitted_ns, "source": source, "target": target, "payload_bytes": payload_bytes}
    defaults = {"deadline_ns": NO_DEADLINE, "demand_type": NO_LABEL, "surge": NO_LABEL}
    values = defaults | given | columns
    return Exchanges(**{name: np.full(count, values.get(name, 0), dtype=DTYPES[name]) for name in FIELDS})


@dataclass(frozen=True)
class Grain:
    """Which numbers a drawn network uses: a coarse grid makes simultaneous events common.

    Times are multiples of `grid_ns`; sizes are too where `grid_bytes` is, as one byte takes whole nanoseconds then.
    """

    grid_ns: int = 100
    fixed_max: int = 4
    rates_ps: tuple[int, ...] = (0, 1_000, 2_000)
    servers_max: int = 3

    def service(self, random: Random) -> Service:
        """Draw a service; about half of them have no delay after it."""
        after_ns = random.choice((0, 0, 0, self.grid_ns, 3 * self.grid_ns))
        fixed_ns = self.grid_ns * random.randint(1, self.fixed_max)
        return Service(random.randint(1, self.servers_max), fixed_ns, random.choice(self.rates_ps), after_ns)


def drawn_network(
    random: Random,
    *,
    transit: int = 5,
    front_ends: int = 6,
    extra_lines: int = 4,
    dual_homed: float = 0.4,
    torn: float = 0.0,
    grain: Grain | None = None,
) -> Network:
    """Draw a network: centres and routers on a random tree with extra lines, parallel ones among them.

    Each line of the tree is left out with probability `torn`; without that the network is connected.
    """
    grain = grain or Grain()
    builder = NetworkBuilder(("outer",), ("a", "b"))
    kinds = [NodeKind.CENTRE, NodeKind.CENTRE]
    kinds += [random.choice((NodeKind.CENTRE, NodeKind.ROUTER, NodeKind.ROUTER)) for _ in range(transit - 2)]
    random.shuffle(kinds)
    nodes = []
    for number, kind in enumerate(kinds):
        process = grain.service(random) if kind == NodeKind.CENTRE else None
        nodes.append(builder.add_node(f"t{number}", kind, service=grain.service(random), process=process))
    for number in range(1, transit):
        if torn and random.random() < torn:
            continue
        builder.add_line(nodes[number], nodes[random.randrange(number)], service=grain.service(random), carrier=0)
    for _ in range(extra_lines):
        a, b = random.sample(nodes, 2)
        builder.add_line(a, b, service=grain.service(random), carrier=1)
    centres = [node for node, kind in zip(nodes, kinds, strict=True) if kind == NodeKind.CENTRE]
    for number in range(front_ends):
        node = builder.add_node(f"f{number}", NodeKind.FRONT_END, service=grain.service(random))
        homes = random.sample(centres, 2 if random.random() < dual_homed else 1)
        for home in homes:
            builder.add_line(node, home, service=grain.service(random))
    return builder.build()


def drawn_trunk(random: Random, network: Network, first: int, last: int) -> Trunk:
    """Draw a way over a random centre: a random tree path to it and on, cheap or not."""
    lines: dict[int, list[tuple[int, int]]] = {}
    for line, station in enumerate(network.line_station.tolist()):
        source, target = int(network.line_source[line]), int(network.line_target[line])
        if not (network.is_endpoint[source] or network.is_endpoint[target]):
            lines.setdefault(source, []).append((target, station))

    def walk(start: int, goal: int) -> list[tuple[int, int]]:
        """Lines and nodes after `start` up to `goal`, depth first in random order."""
        seen = {start}

        def visit(node: int) -> list[tuple[int, int]] | None:
            if node == goal:
                return []
            ways = list(lines.get(node, []))
            random.shuffle(ways)
            for target, station in ways:
                if target not in seen:
                    seen.add(target)
                    rest = visit(target)
                    if rest is not None:
                        return [(station, target), *rest]
            return None

        found = visit(start)
        assert found is not None, "drawn networks are connected"
        return found

    via = int(random.choice(network.nodes_of(NodeKind.CENTRE).tolist()))
    stations: list[int] = []
    for station, node in [(-1, first), *walk(first, via)]:
        stations += [station, int(network.node_station[node])]
    stations[-1] = int(network.node_process_station[via])
    for station, node in walk(via, last):
        stations += [station, int(network.node_station[node])]
    return Trunk(first, last, tuple(stations[1:]))


class DrawnPlan:
    """A plan of random ways with random weights, some of them 0; a share of the pairs has no route."""

    def __init__(self, random: Random, network: Network, *, without_route: float = 0.0, ways_max: int = 3) -> None:
        self._choices: dict[tuple[int, int], Choice | None] = {}
        for a, sources in enumerate(network.groups):
            for b, targets in enumerate(network.groups):
                ways = random.randint(1, ways_max)
                trunks = tuple(
                    drawn_trunk(random, network, random.choice(sources), random.choice(targets)) for _ in range(ways)
                )
                weights = [random.choice((0, 1, 1, 2, 5)) for _ in range(ways)]
                weights[random.randrange(ways)] += 1
                lost = random.random() < without_route
                self._choices[a, b] = None if lost else Choice(trunks, tuple(weights))

    def choice(self, source_group: int, target_group: int) -> Choice | None:
        return self._choices[source_group, target_group]


class OneWay:
    """A plan in which every pair of groups takes one given trunk."""

    def __init__(self, trunk: Trunk) -> None:
        self._choice = Choice((trunk,), (1,))

    def choice(self, source_group: int, target_group: int) -> Choice | None:
        return self._choice


def drawn_exchanges(
    random: Random, network: Network, count: int, *, grid_ns: int = 100, grid_bytes: int = 100, sizes_max: int = 10
) -> Exchanges:
    """Draw exchanges on a coarse grid of instants and sizes: bursts, ties and empty payloads included."""
    now, rows = 0, []
    ends = network.endpoints.tolist()
    for _ in range(count):
        now += grid_ns * random.choice((0, 0, 0, 1, 1, 2, 3, 10))
        source, target = random.sample(ends, 2)
        rows.append((now, source, target, grid_bytes * random.randint(0, sizes_max)))
    return exchanges(*(list(column) for column in zip(*rows, strict=True)))
