"""Clusters of demand, as many as come out again from resamples."""

from __future__ import annotations

from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from strategies.classes.class_model import ClassCount

UNITS_MIN: Final = 8  # below, resamples say nothing: one cluster
NO_STRUCTURE: Final = 0.9  # least stability of any number of clusters that is worth having
SILHOUETTE_UNITS: Final = 500
OUTLIERS: Final = 2  # so many units, or 0.5 % of all, are no cluster worth naming
OUTLIERS_SHARE: Final = 0.005


class DemandClusters(ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """Ward's hierarchy of a sample, cut where resamples agree, then k-means on all from there.

    A hierarchy holds the clusterings of all numbers of clusters at once, so a resample costs one (Ward, 1963). The
    stability of a number is the mean adjusted Rand index between the clusterings of two resamples on the units that
    both hold (Ben-Hur, Elisseeff and Guyon, 2002). The largest number that is as good as `stable` is taken: fewer
    clusters may be as stable and tell less, more are cut by chance. If none is, the most stable one; if even that
    is below 0.9, one cluster. Numbers that do nothing but cut outliers off do not count.

    Parameters
    ----------
    classes : int, optional
        Number of clusters; chosen by stability if not given.
    classes_max : int
        Most that are tried, >= 2.
    resamples : int
        How many, >= 2; each is compared with the next.
    resample_units : int
        Most units of a resample, and of the hierarchy from which k-means starts; a resample holds at most 70 % of all.
    stable : float
        Stability that is good enough, in (0, 1].
    random_state : int, RandomState or None

    Attributes
    ----------
    cluster_centers_ : float64 (k, F)
    labels_ : int32 (U,)
    n_clusters_ : int
    counts_ : tuple of ClassCount
        For each number that was tried; empty if `classes` was given or units are too few.
    stability_ : float
        Of the number taken; 1 for a single cluster.
    """

    def __init__(
        self,
        classes: int | None = None,
        *,
        classes_max: int = 14,
        resamples: int = 8,
        resample_units: int = 1_000,
        stable: float = 0.98,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.classes = classes
        self.classes_max = classes_max
        self.resamples = resamples
        self.resample_units = resample_units
        self.stable = stable
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None) -> Self:  # noqa: ARG002, N803
        """Cluster units, (U, F); scale them first."""
        values: NDArray[np.float64] = validate_data(self, X, dtype=np.float64)
        random = check_random_state(self.random_state)
        self.counts_: tuple[ClassCount, ...] = ()
        self.stability_ = 1.0
        distinct = _distinct(values, self.classes_max)
        if self.classes is not None:
            self.n_clusters_ = min(self.classes, len(values))
        elif len(values) < UNITS_MIN or distinct == 1:
            self.n_clusters_ = 1
        else:
            self.counts_ = self._count(values, distinct, random)
            self.n_clusters_, self.stability_ = self._choose()
        start = _centres(values, self._sample(len(values), random, share=1.0), self.n_clusters_)
        means = KMeans(len(start), init=start, n_init=1).fit(values)
        self.cluster_centers_: NDArray[np.float64] = means.cluster_centers_
        self.labels_: NDArray[np.int32] = means.labels_
        self.n_clusters_ = len(start)
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.int32]:  # noqa: N803
        """Return the cluster with the nearest centre of each unit, (U,)."""
        return np.asarray(self._distances(X).argmin(axis=1), dtype=np.int32)

    def score(self, X: ArrayLike, y: object = None) -> float:  # noqa: ARG002, N803
        """Return minus the mean squared distance to the nearest centre: greater is better."""
        return -float(self._distances(X).min(axis=1).mean())

    def _distances(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        check_is_fitted(self)
        values: Any = validate_data(self, X, dtype=np.float64, reset=False)
        return squared_distances(np.asarray(values), self.cluster_centers_)

    def _sample(self, units: int, random: np.random.RandomState, share: float) -> NDArray[np.intp]:
        size = min(self.resample_units, int(np.ceil(share * units)))
        return np.sort(random.permutation(units)[:size])

    def _count(
        self, values: NDArray[np.float64], distinct: int, random: np.random.RandomState
    ) -> tuple[ClassCount, ...]:
        samples = [self._sample(len(values), random, share=0.7) for _ in range(self.resamples)]
        trees = [linkage(values[sample], "ward") for sample in samples]
        numbers = range(2, min(self.classes_max, distinct, len(samples[0]) - 1) + 1)
        shared = [
            np.intersect1d(samples[a], samples[a - 1], assume_unique=True, return_indices=True)[1:]
            for a in range(self.resamples)
        ]
        counts = []
        self._several: dict[int, bool] = {}
        for number in numbers:
            labels = [
                _nearest(values[sample], fcluster(tree, number, "maxclust") - 1)
                for sample, tree in zip(samples, trees, strict=True)
            ]
            scores = [
                adjusted_rand_score(labels[a][here], labels[a - 1][there]) for a, (here, there) in enumerate(shared)
            ]
            least = max(OUTLIERS, OUTLIERS_SHARE * len(labels[0]))
            self._several[number] = all((np.bincount(label) > least).sum() > 1 for label in labels)
            few = slice(SILHOUETTE_UNITS)
            several = 1 < len(np.unique(labels[0][few])) < len(labels[0][few])
            silhouette = silhouette_score(values[samples[0]][few], labels[0][few]) if several else 0.0
            counts.append(ClassCount(number, float(np.mean(scores)), float(silhouette)))
        return tuple(counts)

    def _choose(self) -> tuple[int, float]:
        real = [count for count in self.counts_ if self._several[count.classes]]
        good = [count for count in real if count.stability >= self.stable]
        if good:
            return good[-1].classes, good[-1].stability
        best = max(real, key=lambda count: count.stability, default=None)
        if best is None or best.stability < NO_STRUCTURE:
            return 1, 1.0
        return best.classes, best.stability


def squared_distances(values: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distances of units to centres, (U, k)."""
    lengths = (values**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1)
    return np.asarray(np.maximum(lengths - 2.0 * values @ centres.T, 0.0))


def _distinct(values: NDArray[np.float64], enough: int) -> int:
    """How many different units there are, up to a number that is enough."""
    seen = {row.tobytes() for row in values[: 4 * enough] + 0.0}
    return len(seen) if len(seen) >= enough else len(np.unique(values, axis=0))


def _means(values: NDArray[np.float64], labels: NDArray[np.integer]) -> NDArray[np.float64]:
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order], prepend=-1))
    sizes = np.diff(np.append(starts, len(labels)))
    return np.asarray(np.add.reduceat(values[order], starts, axis=0) / sizes[:, None])


def _nearest(values: NDArray[np.float64], labels: NDArray[np.integer]) -> NDArray[np.intp]:
    """One step of k-means: what a hierarchy put together early, and a better place was found for later."""
    return np.asarray(squared_distances(values, _means(values, labels)).argmin(axis=1))


def _centres(values: NDArray[np.float64], sample: NDArray[np.intp], classes: int) -> NDArray[np.float64]:
    if classes == 1:
        return np.asarray(values.mean(axis=0, keepdims=True))
    tree = linkage(values[sample], "ward")
    return _means(values[sample], fcluster(tree, classes, "maxclust") - 1)
