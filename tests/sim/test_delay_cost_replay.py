"""One cost model: what the delay cost says of a split is what the compiled data plane then takes.

Exchanges come independently, of lognormal sizes, and spread over two parallel lines by the weights of a plan. Mean
times under way are estimated by batch means with control variates. Seeds are fixed: a failure that comes with a change
is a defect.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest
from made_networks import INSTANT, exchanges
from queueing import SECOND_MOMENT, Estimate, estimate, lognormal
from scipy.optimize import minimize_scalar

from router_core.delay_cost import DelayCost, delay_cost
from router_core.network import Network
from router_core.network_builder import NetworkBuilder, Service
from router_core.plan import Choice, Trunk
from router_core.vocabulary import Discipline, NodeKind
from sim.compiled_plane import CompiledPlane
from strategies.brain import SetPlan

MEAN_BYTES = 1_000_000
WEIGHT_TOTAL = 2**16
# How many exchanges a replay needs for its interval, at the loads.
COUNTS = {0.5: 240_000, 0.75: 720_000}
WARM_UP, BATCHES = 20_000, 40
FALSE_ALARM = 0.01
MS_NS = 1_000_000


@dataclass(frozen=True)
class World:
    """Two ways from one centre to another, and what they cost."""

    name: str
    near: Service
    far: Service
    # How far the closed form may be from the truth: nothing for one server, what its authors say for many.
    tolerance: float

    @cached_property
    def made(self) -> tuple[Network, tuple[Trunk, Trunk], tuple[int, int]]:
        builder = NetworkBuilder(("outer",), ("a", "b"))
        source = builder.add_node("source", NodeKind.FRONT_END, service=INSTANT)
        here, there = (
            builder.add_node(name, NodeKind.CENTRE, service=INSTANT, process=INSTANT) for name in ("here", "there")
        )
        target = builder.add_node("target", NodeKind.FRONT_END, service=INSTANT)
        builder.add_line(source, here, service=INSTANT)
        builder.add_line(there, target, service=INSTANT)
        for carrier, service in enumerate((self.near, self.far)):
            builder.add_line(here, there, service=service, carrier=carrier)
        network = builder.build()
        lines = [
            int(network.line_station[line])
            for line in range(network.line_count)
            if (network.line_source[line], network.line_target[line]) == (here, there)
        ]
        first, last = int(network.node_process_station[here]), int(network.node_station[there])
        trunks = [Trunk(here, there, (first, line, last)) for line in lines]
        return network, (trunks[0], trunks[1]), (lines[0], lines[1])

    @cached_property
    def cost(self) -> DelayCost:
        return delay_cost(self.made[0], MEAN_BYTES, SECOND_MOMENT[lognormal] - 1)

    @property
    def capacity_per_s(self) -> float:
        lines = list(self.made[2])
        return float((self.cost.servers / self.cost.service_s)[lines].sum())

    def predicted_s(self, rate_per_s: float, share: float) -> float:
        """Mean stay at the two lines of all exchanges, `share` of them over the near one."""
        rates = np.zeros(self.made[0].station_count)
        rates[list(self.made[2])] = rate_per_s * share, rate_per_s * (1 - share)
        return float(self.cost.value(rates * self.cost.service_s / self.cost.servers).sum()) / rate_per_s

    def best_share(self, rate_per_s: float) -> float:
        return float(minimize_scalar(lambda x: self.predicted_s(rate_per_s, x), bounds=(0, 1), method="bounded").x)

    def around(self, rate_per_s: float, share: float) -> tuple[float, float]:
        """A smaller and a larger share, on the way to where one of the lines is used at 0.9."""
        near, far = (self.cost.servers / self.cost.service_s)[list(self.made[2])] * 0.9 / rate_per_s
        return share - 0.5 * (share - max(0.0, 1 - far)), share + 0.5 * (min(1.0, near) - share)

    def measured_s(self, rate_per_s: float, share: float, seed: int, count: int) -> Estimate:
        """The same as a replay has it."""
        network, trunks, _ = self.made
        rng = np.random.default_rng(seed)
        gap = rng.exponential(1 / rate_per_s, count + WARM_UP)
        size = lognormal(rng, count + WARM_UP)
        submitted_ns = np.cumsum(gap * 1e9).astype(np.int64)
        weight = round(share * WEIGHT_TOTAL)

        class Split:
            def choice(self, source_group: int, target_group: int) -> Choice:
                return Choice(trunks, (weight, WEIGHT_TOTAL - weight))

        ends = [network.node_index[name] for name in ("source", "target")]
        plane = CompiledPlane(network)
        plane.apply(SetPlan(Split()))
        plane.submit(exchanges(submitted_ns, *ends, np.rint(size * MEAN_BYTES).astype(np.int64)))
        plane.advance(int(submitted_ns[-1]) + 100 * 10**9)
        assert plane.snapshot().in_flight == 0
        stay_s = (plane.outcome().delivered_ns - submitted_ns)[WARM_UP:] * 1e-9
        drawn = [gap * rate_per_s - 1, size - 1, size**2 - SECOND_MOMENT[lognormal]]
        controls = [column[WARM_UP:].reshape(BATCHES, -1).mean(axis=1) for column in drawn]
        return estimate(stay_s.reshape(BATCHES, -1).mean(axis=1), np.column_stack(controls), FALSE_ALARM)


def line(rate_ps: int, after_ms: int, servers: int, discipline: Discipline) -> Service:
    return Service(servers, 1_000, rate_ps, after_ms * MS_NS, discipline=discipline)


WORLDS = {
    world.name: world
    for world in (
        World("fifo", line(1_000, 0, 1, Discipline.FIFO), line(2_000, 1, 1, Discipline.FIFO), 0.0),
        World("sharing", line(1_000, 2, 1, Discipline.SHARING), line(1_000, 0, 1, Discipline.SHARING), 0.0),
        World("mixed", line(1_500, 0, 1, Discipline.SHARING), line(500, 4, 1, Discipline.PRIORITY), 0.0),
        World("servers", line(4_000, 0, 4, Discipline.FIFO), line(3_000, 2, 2, Discipline.FIFO), 0.03),
    )
}


@pytest.mark.parametrize("load", COUNTS)
@pytest.mark.parametrize("name", WORLDS)
def test_a_replay_takes_what_the_cost_says_and_its_best_split_is_the_best(name, load):
    world = WORLDS[name]
    rate = load * world.capacity_per_s
    best = world.best_share(rate)
    found = {}
    for seed, share in enumerate((best, *world.around(rate, best))):
        predicted, measured = world.predicted_s(rate, share), world.measured_s(rate, share, seed, COUNTS[load])
        assert measured.half_width <= 0.05 * predicted
        assert abs(measured.mean - predicted) <= measured.half_width + world.tolerance * predicted
        found[share] = measured
    others = [measured for share, measured in found.items() if share != best]
    assert all(found[best].mean + found[best].half_width < other.mean - other.half_width for other in others)
