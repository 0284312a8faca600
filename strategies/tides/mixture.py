"""Demand as a mixture of few hidden tides, each with a day of its own and its own answer to the calendar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from strategies.tides.days import EVENTS, KINDS, context_parts
from strategies.tides.kernels import mix_tides
from strategies.tides.totals import Totals

TIDES_MAX: Final = 8
GROUPS_MAX: Final = 16
SERIES_A_TIDE: Final = 4
CLUSTER_ROUNDS: Final = 10
# Part of a series that starts in its own group's tide, and of a tide that starts everywhere alike.
OWN_START, EVEN_START = 0.9, 1e-3
# How many exchanges' worth of evidence an effect of 1 has beforehand.
EFFECT_PULL: Final = 20.0
# Level of days off against working days, or the inverse, where a history has only the one kind. The best of 0.6, 0.7,
# 0.85 and 1 on Abilene, whose one weekend is hence no test of it; GEANT has about 0.8.
OFF_UNSEEN: Final = 0.7


@dataclass(frozen=True, eq=False)
class Mixture:
    """K hidden tides over the S steps of working days and of days off.

    Attributes
    ----------
    amount : float64 (D, K)
    tide : float64 (2 * S, K)
        Steps of a plain working day, then of a day off.
    effect : float64 (V, K)
        Factor of each of `EVENTS`.
    """

    amount: NDArray[np.float64]
    tide: NDArray[np.float64]
    effect: NDArray[np.float64]

    def mean(self, context: int) -> NDArray[np.float64]:
        """Demand of every series on a day of a context, (S, D)."""
        kind, event = context_parts(np.array([context]))
        steps = len(self.tide) // len(KINDS)
        shade = np.where(event[0][:, None], self.effect, 1.0).prod(axis=0)
        rows = self.tide[int(kind[0]) * steps : (int(kind[0]) + 1) * steps] * shade
        # Not by BLAS: its sums depend on the number of threads.
        return np.asarray(np.einsum("sk,dk->sd", rows, self.amount))


def fit_mixture(
    totals: Totals, group: NDArray[np.int64] | None, unit: float, rounds: int, start: Mixture | None = None
) -> Mixture:
    """Fit a mixture to sums of days, from clusters of daily profiles or from another mixture.

    Parameters
    ----------
    totals : Totals
    group : int (D,) or None
        Classes, if known: each gets a tide to start from.
    unit : float
        Variance by mean of the demand: what one exchange amounts to.
    rounds : int
    start : Mixture, optional
        Mixture of nearly the same history.
    """
    contexts, steps, series = totals.total.shape
    kind, event = context_parts(totals.context)
    rows = np.ascontiguousarray(totals.total.reshape(contexts * steps, series).T)
    if start is None:
        start = _first(totals, kind, rows, group)
        amount = start.amount.copy()
    else:
        amount = _reopened(totals, start, kind, rows)
    tide, effect = start.tide.copy(), start.effect.copy()
    active = np.flatnonzero(rows.sum(axis=1) > 0)
    part = np.ascontiguousarray(amount[active])
    mix_tides(
        np.ascontiguousarray(rows[active]),
        totals.days.reshape(-1),
        (kind[:, None] * steps + np.arange(steps)).reshape(-1),
        np.repeat(np.arange(contexts, dtype=np.int64), steps),
        event,
        part,
        tide,
        effect,
        np.full((len(EVENTS), tide.shape[1]), EFFECT_PULL * unit),
        rounds,
        False,
    )
    amount[:] = 0.0
    amount[active] = part
    _fill_unseen(totals, kind, tide, steps)
    return Mixture(amount, tide, effect)


def follow_mixture(totals: Totals, mixture: Mixture, rounds: int) -> Mixture:
    """Fit the amounts of each series anew; the tides stay."""
    contexts, steps, series = totals.total.shape
    kind, event = context_parts(totals.context)
    rows = np.ascontiguousarray(totals.total.reshape(contexts * steps, series).T)
    amount = _reopened(totals, mixture, kind, rows)
    mix_tides(
        rows,
        totals.days.reshape(-1),
        (kind[:, None] * steps + np.arange(steps)).reshape(-1),
        np.repeat(np.arange(contexts, dtype=np.int64), steps),
        event,
        amount,
        mixture.tide.copy(),
        mixture.effect.copy(),
        np.zeros_like(mixture.effect),
        rounds,
        True,
    )
    return Mixture(amount, mixture.tide, mixture.effect)


def _reopened(
    totals: Totals, mixture: Mixture, kind: NDArray[np.int64], rows: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Amounts to go on from: what was nothing, as in a series that is new, could never grow by factors."""
    share = EVEN_START * rows.sum(axis=1, keepdims=True)
    return np.asarray(mixture.amount + share / _exposed(totals, mixture.tide, kind))


def _exposed(totals: Totals, tide: NDArray[np.float64], kind: NDArray[np.int64]) -> NDArray[np.float64]:
    """What a unit of each tide amounts to over all days, (K,), above 0."""
    steps = totals.total.shape[1]
    days = np.stack([totals.days[kind == which].sum(axis=0) for which in range(len(KINDS))])
    found = np.einsum("ws,wsk->k", days, tide.reshape(len(KINDS), steps, -1))
    return np.asarray(np.where(found > 0, found, 1.0))


def _first(
    totals: Totals, kind: NDArray[np.int64], rows: NDArray[np.float64], group: NDArray[np.int64] | None
) -> Mixture:
    """Start from one tide a group, or a cluster of the series' square-rooted unit profiles."""
    contexts, steps, series = totals.total.shape
    weight = rows.sum(axis=1)
    active = np.flatnonzero(weight > 0)
    days = np.maximum(totals.days.reshape(-1), 1.0)
    label = np.zeros(series, dtype=np.int64)
    if group is None:
        tides = int(np.clip(len(active) // SERIES_A_TIDE, 1, TIDES_MAX))
        profile = np.sqrt(rows[active] / days)
        profile /= np.sqrt((profile**2).sum(axis=1, keepdims=True))
        if len(active):
            label[active] = _clusters(profile, weight[active], tides)
    else:
        # The largest groups have a tide each, the rest share the last one.
        names, place = np.unique(group, return_inverse=True)
        order = np.argsort(-np.bincount(place, weight), kind="stable")
        rank = np.empty(len(names), dtype=np.int64)
        rank[order] = np.minimum(np.arange(len(names)), GROUPS_MAX - 1)
        label = rank[place]
        tides = int(label.max()) + 1 if series else 1
    tide = np.zeros((len(KINDS), steps, tides))
    for k in range(tides):
        sums = rows[label == k].sum(axis=0).reshape(contexts, steps)
        for which in range(len(KINDS)):
            seen = totals.days[kind == which].sum(axis=0)
            tide[which, :, k] = sums[kind == which].sum(axis=0) / np.maximum(seen, 1.0)
    whole = tide.sum(axis=2, keepdims=True)
    tide += EVEN_START * whole
    size = tide.sum(axis=(0, 1))
    even = whole[:, :, 0] / max(float(whole.sum()), 1e-300)
    tide = np.where(size > 0, tide / np.where(size > 0, size, 1.0), even[:, :, None])
    flat = tide.reshape(len(KINDS) * steps, tides)
    share = np.full((series, tides), (1.0 - OWN_START) / tides)
    share[np.arange(series), label] += OWN_START
    amount = share * weight[:, None] / _exposed(totals, flat, kind)
    return Mixture(amount, flat, np.ones((len(EVENTS), tides)))


def _clusters(profile: NDArray[np.float64], weight: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Spherical k-means from seeds far apart, heavy series first; nothing is drawn."""
    seeds = [int(weight.argmax())]
    apart = 1.0 - np.einsum("dr,r->d", profile, profile[seeds[0]])
    for _ in range(count - 1):
        seeds.append(int((apart * np.sqrt(weight)).argmax()))
        apart = np.minimum(apart, 1.0 - np.einsum("dr,r->d", profile, profile[seeds[-1]]))
    centre = profile[seeds]
    label = np.zeros(len(profile), dtype=np.int64)
    for _ in range(CLUSTER_ROUNDS):
        label = np.einsum("dr,kr->dk", profile, centre).argmax(axis=1)
        for k in range(count):
            if (label == k).any():
                middle = (profile[label == k] * weight[label == k, None]).sum(axis=0)
                centre[k] = middle / np.sqrt((middle**2).sum())
    return np.asarray(label, dtype=np.int64)


def _fill_unseen(totals: Totals, kind: NDArray[np.int64], tide: NDArray[np.float64], steps: int) -> None:
    """Give steps of a kind of day that the history lacks the tide of the other kind, at a guessed level."""
    view = tide.reshape(len(KINDS), steps, -1)
    seen = np.stack([totals.days[kind == which].sum(axis=0) > 0 for which in range(len(KINDS))])
    level = (1.0 / OFF_UNSEEN, OFF_UNSEEN)
    for which in range(len(KINDS)):
        lent = ~seen[which] & seen[1 - which]
        view[which, lent] = view[1 - which, lent] * level[which]
        # Steps that no day has ever shown: the mean of those that were.
        blank = ~seen[which] & ~seen[1 - which]
        if blank.any() and not blank.all():
            view[which, blank] = view[which, ~blank].mean(axis=0)
