"""Windows of telemetry: what a world told its brain at once comes out the same when it comes in piece by piece."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from learnt_toy import brain_of, hours, lived, toy

from feed.live.samples import AcceptedTasks, StationSamples
from feed.live.windows import OPEN_MAX, RECENT, TelemetryWindows, WindowSetting
from router_core.errors import BadInputError
from router_core.units import MINUTE_NS, SECOND_NS
from strategies.brain import DemandReported, StationsChanged, TelemetryArrived

NETWORK = toy().network
S = NETWORK.station_count
START_NS = 1_700_000_040 * SECOND_NS
SEEDS = range(4)
# When the grace of a window is over, which none waits for in full where all have told.
LATER_NS = 5 * SECOND_NS


class _Ear:
    """A brain that keeps what the world tells it."""

    def __init__(self, brain):
        self.name, self._brain, self.events = brain.name, brain, []

    def handle(self, event):
        self.events.append(event)
        return self._brain.handle(event)


@pytest.fixture(scope="module")
def told():
    ear = _Ear(brain_of("static", 9))
    lived(ear, hours(9, 0.5))
    return [event for event in ear.events if isinstance(event, (TelemetryArrived, DemandReported))]


def same(a, b) -> bool:
    return type(a) is type(b) and all(
        np.array_equal(getattr(a, field.name), getattr(b, field.name), equal_nan=field.name == "utilisation")
        for field in fields(a)
    )


def samples_of(event: TelemetryArrived, station: np.ndarray) -> StationSamples:
    columns = {name: getattr(event, name)[station] for name in ("utilisation", "waiting", "served_bytes", "up")}
    return StationSamples(START_NS + event.observed_ns, event.window_ns, station.astype(np.int32), **columns)


def tasks_of(event: DemandReported, source: int) -> AcceptedTasks:
    rows = np.flatnonzero(event.source == source)
    columns = ("target", "mode", "kind", "priority", "exchanges", "payload_bytes")
    return AcceptedTasks(
        START_NS + event.observed_ns, event.window_ns, source, **{name: getattr(event, name)[rows] for name in columns}
    )


def whole(observed_ns: int = MINUTE_NS, window_ns: int = MINUTE_NS, station=None, **columns) -> StationSamples:
    station = np.arange(S, dtype=np.int32) if station is None else np.array(station, dtype=np.int32)
    given = {
        "utilisation": np.full(len(station), 0.25),
        "waiting": np.full(len(station), 3),
        "served_bytes": np.full(len(station), 1_000),
        "up": np.ones(len(station), dtype=np.bool_),
    } | columns
    return StationSamples(START_NS + observed_ns, window_ns, station, **given)


@pytest.mark.parametrize("seed", SEEDS)
def test_pieces_in_any_order_and_twice_give_what_the_world_told_at_once(told, seed: int) -> None:
    draw = np.random.default_rng(seed)
    windows = TelemetryWindows(NETWORK, START_NS)
    heard = []
    for demand, telemetry in zip(told[::2], told[1::2], strict=True):
        pieces = [tasks_of(demand, int(node)) for node in NETWORK.endpoints]
        pieces += [samples_of(telemetry, part) for part in np.array_split(draw.permutation(S), 7)]
        for number in draw.permutation(len(pieces)).tolist() + draw.integers(len(pieces), size=5).tolist():
            piece = pieces[number]
            (windows.accepted if isinstance(piece, AcceptedTasks) else windows.stations)(piece)
        heard += windows.close(telemetry.now_ns)
    assert len(told) > 50
    assert all(same(a, b) for a, b in zip(told, heard, strict=True))
    assert windows.counts["twice"] > 0
    assert windows.counts["late"] == windows.counts["early"] == 0


def test_a_window_waits_for_its_grace_where_somebody_is_silent_and_the_silent_have_no_utilisation() -> None:
    windows = TelemetryWindows(NETWORK, START_NS, WindowSetting(MINUTE_NS, 5 * SECOND_NS))
    windows.stations(whole(station=range(1, S)))
    assert windows.close(MINUTE_NS + 5 * SECOND_NS - 1) == []
    (event,) = windows.close(MINUTE_NS + 5 * SECOND_NS)
    assert np.isnan(event.utilisation[0])
    assert np.all(event.utilisation[1:] == 0.25)
    windows.stations(whole(station=[0]))
    assert windows.counts["late"] == 1
    assert windows.close(2 * MINUTE_NS) == []


def report(node: int, observed_ns: int) -> AcceptedTasks:
    empty = np.empty(0, dtype=np.int64)
    rows = {name: empty.astype(np.int8) for name in ("mode", "kind", "priority")}
    columns = {"target": empty.astype(np.int32), **rows, "exchanges": empty, "payload_bytes": empty}
    return AcceptedTasks(START_NS + observed_ns, MINUTE_NS, node, **columns)


def test_a_window_is_closed_at_once_when_all_have_told_and_not_before() -> None:
    windows = TelemetryWindows(NETWORK, START_NS)
    nodes = [int(node) for node in NETWORK.endpoints]
    windows.stations(whole())
    assert windows.close(MINUTE_NS) == [], "front-ends report too"
    for node in nodes:
        windows.accepted(report(node, MINUTE_NS))
    assert [type(event) for event in windows.close(MINUTE_NS)] == [DemandReported, TelemetryArrived]


def test_who_is_always_late_at_first_is_waited_for_and_who_is_gone_is_not() -> None:
    """Reports that come a moment after the samples: none may be lost for good."""
    windows = TelemetryWindows(NETWORK, START_NS)
    nodes = [int(node) for node in NETWORK.endpoints]
    # A run in which front-ends say nothing for long: windows close when stations have told.
    for minute in range(1, RECENT + 3):
        windows.stations(whole(minute * MINUTE_NS))
        told = windows.close(minute * MINUTE_NS)
        assert bool(told) == (minute >= RECENT), "while the run is young everybody is waited for"
        windows.close(minute * MINUTE_NS + 10 * SECOND_NS)
    # Now they begin, a second after the samples: the first reports are late, the next are not.
    heard = []
    for minute in range(RECENT + 3, RECENT + 6):
        windows.stations(whole(minute * MINUTE_NS))
        heard.append([type(event) for event in windows.close(minute * MINUTE_NS)])
        for node in nodes:
            windows.accepted(report(node, minute * MINUTE_NS))
        heard.append([type(event) for event in windows.close(minute * MINUTE_NS + SECOND_NS)])
    both = [DemandReported, TelemetryArrived]
    assert heard == [[TelemetryArrived], [], [], both, [], both]
    # One of them falls silent: it is waited for until it counts as gone.
    waited = []
    for minute in range(RECENT + 6, 2 * RECENT + 8):
        windows.stations(whole(minute * MINUTE_NS))
        for node in nodes[1:]:
            windows.accepted(report(node, minute * MINUTE_NS))
        waited.append(not windows.close(minute * MINUTE_NS))
        windows.close(minute * MINUTE_NS + 10 * SECOND_NS)
    assert waited == [True] * (RECENT - 1) + [False] * 3


def test_shorter_windows_add_up_and_a_longer_one_is_brought_to_the_period() -> None:
    windows = TelemetryWindows(NETWORK, START_NS)
    for k in range(1, 5):
        windows.stations(
            whole(15 * k * SECOND_NS, 15 * SECOND_NS, utilisation=np.full(S, k / 10), waiting=np.full(S, k))
        )
    (event,) = windows.close(MINUTE_NS + LATER_NS)
    assert np.allclose(event.utilisation, 0.25)
    assert (event.served_bytes == 4_000).all()
    assert (event.waiting == 4).all()
    windows.stations(whole(2 * MINUTE_NS, 2 * MINUTE_NS))
    (event,) = windows.close(2 * MINUTE_NS + LATER_NS)
    assert (event.served_bytes == 500).all()


def test_a_stop_is_told_at_once_and_once() -> None:
    windows = TelemetryWindows(NETWORK, START_NS)
    up = np.ones(S, dtype=np.bool_)
    up[[7, 3]] = False
    windows.stations(whole(20 * SECOND_NS, 20 * SECOND_NS, up=up))
    (event,) = windows.close(21 * SECOND_NS)
    assert isinstance(event, StationsChanged)
    assert event.station.tolist() == [3, 7]
    assert not event.up.any()
    assert event.observed_ns == 20 * SECOND_NS
    assert not windows.up[[3, 7]].any()
    windows.stations(whole(40 * SECOND_NS, 20 * SECOND_NS, up=up))
    assert windows.close(41 * SECOND_NS) == []
    windows.stations(whole(MINUTE_NS, 20 * SECOND_NS))
    back, telemetry = windows.close(MINUTE_NS + LATER_NS)
    assert back.up.all()
    assert isinstance(telemetry, TelemetryArrived)


def test_the_state_of_a_station_can_be_told_alone_and_leaves_its_figures_to_the_bit() -> None:
    windows = TelemetryWindows(NETWORK, START_NS)
    windows.stations(whole(30 * SECOND_NS, 0, station=[5], up=np.array([False]), utilisation=np.array([9.0])))
    (event,) = windows.close(31 * SECOND_NS)
    assert event.station.tolist() == [5]
    windows.stations(whole(up=np.arange(S) != 5, utilisation=np.full(S, 0.1)))
    (event,) = windows.close(MINUTE_NS + LATER_NS)
    assert (event.utilisation == 0.1).all()
    assert (event.served_bytes == 1_000).all()


def test_a_stop_at_the_end_of_a_window_is_told_once_and_the_sample_is_as_it_was_taken() -> None:
    windows = TelemetryWindows(NETWORK, START_NS)
    windows.stations(whole(MINUTE_NS, 0, station=[5], up=np.array([False])))
    (event,) = windows.close(MINUTE_NS)
    assert event.station.tolist() == [5]
    windows.stations(whole(up=np.arange(S) != 5))
    (event,) = windows.close(MINUTE_NS + LATER_NS)
    assert not event.up[5]
    assert (event.utilisation == 0.25).all()
    # Back again, and then the sample of before comes in late: it says what it saw, and brings nothing back.
    windows.stations(whole(2 * MINUTE_NS + SECOND_NS, 0, station=[5], up=np.array([True])))
    windows.stations(whole(2 * MINUTE_NS, up=np.arange(S) != 5))
    back, sample = windows.close(2 * MINUTE_NS + LATER_NS)
    assert back.up.all()
    assert not sample.up[5]
    assert windows.up.all()


@pytest.mark.parametrize(("share", "taken"), [(0.5, 0), (0.8, 1), (1.0, 1), (1.2, 1), (60.0, 0)])
def test_demand_of_windows_of_another_length_is_not_read_as_another_rate(share: float, taken: int) -> None:
    windows = TelemetryWindows(NETWORK, START_NS)
    windows.accepted(replace(report(int(NETWORK.endpoints[0]), MINUTE_NS), window_ns=round(share * MINUTE_NS)))
    assert windows.counts["taken"] == taken
    assert windows.counts["other-window"] == 1 - taken


def test_demand_of_too_few_front_ends_says_nothing() -> None:
    nodes = [int(node) for node in NETWORK.endpoints]
    empty = np.empty(0, dtype=np.int64)
    rows = {name: empty.astype(np.int8) for name in ("mode", "kind", "priority")}
    report = AcceptedTasks(0, MINUTE_NS, 0, target=empty.astype(np.int32), **rows, exchanges=empty, payload_bytes=empty)
    windows = TelemetryWindows(NETWORK, START_NS)
    for node in nodes:
        windows.accepted(replace(report, source=node, observed_ns=START_NS + MINUTE_NS))
    assert [type(one) for one in windows.close(2 * MINUTE_NS)] == [DemandReported]
    half = -(-len(nodes) // 2)
    for minute, reporting, told in ((3, half - 1, 0), (5, half, 1)):
        for node in nodes[:reporting]:
            windows.accepted(replace(report, source=node, observed_ns=START_NS + minute * MINUTE_NS))
        assert len(windows.close((minute + 1) * MINUTE_NS)) == told


def test_what_lies_before_the_run_or_far_ahead_is_counted_and_left_out() -> None:
    windows = TelemetryWindows(NETWORK, START_NS)
    windows.stations(whole(0))
    windows.stations(whole(-MINUTE_NS))
    windows.stations(whole((OPEN_MAX + 1) * MINUTE_NS))
    assert windows.counts["late"] == 2 * S
    assert windows.counts["early"] == S
    assert windows.close(MINUTE_NS) == []


@pytest.mark.parametrize(("period_ns", "grace_ns"), [(0, 0), (-1, 0), (1, -1)])
def test_a_rhythm_that_cannot_be_is_refused(period_ns: int, grace_ns: int) -> None:
    with pytest.raises(BadInputError, match="windows"):
        WindowSetting(period_ns, grace_ns)
