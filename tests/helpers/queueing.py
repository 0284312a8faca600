"""Closed forms of queueing theory, what is drawn to check them, and how a mean is estimated; times in mean services."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import exp, factorial

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]


@dataclass(frozen=True)
class Estimate:
    """A mean and the half-width of its confidence interval."""

    mean: float
    half_width: float

    def agrees_with(self, theory: float) -> bool:
        return abs(self.mean - theory) <= self.half_width


def estimate(values: NDArray[np.float64], controls: NDArray[np.float64], false_alarm: float) -> Estimate:
    """Estimate the mean of independent `values` (R,) by Student's t with the help of `controls` (R, k).

    Controls have the expectation 0 (Lavenberg and Welch, Management Science 27, 1981). The interval misses a true
    mean with the probability `false_alarm`.
    """
    freedom = len(values) - 1 - controls.shape[1]
    design = np.column_stack([np.ones(len(values)), controls])
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ design.T @ values
    variance = ((values - design @ coefficients) ** 2).sum() / freedom
    quantile = float(stats.t.ppf(1 - false_alarm / 2, freedom))
    return Estimate(float(coefficients[0]), quantile * float(np.sqrt(variance * inverse[0, 0])))


# Service times of mean 1.


def exponential(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    return rng.exponential(1.0, count)


def constant(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    return np.ones(count)


def two_sizes(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Nine of ten take 0.5, one takes 5.5."""
    return np.where(rng.random(count) < 0.9, 0.5, 5.5)


def uniform(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    return rng.uniform(0, 2, count)


LOGNORMAL_SIGMA = 0.9


def lognormal(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    return rng.lognormal(-(LOGNORMAL_SIGMA**2) / 2, LOGNORMAL_SIGMA, count)


SECOND_MOMENT: dict[Draw, float] = {
    exponential: 2.0,
    constant: 1.0,
    two_sizes: 0.9 * 0.5**2 + 0.1 * 5.5**2,
    uniform: 4 / 3,
    lognormal: exp(LOGNORMAL_SIGMA**2),
}


def pollaczek_khinchine(load: float, second_moment: float) -> float:
    """Mean wait of M/G/1, first come, first served."""
    return load * second_moment / (2 * (1 - load))


def erlang_c(servers: int, load: float) -> float:
    """Probability that an arrival at M/M/c waits; `load` is of each server."""
    offered = servers * load
    last = offered**servers / factorial(servers) / (1 - load)
    return last / (sum(offered**k / factorial(k) for k in range(servers)) + last)


def cobham(servers: int, load: float, second_moment: float, shares: tuple[float, ...]) -> list[float]:
    """Mean wait of each class by non-pre-emptive priority; classes differ in their shares of the arrivals alone.

    Cobham, Operations Research 2 (1954), for M/M/c, and for M/G/1 where `servers` is 1.
    """
    residual = load * second_moment / 2 if servers == 1 else erlang_c(servers, load) / servers
    ahead = [load * sum(shares[:rank]) for rank in range(len(shares) + 1)]
    return [residual / ((1 - more) * (1 - with_own)) for more, with_own in pairwise(ahead)]
