"""What particles and telemetry tell of stations: exact where they can, honest where not, robust against lies."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from made_networks import drawn_network
from made_particles import MadeDelays, loaded, made_round, telemetry, waiting

from router_core.errors import BadInputError
from router_core.link_state import NEVER_NS
from router_core.network import Network
from router_core.network_builder import NetworkBuilder, Service
from router_core.paths.capacity import platform_capacity
from router_core.paths.route_space import space_of_network
from router_core.paths.survivable import choose_paths
from router_core.units import MINUTE_NS, SECOND_NS
from router_core.vocabulary import NodeKind
from strategies.brain import StationsChanged
from strategies.particles.estimator_setting import EstimatorSetting
from strategies.particles.probe_plan import ProbePlanner
from strategies.particles.probe_setting import ProbeSetting
from strategies.particles.resolution import Resolution
from strategies.particles.tomography import LinkStateEstimator

USUAL = 100_000.0
SETTING = EstimatorSetting(usual_bytes=USUAL)
SEEDS = range(6)
MS_NS = 1_000_000


def star(lines: int) -> tuple[Network, list[int]]:
    """Lines between front-ends and a centre, whose rate is 1 ms for the usual size; and their stations."""
    builder = NetworkBuilder(("outer",))
    service = Service(1, 10_000, 10_000, 0)
    centre = builder.add_node("centre", NodeKind.CENTRE, service=service, process=service)
    for number in range(lines):
        end = builder.add_node(f"f{number}", NodeKind.FRONT_END, service=service)
        builder.add_line(end, centre, service=service)
    network = builder.build()
    return network, network.line_station.tolist()


def made(network: Network, seed: int, **noise) -> MadeDelays:
    """Waits of some milliseconds at every station, and lines that others slow."""
    random = np.random.default_rng(seed)
    stations = network.station_count
    more = np.zeros(stations)
    more[network.line_station] = network.station_ps_per_byte[network.line_station] / 1_000 * random.random(stations)[0]
    return MadeDelays(network, random.gamma(1.0, 3 * MS_NS, stations), more, random, **noise)


def told(estimator: LinkStateEstimator, world: MadeDelays, rounds: int, routes, sizes=1_000, begin: int = 0):
    """Let rounds over the routes go out a minute apart, and return what is known then."""
    for number in range(begin, begin + rounds):
        sent_ns = (number + 1) * MINUTE_NS
        command = made_round(number, routes, sizes)
        estimator.sent(command, sent_ns)
        estimator.observe_particles(world.collected(command, sent_ns))
        state = estimator.state(sent_ns + command.collect_ns)
    return state


@pytest.mark.parametrize("seed", SEEDS)
def test_what_the_routes_tell_apart_is_found_exactly(seed):
    network, lines = star(4)
    world = made(network, seed)
    world.more[:] = 0
    random = Random(seed)
    # Any sets of stations will do for the analysis: here they have full rank.
    routes = [[line] for line in lines] + [random.sample(lines, 3) for _ in range(4)]
    estimator = LinkStateEstimator(network, SETTING)
    state = told(estimator, world, 4, routes)
    assert state.stay_ns[lines] == pytest.approx(world.stay_ns(USUAL)[lines], rel=0.01)
    assert state.identified[lines].all()
    others = np.setdiff1d(np.arange(network.station_count), lines)
    assert not state.identified[others].any()
    assert (state.confidence[others] == 0).all()
    assert (state.observed_ns[others] == NEVER_NS).all()
    unloaded = network.station_fixed_ns + network.station_after_ns + USUAL * network.station_ps_per_byte / 1_000
    assert (state.stay_ns[others] == unloaded[others]).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_two_sizes_tell_how_much_longer_a_byte_takes(seed):
    network, lines = star(4)
    world = made(network, seed)
    routes = [[line] for line in lines for _ in range(2)]
    state = told(LinkStateEstimator(network, SETTING), world, 6, routes, [1_000, 400_000] * len(lines))
    assert state.stay_ns[lines] == pytest.approx(world.stay_ns(USUAL)[lines], rel=0.01)
    one_size = told(LinkStateEstimator(network, SETTING), world, 6, routes, 1_000)
    assert (np.abs(one_size.stay_ns[lines] / world.stay_ns(USUAL)[lines] - 1) > 0.01).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_stations_that_no_particle_tells_apart_are_said_so_and_their_sum_is_right(seed):
    network, lines = star(4)
    world = made(network, seed)
    world.more[:] = 0
    together, alone = lines[:3], lines[3:5]
    state = told(LinkStateEstimator(network, SETTING), world, 4, [together, [alone[0]], alone])
    assert not state.identified[together].any()
    assert state.identified[alone].all()
    assert state.stay_ns[together].sum() == pytest.approx(world.stay_ns(USUAL)[together].sum(), rel=0.01)
    # A sum that always has the same difference: what goes into a node goes out of it.
    ways = [[a, b] for a in lines[:2] for b in lines[2:4]]
    state = told(LinkStateEstimator(network, SETTING), world, 4, ways)
    sums = np.array([state.stay_ns[way].sum() for way in ways])
    assert sums == pytest.approx([world.stay_ns(USUAL)[way].sum() for way in ways], rel=0.01)


@pytest.mark.parametrize("seed", range(20))
def test_resolution_is_that_of_the_inverse(seed):
    random = np.random.default_rng(seed)
    stations, rows = int(random.integers(1, 12)), int(random.integers(1, 15))
    matrix = random.integers(0, 3, (rows, stations)) * (random.random((rows, stations)) < 0.4)
    weight, spread = random.random(rows) * (random.random(rows) < 0.9), random.gamma(1.0, 2.0, stations)
    row, station = np.nonzero(matrix)
    start = np.searchsorted(row, np.arange(rows + 1)).astype(np.int64)
    resolution = Resolution(stations)
    resolution.step(start, station.astype(np.int32), matrix[row, station].astype(np.float64), weight, spread)
    scaled = matrix * spread
    after = np.linalg.inv(np.eye(stations) + scaled.T @ (weight[:, None] * scaled))
    assert resolution.value == pytest.approx(1 - np.diag(after), abs=1e-9)


def test_beyond_the_joint_ones_resolution_is_bounded_below(monkeypatch):
    monkeypatch.setattr("strategies.particles.resolution.STATIONS_MAX", 8)
    monkeypatch.setattr("strategies.particles.resolution.WORK", 40)
    random = np.random.default_rng(4)
    matrix = (random.random((60, 20)) < 0.2).astype(np.float64)
    row, station = np.nonzero(matrix)
    start = np.searchsorted(row, np.arange(61)).astype(np.int64)
    weight, spread = np.full(60, 2.0), np.ones(20)
    resolution = Resolution(20)
    for _ in range(60):
        resolution.step(start, station.astype(np.int32), matrix[row, station], weight, spread)
    exact = 1 - np.diag(np.linalg.inv(np.eye(20) + matrix.T @ (weight[:, None] * matrix)))
    # Of the others it is an estimate: noise averages out over rows, and so does some of what else is unknown in them.
    assert (resolution.value <= exact + 0.05).all()
    assert (resolution.value > 0.3).mean() > 0.5


def drawn_rounds(seed: int, count: int, noise: dict, *, peak: float = 0.8):
    """A drawn platform under load, with its planner's rounds and its telemetry."""
    network = drawn_network(Random(seed), transit=8, front_ends=12, extra_lines=8)
    # Drawn services take nanoseconds; here they take milliseconds.
    network = replace(
        network,
        station_fixed_ns=network.station_fixed_ns * 1_000,
        station_ps_per_byte=network.station_ps_per_byte * 10,
        station_after_ns=network.station_after_ns * 1_000,
    )
    paths = choose_paths(space_of_network(network), platform_capacity(network), 3)
    planner = ProbePlanner(network, paths, ProbeSetting(rounds=4, particles_min=40, priority=0), seed)
    random = np.random.default_rng(seed)
    used, others, wait_ns, more = loaded(network, random, peak, USUAL, 1.0)
    world = MadeDelays(network, wait_ns, more, random, **noise)
    samples = []
    for number in range(count):
        at_ns = (number + 1) * MINUTE_NS
        queue = waiting(random, network, used, others, wait_ns, USUAL)
        samples.append(telemetry(network, at_ns, used, others, queue, noise=random))
    return network, planner, world, samples


def run(network, planner, world, samples, *, particles=True, passive=True, spoil=None):
    estimator = LinkStateEstimator(network, SETTING)
    for sample in samples:
        if passive:
            estimator.observe_telemetry(sample)
        if particles:
            command = planner.next_round(sample.now_ns)
            estimator.sent(command, sample.now_ns)
            event = world.collected(command, sample.now_ns)
            estimator.observe_particles(spoil(event) if spoil else event)
        state = estimator.state(sample.now_ns + 40 * SECOND_NS)
    return estimator, state


def median_error(state, world, rows) -> float:
    return float(np.median(np.abs(state.stay_ns / world.stay_ns(USUAL) - 1)[rows]))


NOISY = {"noise": 0.05, "lost": 0.01}


@pytest.mark.parametrize("seed", SEEDS)
def test_particles_improve_what_telemetry_lets_expect(seed):
    made_world = drawn_rounds(seed, 12, NOISY)
    world = made_world[2]
    _, both = run(*made_world)
    _, passive = run(*made_world, particles=False)
    seen = both.confidence > passive.confidence
    assert seen.mean() > 0.5
    assert median_error(both, world, seen) < min(0.1, median_error(passive, world, seen))
    assert passive.identified.all()
    assert (passive.observed_ns == made_world[3][-1].observed_ns).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_without_telemetry_what_is_identified_is_right(seed):
    made_world = drawn_rounds(seed, 16, NOISY)
    estimator, state = run(*made_world, passive=False)
    assert 0.05 < state.identified.mean() < 0.9
    assert median_error(state, made_world[2], state.identified) <= 0.15
    assert (estimator.resolution[state.identified] >= 0.7).all()
    assert (state.utilisation[state.identified] > 0).mean() > 0.9


@pytest.mark.parametrize("seed", SEEDS)
def test_gross_errors_of_some_particles_hardly_count(seed):
    plain = drawn_rounds(seed, 12, NOISY)
    gross = drawn_rounds(seed, 12, NOISY | {"outliers": 0.05})
    rows = run(*plain)[1].confidence > 0.5
    assert median_error(run(*drawn_rounds(seed, 12, NOISY | {"outliers": 0.05}))[1], gross[2], rows) <= 0.1


@pytest.mark.parametrize("seed", SEEDS)
def test_a_station_that_loses_particles_is_found(seed):
    network, lines = star(6)
    world = made(network, seed)
    random = np.random.default_rng(seed)
    bad = lines[seed % len(lines)]
    routes = [[lines[place] for place in random.permutation(len(lines))[:3]] for _ in range(60)]
    estimator = LinkStateEstimator(network, SETTING)
    failed = 0
    for number in range(4):
        sent_ns = (number + 1) * MINUTE_NS
        command = made_round(number, routes)
        estimator.sent(command, sent_ns)
        event = world.collected(command, sent_ns)
        lost = np.array([bad in route for route in routes]) & (random.random(60) < 0.4)
        failed += int(lost.sum())
        event = replace(event, received_ns=np.where(lost, -1, event.received_ns))
        estimator.observe_particles(event)
        state = estimator.state(sent_ns + command.collect_ns)
    assert state.loss.argmax() == bad
    passed = 4 * sum(bad in route for route in routes)
    assert state.loss[bad] == pytest.approx(failed / (passed + SETTING.loss_visits), abs=0.05)
    assert (np.delete(state.loss, bad) < 0.02).all()
    assert state.up.all()
    # Monitoring knows better whether it works.
    estimator.observe_changes(StationsChanged(sent_ns + 10, sent_ns, np.array([lines[1]], np.int32), np.array([False])))
    state = estimator.state(sent_ns + MINUTE_NS)
    assert np.flatnonzero(~state.up).tolist() == [lines[1]]
    assert state.loss[lines[1]] == 1.0


def test_what_all_lose_is_down_unless_monitoring_says_it_works():
    network, lines = star(3)
    world = made(network, 1)
    bad, good = lines[0], lines[1]
    estimator = LinkStateEstimator(network, SETTING)
    for number in range(4):
        sent_ns = (number + 1) * MINUTE_NS
        command = made_round(number, [[bad]] * 20 + [[good]] * 20)
        estimator.sent(command, sent_ns)
        event = world.collected(command, sent_ns)
        estimator.observe_particles(replace(event, received_ns=np.where(event.particle < 20, -1, event.received_ns)))
        state = estimator.state(sent_ns + command.collect_ns)
    assert np.flatnonzero(~state.up).tolist() == [bad]
    estimator.observe_changes(StationsChanged(sent_ns, sent_ns, np.array([bad], np.int32), np.array([True])))
    assert estimator.state(sent_ns + MINUTE_NS).up.all()


def test_a_late_particle_says_at_least_so_long_and_corrects_itself_when_it_comes():
    network, lines = star(2)
    world = made(network, 2)
    world.wait_ns[lines[0]] = 20 * SECOND_NS
    estimator = LinkStateEstimator(network, replace(SETTING, loss=1e-6))
    for number in range(6):
        sent_ns = (number + 1) * MINUTE_NS
        command = made_round(number, [[lines[0]]] * 10 + [[lines[1]]] * 10, collect_ns=15 * SECOND_NS)
        estimator.sent(command, sent_ns)
        event = world.collected(command, sent_ns)
        assert (event.received_ns[:10] == -1).all()
        if number == 0:
            # At first one that happened to be quick, so that the line is known to be slow rather than broken.
            received = event.received_ns.copy()
            received[:10] = sent_ns + 14 * SECOND_NS
            event = replace(event, received_ns=received)
        estimator.observe_particles(event)
        state = estimator.state(sent_ns + command.collect_ns)
    assert state.up.all()
    assert 14e9 < state.stay_ns[lines[0]] < 30e9
    came = replace(event, now_ns=sent_ns + 30 * SECOND_NS, received_ns=np.full(20, sent_ns + 20 * SECOND_NS))
    estimator.observe_particles(replace(came, **{name: getattr(came, name)[:10] for name in ROWS}))
    assert estimator.state(sent_ns + MINUTE_NS).stay_ns[lines[0]] > 14e9
    assert estimator.refused.total() == 0


ROWS = ("round", "particle", "sent_ns", "received_ns")


def shifted(event, by_ns: int):
    came = event.received_ns >= 0
    return replace(
        event, received_ns=np.where(came, event.received_ns + by_ns, -1), now_ns=event.now_ns + max(by_ns, 0)
    )


SPOILT = {
    "before it was sent": lambda event: replace(event, received_ns=event.sent_ns - 5),
    "from the future": lambda event: replace(event, received_ns=np.full(len(event.round), event.now_ns + 1)),
    "other instant": lambda event: replace(event, sent_ns=event.sent_ns - 7),
    "unknown round": lambda event: replace(event, round=event.round + 1_000),
    "unknown particle": lambda event: replace(event, particle=event.particle + 10_000),
    "negative particle": lambda event: replace(event, particle=event.particle - 10_000),
    "clock ahead": lambda event: shifted(event, 3_600 * SECOND_NS),
    "clock behind": lambda event: shifted(event, -40 * MS_NS),
    "too fast": lambda event: replace(event, received_ns=event.sent_ns + 1),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_cannot_be_is_counted_and_changes_nothing(name):
    network, planner, world, samples = drawn_rounds(3, 8, NOISY)
    estimator = LinkStateEstimator(network, SETTING)
    for number, sample in enumerate(samples):
        estimator.observe_telemetry(sample)
        command = planner.next_round(sample.now_ns)
        estimator.sent(command, sample.now_ns)
        event = world.collected(command, sample.now_ns)
        if number < len(samples) - 1:
            estimator.observe_particles(event)
        state = estimator.state(sample.now_ns + 29 * SECOND_NS)
    refused = estimator.refused.total()
    estimator.observe_particles(SPOILT[name](event))
    assert estimator.refused.total() >= refused + len(event.round) - (event.received_ns < 0).sum()
    later = estimator.state(sample.now_ns + 29 * SECOND_NS)
    rows = state.confidence > 0.3
    # Going on with the descent moves it by less than its own accuracy.
    assert np.median(np.abs(later.stay_ns / state.stay_ns - 1)[rows]) < 0.02
    assert (later.loss < 0.5).all()


def test_duplicates_and_disorder_change_nothing():
    network, planner, world, samples = drawn_rounds(4, 8, NOISY)
    random = np.random.default_rng(1)
    commands = []
    events = []
    for sample in samples:
        commands.append(planner.next_round(sample.now_ns))
        events.append(world.collected(commands[-1], sample.now_ns))

    def known(mixed: bool):
        estimator = LinkStateEstimator(network, SETTING)
        for number, sample in enumerate(samples):
            estimator.observe_telemetry(sample)
            estimator.sent(commands[number], sample.now_ns)
            event = events[number]
            if mixed:
                order = random.permutation(np.repeat(np.arange(len(event.round)), 2))
                event = replace(event, **{name: getattr(event, name)[order] for name in ROWS})
                estimator.observe_telemetry(samples[random.integers(number + 1)])
            estimator.observe_particles(event)
            state = estimator.state(event.now_ns)
        return estimator, state

    (_, plain), (estimator, mixed) = known(False), known(True)
    for name in ("stay_ns", "loss", "confidence", "observed_ns", "identified"):
        assert (getattr(plain, name) == getattr(mixed, name)).all(), name
    assert estimator.refused["duplicate"] == sum((event.received_ns >= 0).sum() for event in events)
    assert estimator.refused["stale"] == len(samples)


def test_absurd_telemetry_is_ignored_station_by_station():
    network, _, _, samples = drawn_rounds(5, 2, NOISY)
    estimator = LinkStateEstimator(network, SETTING)
    estimator.observe_telemetry(samples[0])
    used = samples[1].utilisation.copy()
    used[:3] = np.nan, -0.1, 7.0
    served = samples[1].served_bytes.copy()
    served[3] = -1
    estimator.observe_telemetry(replace(samples[1], utilisation=used, served_bytes=served))
    state = estimator.state(samples[1].now_ns)
    assert (state.observed_ns[:4] == samples[0].observed_ns).all()
    assert (state.observed_ns[4:] == samples[1].observed_ns).all()
    assert estimator.refused == {"absurd": 4}
    estimator.observe_telemetry(replace(samples[1], observed_ns=samples[1].now_ns + 1))
    assert estimator.refused["future"] == 1


def test_age_grows_and_confidence_falls():
    network, planner, world, samples = drawn_rounds(6, 6, NOISY)
    estimator, first = run(network, planner, world, samples)
    states = [estimator.state(first.now_ns + minutes * MINUTE_NS) for minutes in (5, 10, 20, 60)]
    for before, after in zip([first, *states[:-1]], states, strict=True):
        known = before.confidence > 1e-6
        assert (after.confidence[known] < before.confidence[known]).all()
        assert (after.age_ns[known] > before.age_ns[known]).all()
    assert (states[-1].confidence < 0.01).all()
    assert not states[-1].identified.any()


def test_equal_input_gives_equal_output_to_the_bit():
    made_worlds = [drawn_rounds(7, 6, NOISY) for _ in range(2)]
    one, two = (run(*made_world)[1] for made_world in made_worlds)
    assert all(np.array_equal(getattr(one, name), getattr(two, name)) for name in vars(one))


def test_nothing_known_is_what_was_planned():
    network, lines = star(2)
    state = LinkStateEstimator(network, SETTING).state(5)
    assert (state.confidence == 0).all()
    assert (state.age_ns == NEVER_NS).all()
    assert state.up.all()
    assert state.stay_ns[lines].tolist() == [10_000 + 1_000_000] * len(lines)


def test_bad_input_is_refused_by_name():
    network, lines = star(2)
    estimator = LinkStateEstimator(network, SETTING)
    estimator.sent(made_round(3, [[lines[0]]]), 0)
    with pytest.raises(BadInputError, match=r"particles\.round: must be above 3"):
        estimator.sent(made_round(3, [[lines[0]]]), 1)
    with pytest.raises(BadInputError, match=r"route_station\[0\]"):
        estimator.sent(made_round(4, [[network.station_count]]), 1)
    event = made(network, 0).collected(made_round(3, [[lines[0]]]), 0)
    for change in ({"sent_ns": np.zeros(2, np.int64)}, {"received_ns": np.zeros(1)}):
        with pytest.raises(BadInputError, match=r"particles\."):
            estimator.observe_particles(replace(event, **change))
    sample = telemetry(network, MINUTE_NS, np.zeros(network.station_count), np.zeros(network.station_count))
    with pytest.raises(BadInputError, match=r"telemetry\.waiting"):
        estimator.observe_telemetry(replace(sample, waiting=sample.waiting[1:]))
    with pytest.raises(BadInputError, match="window_ns"):
        estimator.observe_telemetry(replace(sample, window_ns=0))
    with pytest.raises(BadInputError, match="stations changed"):
        estimator.observe_changes(StationsChanged(1, 1, np.array([-1], np.int32), np.array([True])))
    for name, value in {"usual_bytes": 0.0, "loss": 1.5, "as_urgent": -1.0, "half_life_ns": 0}.items():
        with pytest.raises(BadInputError, match=rf"link_state\.{name}"):
            EstimatorSetting(**{name: value})
