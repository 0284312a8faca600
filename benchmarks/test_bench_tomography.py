"""`tomography.*`: what test particles and telemetry tell of stations on the province at 80 % load, and what it costs.

Constants were chosen with stations drawn from seeds 0 and 5 and with plane seed 11; what is judged here are others.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_particles import MadeDelays, loaded, telemetry, waiting
from measured import median_s
from particle_worlds import ParticleWorld, measure
from pytest_benchmark.fixture import BenchmarkFixture

from router_core.units import MINUTE_NS, SECOND_NS
from router_core.vocabulary import StationRole
from strategies.particles.estimator_setting import EstimatorSetting
from strategies.particles.probe_plan import ProbePlanner
from strategies.particles.probe_setting import ProbeSetting
from strategies.particles.tomography import LinkStateEstimator

PROVINCE = ParticleWorld("jiangxi", 0.8, hour=10, warm_up_minutes=10, minutes=40)
SMALL = ParticleWorld("toy", 0.8, hour=10, warm_up_minutes=2, minutes=6)
SIZES = [pytest.param(SMALL, id="small"), pytest.param(PROVINCE, id="province", marks=pytest.mark.heavy)]
USUAL = 1_000_000.0
ROUNDS = 20
NOISE, LOST = 0.05, 0.01


class MadeWorld:
    """Stations with drawn waits that stay as they are, rounds of particles over them, and samples of telemetry."""

    def __init__(self, world: ParticleWorld, seed: int, visit: float, rounds: int = ROUNDS) -> None:
        self.network = network = world.platform.network
        planner = ProbePlanner(network, world.paths, seed=seed)
        random = np.random.default_rng(seed)
        used, others, wait_ns, more = loaded(network, random, 0.8, USUAL, 1.0)
        self.truth = MadeDelays(network, wait_ns, more, random, visit=visit, noise=NOISE, lost=LOST)
        self.steps = []
        for number in range(rounds):
            now_ns = (number + 1) * MINUTE_NS
            queue = waiting(random, network, used, others, wait_ns, USUAL)
            sample = telemetry(network, now_ns, used, others, queue, noise=random)
            command = planner.next_round(now_ns)
            assert command is not None
            self.steps.append((sample, command, self.truth.collected(command, now_ns)))
        # Of what no route passes nothing is to be told.
        self.passed = np.unique(np.concatenate([command.route_station for _, command, _ in self.steps]))

    def estimator(self, *, passive: bool, particles: bool, steps: int | None = None) -> LinkStateEstimator:
        estimator = LinkStateEstimator(self.network)
        for step in self.steps[:steps]:
            self.step(estimator, *step, passive=passive, particles=particles)
        return estimator

    @staticmethod
    def step(estimator, sample, command, event, *, passive=True, particles=True):
        if passive:
            estimator.observe_telemetry(sample)
        if particles:
            estimator.sent(command, sample.now_ns)
            estimator.observe_particles(event)
        return estimator.state(event.now_ns)

    def errors(self, estimator: LinkStateEstimator) -> dict[str, float]:
        """Median errors of stays by kind of station: where identified, where particles alone tell apart, of all."""
        now_ns = self.steps[-1][2].now_ns
        state, resolved = estimator.state(now_ns), estimator.resolution >= 0.7
        error = np.abs(state.stay_ns / self.truth.stay_ns(USUAL) - 1)
        role = self.network.station_role
        passed = np.isin(np.arange(len(error)), self.passed)
        kinds = {"": passed} | {f".{kind.name.lower()}": passed & (role == kind) for kind in StationRole}
        found = {}
        for kind, rows in kinds.items():
            for name, part in (("identified", rows & state.identified), ("resolved", rows & resolved), ("all", rows)):
                found[name + kind] = float(np.median(error[part])) if part.any() else np.nan
                found[f"{name}{kind}.stations"] = int(part.sum())
        return found


@pytest.mark.parametrize("visit", [0.0, 1.0], ids=["steady", "random"])
@pytest.mark.parametrize("world", SIZES)
def test_delays_of_drawn_stations(benchmark: BenchmarkFixture, world: ParticleWorld, visit: float) -> None:
    """Waits by the queueing formula times what no formula knows; 5 % noise, 1 % lost; each visit random or not."""
    made = [MadeWorld(world, seed, visit) for seed in ((101, 102, 103) if world is PROVINCE else (101,))]
    kinds = {"both": (True, True), "telemetry": (True, False), "particles": (False, True)}
    found: dict[str, dict[str, float]] = {}
    for name, (passive, particles) in kinds.items():
        errors = [one.errors(one.estimator(passive=passive, particles=particles)) for one in made]
        found[name] = {key: float(np.mean([one[key] for one in errors])) for key in errors[0]}
    estimator = made[0].estimator(passive=True, particles=True, steps=ROUNDS - 1)
    state = benchmark.pedantic(made[0].step, (estimator, *made[0].steps[-1]), rounds=1)
    assert state.identified.any()
    assert found["both"]["identified"] < found["telemetry"]["identified"]
    benchmark.extra_info |= {
        "goal": f"tomography.drawn.{'random' if visit else 'steady'}",
        "value": found["both"]["identified"],
        "target": 0.1,
        "median_error": found,
    }


@pytest.mark.parametrize("world", SIZES)
def test_delays_in_the_plane(benchmark: BenchmarkFixture, world: ParticleWorld) -> None:
    """Real queues: particles among exchanges in the compiled plane, other users on the lines, telemetry late."""
    seeds = (21, 22, 23) if world is PROVINCE else (21,)
    setting = EstimatorSetting(half_life_ns=10 * MINUTE_NS, telemetry_half_life_ns=10 * MINUTE_NS, rows_max=8_000)
    runs = [measure(world, ProbeSetting(), setting, seed) for seed in seeds[:-1]]
    runs.append(benchmark.pedantic(measure, (world, ProbeSetting(), setting, seeds[-1]), rounds=1))
    role = world.platform.network.station_role
    found: dict[str, list[float]] = {}
    for run in runs:
        assert run.particles > 0
        loaded_ones = (run.served >= 300) & (run.load > 0.05)
        kinds = {"": loaded_ones, ".busy": loaded_ones & (run.load > 0.3)}
        kinds |= {f".{kind.name.lower()}": loaded_ones & (role == kind) for kind in StationRole}
        for name, state in run.states.items():
            for kind, rows in kinds.items():
                found.setdefault(name + kind, []).append(run.error(name, rows & state.identified))
                found.setdefault(f"{name}{kind}.stations", []).append(int((rows & state.identified).sum()))
    benchmark.extra_info |= {
        "goal": "tomography.plane",
        "value": float(np.mean(found["both"])),
        "target": 0.1,
        "median_error": found,
        "particle_bytes_share": max(run.particle_bytes / run.traffic_bytes for run in runs),
        "busiest": max(float(run.load.max()) for run in runs),
    }


@pytest.mark.parametrize("world", SIZES)
def test_one_update(benchmark: BenchmarkFixture, world: ParticleWorld) -> None:
    """A sample, a round of particles and the state after them, where the memory is full."""
    made = MadeWorld(world, 101, 1.0, 2 * ROUNDS)
    estimator = made.estimator(passive=True, particles=True, steps=ROUNDS)
    rest = iter(made.steps[ROUNDS:])

    def update() -> None:
        assert made.step(estimator, *next(rest)).confidence.max() > 0.5

    benchmark.pedantic(update, rounds=ROUNDS - 1)
    benchmark.extra_info |= {"goal": "tomography.update", "value": median_s(benchmark), "target": 0.002}


@pytest.mark.parametrize("world", SIZES)
def test_one_round(benchmark: BenchmarkFixture, world: ParticleWorld) -> None:
    """Making the next round, by the clock and around ten stations."""
    setting = replace(ProbeSetting(), period_ns=SECOND_NS, bytes_per_s=1e8)
    planner = ProbePlanner(world.platform.network, world.paths, setting)
    turn = iter(range(10_000))

    def make() -> None:
        number = next(turn)
        command = planner.next_round(number * SECOND_NS)
        assert command is not None
        assert planner.around(command.route_station[:10].tolist(), number * SECOND_NS) is not None

    benchmark.pedantic(make, rounds=100, warmup_rounds=5)
    benchmark.extra_info |= {"goal": "tomography.round", "value": median_s(benchmark), "target": 0.001}
