"""What stations carry after single failures: naive loops over `LivePlan`, for every risk."""

from __future__ import annotations

import numpy as np
import pytest
from feed_bundles import network_of, plan_of

from router_core.errors import BadInputError
from router_core.live_plan import LivePlan
from router_core.paths.failure_loads import FailureLoads
from router_core.paths.trunks import path_trunks
from router_core.plan import Choice

NAMES = ("toy", "province-1", "province-3", "province-5")


class OwnPlan:
    def __init__(self, network, paths, weights):
        trunks = path_trunks(network, paths)
        self.choices = {}
        for pair in range(paths.pair_count):
            ways = range(paths.pair_start[pair], paths.pair_start[pair + 1])
            if any(weights[way] for way in ways):
                key = int(paths.source[pair]), int(paths.target[pair])
                self.choices[key] = Choice(tuple(map(trunks.trunk, ways)), tuple(int(weights[way]) for way in ways))

    def choice(self, source_group, target_group):
        return self.choices.get((source_group, target_group))


def drawn(name, seed):
    network, paths = network_of(name), plan_of(name, 0).paths
    random = np.random.default_rng(seed)
    weights = random.integers(0, 4, paths.path_count) * random.integers(0, 2, paths.path_count)
    first = paths.pair_start[:-1][np.diff(paths.pair_start) > 0]
    weights[first + random.integers(0, np.diff(paths.pair_start)[np.diff(paths.pair_start) > 0])] += 1
    return network, paths, weights.astype(np.int64), random


def live_weights(network, paths, weights, down):
    """Weights by path, of what `LivePlan` says to the first endpoints of groups."""
    live = LivePlan(OwnPlan(network, paths, weights), network, down)
    trunks = path_trunks(network, paths)
    result = np.zeros_like(weights)
    for pair in range(paths.pair_count):
        source, target = int(paths.source[pair]), int(paths.target[pair])
        choice = live.between(network.group_endpoint[source], network.group_endpoint[target])
        if choice is None:
            continue
        place = {trunks.trunk(way): way for way in range(paths.pair_start[pair], paths.pair_start[pair + 1])}
        for trunk, weight in zip(choice.trunks, choice.weights, strict=True):
            if not down[list(paths.stations(place[trunk]))].any():
                result[place[trunk]] += weight
    return result


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(2))
def test_weights_after_every_risk_are_those_of_the_live_plan(name, seed):
    network, paths, weights, _ = drawn(name, seed)
    loads, risks = FailureLoads(paths), paths.space.risks
    moved = 0
    for risk in range(len(risks)):
        down = np.zeros(network.station_count, dtype=bool)
        down[risks.stations(risk)] = True
        after = loads.after(weights, risk)
        np.testing.assert_array_equal(after, live_weights(network, paths, weights, down), risks.name[risk])
        moved += int((after != weights).any())
    assert moved > len(risks) // 4


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(2))
def test_peaks_after_every_risk_are_naive_sums(name, seed):
    _, paths, weights, random = drawn(name, seed)
    loads, space = FailureLoads(paths), paths.space
    courses, rank = 5, 3
    demand = random.uniform(0, 10, (paths.pair_count, 2 * courses))
    unit = random.uniform(0, 1, (2, space.station_count))
    scale = np.where(random.random(len(space.risks)) < 0.3, 0.25, 1.0)

    def naive(of):
        flow = np.zeros((space.station_count, 2 * courses))
        for pair in range(paths.pair_count):
            ways = range(paths.pair_start[pair], paths.pair_start[pair + 1])
            total = sum(weights[way] for way in ways)
            for way in ways:
                for station in paths.stations(way):
                    flow[station] += of[way] / total * demand[pair]
        return flow

    flow = loads.flows(weights, demand)
    np.testing.assert_allclose(flow, naive(weights), rtol=1e-12)
    peaks = loads.peaks(weights, demand, flow, unit, rank, scale)
    above = float(np.nanquantile(peaks, 0.7))
    some = loads.peaks(weights, demand, flow, unit, rank, scale, above)
    assert not (np.isnan(some) & (peaks > above)).any()
    assert np.isnan(some).sum() > np.isnan(peaks).sum()
    kept = ~np.isnan(some)
    np.testing.assert_array_equal(some[kept], peaks[kept])
    for risk in range(len(space.risks)):
        moved = flow + scale[risk] * (naive(loads.after(weights, risk)) - flow)
        used = np.sort(unit[:1].T * moved[:, :courses] + unit[1:].T * moved[:, courses:], axis=1)[:, rank]
        told = ~np.isnan(peaks[risk])
        np.testing.assert_allclose(peaks[risk][told], used[told], rtol=1e-9, atol=1e-9)
        same = np.isclose(moved, flow, rtol=1e-12, atol=1e-12).all(axis=1)
        assert not (~told & ~same).any()


def test_pairs_over_a_station_send_over_it():
    _, paths, weights, _ = drawn("toy", 0)
    loads = FailureLoads(paths)
    for station in range(paths.space.station_count):
        expected = {
            int(paths.path_pair[way])
            for way in range(paths.path_count)
            if weights[way] > 0 and station in paths.stations(way)
        }
        assert set(loads.pairs_over(weights, station).tolist()) == expected


def test_what_does_not_fit_is_refused_by_name():
    _, paths, weights, _ = drawn("toy", 0)
    loads, demand = FailureLoads(paths), np.ones((paths.pair_count, 4))
    with pytest.raises(BadInputError, match="weights"):
        loads.flows(-weights, demand)
    with pytest.raises(BadInputError, match="demand"):
        loads.flows(weights, demand[1:])
    with pytest.raises(BadInputError, match="rank"):
        loads.peaks(weights, demand, loads.flows(weights, demand), np.ones((2, paths.space.station_count)), 2)
