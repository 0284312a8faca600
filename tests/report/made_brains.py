"""Makes the facts of a brain's page by hand: two classes, eight days, a month-end and a provisional day."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np

from router_core.time_grid import TimeGrid
from router_core.units import HOUR_NS
from sim.plan_table import FIGURES, PlannedDay, PlannedPool, PlanTable
from sim.report.brain_facts import class_facts, drift_facts, tide_facts
from strategies.classes.class_model import ClassCount, DemandClass, PolicyTemplate
from strategies.classes.drift import ClassDrift, DriftReport
from strategies.static.outlook import Hindsight, Score
from strategies.tides.blend import ModelScore, TideRecord
from strategies.tides.forecast import Forecast

BEGIN = datetime(2026, 3, 27)
DAYS = 8
HOURS = 24 * DAYS
POOLS = (("province-cloud", "省云", 6), ("east-cloud", "东市云", 4))


def make_classes(rename: str = "{}") -> tuple[DemandClass, ...]:
    """Queries by day and synchronisation by night."""
    hour = np.arange(168) % 24
    shapes = {"queries": (hour > 8) & (hour < 18) & (np.arange(168) < 120), "night-sync": hour < 5}
    titles = {"queries": ("Queries by day", "日间查询"), "night-sync": ("Synchronisation by night", "夜间同步")}
    policies = {
        "queries": PolicyTemplate(0, False, 0, 0, 2, "auto"),
        "night-sync": PolicyTemplate(3, True, 9 * HOUR_NS // 2, 4 << 20, 4, "auto"),
    }
    return tuple(
        DemandClass(
            name=name,
            title_en=rename.format(titles[name][0]),
            title_zh=rename.format(titles[name][1]),
            description_en=rename.format("Made by hand."),
            description_zh=rename.format("手工编写。"),
            policy=policies[name],
            relations=40 + 60 * number,
            exchanges_share=(0.9, 0.1)[number],
            bytes_share=(0.01, 0.99)[number],
            profile=shape / shape.mean(),
            effects={"weekend": (0.1, 0.8)[number], "month_end": (1.1, 4.0)[number], "holiday": np.nan},
            mean_bytes=(4e3, 2e8)[number],
        )
        for number, (name, shape) in enumerate(shapes.items())
    )  # fmt: skip


def make_model(rename: str = "{}") -> Any:
    """What facts ask of a class model."""
    counts = tuple(ClassCount(k, 1.0 if k == 2 else 0.7, 0.5 / k) for k in (2, 3, 4))
    return SimpleNamespace(classes=make_classes(rename), counts=counts, stability=1.0)


def make_outlook() -> Forecast:
    """Expect the profiles' shape of both classes, and of all."""
    hour = np.arange(HOURS) % 24
    each = np.stack([100.0 * ((hour > 8) & (hour < 18)) + 5, 30.0 * (hour < 5) + 1], axis=1)
    mean = np.concatenate([each, each.sum(axis=1, keepdims=True)], axis=1)
    grid = TimeGrid(BEGIN, HOUR_NS, HOURS)
    return Forecast(grid, np.floor(mean), np.ceil(1.4 * mean), mean, np.arange(HOURS) >= 24 * (DAYS - 1))


def make_seen(outlook: Forecast) -> Hindsight:
    """What came in the first day."""
    came = np.full(outlook.mean.shape, np.nan)
    came[:24] = np.round(1.1 * outlook.mean[:24])
    score = Score(0.12, 0.034, 0.96)
    return Hindsight(came, (score, score, Score(0.08, 0.02, 0.9)), Score(0.4, 0.09, 0.95), 0.015)


def make_record(held_out: bool = True) -> TideRecord:
    """The second model wins for the first class, the first one for the second."""
    weights = (("pooled", 0.6), ("pooled-week", 0.4))
    if not held_out:
        return TideRecord("", "", (), (), weights, 0)
    scores = (
        ModelScore("pooled", 0.3, 0.06, (0.31, 0.2), (0.06, 0.05), 0.6),
        ModelScore("pooled-week", 0.29, 0.06, (0.28, 0.4), (0.06, 0.07), 0.4),
        ModelScore("blend", 0.28, 0.05, (0.28, 0.2), (0.06, 0.05), 1.0),
    )
    return TideRecord("2026-03-20", "2026-03-26", (0, 1), scores, weights, 3)


def make_drift(model: Any) -> dict[str, Any]:
    """The second class has doubled, one relation is new."""
    classes = (ClassDrift(1.01, False, 0.02, 0.1, False), ClassDrift(2.0, True, 0.3, 0.1, True))
    none = np.empty(0, dtype=np.int64)
    report = DriftReport(
        none,
        none.astype(np.int16),
        none.astype(np.int16),
        np.array([7]),
        none,
        classes,
        ("Twice as much.",),
        ("翻倍。",),
    )
    return drift_facts(model, report, np.array([1]), 24)


def make_plan(rename: str = "{}") -> PlanTable:
    """A peak at ten each working day, less with holds; servers before noon."""
    hour = np.arange(HOURS) % 24
    peak = 0.2 + 0.5 * np.exp(-((hour - 10) ** 2) / 8)
    lent = np.stack([np.where((hour > 7) & (hour < 12), 3, 0), np.where(hour == 9, 2, 0)])
    values = {
        "peak_mean": peak,
        "peak_unheld": 1.2 * peak,
        "peak_high": 1.5 * peak,
        "churn": np.where(hour == 8, 0.1, 0.0),
        "held_share": np.where((hour > 8) & (hour < 12), 0.3, 0.0),
        "exchanges": np.full(HOURS, 10.0),
        "payload_bytes": np.full(HOURS, 1e6),
    }
    assert set(values) == set(FIGURES)
    return PlanTable(
        begin=BEGIN,
        slot_ns=HOUR_NS,
        slots=HOURS,
        days=[planned_day(BEGIN.date() + timedelta(days=number)) for number in range(DAYS)],
        servers=lent.sum(axis=0).tolist(),
        pools=[
            PlannedPool(name=rename.format(name), label_zh=rename.format(zh), servers=size, lent=row.tolist())
            for (name, zh, size), row in zip(POOLS, lent, strict=True)
        ],
        **{name: value.tolist() for name, value in values.items()},
    )


def planned_day(when: date) -> PlannedDay:
    """Say what is special about a day of the plan."""
    return PlannedDay(
        date=when.isoformat(),
        weekday=when.weekday(),
        kind="weekend" if when.weekday() > 4 else "workday",
        marks=["month_end"] if (when.month, when.day) in ((3, 30), (3, 31)) else [],
        provisional=when == BEGIN.date() + timedelta(days=DAYS - 1),
    )


def make_facts(*, seen: bool = True, held_out: bool = True, rename: str = "{}") -> dict[str, Any]:
    """Gather the facts of a page."""
    model, outlook = make_model(rename), make_outlook()
    return {
        "run": {
            "provenance": {
                "command": "exchange-router brain fit --scenario toy --trace history.parquet --seed 1",
                "version": "0.1.0",
                "commit": "0123456789abcdef0123456789abcdef01234567",
                "scenario": "toy",
                "scenario_digest": "5f2a" * 16,
                "seed": 1,
            },
            "scenario": {"name": "toy", "title_en": rename.format("Toy province"), "title_zh": rename.format("示例省")},
        },
        "history": {
            "begin": "2026-03-06T00:00:00",
            "end": "2026-03-27T00:00:00",
            "hours": 504,
            "relations": 140,
            "exchanges": 40_000,
            "payload_bytes": 10**12,
            "traces": ["history.parquet"],
            "digests": ["c01d" * 16],
        },
        "lines": "run, 24 h" if seen else None,
        "holds": seen,
        "topology": "beef" * 16,
        "learnt": class_facts(model),
        "drift": make_drift(model) if seen else None,
        "tides": tide_facts(make_record(held_out), model, outlook, make_seen(outlook) if seen else None),
        "plan": make_plan(rename).model_dump(mode="json"),
    }
