"""Every pair keeps a path after every single risk where the graph has one; against the list of all paths."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import numpy as np
import pytest
from made_spaces import all_paths, check_lawful, cost_of, drawn_capacity, drawn_platform, drawn_topology, least_peak

from router_core.errors import BadInputError
from router_core.paths.capacity import platform_capacity
from router_core.paths.k_shortest import k_shortest
from router_core.paths.path_set import PathSet
from router_core.paths.route_space import RouteSpace, space_of_lines
from router_core.paths.survivable import choose_paths, unprotected


def seed_ids(seed: int) -> str:
    return f"seed-{seed}-"


def naive_unprotected(paths: PathSet, closed: frozenset[int] = frozenset()) -> dict[tuple[int, int], bool]:
    """Return for each pair and risk that all its paths fail with, whether the graph has one that does not."""
    space, found = paths.space, {}
    for pair, (source, target) in enumerate(zip(paths.source.tolist(), paths.target.tolist(), strict=True)):
        chosen = [set(path) for path in paths.paths_of(pair)]
        every = [set(path) for path in all_paths(space, source, target, closed)]
        for risk in range(len(space.risks)):
            stations = set(space.risks.stations(risk).tolist())
            if chosen and all(path & stations for path in chosen):
                found[pair, risk] = any(not path & stations for path in every)
    return found


def drawn_space(random: Random, seed: int) -> RouteSpace:
    if seed % 3 == 0:
        return drawn_platform(random, torn=0.1 * (seed % 2), transit=random.randint(3, 5))[1]
    return drawn_topology(random, random.randint(1, 6), random.randint(0, 14), both_ways=seed % 3 == 1)


def check_chosen(space: RouteSpace, capacity: np.ndarray, k: int, seed: int) -> PathSet:
    closed = frozenset(np.flatnonzero(capacity == 0).tolist())
    paths = choose_paths(space, capacity, k, seed=seed)
    check_lawful(paths)
    assert paths.space is space
    assert not closed & set(paths.path_station.tolist())
    for pair, (source, target) in enumerate(zip(paths.source.tolist(), paths.target.tolist(), strict=True)):
        every = all_paths(space, source, target, closed)
        chosen = paths.paths_of(pair)
        assert bool(chosen) == bool(every)
        if every:
            assert cost_of(space, chosen[0]) == min(cost_of(space, path) for path in every)
    lacking = naive_unprotected(paths, closed)
    assert not any(lacking.values())
    return paths


@pytest.mark.parametrize("seed", range(30), ids=seed_ids)
def test_no_pair_lacks_a_path_that_the_graph_has(seed):
    random = Random(seed)
    space = drawn_space(random, seed)
    capacity = drawn_capacity(random, space) if seed % 2 else np.ones(space.station_count)
    check_chosen(space, capacity, random.randint(1, 4), seed)


@pytest.mark.parametrize("seed", range(30), ids=seed_ids)
def test_unprotected_names_what_the_list_of_all_paths_does(seed):
    random = Random(seed)
    space = drawn_space(random, seed)
    capacity = drawn_capacity(random, space) if seed % 2 else None
    closed = frozenset(np.flatnonzero(capacity == 0).tolist()) if capacity is not None else frozenset()
    source, target = space.all_pairs()
    order = np.random.default_rng(seed).permutation(len(source))
    paths = k_shortest(space, random.randint(1, 3), source[order], target[order])
    found = unprotected(paths, capacity)
    assert dict(
        zip(zip(found.pair.tolist(), found.risk.tolist(), strict=True), found.avoidable.tolist(), strict=True)
    ) == naive_unprotected(paths, closed)
    assert len(found.pair) == len(naive_unprotected(paths, closed))
    assert (np.diff(found.pair) >= 0).all()


def test_the_drawn_spaces_have_both_kinds_of_unprotected_pairs_and_more_paths_than_asked_for():
    avoidable, extended = [], 0
    for seed in range(30):
        random = Random(seed)
        space = drawn_space(random, seed)
        avoidable += naive_unprotected(k_shortest(space, 2)).values()
        extended += int((np.diff(choose_paths(space, np.ones(space.station_count), 2).pair_start) > 2).sum())
    assert sum(avoidable) > 50
    assert len(avoidable) - sum(avoidable) > 50
    assert extended >= 1


def carriers_in_turn() -> RouteSpace:
    """Return a network where each of three paths fails with two carriers of three, so that no two paths do."""
    ends = np.array([(0, 1), (1, 4), (0, 2), (2, 4), (0, 3), (3, 4)])
    return space_of_lines(list("abcde"), ends, np.ones(6), carrier=np.array([0, 1, 1, 2, 2, 0]))


def test_more_than_k_paths_only_where_k_do_not_do():
    space = carriers_in_turn()
    counts = [len(choose_paths(space, np.ones(6), k, [0], [4]).paths_of(0)) for k in (1, 2, 3, 4)]
    assert counts == [3, 3, 3, 3]
    # Two lines side by side survive each other, and a third adds nothing that k = 2 lacks.
    space = space_of_lines(["a", "b"], np.array([(0, 1)] * 3), np.ones(3))
    assert [len(choose_paths(space, np.ones(3), k, [0], [1]).paths_of(0)) for k in (1, 2, 3)] == [2, 2, 3]


def test_as_many_of_the_best_paths_stay_as_can():
    # Three wide lines of one carrier; past it only a line so thin that no tree takes it.
    capacity = np.array([3.0, 2.0, 1.0, 1e-12])
    ends, carrier = np.array([(0, 1)] * 4), np.array([0, 0, 0, 1])
    space = space_of_lines(["a", "b"], ends, capacity, carrier=carrier)
    chosen = [choose_paths(space, capacity, k, [0], [1]).paths_of(0) for k in (1, 2, 3, 4)]
    assert chosen == [[(0,), (3,)], [(0,), (3,)], [(0,), (1,), (3,)], [(0,), (1,), (2,), (3,)]]


def test_a_risk_is_avoided_although_that_pays_more_fines():
    # The way over m has two lines of two carriers. Each way past one of these has seven lines of the other, and is so
    # narrow that no tree takes it: to avoid both at once, m is the least bad, and only a ban on one leads past it.
    ends, carrier, capacity = [(0, 1), (1, 2)], [0, 1], [1.0, 1.0]
    for number in (0, 1):
        nodes = [0, *range(3 + 6 * number, 9 + 6 * number), 2]
        ends += list(pairwise(nodes))
        carrier += 7 * [number]
        capacity += 7 * [1e-12]
    space = space_of_lines(
        [f"n{node}" for node in range(15)], np.array(ends), np.array(capacity), carrier=np.array(carrier)
    )
    found = choose_paths(space, np.array(capacity), 2, [0], [2]).paths_of(0)
    assert sorted(found) == [(0, 1), tuple(range(2, 9)), tuple(range(9, 16))]


def test_a_report_names_pairs_and_risks():
    space = carriers_in_turn()
    report = unprotected(k_shortest(space, 1, [0], [4]))
    assert {name.split(": ")[1] for name in report.names()} == {
        "carrier 0", "carrier 1", "node a", "node b", "node e", "cable a>b#0", "cable b>e#1"
    }  # fmt: skip
    assert [space.risks.name[risk] for _, risk in report.lacking] == [
        space.risks.name[risk] for risk, avoidable in zip(report.risk, report.avoidable, strict=True) if avoidable
    ]
    assert {space.risks.name[risk] for _, risk in report.lacking} == {
        "carrier 0", "carrier 1", "node b", "cable a>b#0", "cable b>e#1"
    }  # fmt: skip


def test_pairs_in_any_order_and_more_than_once_get_the_same_paths():
    random = Random(9)
    space = drawn_topology(random, 8, 12, both_ways=True)
    capacity = np.ones(space.station_count)
    every = choose_paths(space, capacity)
    drawn = [random.randrange(every.pair_count) for _ in range(60)]
    some = choose_paths(space, capacity, 4, every.source[drawn], every.target[drawn])
    assert [some.paths_of(place) for place in range(60)] == [every.paths_of(pair) for pair in drawn]


def test_a_set_without_pairs():
    space = space_of_lines([], np.empty((0, 2), dtype=int), np.empty(0))
    assert choose_paths(space, np.empty(0)).pair_count == 0
    assert unprotected(choose_paths(space, np.empty(0))).lacking == []


def test_paths_that_survive_split_load_well_too():
    """A made twin of the quality goal: a ring of rings, gravity demands that the mixture has not drawn."""
    ratios = []
    for seed in range(4):
        space = drawn_topology(Random(seed), 14, 12, both_ways=True)
        draws = np.random.default_rng(seed)
        capacity = np.resize(draws.choice([1.0, 2.5, 10.0], space.station_count // 2), space.station_count)
        paths = choose_paths(space, capacity)
        mass = draws.lognormal(0, 1, (2, space.end_count))
        demand = mass[0][paths.source] * mass[1][paths.target]
        best = least_peak(k_shortest(space, 60), capacity, demand)
        ratios.append(least_peak(paths, capacity, demand) / best)
        assert np.diff(paths.pair_start).max() <= 4
        assert unprotected(paths).lacking == []
    assert np.mean(ratios) < 1.015
    assert max(ratios) < 1.05


@pytest.mark.parametrize("seed", range(4), ids=seed_ids)
def test_platform_capacities_serve_the_platform(seed):
    network, space = drawn_platform(Random(seed))
    capacity = platform_capacity(network)
    for station in range(network.station_count):
        busy_ns = int(network.station_fixed_ns[station]) + 1_000 * int(network.station_ps_per_byte[station])
        assert capacity[station] * busy_ns == pytest.approx(int(network.station_servers[station]) * 1e9)
    check_chosen(space, capacity, 4, seed)


def test_bad_arguments_are_named():
    space = drawn_topology(Random(1), 4, 12)
    for arguments, message in (
        ((np.ones(3),), "capacity: must be of shape"),
        ((np.ones(space.station_count), 0), "k: must be a whole number of at least 1"),
        ((np.ones(space.station_count), 4, [0], [9]), "target of pair 0: must lie in"),
    ):
        with pytest.raises(BadInputError, match=message):
            choose_paths(space, *arguments)
    with pytest.raises(BadInputError, match="must not be negative"):
        unprotected(k_shortest(space, 1), -np.ones(space.station_count))
