"""Ours and its peers in turns within one benchmark, so that a busy machine slows both, and the ratio stands."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from statistics import median
from typing import Any, Protocol, TypeVar

import numpy as np
from measured import median_s
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture
from replay_drive import Drive
from replay_workloads import Workload

from router_core.units import SECOND_NS

# Long enough for whatever is in flight when the last exchange is submitted.
DRAIN_NS = 10 * SECOND_NS


class Run(Protocol):
    """One run of a workload in some simulator."""

    work: Workload
    delivered_ns: NDArray[np.int64]

    def run(self, until_ns: int) -> None:
        """Let time pass up to `until_ns`."""
        ...


RunT = TypeVar("RunT", bound=Run)


@dataclass(frozen=True, eq=False)
class Done:
    """What a peer did, and how long it took.

    Attributes
    ----------
    exchanges : int
        Submitted while the clock ran.
    seconds : float
    delivered : int
        Of all exchanges.
    completion_ns : int
        Sum over the delivered ones, from submission to delivery.
    run : object
        The run itself, for further checks.
    """

    exchanges: int
    seconds: float
    delivered: int
    completion_ns: int
    run: Any


Peer = Callable[[], Done]


def by_clock(make: Callable[[], Run], drain_ns: int = DRAIN_NS) -> Peer:
    """Return a peer that is warmed, and timed from there to the end of its workload."""

    def work() -> Done:
        run = warmed(make)
        started = time.perf_counter()
        run.run(_end_ns(run.work, drain_ns))
        return done(run, time.perf_counter() - started)

    return work


def warmed(make: Callable[[], RunT]) -> RunT:
    """Make a run and bring it to the instant at which clocks start; what exists by then is no garbage to look for."""
    run = make()
    run.run(run.work.warm_ns)
    gc.collect()
    gc.freeze()
    return run


def done(run: Run, seconds: float) -> Done:
    """Sum a run up."""
    delivered_ns, submitted_ns = run.delivered_ns, run.work.exchanges.submitted_ns
    arrived = delivered_ns >= 0
    completion_ns = int((delivered_ns[arrived] - submitted_ns[arrived]).sum())
    return Done(run.work.timed, seconds, int(arrived.sum()), completion_ns, run)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Ours and the peers, by name, the last round of each; and what goes into the benchmark's record."""

    ours: Done
    peers: dict[str, Done]
    info: dict[str, Any] = field(default_factory=dict)


def interleaved(
    benchmark: BenchmarkFixture,
    ours: Callable[[], Drive],
    peers: dict[str, Peer],
    *,
    turns: int = 2,
    rounds: int = 4,
    drain_ns: int = DRAIN_NS,
) -> Comparison:
    """Time the peers and then ours, `rounds` times as it is so much shorter, and all that `turns` times.

    The ratio is that of exchanges a second, at the medians.
    """
    seconds: dict[str, list[float]] = {name: [] for name in peers}
    last: dict[str, Done] = {}
    drives: list[Drive] = []
    begun = count()

    def turn() -> tuple[tuple[Drive], dict[str, Any]]:
        if next(begun) % rounds == 0:
            for name, peer in peers.items():
                last[name] = peer()
                seconds[name].append(last[name].seconds)
                gc.unfreeze()
        gc.unfreeze()
        drives[:] = [warmed(ours)]
        return (drives[0],), {}

    benchmark.pedantic(lambda drive: drive.run(_end_ns(drive.work, drain_ns)), setup=turn, rounds=turns * rounds)
    gc.unfreeze()
    found = done(drives[0], median_s(benchmark))
    rate = found.exchanges / found.seconds
    medians = {name: median(times) for name, times in seconds.items()}
    ratios = {name: rate / (last[name].exchanges / medians[name]) for name in peers}
    info = {
        "exchanges": found.exchanges,
        "exchanges_per_s": rate,
        "ns_per_visit": found.seconds * 1e9 / max(1, int(drives[0].last.served.sum())),
        "peers": medians,
        "peer_exchanges": {name: last[name].exchanges for name in peers},
        "ratio": min(ratios.values(), default=math.nan),
    }
    return Comparison(found, last, info)


def _end_ns(work: Workload, drain_ns: int) -> int:
    return int(work.exchanges.submitted_ns[-1]) + drain_ns
