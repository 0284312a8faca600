"""Moves of single pairs and the flows beneath them against naive sums, in drawn spaces with everything in them."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
import pytest
from made_spaces import drawn_platform, drawn_topology

from router_core.delay_cost import DelayCost, delay_cost_of_lines
from router_core.kernels.split_sweeps import (
    delay_moves,
    delay_returns,
    moving_gains,
    shift_load,
    station_flows,
    two_flows,
)
from router_core.paths.k_shortest import k_shortest
from router_core.paths.path_set import PathSet

SEEDS = range(24)
CLOSE = {"rtol": 1e-9, "atol": 1e-12}
by_seed = pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed-{seed}-")


@dataclass(eq=False)
class World:
    """Paths, a demand of two components on them, and where it goes."""

    random: Random
    paths: PathSet
    unit: np.ndarray  # (2, S)
    demand: np.ndarray  # (2, D)
    shares: np.ndarray  # (P,)
    home: np.ndarray  # (P,)
    cost: DelayCost

    @property
    def rows(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.paths.pair_start, self.paths.path_start.view(np.uint64), self.paths.path_station.view(np.uint32)

    @property
    def curve(self) -> np.ndarray:
        return np.stack((self.cost.linear, self.cost.queue, self.cost.power, self.cost.bend))

    def of(self, pair: int) -> range:
        return range(self.paths.pair_start[pair], self.paths.pair_start[pair + 1])

    def load(self, shares: np.ndarray, demand: np.ndarray | None = None) -> np.ndarray:
        demand = self.demand if demand is None else demand
        load = np.zeros(self.unit.shape[1])
        for path, share in enumerate(shares.tolist()):
            for station in self.paths.stations(path):
                load[station] += share * (self.unit[:, station] @ demand[:, self.paths.path_pair[path]])
        return load

    def marginal(self, path: int, shares: np.ndarray) -> float:
        """What one more share of a path's pair would cost there, everything reckoned anew."""
        price = self.cost.slope(np.maximum(self.load(shares), 0.0)) * self.unit
        demand = self.demand[:, self.paths.path_pair[path]]
        return float(sum(price[:, station] @ demand for station in self.paths.stations(path)))

    def total(self, shares: np.ndarray) -> float:
        return float(self.cost.value(np.maximum(self.load(shares), 0.0)).sum())

    def move(self, pairs: list[int], is_open: np.ndarray, gain: float, step: float, rounds: int = 3) -> tuple:
        load, shares = self.load(self.shares), self.shares.copy()
        listed = np.array(pairs, dtype=np.int64)
        moved = delay_moves(
            listed, *self.rows, is_open, is_open, self.unit, self.demand, self.curve, gain, step, rounds, load, shares
        )
        np.testing.assert_allclose(load, self.load(shares), **CLOSE)
        check_shares(self, shares)
        return moved, shares

    def drawn_shares(self) -> np.ndarray:
        shares = np.zeros(self.paths.path_count)
        for pair in range(self.paths.pair_count):
            weights = [self.random.choice((0.0, 0.0, 1.0, self.random.random())) for _ in self.of(pair)]
            if weights and not any(weights):
                weights[0] = 1.0
            for path, weight in zip(self.of(pair), weights, strict=True):
                shares[path] = weight / sum(weights)
        return shares


def drawn_world(seed: int) -> World:
    """A topology, or for every third seed a platform; loads from idle to far too much."""
    random = Random(seed)
    if seed % 3 == 2:
        space = drawn_platform(random)[1]
    else:
        space = drawn_topology(random, random.randint(1, 6), random.randint(0, 14))
    paths = k_shortest(space, random.randint(1, 4))
    draw = np.random.default_rng(seed)
    demand = draw.lognormal(0, 1, (2, paths.pair_count)) * draw.choice([0.0, 1.0], paths.pair_count, p=[0.2, 0.8])
    unit = draw.choice([0.0, 0.01, 0.1], (2, space.station_count))
    cost = delay_cost_of_lines(draw.uniform(1, 10, space.station_count))
    world = World(random, paths, unit, demand, np.empty(0), np.empty(0), cost)
    world.shares, world.home = world.drawn_shares(), world.drawn_shares()
    return world


def check_shares(world: World, shares: np.ndarray) -> None:
    assert (shares >= -1e-12).all()
    sums = np.bincount(world.paths.path_pair, shares, world.paths.pair_count)
    np.testing.assert_allclose(sums[np.diff(world.paths.pair_start) > 0], 1.0, **CLOSE)


def all_pairs(world: World) -> list[int]:
    pairs = list(range(world.paths.pair_count))
    world.random.shuffle(pairs)
    return pairs


def naive_moves(world: World, pairs: list[int], is_open: np.ndarray, gain: float, step: float, rounds: int) -> tuple:
    shares, moved = world.shares.copy(), 0
    for pair in pairs:
        before, left, shifts = shares.copy(), step, 0
        ways = [path for path in world.of(pair) if is_open[path]]
        for _ in range(rounds + len(world.of(pair))):
            if not ways:
                break
            costs = {path: world.marginal(path, shares) for path in ways}
            cheap = min(ways, key=lambda path: (costs[path], path))
            closed = [path for path in world.of(pair) if not is_open[path] and shares[path] > 0]
            if closed:
                shares[cheap] += shares[closed[-1]]
                shares[closed[-1]] = 0.0
                shifts += 1
                continue
            dear = max((path for path in ways if shares[path] > 0), key=lambda path: (costs[path], -path))
            if dear == cheap or left <= 0 or costs[dear] <= costs[cheap] * (1 + gain):
                break
            for halving in range(12):
                amount = min(shares[dear], left) / 2**halving
                trial = shares.copy()
                trial[[cheap, dear]] += amount, -amount
                if world.marginal(cheap, trial) <= world.marginal(dear, trial):
                    break
            else:
                break
            shares, left, shifts = trial, left - amount, shifts + 1
        moved += shifts > 0
        assert shifts or np.array_equal(before, shares)
    return moved, shares


@by_seed
def test_moves_are_those_of_naive_sums(seed: int) -> None:
    world = drawn_world(seed)
    is_open = np.array([world.random.random() < 0.8 for _ in range(world.paths.path_count)], dtype=np.bool_)
    pairs = all_pairs(world)[:12]
    moved, shares = world.move(pairs, is_open, 0.1, 0.5)
    expected, naive = naive_moves(world, pairs, is_open, 0.1, 0.5, 3)
    assert moved == expected
    np.testing.assert_allclose(shares, naive, rtol=1e-6, atol=1e-9)


@by_seed
def test_cost_never_rises_and_no_pair_moves_more_than_a_step(seed: int) -> None:
    world = drawn_world(seed)
    is_open = np.ones(world.paths.path_count, dtype=np.bool_)
    last = world.total(world.shares)
    for _ in range(3):
        before = world.shares
        _, world.shares = world.move(all_pairs(world), is_open, 0.0, 0.3)
        moved = np.bincount(world.paths.path_pair, np.abs(world.shares - before) / 2, world.paths.pair_count)
        assert (moved <= 0.3 + 1e-9).all()
        now = world.total(world.shares)
        assert now <= last * (1 + 1e-9)
        last = now


@by_seed
def test_closed_ways_are_left_whole_whatever_the_step(seed: int) -> None:
    world = drawn_world(seed)
    is_open = np.array([world.random.random() < 0.5 for _ in range(world.paths.path_count)], dtype=np.bool_)
    listed = all_pairs(world)[::2]
    _, shares = world.move(listed, is_open, 0.1, 0.0)
    for pair in range(world.paths.pair_count):
        ways = np.array(world.of(pair), dtype=np.int64)
        if pair in listed and is_open[ways].any():
            assert not shares[ways[~is_open[ways]]].any()
            # Without a step nothing else moves: no open way loses anything.
            assert (shares[ways[is_open[ways]]] >= world.shares[ways[is_open[ways]]] - 1e-12).all()
        else:
            np.testing.assert_array_equal(shares[ways], world.shares[ways])


@by_seed
@pytest.mark.parametrize("calm", [0.0, 0.6, np.inf], ids=["only-without-loss-", "where-calm-", "always-"])
def test_returns_are_those_of_naive_sums(seed: int, calm: float) -> None:
    world, step = drawn_world(seed), 0.5
    pairs = all_pairs(world)[:12]
    load, shares = world.load(world.shares), world.shares.copy()
    listed = np.array(pairs, dtype=np.int64)
    moved = delay_returns(
        listed, *world.rows, world.unit, world.demand, world.curve, world.home, calm, step, load, shares
    )
    np.testing.assert_allclose(load, world.load(shares), **CLOSE)
    check_shares(world, shares)
    naive, count = world.shares.copy(), 0
    for pair in pairs:
        ways, trial = list(world.of(pair)), naive.copy()
        trial[ways] += step * (world.home[ways] - naive[ways])
        costs = np.array([world.marginal(path, trial) for path in ways])
        here, there = float(naive[ways] @ costs), float(trial[ways] @ costs)
        after = world.load(trial)
        at_home = [station for path in ways if world.home[path] > 0 for station in world.paths.stations(path)]
        if after[at_home].max(initial=0.0) <= calm or there <= here:
            naive, count = trial, count + 1
    assert moved == count
    if calm == np.inf:
        assert moved == len(pairs)
    if calm == 0.0:
        assert world.total(shares) <= world.total(world.shares) * (1 + 1e-9)
    np.testing.assert_allclose(shares, naive, rtol=1e-6, atol=1e-9)


@by_seed
def test_ways_that_may_not_gain_keep_what_they_have_or_lose(seed: int) -> None:
    world = drawn_world(seed)
    gaining = np.array([world.random.random() < 0.5 for _ in range(world.paths.path_count)], dtype=np.bool_)
    is_open = np.ones(world.paths.path_count, dtype=np.bool_)
    load, shares = world.load(world.shares), world.shares.copy()
    listed = np.array(all_pairs(world), dtype=np.int64)
    delay_moves(listed, *world.rows, is_open, gaining, world.unit, world.demand, world.curve, 0.0, 0.3, 3, load, shares)
    check_shares(world, shares)
    assert (shares[~gaining] <= world.shares[~gaining] + 1e-12).all()
    lost = np.bincount(world.paths.path_pair, np.maximum(world.shares - shares, 0.0), world.paths.pair_count)
    assert lost.max(initial=0.0) <= 0.3 + 1e-9
    assert world.total(shares) <= world.total(world.shares) * (1 + 1e-9)


@by_seed
def test_gains_are_those_of_naive_sums(seed: int) -> None:
    world = drawn_world(seed)
    stations = world.unit.shape[1]
    marked = np.array([world.random.random() < 0.2 for _ in range(stations)], dtype=np.bool_)
    is_open = np.array([world.random.random() < 0.7 for _ in range(world.paths.path_count)], dtype=np.bool_)
    price = np.random.default_rng(seed).uniform(0, 1, (2, stations))
    found, gain = np.empty(world.paths.pair_count, np.int64), np.empty(world.paths.pair_count)
    count = moving_gains(*world.rows, is_open, marked, price, world.demand, 0.1, world.shares, found, gain)
    expected = {}
    for pair in range(world.paths.pair_count):
        ways = list(world.of(pair))
        cost = {
            path: float(sum(price[:, s] @ world.demand[:, pair] for s in world.paths.stations(path))) for path in ways
        }
        caused = any(world.shares[path] > 0 and marked[list(world.paths.stations(path))].any() for path in ways)
        best = min((cost[path] for path in ways if is_open[path]), default=np.inf)
        paid = sum(world.shares[path] * cost[path] for path in ways)
        if caused and paid > best * 1.1:
            expected[pair] = paid - best
    assert found[:count].tolist() == list(expected)
    np.testing.assert_allclose(gain[:count], list(expected.values()), **CLOSE)


@by_seed
def test_flows_and_what_moves_of_them_are_naive_sums(seed: int) -> None:
    world = drawn_world(seed)
    part = world.demand * np.random.default_rng(seed).uniform(0, 1, world.demand.shape)
    stations = world.unit.shape[1]
    one, both = np.full((stations, 2), np.nan), np.full((stations, 4), np.nan)
    station_flows(*world.rows, world.demand, world.shares, one)
    two_flows(*world.rows, world.demand, part, world.shares, both)
    naive = np.zeros((stations, 4))
    for path, share in enumerate(world.shares.tolist()):
        pair = world.paths.path_pair[path]
        for station in world.paths.stations(path):
            naive[station] += share * np.concatenate((world.demand[:, pair], part[:, pair]))
    np.testing.assert_allclose(one, naive[:, :2], **CLOSE)
    np.testing.assert_allclose(both, naive, **CLOSE)

    load, after = world.load(world.shares, part), world.shares.copy()
    moved = np.array(sorted(all_pairs(world)[::3]), dtype=np.int64)
    for pair in moved.tolist():
        after[list(world.of(pair))] = world.home[list(world.of(pair))]
    shift_load(moved, *world.rows, world.unit, part, world.shares, after, load)
    np.testing.assert_allclose(load, world.load(after, part), **CLOSE)
