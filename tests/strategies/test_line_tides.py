"""Lines' other users: what a centre's telemetry tells of them, and the tides learnt from that."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from router_core.errors import BadInputError
from router_core.line_history import LineHistory
from router_core.network import Network
from router_core.network_builder import NetworkBuilder, Service
from router_core.time_grid import TimeGrid
from router_core.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from router_core.vocabulary import NodeKind
from strategies.brain import TelemetryArrived
from strategies.line_monitor import LineMonitor
from strategies.line_tides import LineTides, fit_line_tides

MONDAY = datetime(2024, 3, 4)
RATE_PS = 8_000  # a byte in 8 ns: 1 Gbit/s


def two_lines() -> Network:
    """Two nodes joined by a line of one server and a line of two, so four directed lines."""
    builder = NetworkBuilder(("outer",))
    service = Service(1, 1_000, 0)
    nodes = [builder.add_node(name, NodeKind.CENTRE, service=service, process=service) for name in ("a", "b")]
    for servers in (1, 2):
        builder.add_line(*nodes, service=Service(servers, 1_000, RATE_PS))
    return builder.build()


NETWORK = two_lines()
ONE, TWO = 0, 2  # a directed line of one server, and of two


def sample(others, own, observed_ns, window_ns=MINUTE_NS, factor=1.0) -> TelemetryArrived:
    """What an interface counter shows where others take a share, and own transfers so much of the whole line's time."""
    station, servers = NETWORK.line_station, NETWORK.station_servers[NETWORK.line_station]
    utilisation, served_bytes = np.zeros(NETWORK.station_count), np.zeros(NETWORK.station_count, np.int64)
    busy = np.asarray(own) / (1 - np.asarray(others))  # of the time that is left
    utilisation[station] = np.minimum((busy + (1 - busy) * others) * factor, 1.0)
    served_bytes[station] = np.rint(np.asarray(own) * servers * window_ns / RATE_PS * 1_000 * factor)
    waiting = np.zeros(NETWORK.station_count, np.int64)
    up = np.ones(NETWORK.station_count, np.bool_)
    return TelemetryArrived(observed_ns + SECOND_NS, observed_ns, window_ns, utilisation, waiting, served_bytes, up)


# What telemetry tells.


@pytest.mark.parametrize("own", [0.0, 0.1, 0.6])
def test_what_is_not_ours_is_others(own):
    others = np.array([0.3, 0.0, 0.25, 0.4])
    monitor = LineMonitor(NETWORK, MONDAY)
    for minute in range(1, 61):
        monitor.observe(sample(others, own, minute * MINUTE_NS))
    history = monitor.history()
    assert history.grid == TimeGrid(MONDAY, HOUR_NS, 1)
    np.testing.assert_allclose(history.others, others[None], atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_an_agents_error_averages_out(seed):
    rng = np.random.default_rng(seed)
    others = np.array([0.3, 0.05, 0.2, 0.5])
    monitor = LineMonitor(NETWORK, MONDAY)
    for minute in range(1, 61):
        monitor.observe(sample(others, 0.2, minute * MINUTE_NS, factor=1 + 0.02 * rng.standard_normal()))
    # An hour errs by 0.02 / sqrt(60) of itself; six sigma.
    np.testing.assert_allclose(monitor.history().others[0], others, rtol=6 * 0.02 / 60**0.5)


def test_hours_are_local_and_a_window_counts_in_each_by_its_part():
    """From 09:40: a window of half an hour has two thirds of itself in the first hour; then nothing comes for long."""
    monitor = LineMonitor(NETWORK, MONDAY.replace(hour=9, minute=40))
    assert monitor.history().others.shape == (0, 4)
    monitor.observe(sample(np.full(4, 0.2), 0.0, 30 * MINUTE_NS, 30 * MINUTE_NS))
    monitor.observe(sample(np.full(4, 0.5), 0.0, 50 * MINUTE_NS, 20 * MINUTE_NS))
    monitor.observe(sample(np.full(4, 0.7), 0.0, 200 * MINUTE_NS, 20 * MINUTE_NS))
    history = monitor.history()
    assert history.grid == TimeGrid(MONDAY.replace(hour=9), HOUR_NS, 4)
    np.testing.assert_allclose(history.others[:, ONE], [0.2, (10 * 0.2 + 20 * 0.5) / 30, np.nan, 0.7], atol=1e-6)


def test_a_transfer_that_crosses_windows_is_not_others():
    """All its bytes count in the first window, its time in both: apart they would be below 0 and above the truth."""
    monitor = LineMonitor(NETWORK, MONDAY)
    first, second = (sample(np.zeros(4), 0.5, minute * MINUTE_NS) for minute in (1, 2))
    station = NETWORK.line_station[ONE]
    first.served_bytes[station] *= 2
    second.served_bytes[station] = 0
    monitor.observe(first)
    assert monitor.history().others[0, ONE] == 0
    monitor.observe(second)
    np.testing.assert_allclose(monitor.history().others, 0, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"utilisation": np.zeros(3)}, r"telemetry.utilisation: must have one value"),
        ({"served_bytes": np.zeros(1, np.int64)}, r"telemetry.served_bytes: must have one value"),
        ({"window_ns": 0}, r"telemetry.window_ns: must lie in 1.."),
        ({"window_ns": 2 * MINUTE_NS}, r"telemetry.window_ns: must lie in 1.."),
        ({"utilisation": np.full(NETWORK.station_count, np.nan)}, r"telemetry.utilisation\[\d+\]: must be finite"),
    ],
)
def test_a_sample_that_cannot_be_is_refused_and_changes_nothing(change, place):
    monitor = LineMonitor(NETWORK, MONDAY)
    event = SimpleNamespace(**vars(sample(np.zeros(4), 0.0, MINUTE_NS)) | change)
    with pytest.raises(BadInputError, match=f"^{place}"):
        monitor.observe(event)
    assert monitor.history().grid.count == 0


# Tides.


def history_of(others: np.ndarray, begin: datetime = MONDAY) -> LineHistory:
    return LineHistory(TimeGrid(begin, HOUR_NS, len(others)), others.astype(np.float32))


def curve(hours: np.ndarray, working: bool) -> np.ndarray:
    level = 0.35 if working else 0.1
    return level + 0.2 * np.sin((hours - 9) / 12 * np.pi) * level


def made_days(days: int, noise: float = 0.0, seed: int = 0, begin: datetime = MONDAY) -> np.ndarray:
    """Hours of days in March 2024, which has no holidays: one line that follows the curve, one nobody else uses."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(days):
        working = (begin + timedelta(days=number)).weekday() < 5
        level = curve(np.arange(24.0), working) * (1 + noise * rng.standard_normal(24))
        rows.append(np.stack([level, np.zeros(24)], axis=1))
    return np.concatenate(rows)


def test_without_noise_a_week_tells_all():
    tides = fit_line_tides(history_of(made_days(7)))
    next_week = TimeGrid(MONDAY + timedelta(days=7), HOUR_NS, 168)
    # An hour is drawn towards its neighbours, by what a smooth curve does not feel.
    np.testing.assert_allclose(tides.others(next_week), made_days(7), atol=2e-3)
    np.testing.assert_allclose(tides.others_high(next_week, 0.95), made_days(7), atol=2e-3)


@pytest.mark.parametrize("seed", range(4))
def test_noise_is_smoothed_and_quantiles_cover_it(seed):
    tides = fit_line_tides(history_of(made_days(28, noise=0.1, seed=seed)))
    later = TimeGrid(MONDAY + timedelta(days=14), HOUR_NS, 168)
    truth, fresh = made_days(7), made_days(28, noise=0.1, seed=100 + seed).reshape(4, 168, 2)
    # Working days have 20 samples of 10 %, others 8; three hours' mean at most. Six sigma of the worst cell.
    assert (np.abs(tides.others(later) - truth)[:, 0] / truth[:, 0]).max() < 6 * 0.1 / np.sqrt(8)
    levels = np.array([0.0, 0.05, 0.3, 0.5, 0.8, 0.95, 0.99, 1.0])
    high = np.array([tides.others_high(later, level) for level in levels])
    assert (np.diff(high, axis=0) >= 0).all()
    for level, low, top in ((0.95, 0.90, 0.99), (0.5, 0.42, 0.58)):
        covered = (fresh[:, :, 0] <= high[levels == level][0, :, 0]).mean()
        assert low <= covered <= top
    assert not high[:, :, 1].any(), "nobody else's line stays nobody else's"


def test_make_up_days_follow_the_calendar_given():
    tides = fit_line_tides(history_of(made_days(7)))
    sunday = TimeGrid(datetime(2024, 4, 7), HOUR_NS, 24)  # worked, to make up for a holiday
    np.testing.assert_allclose(tides.others(sunday)[:, 0], curve(np.arange(24.0), True), atol=2e-3)
    plain = LineTides(tides.expected, tides.deviation, lambda when: SimpleNamespace(working=when.weekday() < 5))
    np.testing.assert_allclose(plain.others(sunday)[:, 0], curve(np.arange(24.0), False), atol=2e-3)


@pytest.mark.parametrize("step_ns", [5 * MINUTE_NS, 15 * MINUTE_NS, 40 * MINUTE_NS])
def test_fine_steps_lie_between_the_hours(step_ns):
    """Linear between hours' middles, also over midnight from a working day to a day off."""
    tides = fit_line_tides(history_of(made_days(14)))
    grid = TimeGrid(datetime(2024, 3, 15), step_ns, 2 * DAY_NS // step_ns)  # Friday and Saturday
    hours = TimeGrid(datetime(2024, 3, 14), HOUR_NS, 96)
    middles = np.arange(96) - 24 + 0.5
    expected = np.interp((np.arange(grid.count) + 0.5) * step_ns / HOUR_NS, middles, tides.others(hours)[:, 0])
    np.testing.assert_allclose(tides.others(grid)[:, 0], expected, rtol=1e-9)
    part = grid.part(3, 9)
    np.testing.assert_allclose(tides.others(part), tides.others(grid)[3:9], rtol=1e-12)


@pytest.mark.parametrize("hours", [2, 8, 24])
def test_long_steps_are_the_mean_and_the_highest_of_their_hours(hours):
    tides = fit_line_tides(history_of(made_days(14, noise=0.1)))
    day, long = TimeGrid(MONDAY, HOUR_NS, 24), TimeGrid(MONDAY, hours * HOUR_NS, 24 // hours)
    by_step = tides.others(day).reshape(-1, hours, 2)
    np.testing.assert_allclose(tides.others(long), by_step.mean(axis=1), rtol=1e-9)
    high = tides.others_high(day, 0.9).reshape(-1, hours, 2)
    np.testing.assert_allclose(tides.others_high(long, 0.9), high.max(axis=1), rtol=1e-9)


def test_no_steps_are_no_rows():
    tides = fit_line_tides(history_of(made_days(7)))
    assert tides.others(TimeGrid(MONDAY, HOUR_NS, 0)).shape == (0, 2)


# What was never seen.


def test_an_hour_never_seen_takes_the_nearest():
    others = np.full((24, 1), np.nan)
    others[[3, 5, 22], 0] = 0.3, 0.5, 0.1
    tides = fit_line_tides(history_of(others))
    found = tides.others(TimeGrid(MONDAY, HOUR_NS, 24))[:, 0]
    expected = [0.1] * 24  # from 22, and from 12 to 1, where 22 is nearest round the clock
    expected[1:14] = [0.3, 0.3, 0.3, 0.4, *[0.5] * 9]
    expected[0], expected[13] = 0.1, 0.5
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_kind_of_day_never_seen_takes_the_other_and_a_line_never_seen_has_no_others():
    others = made_days(3)
    others[:, 1] = np.nan
    tides = fit_line_tides(history_of(others))
    saturday = TimeGrid(MONDAY + timedelta(days=5), HOUR_NS, 24)
    np.testing.assert_allclose(tides.others(saturday)[:, 0], curve(np.arange(24.0), True), atol=2e-3)
    assert not tides.others_high(saturday, 1.0)[:, 1].any()


@pytest.mark.parametrize("count", [0, 1])
def test_the_shortest_history_will_do(count):
    tides = fit_line_tides(history_of(np.full((count, 2), 0.4)))
    found = tides.others_high(TimeGrid(MONDAY, HOUR_NS, 168), 0.95)
    np.testing.assert_allclose(found, 0.4 * count, atol=1e-6)


def test_what_is_stored_is_what_comes_back():
    tides = fit_line_tides(history_of(made_days(14, noise=0.2)))
    document, arrays = tides.parts()
    again = LineTides.from_parts(document, {name: array.copy() for name, array in arrays.items()})
    grid = TimeGrid(MONDAY, 15 * MINUTE_NS, 300)
    np.testing.assert_array_equal(again.others_high(grid, 0.9), tides.others_high(grid, 0.9))
    np.testing.assert_array_equal(again.others(grid), tides.others(grid))


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"format": 2}, r"line_tides.format: must be 1"),
        ({"levels": [0.5]}, r"line_tides.levels: must be"),
        ({"expected": None}, r"line_tides.expected: must be float32"),
        ({"expected": np.zeros((2, 24, 3), np.float32)}, r"line_tides.deviation: must have 3 lines"),
        ({"deviation": np.full((2, 24, 9, 2), np.nan, np.float32)}, r"line_tides.deviation: must lie in"),
    ],
)
def test_bad_parts_are_refused(change, place):
    document, arrays = fit_line_tides(history_of(made_days(7))).parts()
    for name, value in change.items():
        (document if name in document else arrays)[name] = value
    with pytest.raises(BadInputError, match=f"^{place}"):
        LineTides.from_parts(document, arrays)


@pytest.mark.parametrize("quantile", [-0.1, 1.1, float("nan")])
def test_a_quantile_lies_between_0_and_1(quantile):
    tides = fit_line_tides(history_of(made_days(7)))
    with pytest.raises(BadInputError, match=r"^quantile: must lie in 0..1"):
        tides.others_high(TimeGrid(MONDAY, HOUR_NS, 1), quantile)


def test_the_calendar_is_asked_for_dates():
    asked: list[date] = []

    def calendar(when: date):
        asked.append(when)
        return SimpleNamespace(working=True)

    fit_line_tides(history_of(made_days(2)), calendar)
    assert asked == [date(2024, 3, 4), date(2024, 3, 5)]
