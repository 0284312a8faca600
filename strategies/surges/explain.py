"""One cause, one surge: which of all that is watched explains best what many series show at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from strategies.surges.watch import Flows, Unit, WatchList

# Relative error of forecasts of whole flows: a larger flow is not more evident for being larger.
DOUBT: Final = 0.1
# Less than this cannot be told from nothing.
EXPECTED_MIN: Final = 0.5
# An alarm stands if no more than this part of its excess is explained already.
EXPLAINED: Final = 0.5
# Beyond these a step's alarms are part of what was found.
SURGES_MAX: Final = 8
FACTOR_MIN: Final = 1.2


@dataclass(frozen=True, eq=False)
class Recent:
    """What came of n flows lately, and what was expected of them, (n,) each; a flow may come more than once.

    Attributes
    ----------
    flows : Flows
    column : int64 (n,)
        Series of each, -1 where there is none.
    series : int
        Number of series D.
    actual, expected : float64 (n,)
    """

    flows: Flows
    column: NDArray[np.int64]
    series: int
    actual: NDArray[np.float64]
    expected: NDArray[np.float64]

    def totals(self, watched: WatchList, amount: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum over each series, then over each whole flow that is watched."""
        some = np.flatnonzero((self.column >= 0) & (amount != 0))
        single = np.bincount(self.column[some], amount[some], self.series)
        return np.concatenate([single, watched.totals(self.flows, amount)])


@dataclass(frozen=True)
class Alarm:
    """What was found, in how many windows before the last one it seems to have begun, and how evidently.

    Attributes
    ----------
    unit : Unit
    place : int
        Among all series and whole flows.
    age : int
    score : float
    """

    unit: Unit
    place: int
    age: int
    score: float


@dataclass(frozen=True)
class Cause:
    """A unit that explains alarms, the most evident of them first."""

    unit: Unit
    alarms: tuple[Alarm, ...]


def evidence(actual: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how evident a surge is: Poisson's logarithm of the likelihood ratio, 0 where there is none.

    The scan statistic of Kulldorff (1997), divided by how much more than counts such flows vary. Of flows within each
    other the one that surges as a whole has the most: a larger one adds what is usual, a smaller one leaves out.
    """
    mean = np.maximum(expected, EXPECTED_MIN)
    came = np.maximum(actual, mean)
    ratio = (came * np.log(came / mean) - (came - mean)) / (1.0 + DOUBT * DOUBT * mean)
    return np.where(came >= FACTOR_MIN * mean, ratio, 0.0)


def causes(watched: WatchList, recent: Recent, alarms: list[Alarm], known: list[Unit]) -> list[Cause]:
    """Explain alarms by units that are known to surge already, then by as few as it takes.

    Parameters
    ----------
    watched : WatchList
    recent : Recent
    alarms : list of Alarm
    known : list of Unit

    Returns
    -------
    list of Cause
        The most evident first; none for alarms that `known` ones explain, or that show no excess.
    """
    left = np.ones(len(recent.actual))
    for unit in known:
        left *= 1.0 - watched.inside(unit, recent.flows)
    excess = recent.actual - recent.expected
    whole = recent.totals(watched, excess)

    def standing(pending: list[Alarm]) -> list[Alarm]:
        rest = recent.totals(watched, excess * left)
        return [
            alarm
            for alarm in pending
            if whole[alarm.place] > 0 and rest[alarm.place] >= (1.0 - EXPLAINED) * whole[alarm.place]
        ]

    found: list[Cause] = []
    pending = standing(alarms)
    while pending and len(found) < SURGES_MAX:
        unit = _most_evident(watched, recent, left, pending)
        left *= 1.0 - watched.inside(unit, recent.flows)
        still = standing(pending)
        if len(still) == len(pending):  # what was chosen explains none of them, so the first speaks for itself
            unit = pending[0].unit
            left *= 1.0 - watched.inside(unit, recent.flows)
            still = standing(pending[1:])
        kept = {id(alarm) for alarm in still}
        taken = [alarm for alarm in pending if id(alarm) not in kept]
        found.append(Cause(unit, tuple(sorted(taken, key=lambda alarm: -alarm.score))))
        pending = still
    return found


def _most_evident(watched: WatchList, recent: Recent, left: NDArray[np.float64], pending: list[Alarm]) -> Unit:
    """Return the unit, of whole flows and of those that gave the alarms, with most evidence in what is left."""
    ratio = evidence(
        recent.totals(watched, recent.actual * left), np.maximum(recent.totals(watched, recent.expected * left), 0.0)
    )
    best = int(ratio[recent.series :].argmax())
    unit, most = watched.unit(best), float(ratio[recent.series + best])
    for alarm in pending:
        # Of equals the narrower one: a single series is all that the flows around it show.
        if ratio[alarm.place] >= most * (1.0 - 1e-9):
            unit, most = alarm.unit, float(ratio[alarm.place])
    return unit
