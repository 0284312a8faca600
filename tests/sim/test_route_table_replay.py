"""A route table is a plan: a replay cannot tell it from the plan that it was built of."""

from __future__ import annotations

from dataclasses import fields
from datetime import date

import numpy as np
import pytest

import scenarios
from router_core.equal_cost import EqualCostPlan
from router_core.plan import Plan
from router_core.table import route_table
from sim.replay import DATA_PLANES, Replay, replay
from strategies.brain import Command, Event, SetPlan, SlotStarted
from traces.generate import TraceGenerator, write_trace

PLAIN_DAY = date(2026, 3, 17)
COUNT = 1_500


class FirstSlot:
    """Sets one plan when the run starts."""

    name = "first-slot"

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def handle(self, event: Event) -> list[Command]:
        return [SetPlan(self._plan)] if isinstance(event, SlotStarted) and event.slot == 0 else []


def same(one: object, other: object) -> None:
    for field in fields(one):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if isinstance(left, np.ndarray):
            np.testing.assert_array_equal(left, right)
        else:
            assert left == right


@pytest.mark.parametrize("data_plane", DATA_PLANES)
def test_a_replay_with_the_table_is_the_replay_with_its_plan(data_plane, tmp_path):
    platform = scenarios.load("toy")
    network = platform.network
    plan = EqualCostPlan(network)
    table = route_table(network, plan)
    path = tmp_path / "trace.parquet"
    rows = write_trace(path, TraceGenerator(platform, start=PLAIN_DAY, seed=3, exchanges_per_day=COUNT))

    def run(plan: Plan) -> Replay:
        return replay(platform, path, FirstSlot(plan), seed=1, data_plane=data_plane)

    with_plan, with_table = run(plan), run(table)
    assert with_plan.metrics == with_table.metrics
    assert with_plan.metrics.counts.delivered == rows
    same(with_plan.stations, with_table.stations)
    same(with_plan.pairs, with_table.pairs)
    # And it could have told another one.
    other = run(EqualCostPlan(network, paths_max=1))
    assert with_plan.metrics != other.metrics
