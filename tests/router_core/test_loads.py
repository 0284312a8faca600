"""The load model against counting, and against what the simulator serves."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from made_networks import DrawnPlan, OneWay, drawn_network, exchanges
from naive_plane import naive_pick

from router_core.demand_model import Demand
from router_core.equal_cost import EqualCostPlan
from router_core.errors import BadInputError
from router_core.loads import Incidence, per_server, utilisation
from router_core.network import Network
from router_core.plan import Plan, route
from router_core.units import SECOND_NS
from sim.reference_plane import ReferencePlane
from strategies.brain import SetPlan


def seed_ids(seed: int) -> str:
    return f"seed-{seed}-"


def drawn_demand(random: Random, network: Network, rows: int, *, rate: float = 2.0) -> Demand:
    """Draw rates between random pairs; some pairs come twice, some rates are 0."""
    ends = network.endpoints.tolist()
    pairs = [random.sample(ends, 2) for _ in range(rows)]
    pairs[-1] = pairs[0]
    rates = np.array([random.choice((0.0, rate * random.random(), rate * random.random())) for _ in pairs])
    sizes = np.array([random.choice((0, 1_000, 1_000, 50_000 * random.random())) for _ in pairs])
    source, target = np.array(pairs, dtype=np.int32).T
    return Demand(source, target, rates, rates * sizes)


def naive_work(network: Network, plan: Plan, demand: Demand) -> np.ndarray:
    """Server time asked of each station: every row, every trunk, every station of its route, one by one."""
    result = np.zeros(network.station_count)
    columns = (demand.source, demand.target, demand.exchanges_per_s, demand.bytes_per_s)
    for source, target, rate, size in zip(*(column.tolist() for column in columns), strict=True):
        choice = plan.choice(int(network.node_group[source]), int(network.node_group[target]))
        for trunk, weight in zip(choice.trunks, choice.weights, strict=True):
            share = weight / sum(choice.weights)
            for station in route(network, source, target, trunk):
                fixed_s = float(network.station_fixed_ns[station]) / 1e9
                byte_s = float(network.station_ps_per_byte[station]) / 1e12
                result[station] += share * (rate * fixed_s + size * byte_s)
    return result


@pytest.mark.parametrize("seed", range(30), ids=seed_ids)
def test_work_agrees_with_counting(seed):
    random = Random(seed)
    network = drawn_network(random)
    plan = DrawnPlan(random, network) if seed % 2 else EqualCostPlan(network)
    demand = drawn_demand(random, network, 12)
    expected = naive_work(network, plan, demand)
    incidence = Incidence(network, plan, demand.source, demand.target)
    np.testing.assert_allclose(incidence.work(demand.exchanges_per_s, demand.bytes_per_s), expected, rtol=1e-12)
    # Linear in the rates: one matrix serves many.
    twice = incidence.work(2 * demand.exchanges_per_s, 2 * demand.bytes_per_s)
    np.testing.assert_allclose(twice, 2 * expected, rtol=1e-12)
    np.testing.assert_allclose(utilisation(network, plan, demand), expected / network.station_servers, rtol=1e-12)


def test_other_users_leave_less_of_a_line_and_all_of_a_node():
    network = drawn_network(Random(2))
    work = np.linspace(0.1, 1, network.station_count)
    available = np.linspace(0.2, 1, network.line_count)
    alone, shared = per_server(network, work), per_server(network, work, available)
    inside = np.setdiff1d(np.arange(network.station_count), network.line_station)
    np.testing.assert_array_equal(alone[inside], shared[inside])
    np.testing.assert_allclose(shared[network.line_station] * available, alone[network.line_station])


def test_a_pair_without_a_route_is_refused_by_name():
    network = drawn_network(Random(3))
    plan = DrawnPlan(Random(0), network, without_route=1.0)
    a, b = network.endpoints[:2]
    with pytest.raises(BadInputError, match=f"^pair {network.node_name[a]} - {network.node_name[b]}: "):
        Incidence(network, plan, np.array([a]), np.array([b]))


def test_no_demand_is_no_load():
    network = drawn_network(Random(3))
    nobody = np.empty(0, dtype=np.int32)
    nothing = Demand(nobody, nobody, np.empty(0), np.empty(0))
    assert utilisation(network, EqualCostPlan(network), nothing).tolist() == [0.0] * network.station_count


@pytest.mark.parametrize("seed", range(4), ids=seed_ids)
def test_the_simulator_serves_what_the_model_says(seed):
    """Counts are sums of independent choices, so they stay within six standard deviations of the model's mean.

    With about 50 stations and 4 seeds a true model fails here with a probability of 4e-7.
    """
    random = Random(seed)
    network = drawn_network(random, front_ends=5)
    plan = DrawnPlan(random, network)
    ends = network.endpoints
    rng = np.random.default_rng(seed)
    count = 6_000
    source, target = (ends[rng.permuted(np.tile(np.arange(5), (count, 1)), axis=1)[:, :2]]).T
    sizes = rng.integers(0, 2_000, count)
    plane = ReferencePlane(network)
    plane.apply(SetPlan(plan))
    plane.submit(exchanges(np.arange(count) * 1_000, source, target, sizes))
    plane.advance(SECOND_NS)
    snapshot = plane.snapshot()
    assert snapshot.delivered == count

    # One row an exchange, "a second" long: rates are then counts.
    incidence = Incidence(network, plan, source, target)
    mean = incidence.work(np.ones(count), sizes.astype(float)) * 1e9
    # At a station one exchange adds at most its longest service there, and that with some probability.
    longest = network.station_fixed_ns + 2_000 * network.station_ps_per_byte / 1_000
    bound = 6 * np.sqrt(longest * mean) + 1
    assert (np.abs(snapshot.busy_ns - mean) <= bound).all()

    # The very choices of these ids, exactly.
    served = np.zeros(network.station_count, dtype=np.int64)
    busy_ns = np.zeros(network.station_count, dtype=np.int64)
    rows = zip(source.tolist(), target.tolist(), sizes.tolist(), strict=True)
    for number, (a, b, size) in enumerate(rows):
        choice = plan.choice(int(network.node_group[a]), int(network.node_group[b]))
        for station in route(network, a, b, choice.trunks[naive_pick(choice, number)]):
            served[station] += 1
            busy_ns[station] += network.station_fixed_ns[station] + size * network.station_ps_per_byte[station] // 1_000
    np.testing.assert_array_equal(snapshot.served, served)
    np.testing.assert_array_equal(snapshot.busy_ns, busy_ns)


def test_with_one_way_for_all_the_simulator_and_the_model_agree_exactly():
    random = Random(9)
    network = drawn_network(random, front_ends=2, dual_homed=0.0)
    a, b = network.endpoints
    way = EqualCostPlan(network, 1).choice(int(network.node_group[a]), int(network.node_group[b])).trunks[0]
    plane = ReferencePlane(network)
    plane.apply(SetPlan(OneWay(way)))
    plane.submit(exchanges(np.arange(100), a, b, np.arange(100)))
    plane.advance(SECOND_NS)
    demand = Demand(np.array([a]), np.array([b]), np.array([100.0]), np.array([4_950.0]))
    model = utilisation(network, OneWay(way), demand) * network.station_servers
    np.testing.assert_allclose(plane.snapshot().busy_ns, model * 1e9, rtol=1e-12)
