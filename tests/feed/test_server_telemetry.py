"""Telemetry as text: the quick way says what the library says, and refuses what is not as it must be."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.openmetrics.exposition import generate_latest

from feed.server.figures import STATIONS, WINDOW, WINDOW_END
from feed.server.telemetry_parse import quick, stations_of, thorough
from router_core.errors import BadInputError

letters = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"))
names = st.lists(st.text(letters, max_size=12), unique=True, max_size=5)
amounts = st.integers(0, 2**53)


@st.composite
def texts(draw: st.DrawFn) -> tuple[str, list[tuple]]:
    """A text as the client library writes it, and what it says."""
    registry = CollectorRegistry()
    Gauge(WINDOW.metric, WINDOW.en, registry=registry).set(draw(st.integers(1, 3_600)))
    Gauge(WINDOW_END.metric, WINDOW_END.en, registry=registry).set(draw(st.integers(1, 2**32)))
    gauges = [Gauge(figure.metric, figure.en, figure.labels, registry=registry) for figure in STATIONS]
    rows = []
    for name in draw(names):
        row = (name, draw(st.floats(0, 2)), draw(amounts), draw(amounts), draw(st.booleans()))
        rows.append(row)
        for gauge, value in zip(gauges, row[1:], strict=True):
            gauge.labels(name).set(value)
    return generate_latest(registry).decode(), rows


@given(texts())
@settings(max_examples=60, deadline=None)
def test_what_a_client_library_writes_is_read_back(made: tuple[str, list[tuple]]) -> None:
    text, rows = made
    assert thorough(text) == quick(text) or not rows
    raw = stations_of(text.encode(), 10)
    read = zip(raw.names, raw.utilisation, raw.waiting, raw.served_bytes, raw.up, strict=True)
    assert list(read) == rows


BITS = [
    "# TYPE exchange_router_station_up gauge\n",
    "# HELP exchange_router_station_up it works\n",
    "# TYPE exchange_router_window_seconds gauge\n",
    "exchange_router_window_seconds 1\n",
    "exchange_router_window_seconds 1e0 12\n",
    'exchange_router_station_up{station="a"} 1\n',
    'exchange_router_station_up{station="b\\\\"} 0.0\n',
    'exchange_router_station_up{station="b\\n\\""} -1e-3\n',
    'exchange_router_station_up{station="a",x="y"} 1\n',
    'exchange_router_station_up{station="a"} NaN\n',
    'exchange_router_station_up{station="a"}  1\n',
    "# UNIT exchange_router_window_seconds seconds\n",
    "# TYPE other counter\n",
    "other_total 3\n",
    "# EOF\n",
    "\n",
    " ",
    "}",
    '"',
]


@given(st.lists(st.sampled_from(BITS), max_size=9))
@settings(max_examples=400, deadline=None)
def test_what_the_quick_way_takes_the_library_takes_for_the_same(bits: list[str]) -> None:
    text = "".join(bits) + "# EOF\n"
    found = quick(text)
    if found is not None:
        assert thorough(text) == {name: values for name, values in found.items() if values}


def text_of(**harm: str) -> str:
    lines = {
        "end": f"# TYPE {WINDOW_END.metric} gauge\n{WINDOW_END.metric} 1.7e9\n",
        "window": f"# TYPE {WINDOW.metric} gauge\n{WINDOW.metric} 1\n",
    }
    for figure in STATIONS:
        lines[figure.name] = f'# TYPE {figure.metric} gauge\n{figure.metric}{{station="a"}} 1\n'
    return "".join((lines | harm).values()) + "# EOF\n"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (text_of()[:-6], "must end with a line # EOF"),
        (text_of(end=""), "must be there"),
        (text_of(window="# TYPE exchange_router_window_seconds gauge\nexchange_router_window_seconds -1\n"), "must be"),
        (text_of(station_up=""), "must have all of"),
        (text_of(station_up='exchange_router_station_up{station="a"} 0.5\n'), "whole number in 0..1"),
        (
            text_of(station_utilisation='exchange_router_station_utilisation{station="a"} NaN\n'),
            "must be a number in 0",
        ),
        (text_of(station_waiting='exchange_router_station_waiting{station="a"} 1e99\n'), "must be a whole number in 0"),
        (text_of(station_up='exchange_router_station_up{station="a"} 1\n' * 2), "must have one sample a station"),
        (text_of(station_up='exchange_router_station_up{station="a"} 1 5\n'), "time stamps: must be"),
        (text_of(station_up='exchange_router_station_up{other="a"} 1\n'), "must be a gauge with the labels"),
        (text_of(station_up="exchange_router_station_up{\n"), "must be OpenMetrics"),
        ("x" * 2_000_000 + "\n# EOF\n", "at most 1048576 bytes if"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_name(text: str, rule: str) -> None:
    with pytest.raises(BadInputError, match=rule):
        stations_of(text.encode(), 10)


def test_too_many_stations_are_refused() -> None:
    assert stations_of(text_of().encode(), 1).names == ["a"]
    with pytest.raises(BadInputError, match="must be at most 0"):
        stations_of(text_of().encode(), 0)


def test_other_families_and_time_stamps_of_the_window_are_left_alone() -> None:
    text = text_of(other="# TYPE process_threads gauge\nprocess_threads 4\n")
    stamped = text.replace('station_up{station="a"} 1', 'station_up{station="a"} 1 1700000000')
    assert quick(text) is None
    assert stations_of(stamped.encode(), 10) == stations_of(text_of().encode(), 10)
