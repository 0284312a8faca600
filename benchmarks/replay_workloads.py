"""Workloads of the replay benchmarks: a made province of 696 nodes, or 32 of them in a ring, and exchanges over it.

A province has 56 centres (1 of the province, 11 of cities, 44 of counties) and 640 front-ends; its 3,136 stations are
752 at nodes and 2,384 directed lines. Cities hang on the province and counties on their city by two carriers each,
and rings of cities and of counties close cycles: routes pass them both ways round. Services are those of the bundled
province, spread over two orders of magnitude, at rates that bring the busiest station to about 0.8.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from router_core.equal_cost import EqualCostPlan
from router_core.exchanges import DTYPES, FIELDS, NO_DEADLINE, NO_LABEL, Exchanges
from router_core.network import Network
from router_core.network_builder import NetworkBuilder, Service
from router_core.randomness import stream
from router_core.units import MINUTE_NS, MS_NS, SECOND_NS, US_NS, ps_per_byte
from router_core.vocabulary import PRIORITY_MAX, Discipline, Level, NodeKind, StationRole
from sim.ways import Ways, ways

CITIES = 11
COUNTIES = 4  # of each city
FRONT_ENDS = (115, 525)  # on the province's centre, and in the cities
SECOND_HOMES = 376
PAIRS = 3_080  # of front-ends that exchange anything, in a province
RATE = 10_000 / 3  # exchanges a second in a province: 200,000 fill a minute
BYTES_MEDIAN, BYTES_SIGMA, BYTES_MAX = 63_000, 1.0, 4_000_000
# Who exchanges with whom, in shares: among the province's own, between province and cities, inside a city, between two.
SHARES = (0.11, 0.43, 0.30, 0.16)
SEED = 20_260_317


@dataclass(frozen=True)
class Kind:
    """What varies between workloads.

    Attributes
    ----------
    nodes, lines : Discipline
        Of the stations at nodes, and of the lines.
    stretch : int
        Factor of all durations: the same load in a span so many times longer.
    provinces : int
        How many provinces, in a ring.
    """

    nodes: Discipline = Discipline.FIFO
    lines: Discipline = Discipline.FIFO
    stretch: int = 1
    provinces: int = 1


FIFO = Kind()
PRIORITY = Kind(nodes=Discipline.PRIORITY, lines=Discipline.PRIORITY)
SHARED_LINES = Kind(lines=Discipline.SHARING)
STRETCHED = Kind(stretch=10)
NATION = Kind(provinces=32)


@dataclass(frozen=True, eq=False)
class Workload:
    """A network, its plan, and exchanges over it; the first ones visit each pair once.

    Attributes
    ----------
    network : Network
    plan : EqualCostPlan
    exchanges : Exchanges
    warm_ns : int
        By then each pair has sent an exchange, so every way is known: clocks start here, for everyone [ns].
    """

    network: Network
    plan: EqualCostPlan
    exchanges: Exchanges
    warm_ns: int

    def __len__(self) -> int:
        return len(self.exchanges)

    @property
    def timed(self) -> int:
        """Number of exchanges that are submitted while the clock runs."""
        return len(self) - int(self.exchanges.submitted_ns.searchsorted(self.warm_ns))

    @cached_property
    def attempts(self) -> list[tuple[tuple[int, ...], ...]]:
        """Stations that each exchange visits at its first attempt, at its second, and so on, round and round."""
        known: dict[tuple[int, int], Ways] = {}
        result = []
        ends = zip(self.exchanges.source.tolist(), self.exchanges.target.tolist(), strict=True)
        for number, (source, target) in enumerate(ends):
            if (source, target) not in known:
                found = ways(self.network, self.plan, source, target)
                assert found is not None, "the network is connected"
                known[source, target] = found
            choice, routes = known[source, target].choice, known[source, target].routes
            result.append(tuple(routes[choice.pick(number, attempt)] for attempt in range(len(routes))))
        return result

    @property
    def routes(self) -> list[tuple[int, ...]]:
        """Stations that each exchange visits if nothing fails."""
        return [attempts[0] for attempts in self.attempts]

    def utilisation(self) -> NDArray[np.float64]:
        """Busy share of each station's servers, were nothing ever to wait; (S,)."""
        network, routes = self.network, self.routes
        station = np.fromiter((index for route in routes for index in route), dtype=np.int64)
        payload = np.repeat(self.exchanges.payload_bytes, [len(route) for route in routes])
        work_ns = network.station_fixed_ns[station] + payload * network.station_ps_per_byte[station] / 1_000
        span_ns = int(self.exchanges.submitted_ns[-1])
        return np.bincount(station, work_ns, network.station_count) / (float(span_ns) * network.station_servers)


@dataclass(frozen=True)
class Outage:
    """A station is stopped from an instant to another [ns]."""

    station: int
    from_ns: int
    until_ns: int


def outages(work: Workload) -> tuple[Outage, ...]:
    """Each minute a busy station stops, until the next one does: a line, the processing of a centre, a line, ..."""
    role, busy = work.network.station_role, work.utilisation()
    order = {wanted: np.flatnonzero(role == wanted)[np.argsort(-busy[role == wanted])] for wanted in StationRole}
    turns = (StationRole.LINE, StationRole.PROCESS)
    minutes = range(1, int(work.exchanges.submitted_ns[-1]) // MINUTE_NS)
    return tuple(
        Outage(int(order[turns[minute % 2]][minute]), minute * MINUTE_NS, (minute + 1) * MINUTE_NS)
        for minute in minutes
    )


@cache
def workload(kind: Kind, count: int) -> Workload:
    """Make a workload of about `count` timed exchanges; the network does not depend on the number."""
    network, plan, sources, targets, weights = _place(kind)
    rng = stream(SEED, f"exchanges {count}")
    pairs = len(sources)
    number = pairs + count
    gap_ns = SECOND_NS * kind.stretch / (RATE * kind.provinces)
    submitted_ns = np.cumsum(rng.exponential(gap_ns, number)).astype(np.int64)
    pair = np.concatenate((rng.permutation(pairs), rng.choice(pairs, count, p=weights)))
    sizes = np.minimum(np.rint(BYTES_MEDIAN * np.exp(BYTES_SIGMA * rng.standard_normal(number))), BYTES_MAX)
    values = {
        "submitted_ns": submitted_ns,
        "source": sources[pair],
        "target": targets[pair],
        "payload_bytes": sizes,
        "priority": rng.integers(0, PRIORITY_MAX + 1, number),
        "deadline_ns": NO_DEADLINE,
        "demand_type": NO_LABEL,
        "surge": NO_LABEL,
    }
    columns = {name: np.full(number, values.get(name, 0), dtype=DTYPES[name]) for name in FIELDS}
    return Workload(network, plan, Exchanges(**columns), int(submitted_ns[pairs]))


@cache
def _place(
    kind: Kind,
) -> tuple[Network, EqualCostPlan, NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """The network, its plan with all ways found, the pairs, and their shares of the exchanges."""
    network, provinces = _network(kind)
    plan = EqualCostPlan(network)
    rng = stream(SEED, "pairs")
    sources, targets = [], []
    for province in provinces:
        for _ in range(PAIRS // (4 if kind.provinces > 1 else 1)):
            source, target = _pair(province, rng)
            sources.append(source)
            targets.append(target)
    for source, target in zip(sources, targets, strict=True):
        plan.choice(int(network.node_group[source]), int(network.node_group[target]))
    weights = rng.gamma(2.0, size=len(sources))
    return network, plan, np.array(sources, np.int32), np.array(targets, np.int32), weights / weights.sum()


@dataclass(frozen=True)
class _Province:
    """Node numbers of the centre, and of the front-ends: the province's own, and by city."""

    centre: int
    own: tuple[int, ...]
    city: tuple[tuple[int, ...], ...]


def _pair(province: _Province, rng: np.random.Generator) -> tuple[int, int]:
    kind = rng.choice(len(SHARES), p=SHARES)
    one, other = rng.choice(CITIES, 2, replace=False)
    sides = (
        (province.own, province.own),
        (province.own, province.city[one]),
        (province.city[one], province.city[one]),
        (province.city[one], province.city[other]),
    )[kind]
    while True:
        ends = [int(rng.choice(side)) for side in sides]
        if ends[0] != ends[1]:
            rng.shuffle(ends)
            return ends[0], ends[1]


def _network(kind: Kind) -> tuple[Network, list[_Province]]:
    builder = NetworkBuilder(("outer",), ("a", "b"))
    draws = stream(SEED, "network")
    provinces = [_add_province(builder, kind, f"p{number}", draws) for number in range(kind.provinces)]
    if len(provinces) > 1:
        around = zip(provinces, provinces[1:] + provinces[:1], strict=True)
        for here, there in around:
            builder.add_line(here.centre, there.centre, service=_line(kind, 1_000, 5 * MS_NS), carrier=0)
    return builder.build(), provinces


def _add_province(builder: NetworkBuilder, kind: Kind, name: str, draws: np.random.Generator) -> _Province:
    def centre(label: str, level: Level, servers: int, rate: int) -> int:
        return builder.add_node(
            f"{name}{label}",
            NodeKind.CENTRE,
            level=level,
            service=_node(kind, 8, 300 * US_NS, 8_000),
            process=_node(kind, servers, 2 * MS_NS, rate),
        )

    def join(a: int, b: int, mbps: int, carriers: int = 1) -> None:
        for carrier in range(carriers):
            distance_ns = int(draws.integers(200, 2_000)) * US_NS
            builder.add_line(a, b, service=_line(kind, mbps, distance_ns), carrier=carrier)

    top = centre("", Level.PROVINCE, 32, 125_000)
    cities = [centre(f"c{city}", Level.CITY, 6, 166_667) for city in range(CITIES)]
    counties = [
        [centre(f"c{city}d{county}", Level.COUNTY, 2, 266_667) for county in range(COUNTIES)] for city in range(CITIES)
    ]
    for city in range(CITIES):
        join(top, cities[city], 155, carriers=2)
        join(cities[city], cities[(city + 1) % CITIES], 155)
        join(counties[city][0], counties[(city + 1) % CITIES][0], 100)
        for county in range(COUNTIES):
            join(cities[city], counties[city][county], 100, carriers=2)
            join(counties[city][county], counties[city][(county + 1) % COUNTIES], 100)

    def front_end(label: str, homes: list[int]) -> int:
        node = builder.add_node(
            f"{name}{label}", NodeKind.FRONT_END, level=Level.CITY, service=_node(kind, 4, 500 * US_NS, 8_000)
        )
        for home in homes:
            builder.add_line(node, home, service=_line(kind, 1_000, 50 * US_NS))
        return node

    own = tuple(front_end(f"f{number}", [top]) for number in range(FRONT_ENDS[0]))
    by_city: list[list[int]] = [[] for _ in range(CITIES)]
    for number in range(FRONT_ENDS[1]):
        city = number % CITIES
        centres = [cities[city], *counties[city]]
        home = number // CITIES % len(centres)
        homes = [centres[home], centres[(home + 1) % len(centres)]][: 2 if number < SECOND_HOMES else 1]
        by_city[city].append(front_end(f"g{number}", homes))
    return _Province(top, own, tuple(map(tuple, by_city)))


def _node(kind: Kind, servers: int, fixed_ns: int, rate: int) -> Service:
    return Service(servers, fixed_ns * kind.stretch, rate * kind.stretch, discipline=kind.nodes)


def _line(kind: Kind, mbps: int, after_ns: int) -> Service:
    return Service(
        1, 100 * US_NS * kind.stretch, ps_per_byte(mbps) * kind.stretch, after_ns * kind.stretch, discipline=kind.lines
    )
