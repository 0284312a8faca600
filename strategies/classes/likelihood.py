"""How likely what a unit did is in each class: decides who belongs to which, and says how surely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.demand_history import DemandHistory
from router_core.units import SECOND_NS
from router_core.vocabulary import PRIORITY_MAX, Mode, TaskKind
from strategies.classes.tally import HOURS, SPECIAL, WEEK, WORKING_WEEK, HourKinds, Tally, effect, summed

# Exchanges beyond this number tell no more: a unit is not quite like its class, and ten thousand of its exchanges
# would find that out.
EVIDENCE_MAX: Final = 100.0
# A class is believed to have done so many exchanges as all do, so that nothing is impossible in it.
PRIOR_EXCHANGES: Final = 50.0
PRIOR_SHARE: Final = 0.01
LEAD_BINS: Final = 34  # binary digits of whole seconds; the last one: no deadline
WAYS: Final = (len(Mode), len(TaskKind), PRIORITY_MAX + 1, LEAD_BINS)


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of U units: when they exchanged, sizes (U, SIZE_BINS), and shares of ways (U, sum of `WAYS`)."""

    counted: Tally
    sizes: NDArray[np.float64]
    ways: NDArray[np.float64]


def gather(history: DemandHistory, unit: NDArray[np.int64], units: int, counted: Tally) -> Evidence:
    """Gather the evidence of units; a relation that exchanged nothing counts in the ways alone."""
    about, used = history.relations, unit >= 0
    weight = np.maximum(history.totals(), 1e-3)[used]
    lead = np.where(about.lead_ns < 0, LEAD_BINS - 1, _digits(about.lead_ns // SECOND_NS))
    total = np.maximum(np.bincount(unit[used], weight, units), 1e-12)
    blocks = []
    for column, width in zip((about.mode, about.kind, about.priority, lead), WAYS, strict=True):
        cell = unit[used] * width + column[used]
        blocks.append(np.bincount(cell, weight, units * width).reshape(units, width) / total[:, None])
    sizes = summed(about.size_count[used].astype(np.float64), unit[used], units)
    return Evidence(counted, sizes, np.concatenate(blocks, axis=1))


@dataclass(frozen=True, eq=False)
class ClassLikelihood:
    """Naive Bayes over hours, sizes and ways, K classes.

    Attributes
    ----------
    log_prior : float64 (K,)
    week : float64 (K, 168)
        Exchanges in each hour of a plain week against the mean hour.
    effects : float64 (K, S)
        Level of each of `SPECIAL` days against a plain working day; 1 where it is not known.
    sizes : float64 (K, SIZE_BINS)
        Shares.
    ways : float64 (K, sum of `WAYS`)
        Shares within each block.
    """

    log_prior: NDArray[np.float64]
    week: NDArray[np.float64]
    effects: NDArray[np.float64]
    sizes: NDArray[np.float64]
    ways: NDArray[np.float64]

    def posterior(self, evidence: Evidence) -> NDArray[np.float64]:
        """Probability of each class for each unit, (U, K)."""
        counted = evidence.counted
        rates = hour_rates(self.week, self.effects, counted.kinds) * counted.kinds.hours
        shares = rates / rates.sum(axis=1, keepdims=True)
        log = self.log_prior + _likelihood(counted.counts, shares, EVIDENCE_MAX)
        log += _likelihood(evidence.sizes, self.sizes, EVIDENCE_MAX)
        log += evidence.ways @ np.log(self.ways).T
        odds = np.exp(log - log.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def learn(evidence: Evidence, labels: NDArray[np.integer], classes: int) -> ClassLikelihood:
    """Learn the likelihood from units whose class is known; -1 where it is not."""
    used = labels >= 0
    sizes_of = np.bincount(labels[used], minlength=classes).astype(np.float64)
    counted = evidence.counted.merged(labels, classes)
    everyone = counted.merged(np.zeros(classes, dtype=np.int64), 1)
    mean = np.maximum(everyone.week.mean(), 1e-12)
    week = np.maximum(everyone.week / mean, 1e-3)
    hours = max(float(counted.kinds.hours.sum()), 1.0)
    prior_hour = PRIOR_EXCHANGES / hours
    level = counted.week.mean(axis=1, keepdims=True) + prior_hour
    found = (counted.week + prior_hour * week) / level
    responses = counted.responses()
    effects = np.stack([effect(*responses[name]) for name in SPECIAL], axis=1)
    sizes = summed(evidence.sizes[used], labels[used], classes)
    total = sizes.sum(axis=0, keepdims=True)
    sizes += PRIOR_EXCHANGES * (total + 1.0) / (total + 1.0).sum()
    ways = summed(evidence.ways[used], labels[used], classes) + PRIOR_SHARE
    return ClassLikelihood(
        log_prior=np.log((sizes_of + 1.0) / (sizes_of + 1.0).sum()),
        week=found / found.mean(axis=1, keepdims=True),
        effects=effects,
        sizes=sizes / sizes.sum(axis=1, keepdims=True),
        ways=np.concatenate([block / block.sum(axis=1, keepdims=True) for block in _blocks(ways)], axis=1),
    )


def hour_rates(week: NDArray[np.float64], effects: NDArray[np.float64], kinds: HourKinds) -> NDArray[np.float64]:
    """Rate of each class in each kind of hour of a history, (K, kinds).

    Effects of one day multiply. On a holiday the hours are those of a day off, at the holiday's level.
    """
    working = week[:, :WORKING_WEEK].reshape(-1, 5, HOURS).mean(axis=1)
    off = week[:, WORKING_WEEK:].reshape(-1, 2, HOURS).mean(axis=1)
    off_shape = off / np.maximum(off.sum(axis=1), 1e-12)[:, None] * working.sum(axis=1)[:, None]
    parts = [week]
    for sort in kinds.sorts:
        level = np.prod([effects[:, SPECIAL.index(name)] for name in sorted(sort)], axis=0)
        parts.append((off_shape if "holiday" in sort else working) * level[:, None])
    return np.concatenate(parts, axis=1) if len(parts) > 1 else week[:, :WEEK]


def _likelihood(counts: NDArray[np.float64], shares: NDArray[np.float64], most: float) -> NDArray[np.float64]:
    seen = counts.sum(axis=1, keepdims=True)
    weighed = counts * np.minimum(1.0, most / np.maximum(seen, 1.0))
    # An hour that was not observed has no share, and no exchange either.
    return np.asarray(weighed @ np.log(np.maximum(shares, 1e-12)).T)


def _blocks(ways: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    return np.split(ways, np.cumsum(WAYS)[:-1], axis=1)


def _digits(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Binary digits of numbers >= 0, at most `LEAD_BINS` - 2."""
    whole = np.minimum(np.maximum(values, 0), 2**52)
    return np.minimum(np.frexp(whole.astype(np.float64))[1], LEAD_BINS - 2).astype(np.int64)
