"""How one arm differs from another, replication by replication.

Replications of two arms that share traces and random numbers (common random numbers) go up and down together, so what
is judged is each replication's own difference; that of two means would carry the spread of days and seeds as well.

Sources: Law, Simulation Modeling and Analysis (5th ed. 2015), 10.2.1, paired-t intervals, and 11.2, common random
numbers. Student, Biometrika 6 (1908), 1-25. A relative change is judged by logarithms of ratios: a replication may as
well have twice the value as half of it, so logarithms are nearer to normal, and an interval that goes back through the
exponential cannot reach below -100 %. Fieller's interval of a ratio of means (J. R. Stat. Soc. B 16 (1954), 175-185)
may be unbounded and lets the replication with the largest values decide. A bootstrap (BCa) was tried for counts: with 5
to 20 replications it covers less than Student's interval does (ADR 31).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, t

from router_core.errors import BadInputError

# Below that an interval exists and means little: its width is itself drawn from few values.
FEW: Final = 5


@dataclass(frozen=True)
class Estimate:
    """A mean and its interval; `low` and `high` are None where there is but one replication."""

    value: float
    low: float | None
    high: float | None

    @property
    def half_width(self) -> float | None:
        """Half the interval's width."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    @property
    def sign(self) -> int:
        """-1 or 1 where the whole interval lies on that side of 0, else 0."""
        if self.low is None or self.high is None:
            return 0
        return -1 if self.high < 0.0 else 1 if self.low > 0.0 else 0


@dataclass(frozen=True)
class Effect:
    """What an arm makes of a measure, against the base.

    Attributes
    ----------
    pairs : int
        Replications.
    base, other : float
        Means over the replications.
    difference : Estimate
        Of other - base, in the measure's unit.
    change : Estimate or None
        other / base - 1; None where a value is not above 0, so that there is no ratio.
    confidence : float
        Of each interval by itself.
    lower, equal : int
        Replications in which the other is below the base, and in which both are the same.
    sign_p : float
        Two-sided p value of the sign test over those that differ: how likely a split at least as uneven is, if either
        were as often below.
    """

    pairs: int
    base: float
    other: float
    difference: Estimate
    change: Estimate | None
    confidence: float
    lower: int
    equal: int
    sign_p: float

    @property
    def sign(self) -> int:
        """-1: less, which is better; 1: more; 0: no difference can be told."""
        return (self.change or self.difference).sign


def effect(
    base: NDArray[np.float64], other: NDArray[np.float64], confidence: float, pilot: int | None = None
) -> Effect | None:
    """Compare two arms in one measure.

    Parameters
    ----------
    base, other : float64 (n,)
        Values of replication 0, 1, ... of each; n >= 1.
    confidence : float
        0 < confidence < 1.
    pilot : int, optional
        If their number was chosen for a wanted precision: how many replications it was chosen from (`interval`).

    Returns
    -------
    Effect or None
        None where a value is not finite: what nothing was delivered of cannot be compared, and to leave such a
        replication out would favour whoever delivers nothing.

    Raises
    ------
    BadInputError
        If there are no pairs.
    """
    if base.shape != other.shape or base.ndim != 1 or not len(base):
        raise BadInputError("pairs", "both arms must have the same number of replications, at least one", other.shape)
    if not (np.isfinite(base).all() and np.isfinite(other).all()):
        return None
    apart = other - base
    lower, equal = int((apart < 0).sum()), int((apart == 0).sum())
    unlike = len(apart) - equal
    change = None
    if (base > 0).all() and (other > 0).all():
        logs = interval(np.log(other) - np.log(base), confidence, pilot)
        ends = [None if end is None else math.expm1(end) for end in (logs.low, logs.high)]
        change = Estimate(math.expm1(logs.value), *ends)
    return Effect(
        pairs=len(base),
        base=float(base.mean()),
        other=float(other.mean()),
        difference=interval(apart, confidence, pilot),
        change=change,
        confidence=confidence,
        lower=lower,
        equal=equal,
        sign_p=float(binomtest(lower, unlike).pvalue) if unlike else 1.0,
    )


def interval(values: NDArray[np.float64], confidence: float, pilot: int | None = None) -> Estimate:
    """Return the mean and its Student interval.

    Where the number of values was chosen from the spread of the first `pilot` of them, the interval is Stein's: with
    their spread and their degrees of freedom. It covers as it says whatever was chosen, for normal values exactly;
    Student's over all of them would not, because few values follow where the first happened to lie close together.

    Source: C. Stein, Ann. Math. Stat. 16 (1945), 243-258, doi 10.1214/aoms/1177731088.

    Parameters
    ----------
    values : float64 (n,)
        n >= 1, finite.
    confidence : float
        0 < confidence < 1.
    pilot : int, optional
        2..n.
    """
    mean = float(values.mean())
    known = values[:pilot]
    if len(known) < 2:
        return Estimate(mean, None, None)
    half = spread(known, confidence) / math.sqrt(len(values))
    return Estimate(mean, mean - half, mean + half)


def spread(values: NDArray[np.float64], confidence: float) -> float:
    """Return half the width of the interval that one value would have: Student's quantile times the deviation."""
    if (values == values[0]).all():  # the mean of equal values may differ from them in the last digit
        return 0.0
    return float(t.ppf((1.0 + confidence) / 2.0, len(values) - 1) * values.std(ddof=1))


def each_of(confidence: float, count: int) -> float:
    """Return the confidence that each of `count` intervals needs so that all hold together with `confidence`.

    Source: Bonferroni's inequality; it asks nothing of how they depend on each other.
    """
    return 1.0 - (1.0 - confidence) / max(count, 1)
