"""Composition through gateways against a table of all pairs, itself tested against Dijkstra; divisions are drawn."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import numpy as np
import pytest

from router_core.best.all_pairs import AllPairs
from router_core.best.regional_pairs import CLOSED, UNREACHABLE, RegionalPairs
from router_core.errors import BadInputError


def seed_ids(seed: int) -> str:
    return f"seed-{seed}-"


class Nation:
    """Regions of drawn sizes and with drawn lines; some nodes hang on others, of one region or of several."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.nodes = random.choice((1, 3, 12, 24))
        regions = random.choice((1, 2, 4))
        self.region = [random.randrange(regions) * 10 - 7 for _ in range(self.nodes)]
        self.transit = [random.random() < random.choice((1.0, 0.6)) for _ in range(self.nodes)]
        self.lines: list[tuple[int, int]] = []
        between = random.choice((0.0, 0.1, 0.5))
        for _ in range(5 * self.nodes):
            a, b = random.randrange(self.nodes), random.randrange(self.nodes)
            if self.region[a] != self.region[b] and self.transit[a] and self.transit[b] and random.random() > between:
                continue
            if self.transit[a] or self.transit[b] or a == b:
                self.lines.append((a, b))
        self.cost = [self.drawn_cost(4) for _ in self.lines]
        self.pairs = RegionalPairs(self.region, self.lines, transit=self.transit)

    def drawn_cost(self, greatest: int) -> int:
        return CLOSED if self.random.random() < 1 / 6 else self.random.randint(1, greatest)

    def expected(self) -> AllPairs:
        anew = AllPairs(self.nodes, self.lines, transit=self.transit)
        anew.solve(self.cost)
        return anew

    def everyone(self) -> tuple[np.ndarray, np.ndarray]:
        source, target = np.indices((self.nodes, self.nodes)).reshape(2, -1)
        return source, target

    def check(self) -> None:
        source, target = self.everyone()
        expected = self.expected().distance
        np.testing.assert_array_equal(self.pairs.distances(source, target), expected[source, target])

    def check_routes(self) -> None:
        for a, b in zip(*self.everyone(), strict=True):
            path, used = self.pairs.path(a, b), self.pairs.lines(a, b)
            distance = self.pairs.distance(a, b)
            if distance == UNREACHABLE:
                assert path == used == ()
                continue
            assert path[0] == a
            assert path[-1] == b
            assert len(set(path)) == len(path)
            assert all(self.transit[node] for node in path[1:-1])
            assert [self.lines[line] for line in used] == list(pairwise(path))
            assert sum(self.cost[line] for line in used) == distance


@pytest.mark.parametrize("seed", range(40), ids=seed_ids)
def test_equals_a_table_of_all_pairs(seed: int) -> None:
    nation = Nation(Random(seed))
    scale = nation.random.choice((1, 1, 10**9))
    nation.cost = [cost if cost == CLOSED else scale * cost for cost in nation.cost]
    source, target = nation.everyone()
    assert (nation.pairs.distances(source, target)[source != target] == UNREACHABLE).all()
    nation.pairs.solve(nation.cost)
    nation.check()
    if nation.nodes <= 12:
        nation.check_routes()


@pytest.mark.parametrize("seed", range(30), ids=seed_ids)
def test_changes_lead_where_solving_anew_leads(seed: int) -> None:
    nation = Nation(Random(seed))
    random, lines = nation.random, range(len(nation.lines))
    nation.pairs.solve(nation.cost)
    for _ in range(25):
        several = random.choice((0, 1, 1, 1, 3, 10)) if nation.lines else 0
        number = [random.choice(lines) for _ in range(several)]
        # Now and then costs for which narrow tables are too narrow: inside, on the way home, between regions.
        changed = [nation.drawn_cost(random.choice((4, 4, 4, 10**8, 10**10))) for _ in number]
        for line, cost in zip(number, changed, strict=True):
            nation.cost[line] = cost
        if several == 1:
            nation.pairs.update(number[0], changed[0])
        else:
            nation.pairs.update(number, changed)
        nation.check()
    anew = RegionalPairs(nation.region, nation.lines, transit=nation.transit)
    anew.solve(nation.cost)
    np.testing.assert_array_equal(nation.pairs.cost, nation.cost)
    for a, b in zip(*nation.everyone(), strict=True):
        assert nation.pairs.lines(a, b) == anew.lines(a, b)
    if nation.nodes <= 12:
        nation.check_routes()


def test_a_route_may_leave_its_region_and_come_back() -> None:
    """0 and 1 lie in one region; the way through the other one is shorter until its line fails."""
    lines = [(0, 1), (0, 2), (2, 1)]
    pairs = RegionalPairs([5, 5, 9], lines)
    pairs.solve([10, 2, 3])
    assert pairs.gateways.tolist() == [0, 1, 2]
    assert pairs.path(0, 1) == (0, 2, 1)
    pairs.update(2, CLOSED)
    assert pairs.path(0, 1) == (0, 1)
    assert pairs.distance(0, 1) == 10
    assert pairs.unreachable_names([0, 2], [1, 1]) == ("2 - 1",)


def test_a_refused_change_changes_nothing() -> None:
    pairs = RegionalPairs([0, 0, 1], [(0, 1), (1, 2)], names=("a", "b", "c"))
    pairs.solve([5, 7])
    for line, cost, message in (
        ([0, 1], [2, 0], r"cost of line b>c#1: must lie in 1\.\..*, or be CLOSED \(got 0\)"),
        (1, -4, r"cost of line b>c#1"),
        (1, CLOSED - 1, r"cost of line b>c#1"),
        (2, 1, r"line: must lie in 0\.\.1 \(got 2\)"),
        (0, float("nan"), r"cost: must be whole numbers"),
    ):
        with pytest.raises(BadInputError, match=message):
            pairs.update(line, cost)
    with pytest.raises(BadInputError, match=r"cost of line a>b#0"):
        pairs.solve([0, 7])
    assert pairs.distances([0, 0], [1, 2]).tolist() == [5, 12]
    for source, message in ((3, r"source: must lie in 0\.\.2 \(got 3\)"), (0.5, "source: must be whole numbers")):
        with pytest.raises(BadInputError, match=message):
            pairs.distances(source, 0)


def test_refuses_what_cannot_be_divided() -> None:
    with pytest.raises(BadInputError, match="region: must be whole numbers"):
        RegionalPairs([0.5], [])
    with pytest.raises(BadInputError, match=r"line 1: two nodes without transit cannot be joined \(got 'b>c#1'\)"):
        RegionalPairs([0] * 3, [(0, 1), (1, 2)], transit=[True, False, False], names=("a", "b", "c"))
    with pytest.raises(BadInputError, match=r"line 0: joins nodes 0\.\.0"):
        RegionalPairs([0], [(0, 1)])
