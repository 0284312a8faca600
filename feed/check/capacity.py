"""Whether stations carry what is expected, without a failure and after any single one, pair by pair."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from feed.bundle.documents import CapacityDocument
from feed.bundle.parsed import Parsed, weights_at
from feed.check.demand import Demand, Sent
from feed.check.findings import Finding, Rule, Severity
from feed.check.loads import Loads
from feed.check.moment import begins_at
from feed.check.policy_table import PolicyTable
from feed.check.setting import CheckSetting
from router_core.lending import lending_station
from router_core.network import Network
from router_core.paths.failure_loads import FailureLoads
from router_core.paths.path_set import PathSet
from router_core.splits.peak import PeakSolver

# Of a station's own peak, from which on another slot need not be looked at for its sake.
NEAR_PEAK = 0.9
# How near the least peak a comparison must come.
GAP = 0.05


def borrowed_servers(network: Network, capacity: CapacityDocument, slot: int, *, now: bool) -> NDArray[np.float64]:
    """Servers that each station has besides its own in a slot, (S,), by plan or at the moment."""
    result = np.zeros(network.station_count)
    at, index = lending_station(network), network.node_index
    for name, runs in capacity.planned.items():
        result[at[index[name]]] = weights_at(runs, slot)
    for name, servers in capacity.now.items() if now else ():
        result[at[index[name]]] = servers
    return result


@dataclass(frozen=True, eq=False)
class Moment:
    """One slot under one layer, with what is expected then in M courses.

    Attributes
    ----------
    hour : int
        Of the loads' grid.
    dynamic : bool
        Whether the dynamic layer holds.
    weights : int64 (P,)
    demand : float64 (D, 2 M)
        Of each pair: exchanges a second, then bytes.
    room : float64 (S,)
        Servers, borrowed ones too; lines less what other users take.
    flow : float64 (S, 2 M)
    utilisation : float64 (S, M)
        Of every station, endpoints and their access lines too.
    """

    hour: int
    dynamic: bool
    weights: NDArray[np.int64]
    demand: NDArray[np.float64]
    room: NDArray[np.float64]
    flow: NDArray[np.float64]
    utilisation: NDArray[np.float64]


class CapacityCheck:
    """Reckons stations' loads under a policy.

    Parameters
    ----------
    network : Network
    table : PolicyTable
    paths : PathSet
        Of the table.
    parsed : Parsed
    loads : Loads
    setting : CheckSetting
    """

    def __init__(
        self,
        network: Network,
        table: PolicyTable,
        paths: PathSet,
        parsed: Parsed,
        loads: Loads,
        setting: CheckSetting,
    ) -> None:
        self._network = network
        self._table = table
        self._paths = paths
        self._parsed = parsed
        self._loads = loads
        self._setting = setting
        self.failures = FailureLoads(paths)
        self._sent = Sent(loads, parsed.release)
        self._demand = Demand(network, table, loads)
        self._work = np.stack((network.station_fixed_ns * 1e-9, network.station_ps_per_byte * 1e-12))
        self._access = np.zeros(network.station_count, dtype=np.bool_)
        self._access[list(network.access_station.values())] = True
        self._of_ends = self._access.copy()
        self._of_ends[network.node_station[network.endpoints]] = True

    @property
    def unrouted(self) -> int:
        """Number of forecast series between groups that have no way."""
        return self._demand.unrouted

    @cached_property
    def expected(self) -> NDArray[np.float64]:
        """The expected utilisation of stations in every hour under the static layer, (S, T)."""
        network, table, slot_of = self._network, self._table, self._sent.slot_of
        hourly = self._sent.mean()
        demand = self._demand.of_pairs(hourly)
        hours = len(slot_of)
        flow = np.zeros((network.station_count, 2 * hours))
        row = np.searchsorted(table.changes(), slot_of, side="right")
        for which in np.unique(row).tolist():
            held = np.flatnonzero(row == which)
            columns = np.concatenate((held, hours + held))
            part = np.ascontiguousarray(demand[:, columns])
            flow[:, columns] = self.failures.flows(table.weights(int(slot_of[held[0]])), part)
        work = self._work[0][:, None] * flow[:, :hours] + self._work[1][:, None] * flow[:, hours:]
        ends = self._demand.of_ends(hourly)
        own = network.node_station[network.endpoints]
        both = ends.sent + ends.received
        work[own] = self._work[0][own, None] * both[0] + self._work[1][own, None] * both[1]
        work[self._access] = 0.0
        return np.asarray(work / self._room_of_hours())

    def worst_hours(self) -> list[int]:
        """Return the hours worth a closer look: the busiest first, then those in which other stations are busiest."""
        used = self.expected
        peak = used.max(axis=1, initial=0.0)
        left = peak > 0
        found: list[int] = []
        while left.any() and len(found) < self._setting.slots:
            station = int(np.argmax(np.where(left, peak, -1.0)))
            hour = int(np.argmax(used[station]))
            found.append(hour)
            left &= used[:, hour] < NEAR_PEAK * peak
        return found

    def busiest(self, hours: range) -> int:
        """Return the hour of these in which the busiest station is busiest."""
        return hours[int(np.argmax(self.expected.max(axis=0, initial=0.0)[hours.start : hours.stop]))]

    def moment(self, hour: int, *, dynamic: bool) -> Moment:
        """Reckon one hour."""
        network, table = self._network, self._table
        slot = int(self._sent.slot_of[hour])
        weights = table.weights_now(slot) if dynamic else table.weights(slot)
        hourly = self._sent.courses(hour)
        demand = self._demand.of_pairs(hourly)
        flow = self.failures.flows(weights, demand)
        courses = len(hourly)
        room = network.station_servers + borrowed_servers(network, self._parsed.capacity, slot, now=dynamic)
        room[network.line_station] *= self._loads.available_low[hour]
        work = self._work[0][:, None] * flow[:, :courses] + self._work[1][:, None] * flow[:, courses:]
        work[self._of_ends] = self._end_work(hourly, weights)[self._of_ends]
        return Moment(hour, dynamic, weights, demand, room, flow, work / room[:, None])

    def quantile(self, utilisation: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the utilisation (...,) that counts of those of M courses (..., M)."""
        return np.sort(utilisation, axis=-1)[..., self._rank(utilisation.shape[-1])]

    def overloads(self, moment: Moment) -> list[Finding]:
        """Tell stations that are too busy without a failure."""
        setting = self._setting
        used = self.quantile(moment.utilisation)
        over = np.flatnonzero(used > setting.utilisation_max)
        if not len(over):
            return []
        trunk = over[~self._of_ends[over]]
        best = math.inf
        if len(trunk):
            worst = int(trunk[np.argmax(used[trunk])])
            best = self._best(moment, moment.utilisation[worst], None)
        found = []
        for station in over.tolist():
            of_end = bool(self._of_ends[station])
            avoidable = not of_end and best <= setting.utilisation_max
            found.append(
                Finding(
                    Rule.CAPACITY,
                    Severity.REFUSE if avoidable else Severity.WARN,
                    f"{self._network.station_name[station]} {self._when(moment)}",
                    "is too busy; no split helps, as it is an endpoint's own" if of_end else _compared(best),
                    float(used[station]),
                    setting.utilisation_max,
                    self._names(() if of_end else self.failures.pairs_over(moment.weights, station).tolist()),
                )
            )
        return found

    def after_failures(self, moment: Moment) -> dict[tuple[int, int], float]:
        """Return the utilisation of each (risk, station) that a single failure makes too busy."""
        peaks = self.failures.peaks(
            moment.weights,
            moment.demand,
            moment.flow,
            self._work / moment.room,
            self._rank(moment.utilisation.shape[1]),
            self._scale(moment),
            self._setting.failure_max,
        )
        peaks[:, self._of_ends] = np.nan
        risks = self._paths.space.risks
        for risk in range(len(risks)):
            peaks[risk, risks.stations(risk)] = np.nan
        before = self.quantile(moment.utilisation)
        # What is too busy anyway, and no busier, is not told again after every failure.
        over = (peaks > self._setting.failure_max) & (peaks > before + 1e-9)
        return {(risk, station): float(peaks[risk, station]) for risk, station in np.argwhere(over).tolist()}

    def failures_told(self, moments: list[Moment]) -> list[Finding]:
        """Tell stations that a single failure makes too busy, each risk and station in its worst moment."""
        worst: dict[tuple[int, int], tuple[float, int]] = {}
        for number, moment in enumerate(moments):
            for key, value in self.after_failures(moment).items():
                if key not in worst or worst[key][0] < value:
                    worst[key] = (value, number)
        order = sorted(worst, key=lambda key: (-worst[key][0], key))
        compared: dict[int, float] = {}
        for risk, station in order:
            if risk not in compared and len(compared) < self._setting.compared:
                moment = moments[worst[risk, station][1]]
                compared[risk] = self._best(moment, self._used_after(moment, risk, station), risk)
        found = []
        after: dict[tuple[int, int], NDArray[np.int64]] = {}
        for risk, station in sorted(worst, key=lambda key: (key[0], -worst[key][0], key[1])):
            value, number = worst[risk, station]
            if (risk, number) not in after:
                after[risk, number] = self.failures.after(moments[number].weights, risk)
            found.append(
                Finding(
                    Rule.FAILURE,
                    self._setting.failure_severity,
                    f"{self._network.station_name[station]} {self._when(moments[number])}"
                    f" after {self._paths.space.risks.name[risk]}",
                    _compared(compared.get(risk)),
                    value,
                    self._setting.failure_max,
                    self._names(self.failures.pairs_over(after[risk, number], station).tolist()),
                )
            )
        return found

    def access_told(self, moment: Moment) -> list[Finding]:
        """Tell access lines that are too busy when another one of their endpoint's fails and they alone stand in.

        With two homes, that is what happens; with more, it is more than any of them gets.
        """
        network, found = self._network, []
        used = moment.utilisation * moment.room[:, None]
        for node in network.endpoints.tolist():
            homes = network.homes[node]
            for back in (False, True):
                own = [network.access_station[(home, node) if back else (node, home)] for home in homes]
                for failed in own if len(own) > 1 else ():
                    for other in own:
                        if other == failed:
                            continue
                        value = float(self.quantile((used[other] + used[failed]) / moment.room[other]))
                        if value > self._setting.failure_max:
                            name = network.station_name
                            place = f"{name[other]} {self._when(moment)} after {name[failed]}"
                            said = "is too busy; no split helps, as it is an endpoint's own"
                            limit = self._setting.failure_max
                            found.append(Finding(Rule.FAILURE, Severity.WARN, place, said, value, limit))
        return found

    def _rank(self, courses: int) -> int:
        return math.ceil(self._setting.quantile * courses - 1e-9) - 1

    def _room_of_hours(self) -> NDArray[np.float64]:
        """Room of every station in every hour, (S, T)."""
        network, slot_of = self._network, self._sent.slot_of
        room = np.empty((network.station_count, len(slot_of)))
        for slot in np.unique(slot_of).tolist():
            held = slot_of == slot
            more = borrowed_servers(network, self._parsed.capacity, slot, now=False)
            room[:, held] = (network.station_servers + more)[:, None]
        room[network.line_station] *= self._loads.available.T
        return room

    def _end_work(self, hourly: NDArray[np.float64], weights: NDArray[np.int64]) -> NDArray[np.float64]:
        """Server time asked of endpoints' own stations and access lines in each course [s/s], (S, M)."""
        network, table = self._network, self._table
        ends = network.endpoints
        work = np.zeros((network.station_count, len(hourly)))
        whole = self._demand.of_ends(hourly)
        own = network.node_station[ends]
        both = whole.sent + whole.received
        work[own] = self._work[0][own, None] * both[0] + self._work[1][own, None] * both[1]
        total = np.bincount(table.pair, weights, table.pair_count)
        share = np.divide(weights, total[table.pair], out=np.zeros(len(weights)), where=total[table.pair] > 0)
        homes = [network.homes[node] for node in ends.tolist()]
        for rank in range(max(map(len, homes), default=0)):
            at = np.array([of[rank] if rank < len(of) else -1 for of in homes], dtype=np.int64)
            home = np.full(len(network.groups), -1, dtype=np.int64)
            home[network.node_group[ends]] = at
            parts = []
            for group, end in ((table.source, table.first), (table.target, table.last)):
                here = end == home[group][table.pair]
                of_pair = np.bincount(table.pair, share * here, table.pair_count)
                pair = self._demand.pair
                parts.append(np.where(pair >= 0, np.append(of_pair, 0.0)[pair], 0.0))
            some = self._demand.of_ends(hourly, (parts[0], parts[1]))
            there = np.flatnonzero(at >= 0)
            for amount, ways in ((some.sent, zip(ends, at, strict=True)), (some.received, zip(at, ends, strict=True))):
                keys = [(int(a), int(b)) for a, b in ways]
                line = np.array([network.access_station[keys[place]] for place in there.tolist()], dtype=np.int64)
                work[line] += (
                    self._work[0][line, None] * amount[0, there] + self._work[1][line, None] * amount[1, there]
                )
        return work

    def _scale(self, moment: Moment) -> NDArray[np.float64]:
        """How much of a risk's moves it causes: an access line moves one endpoint of its group, the busiest."""
        network, risks = self._network, self._paths.space.risks
        used = moment.utilisation.mean(axis=1) * moment.room
        ends = network.endpoints
        own = used[network.node_station[ends]]
        whole = np.bincount(network.node_group[ends], own, len(network.groups))
        largest = np.zeros(len(network.groups))
        np.maximum.at(largest, network.node_group[ends], own)
        share = np.divide(largest, whole, out=np.ones_like(whole), where=whole > 0)
        scale = np.ones(len(risks))
        for risk in range(len(risks)):
            stations = risks.stations(risk)
            if self._access[stations].all():
                line = network.station_owner[stations[0]]
                pair = int(network.line_source[line]), int(network.line_target[line])
                end = pair[0] if network.is_endpoint[pair[0]] else pair[1]
                scale[risk] = share[network.node_group[end]]
        return scale

    def _used_after(self, moment: Moment, risk: int, station: int) -> NDArray[np.float64]:
        """Utilisation of a station after a risk in each course, (M,), all moves made."""
        flow = self.failures.flows(self.failures.after(moment.weights, risk), moment.demand)[station]
        courses = len(flow) // 2
        work = self._work[0, station] * flow[:courses] + self._work[1, station] * flow[courses:]
        return np.asarray(work / moment.room[station])

    def _best(self, moment: Moment, used: NDArray[np.float64], risk: int | None) -> float:
        """Peak of the best split over the same ways, in the course that counts at a station of these loads (M,).

        A lower bound where the best is too busy as well, else a split that was found.
        """
        courses = len(used)
        course = int(np.argsort(used, kind="stable")[self._rank(courses)])
        unit = self._work / moment.room
        unit[:, self._of_ends] = 0.0
        if risk is not None:
            unit[:, self._paths.space.risks.stations(risk)] = np.inf
        split = PeakSolver(self._paths, unit).solve(moment.demand[:, [course, courses + course]].T, gap=GAP)
        limit = self._setting.utilisation_max if risk is None else self._setting.failure_max
        return split.lower_bound if split.lower_bound > limit else split.objective

    def _when(self, moment: Moment) -> str:
        layer = "dynamic layer" if moment.dynamic else "static layer"
        return f"at {self._loads.grid.at(moment.hour).isoformat(timespec='minutes')} ({layer})"

    def _names(self, pairs: list[int] | tuple[()]) -> tuple[tuple[str, str], ...]:
        return tuple(self._table.pair_name(pair) for pair in pairs)


def _compared(best: float | None) -> str:
    if best is None:
        return "is too busy"
    return f"is too busy; the best split over the same ways comes to {best:.2f}"


def check_pools(network: Network, parsed: Parsed) -> Iterator[Finding]:
    """Tell nodes that cannot borrow, and pools that lend more than they have."""
    capacity = parsed.capacity
    index = network.node_index
    slots = sorted({slot for runs in capacity.planned.values() for slot, _ in runs})
    layers: list[tuple[str, Mapping[str, int]]] = [
        (f"slot {slot}", {name: weights_at(runs, slot) for name, runs in capacity.planned.items()}) for slot in slots
    ]
    strange = [
        name
        for name in sorted({*capacity.planned, *capacity.now})
        if name not in index or network.node_pool[index[name]] < 0
    ]
    for name in strange:
        yield Finding(Rule.POOL, Severity.REFUSE, f"capacity of {name}", "must be a node with a pool")
    if capacity.now:
        slot = parsed.clock().slot_at(begins_at(parsed))
        planned = {name: weights_at(runs, slot) for name, runs in capacity.planned.items()}
        layers.append(("now", {**planned, **capacity.now}))
    for layer, servers in layers:
        lent = [0] * len(network.pools)
        for name, count in servers.items():
            if name not in strange:
                lent[int(network.node_pool[index[name]])] += count
        for pool, count in zip(network.pools, lent, strict=True):
            if count > pool.servers:
                said = "lends more servers than it has"
                place = f"pool {pool.name}, {layer}"
                yield Finding(Rule.POOL, Severity.REFUSE, place, said, float(count), float(pool.servers))
