"""What `survive` writes: verdict, page, tables."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any, Final

import pyarrow as pa

from sim.report.blocks import Page, Words
from sim.studies.study import Study, StudyFolder
from sim.studies.survival.page import blocks_of
from sim.studies.survival.survive import Suffered, Survived, ranked
from sim.studies.survival.trial import Harm
from sim.studies.survival.words import Share, beyond, pair_shares, verdict_of

_TYPES: Final = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "int | None": pa.int64()}
_MEANS: Final = ("lost", *(one.name for one in fields(Harm) if one.name != "normal"))


def study_folder(survived: Survived, provenance: dict[str, Any], scenario: Words) -> StudyFolder:
    """Return all that is written, from what was found."""
    verdict = verdict_of(survived)
    page = Page(
        title=Words("What failures cost", "故障的代价"),
        scenario=scenario,
        verdict=verdict,
        blocks=blocks_of(survived),
    )
    study = Study(
        kind="survive",
        provenance=provenance,
        verdict=verdict,
        seeds=list(survived.spec.seeds),
        found=found_of(survived),
    )
    return StudyFolder(study, page, {"failures": _failures(survived), "ranking": _ranking(survived)})


def found_of(survived: Survived) -> dict[str, Any]:
    """Return what the study tells programs; JSON's types."""
    spec, shares = survived.spec, pair_shares(survived)
    return {
        "brain": spec.brain.name,
        "kinds": list(spec.kinds),
        "changes": list(spec.changes),
        "at": survived.hours,
        "lead_s": spec.span.lead_ns / 1e9,
        "lasts_s": spec.span.lasts_ns / 1e9,
        "tail_s": spec.span.tail_ns / 1e9,
        "late_by_s": spec.bounds.late_by_ns / 1e9,
        "band": spec.bounds.band,
        "singles": len(survived.singles),
        "losing": sum(one.mean("lost") > 0 for one in survived.singles),
        "cutting": sum(one.mean("cut_pairs") > 0 for one in survived.singles),
        "worst": [_told(one) for one in survived.ranked[:10]],
        "pairs": None
        if shares is None
        else {
            "tried": len(survived.paired),
            "population": survived.pairs.population,
            "whole": survived.pairs.whole,
            "losing": _ends(shares.losing),
            "cutting": _ends(shares.cutting),
            "compounding": _ends(shares.compounding),
            "worst": [_told(one) for one in ranked(survived.paired)[:10]],
        },
        "baselines": [
            {"at": moment.at, "seed": moment.case.seed, **base}
            for moment, base in zip(survived.moments, survived.baselines, strict=True)
        ],
    }


def _told(one: Suffered) -> dict[str, Any]:
    return {
        "name": one.failure.name,
        "kinds": [element.kind for element in one.failure.elements],
        "lost": one.mean("lost"),
        "late": one.mean("late"),
        "late_share": one.late_share,
        "missed": one.mean("missed"),
        "after_return_s": max(harm.after_return_s for harm in one.harms),
        "normal": one.always_normal,
        "cut_pairs": one.mean("cut_pairs"),
    }


def _ends(share: Share) -> dict[str, float]:
    return {"value": share.value, "low": share.low, "high": share.high}


def _identity(one: Suffered) -> dict[str, Any]:
    first, *second = one.failure.elements
    return {
        "failure": one.failure.name,
        "kind": first.kind,
        "element": first.name,
        "other_kind": second[0].kind if second else None,
        "other_element": second[0].name if second else None,
    }


_IDENTITY: Final = [
    pa.field(name, pa.string()) for name in ("failure", "kind", "element", "other_kind", "other_element")
]


def _failures(survived: Survived) -> pa.Table:
    """One row a failure, hour and seed: singles in the order of the elements, then pairs."""
    schema = pa.schema(
        [
            *_IDENTITY,
            pa.field("at", pa.string()),
            pa.field("seed", pa.int64()),
            pa.field("lost", pa.int64()),
            *(pa.field(one.name, _TYPES[str(one.type)]) for one in fields(Harm)),
        ]
    )
    rows = [
        {**_identity(one), "at": moment.at, "seed": moment.case.seed, "lost": harm.lost, **asdict(harm)}
        for one in (*survived.singles, *survived.paired)
        for moment, harm in zip(survived.moments, one.harms, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema)


def _ranking(survived: Survived) -> pa.Table:
    """One row a failure, the worst first, singles and pairs ranked together; numbers are means over hours and seeds."""
    schema = pa.schema(
        [
            pa.field("rank", pa.int64()),
            *_IDENTITY,
            pa.field("late_share", pa.float64()),
            pa.field("after_return_s_max", pa.float64()),
            pa.field("always_normal", pa.bool_()),
            *(pa.field(name, pa.float64()) for name in _MEANS),
            *(pa.field(f"{name}_beyond_both", pa.float64()) for name in ("lost", "late", "cut_pairs")),
        ]
    )
    rows = []
    for place, one in enumerate(ranked((*survived.singles, *survived.paired))):
        means = {name: one.mean(name) for name in _MEANS}
        rows.append(
            {
                "rank": place + 1,
                **_identity(one),
                "late_share": one.late_share,
                "after_return_s_max": max(harm.after_return_s for harm in one.harms),
                "always_normal": one.always_normal,
                **{name: value if value == value else None for name, value in means.items()},  # noqa: PLR0124 - NaN
                **{
                    f"{name}_beyond_both": beyond(survived, one, name) if len(one.failure.members) > 1 else None
                    for name in ("lost", "late", "cut_pairs")
                },
            }
        )
    return pa.Table.from_pylist(rows, schema)
