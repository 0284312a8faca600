"""Scales features by groups: what a group weighs is stated, not an accident of how many columns it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

# What deviates less is not blown up to count as much as other columns: features are shares, logarithms and amplitudes,
# of which a twentieth is little.
LITTLE: Final = 0.05


class GroupScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Centres columns, and scales each group of them to a mean squared length that is its weight.

    Blocks scaled to equal inertia as in multiple factor analysis (Escofier and Pages, 1994). Then a column is shrunk
    by the root of its reliability, the share of its variance that is no noise: a group of noise counts little. Nor
    does one of columns that hardly differ.

    Parameters
    ----------
    group : sequence of str, optional
        Group of each column; one group if not given.
    weight : mapping of str to float, optional
        Weight of each group, >= 0; 1 if not given, 0 for those that are not named.
    alike : sequence of str
        Groups whose columns are scaled to equal deviation first: their units do not compare.
    reliability : float (F,), optional
        In [0, 1].

    Attributes
    ----------
    mean_, factor_ : float64 (F,)
        ``transform(X) == (X - mean_) * factor_``.
    """

    def __init__(
        self,
        group: Sequence[str] | None = None,
        weight: Mapping[str, float] | None = None,
        alike: Sequence[str] = (),
        reliability: Sequence[float] | NDArray[np.float64] | None = None,
    ) -> None:
        self.group = group
        self.weight = weight
        self.alike = alike
        self.reliability = reliability

    def fit(self, X: ArrayLike, y: object = None) -> Self:  # noqa: ARG002, N803
        """Learn means and factors from units, (U, F)."""
        values: NDArray[np.float64] = validate_data(self, X, dtype=np.float64)
        group = np.array(["all"] * values.shape[1] if self.group is None else list(self.group))
        deviation = values.std(axis=0)
        factor = np.ones(values.shape[1])
        alike = np.isin(group, list(self.alike))
        factor[alike] /= np.maximum(deviation[alike], LITTLE)
        for name in dict.fromkeys(group.tolist()):
            columns = group == name
            weight = 1.0 if self.weight is None else self.weight.get(name, 0.0)
            length = np.sqrt(((deviation * factor)[columns] ** 2).sum())
            factor[columns] *= np.sqrt(weight) / max(length, LITTLE)
        self.mean_ = values.mean(axis=0)
        self.factor_ = factor if self.reliability is None else factor * np.sqrt(np.asarray(self.reliability))
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """Scale units, (U, F)."""
        check_is_fitted(self)
        values: Any = validate_data(self, X, dtype=np.float64, reset=False)
        return np.asarray((values - self.mean_) * self.factor_)
