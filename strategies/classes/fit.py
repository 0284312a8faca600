"""Finds the classes of demand in a history: features, clusters, membership, names, policies."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from router_core.demand_history import DemandHistory
from router_core.errors import BadInputError
from router_core.network import Network
from router_core.randomness import stream
from router_core.vocabulary import PRIORITY_MAX, Mode, TaskKind
from strategies.classes.class_model import ClassCount, ClassModel, DemandClass
from strategies.classes.demand_clusters import DemandClusters
from strategies.classes.features import Features, pairs_of, size_columns, tide_columns, unit_features
from strategies.classes.group_scaler import GroupScaler
from strategies.classes.likelihood import ClassLikelihood, Evidence, gather, learn
from strategies.classes.naming import made_unique, words_of
from strategies.classes.policy import ClassFacts, policy_of
from strategies.classes.tally import Tally, effect, tally

# What counts in the choice of classes; chosen on one trace of eight weeks, ADR 12.
WEIGHTS: Final[Mapping[str, float]] = MappingProxyType(
    {"spectrum": 1.0, "calendar": 0.5, "phase": 0.2, "size": 1.0, "way": 4.0}
)
# Groups whose columns are of different units.
ALIKE: Final = ("calendar", "size", "way")
# Units that show the classes: so many exchanges, but at least this share of the units, if they have so many at least.
WELL_OBSERVED: Final = 100.0
SHARE_OBSERVED: Final = 0.6
OBSERVED_MIN: Final = 30.0
UNITS_MIN: Final = 8
RELIABILITY_UNITS: Final = 600
COMPONENTS: Final = 12
STABLE: Final = 0.99
SEED_MAX: Final = 2**31


def fit_classes(
    history: DemandHistory,
    network: Network,
    *,
    seed: int = 0,
    by: str = "relation",
    weights: Mapping[str, float] = WEIGHTS,
) -> ClassModel:
    """Find the classes of demand.

    Classes are found by the features of units that exchanged enough to show any; who belongs to which is then decided
    by likelihood, for those and for all others: few exchanges say little about a tide, but may say enough to tell one
    known tide from another.

    Parameters
    ----------
    history : DemandHistory
    network : Network
        The one that the history's nodes are of.
    seed : int
        Equal seeds give equal models, to the bit.
    by : str
        What is clustered: ``relation``, or ``pair`` of endpoints, whose relations then share a class.
    weights : mapping of str to float
        What each group of features counts.

    Raises
    ------
    BadInputError
        If nothing was exchanged, some hour of the day is never observed, or a node is not of the network.
    """
    about = history.relations
    if by not in ("relation", "pair"):
        raise BadInputError("by", "must be relation or pair", by)
    if len(about) and max(int(about.source.max()), int(about.target.max())) >= network.node_count:
        raise BadInputError("history.relations", "must be between nodes of the network", network.node_count)
    if not history.exchanges.any():
        raise BadInputError("history", "must have an exchange in an hour that was observed whole", 0)
    unit = np.arange(len(about)) if by == "relation" else pairs_of(history)[2]
    units = int(unit[-1]) + 1
    # BLAS adds in another order with other numbers of threads.
    with threadpool_limits(limits=1):
        counted = tally(history, unit, units)
        evidence = gather(history, unit, units, counted)
        clusters, labels = _cluster(unit_features(history, unit, units, counted), evidence, weights, seed)
        likelihood = learn(evidence, labels, clusters.n_clusters_)
        posterior = likelihood.posterior(evidence)
        found, posterior, likelihood = _ordered(posterior, counted.exchanges, evidence)
        label = found[unit]
        confidence = posterior.max(axis=1)[unit]
        of_class = counted.merged(found, posterior.shape[1])
        classes = _describe(history, label, of_class, likelihood)
    return ClassModel(
        classes=classes,
        counts=clusters.counts_,
        stability=_stability(clusters, len(classes)),
        source=about.source,
        target=about.target,
        mode=about.mode,
        kind=about.kind,
        priority=about.priority,
        relation_class=label.astype(np.int16),
        confidence=confidence.astype(np.float32),
        relation_exchanges=history.totals().astype(np.int64),
        likelihood=likelihood,
        level=of_class.week.mean(axis=1),
    )


def _cluster(
    features: Features, evidence: Evidence, weights: Mapping[str, float], seed: int
) -> tuple[DemandClusters, NDArray[np.int64]]:
    """Cluster the well-observed units; the others are labelled -1."""
    random = stream(seed, "classes")
    seen = features.exchanges
    enough = min(WELL_OBSERVED, max(OBSERVED_MIN, float(np.quantile(seen, 1 - SHARE_OBSERVED))))
    well = seen >= enough
    if well.sum() < UNITS_MIN:
        well = seen > 0
    chosen = np.flatnonzero(well)
    few = np.sort(random.permutation(chosen)[:RELIABILITY_UNITS])
    reliability = _reliability(features, evidence, few, random)
    scaler = GroupScaler(features.group, dict(weights), ALIKE, reliability)
    scaled = scaler.fit_transform(features.values[chosen])
    components = min(COMPONENTS, *scaled.shape)
    if (scaled != scaled[0]).any():
        scaled = PCA(components, svd_solver="covariance_eigh").fit_transform(scaled)
    clusters = DemandClusters(stable=STABLE, resample_units=1_000, random_state=int(random.integers(SEED_MAX)))
    clusters.fit(scaled)
    labels = np.full(len(seen), -1, dtype=np.int64)
    labels[chosen] = clusters.labels_
    return clusters, labels


def _reliability(
    features: Features, evidence: Evidence, units: NDArray[np.intp], random: np.random.Generator
) -> NDArray[np.float64]:
    """Share of each column's variance that is no counting noise, (F,).

    Every exchange goes to one of two halves by chance: the halves of a Poisson count are independent, so what they
    differ by is noise, twice that of the whole. Columns that are no counts are taken as they are.
    """
    counts, sizes = evidence.counted.counts[units].astype(np.int64), evidence.sizes[units].astype(np.int64)
    half, half_sizes = random.binomial(counts, 0.5), random.binomial(sizes, 0.5)
    first, second = (
        tide_columns(Tally.of_counts(evidence.counted.kinds, part.astype(np.float64)))
        | size_columns(part_sizes.astype(np.float64))
        for part, part_sizes in ((half, half_sizes), (counts - half, sizes - half_sizes))
    )
    noise = {name: float(((first[name] - second[name]) ** 2).mean()) / 4 for name in first}
    variance = features.values[units].var(axis=0)
    return np.array(
        [
            max(0.0, 1 - noise[name] / float(of_all)) if name in noise and of_all > 0 else 1.0
            for name, of_all in zip(features.names, variance, strict=True)
        ]
    )


def _ordered(
    posterior: NDArray[np.float64], exchanges: NDArray[np.float64], evidence: Evidence
) -> tuple[NDArray[np.int64], NDArray[np.float64], ClassLikelihood]:
    """Number the classes by their exchanges, most first, leave out empty ones, and learn from all members."""
    found = posterior.argmax(axis=1)
    amount = np.bincount(found, exchanges, posterior.shape[1])
    members = np.bincount(found, minlength=posterior.shape[1])
    order = np.argsort(-amount, kind="stable")
    order = order[members[order] > 0]
    rank = np.full(posterior.shape[1], -1, dtype=np.int64)
    rank[order] = np.arange(len(order))
    likelihood = learn(evidence, rank[found], len(order))
    posterior = likelihood.posterior(evidence)
    return rank[found], posterior, likelihood


def _stability(clusters: DemandClusters, classes: int) -> float:
    """Return the stability of the number of classes that came out."""
    by_number: dict[int, ClassCount] = {count.classes: count for count in clusters.counts_}
    return by_number[classes].stability if classes in by_number else float(clusters.stability_)


def _describe(
    history: DemandHistory, label: NDArray[np.int64], of_class: Tally, likelihood: ClassLikelihood
) -> tuple[DemandClass, ...]:
    about = history.relations
    exchanges = history.totals()
    payload_bytes = history.totals(of_bytes=True)
    profile = of_class.week / np.maximum(of_class.week.mean(axis=1, keepdims=True), 1e-12)
    responses = {"weekend": of_class.weekend()} | of_class.responses()
    levels = {name: effect(*response, unknown=np.nan) for name, response in responses.items()}
    words, facts = [], []
    for index in range(len(likelihood.log_prior)):
        members = np.flatnonzero(label == index)
        # So that a class of relations that exchanged nothing is described by its ways all the same.
        weight = np.maximum(exchanges[members], 1e-6)
        by_mode = np.bincount(about.mode[members], weight, len(Mode))
        by_priority = np.bincount(about.priority[members], weight, PRIORITY_MAX + 1)
        by_kind = np.bincount(about.kind[members], weight, len(TaskKind))
        fact = ClassFacts(
            mode_share=by_mode / by_mode.sum(),
            priority=int(by_priority.argmax()),
            lead_ns=about.lead_ns[members],
            exchanges=weight,
            sizes=about.size_count[members].sum(axis=0).astype(np.float64),
        )
        facts.append(fact)
        words.append(
            words_of(
                profile[index],
                {name: float(level[index]) for name, level in levels.items()},
                fact.mode_share,
                float(by_kind[TaskKind.EXCHANGE] / by_kind.sum()),
                float(payload_bytes[members].sum() / max(exchanges[members].sum(), 1.0)),
                fact.lead_least_ns,
            )
        )
    return tuple(
        DemandClass(
            name=word.name,
            title_en=word.title_en,
            title_zh=word.title_zh,
            description_en=word.description_en,
            description_zh=word.description_zh,
            policy=policy_of(fact),
            relations=int((label == index).sum()),
            exchanges_share=float(exchanges[label == index].sum() / exchanges.sum()),
            bytes_share=float(payload_bytes[label == index].sum() / max(payload_bytes.sum(), 1.0)),
            profile=profile[index],
            effects={name: float(level[index]) for name, level in levels.items()},
            mean_bytes=word.mean_bytes,
        )
        for index, (word, fact) in enumerate(zip(made_unique(words), facts, strict=True))
    )
