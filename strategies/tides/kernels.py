"""Loops of the tide models over arrays: hidden tides, shrinkage, outliers. Called by their own modules alone."""

from __future__ import annotations

from math import lgamma, log

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Below this share of a sum a mean counts as nothing: products of small numbers must not become 0 / 0.
TINY = 1e-300


@njit(cache=True)
def mix_tides(  # noqa: PLR0912  # one loop nest that numba compiles whole
    total: NDArray[np.float64],
    exposure: NDArray[np.float64],
    row_tide: NDArray[np.int64],
    row_context: NDArray[np.int64],
    event: NDArray[np.bool_],
    amount: NDArray[np.float64],
    tide: NDArray[np.float64],
    effect: NDArray[np.float64],
    pull: NDArray[np.float64],
    rounds: int,
    amounts_only: bool,
) -> None:
    """Fit sums of series by few hidden tides, each with effects of its own; `amount`, `tide`, `effect` change in place.

    ``total[d, r] ~ exposure[r] * sum_k amount[d, k] * tide[row_tide[r], k] * prod_e effect[e, k]`` over the events e of
    the row's context, by multiplicative updates that never raise the Poisson deviance (Lee and Seung 2001; each factor
    in its turn). `pull` (V, K) is how many exchanges an effect of 1 weighs.
    """
    series, rows = total.shape
    tides = amount.shape[1]
    events = effect.shape[0]
    contexts = event.shape[0]
    height = np.empty((rows, tides))
    shade = np.empty((contexts, tides))
    up = np.empty((rows, tides))
    down = np.empty(tides)
    top = np.empty(tides)
    bottom = np.empty(tides)
    sums = np.empty(tides)
    for turn in range(rounds):
        _heights(exposure, row_tide, row_context, event, tide, effect, shade, height)
        down[:] = 0.0
        for row in range(rows):
            for k in range(tides):
                down[k] += height[row, k]
        up[:] = 0.0
        sums[:] = 0.0
        for d in range(series):
            top[:] = 0.0
            for row in range(rows):
                if total[d, row] > 0.0:
                    mean = TINY
                    for k in range(tides):
                        mean += amount[d, k] * height[row, k]
                    ratio = total[d, row] / mean
                    for k in range(tides):
                        top[k] += ratio * height[row, k]
            for k in range(tides):
                if down[k] > 0.0:
                    amount[d, k] *= top[k] / down[k]
                sums[k] += amount[d, k]
            if amounts_only:
                continue
            for row in range(rows):
                if total[d, row] > 0.0:
                    mean = TINY
                    for k in range(tides):
                        mean += amount[d, k] * height[row, k]
                    ratio = total[d, row] / mean
                    for k in range(tides):
                        up[row, k] += ratio * amount[d, k]
        if amounts_only:
            continue
        if turn % 2 == 0:
            # The tides themselves, then effects at the next turn: both are factors of the same product.
            _update_tides(exposure, row_tide, row_context, shade, tide, up, sums)
        else:
            for which in range(events):
                for k in range(tides):
                    bottom[k] = pull[which, k]
                    top[k] = pull[which, k]
                for row in range(rows):
                    if event[row_context[row], which]:
                        for k in range(tides):
                            top[k] += up[row, k] * height[row, k]
                            bottom[k] += sums[k] * height[row, k]
                for k in range(tides):
                    if bottom[k] > 0.0:
                        factor = top[k] / bottom[k]
                        effect[which, k] *= factor
                        # Later events of this turn see what this one has moved.
                        for row in range(rows):
                            if event[row_context[row], which]:
                                height[row, k] *= factor
                                if factor > 0.0:
                                    up[row, k] /= factor


@njit(cache=True)
def _heights(exposure, row_tide, row_context, event, tide, effect, shade, height):  # type: ignore[no-untyped-def]
    for c in range(event.shape[0]):
        for k in range(effect.shape[1]):
            shade[c, k] = 1.0
            for which in range(effect.shape[0]):
                if event[c, which]:
                    shade[c, k] *= effect[which, k]
    for row in range(len(exposure)):
        for k in range(effect.shape[1]):
            height[row, k] = exposure[row] * tide[row_tide[row], k] * shade[row_context[row], k]


@njit(cache=True)
def _update_tides(exposure, row_tide, row_context, shade, tide, up, sums):  # type: ignore[no-untyped-def]
    steps, tides = tide.shape
    top = np.zeros((steps, tides))
    bottom = np.zeros((steps, tides))
    for row in range(len(exposure)):
        for k in range(tides):
            weight = exposure[row] * shade[row_context[row], k]
            top[row_tide[row], k] += weight * up[row, k]
            bottom[row_tide[row], k] += weight * sums[k]
    for step in range(steps):
        for k in range(tides):
            if bottom[step, k] > 0.0:
                tide[step, k] *= top[step, k] / bottom[step, k]


@njit(cache=True)
def strength_likelihood(
    total: NDArray[np.float64],
    mean: NDArray[np.float64],
    part: NDArray[np.int64],
    parts: int,
    strength: NDArray[np.float64],
    stride: int,
) -> NDArray[np.float64]:
    """Log likelihood of each strength of shrinkage for each part of the cells, (parts, strengths).

    A cell's total is Poisson around mean x ratio, with a ratio of mean 1 that is Gamma with shape `strength`: negative
    binomial (Robbins 1956). Only every `stride`-th cell counts.
    """
    result = np.zeros((parts, len(strength)))
    width = total.shape[1]
    base = np.empty(len(strength))
    for j in range(len(strength)):
        base[j] = lgamma(strength[j])
    for cell in range(0, total.size, stride):
        row, column = cell // width, cell % width
        m = mean[row, column]
        if m <= 0.0:
            continue
        s = total[row, column]
        for j in range(len(strength)):
            k = strength[j]
            value = k * log(k / (k + m))
            if s > 0.0:
                value += lgamma(k + s) - base[j] + s * log(m / (k + m))
            result[part[row, column], j] += value
    return result


@njit(cache=True)
def cut_outliers(
    demand: NDArray[np.float64],
    known: NDArray[np.bool_],
    kind: NDArray[np.int64],
    level: NDArray[np.float64],
    times: float,
    levels: float,
    least: float,
) -> int:
    """Lower what stands alone among days of its kind to the next highest, in place; return how many cells.

    A cell stands alone where it is above `times` the second highest of the same step of day in days of its kind, plus
    `levels` times the series' mean, plus `least`.
    """
    days, steps, series = demand.shape
    cut = 0
    first = np.empty(series)
    second = np.empty(series)
    where = np.empty(series, dtype=np.int64)
    for which in range(2):
        for step in range(steps):
            first[:] = -1.0
            second[:] = -1.0
            where[:] = -1
            count = 0
            for day in range(days):
                if kind[day] != which or not known[day, step]:
                    continue
                count += 1
                for d in range(series):
                    value = demand[day, step, d]
                    if value > first[d]:
                        second[d] = first[d]
                        first[d] = value
                        where[d] = day
                    elif value > second[d]:
                        second[d] = value
            if count < 3:
                continue
            for d in range(series):
                if first[d] > times * second[d] + levels * level[d] + least:
                    demand[where[d], step, d] = second[d]
                    cut += 1
    return cut


@njit(cache=True)
def add_differences(
    demand: NDArray[np.float64],
    known: NDArray[np.bool_],
    context: NDArray[np.int64],
    top: NDArray[np.float64],
    bottom: NDArray[np.float64],
) -> None:
    """Add squared differences between one day and the next of its context to `top`, and the sums of both to `bottom`.

    Their ratio is the variance of a cell by its mean, 1 if it is Poisson, whatever the means are.
    """
    days, steps, series = demand.shape
    for day in range(days):
        other = day + 1
        while other < days and context[other] != context[day]:
            other += 1
        if other == days:
            continue
        for step in range(steps):
            if known[day, step] and known[other, step]:
                for d in range(series):
                    gap = demand[day, step, d] - demand[other, step, d]
                    top[d] += gap * gap
                    bottom[d] += demand[day, step, d] + demand[other, step, d]
