"""Paired differences: the intervals cover as they say, also where draws are skewed and where counts were chosen."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ttest_rel, wilcoxon

from router_core.errors import BadInputError
from router_core.randomness import stream
from sim.report.blocks import Form
from sim.studies.comparison.precision import Precision, needed
from sim.studies.paired import each_of, effect, interval


def known(base: list[float], other: list[float], confidence: float = 0.95):  # type: ignore[no-untyped-def]
    found = effect(np.array(base), np.array(other), confidence)
    assert found is not None
    return found


@pytest.mark.parametrize("seed", range(5))
def test_differences_and_changes_are_students_intervals(seed: int) -> None:
    random = stream(seed, "paired")
    count, confidence = int(random.integers(2, 30)), float(random.uniform(0.5, 0.99))
    base, other = random.lognormal(3, 1, (2, count))
    found = effect(base, other, confidence)
    assert found is not None
    assert found.change is not None
    oracle = ttest_rel(other, base).confidence_interval(confidence)
    assert [found.difference.low, found.difference.high] == pytest.approx([oracle.low, oracle.high])
    logs = ttest_rel(np.log(other), np.log(base)).confidence_interval(confidence)
    assert [found.change.low, found.change.high] == pytest.approx([math.exp(logs.low) - 1, math.exp(logs.high) - 1])
    assert found.lower == sum(b > o for b, o in zip(base, other, strict=True))
    # The sign test is exact: so many of n fair coins, or something as unlikely.
    chances = [math.comb(count, k) / 2**count for k in range(count + 1)]
    limit = chances[found.lower] * (1 + 1e-9)
    assert found.sign_p == pytest.approx(sum(one for one in chances if one <= limit))


# Spreads of replications as they are: alike, skewed, and with a day effect that both arms share.
DRAWS = {
    "normal": lambda random, shape: random.normal(0.0, 0.1, shape),
    "skewed": lambda random, shape: random.gamma(2.0, 0.1, shape) - 0.2,
    "heavy": lambda random, shape: 0.1 * random.standard_t(4, shape),
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("count", [5, 10, 20])
@pytest.mark.parametrize("kind", DRAWS)
def test_relative_changes_cover_as_they_say(kind: str, count: int, seed: int) -> None:
    random, rounds = stream(seed, f"coverage {kind} {count}"), 600
    day = random.lognormal(20, 1.5, (rounds, count))  # some days are ten times as bad, for both
    noise = DRAWS[kind](random, (rounds, count))
    true_change = -0.48
    other = day * (1 + true_change) * np.exp(noise)
    hits = 0
    for a, b in zip(day, other, strict=True):
        found = effect(a, b, 0.95)
        assert found is not None
        assert found.change is not None
        assert found.change.low is not None
        assert found.change.high is not None
        hits += found.change.low <= true_change <= found.change.high
    # 600 rounds at 95 % have a deviation of 0.9 %; the skewed ones may cover a few per cent less.
    assert 0.92 - 0.04 * (kind == "skewed") <= hits / rounds <= 0.98


def test_pairing_takes_out_what_both_share() -> None:
    random = stream(4, "pairing")
    day = random.lognormal(0, 1, 12)
    found = known(list(day), list(day * 0.9))
    assert found.sign == -1
    assert found.change is not None
    assert found.change.high == pytest.approx(-0.1)
    shuffled = known(list(day), list(random.permutation(day * 0.9)))
    assert shuffled.sign == 0


def test_no_ratio_where_a_value_is_nought_and_nothing_where_one_is_unknown() -> None:
    assert known([0, 1, 2], [1, 1, 1]).change is None
    assert known([1, 1, 2], [0, 1, 1]).change is None
    none = known([0, 0, 0], [0, 0, 0])
    assert (none.sign, none.equal, none.difference.low, none.difference.high, none.sign_p) == (0, 3, 0, 0, 1)
    missed = known([0, 0, 0, 0], [3, 4, 5, 4])
    assert (missed.sign, missed.change, missed.lower) == (1, None, 0)
    assert effect(np.array([1.0, np.nan]), np.array([1.0, 2.0]), 0.95) is None
    assert effect(np.array([1.0, 1.0]), np.array([1.0, np.inf]), 0.95) is None


def test_one_pair_has_no_interval_and_proves_nothing() -> None:
    one = known([4.0], [2.0])
    assert one.change is not None
    assert (one.change.value, one.change.low, one.difference.value, one.sign) == (-0.5, None, -2.0, 0)
    with pytest.raises(BadInputError, match="same number"):
        effect(np.zeros(2), np.zeros(3), 0.95)
    with pytest.raises(BadInputError, match="at least one"):
        effect(np.zeros(0), np.zeros(0), 0.95)


def test_equal_values_have_an_interval_without_width() -> None:
    # 0.1 added up three times is no multiple of it: a deviation of rounding would make a difference of none.
    found = interval(np.full(3, 0.1), 0.95)
    assert found.low == found.high == found.value


def test_sign_agrees_with_a_signed_rank_test_where_that_is_sure() -> None:
    random = stream(9, "ranks")
    for _ in range(20):
        base = random.lognormal(0, 0.5, 15)
        other = base * np.exp(random.normal(-0.5, 0.2, 15))
        assert wilcoxon(np.log(other / base)).pvalue < 0.01
        assert known(list(base), list(other)).sign == -1


@pytest.mark.parametrize("family", [1, 2, 6])
def test_intervals_of_a_family_hold_together(family: int) -> None:
    random, rounds, count = stream(family, "family"), 1_500, 8
    level = each_of(0.9, family)
    together = 0
    for _ in range(rounds):
        shared = random.normal(size=count)  # arms that meet the same seeds depend on each other
        samples = shared + random.normal(size=(family, count))
        found = [interval(one, level) for one in samples]
        together += all(one.low is not None and one.high is not None and one.low <= 0 <= one.high for one in found)
    assert 0.875 <= together / rounds <= 0.97


@pytest.mark.parametrize(("pilot", "half"), [(5, 0.5), (5, 1.0), (10, 0.3), (10, 0.6)])
def test_chosen_numbers_cover_as_they_say_and_are_as_narrow_as_asked(pilot: int, half: float) -> None:
    random, rounds, most = stream(pilot, f"stein {half}"), 1_500, 3_000
    hits, plain, counts = 0, 0, []
    for _ in range(rounds):
        values = random.normal(0.0, 1.0, most)
        start = (np.zeros(pilot), values[:pilot])
        count = needed([start], Precision(half, relative=False), 0.95, most)
        found = interval(values[:count], 0.95, pilot)
        assert found.half_width is not None
        assert count == most or found.half_width <= half * (1 + 1e-12)
        hits += abs(found.value) <= found.half_width
        naive = interval(values[:count], 0.95)
        assert naive.half_width is not None
        plain += abs(naive.value) <= naive.half_width
        counts.append(count)
    assert 0.935 <= hits / rounds <= 0.97
    # It must have been a choice: numbers that differ, and more than the pilot.
    assert len(set(counts)) > 5
    assert np.mean(counts) > pilot


def test_precision_in_words() -> None:
    assert Precision.of_text("5%", Form.NS) == Precision(0.05, relative=True)
    assert Precision.of_text(" 2.5 % ", Form.COUNT) == Precision(0.025, relative=True)
    assert Precision.of_text("20ms", Form.NS) == Precision(2e7, relative=False)
    assert Precision.of_text("3", Form.COUNT) == Precision(3.0, relative=False)
    for text, form in (("20", Form.NS), ("20ms", Form.COUNT), ("5 percent", Form.NS), ("-5%", Form.NS), ("", Form.NS)):
        with pytest.raises(BadInputError, match="--precision"):
            Precision.of_text(text, form)
    with pytest.raises(BadInputError, match="above 0"):
        Precision.of_text("0%", Form.NS)


def test_numbers_for_a_precision() -> None:
    wanted = Precision(0.05, relative=True)
    same, more = np.array([2.0, 4.0, 6.0]), np.array([3.0, 6.0, 9.0])
    assert needed([(same, same)], wanted, 0.95, 50) == 3
    # The same ratio under every seed is known exactly.
    assert needed([(same, more)], wanted, 0.95, 50) == 3
    assert needed([(same, more), (same, np.array([1.0, 9.0, 2.0]))], wanted, 0.95, 50) == 50
    # There is no ratio to nought, and no number of seeds makes one.
    assert needed([(np.array([0.0, 1.0, 2.0]), same)], wanted, 0.95, 50) == 50
    assert needed([(np.zeros(3), np.zeros(3))], wanted, 0.95, 50) == 3
    assert needed([(np.array([1.0, np.nan, 2.0]), same)], wanted, 0.95, 50) == 50
    narrow, wide = (
        needed([(same, same + np.array([0, 0.1, -0.1]))], Precision(x, relative=False), 0.95, 10_000)
        for x in (0.01, 0.1)
    )
    assert narrow > wide > 3
