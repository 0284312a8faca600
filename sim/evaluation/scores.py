"""What an evaluation yields: figures of each scored matrix and brain, and what they come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

# The last ones are of brains that live through rounds.
ROUND_FIGURES: Final = ("round_std", "later_round_std", "rounds_until_settled", "rounds_until_near", "probe_share")
FIGURES: Final = ("mlu", "optimal_mlu", "ratio", "churn", "lower_bound", "gap", *ROUND_FIGURES)


# What counts as settled, or as near the optimum, relatively.
NEAR: Final = 0.05


@dataclass(frozen=True, eq=False)
class RoundScores:
    """How a brain fared from round to round of the K scored matrices.

    Attributes
    ----------
    ratio : float64 (K, R)
        Of each round: its busiest line's utilisation by the matrix's optimum.
    probe_share : float64 (K,)
        Bytes of the particles by bytes of the traffic; NaN where there is no traffic.
    """

    ratio: NDArray[np.float64]
    probe_share: NDArray[np.float64]

    @property
    def round_std(self) -> NDArray[np.float64]:
        """Standard deviation of the ratio over a matrix's rounds, (K,): the first, unsuspecting one included."""
        return np.asarray(self.ratio.std(axis=1))

    @property
    def later_round_std(self) -> NDArray[np.float64]:
        """The same without the first round, which is decided before anything of its matrix is known, (K,).

        NaN where there is no other.
        """
        later = self.ratio[:, 1:]
        return np.asarray(later.std(axis=1)) if later.shape[1] else np.full(len(later), np.nan)

    @property
    def rounds_until_settled(self) -> NDArray[np.float64]:
        """Rounds of each matrix before the ratio stays within 5 % of that of the last round, (K,)."""
        last = self.ratio[:, -1:]
        return _rounds_until(np.abs(self.ratio - last) <= NEAR * last)

    @property
    def rounds_until_near(self) -> NDArray[np.float64]:
        """Rounds of each matrix before the ratio stays within 5 % of the optimum, (K,); R if not within them."""
        return _rounds_until(self.ratio <= 1 + NEAR)


@dataclass(frozen=True, eq=False)
class BrainScores:
    """One brain over the K scored matrices; a figure that does not exist is NaN.

    Attributes
    ----------
    brain : str
    mlu : float64 (K,)
        Utilisation of the busiest line, without the demand of pairs that are not connected.
    optimal_mlu : float64 (K,)
        The least that any routing over any paths could reach.
    churn : float64 (K,)
        Change of the splits since the interval before: half the L1 distance of a pair's shares, so the share of the
        pair's traffic that moves to another path, averaged over the connected pairs, 0..1. Pairs count alike,
        whatever their demand. NaN at the first interval of the window, which has none before it.
    lower_bound, gap : float64 (K,)
        Certificate of the programme that the brain solved for its shares: what no split over its paths could beat, and
        how far the solved split is from that at most. The clairvoyant solves this very matrix, another brain what it
        knew of earlier ones. NaN where nothing was solved.
    rounds : RoundScores or None
        Of a brain that lives through rounds: then `mlu` is the mean over a matrix's rounds, and `churn` the sum.
    """

    brain: str
    mlu: NDArray[np.float64]
    optimal_mlu: NDArray[np.float64]
    churn: NDArray[np.float64]
    lower_bound: NDArray[np.float64]
    gap: NDArray[np.float64]
    rounds: RoundScores | None = None

    def figure(self, name: str) -> NDArray[np.float64]:
        """Return one of `FIGURES`, (K,)."""
        if name not in ROUND_FIGURES:
            return np.asarray(getattr(self, name))
        return np.full(len(self.mlu), np.nan) if self.rounds is None else np.asarray(getattr(self.rounds, name))

    @property
    def ratio(self) -> NDArray[np.float64]:
        """How many times the optimum the busiest line carries, (K,); 1 where there is nothing to carry."""
        carried = self.optimal_mlu > 0
        return np.divide(self.mlu, self.optimal_mlu, out=np.ones_like(self.mlu), where=carried)

    def summary(self) -> dict[str, dict[str, float] | None]:
        """Return mean, p95 and max of each figure; None of a figure that no matrix has."""
        return {name: _summary(self.figure(name)) for name in FIGURES}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All brains over the same matrices.

    Attributes
    ----------
    t_utc : datetime64[s] (K,)
        Begin of each scored interval.
    brains : tuple of BrainScores
    without_demand : int
        How many of the scored matrices have nothing to carry.
    unconnected : dict of str to float
        Pairs that no path joins, by name, and their mean demand over the scored matrices [Mbit/s].
    """

    t_utc: NDArray[np.datetime64]
    brains: tuple[BrainScores, ...]
    without_demand: int
    unconnected: dict[str, float]


def _rounds_until(held: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return, for each row of bool (K, R), after how many rounds what is held stays so."""
    stays = np.logical_and.accumulate(held[:, ::-1], axis=1).sum(axis=1)
    return np.asarray(held.shape[1] - stays, dtype=np.float64)


def _summary(values: NDArray[np.float64]) -> dict[str, float] | None:
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    return {"mean": float(known.mean()), "p95": float(np.quantile(known, 0.95)), "max": float(known.max())}
