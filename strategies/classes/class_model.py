"""What fitting demand classes yields: the classes, who belongs to them, and how sure that is."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from router_core.demand_history import DemandHistory
from router_core.errors import BadInputError
from router_core.exchanges import Exchanges
from router_core.vocabulary import PRIORITY_MAX, Mode, TaskKind
from strategies.classes.likelihood import ClassLikelihood, gather
from strategies.classes.tally import tally

MODES: Final = len(Mode)
KINDS: Final = len(TaskKind)
PRIORITIES: Final = PRIORITY_MAX + 1
WAYS: Final = MODES * KINDS * PRIORITIES

_RELATION_ARRAYS: Final = (
    "source",
    "target",
    "mode",
    "kind",
    "priority",
    "relation_class",
    "confidence",
    "relation_exchanges",
)


@dataclass(frozen=True)
class PolicyTemplate:
    """How exchanges of a class are to be treated.

    Attributes
    ----------
    priority : int
        Class of service, 0 is the most urgent.
    deferrable : bool
        Whether the class may be held back within its deadline.
    hold_max_ns : int
        Longest hold [ns] that leaves time enough before the deadline; 0 if not deferrable.
    chunk_bytes : int
        Size of chunks in which it should travel [bytes]; 0: whole.
    paths : int
        How many paths a pair's exchanges may be spread over, >= 1.
    forecast : str
        Which tide model suits the class: a name that `strategies.tides` knows, or ``auto``.
    """

    priority: int
    deferrable: bool
    hold_max_ns: int
    chunk_bytes: int
    paths: int
    forecast: str


@dataclass(frozen=True, eq=False)
class DemandClass:
    """One class, with a name that a person understands.

    Attributes
    ----------
    name : str
        Lower-case slug, unique in its model, such as ``office-hours-queries``.
    title_en, title_zh : str
    description_en, description_zh : str
        A sentence: when, how large, how, how it answers to the calendar.
    policy : PolicyTemplate
    relations : int
        How many belong to it.
    exchanges_share, bytes_share : float
        Of all exchanges, and of all bytes.
    profile : float64 (168,)
        Mean exchanges in each hour of a plain week, from Monday 00:00, against the mean hour.
    effects : dict of str to float
        Level of special days against plain ones: ``weekend``, ``holiday``, ``month_end``, ``reporting``...; NaN where
        the history has none.
    mean_bytes : float
    """

    name: str
    title_en: str
    title_zh: str
    description_en: str
    description_zh: str
    policy: PolicyTemplate
    relations: int
    exchanges_share: float
    bytes_share: float
    profile: NDArray[np.float64]
    effects: dict[str, float]
    mean_bytes: float


@dataclass(frozen=True)
class ClassCount:
    """How good so many classes would be.

    Attributes
    ----------
    classes : int
    stability : float
        Mean adjusted Rand index between clusterings of resamples, on what they share.
    silhouette : float
        Mean silhouette, for comparison: it does not decide.
    """

    classes: int
    stability: float
    silhouette: float


@dataclass(frozen=True, eq=False)
class ClassMix:
    """Which classes units exchange in, U units.

    Attributes
    ----------
    source, target : int32 (U,)
        Of pairs; both the same for nodes.
    exchanges : int64 (U,)
        A node's are those it sends and receives.
    share : float64 (U, K)
        Of the exchanges; rows sum to 1.
    """

    source: NDArray[np.int32]
    target: NDArray[np.int32]
    exchanges: NDArray[np.int64]
    share: NDArray[np.float64]

    @property
    def dominant(self) -> NDArray[np.int16]:
        """Class with most exchanges of each unit, the first of equals, (U,)."""
        return np.asarray(self.share.argmax(axis=1), dtype=np.int16)


@dataclass(frozen=True, eq=False)
class ClassModel:
    """Classes of demand, and which relations belong to them; R relations, K classes.

    Attributes
    ----------
    classes : tuple of DemandClass, length K
        The one with most exchanges first.
    counts : tuple of ClassCount
        Every number of classes that was tried; empty where there was nothing to choose.
    stability : float
        Of the number chosen.
    source, target : int32 (R,)
    mode, kind, priority : int8 (R,)
        Relations, ascending by these columns.
    relation_class : int16 (R,)
    confidence : float32 (R,)
        Probability of the class, given what the relation exchanged.
    relation_exchanges : int64 (R,)
        In the history that the model was fitted to.
    likelihood : ClassLikelihood
    level : float64 (K,)
        Exchanges an hour of a plain week.
    """

    classes: tuple[DemandClass, ...]
    counts: tuple[ClassCount, ...]
    stability: float
    source: NDArray[np.int32]
    target: NDArray[np.int32]
    mode: NDArray[np.int8]
    kind: NDArray[np.int8]
    priority: NDArray[np.int8]
    relation_class: NDArray[np.int16]
    confidence: NDArray[np.float32]
    relation_exchanges: NDArray[np.int64]
    likelihood: ClassLikelihood
    level: NDArray[np.float64]

    def classify(self, exchanges: Exchanges) -> NDArray[np.int16]:
        """Return the class of each exchange, that of its relation, (n,).

        Relations that the model does not know fall back to the class with most exchanges of their mode, kind and
        priority; if there is none, of their mode; if there is none, of all.

        Raises
        ------
        BadInputError
            If a mode, kind or priority is none.
        """
        columns = exchanges.source, exchanges.target, exchanges.mode, exchanges.kind, exchanges.priority
        return self.classify_relations(*columns)

    def classify_relations(
        self,
        source: NDArray[np.integer],
        target: NDArray[np.integer],
        mode: NDArray[np.integer],
        kind: NDArray[np.integer],
        priority: NDArray[np.integer],
    ) -> NDArray[np.int16]:
        """Return the class of each of these relations, (n,); as `classify`."""
        found = self.find(source, target, mode, kind, priority)
        known = self.relation_class[np.maximum(found, 0)] if len(self.relation_class) else found.astype(np.int16)
        if len(found) and found.min() >= 0:
            return known
        return np.where(found >= 0, known, self._way_class[_way(mode, kind, priority)])

    def find(
        self,
        source: NDArray[np.integer],
        target: NDArray[np.integer],
        mode: NDArray[np.integer],
        kind: NDArray[np.integer],
        priority: NDArray[np.integer],
    ) -> NDArray[np.intp]:
        """Row of each of these relations in the model, -1 where it is not known."""
        for name, column, end in (("mode", mode, MODES), ("kind", kind, KINDS), ("priority", priority, PRIORITIES)):
            if len(column) and not (column.min() >= 0 and column.max() < end):
                wrong = column[(column < 0) | (column >= end)]
                raise BadInputError(name, f"must lie in 0..{end - 1}", int(wrong[0]))
        nodes = self._nodes
        # A node beyond those of the model must not look like another pair's.
        strange = (source < 0) | (source >= nodes) | (target < 0) | (target >= nodes)
        key = (source.astype(np.int64) * nodes + target) * WAYS + _way(mode, kind, priority)
        if not len(self._key):
            return np.full(len(key), -1, dtype=np.intp)
        place = np.minimum(np.searchsorted(self._key, key), len(self._key) - 1)
        return np.where((self._key[place] == key) & ~strange, place, -1)

    def assign(self, history: DemandHistory) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
        """Return the class of each relation of another history by what it exchanged there, and how sure that is.

        A relation with few exchanges goes by its mode, kind, priority and deadline mostly, and one without any by
        them alone: few exchanges weigh little against them.

        Raises
        ------
        BadInputError
            If some hour of the day is never observed.
        """
        relations = len(history.relations)
        unit = np.arange(relations)
        evidence = gather(history, unit, relations, tally(history, unit, relations))
        posterior = self.likelihood.posterior(evidence)
        return posterior.argmax(axis=1).astype(np.int16), posterior.max(axis=1, initial=0.0).astype(np.float32)

    def mix(self, by: Literal["node", "pair"]) -> ClassMix:
        """Return in which classes the nodes, or the pairs of endpoints, exchange."""
        if by == "pair":
            ends = np.stack([self.source, self.target], axis=1)
            units, unit = np.unique(ends, axis=0, return_inverse=True)
            label, weight = self.relation_class, self.relation_exchanges
        elif by == "node":
            nodes, unit = np.unique(np.concatenate([self.source, self.target]), return_inverse=True)
            units = np.stack([nodes, nodes], axis=1)
            label, weight = np.tile(self.relation_class, 2), np.tile(self.relation_exchanges, 2)
        else:
            raise BadInputError("by", "must be node or pair", by)
        count = len(self.classes)
        cell = unit.reshape(-1) * count + label
        # A relation that exchanged nothing still counts: a tiny part of one exchange.
        amount = np.bincount(cell, np.maximum(weight, 1e-6), len(units) * count).reshape(-1, count)
        return ClassMix(
            source=units[:, 0].astype(np.int32),
            target=units[:, 1].astype(np.int32),
            exchanges=np.rint(amount.sum(axis=1)).astype(np.int64),
            share=amount / amount.sum(axis=1, keepdims=True),
        )

    def parts(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return the model as a JSON document and arrays; `from_parts` makes the same model again."""
        classes = []
        for one in self.classes:
            about = {field.name: getattr(one, field.name) for field in fields(one) if field.name != "profile"}
            about["policy"] = asdict(one.policy)
            # JSON has no NaN.
            about["effects"] = {name: None if np.isnan(level) else level for name, level in one.effects.items()}
            classes.append(about)
        document = {
            "classes": classes,
            "counts": [asdict(count) for count in self.counts],
            "stability": self.stability,
        }
        arrays: dict[str, NDArray[Any]] = {name: getattr(self, name) for name in _RELATION_ARRAYS}
        arrays["level"] = self.level
        arrays["profile"] = np.stack([one.profile for one in self.classes])
        arrays |= {
            f"likelihood_{field.name}": getattr(self.likelihood, field.name) for field in fields(ClassLikelihood)
        }
        return document, arrays

    @classmethod
    def from_parts(cls, document: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> ClassModel:
        """Make a model from its parts.

        Raises
        ------
        BadInputError
            If parts are missing or do not fit each other.
        """
        likelihood_names = {field.name: f"likelihood_{field.name}" for field in fields(ClassLikelihood)}
        for name in (*_RELATION_ARRAYS, "level", "profile", *likelihood_names.values()):
            if name not in arrays:
                raise BadInputError(f"classes.{name}", "must be there", None)
        try:
            classes = tuple(
                DemandClass(
                    **about
                    | {
                        "policy": PolicyTemplate(**about["policy"]),
                        "effects": {k: np.nan if v is None else v for k, v in about["effects"].items()},
                        "profile": profile,
                    }
                )
                for about, profile in zip(document["classes"], arrays["profile"], strict=True)
            )
            counts = tuple(ClassCount(**count) for count in document["counts"])
            stability = float(document["stability"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadInputError("classes", "must be a document of demand classes", str(error)) from None
        relations, count = len(arrays["source"]), len(classes)
        for name in _RELATION_ARRAYS:
            if arrays[name].shape != (relations,):
                raise BadInputError(f"classes.{name}", f"must have shape ({relations},)", arrays[name].shape)
        for name in ("level", *likelihood_names.values()):
            if len(arrays[name]) != count:
                raise BadInputError(
                    f"classes.{name}", f"must have a row for each of {count} classes", len(arrays[name])
                )
        label = arrays["relation_class"]
        if relations and not (label.min() >= 0 and label.max() < count):
            raise BadInputError("classes.relation_class", f"must lie in 0..{count - 1}", int(label.max()))
        likelihood = ClassLikelihood(**{name: arrays[stored] for name, stored in likelihood_names.items()})
        columns = {name: arrays[name] for name in _RELATION_ARRAYS}
        return cls(classes, counts, stability, **columns, likelihood=likelihood, level=arrays["level"])

    @cached_property
    def _nodes(self) -> int:
        return 1 + max(int(self.source.max(initial=-1)), int(self.target.max(initial=-1)))

    @cached_property
    def _key(self) -> NDArray[np.int64]:
        pair = self.source.astype(np.int64) * self._nodes + self.target
        return np.asarray(pair * WAYS + _way(self.mode, self.kind, self.priority))

    @cached_property
    def _way_class(self) -> NDArray[np.int16]:
        """Class of most exchanges of each way, with the fallbacks of `classify`, (WAYS,)."""
        count = len(self.classes)
        cell = _way(self.mode, self.kind, self.priority) * count + self.relation_class
        amount = np.bincount(cell, self.relation_exchanges, WAYS * count).reshape(MODES, -1, count)
        of_mode = np.broadcast_to(amount.sum(axis=1, keepdims=True), amount.shape)
        of_all = np.broadcast_to(amount.sum(axis=(0, 1)), amount.shape)
        table = np.where(amount.any(axis=2, keepdims=True), amount, of_mode)
        table = np.where(table.any(axis=2, keepdims=True), table, of_all)
        return np.asarray(table.argmax(axis=2).reshape(-1), dtype=np.int16)


def _way(mode: NDArray[np.integer], kind: NDArray[np.integer], priority: NDArray[np.integer]) -> NDArray[np.int64]:
    return np.asarray((mode.astype(np.int64) * KINDS + kind) * PRIORITIES + priority)
