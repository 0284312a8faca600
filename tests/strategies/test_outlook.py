"""What came, held against forecasts: oracles in plain loops."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace

import numpy as np
import pytest

from router_core.demand_history import SIZE_BINS, DemandHistory, Relations
from router_core.errors import BadInputError
from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS
from strategies.static.demand_series import DemandSeries
from strategies.static.outlook import class_outlook, class_totals, hindsight
from strategies.tides.forecast import Forecast

BEGIN = datetime(2026, 3, 16)
CLASSES = 3
NODES = 8


def drawn_history(seed: int, hours: int, begin: datetime = BEGIN, unseen: float = 0.1) -> DemandHistory:
    """Draw relations between nodes and what they exchange in each hour."""
    random = np.random.default_rng(seed)
    ends = np.unique(random.integers(0, NODES, (20, 2)), axis=0)
    relations = len(ends)
    exchanges = random.poisson(random.gamma(0.5, 2.0, relations) * (1 + np.arange(hours)[:, None] % 24 / 12))
    observed = random.random(hours) > unseen
    observed[0] = True
    exchanges[~observed] = 0
    hour, relation = np.nonzero(exchanges)
    zeros = np.zeros(relations, dtype=np.int8)
    return DemandHistory(
        grid=TimeGrid(begin, HOUR_NS, hours),
        observed=observed,
        relations=Relations(
            *ends.T.astype(np.int32), zeros, zeros, zeros, np.full(relations, -1), np.zeros((relations, SIZE_BINS), int)
        ),
        hour_start=np.searchsorted(hour, np.arange(hours + 1)).astype(np.int64),
        relation=relation.astype(np.int32),
        exchanges=exchanges[hour, relation],
        payload_bytes=exchanges[hour, relation] * 1_000,
    )


def drawn_forecast(random: np.random.Generator, hours: int, columns: int, begin: datetime = BEGIN) -> Forecast:
    mean = random.gamma(2.0, 1.0, (hours, columns))
    grid = TimeGrid(begin, HOUR_NS, hours)
    return Forecast(grid, np.floor(mean), np.ceil(1.5 * mean), mean, np.zeros(hours, dtype=np.bool_))


def drawn_case(seed: int, later_begin: datetime = BEGIN):
    """Two nodes a group; the series know four of five of the relations' (pair, class)."""
    random = np.random.default_rng([seed, 1])
    network = SimpleNamespace(node_group=np.arange(NODES, dtype=np.int32) // 2, groups=range(NODES // 2))
    later = drawn_history(seed, 30, later_begin)
    label = random.integers(0, CLASSES, len(later.relations))
    group = network.node_group
    about = later.relations
    keys = sorted({
        (int(group[s]), int(group[t]), int(c)) for s, t, c in zip(about.source, about.target, label, strict=True)
    })  # fmt: skip
    known = [key for number, key in enumerate(keys) if number % 5 != seed % 5] + [(3, 3, 2)]
    known = sorted(set(known))
    source, target, kind = (np.array(column, dtype=np.int32) for column in zip(*known, strict=True))
    nobody = np.zeros((0, CLASSES))
    series = DemandSeries(source, target, kind, np.ones(len(known)), CLASSES, nobody, nobody)
    expected = drawn_forecast(random, 48, len(known))
    outlook = drawn_forecast(random, 48, CLASSES + 1)
    return network, series, expected, outlook, later, label, known


def came_in(later: DemandHistory, hour: int, wanted) -> int:
    rows = range(int(later.hour_start[hour]), int(later.hour_start[hour + 1]))
    return sum(int(later.exchanges[row]) for row in rows if wanted(int(later.relation[row])))


@pytest.mark.parametrize("shift", [-10, 0, 20])
@pytest.mark.parametrize("seed", range(5))
def test_scores_equal_a_plain_count(seed: int, shift: int) -> None:
    begin = TimeGrid(BEGIN, HOUR_NS, 0).at(shift)
    network, series, expected, outlook, later, label, known = drawn_case(seed, begin)
    found = hindsight(network, series, expected, outlook, later, label)
    group, about = network.node_group, later.relations

    def key(relation: int) -> tuple[int, int, int]:
        return int(group[about.source[relation]]), int(group[about.target[relation]]), int(label[relation])

    errors = losses = total = unforeseen = 0.0
    inside = []
    for slot in range(48):
        hour = slot - shift
        if not (0 <= hour < 30) or not later.observed[hour]:
            assert np.isnan(found.came[slot]).all()
            continue
        for c in range(CLASSES):
            assert found.came[slot, c] == came_in(later, hour, lambda relation, c=c: label[relation] == c)
        whole = came_in(later, hour, lambda _: True)
        assert found.came[slot, CLASSES] == whole
        total += whole
        for column, of in enumerate(known):
            came = came_in(later, hour, lambda relation, of=of: key(relation) == of)
            median, upper = expected.p50[slot, column], expected.p95[slot, column]
            errors += abs(came - median)
            losses += 0.95 * (came - upper) if came > upper else 0.05 * (upper - came)
            inside.append(came <= upper)
        unforeseen += came_in(later, hour, lambda relation: key(relation) not in known)
    assert found.unforeseen == pytest.approx(unforeseen / total)
    assert found.series.wape == pytest.approx((errors + unforeseen) / total)
    assert found.series.pinball == pytest.approx((losses + 0.95 * unforeseen) / total)
    assert found.series.coverage == pytest.approx(np.mean(inside))
    seen = ~np.isnan(found.came[:, 0])
    for c in range(CLASSES + 1):
        came = found.came[seen, c]
        assert found.whole[c].wape == pytest.approx(np.abs(came - outlook.p50[seen, c]).sum() / came.sum())
        assert found.whole[c].coverage == pytest.approx((came <= outlook.p95[seen, c]).mean())


@pytest.mark.parametrize("shift", [-30, 48, 500])
def test_a_history_without_a_planned_hour_is_refused(shift: int) -> None:
    network, series, expected, outlook, later, label, _ = drawn_case(1, TimeGrid(BEGIN, HOUR_NS, 0).at(shift))
    with pytest.raises(BadInputError, match="must hold whole hours of 2026-03-16T00:00:00"):
        hindsight(network, series, expected, outlook, later, label)


def test_nothing_that_came_has_no_score_and_no_nan_share() -> None:
    network, series, expected, outlook, later, label, _ = drawn_case(2)
    nothing = DemandHistory(
        later.grid, later.observed, later.relations, np.zeros(31, dtype=np.int64), *(np.empty(0, dtype=int),) * 3
    )
    found = hindsight(network, series, expected, outlook, nothing, label)
    assert found.unforeseen == 0
    assert np.isnan(found.series.wape)


def test_the_outlook_covers_classes_and_their_sum() -> None:
    history = drawn_history(3, 24 * 15, unseen=0.0)
    label = np.arange(len(history.relations)) % CLASSES
    totals = class_totals(history, label, CLASSES)
    np.testing.assert_array_equal(totals[:, :-1].sum(axis=1), totals[:, -1])
    assert totals[:, -1].sum() == history.exchanges.sum()
    grid = TimeGrid(history.grid.end, HOUR_NS, 24)
    outlook = class_outlook(history, label, CLASSES, grid, 0)
    assert outlook.p50.shape == (24, CLASSES + 1)
    # A Tuesday like others: the whole is near the mean of working days.
    assert outlook.mean[:, -1].sum() == pytest.approx(totals[:, -1].reshape(15, 24).sum(axis=1).mean(), rel=0.2)
