"""All pairs against a heap Dijkstra in Python, with the rule for ties; changes against solving anew."""

from __future__ import annotations

import heapq
from itertools import pairwise
from random import Random

import numpy as np
import pytest

from router_core.best.all_pairs import CLOSED, NODES_MAX, UNREACHABLE, AllPairs
from router_core.errors import BadInputError


def seed_ids(seed: int) -> str:
    return f"seed-{seed}-"


def drawn_lines(random: Random, nodes: int, lines: int) -> list[tuple[int, int]]:
    """Lines between any two nodes, parallel ones and lines from a node to itself among them."""
    return [(random.randrange(nodes), random.randrange(nodes)) for _ in range(lines)]


def drawn_cost(random: Random, greatest: int) -> int:
    """A small number, so that ties abound; one line in six is closed."""
    return CLOSED if random.random() < 1 / 6 else random.randint(1, greatest)


def dijkstra(nodes: int, lines: list[tuple[int, int]], cost: list[int], transit: list[bool], source: int) -> list[int]:
    """Distances from a node; nodes without transit are begun and ended at only."""
    distance = [UNREACHABLE] * nodes
    distance[source] = 0
    queue = [(0, source)]
    while queue:
        so_far, node = heapq.heappop(queue)
        if so_far > distance[node] or (node != source and not transit[node]):
            continue
        for (tail, head), length in zip(lines, cost, strict=True):
            if tail == node and length != CLOSED and so_far + length < distance[head]:
                distance[head] = so_far + length
                heapq.heappush(queue, (distance[head], head))
    return distance


def expected(
    nodes: int, lines: list[tuple[int, int]], cost: list[int], transit: list[bool]
) -> tuple[np.ndarray, np.ndarray]:
    """Distances and next nodes by the definition: the lowest neighbour that begins a shortest route."""
    distance = np.array([dijkstra(nodes, lines, cost, transit, source) for source in range(nodes)])
    next_node = np.full((nodes, nodes), -1)
    for source in range(nodes):
        next_node[source, source] = source
        for (tail, head), length in sorted(zip(lines, cost, strict=True), reverse=True):
            if tail != source or head == source or length == CLOSED:
                continue
            for target in range(nodes):
                rest = 0 if head == target else int(distance[head, target]) if transit[head] else UNREACHABLE
                if target != source and length + rest == distance[source, target] < UNREACHABLE:
                    next_node[source, target] = head
    return distance, next_node


@pytest.mark.parametrize("seed", range(40), ids=seed_ids)
def test_equals_dijkstra_and_takes_the_lowest_next_node(seed: int) -> None:
    random = Random(seed)
    nodes = random.choice((1, 2, 3, 7, 12, 17, 20))
    lines = drawn_lines(random, nodes, random.choice((0, nodes, 3 * nodes, 6 * nodes)))
    # Small costs fit the narrow table, great ones need the wide one.
    scale = random.choice((1, 1, 10**9))
    cost = [length if length == CLOSED else scale * length for length in (drawn_cost(random, 4) for _ in lines)]
    transit = [random.random() < random.choice((1.0, 0.5)) for _ in range(nodes)]
    pairs = AllPairs(nodes, lines, transit=transit)
    assert (pairs.distance[~np.eye(nodes, dtype=bool)] == UNREACHABLE).all()
    pairs.solve(cost)
    distance, next_node = expected(nodes, lines, cost, transit)
    np.testing.assert_array_equal(pairs.distance, distance)
    np.testing.assert_array_equal(pairs.next_node, next_node)


@pytest.mark.parametrize("seed", range(15), ids=seed_ids)
def test_routes_are_lines_that_join_and_add_up(seed: int) -> None:
    random = Random(seed)
    nodes = 12
    lines = drawn_lines(random, nodes, 40)
    cost = [drawn_cost(random, 4) for _ in lines]
    transit = [random.random() < 0.7 for _ in range(nodes)]
    pairs = AllPairs(nodes, lines, transit=transit)
    pairs.solve(cost)
    for source in range(nodes):
        for target in range(nodes):
            path, used = pairs.path(source, target), pairs.lines(source, target)
            if pairs.distance[source, target] == UNREACHABLE:
                assert path == used == ()
                continue
            assert path[0] == source
            assert path[-1] == target
            assert len(set(path)) == len(path)
            assert all(transit[node] for node in path[1:-1])
            assert [lines[line] for line in used] == list(pairwise(path))
            assert sum(cost[line] for line in used) == pairs.distance[source, target]
    names = pairs.unreachable_names()
    assert names == tuple(f"{a} - {b}" for a, b in np.argwhere(pairs.distance == UNREACHABLE).tolist())


@pytest.mark.parametrize("seed", range(25), ids=seed_ids)
def test_changes_lead_where_solving_anew_leads(seed: int) -> None:
    random = Random(seed)
    nodes = random.choice((2, 6, 14))
    lines = drawn_lines(random, nodes, 4 * nodes)
    transit = [random.random() < random.choice((1.0, 0.6)) for _ in range(nodes)]
    cost = [drawn_cost(random, 4) for _ in lines]
    pairs = AllPairs(nodes, lines, transit=transit)
    pairs.solve(cost)
    for _ in range(30):
        several = random.choice((0, 1, 1, 1, 3, 10))
        number = [random.randrange(len(lines)) for _ in range(several)]
        # Now and then a cost for which the narrow table is too narrow.
        changed = [random.choice((drawn_cost(random, 4), drawn_cost(random, 10**8))) for _ in number]
        for line, length in zip(number, changed, strict=True):
            cost[line] = length
        if several == 1:
            pairs.update(number[0], changed[0])
        else:
            pairs.update(number, changed)
        anew = AllPairs(nodes, lines, transit=transit)
        anew.solve(cost)
        np.testing.assert_array_equal(pairs.cost, cost)
        np.testing.assert_array_equal(pairs.distance, anew.distance)
        np.testing.assert_array_equal(pairs.next_node, anew.next_node)


def test_a_refused_change_changes_nothing() -> None:
    pairs = AllPairs(3, [(0, 1), (1, 2)], names=("a", "b", "c"))
    pairs.solve([5, 7])
    for line, cost, message in (
        ([0, 1], [2, 0], r"cost of line b>c#1: must lie in 1\.\..*, or be CLOSED \(got 0\)"),
        (1, -4, r"cost of line b>c#1"),
        (1, CLOSED - 1, r"cost of line b>c#1"),
        (2, 1, r"line: must lie in 0\.\.1 \(got 2\)"),
        (0, 1.5, r"cost: must be whole numbers"),
        (0, float("nan"), r"cost: must be whole numbers"),
        (0.0, 1, r"line: must be whole numbers"),
        ([0, 1], [3], r"cost: must be whole numbers of shape \(2,\)"),
    ):
        with pytest.raises(BadInputError, match=message):
            pairs.update(line, cost)
    with pytest.raises(BadInputError, match=r"cost of line a>b#0"):
        pairs.solve([0, 7])
    with pytest.raises(BadInputError, match=r"must be whole numbers of shape \(2,\)"):
        pairs.solve([5.0, 7.0])
    assert pairs.distance.tolist() == [[0, 5, 12], [UNREACHABLE, 0, 7], [UNREACHABLE, UNREACHABLE, 0]]
    pairs.update(0, 6)
    assert pairs.distance.tolist() == [[0, 6, 13], [UNREACHABLE, 0, 7], [UNREACHABLE, UNREACHABLE, 0]]


def test_sums_stay_below_what_stands_for_no_way() -> None:
    """The greatest cost that is taken, along the longest chain there is."""
    nodes = 9
    pairs = AllPairs(nodes, [(node, node + 1) for node in range(nodes - 1)])
    greatest = (2**62 - 1 >> 4) // (nodes - 1)
    while True:
        try:
            pairs.solve([greatest] * (nodes - 1))
            break
        except BadInputError:
            greatest -= 1
    assert pairs.distance[0, -1] == (nodes - 1) * greatest
    assert pairs.path(0, nodes - 1) == tuple(range(nodes))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, []), "node_count: must lie in 1.."),
        ((NODES_MAX + 1, []), "node_count: must lie in 1.."),
        ((2, [(0, 2)]), r"line 0: joins nodes 0\.\.1 \(got \(0, 2\)\)"),
        ((2, [(-1, 1)]), "line 0: joins nodes"),
        ((2, [(0.0, 1.0)]), "lines: must be whole numbers"),
        ((2, [0, 1]), "lines: must be whole numbers of shape"),
    ],
)
def test_refuses_what_is_no_network(arguments: tuple, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        AllPairs(*arguments)


def test_refuses_masks_and_names_of_another_size() -> None:
    with pytest.raises(BadInputError, match="transit: must be truth values"):
        AllPairs(2, [(0, 1)], transit=[1, 0])
    with pytest.raises(BadInputError, match="transit: must be truth values"):
        AllPairs(2, [(0, 1)], transit=[True])
    with pytest.raises(BadInputError, match="names: must name 2 nodes"):
        AllPairs(2, [(0, 1)], names=["a"])
    pairs = AllPairs(2, [(0, 1)])
    with pytest.raises(BadInputError, match=r"target: must lie in 0\.\.1 \(got 2\)"):
        pairs.path(0, 2)


def test_views_cannot_be_written() -> None:
    pairs = AllPairs(2, [(0, 1)])
    for view in (pairs.distance, pairs.next_node, pairs.cost):
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 0
