"""Choices made when asked for against those of a route table, in drawn platforms."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from made_spaces import drawn_platform

from router_core.paths.k_shortest import k_shortest
from router_core.splits.split import Split
from router_core.table.build import route_table
from strategies.dynamic.patched_plan import PatchedPlan
from strategies.static.path_plans import PathPlans


@pytest.mark.parametrize("seed", range(12), ids=lambda seed: f"seed-{seed}-")
def test_choices_are_those_of_a_route_table(seed: int) -> None:
    random = Random(seed)
    network, space = drawn_platform(random, torn=0.3 if seed % 2 else 0.0)
    paths = k_shortest(space, 3)
    plans = PathPlans(network, paths)
    groups = range(len(network.groups))
    # The same maker of plans for one slot after another.
    for _ in range(2):
        shares = np.zeros(paths.path_count)
        for pair in range(paths.pair_count):
            ways = slice(paths.pair_start[pair], paths.pair_start[pair + 1])
            drawn = np.array([random.choice((0, 1, 333, 1000)) for _ in range(ways.stop - ways.start)], dtype=float)
            shares[ways] = drawn / drawn.sum() if drawn.any() else 0.0
        split = Split(paths, shares, 0.0, 0.0, 0, np.empty(0, dtype=np.intp))
        table, plan = route_table(network, split), plans.plan(shares)
        away = {(int(paths.source[0]), int(paths.target[0])): (0, 7, 0)} if paths.pair_count else {}
        patched = PatchedPlan(plan, away)
        for source in groups:
            for target in groups:
                expected = table.choice(source, target)
                assert plan.choice(source, target) == expected
                if (source, target) not in away:
                    assert patched.choice(source, target) == expected
                elif expected is not None:
                    assert patched.choice(source, target).weights == away[source, target]
