"""`grow`: where growth reaches the first limit and when, and the cheapest upgrade that suffices; on one screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.calendar import day_of
from router_core.equal_cost import EqualCostPlan
from router_core.errors import BadInputError
from router_core.paths.capacity import platform_capacity
from router_core.paths.platform_load import group_demand, platform_unit_load
from router_core.paths.route_space import space_of_network
from router_core.paths.survivable import choose_paths
from router_core.plan import Plan
from router_core.platform import Platform
from router_core.splits.peak_set import PeakSetSolver
from sim.studies.case import platform_of
from sim.studies.growth.limits import Limits, walk
from sim.studies.growth.loads import (
    CarriedPlan,
    Horizon,
    Judge,
    day_demand,
    heaviest_days,
    near_the_limit,
    others_share,
    station_loads,
)
from sim.studies.growth.price_list import PriceList
from sim.studies.growth.rates import YEARS_MAX, Growth, anniversary
from sim.studies.growth.upgrades import PATHS, PeakHour, Proposal, peak_hour, plan_of, propose
from traces.workload import Workload, build_workload

ROUTINGS: Final = ("static", "ecmp")
# Where more pairs than this exchange anything, a static split takes too long to find: `ecmp` is then the default.
STATIC_PAIRS_MAX: Final = 60_000
HOURS_MAX: Final = 6
ADDED_HOURS_MAX: Final = 3
SPLIT_GAP: Final = 0.02
# How much beyond its limit an hour that was not planned for may be before it is planned for too.
TOLERANCE: Final = 0.005

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class GrowSpec:
    """What is asked.

    Attributes
    ----------
    scenario : str
    changes : tuple of str
        From the beginning on.
    growth : Growth
    start : date
    years : int
    limit : float
        Utilisation of an hour that is not to be passed, in (0, 1].
    quantile : float
        Of an hour's likely loads, the one that counts, in [0.5, 1).
    routing : str or None
        One of `ROUTINGS`; None: `static` where it can be found.
    borrowing : bool
        Whether the clouds' pools lend.
    prices : PriceList
    seeds : tuple of int
    """

    scenario: str
    growth: Growth
    start: date
    years: int = 3
    changes: tuple[str, ...] = ()
    limit: float = 0.8
    quantile: float = 0.95
    routing: str | None = None
    borrowing: bool = True
    prices: PriceList = field(default_factory=PriceList)
    seeds: tuple[int, ...] = tuple(range(1, 21))

    def __post_init__(self) -> None:
        if not 1 <= self.years <= YEARS_MAX:
            raise BadInputError("--years", f"must lie in 1..{YEARS_MAX}", self.years)
        if not 0 < self.limit <= 1:
            raise BadInputError("--limit", "must be above 0 and at most 1", self.limit)
        if not 0.5 <= self.quantile < 1:
            raise BadInputError("--quantile", "must be at least 0.5 and below 1", self.quantile)
        if self.routing is not None and self.routing not in ROUTINGS:
            raise BadInputError("--routing", f"must be one of {', '.join(ROUTINGS)}", self.routing)

    def built(self, year: int) -> tuple[str, ...]:
        """Return the changes of the scenario by the beginning of a year."""
        return (*self.changes, *self.growth.changes(year))


@dataclass(frozen=True, eq=False)
class Grown:
    """What was found.

    Attributes
    ----------
    spec : GrowSpec
    routing : str
    horizon : Horizon
    platform : Platform
        Of the last year.
    limits : Limits
    hours : tuple of PeakHour
        Those that upgrades were planned for; none if no limit is reached.
    plan : Plan
        In force in the last year without upgrades.
    judge : Judge
    proposal : Proposal or None
        None if no limit is reached.
    after : Limits or None
        The last year's hours once upgraded.
    """

    spec: GrowSpec
    routing: str
    horizon: Horizon
    platform: Platform
    limits: Limits
    hours: tuple[PeakHour, ...]
    plan: Plan
    judge: Judge
    proposal: Proposal | None
    after: float | None


def grow(spec: GrowSpec, on_progress: Progress = lambda _what, _done: None) -> Grown:
    """Walk through the years, find the limits, and the cheapest upgrades for what comes last.

    Raises
    ------
    BadInputError
        If a change cannot be made, or the scenario has no demand.
    """
    growth = spec.growth
    days = (anniversary(spec.start, spec.years) - spec.start).days
    horizon = Horizon(spec.start, days, growth)
    limits, first, routing = Limits(), 0, spec.routing
    limits.drawn = dict.fromkeys(spec.seeds)
    step = 1 if growth.builds else spec.years
    for year in range(0, spec.years, step):
        on_progress("years", year / spec.years)
        last = (anniversary(spec.start, year + step) - spec.start).days
        platform = platform_of(spec.scenario, spec.built(year))
        workload = build_workload(platform)
        heavy = heaviest_days(workload, horizon, first, last)
        routing = routing or _routing(workload)
        plan, whole = _planned(spec, routing, workload, horizon, heavy)
        judge = _judge(whole, near_the_limit(whole, horizon, heavy))
        walk(limits, judge, horizon, first, last, spec.seeds)
        first = last
    assert routing is not None
    on_progress("years", 1.0)
    if limits.first is None:
        return Grown(spec, routing, horizon, platform, limits, (), plan, judge, None, None)
    days_of_last = [number for number in heavy if number >= 0]
    chosen = dominating(judge, horizon, days_of_last)
    proposal, hours, after = _proposal(spec, routing, judge, horizon, days_of_last, chosen, plan, on_progress)
    return Grown(spec, routing, horizon, platform, limits, hours, plan, judge, proposal, after)


def _judge(whole: Judge, places: NDArray[np.intp]) -> Judge:
    return Judge(whole.platform, whole.loads.only(places), whole.limit, whole.quantile, whole.borrowing)


def _routing(workload: Workload) -> str:
    group, flows = workload.platform.network.node_group, workload.flows
    pairs = np.unique(group[flows.source].astype(np.int64) << 32 | group[flows.target])
    return "static" if len(pairs) <= STATIC_PAIRS_MAX else "ecmp"


def _planned(
    spec: GrowSpec, routing: str, workload: Workload, horizon: Horizon, heavy: list[int]
) -> tuple[Plan, Judge]:
    """Return the plan in force, and the judge of every station under it."""
    platform = workload.platform
    network = platform.network
    even: Plan = EqualCostPlan(network)
    judge = Judge(platform, station_loads(workload, even), spec.limit, spec.quantile, spec.borrowing)
    if routing == "ecmp":
        return even, judge
    near = _judge(judge, near_the_limit(judge, horizon, heavy))
    hours = [peak_hour(workload, horizon, number, hour) for number, hour in dominating(near, horizon, heavy)]
    groups = len(network.groups)
    group = network.node_group.astype(np.int64)
    keys = np.unique(np.concatenate([group[one.demand.source] * groups + group[one.demand.target] for one in hours]))
    source, target = (keys // groups).astype(np.int32), (keys % groups).astype(np.int32)
    paths = choose_paths(space_of_network(network), platform_capacity(network), PATHS, source, target)
    taken = np.max([platform.background.mean_fraction(one.when.hour + 0.5, one.working) for one in hours], axis=0)
    solver = PeakSetSolver(paths, platform_unit_load(network, 1.0 - taken))
    demands = np.stack([group_demand(network, paths, one.demand) for one in hours])
    split = solver.solve(demands, worst_case=True, gap=SPLIT_GAP)
    plan = plan_of(network, paths, split.shares, even)
    return plan, Judge(platform, station_loads(workload, plan), spec.limit, spec.quantile, spec.borrowing)


def _degrees(judge: Judge, horizon: Horizon, days: Sequence[int]) -> tuple[list[tuple[int, int]], NDArray[np.float64]]:
    """Return all hours of some days, and the degree of each watched thing in each, (H, W)."""
    hours, rows = [], []
    for number in days:
        working = day_of(horizon.day(number)).working
        mean, variance = judge.loads.work(day_demand(judge.loads.workload, horizon, number), working)
        others = others_share(judge.platform, judge.loads.station, working, horizon.growth.others_factor(number))
        rows.append(judge.degree(judge.planned(mean, variance), others))
        hours += [(number, hour) for hour in range(rows[-1].shape[0])]
    return hours, np.concatenate(rows)


def dominating(judge: Judge, horizon: Horizon, days: Sequence[int], most: int = HOURS_MAX) -> list[tuple[int, int]]:
    """Return the few hours that ask most: for each watched thing beyond its limit, one that comes near its highest.

    Greedy: the next hour is the one that adds most to what the chosen ones ask, summed over all that is watched.
    """
    hours, degree = _degrees(judge, horizon, days)
    excess = np.maximum(degree - 1.0, 0.0)
    if not excess.any():
        return [hours[int(degree.max(axis=1).argmax())]]
    chosen: list[int] = []
    reached = np.zeros(degree.shape[1])
    while len(chosen) < most:
        more = np.maximum(excess - reached, 0.0).sum(axis=1)
        best = int(more.argmax())
        if more[best] <= 0.01 * excess.max(axis=0).sum():
            break
        chosen.append(best)
        reached = np.maximum(reached, excess[best])
    return [hours[place] for place in sorted(chosen)]


def _proposal(
    spec: GrowSpec,
    routing: str,
    judge: Judge,
    horizon: Horizon,
    days: list[int],
    chosen: list[tuple[int, int]],
    plan: Plan,
    on_progress: Progress,
) -> tuple[Proposal, tuple[PeakHour, ...], float]:
    """Solve for the chosen hours, look at all others, and take in those that still pass a limit."""
    workload, built = judge.loads.workload, spec.built(spec.years - 1)

    def upgraded(changes: tuple[str, ...]) -> Platform:
        return platform_of(spec.scenario, (*built, *changes))

    on_progress("upgrades", 0.0)
    turn = 0
    while True:
        hours = tuple(peak_hour(workload, horizon, number, hour) for number, hour in chosen)
        proposal = propose(judge, hours, plan, spec.prices, upgraded, resplit=routing == "static")
        on_progress("upgrades", (turn + 1) / (ADDED_HOURS_MAX + 1))
        known = {name for name, _ in proposal.beyond}
        platform = upgraded(proposal.changes)
        best: NDArray[np.float64] | None = None
        for one in {id(one): one for one in proposal.plans}.values():
            # The demand is that of the grown platform: upgrades add none.
            carried = CarriedPlan(one, judge.platform.network, platform.network)
            loads = station_loads(replace(workload, platform=platform), carried)
            after = Judge(platform, loads, spec.limit, spec.quantile, spec.borrowing)
            names = after.watched().name
            every, degree = _degrees(after, horizon, days)
            degree[:, [place for place, name in enumerate(names) if name in known]] = 0.0
            worst = degree.max(axis=1)
            best = worst if best is None else np.minimum(best, worst)
        assert best is not None
        place = int(best.argmax())
        if best[place] <= 1 + TOLERANCE or turn == ADDED_HOURS_MAX or every[place] in chosen:
            on_progress("upgrades", 1.0)
            return proposal, hours, float(best[place])
        chosen = sorted([*chosen, every[place]])
        turn += 1
