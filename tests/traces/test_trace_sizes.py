from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from router_core.demand_model import SIZE_QUANTILES, SizeLaw
from traces.sizes import size_table, unscaled_sizes

LAWS = st.builds(
    SizeLaw,
    median_bytes=st.integers(1, 10**9),
    sigma=st.floats(0, 3),
    tail_share=st.floats(0, 0.49),
    tail_alpha=st.floats(1.01, 20),
    max_bytes=st.integers(1, 2**44),
)

SOME = settings(max_examples=25, deadline=None)


@SOME
@given(LAWS, st.floats(1e-6, 1e6))
def test_tables_are_sorted_whole_and_cut(law: SizeLaw, factor: float) -> None:
    table = size_table(unscaled_sizes(law), factor, law.max_bytes)
    assert table.shape == (SIZE_QUANTILES,)
    assert table.dtype == np.int64
    assert (np.diff(table) >= 0).all()
    assert table[0] >= 1
    assert table[-1] <= law.max_bytes


@SOME
@given(st.integers(1_000, 10**7), st.floats(0.1, 2.5))
def test_body_is_lognormal(median: int, sigma: float) -> None:
    law = SizeLaw(median, sigma, 0.0, 2.0, 2**44)
    empirical = stats.ecdf(unscaled_sizes(law)).cdf
    points = median * np.exp(np.linspace(-2, 2, 9) * sigma)
    assert np.allclose(empirical.evaluate(points), stats.lognorm(sigma, scale=median).cdf(points), atol=2e-5)


@SOME
@given(st.floats(0.01, 0.4), st.floats(1.1, 4))
def test_tail_is_pareto(share: float, alpha: float) -> None:
    sizes = unscaled_sizes(SizeLaw(1_000_000, 0.5, share, alpha, 2**44))
    start = 1_000_000 * np.exp(0.5 * stats.norm.ppf(1 - share))
    assert abs((sizes > start).mean() - share) < 2 / SIZE_QUANTILES
    # Beyond any multiple of its start lies the share that Pareto's law says.
    for multiple in (1.5, 2.0, 3.0):
        assert abs((sizes > multiple * start).mean() - share * multiple**-alpha) < 2 / SIZE_QUANTILES


@SOME
@given(LAWS.filter(lambda law: law.max_bytes > 10), st.floats(1e-3, 1e3), st.floats(1.0, 10.0))
def test_mean_rises_with_the_factor(law: SizeLaw, factor: float, more: float) -> None:
    unscaled = unscaled_sizes(law)
    low = size_table(unscaled, factor, law.max_bytes).mean()
    assert low <= size_table(unscaled, factor * more, law.max_bytes).mean() <= law.max_bytes
