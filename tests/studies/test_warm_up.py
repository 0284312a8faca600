"""The warm-up rule, against a plain reading of it and on processes whose start from empty is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from router_core.randomness import stream
from sim.studies.comparison.warm_up import BATCH, SHARE_MAX, SLOTS, mser5, warm_up_of, warm_ups

Floats = NDArray[np.float64]


def naive(series: Floats) -> int:
    """The rule as White has it, word by word."""
    means = [float(np.mean(series[at : at + 5])) for at in range(0, len(series) - 4, 5)]
    errors = []
    for cut in range(len(means) // 2 + 1):
        rest = means[cut:]
        mean = math.fsum(rest) / len(rest)
        errors.append(math.fsum((one - mean) ** 2 for one in rest) / len(rest) ** 2)
    return 5 * errors.index(min(errors))


@pytest.mark.parametrize("seed", range(12))
def test_the_rule_word_by_word(seed: int) -> None:
    random = stream(seed, "mser")
    count = int(random.integers(10, 200))
    series = 1e9 + 1e6 * random.normal(size=count).cumsum() + 1e7 * np.exp(-np.arange(count) / random.uniform(1, 40))
    assert mser5(series) == naive(series)


def autoregressive(random: np.random.Generator, count: int, start: float) -> Floats:
    """x' = 0.9 x + noise: what it began with is forgotten by a tenth each step."""
    values, x = np.empty(count), start
    for place in range(count):
        x = 0.9 * x + float(random.normal())
        values[place] = x
    return values


@pytest.mark.parametrize("seed", range(4))
def test_a_transient_is_cut_off_and_little_else(seed: int) -> None:
    random = stream(seed, "transient")
    series = np.mean([autoregressive(random, 320, 60.0) for _ in range(10)], axis=0)
    cut = mser5(series)
    # 60 x 0.9^k is below a deviation of the mean, 0.73, from k = 42 on.
    assert 25 <= cut <= 100
    assert abs(series[cut:].mean()) < abs(series.mean())
    steady = np.mean([autoregressive(random, 320, 0.0) for _ in range(10)], axis=0)
    assert mser5(steady) <= 160


@pytest.mark.parametrize("seed", range(3))
def test_a_queue_that_begins_empty(seed: int) -> None:
    """M/M/1 at 0.8: customers wait 4 service times on average, those of an empty queue less; Lindley's recursion."""
    random, count, runs = stream(seed, "queue"), 3_200, 400
    gaps, services = random.exponential(1 / 0.8, (count, runs)), random.exponential(1.0, (count, runs))
    waits = np.zeros((count, runs))
    for place in range(1, count):
        waits[place] = np.maximum(0.0, waits[place - 1] + services[place - 1] - gaps[place])
    means = waits.mean(axis=1).reshape(320, 10).mean(axis=1)
    cut = mser5(means)
    # It forgets by a factor e in 1 / (1 - sqrt(0.8))^2 = 90 customers, 9 slots.
    assert 5 <= cut <= 160
    assert means[:cut].mean() < means[cut:].mean()
    assert means[cut:].mean() == pytest.approx(4.0, rel=0.04)


def test_nothing_to_cut() -> None:
    assert mser5(np.zeros(0)) == 0
    assert mser5(np.ones(9)) == 0
    assert mser5(np.full(100, 0.1)) == 0
    # What falls for ever is cut at half, and no further.
    assert mser5(np.arange(100.0)[::-1]) == 50


@pytest.mark.parametrize("span_ns", [1, 7, 10**9, 86_400 * 10**9])
def test_choices_begin_with_none_and_end_at_the_cap(span_ns: int) -> None:
    choices = warm_ups(span_ns)
    assert choices[0] == 0
    assert list(choices) == sorted(set(choices))
    assert choices[-1] <= SHARE_MAX * span_ns + 1


def starts(bad_slots: int, gaps: bool) -> list[Floats]:
    """Three runs of which the first slots take ten times as long."""
    random = stream(bad_slots, "starts")
    found = []
    for _ in range(3):
        count = random.integers(50, 60, SLOTS).astype(np.float64)
        if gaps:
            count[1::2] = 0.0
        found.append(np.stack([count, count * np.where(np.arange(SLOTS) < bad_slots, 1e9, 1e8)]))
    return found


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("bad", [0, 5, 21, 77, 130])
def test_the_choice_leaves_out_all_that_the_rule_does_and_little_more(bad: int, gaps: bool) -> None:
    span_ns = 10**12
    slot_ns = 2 * SHARE_MAX * span_ns / SLOTS
    chosen = warm_up_of(starts(bad, gaps), span_ns)
    choices = warm_ups(span_ns)
    least = [one for one in choices if one >= bad * slot_ns]
    # Batches end at every fifth slot of those in which something was submitted.
    most = [one for one in choices if one >= (bad + BATCH * (1 + gaps)) * slot_ns * (bad > 0)]
    assert least[0] <= chosen <= most[0]


def test_runs_in_which_nothing_was_submitted() -> None:
    assert warm_up_of([np.zeros((2, SLOTS))], 10**12) == 0
