"""The worst hour under growth, lived in the simulated world: as things are, and once upgraded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from math import isnan
from pathlib import Path
from typing import Final

import numpy as np

from router_core.equal_cost import EqualCostPlan
from router_core.lending import lending
from router_core.network import Network
from router_core.plan import Choice, Plan
from router_core.units import SECOND_NS
from sim.replay import live
from sim.studies.case import platform_of
from sim.studies.growth.grow import Grown
from sim.studies.growth.loads import CarriedPlan, GivenPlan
from sim.studies.growth.rates import Growth
from sim.studies.growth.upgrades import hour_work, whole
from sim.studies.measures import measures
from sim.studies.traffic import Draw, DrawnTrace, drawn
from sim.workers.workers import Workers
from strategies.brain import BorrowServers, Command, Event, SetPlan, SlotStarted
from strategies.static.borrowing import borrowed

# The hour before it fills the queues; it is lived, and does not count.
WARM_UP: Final = timedelta(hours=1)
SPAN: Final = timedelta(hours=2)
COMPARED: Final = ("p99.query", "p99.all", "missed.all", "undelivered", "busiest")


class PlannedBrain:
    """Sets the plan of a study at the first slot, borrows what the plan counts on, and changes nothing more."""

    def __init__(self, name: str, plan: Plan, borrow: BorrowServers | None) -> None:
        self.name = name
        self._commands: list[Command] = [SetPlan(plan), *([] if borrow is None else [borrow])]

    def handle(self, event: Event) -> list[Command]:
        """Return everything once, at the first slot."""
        if not isinstance(event, SlotStarted):
            return []
        commands, self._commands = self._commands, []
        return commands


@dataclass(frozen=True, eq=False)
class PlannedCase:
    """One run: which platform, which trace, whose ways.

    Attributes
    ----------
    scenario : str
    changes : tuple of str
        Of the platform that is lived on.
    trace : DrawnTrace
        Drawn from the grown platform, upgraded or not: the same exchanges.
    choices : dict
        Ways by pair of groups of the platform without upgrades; other pairs go by `ecmp`.
    made_for : tuple of str
        Changes of that platform.
    node, servers : tuple of int
        What is borrowed.
    seed : int
    """

    scenario: str
    changes: tuple[str, ...]
    trace: DrawnTrace
    choices: dict[tuple[int, int], Choice]
    made_for: tuple[str, ...]
    node: tuple[int, ...]
    servers: tuple[int, ...]
    seed: int


@dataclass(frozen=True)
class Verified:
    """Measures of the worst hour by seed, without upgrades and with them."""

    when: datetime
    seeds: tuple[int, ...]
    before: tuple[dict[str, float], ...]
    after: tuple[dict[str, float], ...]
    changes: tuple[str, ...]

    def mean(self, name: str, *, upgraded: bool) -> float | None:
        """Return the mean of a measure over the seeds where it is one; None where it is one in no run."""
        values = [run[name] for run in (self.after if upgraded else self.before) if not isnan(run[name])]
        return sum(values) / len(values) if values else None


def growth_changes(growth: Growth, kinds: Sequence[str], days: int) -> tuple[str, ...]:
    """Return the growth of demand and of other users up to a day, as changes of the scenario."""
    made = []
    factors = {kind: growth.factor(kind, days) for kind in kinds}
    if len(set(factors.values())) == 1:
        common = next(iter(factors.values()))
        made += [] if common == 1 else [f"demand x{_text(common)}"]
    else:
        made += [f"demand:{kind} x{_text(factor)}" for kind, factor in factors.items() if factor != 1]
    others = growth.others_factor(days)
    return (*made, *([] if others == 1 else [f"others x{_text(others)}"]))


def _text(factor: float) -> str:
    return f"{float(Fraction(factor).limit_denominator(10**6)):.6f}"


def verify(
    grown: Grown, workers: Workers, seeds: Sequence[int], exchanges_per_day: int | None, folder: Path
) -> Verified:
    """Live the worst hour with its growth, for each seed without and with the upgrades.

    Parameters
    ----------
    grown : Grown
        With a proposal.
    workers : Workers
    seeds : sequence of int
        Each draws its own trace and its own world; both runs of a seed have the same.
    exchanges_per_day : int, optional
        Of a plain working day without growth; fewer are larger ones (`traces.workload`).
    folder : Path
        Where traces are drawn; it exists.
    """
    proposal = grown.proposal
    assert proposal is not None
    spec, judge = grown.spec, whole(grown.judge, grown.platform)
    work = hour_work(judge, grown.hours, [grown.plan] * len(grown.hours))
    room = judge.limit * judge.servers
    worst = int(np.argmax((work.planned / room).max(axis=1)))
    when = grown.hours[worst].when
    kinds = [kind.name for kind in grown.platform.demand.types]
    days = (when.date() - spec.start).days
    built = (*spec.built(spec.years - 1), *growth_changes(spec.growth, kinds, days))
    draw = Draw(when - WARM_UP, SPAN, exchanges_per_day)
    runs = []
    for plan, more in ((grown.plan, ()), (proposal.plans[worst], proposal.changes)):
        changes = (*built, *more)
        network = platform_of(spec.scenario, changes).network
        asked = hour_work(
            whole(judge, platform_of(spec.scenario, (*spec.built(spec.years - 1), *more))),
            [grown.hours[worst]],
            [CarriedPlan(plan, grown.platform.network, network)],
        ).planned[0]
        node, servers = _borrow(network, asked, spec.limit, spec.borrowing)
        runs.append((changes, _choices(plan), node, servers))
    cases = [
        PlannedCase(
            spec.scenario,
            changes,
            DrawnTrace(folder, spec.scenario, built, draw, seed),
            choices,
            built,
            node,
            servers,
            seed,
        )
        for seed in seeds
        for changes, choices, node, servers in runs
    ]
    results = workers.map(lived_case, cases)
    return Verified(when, tuple(seeds), tuple(results[::2]), tuple(results[1::2]), (*built,))


def lived_case(case: PlannedCase) -> dict[str, float]:
    """Live one case and return its measures."""
    platform = platform_of(case.scenario, case.changes)
    made_for = platform_of(case.scenario, case.made_for).network
    plan = CarriedPlan(GivenPlan(EqualCostPlan(made_for), case.choices), made_for, platform.network)
    borrow = None
    if case.node:
        borrow = BorrowServers(np.array(case.node, np.int32), np.array(case.servers, np.int32))
    lived = live(platform, drawn(case.trace), PlannedBrain("planned", plan, borrow), seed=case.seed)
    return measures(lived, int(WARM_UP.total_seconds()) * SECOND_NS)


def _choices(plan: Plan) -> dict[tuple[int, int], Choice]:
    """Ways that differ from `ecmp`: the latest plan's over those it is built on."""
    return plan.all_choices() if isinstance(plan, GivenPlan) else {}


def _borrow(
    network: Network, work: np.ndarray[tuple[int], np.dtype[np.float64]], limit: float, borrowing: bool
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    lent = lending(network)
    if not borrowing or not len(lent.node):
        return (), ()
    servers = borrowed(lent, network.station_servers, work, limit)
    some = np.flatnonzero(servers)
    return tuple(lent.node[some].tolist()), tuple(servers[some].tolist())
