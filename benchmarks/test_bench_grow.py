"""How long `grow` takes: three years of a province hour by hour, and the upgrades that they ask for.

No peer does the same; the figure is seconds. Nothing was tuned here: limit, quantile and prices are the defaults.
"""

from __future__ import annotations

from datetime import date

import pytest
from measured import median_s
from pytest_benchmark.fixture import BenchmarkFixture

from sim.studies.case import platform_of
from sim.studies.growth.grow import Grown, GrowSpec, grow
from sim.studies.growth.rates import Growth

SIZES = [
    pytest.param("toy", "static", id="toy-static"),
    pytest.param("jiangxi", "ecmp", id="jiangxi-ecmp", marks=pytest.mark.heavy),
    pytest.param("jiangxi", "static", id="jiangxi-static", marks=pytest.mark.heavy),
]


@pytest.mark.parametrize(("scenario", "routing"), SIZES)
def test_three_years(benchmark: BenchmarkFixture, scenario: str, routing: str) -> None:
    spec = GrowSpec(scenario, Growth(demand=0.1), date(2026, 1, 1), years=3, routing=routing)
    platform_of(scenario)
    found: list[Grown] = []
    benchmark.pedantic(lambda: found.append(grow(spec)), rounds=2 if scenario == "toy" else 1, warmup_rounds=0)
    grown = found[-1]
    assert len(grown.limits.tide.day) == 1_096
    assert grown.limits.first is not None
    assert grown.proposal is not None
    assert grown.proposal.upgrades
    assert grown.proposal.cost <= grown.proposal.lower_bound * (1 + 1e-3)
    assert grown.after is not None
    assert grown.after <= 1.005
    benchmark.extra_info |= {
        "goal": f"grow.{scenario}.{routing}",
        "value": median_s(benchmark),
        "limits": len(grown.limits.in_order()),
        "upgrades": len(grown.proposal.upgrades),
        "cost": grown.proposal.cost,
    }
