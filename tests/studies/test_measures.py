"""Measures of a run against definitions written out the long way, and how much plans move."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from learnt_toy import hours

import scenarios
from router_core.equal_cost import EqualCostPlan
from router_core.errors import BadInputError
from router_core.network import Network
from router_core.plan import Choice
from router_core.randomness import stream
from router_core.units import MINUTE_NS
from router_core.vocabulary import Mode
from sim.churn import ChurnMeter
from sim.data_plane import Refusal
from sim.replay import Lived
from sim.studies.case import BrainChoice, Case, live_case
from sim.studies.comparison.tails import EDGES_NS, tail_counts
from sim.studies.measures import MEASURES, SHOWN, measure, measures


@cache
def run() -> Lived:
    return live_case(Case("toy", hours(9.0, 0.1), BrainChoice("ecmp"), seed=3))


@pytest.mark.parametrize("warm_up_ns", [0, MINUTE_NS, 10**12])
def test_measures_written_out(warm_up_ns: int) -> None:
    lived = run()
    found = measures(lived, warm_up_ns)
    assert list(found) == list(MEASURES)
    exchanges, outcome = lived.record.exchanges, lived.record.outcome
    kept = [row for row in range(len(exchanges)) if exchanges.submitted_ns[row] >= warm_up_ns]
    for name in ("all", *(mode.name.lower() for mode in Mode)):
        rows = [row for row in kept if name == "all" or Mode(int(exchanges.mode[row])).name.lower() == name]
        times = sorted(int(lived.done.took_ns[row]) for row in rows if outcome.delivered_ns[row] >= 0)
        for quantile, thousandths in (("p50", 500), ("p95", 950), ("p99", 990), ("p999", 999)):
            value = found[f"{quantile}.{name}"]
            if not times:
                assert np.isnan(value)
                continue
            enough = next(one for one in times if sum(t <= one for t in times) * 1000 >= thousandths * len(times))
            assert value == enough
        if times:
            assert found[f"mean.{name}"] == pytest.approx(sum(times) / len(times), rel=1e-15)
        late = [
            row
            for row in rows
            if lived.done.due[row]
            and (outcome.delivered_ns[row] < 0 or outcome.delivered_ns[row] > exchanges.deadline_ns[row])
        ]
        assert found[f"missed.{name}"] == len(late)
    # One hour is begun and not ended: the busiest station is that of the whole run.
    series = lived.record.series
    rows = series.rows
    length_ns = np.diff(series.edge_ns)
    busy: dict[int, float] = {}
    for station, slot, share in zip(rows.station.tolist(), rows.slot.tolist(), rows.utilisation.tolist(), strict=True):
        busy[station] = busy.get(station, 0.0) + share * int(length_ns[slot])
    assert found["busiest"] == pytest.approx(max(busy.values()) / int(length_ns.sum()))
    assert found["churn"] == found["capacity"] == found["held_mean"] == 0.0


def test_what_is_refused_or_under_way_is_counted_as_such() -> None:
    lived = run()
    count = len(lived.record.exchanges)
    refusal, delivered_ns = lived.record.outcome.refusal.copy(), lived.record.outcome.delivered_ns.copy()
    refusal[:5], delivered_ns[:5], delivered_ns[5:7] = Refusal.NO_ROUTE, -1, -1
    outcome = replace(lived.record.outcome, refusal=refusal, delivered_ns=delivered_ns)
    lost = replace(
        lived,
        record=replace(lived.record, outcome=outcome),
        done=replace(lived.done, delivered=delivered_ns >= 0),
    )
    found = measures(lost)
    assert (found["refused"], found["undelivered"]) == (5.0, 2.0)
    late = int(lived.record.exchanges.submitted_ns[3])
    found = measures(lost, late)
    early = int((lived.record.exchanges.submitted_ns < late).sum())
    assert (found["refused"], found["undelivered"]) == (5.0 - early, 2.0)
    assert count > 7


@pytest.mark.parametrize("seed", range(3))
def test_tails_count_what_took_longer_and_not_what_took_as_long(seed: int) -> None:
    lived, random = run(), stream(seed, "tails")
    # Times on the edges themselves, and beyond both ends.
    ladder = np.concatenate([[0], EDGES_NS, [EDGES_NS[-1] + 1]])
    done = replace(lived.done, ordered_ns=np.sort(random.choice(ladder, len(lived.done.order))))
    (found,) = tail_counts(replace(lived, done=done), [0])
    assert found["all"].tolist() == [len(done.ordered_ns), *((done.ordered_ns > edge).sum() for edge in EDGES_NS)]


def test_names_of_measures() -> None:
    assert set(SHOWN) <= set(MEASURES)
    assert all(one.name == name and one.title.en and one.title.zh for name, one in MEASURES.items())
    assert measure("p99.query").title.en == "p99 of queries"
    with pytest.raises(BadInputError, match="--measure"):
        measure("p98.all")


class Shifted:
    """Equal-cost choices whose weights turn by one place with each step."""

    def __init__(self, network: Network, step: int) -> None:
        self._plan, self._step = EqualCostPlan(network), step

    def choice(self, source: int, target: int) -> Choice | None:
        choice = self._plan.choice(source, target)
        if choice is None:
            return None
        weights = [0] * len(choice.weights)
        weights[self._step % len(weights)] = 7
        return Choice(choice.trunks, tuple(weights))


def meter(plans: list[Any], pairs: int = 64) -> float:
    found = ChurnMeter(scenarios.load("toy").network, pairs)
    for plan in plans:
        found.observe(plan)
    return found.moved


def test_churn_is_what_moves_from_way_to_way() -> None:
    network = scenarios.load("toy").network
    still = EqualCostPlan(network)
    assert meter([]) == meter([still]) == meter([still, still, EqualCostPlan(network)]) == 0.0
    there, back = Shifted(network, 0), Shifted(network, 1)
    once, twice = meter([there, back]), meter([there, back, there])
    # A pair with two ways goes over altogether: 1; one with a single way stays.
    assert 0.0 < once <= 1.0
    assert twice == pytest.approx(2 * once)
    assert meter([there, back], 0) == 0.0
    assert meter([there, there, back]) == once


@pytest.mark.parametrize("seed", range(5))
def test_churn_is_half_the_distance_of_shares(seed: int) -> None:
    """All pairs of groups, by the definition."""
    network, random = scenarios.load("toy").network, stream(seed, "churn")
    groups = range(len(network.groups))
    equal = EqualCostPlan(network)

    class Drawn:
        def __init__(self) -> None:
            self.of = {}
            for pair in ((a, b) for a in groups for b in groups):
                choice = equal.choice(*pair)
                if choice is not None:
                    weights = random.integers(0, 5, len(choice.trunks))
                    weights[0] += not weights.any()
                    self.of[pair] = Choice(choice.trunks, tuple(int(one) for one in weights))

        def choice(self, source: int, target: int) -> Choice | None:
            return self.of.get((source, target))

    plans = [Drawn() for _ in range(3)]
    pairs = [(a, b) for a in groups for b in groups if a != b]
    expected = 0.0
    for before, after in pairwise(plans):
        for pair in pairs:
            one, two = before.of.get(pair), after.of.get(pair)
            if one is None or two is None:
                continue
            shares = [np.array(c.weights) / sum(c.weights) for c in (one, two)]
            expected += np.abs(shares[0] - shares[1]).sum() / 2 / len(pairs)
    assert meter(plans, len(groups) ** 2) == pytest.approx(expected)
