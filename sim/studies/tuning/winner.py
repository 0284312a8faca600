"""Which trial is taken, and whether it holds on traffic that the search has not seen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from sim.studies.paired import interval
from sim.studies.tuning.domination import front
from sim.studies.tuning.search import Trial

KNEE: Final = "knee"
PREFER: Final = "--prefer"
ALLOW: Final = "--allow"
# How much worse than the default the other objectives may be where nothing is said of them.
ALLOWANCE: Final = 0.05
ALLOWANCE_MAX: Final = 1_000.0
CONFIDENCE: Final = 0.95


@dataclass(frozen=True)
class Wish:
    """What makes a winner.

    Attributes
    ----------
    objectives : tuple of str
    prefer : str
        The objective that is to be as small as can be, or `KNEE`: the trial of the front nearest to the best of all.
    allowance : tuple of float
        For each objective, how much worse than the default it may be: 0.05 is 5 %.
    """

    objectives: tuple[str, ...]
    prefer: str
    allowance: tuple[float, ...]

    @classmethod
    def of_texts(cls, objectives: tuple[str, ...], prefer: str | None, allow: Sequence[str]) -> Wish:
        """Take options as they are written; raises `BadInputError`."""
        prefer = prefer or objectives[0]
        if prefer not in (*objectives, KNEE):
            raise BadInputError(PREFER, f"must be one of {', '.join((*objectives, KNEE))}", prefer)
        found: dict[str, float] = {}
        for text in allow:
            name, _, share = text.partition("=")
            try:
                value = float(share)
            except ValueError:
                value = math.nan
            if name not in objectives or name in found or not 0.0 <= value <= ALLOWANCE_MAX:
                rule = "must name an objective once and a share of at least 0, such as capacity=0.2"
                raise BadInputError(ALLOW, rule, text)
            found[name] = value
        return cls(objectives, prefer, tuple(found.get(name, ALLOWANCE) for name in objectives))

    @property
    def limits(self) -> NDArray[np.float64]:
        """Logarithm of the ratio to the default up to which an objective may go, (objectives,)."""
        result: NDArray[np.float64] = np.log1p(np.array(self.allowance))
        return result


def front_of(trials: Sequence[Trial]) -> list[Trial]:
    """Return those trials, lived in all scenes, that no other one of these is better than in all objectives."""
    complete = [one for one in trials if not one.pruned]
    kept = front(np.array([one.values for one in complete]))
    return [one for one, stays in zip(complete, kept, strict=True) if stays]


def choose(trials: Sequence[Trial], wish: Wish) -> Trial:
    """Return the trial that the wish asks for; the default where nothing is better.

    With an objective preferred: the smallest of it among trials that are, in all other objectives, worse than the
    default by no more than is allowed. `KNEE`: of the front, the trial nearest to the smallest of all objectives, each
    measured by its range on the front. Among equals the earlier one.
    """
    if wish.prefer == KNEE:
        candidates = front_of(trials)
        values = np.array([one.values for one in candidates])
        low, high = values.min(axis=0), values.max(axis=0)
        distance = np.square((values - low) / np.where(high > low, high - low, 1.0)).sum(axis=1)
        return candidates[int(np.argmin(distance))]
    place = wish.objectives.index(wish.prefer)
    others = np.arange(len(wish.objectives)) != place
    best = trials[0]
    for one in trials:
        if not one.pruned and (one.values <= wish.limits)[others].all() and one.values[place] < best.values[place]:
            best = one
    return best


@dataclass(frozen=True)
class Effect:
    """What the winner changes in one objective on unseen scenes: mean over scenes of relative changes, with interval.

    Attributes
    ----------
    objective : str
    change, low, high : float
        Relative: -0.1 is 10 % less; the mean is that of logarithms of ratios.
    """

    objective: str
    change: float
    low: float
    high: float


def effects(objectives: Sequence[str], changed: NDArray[np.float64]) -> list[Effect]:
    """Return each objective's effect from logarithms of ratios (scenes, objectives), at least two scenes.

    The interval is Student's over paired scenes (`sim.studies.paired`).
    """
    result = []
    for name, column in zip(objectives, changed.T, strict=True):
        found = interval(np.ascontiguousarray(column), CONFIDENCE)
        assert found.low is not None, "there are two scenes"
        assert found.high is not None, "there are two scenes"
        result.append(Effect(name, *(math.expm1(value) for value in (found.value, found.low, found.high))))
    return result


def beats(wish: Wish, found: Sequence[Effect]) -> bool:
    """Say whether the winner is better than the default on unseen scenes beyond doubt.

    What is preferred (with `KNEE`, any objective) must be better with its whole interval, and no other may be worse
    than is allowed with its whole interval.
    """
    by_name: Mapping[str, Effect] = {one.objective: one for one in found}
    wanted = wish.objectives if wish.prefer == KNEE else (wish.prefer,)
    better = any(by_name[name].high < 0.0 for name in wanted)
    spoilt = any(one.low > share for one, share in zip(found, wish.allowance, strict=True))
    return better and not spoilt
