"""What a round of a thousand test particles costs: to send, and to collect when all have come.

Goals are in `docs/benchmarks.md`.
"""

from __future__ import annotations

import numpy as np
from interleaved import warmed
from measured import median_s
from pytest_benchmark.fixture import BenchmarkFixture
from replay_drive import Drive
from replay_workloads import FIFO, Workload, workload

from router_core.units import SECOND_NS
from strategies.brain import SendParticles

SMALL = 5_000
PARTICLES = 1_000
ROUNDS = 50


def round_over(work: Workload) -> SendParticles:
    """Particles of a kilobyte over the ways of the first exchanges, which visit all pairs."""
    routes = work.routes[:PARTICLES]
    return SendParticles(
        0,
        np.cumsum([0, *map(len, routes)], dtype=np.int64),
        np.concatenate([np.array(route, dtype=np.int32) for route in routes]),
        np.full(PARTICLES, 1_000, dtype=np.int64),
        np.zeros(PARTICLES, dtype=np.int8),
        SECOND_NS,
    )


def test_particles_send(benchmark: BenchmarkFixture) -> None:
    work = workload(FIFO, SMALL)
    drive = warmed(lambda: Drive(work))
    drive.run(work.warm_ns)
    particles = round_over(work)
    firsts = []

    def send() -> None:
        firsts.append(drive.plane.send(particles))

    def one_later() -> None:
        # Untimed: those before have come, and are collected.
        drive.plane.advance(drive.plane.snapshot().now_ns + 100 * SECOND_NS)
        drive.plane.collect()

    benchmark.pedantic(send, setup=one_later, rounds=ROUNDS)
    one_later()
    snapshot = drive.plane.snapshot()
    assert firsts == [PARTICLES * number for number in range(len(firsts))]
    assert snapshot.particles_sent == snapshot.particles_received == PARTICLES * len(firsts)
    benchmark.extra_info |= {"goal": "particles.send", "value": 1e3 * median_s(benchmark), "target": 0.5}


def test_particles_collect(benchmark: BenchmarkFixture) -> None:
    work = workload(FIFO, SMALL)
    drive = warmed(lambda: Drive(work))
    drive.run(work.warm_ns)
    particles = round_over(work)
    counts = []

    def collect() -> None:
        counts.append(len(drive.plane.collect().number))

    def one_comes() -> None:
        drive.plane.send(particles)
        drive.plane.advance(drive.plane.snapshot().now_ns + 100 * SECOND_NS)

    benchmark.pedantic(collect, setup=one_comes, rounds=ROUNDS)
    assert counts == [PARTICLES] * len(counts)
    benchmark.extra_info |= {"goal": "particles.collect", "value": 1e3 * median_s(benchmark), "target": 0.1}
