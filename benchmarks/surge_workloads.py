"""Series with tides, lasting noise and counts, and surges planted in them; reports of a generated day by the minute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.randomness import stream
from router_core.units import HOUR_NS, MINUTE_NS, SECOND_NS
from strategies.brain import DemandReported
from strategies.demand_report import demand_report
from traces.generate import TraceGenerator

DAY = 288  # steps of five minutes
WEEK = 7 * DAY
SURGE_STEPS = 24
NOISE = (0.05, 0.1, 0.15, 0.2)
LASTING = (0.3, 0.9)


@dataclass(frozen=True, eq=False)
class Watched:
    """T steps of D series: what came, its mean and a deviation that is wrong; where doublings begin, -1 for none."""

    came: NDArray[np.float64]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    noise: NDArray[np.float64]
    begin: NDArray[np.int64]


def noisy_tides(
    seed: int, series: int, weeks: int, means: tuple[float, float], *, factor: float = 1.0, first: int = WEEK
) -> Watched:
    """Draw Poisson counts whose rates are tides times lognormal noise of first order.

    The relative deviation of the noise is one of `NOISE`, what it keeps from step to step lies within `LASTING`. The
    stated deviation takes every noise for 0.2. With a factor each series surges once, two hours long, in or after step
    `first`.
    """
    random = stream(seed, "surge series")
    steps = weeks * WEEK
    level = np.exp(random.uniform(*np.log(means), series))
    swing, phase = random.uniform(0.3, 0.9, series), random.uniform(-0.1, 0.1, series)
    noise = np.array(NOISE)[np.arange(series) % len(NOISE)]
    keeps = random.uniform(*LASTING, series)
    begin = random.integers(first, steps - SURGE_STEPS, series) if factor != 1 else np.full(series, -1)
    mean = np.empty((steps, series))
    came = np.empty((steps, series))
    wander = random.standard_normal(series)
    for step in range(steps):
        tide = 1 + swing * np.sin(2 * np.pi * (step / DAY - 0.35 + phase))
        mean[step] = level * tide * (0.5 if step // DAY % 7 >= 5 else 1.0)
        rate = mean[step] * np.exp(noise * wander - noise**2 / 2)
        surging = (begin >= 0) & (begin <= step) & (step < begin + SURGE_STEPS)
        came[step] = random.poisson(np.where(surging, factor, 1.0) * rate)
        wander = keeps * wander + np.sqrt(1 - keeps**2) * random.standard_normal(series)
    return Watched(came, mean, np.sqrt(mean + (0.2 * mean) ** 2), noise, begin)


def minutes_of(generator: TraceGenerator) -> Iterator[DemandReported]:
    """Report what a generated trace exchanges, minute by minute, five seconds late."""
    for batch in generator:
        first = int(batch.submitted_ns[0]) // HOUR_NS * HOUR_NS
        edges = np.searchsorted(batch.submitted_ns, first + MINUTE_NS * np.arange(61)).tolist()
        for minute in range(60):
            end = first + (minute + 1) * MINUTE_NS
            yield demand_report(batch[edges[minute] : edges[minute + 1]], end + 5 * SECOND_NS, end, MINUTE_NS)
