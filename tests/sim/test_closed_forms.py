"""The compiled plane against closed forms in 96 cases: processor sharing, priorities with many servers, M/G/1.

Each case is a mean of one long run by batch means, with sampled means of what was drawn as control variates. It must
lie within 1 % of theory or have theory in its 99 % interval; the interval must be narrower than 4 % either way, and
neither rule may admit a wrong formula that is named. Seeds are fixed: a failure that comes with a change is a defect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from math import e

import numpy as np
import pytest
from made_networks import INSTANT, OneWay, exchanges
from numpy.typing import NDArray
from queueing import (
    SECOND_MOMENT,
    Draw,
    Estimate,
    cobham,
    constant,
    erlang_c,
    estimate,
    exponential,
    lognormal,
    pollaczek_khinchine,
    two_sizes,
    uniform,
)

from router_core.network_builder import NetworkBuilder, Service
from router_core.plan import Trunk
from router_core.vocabulary import Discipline, NodeKind
from sim.compiled_plane import CompiledPlane
from strategies.brain import SetPlan

UNIT_NS = 1_000_000  # mean service time
OTHER_STATIONS_NS = 4
BATCHES = 40
FALSE_ALARM = 0.01
HALF_WIDTH_MAX = 0.04
DRAWS: tuple[Draw, ...] = (constant, uniform, exponential, two_sizes, lognormal)
LOADS = (0.3, 0.5, 0.7, 0.8)
# How many exchanges a run needs for its interval, in thousands, at the loads; the few that wait for many servers, more.
THOUSANDS = {0.3: 160, 0.5: 280, 0.6: 800, 0.7: 480, 0.75: 1_000, 0.8: 800}


@dataclass(frozen=True, eq=False)
class Run:
    """Exchanges of one station in order of arrival, without those of the warm-up; times in mean services."""

    service: NDArray[np.float64]
    stay: NDArray[np.float64]
    rank: NDArray[np.int8]
    controls: NDArray[np.float64]

    @property
    def wait(self) -> NDArray[np.float64]:
        return self.stay - self.service

    def ratio(self, above: NDArray[np.float64], below: NDArray[np.float64]) -> Estimate:
        """Estimate the ratio of two means over the exchanges."""
        values = _batches(above).sum(axis=1) / _batches(below).sum(axis=1)
        return estimate(values, self.controls, FALSE_ALARM)

    def mean(self, values: NDArray[np.float64], where: NDArray[np.bool_] | None = None) -> Estimate:
        """Estimate the mean of some exchanges' values."""
        weight = np.ones(len(values)) if where is None else where.astype(float)
        return self.ratio(values * weight, weight)


@lru_cache(maxsize=1)  # cases of one run follow one another
def run(discipline: Discipline, draw: Draw, load: float, servers: int = 1, shares: tuple[float, ...] = (1.0,)) -> Run:
    """Poisson arrivals at utilisation `load` of one station; classes are drawn by their shares."""
    seed = [discipline, DRAWS.index(draw), int(load * 100), servers, len(shares)]
    rng = np.random.default_rng(seed)
    warm_up, kept = 10_000, THOUSANDS[load] * (2_000 if servers > 2 else 1_000)
    gap = rng.exponential(1 / (load * servers), warm_up + kept)
    service = draw(rng, warm_up + kept)
    rank = rng.choice(len(shares), warm_up + kept, p=shares).astype(np.int8)

    builder = NetworkBuilder(("outer",))
    source = builder.add_node("source", NodeKind.FRONT_END, service=INSTANT)
    process = Service(servers, 1, 1_000, discipline=discipline)  # a nanosecond a byte
    centre = builder.add_node("centre", NodeKind.CENTRE, service=INSTANT, process=process)
    target = builder.add_node("target", NodeKind.FRONT_END, service=INSTANT)
    builder.add_line(source, centre, service=INSTANT)
    builder.add_line(centre, target, service=INSTANT)
    network = builder.build()
    submitted_ns = np.cumsum(gap * UNIT_NS).astype(np.int64)
    payload_bytes = np.rint(service * UNIT_NS).astype(np.int64)
    plane = CompiledPlane(network)
    plane.apply(SetPlan(OneWay(Trunk(centre, centre, (int(network.node_process_station[centre]),)))))
    plane.submit(exchanges(submitted_ns, source, target, payload_bytes, priority=rank))
    plane.advance(int(submitted_ns[-1]) + 10_000 * UNIT_NS)
    assert plane.snapshot().in_flight == 0

    stay = (plane.outcome().delivered_ns - submitted_ns - OTHER_STATIONS_NS) / UNIT_NS
    gap, service, stay, rank = gap[warm_up:], service[warm_up:], stay[warm_up:], rank[warm_up:]
    controls = [gap * load * servers - 1]
    if draw is not constant:
        controls.append(service - 1)
    if draw not in (constant, two_sizes):  # of two sizes one mean says all
        controls.append(service**2 - SECOND_MOMENT[draw])
    if len(shares) > 1:
        controls.append((rank == 0) - shares[0])
    return Run(service, stay, rank, np.column_stack([_batches(one).mean(axis=1) for one in controls]))


def _batches(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values.reshape(BATCHES, -1)


@dataclass(frozen=True)
class Case:
    """A run, what is measured of it, what theory says, and what a named wrong formula says."""

    run: Callable[[], Run]
    measure: Callable[[Run], Estimate]
    theory: float
    wrong: float


def mean_stay(run: Run) -> Estimate:
    return run.mean(run.stay)


def mean_wait(run: Run) -> Estimate:
    return run.mean(run.wait)


def wait_of(rank: int) -> Callable[[Run], Estimate]:
    return lambda run: run.mean(run.wait, run.rank == rank)


def slowdown(run: Run, *, large: bool) -> Estimate:
    """Stay by service of the exchanges above or below the mean service."""
    where = (run.service >= 1) == large
    return run.ratio(run.stay * where, run.service * where)


# Mean service of the exchanges below the mean, and of the others.
PARTS: dict[Draw, tuple[float, float]] = {exponential: (1 - 1 / (e - 1), 2.0), two_sizes: (0.5, 5.5)}


def sharing_cases() -> Iterator[tuple[str, Case]]:
    """The mean stay depends on the mean service alone, and a stay is in proportion to its service."""
    for load in LOADS:
        for draw in DRAWS:
            made = partial(run, Discipline.SHARING, draw, load)
            # For exponential services first come, first served has the same mean; for constant ones it has not.
            other = constant if draw is exponential else draw
            as_fifo = 1 + pollaczek_khinchine(load, SECOND_MOMENT[other])
            name = f"ps-{draw.__name__}-{load}"
            yield name, Case(made, mean_stay, 1 / (1 - load), as_fifo)
            if load == LOADS[0] or draw not in PARTS:
                continue
            for part, mean in zip(("small", "large"), PARTS[draw], strict=True):
                as_fifo = 1 + pollaczek_khinchine(load, SECOND_MOMENT[draw]) / mean
                measure = partial(slowdown, large=part == "large")
                yield f"{name}-{part}", Case(made, measure, 1 / (1 - load), as_fifo)
    for servers in (2, 4):
        for draw in (exponential, two_sizes):
            load = 0.7
            theory = 1 + erlang_c(servers, load) / (servers * (1 - load))
            as_one_fast_server = 1 / (servers * (1 - load))
            made = partial(run, Discipline.SHARING, draw, load, servers)
            yield f"ps-{draw.__name__}-{servers}-servers", Case(made, mean_stay, theory, as_one_fast_server)


def priority_cases() -> Iterator[tuple[str, Case]]:
    """M/M/c with two and three classes: the wait of each."""
    for servers in (1, 2, 3, 4):
        for load in (0.6, 0.75):
            for shares in ((0.4, 0.6), (0.2, 0.3, 0.5)):
                without_classes = erlang_c(servers, load) / (servers * (1 - load))
                made = partial(run, Discipline.PRIORITY, exponential, load, servers, shares)
                for rank, theory in enumerate(cobham(servers, load, 2.0, shares)):
                    name = f"priority-{servers}-{load}-{rank}of{len(shares)}"
                    yield name, Case(made, wait_of(rank), theory, without_classes)


def general_cases() -> Iterator[tuple[str, Case]]:
    """M/G/1, first come, first served, by Pollaczek and Khinchine."""
    for load in LOADS:
        for draw in DRAWS:
            wrong = pollaczek_khinchine(load, 1.0 if draw is exponential else 2.0)
            theory = pollaczek_khinchine(load, SECOND_MOMENT[draw])
            yield (
                f"fifo-{draw.__name__}-{load}",
                Case(partial(run, Discipline.FIFO, draw, load), mean_wait, theory, wrong),
            )


CASES = dict(chain(sharing_cases(), priority_cases(), general_cases()))


def admits(found: Estimate, theory: float) -> bool:
    return abs(found.mean - theory) <= 0.01 * theory or found.agrees_with(theory)


@pytest.mark.parametrize("name", CASES)
def test_closed_form(name):
    case = CASES[name]
    found = case.measure(case.run())
    assert found.half_width <= HALF_WIDTH_MAX * case.theory, f"{found} cannot tell {case.theory} from its neighbours"
    assert admits(found, case.theory), f"{found} contradicts {case.theory}"
    assert not admits(found, case.wrong), f"{found} would accept {case.wrong} for {case.theory}"


def test_there_are_as_many_cases_as_the_file_says():
    assert len(CASES) == 96
