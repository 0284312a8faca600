"""The forecast of pairs: what goes by the clock, scales, gaps, spikes; and errors of forecasts alike."""

from __future__ import annotations

import numpy as np
import pytest

from strategies.dynamic.matrix_forecast import LAGS, PairForecast
from strategies.dynamic.matrix_outlook import WHOLE, MatrixOutlook
from strategies.matrix_brain import MatrixObserved

SEEDS = range(3)
STEP_NS = 300 * 10**9


def clocked(seed: int, steps: int) -> np.ndarray:
    """Demand (T, 3): one pair sends tenfold at two of twelve intervals, one is noise, one is always 0."""
    rng = np.random.default_rng(seed)
    demand = 10 * np.exp(0.05 * rng.standard_normal((steps, 3)))
    demand[np.isin(np.arange(steps) % 12, (3, 7)), 0] *= 10
    demand[:, 2] = 0
    return demand


def forecasts(demand: np.ndarray) -> np.ndarray:
    """Forecasts of all matrices but the first."""
    forecast = PairForecast(demand[0])
    result = []
    for matrix in demand[1:]:
        result.append(forecast.demand)
        forecast.learn(matrix)
    return np.array(result)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_goes_by_the_clock_is_foreseen(seed):
    demand = clocked(seed, 240)
    error = np.abs(forecasts(demand) - demand[1:])[-48:].mean(axis=0)
    last = np.abs(np.diff(demand, axis=0))[-48:].mean(axis=0)
    assert error[0] < 0.3 * last[0]
    assert error[1] < last[1]
    assert error[2] == 0


@pytest.mark.parametrize("unit", [1e-9, 3.0, 1e9])
def test_forecasts_are_in_the_unit_of_the_demand(unit):
    demand = clocked(0, 80)
    assert np.allclose(forecasts(unit * demand), unit * forecasts(demand), rtol=1e-6, atol=0)


def test_a_pair_is_forecast_from_itself_alone():
    demand = clocked(1, 60)
    other = demand.copy()
    other[:, 1] *= 7
    assert np.array_equal(forecasts(demand)[:, 0], forecasts(other)[:, 0])


def test_scaled_is_as_if_it_had_always_been_so():
    demand = clocked(2, 60)
    factor = np.array([4.0, 0.25, 1.0])
    one, other = PairForecast(demand[0]), PairForecast(demand[0] * factor)
    for matrix in demand[1:]:
        one.learn(matrix)
        other.learn(matrix * factor)
    one.scale(factor)
    for matrix in demand[:10] * factor:
        assert np.allclose(one.demand, other.demand, rtol=1e-9)
        one.learn(matrix)
        other.learn(matrix)


@pytest.mark.parametrize("missed", [1, 3, int(LAGS[-1]), 10 * int(LAGS[-1])])
def test_after_missing_matrices_it_goes_on_from_the_usual(missed):
    demand = clocked(0, 60)
    forecast = PairForecast(demand[0])
    for matrix in demand[1:]:
        forecast.learn(matrix)
    forecast.miss(missed)
    assert np.isfinite(forecast.demand).all()
    forecast.follow(demand[5])
    assert forecast.demand[1] == pytest.approx(10, rel=0.3)
    assert forecast.demand[2] == 0


def test_errors_are_those_of_forecasts_alike():
    """A pair that varies in its bursts alone: what may come in a burst spreads, what may come between does not."""
    rng = np.random.default_rng(0)
    steps = 280
    # Enough of the others that no burst is a node's jump.
    source, target = np.nonzero(1 - np.eye(4))
    demand = np.full((steps, 12), 200.0)
    demand[:, 0] = 10
    burst = np.arange(steps) // 20 % 2 == 1
    demand[burst, 0] = 100 * np.exp(0.4 * rng.standard_normal(burst.sum()))
    outlook = MatrixOutlook(source, target, 4)
    spread = {}
    for index, matrix in enumerate(demand):
        if index in (255, 275):
            # Those whose errors are drawn: the newest are as they came.
            found = outlook.scenarios(index * STEP_NS)[WHOLE:, 0]
            spread[bool(burst[index])] = np.quantile(np.log(found), 0.9) - np.quantile(np.log(found), 0.1)
        outlook.observe(MatrixObserved((index + 1) * STEP_NS, index * STEP_NS, matrix))
    assert not outlook.jumps
    assert spread[False] < 0.5 * spread[True]
