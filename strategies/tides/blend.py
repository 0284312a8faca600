"""Which models are used and how much: compared on days that they were not fitted to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Weights are multiples of this; a history too short for a comparison gets the prior.
GRAIN: Final = 0.05
PRIOR: Final = (0.1, 0.1, 0.6, 0.2, 0.0)
# Leaving the prior for good by as much as 1 must gain this part of its deviance, times a day over the days compared.
PRIOR_PULL: Final = 0.02
# A mean is taken to be no less than this part of its series' level, where something came all the same.
MEAN_MIN: Final = 0.02
CELLS_MAX: Final = 100_000


@dataclass(frozen=True)
class ModelScore:
    """How one model did on the held-out span.

    Attributes
    ----------
    model : str
    wape : float
        Sum of absolute errors of its median over the sum of demand; NaN without demand.
    pinball : float
        Pinball loss at 95 % of its band over the sum of demand.
    wape_by_group, pinball_by_group : tuple of float
        The same by group, in the record's order.
    weight : float
        Its part of the blend.
    """

    model: str
    wape: float
    pinball: float
    wape_by_group: tuple[float, ...]
    pinball_by_group: tuple[float, ...]
    weight: float


@dataclass(frozen=True)
class TideRecord:
    """How the blend was chosen.

    Attributes
    ----------
    first, last : str
        First and last date of the held-out span, ISO; empty where the history was too short for one.
    groups : tuple of int
        Groups of the scores; empty without groups.
    scores : tuple of ModelScore
        Each model, then the ``blend``; no scores where nothing was held out.
    weights : tuple of (str, float)
        The blend.
    outliers : int
        Cells that stood alone and were lowered before anything was fitted.
    """

    first: str
    last: str
    groups: tuple[int, ...]
    scores: tuple[ModelScore, ...]
    weights: tuple[tuple[str, float], ...]
    outliers: int


def blend_weights(demand: NDArray[np.float64], means: NDArray[np.float64], days: float) -> NDArray[np.float64]:
    """Return weights (M,) that sum to 1, of least deviance on what was held out.

    The deviance is Poisson's: it is least for the true mean, however thin demand is. An absolute error is least for
    the median, and would prefer models whose means of thin cells are too low. Steps of `GRAIN` from one model to
    another, the best one each time, from the prior on; not many days do not carry far from it.

    Parameters
    ----------
    demand : float64 (n, D)
    means : float64 (M, n, D)
    days : float
        Held-out days.
    """
    models = len(means)
    stride = max(1, demand.size // CELLS_MAX) | 1
    target = demand.reshape(-1)[::stride]
    guess = means.reshape(models, -1)[:, ::stride]
    whole = float(target.sum())
    prior = np.array(PRIOR)
    if whole <= 0:
        return prior

    least = np.broadcast_to(MEAN_MIN * demand.mean(axis=0), demand.shape).reshape(-1)[::stride]
    came = target > 0

    def deviance(blend: NDArray[np.float64]) -> float:
        expected = np.maximum(blend, least)
        return float(expected.sum() - whole + (target[came] * np.log(target[came] / expected[came])).sum())

    usual = deviance(np.einsum("m,mn->n", prior, guess))
    if usual <= 0:
        return prior

    def cost(weight: NDArray[np.int64]) -> float:
        pull = PRIOR_PULL / max(days, 1.0) * np.abs(weight * GRAIN - prior).sum()
        return float(deviance(np.einsum("m,mn->n", weight * GRAIN, guess)) / usual + pull)

    weight = np.round(prior / GRAIN).astype(np.int64)
    best = cost(weight)
    for size in (8, 4, 2, 1):
        while True:
            trials = []
            for source in range(models):
                for goal in range(models):
                    if goal != source and weight[source] >= size:
                        trial = weight.copy()
                        trial[source] -= size
                        trial[goal] += size
                        trials.append((cost(trial), tuple(trial.tolist())))
            if not trials or min(trials)[0] >= best - 1e-9:
                break
            best, chosen = min(trials)
            weight = np.array(chosen, dtype=np.int64)
    return np.asarray(weight * GRAIN)
