"""From hours that pass the limit to the programme of upgrades, and from its answer to changes of the scenario."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from router_core.calendar import day_of
from router_core.demand_model import Demand
from router_core.loads import Incidence
from router_core.network import Network
from router_core.paths.capacity import platform_capacity
from router_core.paths.path_set import PathSet, path_set
from router_core.paths.route_space import space_of_network
from router_core.paths.survivable import choose_paths
from router_core.paths.trunks import path_trunks
from router_core.plan import Choice, Plan
from router_core.platform import Platform
from router_core.table.weights import WEIGHT_TOTAL, whole_weights
from router_core.vocabulary import Level, NodeKind, StationRole
from sim.studies.growth.loads import (
    HOUR_S,
    CarriedPlan,
    GivenPlan,
    Horizon,
    Judge,
    StationLoads,
    day_demand,
    others_share,
)
from sim.studies.growth.price_list import PriceList
from sim.studies.growth.programme import UpgradeProblem, Upgrades, cheapest_upgrades
from traces.calibrate import pair_sums, pairs_of
from traces.workload import Workload

SERVERS_MORE: Final = 512
ROUNDS_MAX: Final = 8
# Whole weights and rates round: what passes its limit by less, relatively, is within it.
SUFFICIENT: Final = 1e-3
PATHS: Final = 4
# Pairs that may be split anew, those with most of the load that is too much; what others have keeps its ways.
PAIRS_MAX: Final = 600
PS_OF_MBPS: Final = 8_000_000.0


@dataclass(frozen=True, eq=False)
class PeakHour:
    """An hour to be carried.

    Attributes
    ----------
    when : datetime
    working : bool
    others_factor : float
        On what other users take of the lines.
    demand : Demand
    square_per_s : float64 (D,)
        Sum of the squares of the payloads of each row of it, by the second [bytes^2/s].
    """

    when: datetime
    working: bool
    others_factor: float
    demand: Demand
    square_per_s: NDArray[np.float64]


def peak_hour(workload: Workload, horizon: Horizon, number: int, hour: int) -> PeakHour:
    """Return an hour of a horizon's day."""
    when = horizon.day(number)
    working = day_of(when).working
    flows, sizes = workload.flows, workload.sizes.astype(np.float64)
    first, second = sizes.mean(axis=1), np.square(sizes).mean(axis=1)
    means = day_demand(workload, horizon, number)
    rates = [means[kind] / HOUR_S * workload.shares.of(kind, hour, working) for kind in range(len(means))]
    rate = np.concatenate(rates)
    kinds = flows.kinds()
    pair, source, target = pairs_of(flows)
    columns = [pair_sums(pair, values, len(source)) for values in (rate, rate * first[kinds], rate * second[kinds])]
    used = columns[0] > 0
    demand = Demand(source[used], target[used], columns[0][used], columns[1][used])
    at = datetime.combine(when, time()) + timedelta(hours=hour)
    return PeakHour(at, working, horizon.growth.others_factor(number), demand, columns[2][used])


@dataclass(frozen=True)
class Upgrade:
    """One upgrade: where, from what to what, at what cost, and the change of the scenario that makes it."""

    kind: str
    place: str
    before: float
    after: float
    unit: str
    cost: float
    change: str


@dataclass(frozen=True, eq=False)
class Proposal:
    """What the programme proposes.

    Attributes
    ----------
    upgrades : tuple of Upgrade
    cost, lower_bound : float
    plans : tuple of Plan
        For each hour, how demand is split once they are made.
    beyond : tuple of (str, float)
        Stations that stay above the limit whatever is bought, and their load over limit.
    resplit : float
        Share of the bytes of the hours that may be split anew.
    rounds : int
        In how many rounds the programme was solved.
    """

    upgrades: tuple[Upgrade, ...]
    cost: float
    lower_bound: float
    plans: tuple[Plan, ...]
    beyond: tuple[tuple[str, float], ...]
    resplit: float
    rounds: int

    @property
    def changes(self) -> tuple[str, ...]:
        """The upgrades as changes of the scenario."""
        return tuple(one.change for one in self.upgrades)


@dataclass(frozen=True, eq=False)
class _Option:
    """What can be bought: room at stations by a unit, or lending room of a pool."""

    kind: str
    place: str
    before: float
    step: float
    unit: str
    cost: float
    most: int
    ladder: int
    station: tuple[int, ...]
    room: float
    pool: int = -1


def options_of(judge: Judge, prices: PriceList, stations: NDArray[np.intp]) -> list[_Option]:
    """Return all upgrades of these stations, and of the pools that lend to them."""
    network = judge.platform.network
    result: list[_Option] = []
    lines: dict[tuple[int, int], list[int]] = {}
    for station in stations.tolist():
        owner, role = int(network.station_owner[station]), int(network.station_role[station])
        if role == StationRole.LINE:
            a, b = sorted((int(network.line_source[owner]), int(network.line_target[owner])))
            lines.setdefault((a, b), [])
            continue
        node = owner
        kind = NodeKind(network.node_kind[node])
        if kind == NodeKind.EXTERNAL or (kind == NodeKind.CENTRE and role == StationRole.PASS):
            continue  # somebody else's, and a queue that no change of a scenario speaks of
        level = Level(network.node_level[node]).name.lower()
        price = "front_end" if kind == NodeKind.FRONT_END else level if kind == NodeKind.CENTRE else "other"
        cost = prices.servers[price if price in prices.servers else "other"]
        count = float(network.station_servers[station])
        name = network.node_name[node]
        result.append(_Option("servers", name, count, 1.0, "servers", cost, SERVERS_MORE, -1, (station,), judge.limit))
    for line in range(network.line_count):
        ends = sorted((int(network.line_source[line]), int(network.line_target[line])))
        key = (ends[0], ends[1])
        if key in lines:
            lines[key].append(line)
    for ladder, ((a, b), members) in enumerate(lines.items()):
        cables = len(members) // 2
        name = f"{network.node_name[a]}-{network.node_name[b]}"
        served = network.line_station[members]
        # Stations count whole picoseconds a byte: 155 Mbit/s are 154.9997 there.
        rate = round(PS_OF_MBPS / float(network.station_ps_per_byte[served].max()), 2)
        for wanted, cost in prices.classes(rate):
            factor = wanted / rate
            room = judge.limit * (factor - 1)
            result.append(
                _Option("line", name, rate, factor, "Mbit/s", cost * cables, 1, ladder, tuple(served.tolist()), room)
            )
    pools = judge.pool_of[np.isin(judge.loads.station, stations)]
    for pool in np.unique(pools[pools >= 0]).tolist():
        says = network.pools[pool]
        cost = prices.servers["pool"]
        result.append(
            _Option(
                "pool", says.name, float(says.servers), 1.0, "servers", cost, SERVERS_MORE, -1, (), judge.limit, pool
            )
        )
    return result


@dataclass(frozen=True, eq=False)
class _Ways:
    """The pairs of groups that may be split anew, and their paths."""

    paths: PathSet
    now: NDArray[np.float64]  # shares of the paths in force, (P,)


def _ways(network: Network, plan: Plan, pairs: Sequence[tuple[int, int]]) -> _Ways:
    """Return paths of pairs: those in force, then those a static plan would choose from."""
    space = space_of_network(network)
    found = choose_paths(space, platform_capacity(network), PATHS, [a for a, _ in pairs], [b for _, b in pairs])
    lists, shares = [], []
    for place, (a, b) in enumerate(pairs):
        choice = plan.choice(a, b)
        assert choice is not None
        ways: dict[tuple[int, ...], float] = {}
        ends = network.group_endpoint[a], network.group_endpoint[b]
        several = [len(network.groups[group]) > 1 for group in (a, b)]
        for trunk, weight in zip(choice.trunks, choice.weights, strict=True):
            into = (network.access_station[ends[0], trunk.first],) if several[0] else ()
            out = (network.access_station[trunk.last, ends[1]],) if several[1] else ()
            way = (*into, *trunk.stations, *out)
            ways[way] = ways.get(way, 0.0) + weight / sum(choice.weights)
        for path in found.paths_of(place):
            ways.setdefault(path, 0.0)
        lists.append(list(ways))
        shares += list(ways.values())
    sources, targets = np.array([a for a, _ in pairs], np.int32), np.array([b for _, b in pairs], np.int32)
    return _Ways(path_set(space, sources, targets, lists), np.array(shares))


def plan_of(network: Network, paths: PathSet, shares: NDArray[np.float64], default: Plan) -> GivenPlan:
    """Return the plan that splits these pairs so, and leaves the others."""
    trunks = path_trunks(network, paths)
    weights = whole_weights(shares, paths.pair_start, WEIGHT_TOTAL)
    choices = {}
    for pair in range(paths.pair_count):
        span = [p for p in range(int(paths.pair_start[pair]), int(paths.pair_start[pair + 1])) if weights[p] > 0]
        choices[int(paths.source[pair]), int(paths.target[pair])] = Choice(
            tuple(trunks.trunk(path) for path in span), tuple(int(weights[path]) for path in span)
        )
    return GivenPlan(default, choices)


@dataclass(frozen=True, eq=False)
class HourWork:
    """Work of peak hours at all stations, each (M, S) [s/s]: exact, endpoint by endpoint.

    Attributes
    ----------
    mean, planned : float64 (M, S)
        Mean, and what the hour is planned for.
    fixed : float64 (M, S)
        Part of the mean that does not hang on sizes.
    """

    mean: NDArray[np.float64]
    planned: NDArray[np.float64]
    fixed: NDArray[np.float64]


def hour_work(judge: Judge, hours: Sequence[PeakHour], plans: Sequence[Plan]) -> HourWork:
    """Work out what plans ask of every station of the judge's platform in these hours."""
    network = judge.platform.network
    fixed_s, byte_s = network.station_fixed_ns * 1e-9, network.station_ps_per_byte * 1e-12
    means, planned, fixed = [], [], []
    for hour, plan in zip(hours, plans, strict=True):
        demand = hour.demand
        incidence = Incidence(network, plan, demand.source, demand.target)
        nothing = np.zeros(len(demand.source))
        by_number, by_bytes = (
            incidence.work(demand.exchanges_per_s, nothing),
            incidence.work(nothing, demand.bytes_per_s),
        )
        by_square = incidence.work(nothing, hour.square_per_s)
        variance = (fixed_s * by_number + 2 * fixed_s * by_bytes + byte_s * by_square) / HOUR_S
        means.append(by_number + by_bytes)
        planned.append(judge.planned(means[-1], variance))
        fixed.append(by_number)
    return HourWork(np.stack(means), np.stack(planned), np.stack(fixed))


def others_of(platform: Platform, hours: Sequence[PeakHour]) -> NDArray[np.float64]:
    """Share that other users take of every station in these hours, (M, S)."""
    every = np.arange(platform.network.station_count)
    rows = [others_share(platform, every, one.working, one.others_factor)[one.when.hour] for one in hours]
    return np.stack(rows)


def whole(judge: Judge, platform: Platform) -> Judge:
    """Return a judge of every station of a platform."""
    loads = judge.loads
    every = np.arange(platform.network.station_count)
    nothing = np.zeros((2, 0, 24, len(every)))
    bare = StationLoads(loads.workload, every, nothing, nothing[0, :, 0], nothing[0, :, 0])
    return replace(judge, platform=platform, loads=bare)


def propose(
    judge: Judge,
    hours: Sequence[PeakHour],
    plan: Plan,
    prices: PriceList,
    upgraded: Callable[[tuple[str, ...]], Platform],
    *,
    resplit: bool = True,
    pairs_max: int = PAIRS_MAX,
    gap: float = 1e-4,
) -> Proposal:
    """Return the cheapest upgrades with which these hours stay within the limit.

    Pairs whose ways pass a station beyond its limit may be split anew, in each hour by itself, over the ways they have
    and those that a static plan would choose; all others keep their ways. What the answer really comes to is worked out
    on the upgraded platform; as long as anything passes its limit there, the programme is solved again with the margins
    found.

    Parameters
    ----------
    judge : Judge
        Of the platform at the horizon's end.
    hours : sequence of PeakHour
        At least one.
    plan : Plan
        In force without upgrades.
    prices : PriceList
    upgraded : callable
        Returns the platform with further changes.
    resplit : bool
        Whether ways may change at all.
    pairs_max : int
        How many pairs are split anew at most, those with most of what is too much.
    gap : float
        Of the programme's proof, relatively.
    """
    network, judge = judge.platform.network, whole(judge, judge.platform)
    base = hour_work(judge, hours, [plan] * len(hours))
    others = others_of(judge.platform, hours)
    room = judge.limit * judge.servers * (1 - others)
    over = np.flatnonzero((base.planned > room).any(axis=0))
    if not len(over):
        return Proposal((), 0.0, 0.0, (plan,) * len(hours), (), 0.0, 0)
    pairs = _pairs_through(judge, hours, plan, over, pairs_max) if resplit else []
    ways = _ways(network, plan, pairs)
    programme = _Programme(judge, hours, ways, prices, over, base, room)
    plans: tuple[Plan, ...] = (plan,) * len(hours)
    now = base
    rounds = 0
    for rounds in range(1, ROUNDS_MAX + 1):  # noqa: B007 - told afterwards
        answer, chosen = programme.solve(now, gap)
        plans = tuple(plan_of(network, ways.paths, shares, plan) if pairs else plan for shares in answer.shares)
        after = whole(judge, upgraded(tuple(one.change for one in chosen)))
        there = [CarriedPlan(one, network, after.platform.network) for one in plans]
        work, taken = hour_work(after, hours, there), others_of(after.platform, hours)
        degree = after.degree(work.planned, taken)
        now = hour_work(judge, hours, plans)
        names = after.watched()
        late = [
            (names.name[place], float(degree[:, place].max()))
            for place in np.flatnonzero((degree > 1 + SUFFICIENT).any(axis=0)).tolist()
        ]
        known = {network.station_name[station] for station in programme.beyond(answer)}
        if all(name in known for name, _ in late):
            break
    share = float(sum(one.bytes_per_s[_of_pairs(network, one, pairs)].sum() for one in (h.demand for h in hours)))
    total = float(sum(one.demand.bytes_per_s.sum() for one in hours))
    return Proposal(
        tuple(chosen), answer.cost, answer.lower_bound, plans, tuple(late), share / total if total else 0.0, rounds
    )


def _of_pairs(network: Network, demand: Demand, pairs: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    groups = len(network.groups)
    key = network.node_group[demand.source].astype(np.int64) * groups + network.node_group[demand.target]
    return np.isin(key, [a * groups + b for a, b in pairs])


def _pairs_through(
    judge: Judge, hours: Sequence[PeakHour], plan: Plan, over: NDArray[np.intp], most: int
) -> list[tuple[int, int]]:
    """Return the pairs of groups with most work at stations beyond their limits, ascending."""
    network = judge.platform.network
    beyond = set(over.tolist())
    fixed_s, byte_s = network.station_fixed_ns * 1e-9, network.station_ps_per_byte * 1e-12
    total: dict[tuple[int, int], NDArray[np.float64]] = {}
    for hour in hours:
        demand = hour.demand
        groups = network.node_group[demand.source].tolist(), network.node_group[demand.target].tolist()
        rates = np.stack((demand.exchanges_per_s, demand.bytes_per_s), axis=1)
        for a, b, rate in zip(*groups, rates, strict=True):
            total[a, b] = total.get((a, b), np.zeros(2)) + rate
    found = []
    for (a, b), (number, amount) in total.items():
        choice = plan.choice(a, b)
        assert choice is not None
        weights = sum(choice.weights)
        work = 0.0
        for trunk, weight in zip(choice.trunks, choice.weights, strict=True):
            for station in beyond.intersection(trunk.stations):
                work += weight / weights * (number * fixed_s[station] + amount * byte_s[station])
        if work > 0:
            found.append((-work, (a, b)))
    return sorted(pair for _, pair in sorted(found)[:most])


class _Programme:
    """The programme of some hours; margins are those of the plans it was last asked with."""

    def __init__(
        self,
        judge: Judge,
        hours: Sequence[PeakHour],
        ways: _Ways,
        prices: PriceList,
        over: NDArray[np.intp],
        base: HourWork,
        room: NDArray[np.float64],
    ) -> None:
        network = judge.platform.network
        self._judge, self._ways, self._base, self._room = judge, ways, base, room
        paths = ways.paths
        # A path of a group with several homes has access lines of one endpoint: every endpoint has its own instead.
        endpoint = _at_endpoints(network)
        length = np.diff(paths.path_start)
        entry = np.repeat(np.arange(paths.path_count), length)
        inner = ~endpoint[paths.path_station]
        entry, station = entry[inner], paths.path_station[inner].astype(np.int64)
        unit = np.stack((network.station_fixed_ns * 1e-9, network.station_ps_per_byte * 1e-12))
        self._loads = []
        for hour in hours:
            rates = _pair_rates(network, paths, hour.demand)
            value = np.einsum("re,re->e", unit[:, station], rates[:, paths.path_pair[entry]])
            more = _access_entries(network, paths, hour.demand, unit)
            row, column = np.concatenate((station, more[0])), np.concatenate((entry, more[1]))
            shape = (network.station_count, paths.path_count)
            self._loads.append(sparse.csr_array((np.concatenate((value, more[2])), (row, column)), shape=shape))
        most = np.max([self._all_that_may_pass(load) for load in self._loads], axis=0)
        own = np.stack([load @ ways.now for load in self._loads])
        self._kept = base.mean - own
        may = ((self._kept + most + (base.planned - base.mean)) > room).any(axis=0)
        may[over] = True
        self.row_of = np.flatnonzero(may)
        self._options = options_of(judge, prices, self.row_of)

    def _all_that_may_pass(self, load: sparse.csr_array) -> NDArray[np.float64]:
        """Work at each station if all that has a path there took it; a pair counts by its heaviest path there."""
        pair = self._ways.paths.path_pair
        best = np.zeros(load.shape[0])
        entries = load.tocoo()
        if entries.nnz:
            station, path = entries.coords
            key = station.astype(np.int64) * (int(pair.max()) + 1) + pair[path]
            names, place = np.unique(key, return_inverse=True)
            heaviest = np.zeros(len(names))
            np.maximum.at(heaviest, place, entries.data)
            np.add.at(best, names // (int(pair.max()) + 1), heaviest)
        return best

    def solve(self, now: HourWork, gap: float) -> tuple[Upgrades, list[Upgrade]]:
        """Solve with the margins and fixed times that some plans led to; they rise from round to round."""
        rows, options, limit = self.row_of, self._options, self._judge.limit
        place = {int(station): row for row, station in enumerate(rows.tolist())}
        margin = np.maximum(now.planned - now.mean, self._base.planned - self._base.mean)[:, rows]
        kept = self._kept[:, rows]
        fixed_time = np.maximum(now.fixed, self._base.fixed).max(axis=0)
        entries: list[tuple[int, int, float]] = []
        pools = np.unique([one.pool for one in options if one.pool >= 0]).astype(int).tolist()
        lent: list[tuple[int, int, float]] = []
        for column, one in enumerate(options):
            if one.pool >= 0:
                lent.append((pools.index(one.pool), column, one.room))
            for station in one.station:
                if station in place:
                    room = one.room - (one.step - 1) * float(fixed_time[station]) if one.kind == "line" else one.room
                    entries.append((place[station], column, max(room, 0.0)))
        pool_of = self._judge.pool_of[rows]
        budget = [limit * self._judge.platform.network.pools[pool].servers for pool in pools]
        problem = UpgradeProblem(
            path_pair=self._ways.paths.path_pair.astype(np.int64),
            load=sparse.vstack([load[rows] for load in self._loads], format="csr"),
            fixed=kept + margin,
            room=self._room[:, rows],
            gain=_sparse(entries, (len(rows), len(options))),
            cost=np.array([one.cost for one in options], dtype=np.float64),
            most=np.array([one.most for one in options], dtype=np.int64),
            ladder=np.array([one.ladder for one in options], dtype=np.int64),
            lender=np.array([pools.index(pool) if pool in pools else -1 for pool in pool_of.tolist()], dtype=np.int64),
            budget=np.array(budget, dtype=np.float64),
            lent_more=_sparse(lent, (len(pools), len(options))),
        )
        self._base = HourWork(
            self._base.mean,
            self._base.mean + np.maximum(now.planned - now.mean, self._base.planned - self._base.mean),
            np.maximum(now.fixed, self._base.fixed),
        )
        answer = cheapest_upgrades(problem, gap=gap)
        return answer, [_bought(one, count) for one, count in zip(options, answer.units.tolist(), strict=True) if count]

    def beyond(self, answer: Upgrades) -> list[int]:
        """Stations for which nothing that can be bought makes enough room."""
        return [int(station) for station in self.row_of[answer.beyond > 0]]


def _sparse(entries: list[tuple[int, int, float]], shape: tuple[int, int]) -> sparse.csr_array:
    row, column, value = zip(*entries, strict=True) if entries else ((), (), ())
    return sparse.csr_array((np.array(value, np.float64), (np.array(row, int), np.array(column, int))), shape=shape)


def _bought(option: _Option, count: int) -> Upgrade:
    if option.kind == "line":
        after, change = (
            round(option.before * option.step, 2),
            f"lines:{option.place} x{option.step:.9f}".rstrip("0").rstrip("."),
        )
        return Upgrade("line", option.place, option.before, after, option.unit, option.cost, change)
    word = "servers" if option.kind == "servers" else "pool"
    change = f"{word}:{option.place} +{count}"
    after = option.before + count
    return Upgrade(option.kind, option.place, option.before, after, option.unit, option.cost * count, change)


def _at_endpoints(network: Network) -> NDArray[np.bool_]:
    """Whether each station is an endpoint's own, or one of its access lines, (S,)."""
    result = np.zeros(network.station_count, dtype=np.bool_)
    result[network.node_station[network.endpoints]] = True
    touching = network.is_endpoint[network.line_source] | network.is_endpoint[network.line_target]
    result[network.line_station[touching]] = True
    return result


def _access_entries(
    network: Network, paths: PathSet, demand: Demand, unit: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return stations, paths and work of access lines that hang on the choice of a home, endpoint by endpoint."""
    place = _pair_places(network, paths, demand)
    rows = np.flatnonzero(place >= 0)
    several = np.array([len(homes) > 1 for homes in network.groups], dtype=np.bool_)
    group = network.node_group
    ends = several[group[demand.source[rows]]] | several[group[demand.target[rows]]]
    trunks = path_trunks(network, paths)
    found: list[tuple[int, int, float]] = []
    for row in rows[ends].tolist():
        source, target, pair = int(demand.source[row]), int(demand.target[row]), int(place[row])
        stations = [(source, True)] if several[group[source]] else []
        stations += [(target, False)] if several[group[target]] else []
        rate = np.array([demand.exchanges_per_s[row], demand.bytes_per_s[row]])
        for path in range(int(paths.pair_start[pair]), int(paths.pair_start[pair + 1])):
            for end, leaving in stations:
                home = int(trunks.first[path] if leaving else trunks.last[path])
                station = network.access_station[(end, home) if leaving else (home, end)]
                found.append((station, path, float(rate @ unit[:, station])))
    station_of, path_of, work = zip(*found, strict=True) if found else ((), (), ())
    return np.array(station_of, np.int64), np.array(path_of, np.int64), np.array(work, np.float64)


def _pair_places(network: Network, paths: PathSet, demand: Demand) -> NDArray[np.intp]:
    """Pair of a path set, ascending, that each row of a demand belongs to, or -1."""
    groups = len(network.groups)
    key = network.node_group[demand.source].astype(np.int64) * groups + network.node_group[demand.target]
    known = paths.source.astype(np.int64) * groups + paths.target
    if not len(known):
        return np.full(len(key), -1)
    place = np.minimum(np.searchsorted(known, key), len(known) - 1)
    return np.where(known[place] == key, place, -1)


def _pair_rates(network: Network, paths: PathSet, demand: Demand) -> NDArray[np.float64]:
    """Exchanges and bytes a second of the pairs of a path set, (2, D); what other pairs have is left out."""
    place = _pair_places(network, paths, demand)
    mine = place >= 0
    rates = (demand.exchanges_per_s, demand.bytes_per_s)
    return np.stack([np.bincount(place[mine], rate[mine], paths.pair_count) for rate in rates])
