"""What units did in which kind of hour, and the features made of it: against counting one row at a time."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from made_history import BEATS, NIGHT, OFFICE, REPORTS, made_history
from numpy.typing import NDArray

from router_core.calendar import DayKind, day_of
from router_core.demand_history import DemandHistory
from strategies.classes.features import GROUPS, Features, pairs_of, unit_features
from strategies.classes.tally import SPECIAL, WEEK, hour_kinds, tally

EACH = 12


def own(history: DemandHistory) -> NDArray[np.int64]:
    return np.arange(len(history.relations))


def features_of(history: DemandHistory) -> Features:
    return unit_features(history, own(history), len(history.relations))


def column(features: Features, name: str) -> NDArray[np.float64]:
    return features.values[:, features.names.index(name)]


def observed_part(share: float, days: int) -> NDArray[np.bool_]:
    return np.random.default_rng(3).random(24 * days) < share


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_tally_against_counting_by_hand(share: float) -> None:
    made = made_history(each=EACH, days=70, start=date(2026, 1, 5), observed=observed_part(share, 70))
    history = made.history
    unit = made.true.astype(np.int64)
    unit[::5] = -1
    counted = tally(history, unit, 4)
    plain: dict[tuple[int, int], int] = Counter()
    hours: dict[int, int] = Counter()
    special: dict[tuple[int, str], int] = Counter()
    total: dict[int, int] = Counter()
    for hour in range(history.hours):
        when = history.grid.at(hour)
        day = day_of(when.date())
        rows = range(int(history.hour_start[hour]), int(history.hour_start[hour + 1]))
        about = {name for name in SPECIAL[1:] if getattr(day, name) and day.working}
        about |= {"holiday"} if day.kind == DayKind.HOLIDAY else set()
        weekday = 4 if day.kind == DayKind.MAKE_UP else when.weekday()
        if history.observed[hour] and not about:
            hours[24 * weekday + when.hour] += 1
        for row in rows:
            who, count = int(unit[history.relation[row]]), int(history.exchanges[row])
            if who < 0:
                continue
            total[who] += count
            if about:
                for name in about:
                    special[who, "+".join(sorted(about)) if len(about) > 1 else name] += count
            else:
                plain[who, 24 * weekday + when.hour] += count
    for who in range(4):
        assert counted.exchanges[who] == total[who]
        for slot in range(WEEK):
            assert counted.counts[who, slot] == plain[who, slot]
            assert counted.kinds.hours[slot] == hours[slot]
            if hours[slot]:
                assert counted.week[who, slot] == pytest.approx(plain[who, slot] / hours[slot])
        for name in ("holiday", "reporting", "yearly"):
            assert counted.responses()[name][0][who] == special[who, name]


def test_levels_of_days_are_those_stated() -> None:
    history = made_history((NIGHT, OFFICE, REPORTS, BEATS), each=60, days=56).history
    counted = tally(history, np.zeros(len(history.relations), dtype=np.int64), 1)
    by_day = dict.fromkeys(history.grid.dates(), 0.0)
    for hour, amount in enumerate(np.diff(np.append(0, np.cumsum(history.exchanges)[history.hour_start[1:] - 1]))):
        by_day[history.grid.at(hour).date()] += amount
    days = defaultdict(list)
    for when, amount in by_day.items():
        day = day_of(when)
        sort = "month_end" if day.month_end else "plain" if day.plain else day.kind.name.lower()
        days[sort].append(amount)
    found, plain = counted.responses()["month_end"]
    assert found[0] == sum(days["month_end"])
    assert plain[0] == pytest.approx(len(days["month_end"]) * np.mean(days["plain"]), rel=1e-6)
    found, plain = counted.weekend()
    assert found[0] == sum(days["weekend"])
    assert found[0] / plain[0] == pytest.approx(np.mean(days["weekend"]) / np.mean(days["plain"]), rel=1e-6)


def test_hours_that_were_never_observed_take_after_others() -> None:
    observed = np.ones(24 * 14, dtype=np.bool_)
    for day in (1, 8):  # both Tuesdays
        observed[24 * day : 24 * day + 24] = False
    history = made_history(days=14, start=date(2026, 3, 9), observed=observed).history
    counted = tally(history, own(history), len(history.relations))
    week = counted.week.reshape(-1, 7, 24)
    assert np.allclose(week[:, 1], week[:, [0, 2, 3, 4]].mean(axis=1))


def test_make_up_days_are_working_days() -> None:
    start = date(2025, 9, 22)
    worked = [
        start + timedelta(days=day) for day in range(28) if day_of(start + timedelta(days=day)).kind == DayKind.MAKE_UP
    ]
    assert worked
    history = made_history(days=28, start=start).history
    kinds = hour_kinds(history)
    for when in worked:
        first = 24 * (when - start).days
        assert kinds.kind[first : first + 24].tolist() == list(range(96, 120))


def test_each_column_has_a_name_and_a_group() -> None:
    found = features_of(made_history(each=EACH).history)
    assert len(set(found.names)) == len(found.names) == len(found.group) == found.values.shape[1]
    assert tuple(dict.fromkeys(found.group)) == GROUPS
    assert np.isfinite(found.values).all()
    assert found.of_groups(("phase", "fan")).names == ("day_cos", "day_sin", "fan_out", "fan_in")


def test_phases_do_not_matter_to_the_spectrum() -> None:
    later = replace(NIGHT, hours=(12, 13, 14, 15), weekend=1.0)
    made = made_history((replace(NIGHT, weekend=1.0), later), each=60)
    found = features_of(made.history)
    spectrum = found.of_groups(("spectrum",)).values
    means = np.stack([spectrum[made.true == one].mean(axis=0) for one in (0, 1)])
    assert np.abs(means[0] - means[1]).max() < 0.1
    assert means[:, 6].min() > 0.8  # once a day
    phase = found.of_groups(("phase",)).values
    assert (phase[made.true == 0] @ phase[made.true == 1].T).max() < 0


def test_amplitudes_are_free_of_noise() -> None:
    """Steady demand has no lines, however few exchanges show it."""
    steady = replace(BEATS, per_day=1.0)
    spectrum = features_of(made_history((steady,), each=200).history).of_groups(("spectrum",)).values
    thin = np.sqrt(168 / (42 * 7))  # what an amplitude would be at a power of its noise alone, about
    assert np.median(spectrum) < 0.15 * thin


def test_calendar_size_and_way() -> None:
    made = made_history(each=60)
    found = features_of(made.history)

    def mean(name: str, one: int) -> float:
        return float(column(found, name)[made.true == one].mean())

    assert np.exp(mean("month_end", 2)) == pytest.approx(6.0, rel=0.1)
    assert mean("month_end", 1) == pytest.approx(0.0, abs=0.05)
    assert np.exp(mean("weekend", 0)) == pytest.approx(0.8, rel=0.05)
    assert mean("yearly", 2) == 0
    assert mean("size_digits", 0) == pytest.approx(24, abs=0.1)
    assert mean("size_spread", 0) == pytest.approx(np.sqrt(2 / 3), rel=0.02)
    assert mean("mode_query", 1) == 1
    assert mean("mode_query", 2) == 0
    assert mean("lead", 2) == pytest.approx(np.log10(3600))
    assert mean("peak_to_mean", 3) < mean("peak_to_mean", 1) < mean("peak_to_mean", 0)


def test_bursts_show() -> None:
    history = made_history((BEATS,), each=EACH).history
    bursty = replace(
        history, exchanges=history.exchanges * np.random.default_rng(1).choice([1, 9], len(history.exchanges))
    )
    calm, wild = (column(features_of(one), "burstiness") for one in (history, bursty))
    assert calm.max() < 1 < wild.min()


def test_units_of_several_relations() -> None:
    history = made_history(each=EACH).history
    source, target, pair = pairs_of(history)
    assert list(zip(source[pair], target[pair], strict=True)) == list(
        zip(history.relations.source, history.relations.target, strict=True)
    )
    found = unit_features(history, history.relations.source, 100)
    totals = np.bincount(history.relations.source, history.totals(), 100)
    assert np.array_equal(found.exchanges, totals)
    assert np.isfinite(found.values).all()
    fan = Counter(history.relations.source.tolist())
    for node in range(100):
        if totals[node]:
            assert column(found, "fan_out")[node] == pytest.approx(np.log1p(fan[node]))
        else:
            assert not column(found, "mode_batch")[node]
