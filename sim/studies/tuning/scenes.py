"""Scenes: a trace and a seed of the world around it. Each trial is lived in the same ones."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from router_core.units import MINUTE_NS
from sim.studies.case import BrainChoice, Case, live_case
from sim.studies.measures import measures
from sim.studies.traffic import Draw, DrawnTrace, Traffic, drawn
from sim.studies.tuning.journal import Values, key_of
from sim.workers import Workers
from traces.reader import TraceReader

# An empty network is no fair start; where little is lived, a tenth of it must do.
WARM_UP_NS: Final = 10 * MINUTE_NS
WARM_UP_SHARE: Final = 10


@dataclass(frozen=True)
class Scene:
    """A trace file and the world's seed.

    Attributes
    ----------
    trace : Path
    digest : str
        SHA-256 of the file.
    seed : int
        Of the world, and of the trace if it was drawn.
    """

    trace: Path
    digest: str
    seed: int


@dataclass(frozen=True)
class Run:
    """A brain in a scene: what a worker gets."""

    scenario: str
    changes: tuple[str, ...]
    scene: Scene
    brain: BrainChoice
    warm_up_ns: int

    @property
    def key(self) -> str:
        """Name of this replay among those of one search."""
        return key_of(self.scene.digest, self.scene.seed, repr(self.brain.setting))


def lived(run: Run) -> Values:
    """Live a run and return its measures; None where nothing was delivered that one speaks of."""
    case = Case(run.scenario, run.scene.trace, run.brain, run.scene.seed, run.changes)
    found = measures(live_case(case), run.warm_up_ns)
    return {name: value if math.isfinite(value) else None for name, value in found.items()}


def scenes(
    traffic: Traffic, seeds: Sequence[int], scenario: str, changes: tuple[str, ...], folder: Path, workers: Workers
) -> tuple[Scene, ...]:
    """Return a scene for each seed: traces in turn, or each drawn with its seed; raises `BadInputError`."""
    if traffic.draw is None:
        traces = [traffic.traces[place % len(traffic.traces)] for place in range(len(seeds))]
    else:
        orders = [DrawnTrace(folder, scenario, changes, traffic.draw, seed) for seed in seeds]
        traces = workers.map(drawn, orders)
    digests = {trace: digest_of(trace) for trace in set(traces)}
    return tuple(Scene(trace, digests[trace], seed) for trace, seed in zip(traces, seeds, strict=True))


def alike(trace: Path, scenario: str, changes: tuple[str, ...], folder: Path, seed: int) -> Draw:
    """Return how to draw traffic like that of a trace: its hours, its surges, about its number of exchanges.

    Parameters
    ----------
    trace : Path
    scenario, changes : str, tuple of str
        What draws.
    folder : Path
        Where a trace is drawn to be counted.
    seed : int
        Of that trace.
    """
    with TraceReader(trace) as reader:
        info, rows = reader.info, reader.rows
    span = timedelta(microseconds=max(1, info.span_ns // 1_000))
    usual = Draw(info.start.replace(tzinfo=None), span, surges=info.surges)
    with TraceReader(drawn(DrawnTrace(folder, scenario, changes, usual, seed))) as reader:
        drawn_rows = reader.rows
    load = float(f"{rows / max(drawn_rows, 1):.3g}")
    return Draw(usual.start, span, load=load, surges=usual.surges)


def warm_up_of(scenes: Sequence[Scene]) -> int:
    """Return how long at the start of each run does not count, if nothing is said of it [ns]."""
    shortest = WARM_UP_NS
    for trace in {scene.trace for scene in scenes}:
        with TraceReader(trace) as reader:
            shortest = min(shortest, reader.info.span_ns // WARM_UP_SHARE)
    return shortest


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
