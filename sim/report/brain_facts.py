"""What a brain learnt, as plain JSON-ready values: for the page, and for `--json`."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from strategies.classes.class_model import ClassCount, ClassModel, DemandClass
from strategies.classes.drift import DriftReport
from strategies.static.outlook import Hindsight, Score
from strategies.tides.blend import TideRecord
from strategies.tides.forecast import Forecast

DIGITS: Final = 5


def class_facts(model: ClassModel) -> dict[str, Any]:
    """The classes, and how stable so many of them, and other numbers of them, are."""
    return {
        "classes": [_class(one) for one in model.classes],
        "counts": [_count(one) for one in model.counts],
        "stability": _number(model.stability),
    }


def drift_facts(model: ClassModel, report: DriftReport, assigned: NDArray[np.integer], hours: int) -> dict[str, Any]:
    """What has changed since the classes were found; `assigned`: the class of each relation that is new."""
    joined = np.bincount(assigned, minlength=len(model.classes))
    left = np.bincount(report.changed_from, minlength=len(model.classes))
    entered = np.bincount(report.changed_to, minlength=len(model.classes))
    return {
        "hours": hours,
        "moved": report.moved,
        "changed": len(report.changed),
        "new": len(report.new),
        "vanished": len(report.vanished),
        "texts_en": list(report.texts_en),
        "texts_zh": list(report.texts_zh),
        "classes": [
            {
                "name": about.name,
                "level": _number(one.level),
                "level_moved": one.level_moved,
                "index": _number(one.index),
                "index_limit": _number(one.index_limit),
                "shape_moved": one.shape_moved,
                "new": int(joined[row]),
                "left": int(left[row]),
                "entered": int(entered[row]),
            }
            for row, (about, one) in enumerate(zip(model.classes, report.classes, strict=True))
        ],
    }


def tide_facts(
    record: TideRecord, model: ClassModel, outlook: Forecast, seen: Hindsight | None = None
) -> dict[str, Any]:
    """The forecast by class and in all, how it was chosen, and what came."""
    names = [one.name for one in model.classes]
    quantiles = {
        name: [_numbers(column) for column in getattr(outlook, name).T] for name in ("p50", "p95", "mean")
    }  # C + 1 rows: classes, then all
    return {
        "begin": outlook.grid.begin.isoformat(),
        "step_ns": outlook.grid.step_ns,
        "provisional_hours": int(outlook.provisional.sum()),
        **quantiles,
        "chosen": {
            "held_out": [record.first, record.last] if record.first else None,
            "outliers": record.outliers,
            "weights": {name: round(weight, DIGITS) for name, weight in record.weights},
            "scores": [
                {
                    "model": one.model,
                    "wape": _number(one.wape),
                    "pinball": _number(one.pinball),
                    "by_class": {
                        names[group]: {"wape": _number(wape), "pinball": _number(pinball)}
                        for group, wape, pinball in zip(
                            record.groups, one.wape_by_group, one.pinball_by_group, strict=True
                        )
                    },
                }
                for one in record.scores
            ],
        },
        "seen": None
        if seen is None
        else {
            "came": [_numbers(column) for column in seen.came.T],
            "hours": int(np.isfinite(seen.came[:, -1]).sum()),
            "series": _score(seen.series),
            "unforeseen": _number(seen.unforeseen),
            "classes": {name: _score(score) for name, score in zip(names, seen.whole[:-1], strict=True)},
            "all": _score(seen.whole[-1]),
        },
    }


def _class(one: DemandClass) -> dict[str, Any]:
    return {
        "name": one.name,
        "title_en": one.title_en,
        "title_zh": one.title_zh,
        "description_en": one.description_en,
        "description_zh": one.description_zh,
        "relations": one.relations,
        "exchanges_share": _number(one.exchanges_share),
        "bytes_share": _number(one.bytes_share),
        "mean_bytes": _number(one.mean_bytes),
        "profile": _numbers(one.profile),
        "effects": {name: _number(value) for name, value in one.effects.items()},
        "policy": asdict(one.policy),
    }


def _count(one: ClassCount) -> dict[str, Any]:
    return {"classes": one.classes, "stability": _number(one.stability), "silhouette": _number(one.silhouette)}


def _score(score: Score) -> dict[str, float | None]:
    return {name: _number(value) for name, value in asdict(score).items()}


def _number(value: float) -> float | None:
    """Round to a few digits; None for NaN, which JSON lacks."""
    return None if math.isnan(value) else float(f"{value:.{DIGITS}g}")


def _numbers(values: ArrayLike) -> list[float | None]:
    return [_number(value) for value in np.asarray(values, dtype=np.float64).tolist()]
