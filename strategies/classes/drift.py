"""What has changed since classes were fitted: who, which tides, which levels, and what is new or gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from router_core.demand_history import DemandHistory
from strategies.classes.likelihood import hour_rates
from strategies.classes.tally import HOURS, WEEK, WORKING_WEEK, Tally, tally

if TYPE_CHECKING:
    from strategies.classes.class_model import ClassModel

# A relation changed its class only if it says so itself, clearly.
SURE: Final = 0.99
EXCHANGES_MIN: Final = 50
# Population stability index (Lewis, 1994): below a tenth nothing that a plan would notice has moved. And between two
# samples of n and m it is (1/n + 1/m) times a chi-squared of as many degrees as there are bins, less one (Yurdakul,
# 2018): a class with few exchanges must move more before that is no chance.
INDEX_MIN: Final = 0.1
CHANCE: Final = 1e-4
# Levels: a quarter up or down, and more than chance would do. Classes are a little livelier than Poisson's law.
LEVEL_MIN: Final = 1.25
DEVIATIONS: Final = 6.0
DISPERSION: Final = 2.0


@dataclass(frozen=True, eq=False)
class ClassDrift:
    """How one class has moved.

    Attributes
    ----------
    level : float
        Exchanges against what the class's week and calendar would have brought; NaN where nothing was expected.
    level_moved : bool
    index : float
        Population stability index of the shape of its plain days, working and off; NaN where no such day came.
    index_limit : float
        What it must exceed to count; NaN with it.
    shape_moved : bool
    """

    level: float
    level_moved: bool
    index: float
    index_limit: float
    shape_moved: bool


@dataclass(frozen=True, eq=False)
class DriftReport:
    """A later history against the model.

    Attributes
    ----------
    changed : int64 (n,)
        Relations of the model, by row, that now look like another class.
    changed_from, changed_to : int16 (n,)
    new : int64 (m,)
        Relations of the history, by row, that the model does not know.
    vanished : int64 (v,)
        Relations of the model, by row, that exchanged nothing.
    classes : tuple of ClassDrift
    texts_en, texts_zh : tuple of str
        What was found, a sentence each; empty if nothing moved.
    """

    changed: NDArray[np.int64]
    changed_from: NDArray[np.int16]
    changed_to: NDArray[np.int16]
    new: NDArray[np.int64]
    vanished: NDArray[np.int64]
    classes: tuple[ClassDrift, ...]
    texts_en: tuple[str, ...]
    texts_zh: tuple[str, ...]

    @property
    def moved(self) -> bool:
        """Whether a class moved, or a relation changed its class."""
        return bool(len(self.changed)) or any(one.level_moved or one.shape_moved for one in self.classes)


def drift_of(model: ClassModel, history: DemandHistory) -> DriftReport:
    """Compare a later history with a model.

    A class is judged on the relations that the model has in it, and on new ones that look like it.

    Raises
    ------
    BadInputError
        If some hour of the day is never observed.
    """
    about = history.relations
    row = model.find(about.source, about.target, about.mode, about.kind, about.priority)
    label, confidence = model.assign(history)
    seen = history.totals()
    here = np.flatnonzero(row >= 0)
    before = model.relation_class[row[here]]
    clear = (confidence[here] >= SURE) & (seen[here] >= EXCHANGES_MIN)
    moved = here[clear & (label[here] != before)]
    met = np.zeros(len(model.source), dtype=np.bool_)
    met[row[here[seen[here] > 0]]] = True
    member = label.astype(np.int64)
    member[here] = before
    counted = tally(history, member, len(model.classes))
    classes = tuple(_class_drift(model, counted, index) for index in range(len(model.classes)))
    report = DriftReport(
        changed=row[moved].astype(np.int64),
        changed_from=model.relation_class[row[moved]],
        changed_to=label[moved],
        new=np.flatnonzero((row < 0) & (seen > 0)).astype(np.int64),
        vanished=np.flatnonzero(~met & (model.relation_exchanges > 0)).astype(np.int64),
        classes=classes,
        texts_en=(),
        texts_zh=(),
    )
    english, chinese = _texts(model, report)
    return DriftReport(**vars(report) | {"texts_en": english, "texts_zh": chinese})


def _class_drift(model: ClassModel, counted: Tally, index: int) -> ClassDrift:
    about = model.likelihood
    kinds = counted.kinds
    rates = hour_rates(about.week[index : index + 1], about.effects[index : index + 1], kinds)[0]
    expected = model.level[index] * rates * kinds.hours
    found, wanted = counted.counts[index].sum(), expected.sum()
    level = float(found / wanted) if wanted > 0 else np.nan
    fitted = float(model.relation_exchanges[model.relation_class == index].sum())
    deviation = np.sqrt(DISPERSION * (1 / max(found, 1.0) + 1 / max(fitted, 1.0)))
    far = wanted > 0 and abs(np.log(max(found, 0.5) / wanted))
    plain = _by_day(counted.counts[index])
    usual = _by_day(expected)
    value = limit = np.nan
    if plain.sum() > 0:
        value = _stability_index(plain, usual)
        chance = chi2.ppf(1 - CHANCE, 2 * HOURS - 1) * (1 / plain.sum() + 1 / max(fitted, 1.0)) * DISPERSION
        limit = max(INDEX_MIN, float(chance))
    return ClassDrift(
        level=level,
        level_moved=bool(far > np.log(LEVEL_MIN) and far > DEVIATIONS * deviation),
        index=value,
        index_limit=limit,
        shape_moved=bool(value > limit),
    )


def _by_day(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Counts in the hours of plain working days and of plain days off, (48,)."""
    working = counts[:WORKING_WEEK].reshape(5, HOURS).sum(axis=0)
    return np.concatenate([working, counts[WORKING_WEEK:WEEK].reshape(2, HOURS).sum(axis=0)])


def _stability_index(found: NDArray[np.float64], usual: NDArray[np.float64]) -> float:
    """Sum of (p - q) log(p / q); half an exchange is added to each bin, so that none is empty."""
    compared = (found + usual) > 0
    p, q = (shares[compared] + 0.5 for shares in (found, usual))
    p, q = p / p.sum(), q / q.sum()
    return float(((p - q) * np.log(p / q)).sum())


def _texts(model: ClassModel, report: DriftReport) -> tuple[tuple[str, ...], tuple[str, ...]]:
    english, chinese = [], []
    for about, one in zip(model.classes, report.classes, strict=True):
        if one.level_moved:
            english.append(f"{about.title_en}: {one.level:.2f} times the exchanges that its week would have brought.")
            chinese.append(f"{about.title_zh}：交换量为常态的{one.level:.2f}倍。")
        if one.shape_moved:
            english.append(
                f"{about.title_en}: other hours than before (index {one.index:.2f} > {one.index_limit:.2f})."
            )
            chinese.append(f"{about.title_zh}：时段分布已变化（指数{one.index:.2f}，限值{one.index_limit:.2f}）。")
    for rows, words, words_zh in (
        (report.changed, "look like another class now", "条关系现属另一类别"),
        (report.new, "are new", "条新增关系"),
        (report.vanished, "exchanged nothing", "条关系未再发生交换"),
    ):
        if len(rows):
            english.append(f"Relations that {words}: {len(rows)}.")
            chinese.append(f"{len(rows)}{words_zh}。")
    return tuple(english), tuple(chinese)
