"""What `compare` writes: verdict, page, tables."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa

from sim.report.blocks import Page, Words
from sim.studies.comparison.arms import setting_of
from sim.studies.comparison.compare import Compared
from sim.studies.comparison.page import blocks_of
from sim.studies.comparison.tails import EDGES_NS
from sim.studies.comparison.words import verdict_of
from sim.studies.measures import MEASURES, MODES
from sim.studies.paired import Effect, Estimate
from sim.studies.study import Study, StudyFolder


def study_folder(compared: Compared, provenance: dict[str, Any], scenario: Words) -> StudyFolder:
    """Return all that is written, from what was found."""
    verdict = verdict_of(compared)
    count = len(compared.order.arms)
    page = Page(
        title=Words(f"Comparison of {count} arms", f"{count} 个方案的对比"),
        scenario=scenario,
        verdict=verdict,
        blocks=blocks_of(compared),
    )
    study = Study(
        kind="compare",
        provenance=provenance,
        verdict=verdict,
        seeds=[one.seed for one in compared.replications],
        found=found_of(compared),
    )
    tables = {"runs": _runs(compared), "differences": _differences(compared), "tails": _tails(compared)}
    return StudyFolder(study, page, tables)


def found_of(compared: Compared) -> dict[str, Any]:
    """Return what the study tells programs; JSON's types."""
    order = compared.order
    return {
        "base": order.arms[0].label,
        "arms": [
            {
                "label": arm.label,
                "brain": arm.brain.name,
                "prepared": arm.brain.prepared and arm.brain.prepared.name,
                "setting": setting_of(arm),
                "changes": list(arm.changes),
                "faults": arm.faults and arm.faults.name,
            }
            for arm in order.arms
        ],
        "measures": list(compared.measures),
        "confidence": order.confidence,
        "effects": [
            {"arm": arm.label, "measure": name, **_effect(one)}
            for name in compared.measures
            for arm, one in zip(order.arms[1:], compared.effects[name], strict=True)
        ],
        "lost": [{"arm": arm.label, **_effect(one)} for arm, one in zip(order.arms[1:], compared.lost, strict=True)],
        "replications": [
            {
                "seed": one.seed,
                "traces": [path.name for path in one.traces],
                "trace_digests": list(one.digests),
            }
            for one in compared.replications
        ],
        "pilot": compared.pilot,
        "precision_reached": compared.precise,
        "warm_up_s": compared.warm_up_ns / 1e9,
        "warm_up_found": compared.warm_up_found,
    }


def _effect(one: Effect | None) -> dict[str, Any]:
    if one is None:
        return {"pairs": None}
    return {
        "pairs": one.pairs,
        "base_mean": one.base,
        "other_mean": one.other,
        "difference": _ends(one.difference),
        "change": None if one.change is None else _ends(one.change),
        "confidence": one.confidence,
        "lower": one.lower,
        "equal": one.equal,
        "sign_p": one.sign_p,
    }


def _ends(one: Estimate) -> dict[str, float | None]:
    return {"value": one.value, "low": one.low, "high": one.high}


def _runs(compared: Compared) -> pa.Table:
    """One row an arm, replication and measure; null where nothing was delivered that it speaks of."""
    rows = [
        (place, arm.label, number, one.seed, name, value if math.isfinite(value) else None)
        for place, arm in enumerate(compared.order.arms)
        for number, one in enumerate(compared.replications)
        for name in MEASURES
        for value in [float(compared.values[name][place, number])]
    ]
    return _table(
        rows,
        {"arm": "i4", "label": "str", "replication": "i4", "seed": "i8", "measure": "str", "value": "f8"},
    )


def _differences(compared: Compared) -> pa.Table:
    """One row an arm but the base, and measure."""
    rows = []
    for place, arm in enumerate(compared.order.arms[1:]):
        for name in MEASURES:
            one = compared.effects[name][place]
            if one is None:
                continue
            change = one.change or Estimate(math.nan, None, None)
            rows.append(
                (
                    place + 1,
                    arm.label,
                    name,
                    name in compared.measures,
                    one.pairs,
                    one.base,
                    one.other,
                    one.difference.value,
                    one.difference.low,
                    one.difference.high,
                    change.value if one.change else None,
                    change.low,
                    change.high,
                    one.confidence,
                    one.lower,
                    one.equal,
                    one.sign_p,
                )
            )
    return _table(
        rows,
        {
            "arm": "i4",
            "label": "str",
            "measure": "str",
            "asked": "?",
            "pairs": "i4",
            "base_mean": "f8",
            "other_mean": "f8",
            "difference": "f8",
            "difference_low": "f8",
            "difference_high": "f8",
            "change": "f8",
            "change_low": "f8",
            "change_high": "f8",
            "confidence": "f8",
            "lower": "i4",
            "equal": "i4",
            "sign_p": "f8",
        },
    )


def _tails(compared: Compared) -> pa.Table:
    """One row an arm, mode and time: how many exchanges of all replications took longer, 0 left out."""
    rows = []
    for place, arm in enumerate(compared.order.arms):
        for mode in MODES:
            total, *above = compared.tails[mode][place].tolist()
            rows += [
                (place, arm.label, mode, edge, count, total)
                for edge, count in zip(EDGES_NS.tolist(), above, strict=True)
                if count
            ]
    kinds = {"arm": "i4", "label": "str", "mode": "str", "longer_than_ns": "i8", "exchanges": "i8", "delivered": "i8"}
    return _table(rows, kinds)


_KINDS = {"i4": pa.int32(), "i8": pa.int64(), "f8": pa.float64(), "str": pa.string(), "?": pa.bool_()}


def _table(rows: list[tuple[Any, ...]], kinds: dict[str, str]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(kinds)
    return pa.table(
        {name: pa.array(column, _KINDS[kind]) for (name, kind), column in zip(kinds.items(), columns, strict=True)}
    )
