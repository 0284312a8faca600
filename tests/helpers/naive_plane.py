"""An oracle for data planes: exchange by exchange, from the rules alone, with everything known beforehand.

No queue is kept and no service has an event of its own. First come first served with c servers means that whoever
arrives next takes the server that falls free first (Kiefer and Wolfowitz, 1955), so one list of (instant, id, hop)
in order decides everything, and a log of visits answers any question about any instant.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from router_core.exchanges import Exchanges
from router_core.network import Network
from router_core.plan import Choice, Plan

MASK = 2**64 - 1


def splitmix64(value: int) -> int:
    """The 64-bit finaliser of Steele, Lea and Flood (OOPSLA 2014) in Python's own integers."""
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def naive_spread(exchange_id: int, salt: int, total: int) -> int:
    return splitmix64(splitmix64(exchange_id) ^ salt) % total


def naive_pick(choice: Choice, exchange_id: int) -> int:
    """Position of the trunk: one ticket a unit of weight, handed out in order."""
    tickets = [place for place, weight in enumerate(choice.weights) for _ in range(weight)]
    return tickets[naive_spread(exchange_id, 0, len(tickets))]


@dataclass(frozen=True)
class Visit:
    """One exchange at one station [ns]."""

    exchange: int
    station: int
    arrived: int
    start: int
    end: int


@dataclass(frozen=True)
class NaiveRun:
    submitted: list[int]
    delivered: list[int]  # -1: never
    refused: list[bool]
    payload: list[int]
    visits: list[Visit]
    stations: int

    def snapshot(self, now: int) -> dict[str, object]:
        """What a data plane must say at `now`: everything before has happened, nothing at it."""
        busy, waiting, served, served_bytes = ([0] * self.stations for _ in range(4))
        for visit in self.visits:
            if visit.start < now:
                busy[visit.station] += min(visit.end, now) - visit.start
                served[visit.station] += 1
                served_bytes[visit.station] += self.payload[visit.exchange]
            elif visit.arrived < now:
                waiting[visit.station] += 1
        entered = [at < now for at in self.submitted]
        return {
            "now_ns": now,
            "busy_ns": busy,
            "waiting": waiting,
            "served": served,
            "served_bytes": served_bytes,
            "spilled": [0] * self.stations,
            "failed": [0] * self.stations,
            "held": 0,
            "retrying": 0,
            "particles_sent": 0,
            "particles_received": 0,
            "particles_lost": 0,
            "submitted": sum(entered),
            "delivered": sum(0 <= at < now for at in self.delivered),
            "refused": sum(here and refused for here, refused in zip(entered, self.refused, strict=True)),
        }


def naive_run(
    network: Network,
    batch: Exchanges,
    plans: list[tuple[int, Plan]],
    rates: list[tuple[int, int, int]],
) -> NaiveRun:
    """Run all exchanges to their end.

    Parameters
    ----------
    network, batch
    plans : list of (instant, plan)
        In order; the one in force at an instant is the last that was set at it or before.
    rates : list of (instant, station, ps a byte)
        In order, likewise.
    """
    submitted = batch.submitted_ns.tolist()
    payload = batch.payload_bytes.tolist()
    routes: list[tuple[int, ...] | None] = []
    for number, (at, source, target) in enumerate(
        zip(submitted, batch.source.tolist(), batch.target.tolist(), strict=True)
    ):
        in_force = [plan for since, plan in plans if since <= at]
        groups = int(network.node_group[source]), int(network.node_group[target])
        choice = in_force[-1].choice(*groups) if in_force else None
        if choice is None:
            routes.append(None)
            continue
        trunk = choice.trunks[naive_pick(choice, number)]
        routes.append((*_access(network, source, trunk.first), *trunk.stations, *_egress(network, trunk.last, target)))

    changes: dict[int, list[tuple[int, int]]] = {}
    for since, station, rate in rates:
        changes.setdefault(station, []).append((since, rate))
    free = [[0] * count for count in network.station_servers.tolist()]
    fixed, after = network.station_fixed_ns.tolist(), network.station_after_ns.tolist()
    base = network.station_ps_per_byte.tolist()
    delivered = [-1] * len(submitted)
    visits: list[Visit] = []
    agenda = [(at, number, 0) for number, at in enumerate(submitted) if routes[number] is not None]
    heapify(agenda)
    while agenda:
        now, number, hop = heappop(agenda)
        route = routes[number]
        if hop == len(route):
            delivered[number] = now
            continue
        station = route[hop]
        servers = free[station]
        start = max(now, min(servers))
        rate = ([base[station]] + [rate for since, rate in changes.get(station, ()) if since <= start])[-1]
        end = start + fixed[station] + (payload[number] * rate + 999) // 1_000
        servers[servers.index(min(servers))] = end
        visits.append(Visit(number, station, now, start, end))
        heappush(agenda, (end + after[station], number, hop + 1))
    return NaiveRun(submitted, delivered, [route is None for route in routes], payload, visits, network.station_count)


def _access(network: Network, node: int, home: int) -> tuple[int, int]:
    return int(network.node_station[node]), _line(network, node, home)


def _egress(network: Network, home: int, node: int) -> tuple[int, int]:
    return _line(network, home, node), int(network.node_station[node])


def _line(network: Network, a: int, b: int) -> int:
    ends = zip(network.line_source.tolist(), network.line_target.tolist(), strict=True)
    return int(network.line_station[list(ends).index((a, b))])
