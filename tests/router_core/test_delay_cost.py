"""The delay cost: closed forms where there are some, convex and smooth whatever the load."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_networks import INSTANT
from queueing import SECOND_MOMENT, cobham, erlang_c, pollaczek_khinchine

import scenarios
from router_core.delay_cost import BEND, DelayCost, delay_cost
from router_core.errors import BadInputError
from router_core.network import Network
from router_core.network_builder import NetworkBuilder, Service
from router_core.vocabulary import Discipline, NodeKind

UNIT_S = 1e-3  # mean service time
LOADS = (0.05, 0.3, 0.5, 0.7, 0.8, 0.9, 0.94)


def one_station(discipline: Discipline, servers: int = 1, after_ns: int = 0) -> tuple[Network, int]:
    """A network, and the one station of it that matters: a nanosecond a byte, next to nothing fixed."""
    builder = NetworkBuilder(("outer",))
    source = builder.add_node("source", NodeKind.FRONT_END, service=INSTANT)
    process = Service(servers, 1, 1_000, after_ns, discipline=discipline)
    centre = builder.add_node("centre", NodeKind.CENTRE, service=INSTANT, process=process)
    target = builder.add_node("target", NodeKind.FRONT_END, service=INSTANT)
    builder.add_line(source, centre, service=INSTANT)
    builder.add_line(centre, target, service=INSTANT)
    network = builder.build()
    return network, int(network.node_process_station[centre])


def stay(discipline: Discipline, load: float, second_moment: float, servers: int = 1, after_ns: int = 0) -> float:
    """Mean stay at the one station, in mean services."""
    network, station = one_station(discipline, servers, after_ns)
    cost = delay_cost(network, 1e9 * UNIT_S, second_moment - 1)
    utilisation = np.zeros(network.station_count)
    utilisation[station] = load
    return float(cost.stay_s(utilisation)[station]) / UNIT_S


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("draw", SECOND_MOMENT, ids=lambda draw: draw.__name__)
def test_one_server_is_pollaczek_and_khinchine(draw, load):
    wait = pollaczek_khinchine(load, SECOND_MOMENT[draw])
    for discipline in (Discipline.FIFO, Discipline.PRIORITY):
        assert stay(discipline, load, SECOND_MOMENT[draw]) == pytest.approx(1 + wait, rel=1e-5)
    assert stay(Discipline.SHARING, load, SECOND_MOMENT[draw]) == pytest.approx(1 / (1 - load), rel=1e-5)


@pytest.mark.parametrize("servers", [2, 3, 4, 8, 16, 32])
def test_many_servers_meet_erlang_closely(servers):
    for load in LOADS:
        wait = erlang_c(servers, load) / (servers * (1 - load))
        for discipline in Discipline:
            assert stay(discipline, load, 2.0, servers) == pytest.approx(1 + wait, rel=0.026)


@pytest.mark.parametrize("servers", [1, 2, 4])
@pytest.mark.parametrize("shares", [(0.4, 0.6), (0.2, 0.3, 0.5)])
def test_over_all_classes_priorities_wait_as_first_come_first_served(servers, shares):
    for load in (0.3, 0.6, 0.9):
        wait = sum(share * own for share, own in zip(shares, cobham(servers, load, 2.0, shares), strict=True))
        assert stay(Discipline.PRIORITY, load, 2.0, servers) == pytest.approx(1 + wait, rel=0.026)


def test_what_travels_on_is_there_too():
    for servers in (1, 3):
        for load in (0.0, 0.4, 0.9):
            near, far = (stay(Discipline.FIFO, load, 1.5, servers, after_ns) for after_ns in (0, 7_000_000))
            assert far - near == pytest.approx(7.0)


def test_services_vary_less_than_sizes_where_some_of_them_is_fixed():
    builder = NetworkBuilder(("outer",))
    # 3 ms for any, and 1 ms for the mean size.
    process = Service(1, 3_000_000, 1_000)
    builder.add_node("centre", NodeKind.CENTRE, service=INSTANT, process=process)
    network = builder.build()
    cost = delay_cost(network, 1e6, 8.0)
    station = int(network.node_process_station[0])
    assert cost.service_s[station] == pytest.approx(4e-3)
    # Variance 8 ms^2, mean square 16 ms^2.
    assert cost.queue[station] == pytest.approx((1 + 0.5) / 2)


def test_lines_that_others_use_serve_slower():
    network = scenarios.load("toy").network
    left = np.full(network.line_count, 0.25)
    alone, shared = delay_cost(network, 1e6, 1.0), delay_cost(network, 1e6, 1.0, available=left)
    lines = network.line_station
    fixed_s = network.station_fixed_ns * 1e-9
    np.testing.assert_allclose((shared.service_s - fixed_s)[lines], 4 * (alone.service_s - fixed_s)[lines])
    others = np.setdiff1d(np.arange(network.station_count), lines)
    np.testing.assert_array_equal(shared.service_s[others], alone.service_s[others])
    assert len(others)


def made_cost(servers: list[int], queue: float, bend: float) -> DelayCost:
    count = np.array(servers, dtype=float)
    ones = np.ones(len(count))
    return DelayCost(ones * 1e-3, count, count * 1.5, ones * queue, np.sqrt(2 * (count + 1)), ones * bend)


@given(
    st.integers(1, 200),
    st.floats(0.5, 50),
    st.floats(0.05, 0.99),
    st.floats(0, 3),
    st.floats(0, 3),
    st.floats(0, 1),
)
def test_convex_increasing_and_finite_at_any_load(servers, queue, bend, low, high, share):
    cost = made_cost([servers], queue, bend)
    low, high = sorted((low, high))
    middle = low + share * (high - low)
    (at_low, slope_low, curved), (at_middle, *_), (at_high, slope_high, _) = (
        tuple(float(term[0]) for term in cost.terms(np.array([u]))) for u in (low, middle, high)
    )
    assert np.isfinite([at_low, at_high, slope_high]).all()
    assert curved >= 0
    assert 0 < slope_low <= slope_high
    near = 1e-9 * (1 + at_high)
    assert at_middle <= at_low + share * (at_high - at_low) + near
    # Above each of its tangents.
    assert at_high >= at_low + slope_low * (high - low) - near


@given(st.integers(1, 64), st.floats(0.5, 20), st.floats(0.1, 0.99), st.floats(0.01, 2))
def test_slope_and_curvature_are_those_of_the_value(servers, queue, bend, u):
    cost = made_cost([servers], queue, bend)
    step = 1e-5 * min(1.0, max(1 - min(u, bend), 0.01))
    before, here, after = (cost.terms(np.array([at])) for at in (u - step, u, u + step))
    assert (after[0] - before[0])[0] / (2 * step) == pytest.approx(float(here[1][0]), rel=1e-4, abs=1e-4)
    assert (after[1] - before[1])[0] / (2 * step) == pytest.approx(float(here[2][0]), rel=1e-3, abs=1e-2)


def test_at_the_bend_nothing_jumps_and_beyond_it_is_a_parabola():
    cost = made_cost([1, 2, 7], 3.0, 0.9)
    ones = np.ones(3)
    for below, above in zip(cost.terms(ones * (0.9 - 1e-10)), cost.terms(ones * (0.9 + 1e-10)), strict=True):
        np.testing.assert_allclose(below, above, rtol=1e-6)
    value, slope, curvature = cost.terms(ones * 0.9)
    for over in (0.05, 0.1, 5.0):
        further = cost.terms(ones * (0.9 + over))
        np.testing.assert_allclose(further[0], value + slope * over + curvature * over**2 / 2)
        np.testing.assert_allclose(further[1], slope + curvature * over)
        np.testing.assert_allclose(further[2], curvature)
    np.testing.assert_array_equal(cost.value(ones), cost.terms(ones)[0])
    np.testing.assert_array_equal(cost.slope(ones), cost.terms(ones)[1])
    np.testing.assert_array_equal(cost.curvature(ones), cost.terms(ones)[2])


def test_nothing_waits_at_an_idle_station():
    network = scenarios.load("jiangxi").network
    cost = delay_cost(network, 2e5, 4.0)
    nothing = np.zeros(network.station_count)
    value, slope, _ = cost.terms(nothing)
    assert not value.any()
    np.testing.assert_array_equal(slope, cost.linear)
    alone = network.station_fixed_ns * 1e-9 + network.station_ps_per_byte * 2e5 * 1e-12
    np.testing.assert_allclose(cost.stay_s(nothing), alone + network.station_after_ns * 1e-9)
    np.testing.assert_allclose(cost.stay_s(nothing + 1e-9), cost.stay_s(nothing), rtol=1e-6)
    assert (cost.bend == BEND).all()
    for column in (cost.service_s, cost.servers, cost.linear, cost.queue, cost.power, cost.bend):
        assert not column.flags.writeable


SIZES = np.ones(110)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"mean_bytes": -1.0}, r"^mean_bytes: must be finite and not negative"),
        ({"mean_bytes": np.nan}, r"^mean_bytes: must be finite"),
        ({"mean_bytes": np.where(np.arange(110) == 3, np.inf, SIZES)}, r"^mean_bytes\[3\]: must be finite"),
        ({"mean_bytes": SIZES[1:]}, r"^mean_bytes: must be a number or of shape \(110,\)"),
        ({"squared_variation": -0.1}, r"^squared_variation: must be finite and not negative"),
        ({"bend": 1.0}, r"^bend: must be finite and in \(0, 1\)"),
        ({"bend": 0.0}, r"^bend: must be finite and in \(0, 1\)"),
        ({"available": 0.0}, r"^available: must be finite and in \(0, 1\]"),
        ({"available": np.nan}, r"^available: must be finite"),
    ],
)
def test_what_cannot_be_is_refused_by_name(changed, message):
    network = scenarios.load("toy").network
    assert network.station_count == len(SIZES)
    with pytest.raises(BadInputError, match=message):
        delay_cost(network, **({"mean_bytes": 1e6, "squared_variation": 1.0} | changed))


@pytest.mark.parametrize("value", [-1e-9, np.nan, np.inf])
def test_utilisations_that_cannot_be_are_refused(value):
    cost = made_cost([1, 1, 1], 1.0, 0.9)
    for ask in (cost.terms, cost.value, cost.slope, cost.curvature, cost.stay_s):
        with pytest.raises(BadInputError, match=r"utilisation\[1\]: must be finite and not negative"):
            ask(np.array([0.1, value, 0.1]))
        with pytest.raises(BadInputError, match=r"utilisation: must be of shape \(3,\)"):
            ask(np.zeros(2))
