"""Release windows: who may wait waits where it helps, and nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest

from router_core.units import HOUR_NS, MINUTE_NS
from strategies.static.holds import LAG_NS, plan_holds, released
from strategies.static.week_plan import WEIGHT_TOTAL

LAGS = np.array(LAG_NS)
# Rise at nine, lunch, rise at two, quiet from six on.
OFFICE = np.array([0.05] * 9 + [1, 1, 0.6, 0.2, 0.6, 1, 1, 0.7, 0.1] + [0.1] * 6)


def peaks(load: np.ndarray, hold: np.ndarray) -> np.ndarray:
    """Peak utilisation of each quarter of an hour when load (H, C, S) is held, worked out release by release."""
    hours, classes, stations = load.shape
    sent = np.zeros((hours * 4 + 40, stations))
    for hour in range(hours):
        for kind in range(classes):
            for lag_ns, weight in zip(LAG_NS, hold[hour, kind].tolist(), strict=True):
                for quarter in range(4):
                    at = hour * 4 + quarter + lag_ns // (15 * MINUTE_NS)
                    sent[at] += load[hour, kind] * weight / WEIGHT_TOTAL
    return sent.max(axis=1)


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    load = random.uniform(0.1, 0.5, (1, 3, 30)) * OFFICE[:, None, None] * random.uniform(0.9, 1.1, (24, 3, 30))
    return load, np.array([0, HOUR_NS * 3 // 2, HOUR_NS * (1 + seed % 4)])


@pytest.mark.parametrize("seed", range(8), ids=lambda seed: f"seed-{seed}-")
def test_peaks_sink_and_limits_are_kept(seed: int) -> None:
    load, limit = drawn(seed)
    hold = plan_holds(load, limit)
    assert (hold.sum(axis=2) == WEIGHT_TOTAL).all()
    assert (hold >= 0).all()
    assert (hold[:, 0, 0] == WEIGHT_TOTAL).all()
    for kind in range(3):
        assert not hold[:, kind, limit[kind] < LAGS].any()
    nothing = np.zeros_like(hold)
    nothing[:, :, 0] = WEIGHT_TOTAL
    before, after = peaks(load, nothing), peaks(load, hold)
    assert after.max() < 0.9 * before.max()


def test_one_station_and_one_class_are_levelled_as_far_as_the_limit_goes() -> None:
    # One hour at 1.3, then nothing: with holds of up to an hour the two hours can share it, to where it costs little.
    load = np.zeros((3, 1, 1))
    load[0] = 1.3
    hold = plan_holds(load, np.array([HOUR_NS]))
    assert 0.649 <= peaks(load, hold).max() <= 0.701


def test_where_nothing_is_busy_nothing_is_held() -> None:
    load, limit = drawn(0)
    assert (plan_holds(load * 0.2, limit)[:, :, 0] == WEIGHT_TOTAL).all()
    assert (plan_holds(load, np.zeros(3, dtype=np.int64))[:, :, 0] == WEIGHT_TOTAL).all()
    assert (plan_holds(np.zeros((24, 3, 30)), limit)[:, :, 0] == WEIGHT_TOTAL).all()


@pytest.mark.parametrize("seed", range(5), ids=lambda seed: f"seed-{seed}-")
def test_what_is_released_is_what_was_submitted(seed: int) -> None:
    random = np.random.default_rng(seed)
    hours, series = 9, 4
    amount = random.uniform(0, 5, (2, hours, series))
    hold = random.multinomial(WEIGHT_TOTAL, np.full(len(LAG_NS), 1 / len(LAG_NS)), (hours, series)).astype(np.int16)
    sent = released(amount, hold, LAGS)
    # Minute by minute: an hour's exchanges come evenly, each leaves after its lag.
    expected = np.zeros((2, 60 * (hours + 6), series))
    for hour in range(hours):
        for j, lag_ns in enumerate(LAG_NS):
            first = 60 * hour + lag_ns // MINUTE_NS
            expected[:, first : first + 60] += (amount[:, hour] * hold[hour, :, j] / WEIGHT_TOTAL / 60)[:, None]
    by_hour = expected.reshape(2, hours + 6, 60, series).sum(axis=2)
    np.testing.assert_allclose(sent, by_hour[:, :hours], rtol=1e-9)
    np.testing.assert_allclose(by_hour.sum(axis=1), amount.sum(axis=1), rtol=1e-9)
