"""The arrival model: means, laws, order, repeatability and bounds."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from router_core.errors import BadInputError
from router_core.exchanges import DTYPES, NO_DEADLINE, NO_LABEL, Exchanges, concatenate
from traces.importers import ArrivalModel, exchanges_of
from traces.importers import arrivals as module
from traces.matrices import MatrixSeries

ENDPOINTS = np.array([7, 3, 9])


def series_of(demand: np.ndarray, begins_s: list[int]) -> MatrixSeries:
    count = demand.shape[1]
    return MatrixSeries(
        demand_mbps=demand,
        t_utc=np.array(begins_s).astype("datetime64[s]"),
        nodes=tuple(f"n{index}" for index in range(count)),
        links=np.array([[0, index] for index in range(1, count)]),
        directed=False,
        capacity_mbps=np.full(count - 1, 1e4),
    )


SERIES = series_of(
    np.array([[[500, 40, 8], [0, 70, 16], [0.08, 24, 0]], [[0, 4, 80], [0.8, 0, 0], [12, 0, 900]]]), [1000, 1300]
)


def draw(series: MatrixSeries = SERIES, seed: int = 5, **changes) -> Exchanges:
    interval = changes.pop("interval_s", None)
    model = ArrivalModel(**{"mean_bytes": 20_000, **changes})
    return concatenate(list(exchanges_of(series, ENDPOINTS, model, seed=seed, interval_s=interval)))


@pytest.mark.parametrize(("law", "sigma"), [("fixed", 0.0), ("exponential", 0.0), ("lognormal", 1.0)])
def test_numbers_and_bytes_of_every_pair_and_interval_are_those_of_the_matrix(law, sigma):
    found = draw(law=law, sigma=sigma)
    interval = found.submitted_ns // (300 * 10**9)
    # Second moment over squared mean: of a compound Poisson sum it gives the variance of the bytes.
    spread = {"fixed": 1.0, "exponential": 2.0, "lognormal": float(np.exp(sigma**2))}[law]
    for k in range(2):
        for a in range(3):
            for b in range(3):
                rows = (interval == k) & (found.source == ENDPOINTS[a]) & (found.target == ENDPOINTS[b])
                mean_bytes = 0.0 if a == b else SERIES.demand_mbps[k, a, b] * 1e6 / 8 * 300
                mean = mean_bytes / 20_000
                # Six standard deviations: a failure means a defect, not bad luck.
                assert abs(rows.sum() - mean) <= 6 * np.sqrt(mean)
                drawn = float(found.payload_bytes[rows].sum())
                assert abs(drawn - mean_bytes) <= 6 * 20_000 * np.sqrt(mean * spread)


def test_times_are_uniform_in_their_interval_and_sizes_follow_their_law():
    found = draw(law="lognormal", sigma=0.7)
    offsets = found.submitted_ns[found.submitted_ns < 300 * 10**9] / (300 * 10**9)
    assert stats.kstest(offsets, "uniform").pvalue > 1e-6
    mu = np.log(20_000) - 0.7**2 / 2
    assert stats.kstest(np.log(found.payload_bytes), "norm", args=(mu, 0.7)).pvalue > 1e-6
    found = draw(law="exponential")
    assert stats.kstest(found.payload_bytes, "expon", args=(0, 20_000)).pvalue > 1e-6
    assert (draw(law="fixed").payload_bytes == 20_000).all()


def test_gaps_between_arrivals_of_a_pair_are_exponential():
    series = series_of(np.full((1, 3, 3), 8.0), [0])
    found = draw(series, interval_s=400)
    rows = (found.source == 7) & (found.target == 3)
    gaps = np.diff(found.submitted_ns[rows]) / 1e9
    assert stats.kstest(gaps, "expon", args=(0, 0.02)).pvalue > 1e-6


def test_columns_are_what_the_exchanges_and_the_catalogue_say():
    found = draw(priority=2, deadline_ns=10**9)
    for name, dtype in DTYPES.items():
        assert getattr(found, name).dtype == dtype
    assert (np.diff(found.submitted_ns) >= 0).all()
    assert found.submitted_ns.min() >= 0
    assert (ENDPOINTS[found.resource] == found.source).all(), "a resource leaves from its provider"
    assert (found.source != found.target).all()
    assert (found.deadline_ns - found.submitted_ns == 10**9).all()
    assert (found.priority == 2).all()
    assert (found.demand_type == NO_LABEL).all()
    assert (draw().deadline_ns == NO_DEADLINE).all()


def test_the_seed_decides_and_nothing_else():
    first, again, other = draw(seed=5), draw(seed=5), draw(seed=6)
    for field in fields(Exchanges):
        assert np.array_equal(getattr(first, field.name), getattr(again, field.name))
    assert len(first) != len(other) or not np.array_equal(first.submitted_ns, other.submitted_ns)
    assert np.array_equal(first.submitted_ns, draw(seed=5, law="fixed").submitted_ns), (
        "sizes have a stream of their own"
    )


def test_a_short_interval_leaves_a_pause_and_a_gap_in_the_series_too():
    series = replace(SERIES, t_utc=np.array([0, 86_400]).astype("datetime64[s]"))
    found = draw(series, interval_s=60)
    begins = np.array([0, 86_400]) * 10**9
    assert ((found.submitted_ns - begins[(found.submitted_ns >= begins[1]).astype(int)]) < 60 * 10**9).all()
    assert (found.submitted_ns >= begins[1]).any()


@pytest.mark.parametrize(("rows", "batches_min"), [(1_000, 300), (60_000, 6)])
def test_a_heavy_matrix_comes_in_batches_that_keep_the_mean(monkeypatch, rows, batches_min):
    monkeypatch.setattr(module, "BATCH_ROWS", rows)
    model = ArrivalModel(mean_bytes=20_000, law="fixed")
    batches = list(exchanges_of(SERIES, ENDPOINTS, model, seed=5))
    assert len(batches) >= batches_min
    assert max(len(batch) for batch in batches) < 1.3 * rows
    whole = concatenate(batches)
    assert (np.diff(whole.submitted_ns) >= 0).all()
    mean = module.expected_exchanges(SERIES, model, 300)
    assert abs(len(whole) - mean) <= 6 * np.sqrt(mean)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 3), st.floats(0, 50), st.sampled_from(module.SIZE_LAWS))
def test_any_small_series_gives_valid_exchanges(seed, length, level, law):
    rng = np.random.default_rng(seed)
    series = series_of(level * rng.random((length, 3, 3)), (np.arange(length) * 7).tolist())
    found = draw(series, seed=seed, law=law, interval_s=5, mean_bytes=50_000)
    assert (np.diff(found.submitted_ns) >= 0).all()
    assert (found.submitted_ns < length * 7 * 10**9).all()
    assert (found.payload_bytes >= 1).all()
    assert np.isin(found.source, ENDPOINTS).all()


def test_a_series_without_demand_gives_no_exchanges():
    assert list(exchanges_of(series_of(np.zeros((2, 3, 3)), [0, 1]), ENDPOINTS, seed=1)) == []


@pytest.mark.parametrize(
    ("series", "endpoints", "model", "interval_s", "rule"),
    [
        (SERIES, ENDPOINTS, {"exchanges_max": 1000}, None, "at most 1000 exchanges"),
        (SERIES, ENDPOINTS, {}, 301, "at most the time to the next matrix, 300 s"),
        (SERIES, ENDPOINTS, {}, 0, "must be positive"),
        (series_of(np.ones((1, 3, 3)), [0]), ENDPOINTS, {}, None, "a single matrix"),
        (series_of(np.ones((2, 3, 3)), [0, 2 * 10**9]), ENDPOINTS, {}, None, "must end within"),
        (SERIES, np.array([1, 2]), {}, None, "3 node indices"),
        (SERIES, np.array([1.0, 2.0, 3.0]), {}, None, "3 node indices"),
        (SERIES, np.array([1, 2, 1]), {}, None, "different node indices"),
        (SERIES, np.array([1, 2, -1]), {}, None, "different node indices"),
    ],
)
def test_what_cannot_be_drawn_is_refused_at_once(series, endpoints, model, interval_s, rule):
    with pytest.raises(BadInputError, match=rule):
        exchanges_of(series, endpoints, ArrivalModel(**{"mean_bytes": 20_000, **model}), seed=1, interval_s=interval_s)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("mean_bytes", value) for value in (0, 999, 2**31, -5)),
        *(("sigma", value) for value in (-0.1, 2.1, float("nan"))),
        ("law", "pareto"),
        ("priority", -1),
        ("priority", 128),
        ("deadline_ns", -1),
        ("exchanges_max", 0),
    ],
)
def test_a_model_that_makes_no_sense_is_refused(name, value):
    with pytest.raises(BadInputError, match=f"arrivals.{name}"):
        ArrivalModel(**{name: value})
