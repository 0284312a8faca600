"""The least peak utilisation against a linear programme written over single arcs, solved by SciPy's HiGHS."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from made_networks import INSTANT, DrawnPlan, Grain, drawn_network
from scipy.optimize import linprog
from scipy.sparse import coo_array

from router_core.demand_model import Demand
from router_core.equal_cost import EqualCostPlan
from router_core.errors import BadInputError
from router_core.exact.platform_optimum import GAP, optimum
from router_core.loads import utilisation
from router_core.network import Network
from router_core.network_builder import NetworkBuilder, Service
from router_core.vocabulary import NodeKind

MEGABYTE_A_SECOND = 1_000_000
# Rates and sizes at which fixed times and bytes weigh about the same.
GRAIN = Grain(grid_ns=10_000_000, rates_ps=(0, 10_000, 40_000))


def seed_ids(seed: int) -> str:
    return f"seed-{seed}-"


class ArcProgramme:
    """Minimise the peak u over flows on arcs; one commodity a row of demand, every station a constraint.

    States of a transit node: (side, node, processed), side "in" on arrival and "out" when ready to leave.
    """

    def __init__(
        self, network: Network, demand: Demand, available: np.ndarray | None, *, first_centre: bool = False
    ) -> None:
        self.network = network
        self.capacity = network.station_servers.astype(float)
        if available is not None:
            self.capacity[network.line_station] *= available
        self.arcs: list[tuple[object, object, int]] = []
        for node in np.flatnonzero(~network.is_endpoint).tolist():
            centre = network.node_kind[node] == NodeKind.CENTRE
            for processed in (False, True):
                if processed or not (centre and first_centre):
                    self.arcs.append(
                        (("in", node, processed), ("out", node, processed), int(network.node_station[node]))
                    )
            if centre:
                self.arcs.append((("in", node, False), ("out", node, True), int(network.node_process_station[node])))
        for line, station in enumerate(network.line_station.tolist()):
            ends = int(network.line_source[line]), int(network.line_target[line])
            if not network.is_endpoint[list(ends)].any():
                for processed in (False, True):
                    self.arcs.append((("out", ends[0], processed), ("in", ends[1], processed), station))
        self.demand = demand

    def weight(self, station: int, rate: float, size: float) -> float:
        """Utilisation of a station by a flow of `rate` exchanges a second with `size` bytes in all."""
        network = self.network
        seconds = rate * network.station_fixed_ns[station] / 1e9 + size * network.station_ps_per_byte[station] / 1e12
        return float(seconds / self.capacity[station])

    def least_peak(self) -> float | None:
        """Return the optimum, or `None` if some demand has no way."""
        network, demand = self.network, self.demand
        stations = network.station_count
        fixed = np.zeros(stations)
        load: list[tuple[int, int, float]] = []
        balance: list[tuple[int, int, float]] = []
        supply: list[float] = []
        columns = 1  # column 0 is the peak
        rows = zip(
            demand.source.tolist(),
            demand.target.tolist(),
            demand.exchanges_per_s.tolist(),
            demand.bytes_per_s.tolist(),
            strict=True,
        )
        for source, target, rate, size in rows:
            if rate == 0:
                continue
            for node in (source, target):
                own = int(network.node_station[node])
                fixed[own] += self.weight(own, rate, size)
            arcs = list(self.arcs)
            arcs += [("S", ("in", home, False), network.access_station[source, home]) for home in network.homes[source]]
            arcs += [(("out", home, True), "T", network.access_station[home, target]) for home in network.homes[target]]
            place: dict[object, int] = {}
            for tail, head, station in arcs:
                for state, sign in ((tail, 1.0), (head, -1.0)):
                    if state not in place:
                        place[state] = len(supply)
                        supply.append({"S": 1.0, "T": -1.0}.get(state, 0.0) if isinstance(state, str) else 0.0)
                    balance.append((place[state], columns, sign))
                load.append((station, columns, self.weight(station, rate, size)))
                columns += 1
        load += [(station, 0, -1.0) for station in range(stations)]
        cost = np.zeros(columns)
        cost[0] = 1.0
        solved = linprog(
            cost,
            A_ub=_matrix(load, stations, columns),
            b_ub=-fixed,
            A_eq=_matrix(balance, len(supply), columns),
            b_eq=supply,
        )
        assert solved.status in (0, 2), solved.message
        return float(solved.fun) if solved.status == 0 else None


def _matrix(entries: list[tuple[int, int, float]], rows: int, columns: int) -> coo_array:
    row, column, value = zip(*entries, strict=True)
    return coo_array((value, (row, column)), shape=(rows, columns)).tocsr()


def drawn_demand(random: Random, network: Network, rows: int, size_kinds: int = 3) -> Demand:
    ends = network.endpoints.tolist()
    pairs = [random.sample(ends, 2) for _ in range(rows)]
    rates = np.array([random.choice((0.0, 1.0, 3.0, 10 * random.random())) for _ in pairs])
    rates[0] = 1.0
    kinds = [random.choice((0, 1_000, 1_000_000, 3_000_000 * random.random())) for _ in range(size_kinds)]
    sizes = np.array([random.choice(kinds) for _ in pairs])
    source, target = np.array(pairs, dtype=np.int32).T
    return Demand(source, target, rates, rates * sizes)


def check_against(network: Network, demand: Demand, available: np.ndarray | None = None, **options: bool) -> float:
    """Assert that the optimum encloses that of the arc programme within its gap; return the latter."""
    truth = ArcProgramme(
        network, demand, available, first_centre=options.get("process_at_first_centre", False)
    ).least_peak()
    assert truth is not None
    found = optimum(network, demand, available, **options)
    assert found.lower_bound <= truth * (1 + 1e-7)
    assert found.objective >= truth * (1 - 1e-7)
    assert found.gap <= GAP
    assert found.objective - found.lower_bound == pytest.approx(found.gap * found.objective)
    return truth


@pytest.mark.parametrize("seed", range(40), ids=seed_ids)
def test_agrees_with_the_arc_programme(seed):
    random = Random(seed)
    network = drawn_network(random, transit=random.randint(2, 7), front_ends=random.randint(2, 6), grain=GRAIN)
    demand = drawn_demand(random, network, random.randint(1, 8))
    available = np.array([random.uniform(0.05, 1.0) for _ in range(network.line_count)]) if seed % 2 else None
    peak = check_against(network, demand, available)
    # No plan does better.
    for plan in (EqualCostPlan(network), DrawnPlan(random, network)):
        assert utilisation(network, plan, demand, available).max() >= peak * (1 - 1e-9)


@pytest.mark.parametrize("seed", range(20), ids=seed_ids)
def test_without_the_choice_of_processing_centre(seed):
    random = Random(seed)
    network = drawn_network(random, transit=6, extra_lines=5, grain=GRAIN)
    demand = drawn_demand(random, network, 5)
    bound = check_against(network, demand, process_at_first_centre=True)
    assert optimum(network, demand).lower_bound <= bound * (1 + 1e-7)


def test_the_drawn_instances_leave_something_to_choose():
    """Else the comparisons above would compare a single way with itself."""
    better = 0
    for seed in range(20):
        random = Random(seed)
        network = drawn_network(random, transit=6, grain=GRAIN)
        demand = drawn_demand(random, network, 5)
        single = utilisation(network, EqualCostPlan(network, 1), demand).max()
        better += optimum(network, demand).objective < 0.95 * single
    assert better >= 10


@pytest.mark.parametrize("seed", range(20), ids=seed_ids)
def test_a_disconnected_demand_is_refused(seed):
    random = Random(seed)
    network = drawn_network(random, torn=0.5, extra_lines=1, grain=GRAIN)
    demand = drawn_demand(random, network, 4)
    if ArcProgramme(network, demand, None).least_peak() is None:
        with pytest.raises(BadInputError, match="every pair with demand is connected"):
            optimum(network, demand)
    else:
        check_against(network, demand)


def test_both_sides_of_the_last_test_occur():
    found = set()
    for seed in range(20):
        random = Random(seed)
        network = drawn_network(random, torn=0.5, extra_lines=1, grain=GRAIN)
        found.add(ArcProgramme(network, drawn_demand(random, network, 4), None).least_peak() is None)
    assert found == {True, False}


def line_of(network: Network, demand_rate: float, ends: tuple[int, int] = (-2, -1)) -> Demand:
    """Megabytes a second from one endpoint to another."""
    a, b = network.endpoints[list(ends)]
    rate = np.array([demand_rate])
    return Demand(np.array([a], np.int32), np.array([b], np.int32), rate, rate * MEGABYTE_A_SECOND)


def two_centres(*lines: Service) -> Network:
    builder = NetworkBuilder(("outer",))
    centres = [builder.add_node(name, NodeKind.CENTRE, service=INSTANT, process=INSTANT) for name in ("x", "y")]
    for service in lines:
        builder.add_line(*centres, service=service)
    for number, centre in enumerate(centres):
        builder.add_line(builder.add_node(f"f{number}", NodeKind.FRONT_END, service=INSTANT), centre, service=INSTANT)
    return builder.build()


# A megabyte takes one second, or half of one.
SLOW, FAST = Service(1, 1, 1_000_000), Service(1, 1, 500_000)


def test_parallel_lines_share_by_their_rates():
    network = two_centres(SLOW, FAST, FAST)
    found = optimum(network, line_of(network, 1.0))
    # Rates of 1, 2 and 2 MB/s carry one together.
    assert found.objective == pytest.approx(1 / 5, rel=2e-3)
    assert found.lower_bound == pytest.approx(1 / 5, rel=2e-3)


def test_other_users_push_the_exchange_to_the_other_line():
    network = two_centres(SLOW, SLOW)
    available = np.ones(network.line_count)
    available[:2] = 0.25
    found = optimum(network, line_of(network, 1.0), available)
    assert found.objective == pytest.approx(1 / 1.25, rel=2e-3)


def test_two_homes_are_shared():
    """An endpoint with two homes splits over its access lines, in the bound and in the objective."""
    builder = NetworkBuilder(("outer",))
    centres = [builder.add_node(name, NodeKind.CENTRE, service=INSTANT, process=INSTANT) for name in ("x", "y")]
    builder.add_line(*centres, service=INSTANT)
    both = builder.add_node("both", NodeKind.FRONT_END, service=INSTANT)
    one = builder.add_node("one", NodeKind.FRONT_END, service=INSTANT)
    for centre, service in zip(centres, (SLOW, FAST), strict=True):
        builder.add_line(both, centre, service=service)
    builder.add_line(one, centres[0], service=INSTANT)
    network = builder.build()
    for ends in ((0, 1), (1, 0)):
        demand = line_of(network, 1.0, ends)
        assert optimum(network, demand).objective == pytest.approx(1 / 3, rel=2e-3)
        check_against(network, demand)


def test_a_single_centre_leaves_no_choice():
    builder = NetworkBuilder(("outer",))
    centre = builder.add_node("centre", NodeKind.CENTRE, service=INSTANT, process=Service(2, 1, 1_000_000))
    for number in range(3):
        node = builder.add_node(f"f{number}", NodeKind.FRONT_END, service=INSTANT)
        builder.add_line(node, centre, service=INSTANT)
    network = builder.build()
    found = optimum(network, line_of(network, 0.6))
    assert found.objective == pytest.approx(0.3)
    assert found.lower_bound == pytest.approx(0.3)


def test_what_no_routing_changes_counts_too():
    """A front-end slower than any line sets the peak, and the gap is closed there."""
    builder = NetworkBuilder(("outer",))
    centre = builder.add_node("centre", NodeKind.CENTRE, service=INSTANT, process=INSTANT)
    for number, service in enumerate((INSTANT, SLOW)):
        builder.add_line(builder.add_node(f"f{number}", NodeKind.FRONT_END, service=service), centre, service=INSTANT)
    network = builder.build()
    found = optimum(network, line_of(network, 0.7))
    assert (found.objective, found.lower_bound) == (pytest.approx(0.7), pytest.approx(0.7))


def test_no_demand_needs_nothing():
    network = two_centres(SLOW)
    demand = line_of(network, 0.0)
    found = optimum(network, demand)
    assert (found.objective, found.lower_bound, found.gap) == (0.0, 0.0, 0.0)


def test_the_gap_asked_for_is_kept():
    random = Random(12)
    network = drawn_network(random, transit=8, extra_lines=8, front_ends=8, grain=GRAIN)
    demand = drawn_demand(random, network, 12)
    rough, fine = optimum(network, demand, gap=0.2), optimum(network, demand, gap=1e-6)
    assert rough.gap <= 0.2
    assert fine.gap <= 1e-6
    assert rough.rounds <= fine.rounds
    assert rough.lower_bound <= fine.objective
    assert fine.lower_bound <= rough.objective


@pytest.mark.parametrize("factor", [1e-6, 0.5, 1_000.0])
def test_the_peak_grows_as_the_demand(factor):
    random = Random(3)
    network = drawn_network(random, grain=GRAIN)
    demand = drawn_demand(random, network, 6)
    more = Demand(demand.source, demand.target, demand.exchanges_per_s * factor, demand.bytes_per_s * factor)
    one, other = optimum(network, demand), optimum(network, more)
    assert other.objective == pytest.approx(one.objective * factor, rel=2 * GAP)
    assert other.gap <= GAP
