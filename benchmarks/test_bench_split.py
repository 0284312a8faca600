"""Splits of all pairs over four paths, cold, warm, tight and large, each certified by its own bound; against HiGHS."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from split_workloads import HighsSplit, Programme, programmes

from router_core.splits.peak import PeakSolver
from router_core.splits.split import Split

# Peers solve exactly; their tolerances are 1e-7.
EXACT = 1e-6
MOVED = 0.1
# HiGHS takes so much longer that ours would be over before the processor has warmed to it.
OURS_A_TURN = 10
SIZES = [pytest.param((20, 2), id="small"), pytest.param((56, 10), id="56", marks=pytest.mark.heavy)]


@pytest.fixture(scope="module", params=SIZES)
def drawn(request: pytest.FixtureRequest) -> list[Programme]:
    nodes, topologies = request.param
    return programmes(nodes, topologies)


def timed(
    benchmark: BenchmarkFixture, work: list[Callable[[], Split]], gap: float, repeats: int = 7
) -> tuple[list[Split], list[float]]:
    """Solve each programme so many times in a row; return the answers, and the median time of each [s].

    Then all of them one after the other, as often: caches then hold another programme, and `in_rotation` says so.
    """
    seconds: list[float] = []
    answers: list[Split] = []

    def solve_all() -> None:
        answers.clear()
        seconds.clear()
        for solve in work:
            taken = []
            for _ in range(repeats):
                begun = time.perf_counter()
                answer = solve()
                taken.append(time.perf_counter() - begun)
            answers.append(answer)
            seconds.append(median(taken))

    benchmark.pedantic(solve_all, rounds=3, warmup_rounds=1)
    assert all(answer.gap <= gap and not len(answer.unrouted) for answer in answers)
    turns: list[list[float]] = [[] for _ in work]
    for _ in range(repeats):
        for solve, taken in zip(work, turns, strict=True):
            begun = time.perf_counter()
            solve()
            taken.append(time.perf_counter() - begun)
    benchmark.extra_info["in_rotation"] = median(median(taken) for taken in turns)
    return answers, list(seconds)


def record(benchmark: BenchmarkFixture, goal: str, seconds: list[float], target_s: float, answers: list[Split]) -> None:
    benchmark.extra_info |= {
        "goal": goal,
        "value": median(seconds),
        "p95": float(np.quantile(seconds, 0.95)),
        "max": max(seconds),
        "target": target_s,
        "programmes": len(seconds),
        "sweeps": median(answer.sweeps for answer in answers),
        "gap_max": max(answer.gap for answer in answers),
    }


def solver(programme: Programme) -> PeakSolver:
    return PeakSolver(programme.paths, programme.unit_load)


def cold(programme: Programme, gap: float) -> Callable[[], Split]:
    ready = solver(programme)
    return lambda: ready.solve(programme.demand, gap=gap)


def test_cold_against_highs(benchmark: BenchmarkFixture, drawn: list[Programme]) -> None:
    answers, seconds = timed(benchmark, [cold(programme, 0.01) for programme in drawn], 0.01)
    record(benchmark, "split.cold", seconds, 1e-3, answers)
    ratios: dict[str, list[float]] = {"highs simplex": [], "highs ipm": []}
    peers: dict[str, list[float]] = {name: [] for name in ratios}
    for programme, answer in zip(drawn[:8], answers, strict=False):
        ours = cold(programme, 0.01)
        for name, taken in peers.items():
            peer = HighsSplit(programme, name.split()[1])
            begun = time.perf_counter()
            best = peer.solve()
            between = time.perf_counter()
            for _ in range(OURS_A_TURN):
                ours()
            own = (time.perf_counter() - between) / OURS_A_TURN
            taken.append(between - begun)
            ratios[name].append((between - begun) / own)
            assert answer.lower_bound <= best * (1 + EXACT)
            assert best * (1 - EXACT) <= answer.objective <= best * 1.0102
    benchmark.extra_info |= {
        "peers": {name: median(taken) for name, taken in peers.items()},
        "ratio": {name: median(found) for name, found in ratios.items()},
        "ratio_target": 50,
    }


def test_warm(benchmark: BenchmarkFixture, drawn: list[Programme]) -> None:
    """From the splits of before; every pair's demand has moved by up to a tenth."""
    draws = np.random.default_rng(1)
    work = []
    for programme in drawn:
        ready = solver(programme)
        start = ready.solve(programme.demand).shares
        moved = programme.demand * draws.uniform(1 - MOVED, 1 + MOVED, len(programme.demand))
        work.append(lambda ready=ready, start=start, moved=moved: ready.solve(moved, start=start))
    answers, seconds = timed(benchmark, work, 0.01)
    record(benchmark, "split.warm", seconds, 0.5e-3, answers)


def test_tight(benchmark: BenchmarkFixture, drawn: list[Programme]) -> None:
    answers, seconds = timed(benchmark, [cold(programme, 1e-3) for programme in drawn], 1e-3)
    record(benchmark, "split.tight", seconds, 20e-3, answers)


@pytest.mark.parametrize("nodes", [pytest.param(40, id="small"), pytest.param(197, id="197", marks=pytest.mark.heavy)])
def test_large(benchmark: BenchmarkFixture, nodes: int) -> None:
    drawn = programmes(nodes, 2)
    answers, seconds = timed(benchmark, [cold(programme, 0.01) for programme in drawn], 0.01, repeats=3)
    record(benchmark, f"split.{nodes}", seconds, 100e-3, answers)
    benchmark.extra_info["pairs"] = drawn[0].paths.pair_count
