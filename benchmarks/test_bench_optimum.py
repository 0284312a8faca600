"""The least peak utilisation of the busiest hour of a plain working day, by column generation."""

from __future__ import annotations

import pytest
from measured import median_s
from pytest_benchmark.fixture import BenchmarkFixture

import scenarios
from router_core.equal_cost import EqualCostPlan
from router_core.exact.platform_optimum import GAP, optimum
from router_core.loads import utilisation
from traces.demand import busiest_hour, hour_demand
from traces.workload import build_workload


@pytest.mark.parametrize(
    "scenario", [pytest.param("toy", id="small"), pytest.param("jiangxi", marks=pytest.mark.heavy)]
)
def test_optimum_of_the_busiest_hour(benchmark: BenchmarkFixture, scenario: str) -> None:
    platform = scenarios.load(scenario)
    network = platform.network
    workload = build_workload(platform)
    hour = busiest_hour(workload)
    demand = hour_demand(workload, None, hour)
    available = 1 - platform.background.mean_fraction(hour + 0.5, working_day=True)
    # The warm-up round compiles the pricing kernel.
    found = benchmark.pedantic(optimum, (network, demand, available), rounds=5, warmup_rounds=1)
    even = utilisation(network, EqualCostPlan(network), demand, available).max()
    assert 0 < found.lower_bound <= found.objective <= even
    assert found.gap <= GAP
    benchmark.extra_info |= {
        "goal": f"optimum.hour.{scenario}",
        "value": median_s(benchmark),
        "flows": len(demand.source),
        "rounds": found.rounds,
        "room": even / found.objective,
    }
