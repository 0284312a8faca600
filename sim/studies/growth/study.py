"""What `grow` found, as a study's folder: verdict, tables, page."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import pyarrow as pa

from sim.report.blocks import Page, Verdict, Words
from sim.studies.growth.grow import Grown
from sim.studies.growth.page import blocks_of
from sim.studies.growth.rates import DAYS_A_YEAR
from sim.studies.growth.worst_hour import COMPARED, Verified
from sim.studies.measures import MEASURES
from sim.studies.study import Study, StudyFolder
from sim.studies.written import iso

INNER: Final = 0.9
# What a search leaves open by its own tolerance.
PROVEN: Final = 1e-4


def drawn_span(grown: Grown) -> tuple[datetime | None, datetime | None, int]:
    """Return between which instants nine of ten seeds reach their first limit, and how many reach one at all."""
    reached = sorted(one for one in grown.limits.drawn.values() if one is not None)
    if not reached:
        return None, None, 0
    cut = int(len(reached) * (1 - INNER) / 2)
    return reached[cut], reached[len(reached) - 1 - cut], len(reached)


def verdict_of(grown: Grown, verified: Verified | None) -> Verdict:
    """Return the answer in a sentence."""
    spec, first = grown.spec, grown.limits.first
    seeds = len(grown.limits.drawn)
    low, high, reached = drawn_span(grown)
    percent = f"{100 * spec.limit:g} %"
    if first is None:
        busiest = grown.limits.busiest()
        room = f"{100 * busiest.peak_degree * spec.limit:.0f} %"
        text = Words(
            f"No limit ({percent} in an hour) is reached in {spec.years} years: {busiest.name} comes nearest, {room} "
            f"at {busiest.peak:%Y-%m-%d %H:00}; by chance it is in {reached} of {seeds} seeds.",
            f"{spec.years}年内未达到上限（小时利用率 {percent}）：最接近的是 {busiest.name}，"
            f"{busiest.peak:%Y-%m-%d %H:00} 为 {room}；{seeds} 个种子中有 {reached} 个偶然达到。",
        )
        return Verdict(text=text, confidence=(seeds - reached) / seeds if seeds > reached else None, good=True)
    assert first.first is not None
    english = f"The first limit ({percent} in an hour) is {first.name}, on {first.first:%Y-%m-%d at %H:00}"
    chinese = f"最先达到上限（小时利用率 {percent}）的是 {first.name}，时间 {first.first:%Y-%m-%d %H:00}"
    if low is not None and high is not None:
        one_day = low.date() == high.date()
        days, days_zh = ("that day", "当日") if one_day else (f"{low:%Y-%m-%d} to {high:%Y-%m-%d}",) * 2
        english += f"; {reached} of {seeds} seeds reach one, nine of ten of them {days}"
        chinese += f"；{seeds} 个种子中 {reached} 个达到，其中九成在{days_zh}"
    proposal = grown.proposal
    assert proposal is not None
    count = len(proposal.upgrades)
    away = f"{100 * gap_of(grown):.2g} %"
    proven = gap_of(grown) < PROVEN
    proof = "the cheapest, proven" if proven else f"at most {away} above the cheapest"
    proof_zh = "已证明最省" if proven else f"与最省至多相差 {away}"
    if proposal.beyond:
        english += f"; no upgrade suffices for {len(proposal.beyond)} stations, for the others"
        chinese += f"；{len(proposal.beyond)} 个站点无法通过升级满足，其余站点"
    english += f"; {count} upgrades for {proposal.cost:,.0f} units of cost suffice until the end ({proof})."
    chinese += f"；共 {count} 项升级、{proposal.cost:,.0f} 成本单位即可满足全期（{proof_zh}）。"
    if verified is not None:
        before, after = (verified.mean("missed.all", upgraded=upgraded) for upgraded in (False, True))
        if before is not None and after is not None:
            english += f" Replayed, the worst hour misses {after:,.0f} deadlines instead of {before:,.0f}."
            chinese += f"回放最差小时：超期数由 {before:,.0f} 变为 {after:,.0f}。"
    return Verdict(
        text=Words(english, chinese), confidence=INNER if reached else None, good=False if proposal.beyond else None
    )


def gap_of(grown: Grown) -> float:
    """Relative distance of the upgrades' cost to the proven bound."""
    proposal = grown.proposal
    return 0.0 if proposal is None or proposal.cost <= 0 else (proposal.cost - proposal.lower_bound) / proposal.cost


def found_of(grown: Grown, verified: Verified | None) -> dict[str, Any]:
    """Return what programs want to know."""
    low, high, reached = drawn_span(grown)
    first, proposal = grown.limits.first, grown.proposal
    found: dict[str, Any] = {
        "routing": grown.routing,
        "start": grown.spec.start.isoformat(),
        "years": grown.spec.years,
        "limit": grown.spec.limit,
        "quantile": grown.spec.quantile,
        "first": None if first is None else {"name": first.name, "at": iso(first.first), "degree": first.first_degree},
        "limits": len(grown.limits.in_order()),
        "busiest": {
            "name": grown.limits.busiest().name,
            "at": iso(grown.limits.busiest().peak),
            "degree": grown.limits.busiest().peak_degree,
        },
        "seeds": {"count": len(grown.limits.drawn), "reached": reached, "from": iso(low), "to": iso(high)},
    }
    if proposal is not None:
        found["upgrades"] = {
            "cost": proposal.cost,
            "lower_bound": proposal.lower_bound,
            "changes": list(proposal.changes),
            "beyond": [list(one) for one in proposal.beyond],
            "resplit": proposal.resplit,
            "rounds": proposal.rounds,
            "degree_after": grown.after,
            "hours": [one.when.isoformat() for one in grown.hours],
        }
    if verified is not None:
        found["replay"] = {
            "at": verified.when.isoformat(),
            "seeds": list(verified.seeds),
            "changes": list(verified.changes),
            "before": {name: verified.mean(name, upgraded=False) for name in COMPARED},
            "after": {name: verified.mean(name, upgraded=True) for name in COMPARED},
        }
    return found


def tables_of(grown: Grown, verified: Verified | None) -> dict[str, pa.Table]:
    """Return the tables: growth, limits, tide, upgrades, seeds, replay."""
    spec, tide = grown.spec, grown.limits.tide
    kinds = [kind.name for kind in grown.platform.demand.types]
    ends = [(kind, year) for year in range(spec.years + 1) for kind in kinds]
    tables = {
        "growth": pa.table(
            {
                "year": [year for _, year in ends],
                "type": [kind for kind, _ in ends],
                "factor": [spec.growth.factor(kind, year * DAYS_A_YEAR) for kind, year in ends],
            }
        ),
        "limits": pa.table(
            {
                "name": [one.name for one in _ordered(grown)],
                "first": [one.first for one in _ordered(grown)],
                "first_degree": [one.first_degree for one in _ordered(grown)],
                "peak": [one.peak for one in _ordered(grown)],
                "peak_degree": [one.peak_degree for one in _ordered(grown)],
                "hours": [one.hours for one in _ordered(grown)],
            },
            schema=pa.schema(
                [
                    ("name", pa.string()),
                    ("first", pa.timestamp("s")),
                    ("first_degree", pa.float64()),
                    ("peak", pa.timestamp("s")),
                    ("peak_degree", pa.float64()),
                    ("hours", pa.int64()),
                ]
            ),
        ),
        "tide": pa.table(
            {
                "day": pa.array([one.date() for one in tide.day], pa.date32()),
                "hour": tide.hour,
                "degree": tide.degree,
                "name": tide.name,
                "exchanges": tide.exchanges,
            }
        ),
        "seeds": pa.table(
            {
                "seed": list(grown.limits.drawn),
                "first": pa.array(list(grown.limits.drawn.values()), pa.timestamp("s")),
            }
        ),
    }
    if grown.proposal is not None:
        upgrades = grown.proposal.upgrades
        tables["upgrades"] = pa.table(
            {
                "kind": pa.array([one.kind for one in upgrades], pa.string()),
                "place": pa.array([one.place for one in upgrades], pa.string()),
                "before": pa.array([one.before for one in upgrades], pa.float64()),
                "after": pa.array([one.after for one in upgrades], pa.float64()),
                "unit": pa.array([one.unit for one in upgrades], pa.string()),
                "cost": pa.array([one.cost for one in upgrades], pa.float64()),
                "change": pa.array([one.change for one in upgrades], pa.string()),
            }
        )
    if verified is not None:
        runs = [
            (seed, upgraded, row)
            for upgraded, of_kind in ((False, verified.before), (True, verified.after))
            for seed, row in zip(verified.seeds, of_kind, strict=True)
        ]
        tables["replay"] = pa.table(
            {
                "seed": [seed for seed, _, _ in runs],
                "upgraded": [upgraded for _, upgraded, _ in runs],
                **{name: [row[name] for _, _, row in runs] for name in MEASURES},
            }
        )
    return tables


def study_folder(grown: Grown, verified: Verified | None, origin: dict[str, Any], scenario: Words) -> StudyFolder:
    """Return all that the study writes."""
    verdict = verdict_of(grown, verified)
    page = Page(
        title=Words("Growth: first limits and the cheapest upgrade", "增长：最先达到的上限与最省的升级"),
        scenario=scenario,
        verdict=verdict,
        blocks=blocks_of(grown, verified),
    )
    found = found_of(grown, verified)
    study = Study(kind="grow", provenance=origin, verdict=verdict, seeds=list(grown.limits.drawn), found=found)
    return StudyFolder(study, page, tables_of(grown, verified))


def _ordered(grown: Grown) -> list[Any]:
    reached = grown.limits.in_order()
    names = {one.name for one in reached}
    others = [one for one in grown.limits.courses.values() if one.name not in names]
    return [*reached, *sorted(others, key=lambda one: (-one.peak_degree, one.name))]
