"""What every station has to do in every hour of the years to come: the calendar's tides times growth, under a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from router_core.background import FRACTION_MAX
from router_core.calendar import day_of
from router_core.loads import Incidence
from router_core.network import NO_POOL, NO_STATION, Network
from router_core.plan import Choice, Plan
from router_core.platform import Platform
from router_core.units import HOUR_NS, SECOND_NS
from router_core.vocabulary import StationRole, TaskKind
from sim.studies.growth.rates import Growth
from traces.calibrate import pair_sums, pairs_of, parts_by_source
from traces.tides import HOURS, day_level, hour_weights
from traces.workload import Workload

HOUR_S: Final = HOUR_NS / SECOND_NS
# Whatever stays so far below its limit in every hour is not looked at hour by hour.
NEAR: Final = 0.5


class GivenPlan:
    """Some pairs' ways, and for all others those of another plan."""

    def __init__(self, default: Plan, choices: dict[tuple[int, int], Choice]) -> None:
        self._default = default
        self._choices = choices

    def choice(self, source_group: int, target_group: int) -> Choice | None:
        """Ways from one group of endpoints to another, `None` if the network has none."""
        found = self._choices.get((source_group, target_group))
        return self._default.choice(source_group, target_group) if found is None else found

    def all_choices(self) -> dict[tuple[int, int], Choice]:
        """Return the ways of all pairs that do not go by the plan at the bottom."""
        below = self._default.all_choices() if isinstance(self._default, GivenPlan) else {}
        return below | self._choices


class CarriedPlan:
    """A plan on another network of the same nodes and lines, whose stations serve otherwise.

    Groups may differ there, as their access lines do: whoever asks is told what the plan has for the endpoint.
    """

    def __init__(self, plan: Plan, made_for: Network, network: Network) -> None:
        self._plan = plan
        self._group = made_for.node_group[list(network.group_endpoint)].tolist()

    def choice(self, source_group: int, target_group: int) -> Choice | None:
        """Ways from one group of endpoints to another, `None` if the network has none."""
        return self._plan.choice(self._group[source_group], self._group[target_group])


@dataclass(frozen=True, eq=False)
class StationLoads:
    """What one exchange a day of each type asks of stations, K types, C stations.

    Attributes
    ----------
    workload : Workload
    station : intp (C,)
    visits : float64 (2, K, 24, C)
        Exchanges of the type that visit the station in an hour, of one that is made on a day: days off, working days.
    mean_s, square_s : float64 (K, C)
        Server time of an exchange of the type, and the mean of its square [s, s^2].
    """

    workload: Workload
    station: NDArray[np.intp]
    visits: NDArray[np.float64]
    mean_s: NDArray[np.float64]
    square_s: NDArray[np.float64]

    def work(self, means: NDArray[np.float64], working: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and variance of the server time asked in each hour [s/s], each (24, C).

        Exchanges come at random (Poisson) and differ in size, so an hour's work is compound Poisson: its variance is
        the mean number times the mean square of the server time.

        Parameters
        ----------
        means : float64 (K,)
            Mean number of exchanges of each type on the day.
        working : bool
        """
        number = means[:, None, None] * self.visits[int(working)]
        mean = np.einsum("khc,kc->hc", number, self.mean_s) / HOUR_S
        variance = np.einsum("khc,kc->hc", number, self.square_s) / HOUR_S**2
        return mean, variance

    def only(self, chosen: NDArray[np.intp]) -> StationLoads:
        """Return the same of some of the stations, by their places here."""
        return StationLoads(
            self.workload,
            self.station[chosen],
            self.visits[..., chosen],
            self.mean_s[:, chosen],
            self.square_s[:, chosen],
        )


def station_loads(workload: Workload, plan: Plan) -> StationLoads:
    """Work out the visits of every station under a plan.

    Raises
    ------
    BadInputError
        If a pair with demand has no route.
    """
    network, flows = workload.platform.network, workload.flows
    pair, source, target = pairs_of(flows)
    kinds = len(workload.platform.demand.types)
    visits = np.zeros((2, kinds, HOURS, network.station_count))
    # A rate of exchanges asks for their fixed time: dividing by it gives back how many visit.
    fixed_s = network.station_fixed_ns * 1e-9
    rates = _rates(workload, pair, len(source))
    for part in parts_by_source(network.node_group[source]):
        incidence = Incidence(network, plan, source[part], target[part])
        nothing = np.zeros(len(part))
        for working, kind, levels, rate in rates:
            through = incidence.work(rate[part], nothing) / fixed_s
            visits[int(working), kind] += levels[:, None] * through
    sizes = workload.sizes.astype(np.float64)
    first, second = sizes.mean(axis=1)[:, None], np.square(sizes).mean(axis=1)[:, None]
    byte_s = network.station_ps_per_byte * 1e-12
    return StationLoads(
        workload,
        np.arange(network.station_count),
        visits,
        fixed_s + first * byte_s,
        fixed_s**2 + 2 * fixed_s * first * byte_s + second * byte_s**2,
    )


def _rates(
    workload: Workload, pair: NDArray[np.intp], pairs: int
) -> list[tuple[bool, int, NDArray[np.float64], NDArray[np.float64]]]:
    """Return kinds of day, types, levels of the hours (24,) and what each pair exchanges at level 1, (pairs,).

    A type on demand has the same pairs in every hour; of a timetable every hour has its own.
    """
    result = []
    for kind, says in enumerate(workload.platform.demand.types):
        rows = workload.flows.rows(kind)
        for working in (False, True):
            level = hour_weights(says, working)
            if says.kind == TaskKind.EXCHANGE:
                result.append((working, kind, level, pair_sums(pair[rows], workload.flows.weight[rows], pairs)))
                continue
            for hour in np.flatnonzero(level).tolist():
                share = workload.shares.of(kind, hour, working)
                result.append((working, kind, np.eye(HOURS)[hour], pair_sums(pair[rows], share, pairs)))
    return result


@dataclass(frozen=True)
class Horizon:
    """The days looked at.

    Attributes
    ----------
    start : date
    days : int
    growth : Growth
    """

    start: date
    days: int
    growth: Growth

    def day(self, number: int) -> date:
        """Return a day of it."""
        return self.start + timedelta(days=number)


def day_demand(workload: Workload, horizon: Horizon, number: int) -> NDArray[np.float64]:
    """Mean number of exchanges of each type on a day of the horizon, (K,)."""
    types = workload.platform.demand.types
    day = day_of(horizon.day(number))
    return np.array(
        [
            workload.mean_per_day * kind.share * day_level(kind, day) * horizon.growth.factor(kind.name, number)
            for kind in types
        ]
    )


def others_share(
    platform: Platform, station: NDArray[np.intp], working: bool, factor: float | NDArray[np.float64] = 1.0
) -> NDArray[np.float64]:
    """Share of stations that other users take in each hour, (24, C); 0 where the station is no line."""
    network = platform.network
    line = np.where(network.station_role[station] == StationRole.LINE, network.station_owner[station], -1)
    hours = np.stack([platform.background.mean_fraction(hour + 0.5, working) for hour in range(HOURS)])
    return np.asarray(np.minimum(np.where(line >= 0, hours[:, np.maximum(line, 0)], 0.0) * factor, FRACTION_MAX))


@dataclass(frozen=True, eq=False)
class Watched:
    """What may reach its limit: stations, and pools whose stations borrow above the limit.

    Attributes
    ----------
    name : tuple of str, length W
    station : int64 (W,)
        Station, or -1 for a pool.
    pool : int64 (W,)
        Pool, or -1.
    """

    name: tuple[str, ...]
    station: NDArray[np.int64]
    pool: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.name)


@dataclass(frozen=True, eq=False)
class Judge:
    """Turns work into how far each watched thing is on the way to its limit.

    Attributes
    ----------
    platform : Platform
    loads : StationLoads
        Of the stations that matter.
    limit : float
        Utilisation that is not to be passed, in (0, 1].
    quantile : float
        Which of an hour's likely loads counts, in [0.5, 1).
    borrowing : bool
        Whether pools lend.
    """

    platform: Platform
    loads: StationLoads
    limit: float
    quantile: float
    borrowing: bool

    @property
    def servers(self) -> NDArray[np.float64]:
        """Servers of each station, (C,)."""
        return self.platform.network.station_servers[self.loads.station].astype(np.float64)

    @property
    def pool_of(self) -> NDArray[np.int64]:
        """Pool of each station that borrows, -1 of others, (C,)."""
        if not self.borrowing:
            return np.full(len(self.loads.station), -1)
        return pool_of_station(self.platform.network)[self.loads.station]

    def watched(self) -> Watched:
        """Return what is watched: stations that do not borrow, then pools."""
        network, pool = self.platform.network, self.pool_of
        alone = np.flatnonzero(pool < 0)
        pools = np.unique(pool[pool >= 0])
        names = [network.station_name[station] for station in self.loads.station[alone].tolist()]
        names += [f"pool {network.pools[number].name}" for number in pools.tolist()]
        return Watched(
            tuple(names),
            np.concatenate([self.loads.station[alone], np.full(len(pools), -1)]),
            np.concatenate([np.full(len(alone), -1), pools]),
        )

    def planned(self, mean: NDArray[np.float64], variance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Work that an hour is planned for: its quantile, by a normal law (never below the mean)."""
        return np.asarray(mean + float(ndtri(self.quantile)) * np.sqrt(variance))

    def degree(self, work: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return load over limit of each watched thing, (..., W); 1 is the limit.

        Of a station its utilisation over the limit, what others leave counted as the whole; of a pool the servers that
        its stations need to stay within the limit, over those that it has.

        Parameters
        ----------
        work, others : float64 (..., C)
            Server time asked [s/s], and the share that others take.
        """
        pool = self.pool_of
        room = self.limit * self.servers * (1 - others)
        alone = np.flatnonzero(pool < 0)
        parts = [work[..., alone] / room[..., alone]]
        for number in np.unique(pool[pool >= 0]).tolist():
            of_pool = np.flatnonzero(pool == number)
            need = np.maximum(work[..., of_pool] / self.limit - self.servers[of_pool], 0.0).sum(axis=-1)
            budget = self.platform.network.pools[number].servers
            parts.append((need / budget)[..., None])
        return np.concatenate(parts, axis=-1)


def pool_of_station(network: Network) -> NDArray[np.int64]:
    """Return the pool from which each station borrows, -1 for none and for pools that have nothing, (S,)."""
    result = np.full(network.station_count, -1, dtype=np.int64)
    for node in np.flatnonzero(network.node_pool != NO_POOL).tolist():
        process = int(network.node_process_station[node])
        pool = int(network.node_pool[node])
        if network.pools[pool].servers > 0:
            result[process if process != NO_STATION else int(network.node_station[node])] = pool
    return result


def near_the_limit(judge: Judge, horizon: Horizon, days: Sequence[int]) -> NDArray[np.intp]:
    """Return the places of stations whose planned load comes near the limit on one of these days."""
    near = np.zeros(len(judge.loads.station), dtype=np.bool_)
    room = judge.limit * judge.servers
    seen: set[tuple[object, ...]] = set()
    for number in days:
        means = day_demand(judge.loads.workload, horizon, number)
        working = day_of(horizon.day(number)).working
        key = (working, *means.tolist())
        if key in seen:
            continue
        seen.add(key)
        others = others_share(judge.platform, judge.loads.station, working, horizon.growth.others_factor(number))
        planned = judge.planned(*judge.loads.work(means, working))
        near |= (planned >= NEAR * room * (1 - others)).any(axis=0)
    if not near.any():  # nothing is: whatever is busiest stands for all
        near[int(np.argmax((planned / (room * (1 - others))).max(axis=0)))] = True
    return np.flatnonzero(near)


def heaviest_days(workload: Workload, horizon: Horizon, first: int, last: int) -> list[int]:
    """Return the days of each kind on which most is exchanged: no other day of the span has more of any type.

    Days of one kind (by the levels of all types) differ by growth alone, which is steady: the first or the last of a
    kind is the heaviest.
    """
    ends: dict[tuple[object, ...], list[int]] = {}
    for number in range(first, last):
        day = day_of(horizon.day(number))
        key = (day.working, *(day_level(kind, day) for kind in workload.platform.demand.types))
        ends.setdefault(key, [number, number])[1] = number
    return sorted({number for pair in ends.values() for number in pair})
