from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router_core.errors import BadInputError
from router_core.platform import Platform
from router_core.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from router_core.vocabulary import TaskKind
from traces.timetable import check_period, granule_ns, phases, quantile_index, runs_in_hour

PERIODS = st.sampled_from([DAY_NS // count for count in (1, 2, 3, 4, 8, 9, 24, 48, 96, 144, 288, 1_440, 2_880, 86_400)])


@given(PERIODS, st.data())
def test_runs_are_those_of_the_clock(period: int, data: st.DataObject) -> None:
    phase = data.draw(st.integers(0, period - 1))
    hour = data.draw(st.integers(0, 23))
    runs = [time for time in range(phase, DAY_NS, period) if hour * HOUR_NS <= time < (hour + 1) * HOUR_NS]
    first, count = runs_in_hour(np.array([phase]), period, hour)
    assert count[0] == len(runs)
    assert not runs or first[0] == runs[0]


@given(PERIODS)
def test_a_run_ends_before_the_next_and_within_its_hour(period: int) -> None:
    step = granule_ns(period)
    assert step <= min(period, MINUTE_NS)
    assert period % step == 0
    assert HOUR_NS % step == 0


@given(
    PERIODS,
    st.lists(st.floats(0, 5), min_size=24, max_size=24).filter(lambda hours: sum(hours) > 0.01),
    st.integers(1, 200),
)
def test_every_task_has_a_run_when_its_type_is_awake(
    toy: Platform, period: int, hours: list[float], tasks: int
) -> None:
    kind = next(kind for kind in toy.demand.types if kind.kind == TaskKind.SYNC)
    kind = replace(kind, hours=tuple(hours), period_ns=period)
    phase = phases(kind, True, (np.arange(tasks) + 0.5) / tasks)
    assert ((phase >= 0) & (phase < period)).all()
    assert (phase % granule_ns(period) == 0).all()
    counts = np.stack([runs_in_hour(phase, period, hour)[1] for hour in range(24)], axis=1)
    assert (counts @ np.array(hours) > 0).all()


def test_phases_follow_the_tide(toy: Platform) -> None:
    """Of tasks that run once a day, each hour gets its weight's share."""
    kind = next(kind for kind in toy.demand.types if kind.kind == TaskKind.SYNC)
    hours = tuple(float(hour % 5) for hour in range(24))
    kind = replace(kind, hours=hours, period_ns=DAY_NS)
    phase = phases(kind, True, (np.arange(10_000) + 0.5) / 10_000)
    found = np.bincount(phase // HOUR_NS, minlength=24) / 10_000
    assert np.allclose(found, np.array(hours) / sum(hours), atol=2e-3)


@pytest.mark.parametrize("period", [0, 7 * HOUR_NS, 2 * DAY_NS, 7 * SECOND_NS])
def test_a_period_divides_a_day(toy: Platform, period: int) -> None:
    with pytest.raises(BadInputError, match="must divide a day"):
        check_period(replace(toy.demand.types[0], period_ns=period))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30).filter(lambda weights: sum(weights) > 0), st.data())
def test_nothing_of_weight_zero_is_drawn(weights: list[float], data: st.DataObject) -> None:
    cumulative = np.cumsum(weights)
    rank = data.draw(st.floats(0, 1, exclude_max=True)) if data.draw(st.booleans()) else np.nextafter(1.0, 0.0)
    index = quantile_index(cumulative, np.array([rank]))[0]
    assert np.diff(cumulative, prepend=0.0)[index] > 0
