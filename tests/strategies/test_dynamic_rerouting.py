"""Routes of the moment: who may leave the planned ways, who goes home and how, and that many pairs do not herd."""

from __future__ import annotations

import numpy as np
import pytest
from learnt_toy import learnt, toy
from routing_validator import naive_load

from router_core.units import MINUTE_NS
from strategies.dynamic.rerouting import Rerouting, Situation
from strategies.dynamic.setting import DynamicSetting

NETWORK = toy().network
PATHS = learnt().plan.paths
SETTING = DynamicSetting()
SEEDS = range(6)
S, L = NETWORK.station_count, NETWORK.line_count


def seeded():
    return pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed-{seed}-")


def rerouting() -> Rerouting:
    result = Rerouting(NETWORK, PATHS, SETTING)
    result.set_home(learnt().plan.weights[9])
    return result


def situation(demand: np.ndarray, up: np.ndarray | None = None, available: np.ndarray | None = None) -> Situation:
    return Situation(
        demand,
        np.ones(L) if available is None else available,
        np.zeros(S, dtype=np.int32),
        np.zeros(S),
        np.ones(S, dtype=bool) if up is None else up,
    )


def drawn(random: np.random.Generator, peak: float, routes: Rerouting) -> np.ndarray:
    """Demand that brings the busiest station of the planned ways to such a utilisation."""
    amounts = random.exponential(1.0, PATHS.pair_count) * (random.random(PATHS.pair_count) < 0.5)
    demand = np.stack((amounts, amounts * 3e5))
    return demand * peak / loads(routes, situation(demand)).max()


def loads(routes: Rerouting, now: Situation) -> np.ndarray:
    return naive_load(PATHS, routes.weights / 1_000, now.demand, routes.unit_load(now))


def by_pair(mask: np.ndarray) -> np.ndarray:
    return np.bincount(PATHS.path_pair, mask, PATHS.pair_count) > 0


PASSES = np.zeros((PATHS.path_count, S), dtype=bool)
for number in range(PATHS.path_count):
    PASSES[number, list(PATHS.stations(number))] = True


@seeded()
def test_nobody_leaves_home_without_cause(seed: int) -> None:
    """A pair's weights stay those planned, to the unit, unless a way that it uses passes a busy or stopped station."""
    random = np.random.default_rng(seed)
    left = 0
    for _ in range(10):
        routes = rerouting()
        up = random.random(S) > 0.03
        now = situation(drawn(random, random.uniform(0.5, 1.5), routes), up, random.uniform(0.5, 1.0, L))
        before, load = routes.weights.copy(), loads(routes, now)
        routes.step(MINUTE_NS, now)
        caused = by_pair((before > 0) & PASSES[:, (load > SETTING.busy - 1e-9) | ~up].any(axis=1))
        changed = by_pair(routes.weights != before)
        assert not (changed & ~caused).any()
        left += int(changed.sum())
        sums = np.bincount(PATHS.path_pair, routes.weights, PATHS.pair_count)
        assert (sums == 1_000).all()
        assert (routes.weights >= 0).all()
        dead = PASSES[:, ~up].any(axis=1)
        other = by_pair(~dead)
        assert not (routes.weights[dead & other[PATHS.path_pair]] > 0).any()
    assert left > 10


@seeded()
def test_what_moves_is_better_for_all(seed: int) -> None:
    """The sum of delays does not rise in a step, by the model that the steps go by, and what is told of it is true."""
    random = np.random.default_rng(seed)
    routes = rerouting()
    now = situation(drawn(random, 1.3, routes))
    moved = 0
    for step in range(1, 11):
        done = routes.step(step * MINUTE_NS, now)
        if done.left:
            assert done.delay_s <= done.delay_before_s * (1 + 1e-9)
        np.testing.assert_allclose(done.load, loads(routes, now), atol=0.02)
        moved += len(done.pairs)
    assert moved > 0


@seeded()
def test_afterwards_all_go_home_step_by_step_without_a_bump(seed: int) -> None:
    random = np.random.default_rng(seed)
    routes = rerouting()
    usual = drawn(random, 0.5, routes)
    surge = usual * 1.0
    surge[:, random.random(PATHS.pair_count) < 0.5] *= 4.0
    step = 0
    for _ in range(15):
        step += 1
        routes.step(step * MINUTE_NS, situation(surge))
    assert routes.is_away.any()
    now = situation(usual)
    away = [np.abs(routes.weights - routes.home).sum()]
    steps = 0
    for _ in range(60):
        step += 1
        done = routes.step(step * MINUTE_NS, now)
        assert done.peak <= max(done.peak_before, SETTING.busy), "no bump"
        assert done.left == 0
        away.append(np.abs(routes.weights - routes.home).sum())
        assert away[-1] <= away[-2]
        steps += len(done.pairs) > 0
    assert away[-1] == 0
    assert np.array_equal(routes.weights, routes.home)
    assert steps >= 3, "not all at once"


@seeded()
def test_with_a_stale_picture_many_pairs_do_not_herd(seed: int) -> None:
    """Load swings with those who all jump to the way that looked best three steps ago, and settles here."""
    random = np.random.default_rng(seed)
    demand = drawn(random, 1.2, rerouting())
    swings = {}
    for kind in ("ours", "all jump"):
        routes = rerouting()
        seen: list[np.ndarray] = []
        load = []
        for step in range(1, 41):
            now = situation(demand, available=1.0 - random.uniform(0.0, 0.04, L))
            seen.append(loads(routes, now))
            load.append(seen[-1])
            if kind == "ours":
                stale = Situation(demand, now.available, now.borrowed, now.backlog, now.up)
                routes.step(step * MINUTE_NS, stale)
                continue
            price = seen[max(len(seen) - 4, 0)]
            cost = np.array([price[list(PATHS.stations(path))].max(initial=0.0) for path in range(PATHS.path_count)])
            weights = np.zeros(PATHS.path_count, dtype=np.int32)
            for first, last in zip(PATHS.pair_start[:-1].tolist(), PATHS.pair_start[1:].tolist(), strict=True):
                weights[first + int(cost[first:last].argmin())] = 1_000
            routes.weights = weights
        swings[kind] = np.array(load)
    early, late = swings["ours"][:10].std(axis=0).max(), swings["ours"][-15:].std(axis=0).max()
    assert late <= max(early, 0.06)
    assert late < 0.5 * swings["all jump"][-15:].std(axis=0).max()
