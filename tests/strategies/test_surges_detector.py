"""The detector: its kernel against plain Python, and the laws that any detector keeps."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest

from router_core.errors import BadInputError
from router_core.randomness import stream
from router_core.units import MINUTE_NS
from strategies.surges import kernels
from strategies.surges.detector import DRIFT_MAX, DRIFT_MIN, LOW, Detector, DetectorSetting

SETTING = DetectorSetting(5 * MINUTE_NS)
SEEDS = pytest.mark.parametrize("seed", range(3))


def counts(seed: int, steps: int, series: int, mean: float = 100.0, noise: float = 0.15, keeps: float = 0.6):
    """Poisson counts around lognormal rates of first order: what came, its mean and deviation."""
    random = stream(seed, "surges test")
    wander = np.empty((steps, series))
    wander[0] = random.standard_normal(series)
    for step in range(1, steps):
        wander[step] = keeps * wander[step - 1] + sqrt(1 - keeps**2) * random.standard_normal(series)
    expected = np.full((steps, series), mean)
    came = random.poisson(expected * np.exp(noise * wander - noise**2 / 2)).astype(np.float64)
    return came, expected, np.sqrt(expected + (noise * expected) ** 2)


def run(detector: Detector, came, expected, deviation):
    """Steps and series of alarms and of ends."""
    found, ended = np.zeros(came.shape, dtype=bool), np.zeros(came.shape, dtype=bool)
    for step in range(len(came)):
        event = detector.step(came[step], expected[step], deviation[step])
        found[step, event.found] = True
        ended[step, event.ended] = True
    return found, ended


class Naive:
    """One series, one float at a time, as the kernel's documentation says it; the limit is given."""

    def __init__(self, setting: DetectorSetting) -> None:
        self.setting = setting
        self.bias = 1.0
        self.last = self.error = self.lag = self.evidence = self.back = 0.0
        self.variance = self.noise = 1.0
        self.chained = self.active = False
        self.steps = 0
        self.age = 0
        self.sums = (0.0, 0.0)

    def step(  # noqa: PLR0915 - one loop, as the kernel's
        self, y: float, told: float, told_d: float, limit: float
    ) -> tuple[bool, bool]:
        m, d = self.bias * told, self.bias * told_d
        variance = max(d * d, m + 0.25)
        gain = 0.5 * sqrt((4 * m + 1) / variance)
        z = (sqrt(y) + sqrt(y + 1) - sqrt(4 * m + 1)) * gain
        shift = (sqrt(4 * self.setting.least * m + 1) - sqrt(4 * m + 1)) * gain
        phi = min(max(self.lag / self.variance, 0.0), 0.95)
        least = (m + 0.25) / variance
        level_deviation = sqrt(max(self.noise, least) / (1 - phi * phi))
        if not self.chained:
            phi = 0.0
        raw = z - phi * self.last
        deviation = sqrt(max(self.noise, least)) if self.chained else level_deviation
        error = min(raw / deviation, 8.0)
        drift = min(max(shift / deviation, DRIFT_MIN), DRIFT_MAX)
        part = (1 - phi) * drift
        more = self.evidence + part * error - part * part / 2
        begun = drift * error - drift * drift / 2
        fresh = begun >= more
        self.evidence = max(more, begun, 0.0)
        none = self.evidence <= 0
        if z < shift / 4:
            self.evidence = min(self.evidence, limit / 2)
        if self.active or not (fresh or none):
            self.age += 1
            self.sums = (self.sums[0] + y, self.sums[1] + told)
        else:
            self.age, self.sums = 0, (y, told)
        lasting = self.chained and min(z, self.last) >= shift / 2
        found = not self.active and lasting and self.evidence >= limit and self.steps >= self.setting.settle
        rise = min(max(shift / level_deviation, DRIFT_MIN), DRIFT_MAX)
        quiet = min(rise * (rise / 2 - max(z / level_deviation, -4.0)), 0.6 * self.setting.limit_end)
        self.back = max(self.back + quiet, 0.0) if self.active else 0.0
        calm = self.evidence < LOW
        ended = self.active and self.back >= self.setting.limit_end
        self.active = (self.active or found) and not ended
        if ended:
            self.evidence = self.back = 0.0
        if not self.active and calm:
            rate = max(1 / (self.steps + 8), 1 / self.setting.level)
            self.bias += rate * (min(y, 2 * told + 4) - m) / (told + 20)
            self.bias = min(max(self.bias, 1.0), 1.3)
        if self.chained and not self.active:
            rate = max(1 / (self.steps + 2), 1 / self.setting.memory)
            square = min((raw - self.error) ** 2 / 2, 9 * self.noise)
            edge = 3 * sqrt(self.variance)
            now, then = (min(max(value, -edge), edge) for value in (z, self.last))
            self.noise = max(self.noise + rate * (square / 0.995007 - self.noise), 1e-6)
            self.lag += rate * (now * then - self.lag)
            self.variance = max(self.variance + rate * (now * now - self.variance), 1e-6)
            self.steps += 1
        self.last, self.error, self.chained = z, raw, True
        return found, ended


@SEEDS
def test_the_kernel_is_what_plain_python_says(seed):
    series = 70  # more than a tile
    came, expected, deviation = counts(seed, 260, series, mean=30.0)
    came[150:200, ::3] *= 3.0
    setting = replace(SETTING, memory=100, settle=20)
    detector, naive = Detector(series, setting), [Naive(setting) for _ in range(series)]
    alarms = 0
    for step in range(len(came)):
        limit = detector.limit
        event = detector.step(came[step], expected[step], deviation[step])
        flags = [
            one.step(*values, limit)
            for one, values in zip(naive, zip(came[step], expected[step], deviation[step], strict=True), strict=True)
        ]
        assert event.found.tolist() == [place for place, flag in enumerate(flags) if flag[0]]
        assert event.ended.tolist() == [place for place, flag in enumerate(flags) if flag[1]]
        alarms += len(event.found)
    every = np.arange(series)
    assert alarms >= series // 3
    assert detector.evidence(every) * limit == pytest.approx([one.evidence for one in naive], rel=1e-3, abs=1e-3)
    assert detector.noise(every) ** 2 == pytest.approx([one.variance for one in naive], rel=1e-3)
    assert detector.age(every).tolist() == [one.age for one in naive]
    assert np.stack(detector.since_onset(every), axis=1) == pytest.approx(
        np.array([one.sums for one in naive]), rel=1e-4
    )


@SEEDS
@pytest.mark.parametrize(("mean", "wrong"), [(100.0, 1.0), (100.0, 0.2), (100.0, 5.0), (0.3, 1.0)])
def test_false_alarms_stay_rare_whatever_the_deviation_says(seed, mean, wrong):
    came, expected, deviation = counts(seed, 2016, 400, mean=mean)
    found, _ = run(Detector(400, SETTING), came, expected, wrong * deviation)
    # 0.02 a series-week are wanted: 8 of 400; three times that is far out in a Poisson's tail.
    assert found.sum() <= 24


@SEEDS
def test_doublings_are_found_soon_and_their_begin_is_told(seed):
    came, expected, deviation = counts(seed, 900, 200, mean=200.0)
    begin = 800
    came[begin:] *= 2.0
    detector = Detector(200, SETTING)
    found = np.zeros(200, dtype=bool)
    onsets: list[int] = []
    for step in range(begin + 7):
        event = detector.step(came[step], expected[step], deviation[step])
        if step >= begin:
            found[event.found] = True
            onset = step - detector.age(event.found)
            assert (onset <= step).all()
            onsets += onset.tolist()
            assert (detector.evidence(event.found) >= 1.0).all()
    assert found.mean() >= 0.95
    assert np.median(onsets) == begin
    actual, usual = detector.since_onset(np.flatnonzero(found))
    assert np.median(actual / usual) == pytest.approx(2.0, rel=0.1)


def test_what_comes_as_expected_is_no_surge():
    detector = Detector(50, SETTING)
    for step in range(500):
        tide = np.full(50, 100.0 + 90.0 * np.sin(step / 20.0))
        assert not len(detector.step(tide, tide, np.sqrt(tide)).found)
    assert not len(detector.active)


@SEEDS
def test_a_forecast_tide_is_no_surge_and_the_same_unforecast_is(seed):
    tide = np.where(np.arange(700) >= 600, 4.0, 1.0)[:, None]
    random = stream(seed, "surges tide")
    came = random.poisson(np.broadcast_to(100.0 * tide, (700, 64))).astype(np.float64)
    told = np.broadcast_to(100.0 * tide, came.shape)
    untold = np.full(came.shape, 100.0)
    assert run(Detector(64, SETTING), came, told, np.sqrt(told))[0].sum() <= 1
    assert run(Detector(64, SETTING), came, untold, np.sqrt(untold))[0][600:603].any(axis=0).all()


@SEEDS
@pytest.mark.parametrize("scale", [2.0**-12, 2.0**20])
def test_units_do_not_matter(seed, scale):
    came, expected, deviation = counts(seed, 400, 100)
    came[300:330] *= 2.5
    plain = run(Detector(100, SETTING), came, expected, deviation)
    scaled = run(Detector(100, SETTING, scale), scale * came, scale * expected, scale * deviation)
    assert plain[0].any()
    assert np.array_equal(plain, scaled)


@SEEDS
def test_the_order_of_series_does_not_matter(seed):
    came, expected, deviation = counts(seed, 400, 100)
    came[300:330, ::4] *= 2.5
    order = stream(seed, "surges order").permutation(100)
    plain = run(Detector(100, SETTING), came, expected, deviation)
    moved = run(Detector(100, SETTING), came[:, order], expected[:, order], deviation[:, order])
    assert plain[0].any()
    assert np.array_equal(plain[0][:, order], moved[0])
    assert np.array_equal(plain[1][:, order], moved[1])


@SEEDS
def test_a_surge_ends_once_and_not_in_a_quiet_step(seed):
    came, expected, deviation = counts(seed, 900, 60, mean=500.0, noise=0.1)
    came[600:800] *= 3.0
    came[700] = expected[700]  # one quiet step
    found, ended = run(Detector(60, SETTING), came, expected, deviation)
    assert (found[600:800].sum(axis=0) == 1).all()
    assert not ended[:800].any()
    assert (ended[800:810].sum(axis=0) == 1).all()


@SEEDS
def test_a_surge_is_not_learnt_as_noise(seed):
    came, expected, deviation = counts(seed, 1400, 60, mean=500.0, noise=0.1)
    came[600:1200] *= 3.0
    found, _ = run(Detector(60, SETTING), came, expected, deviation)
    assert found[600:610].any(axis=0).all()
    came[1250:] *= 3.0  # found again at once
    found, ended = run(Detector(60, SETTING), came, expected, deviation)
    assert not ended[610:1200].any()
    assert found[1250:1257].any(axis=0).mean() >= 0.95


def test_one_outlier_alone_is_no_surge():
    came, expected, deviation = counts(1, 700, 60)
    came[600] *= 50.0
    assert run(Detector(60, SETTING), came, expected, deviation)[0][598:].sum() <= 1


@SEEDS
def test_nothing_expected_and_nothing_new(seed):
    nothing = np.zeros(40)
    detector = Detector(40, SETTING)
    for _ in range(300):
        assert not len(detector.step(nothing, nothing, nothing).found)
    came = np.where(np.arange(40) == seed, 20.0, 0.0)
    found = [detector.step(came, nothing, nothing).found.tolist() for _ in range(4)]
    assert [seed] in found
    actual, usual = detector.since_onset(np.array([seed]))
    assert (actual[0] >= 20.0, usual[0]) == (True, 0.0)


@SEEDS
def test_what_is_not_known_changes_nothing_known(seed):
    came, expected, deviation = counts(seed, 500, 80)
    known = np.ones(80, dtype=bool)
    known[::2] = False
    apart, whole = Detector(80, SETTING), Detector(80, SETTING)
    for step in range(len(came)):
        garbage = np.where(known, came[step], np.nan)
        apart.step(garbage, expected[step], deviation[step], known)
        whole.step(came[step], expected[step], deviation[step])
    odd = np.flatnonzero(known)
    assert np.array_equal(apart.noise(odd), whole.noise(odd))
    assert (apart.noise(np.flatnonzero(~known)) == 1.0).all()
    assert not np.isin(apart.active, np.flatnonzero(~known)).any()


@SEEDS
def test_a_gap_gives_no_alarm_and_no_end(seed):
    came, expected, deviation = counts(seed, 900, 60, keeps=0.95)
    detector = Detector(60, SETTING)
    run(detector, came[:600], expected[:600], deviation[:600])
    detector.skip(100)
    found, _ = run(detector, came[700:], expected[700:], deviation[700:])
    assert found.sum() <= 1
    assert detector.steps == 900


def test_steps_are_repeatable():
    came, expected, deviation = counts(0, 300, 130)
    came[200:220] *= 2.0
    runs = [run(Detector(130, SETTING), came, expected, deviation) for _ in range(2)]
    assert np.array_equal(*runs)


def test_a_detector_of_nothing():
    empty = np.empty(0)
    assert not len(Detector(0, SETTING).step(empty, empty, empty).found)


@pytest.mark.parametrize("name", ["actual", "expected", "deviation"])
@pytest.mark.parametrize("value", [np.nan, -1.0, np.inf])
def test_numbers_that_are_none_are_refused_by_name_and_change_nothing(name, value):
    came, expected, deviation = counts(0, 100, 70)
    detector, twin = Detector(70, SETTING), Detector(70, SETTING)
    run(detector, came[:50], expected[:50], deviation[:50])
    run(twin, came[:50], expected[:50], deviation[:50])
    given = {"actual": came[50].copy(), "expected": expected[50].copy(), "deviation": deviation[50].copy()}
    given[name][66] = value
    with pytest.raises(BadInputError, match=rf"{name}\[66\]"):
        detector.step(**given)
    every = np.arange(70)
    run(detector, came[50:], expected[50:], deviation[50:])
    run(twin, came[50:], expected[50:], deviation[50:])
    assert np.array_equal(detector.evidence(every), twin.evidence(every))


def test_what_else_is_refused():
    detector = Detector(3, SETTING)
    three, bad = np.ones(3), np.ones(4)
    with pytest.raises(BadInputError, match="actual: must have shape"):
        detector.step(bad, three, three)
    with pytest.raises(BadInputError, match="known"):
        detector.step(three, three, three, np.ones(3))
    with pytest.raises(BadInputError, match="units"):
        detector.step(np.full(3, 1e18), three, three)
    with pytest.raises(BadInputError, match=r"detector\.unit\[1\]"):
        Detector(3, SETTING, np.array([1.0, 0.0, 1.0]))
    with pytest.raises(BadInputError, match="skip"):
        detector.skip(-1)
    with pytest.raises(BadInputError, match="series"):
        Detector(-1, SETTING)
    for name, value in (("step_ns", 0), ("false_alarms", 0.0), ("least", 1.0), ("memory", 1), ("least", np.nan)):
        with pytest.raises(BadInputError, match=rf"detector\.{name}"):
            replace(SETTING, **{name: value})


def test_rows_of_a_tile_do_not_overlap():
    kept = "LAST ERROR CHAINED LAG VARIANCE NOISE STEPS EVIDENCE AGE SUM_ACTUAL SUM_EXPECTED RETURN ACTIVE BY_UNIT BIAS"
    passing = "ACTUAL EXPECTED DEVIATION KNOWN LEVEL SHIFT LEAST_NOISE EVENT"
    for names, size in ((kept, kernels.TILE), (passing, kernels.SCRATCH)):
        rows = [getattr(kernels, name) for name in names.split()]
        assert len(set(rows)) == len(rows)
        assert all(row % kernels.LANES == 0 and row + kernels.LANES <= size for row in rows)


@SEEDS
def test_a_forecast_that_becomes_wrong_by_a_fifth_is_corrected(seed):
    came, expected, deviation = counts(seed, 1200, 60, mean=400.0, noise=0.1)
    wrong = np.where(np.arange(1200) < 600, 1.0, 0.8)[:, None]
    alarms = [
        run(Detector(60, replace(SETTING, least=1.6, level=level)), came, wrong * expected, wrong * deviation)[0].sum()
        for level in (SETTING.level, 0)
    ]
    assert alarms[0] <= alarms[1] / 2


@SEEDS
def test_what_is_corrected_hides_no_surge(seed):
    came, expected, deviation = counts(seed, 900, 100, mean=200.0, noise=0.1)
    came[800:] *= 2.0
    found, ended = run(Detector(100, SETTING), came, 0.8 * expected, 0.8 * deviation)
    assert found[800:807].any(axis=0).mean() >= 0.95
    assert not ended[800:].any()


def test_what_was_suspected_can_be_forgotten():
    came, expected, deviation = counts(3, 700, 40)
    came[600:] *= 3.0
    detector = Detector(40, SETTING)
    run(detector, came[:610], expected[:610], deviation[:610])
    some = np.arange(40) < 10
    before = detector.evidence(np.arange(40))
    assert len(detector.active) == 40
    detector.forget(some)
    assert detector.active.tolist() == list(range(10, 40))
    assert (detector.evidence(np.flatnonzero(some)) == 0).all()
    assert np.array_equal(detector.evidence(np.flatnonzero(~some)), before[~some])
