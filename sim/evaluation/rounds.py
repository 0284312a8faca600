"""Rounds of test particles: a probing brain lives through a matrix by what its particles bring, one round late."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.delay_cost import delay_cost_of_lines
from router_core.errors import BadInputError, ExchangeRouterError
from router_core.randomness import stream
from sim.evaluation.matrix_task import SECOND_NS, MatrixTask
from sim.evaluation.meter import Meter
from sim.evaluation.scores import BrainScores, RoundScores
from sim.evaluation.window import Window
from strategies.matrix_brain import ParticlesReturned, ProbingBrain, RoundStarted, SendOver, SetShares

MBIT_BYTES: Final = 125_000
ROUNDS_MAX: Final = 1000


@dataclass(frozen=True)
class ProbeRounds:
    """How particles fare.

    Attributes
    ----------
    rounds : int
        Of each matrix, 1 .. ROUNDS_MAX.
    noise : float
        Standard deviation of the logarithm of each particle's delay, 0..1; the mean delay is right.
    loss : float
        Share of particles that never come back, 0..1.
    seed : int
        Of noise and loss, >= 0.

    Raises
    ------
    BadInputError
        Naming what is out of its range.
    """

    rounds: int = 10
    noise: float = 0.05
    loss: float = 0.01
    seed: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.rounds <= ROUNDS_MAX:
            raise BadInputError("rounds", f"must lie in 1..{ROUNDS_MAX}", self.rounds)
        for name, value in (("noise", self.noise), ("loss", self.loss)):
            if not 0 <= value <= 1:
                raise BadInputError(name, "must lie in 0..1", value)
        if self.seed < 0:
            raise BadInputError("seed", "must not be negative", self.seed)


def score_rounds(
    task: MatrixTask,
    brain: ProbingBrain,
    chosen: Window,
    optimal: NDArray[np.float64],
    scale: NDArray[np.float64],
    unconnected: NDArray[np.intp],
    probes: ProbeRounds,
    on_progress: Callable[[str, float], None],
) -> BrainScores:
    """Let a brain live through every round of the window, and score it.

    A particle's delay is the sum, over the lines of its path, of the mean stay of a unit of demand in the queue M/M/1
    that each line is at the round's load (`delay_cost_of_lines`). Particles' own load, reported as `probe_share`, is
    left out.

    Parameters
    ----------
    task : MatrixTask
    brain : ProbingBrain
    chosen : Window
    optimal : float64 (K,)
        Of the scored matrices, scaled.
    scale : float64 (end - first,)
        Factor of each matrix of the window.
    unconnected : intp (U,)
    probes : ProbeRounds
    on_progress : callable

    Raises
    ------
    ExchangeRouterError
        If the brain's shares are no shares, or its particles cannot be sent.
    """
    world = _World(task, brain, unconnected, probes)
    row = {int(index): number for number, index in enumerate(chosen.scored)}
    peak = np.full((len(row), probes.rounds), np.nan)
    churn, share = np.full(len(row), np.nan), np.full(len(row), np.nan)
    for index in range(chosen.first, chosen.end):
        lived = world.live(index, scale[index - chosen.first])
        number = row.get(index)
        if number is not None:
            peak[number] = lived.peak
            if index > chosen.first:
                churn[number] = lived.churn
            if lived.traffic_bytes > 0:
                share[number] = lived.probe_bytes / lived.traffic_bytes
            on_progress(brain.name, (index + 1 - chosen.first) / (chosen.end - chosen.first))
    on_progress(brain.name, 1.0)
    ratio = np.divide(peak, optimal[:, None], out=np.ones_like(peak), where=optimal[:, None] > 0)
    unsolved = np.full(len(row), np.nan)
    return BrainScores(
        brain.name, peak.mean(axis=1), optimal, churn, unsolved, unsolved, RoundScores(ratio, share)
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Lived:
    """One matrix's rounds: the peak of each, and what moved, was sent and was carried in all of them."""

    peak: NDArray[np.float64]
    churn: float
    probe_bytes: int
    traffic_bytes: float


class _World:
    """What is in force, what is under way, and the dice."""

    def __init__(
        self, task: MatrixTask, brain: ProbingBrain, unconnected: NDArray[np.intp], probes: ProbeRounds
    ) -> None:
        self._task = task
        self._brain = brain
        self._unconnected = unconnected
        self._probes = probes
        self._cost = delay_cost_of_lines(task.capacity)
        self._noise, self._loss = (stream(probes.seed, name) for name in ("probe-noise", "probe-loss"))
        self._round_ns = task.interval_ns // probes.rounds
        self._unit_bytes = MBIT_BYTES * self._round_ns / SECOND_NS
        self._meter: Meter | None = None
        self._shares: SetShares | None = None
        self._brought: tuple[NDArray[np.int64], NDArray[np.float64]] | None = None
        self._sent_bytes = 0
        self._moved = 0.0

    def live(self, index: int, scale: float) -> _Lived:
        """Live through the rounds of one matrix."""
        demand = self._task.demand(index) * scale
        begin_ns = self._task.begin_ns(index)
        peak = np.empty(self._probes.rounds)
        self._sent_bytes, self._moved = 0, 0.0
        for number in range(self._probes.rounds):
            asked = self._decide(begin_ns + number * self._round_ns)
            assert self._meter is not None, "a round was decided"
            assert self._shares is not None, "a round was decided"
            used = self._meter.utilisation(demand, self._shares.shares)
            peak[number] = used.max(initial=0.0)
            self._send(asked, used)
        carried = float(np.delete(demand, self._unconnected).sum())
        return _Lived(peak, self._moved, self._sent_bytes, carried * self._unit_bytes * self._probes.rounds)

    def _decide(self, now_ns: int) -> list[SendOver]:
        """Tell the brain what came of the last round and that one begins; carry its shares out."""
        commands = []
        if self._brought is not None:
            commands += self._brain.probe(ParticlesReturned(now_ns, *self._brought))
        commands += self._brain.probe(RoundStarted(now_ns, self._unit_bytes))
        for command in commands:
            if isinstance(command, SetShares):
                self._set(command)
        if self._shares is None:
            raise ExchangeRouterError(f"brain {self._brain.name}: no shares at the first round")
        return [command for command in commands if isinstance(command, SendOver)]

    def _set(self, command: SetShares) -> None:
        before = self._shares
        if self._meter is None or self._meter.paths is not command.paths:
            # The shares of one path set do not compare with those of another: no churn at such a change.
            self._meter, before = Meter(self._task, self._brain.name, command.paths, self._unconnected), None
        self._meter.check(command.shares)
        if before is not None:
            self._moved += self._meter.churn(before.shares, command.shares)
        self._shares = command

    def _send(self, asked: list[SendOver], used: NDArray[np.float64]) -> None:
        """Send particles through lines of this utilisation; the brain gets what they bring as the next round begins."""
        assert self._meter is not None, "shares are in force"
        path = np.concatenate([np.empty(0, dtype=np.int64), *(command.path for command in asked)])
        count = self._meter.paths.path_count
        if not (path.dtype == np.int64 and ((path >= 0) & (path < count)).all()):
            raise ExchangeRouterError(f"brain {self._brain.name}: particles must go over paths 0..{count - 1}")
        for command in asked:
            if command.payload_bytes < 1:
                raise ExchangeRouterError(f"brain {self._brain.name}: a particle must have a size")
            self._sent_bytes += command.payload_bytes * len(command.path)
        noise = self._probes.noise
        delay_s = self._meter.delay_s(path, self._cost.stay_s(used))
        delay_s *= np.exp(noise * self._noise.standard_normal(len(path)) - noise**2 / 2)
        delay_s[self._loss.random(len(path)) < self._probes.loss] = np.nan
        self._brought = path, delay_s
