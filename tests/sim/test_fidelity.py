"""Queueing theory: what both data planes measure is what closed forms say.

Every law on the compiled plane, and its cheapest case on the reference plane too, which takes fifty times as long.

Each case runs independent replications from an empty station, discards a warm-up, and compares the mean over
replications with theory by Student's t. Sampled means of gaps and service times, whose expectations are known, serve
as control variates (Lavenberg and Welch, Management Science 27, 1981).

The level is `FALSE_ALARM` a check; with some 35 checks, a correct plane would fail this file for one choice of seeds
in 2,800. The seeds are fixed, so a failure that appears with a change of the plane is a defect. Half-widths are held
below a few per cent, and each case names a wrong formula that the same check must reject.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log

import numpy as np
import pytest
from made_networks import INSTANT, OneWay, exchanges
from numpy.typing import NDArray
from queueing import (
    Draw,
    Estimate,
    constant,
    erlang_c,
    estimate,
    exponential,
    pollaczek_khinchine,
    two_sizes,
    uniform,
)

from router_core.network import Network
from router_core.network_builder import NetworkBuilder, Service
from router_core.plan import Trunk, route
from router_core.vocabulary import NodeKind
from sim.compiled_plane import CompiledPlane
from sim.reference_plane import ReferencePlane
from strategies.brain import SetPlan

FALSE_ALARM = 1e-5
REPLICATIONS = 40
UNIT_NS = 1_000_000  # mean service time; a rounding to whole nanoseconds is a millionth of it


def check(found: Estimate, theory: float, *, wrong: float, within: float) -> None:
    """Assert agreement with theory, and that the check is sharp enough to refuse a wrong formula."""
    assert found.half_width <= within * theory, f"{found} cannot tell {theory} from its neighbours"
    assert found.agrees_with(theory), f"{found} contradicts {theory}"
    assert not found.agrees_with(wrong), f"{found} would accept {wrong} for {theory}"


def one_station(servers: int) -> tuple[Network, OneWay]:
    """A centre between two front-ends; processing takes a nanosecond a byte, all else takes none of note."""
    builder = NetworkBuilder(("outer",))
    source = builder.add_node("source", NodeKind.FRONT_END, service=INSTANT)
    centre = builder.add_node("centre", NodeKind.CENTRE, service=INSTANT, process=Service(servers, 1, 1_000))
    target = builder.add_node("target", NodeKind.FRONT_END, service=INSTANT)
    builder.add_line(source, centre, service=INSTANT)
    builder.add_line(centre, target, service=INSTANT)
    network = builder.build()
    return network, OneWay(Trunk(centre, centre, (int(network.node_process_station[centre]),)))


@dataclass(frozen=True)
class Sample:
    """Replications by kept exchanges, in units of the mean service time; and the controls of each replication."""

    waited: NDArray[np.float64]
    stayed: NDArray[np.float64]
    controls: NDArray[np.float64]

    def of(self, values: NDArray[np.float64]) -> Estimate:
        return estimate(values.mean(axis=1), self.controls, FALSE_ALARM)


def on_planes(*cases: tuple) -> list:
    """Each case on the compiled plane, and the first one, the cheapest, on the reference plane."""
    reference = pytest.param(*cases[0], ReferencePlane, id="-".join(["reference", *map(_told, cases[0])]))
    return [pytest.param(*case, CompiledPlane, id="-".join(map(_told, case))) for case in cases] + [reference]


def _told(value: object) -> str:
    return value.__name__ if callable(value) else f"{value:.4g}" if isinstance(value, float) else str(value)


def carry(plane_class, network: Network, plan: OneWay, submitted_ns, payload_bytes, target: int, prepare=None):
    """Instants of delivery of exchanges from node 0."""
    plane = plane_class(network)
    if prepare:
        prepare(plane)
    plane.apply(SetPlan(plan))
    plane.submit(exchanges(submitted_ns, 0, target, payload_bytes))
    plane.advance(int(submitted_ns[-1]) + 10_000 * UNIT_NS)
    assert plane.snapshot().in_flight == 0
    return plane.outcome().delivered_ns


def measure(plane_class, servers: int, load: float, service: Draw, kept: int, seed: int) -> Sample:
    """Poisson arrivals at utilisation `load` of one station with services drawn by `service` (mean 1)."""
    rng = np.random.default_rng([seed, servers, int(load * 1_000)])
    network, plan = one_station(servers)
    # Ten relaxation times of M/M/1; the other stations forget their empty start faster.
    warm_up = int(10 * load / (1 - np.sqrt(load)) ** 2) * servers
    waited, stayed, controls = [], [], []
    for _ in range(REPLICATIONS):
        gaps = rng.exponential(UNIT_NS / (load * servers), warm_up + kept)
        services = service(rng, warm_up + kept) * UNIT_NS
        submitted_ns = np.cumsum(gaps).astype(np.int64)
        payload_bytes = np.rint(services).astype(np.int64)
        delivered_ns = carry(plane_class, network, plan, submitted_ns, payload_bytes, 2)
        other_stations_ns = 4
        in_station_ns = delivered_ns - submitted_ns - other_stations_ns
        stayed.append(in_station_ns[warm_up:] / UNIT_NS)
        waited.append((in_station_ns - payload_bytes - 1)[warm_up:] / UNIT_NS)
        control = [gaps.mean() * load * servers / UNIT_NS - 1]
        if services.std() > 0:
            control.append(services.mean() / UNIT_NS - 1)
        controls.append(control)
    return Sample(np.array(waited), np.array(stayed), np.array(controls))


@pytest.mark.parametrize(("load", "kept", "plane"), on_planes((0.3, 4_000), (0.6, 5_000), (0.8, 12_000)))
def test_m_m_1(load, kept, plane):
    sample = measure(plane, 1, load, exponential, kept, seed=1)
    check(sample.of(sample.waited), load / (1 - load), wrong=pollaczek_khinchine(load, 1.0), within=0.06)
    check(sample.of(sample.waited > 0), load, wrong=load**2, within=0.04)
    # The time in the station is exponential, not only its mean.
    mean = 1 / (1 - load)
    check(sample.of(sample.stayed > mean * log(10)), 0.1, wrong=exp(-1), within=0.15)


@pytest.mark.parametrize(
    ("servers", "load", "kept", "plane"), on_planes((2, 0.3, 4_000), (2, 0.7, 4_000), (5, 0.7, 7_000))
)
def test_m_m_c(servers, load, kept, plane):
    sample = measure(plane, servers, load, exponential, kept, seed=2)
    waits = erlang_c(servers, load)
    check(sample.of(sample.waited > 0), waits, wrong=load**servers, within=0.05)
    wait = waits / (servers * (1 - load))
    as_one_fast_server = load / (servers * (1 - load))
    check(sample.of(sample.waited), wait, wrong=as_one_fast_server, within=0.11)


@pytest.mark.parametrize(("load", "kept", "plane"), on_planes((0.3, 2_000), (0.6, 3_000), (0.8, 7_000)))
def test_m_d_1(load, kept, plane):
    sample = measure(plane, 1, load, constant, kept, seed=3)
    check(sample.of(sample.waited), pollaczek_khinchine(load, 1.0), wrong=load / (1 - load), within=0.06)
    check(sample.of(sample.waited > 0), load, wrong=load**2, within=0.04)


@pytest.mark.parametrize(
    ("service", "second_moment", "load", "kept", "plane"),
    on_planes(
        (uniform, 4 / 3, 0.3, 3_000),
        (uniform, 4 / 3, 0.7, 5_000),
        (two_sizes, 3.25, 0.3, 4_000),
        (two_sizes, 3.25, 0.6, 8_000),
    ),
)
def test_m_g_1(service, second_moment, load, kept, plane):
    sample = measure(plane, 1, load, service, kept, seed=4)
    wait = pollaczek_khinchine(load, second_moment)
    check(sample.of(sample.waited), wait, wrong=pollaczek_khinchine(load, 2.0), within=0.06)
    check(sample.of(sample.waited > 0), load, wrong=load**2, within=0.04)


def own_services(draws: NDArray[np.int64]) -> Callable[[object], int]:
    """What a station takes for each service in turn, which no payload could give: a nanosecond and what was drawn."""
    rest = iter(draws.tolist())
    return lambda chunk: 1 + next(rest)


@dataclass(frozen=True)
class Tandem:
    """Processing at one centre, then the line to the next one."""

    network: Network
    plan: OneWay
    stations: tuple[int, int]

    @classmethod
    def make(cls, ps_per_byte: tuple[int, int]) -> Tandem:
        builder = NetworkBuilder(("outer",))
        source = builder.add_node("source", NodeKind.FRONT_END, service=INSTANT)
        first = builder.add_node("first", NodeKind.CENTRE, service=INSTANT, process=Service(1, 1, ps_per_byte[0]))
        second = builder.add_node("second", NodeKind.CENTRE, service=INSTANT, process=INSTANT)
        target = builder.add_node("target", NodeKind.FRONT_END, service=INSTANT)
        builder.add_line(source, first, service=INSTANT)
        line, _ = builder.add_line(first, second, service=Service(1, 1, ps_per_byte[1]))
        builder.add_line(second, target, service=INSTANT)
        network = builder.build()
        process, between = int(network.node_process_station[first]), int(network.line_station[line])
        trunk = Trunk(first, second, (process, between, int(network.node_station[second])))
        assert len(route(network, source, target, trunk)) == 7
        return cls(network, OneWay(trunk), (process, between))

    def stay(self, plane_class, submitted_ns: NDArray[np.int64], payload: object, own: list[NDArray[np.int64]]):
        """Time in both stations together [mean services]; `own` services replace what payloads would take, if given."""

        def give(plane) -> None:
            for index, draws in zip(self.stations, own, strict=False):
                plane.stations[index]._service_ns = own_services(draws)

        delivered_ns = carry(plane_class, self.network, self.plan, submitted_ns, payload, 3, give)
        other_stations_ns = 5
        return (delivered_ns - submitted_ns - other_stations_ns) / UNIT_NS


def relayed(plane_class, submitted_ns: NDArray[np.int64], own: list[NDArray[np.int64]]):
    """The same where payloads alone give services: who leaves one plane enters the next one, with its next service."""
    network, plan = one_station(1)
    at_ns = submitted_ns
    for draws in own:
        at_ns = carry(plane_class, network, plan, at_ns, draws, 2)
    other_stations_ns = 4 * len(own)
    return (at_ns - submitted_ns - other_stations_ns) / UNIT_NS


def tandem_stays(
    plane_class, loads: tuple[float, float], kept: int, *, own: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Stays (R, kept) and controls (R, k) of a tandem at these loads, arrivals coming at rate 1.

    Each exchange's two services are its `own` draws, or follow one payload as they do in a plane.
    """
    rng = np.random.default_rng([5, *(int(load * 1_000) for load in loads)])
    warm_up = int(20 * max(loads) / (1 - np.sqrt(max(loads))) ** 2)
    tandem = Tandem.make((0, 0) if own else (int(1_000 * loads[0]), int(1_000 * loads[1])))
    stays, controls = [], []
    for _ in range(REPLICATIONS):
        gaps = rng.exponential(UNIT_NS, warm_up + kept)
        sizes = rng.exponential(UNIT_NS, (2 if own else 1, warm_up + kept))
        submitted_ns = np.cumsum(gaps).astype(np.int64)
        drawn = [np.rint(size * load).astype(np.int64) for size, load in zip(sizes, loads, strict=True)] if own else []
        if own and plane_class is not ReferencePlane:
            stay = relayed(plane_class, submitted_ns, drawn)
        else:
            stay = tandem.stay(plane_class, submitted_ns, np.rint(sizes[0]).astype(np.int64), drawn)
        stays.append(stay[warm_up:])
        controls.append([gaps.mean() / UNIT_NS - 1, *(sizes.mean(axis=1) / UNIT_NS - 1)])
    return np.array(stays), np.array(controls)


@pytest.mark.parametrize(("loads", "kept", "plane"), on_planes(((0.3, 0.6), 3_000), ((0.6, 0.5), 4_000)))
def test_jackson_tandem(loads, kept, plane):
    """Two M/M/1 in a row are as if alone, and an exchange's times in them are independent (Burke, Reich)."""
    stays, controls = tandem_stays(plane, loads, kept, own=True)
    each = [load / (1 - load) for load in loads]
    constant_services = sum(load + pollaczek_khinchine(load, 1.0) * load for load in loads)
    check(estimate(stays.mean(axis=1), controls, FALSE_ALARM), sum(each), wrong=constant_services, within=0.05)
    # Independence: the variances add; were the two times proportional, the deviations would.
    squares = estimate(((stays - sum(each)) ** 2).mean(axis=1), controls, FALSE_ALARM)
    check(squares, sum(time**2 for time in each), wrong=sum(each) ** 2, within=0.25)


def test_one_payload_in_both_stations_is_no_jackson_network():
    """Services that follow one payload are not independent; the check above is sharp enough to see that."""
    stays, controls = tandem_stays(CompiledPlane, (0.3, 0.6), 3_000, own=False)
    found = estimate(stays.mean(axis=1), controls, FALSE_ALARM)
    assert not found.agrees_with(0.3 / 0.7 + 0.6 / 0.4), found
