"""`survive`: what every single failure costs, and pairs of them, ranked, with the weakest points on the map."""

from __future__ import annotations

import re
from typing import Annotated, Final

import typer
from rich.table import Table

from exchange_router import console, provenance
from exchange_router.options import AsJson, Scenario, Seed
from exchange_router.study_options import (
    Change,
    Hours,
    Load,
    Out,
    PerDay,
    Prepared,
    Setting,
    Start,
    Surge,
    Traces,
    Workers,
    traffic,
)
from exchange_router.study_work import finish, traffic_words, work_folder
from router_core.errors import BadInputError
from router_core.units import HOUR_NS, MINUTE_NS, SECOND_NS
from sim.report.blocks import Words
from sim.studies.case import BrainChoice, platform_of
from sim.studies.study import replaceable
from sim.studies.survival.elements import KINDS, USUAL, chosen_kinds
from sim.studies.survival.normal import Bounds
from sim.studies.survival.study import study_folder
from sim.studies.survival.survive import Suffered, Survived, SurviveSpec, ranked, survive
from sim.studies.survival.window import Span
from sim.studies.survival.words import duration, kind_of, percent
from sim.workers import open_workers

ROWS_SHOWN: Final = 15
SEEDS_MAX: Final = 10_000
PAIRS_MAX: Final = 10_000_000
SPAN_MAX_NS: Final = 7 * 24 * HOUR_NS
_LENGTH: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(s|min|h)")
_UNITS_NS: Final = {"s": SECOND_NS, "min": MINUTE_NS, "h": HOUR_NS}


def survive_failures(
    out: Out,
    scenario: Scenario = "jiangxi",
    brain: Annotated[str, typer.Option(help="Brain under which failures happen.  策略。")] = "static",
    prepared: Prepared = None,
    setting: Setting = None,
    change: Change = None,
    trace: Traces = None,
    start: Start = None,
    hours: Hours = 24.0,
    exchanges_per_day: PerDay = None,
    load: Load = 1.0,
    surge: Surge = None,
    kinds: Annotated[
        str | None,
        typer.Option(help=f"What fails: `all`, or of {', '.join(KINDS)} (default: {','.join(USUAL)}).  故障类型。"),
    ] = None,
    pairs: Annotated[str, typer.Option(help="How many pairs of failures to draw, or `all`.  双重故障数。")] = "0",
    at: Annotated[
        list[str] | None,
        typer.Option(help="When failures begin, e.g. 10:00; repeatable (default: the busiest hour).  故障时刻。"),
    ] = None,
    lasts: Annotated[str, typer.Option(help="How long a failure lasts, e.g. 30min.  故障持续时间。")] = "30min",
    lead: Annotated[
        str, typer.Option(help="Lived before it, so that queues and brain are in their state.  预热时间。")
    ] = "15min",
    tail: Annotated[str, typer.Option(help="Lived after its return.  恢复后观察时间。")] = "30min",
    late_by: Annotated[
        str, typer.Option(help="Late is what comes later than without it by more than this.  推迟阈值。")
    ] = "10s",
    band: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of exchanges that may be late in normal times.  正常范围。")
    ] = 0.001,
    seeds: Annotated[
        int, typer.Option(min=1, max=SEEDS_MAX, help="Replications, each with its own seed.  种子数。")
    ] = 1,
    seed: Seed = 1,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """What every failure costs: lost, late, moved, and how long until normal.  各类故障的代价与恢复时间。"""
    replaceable(out)
    spec = SurviveSpec(
        scenario=scenario,
        brain=BrainChoice.of_files(brain, prepared, setting),
        traffic=traffic(trace, start, hours, exchanges_per_day, load, surge),
        changes=tuple(change or ()),
        kinds=chosen_kinds(kinds),
        pairs=_pairs(pairs),
        at=tuple(at or ()),
        seeds=tuple(range(seed, seed + seeds)),
        span=Span(_length("--lead", lead, 0), _length("--lasts", lasts, 1), _length("--tail", tail, MINUTE_NS)),
        bounds=Bounds(_length("--late-by", late_by, 0), band),
    )
    platform = platform_of(scenario, spec.changes)
    titles = {
        "traces": console.text("traces", "轨迹"),
        "baselines": console.text("hours without failure", "无故障时段"),
        "failures": console.text("failures", "故障"),
    }
    with work_folder(out) as folder, open_workers(workers) as many, console.bars() as bars:
        survived = survive(
            spec,
            many,
            folder,
            lambda what, done, count: bars.update(titles[what], done / count, f"{titles[what]} {done}/{count}"),
        )
    origin = provenance.provenance(
        provenance.command(
            "survive",
            scenario=scenario,
            brain=brain,
            prepared=prepared and prepared.name,
            setting=setting and setting.name,
            change=change,
            **traffic_words(trace, start, hours, exchanges_per_day, load, surge),
            kinds=",".join(spec.kinds),
            pairs=pairs,
            at=at,
            lasts=lasts,
            lead=lead,
            tail=tail,
            late_by=late_by,
            band=band,
            seeds=seeds,
            seed=seed,
        ),
        scenario=platform.name,
        scenario_digest=platform.digest,
        seed=seed,
        trace_digests=[provenance.file_digest(one) for one in trace or ()],
        prepared_digest=None if prepared is None else provenance.file_digest(prepared),
        setting_digest=None if setting is None else provenance.file_digest(setting),
    )
    result = study_folder(survived, origin, Words(platform.title_en, platform.title_zh))
    finish(out, result, as_json, *_tables(survived))


def _pairs(text: str) -> int | None:
    if text == "all":
        return None
    if not re.fullmatch(r"\d{1,9}", text) or int(text) > PAIRS_MAX:
        raise BadInputError("--pairs", f"must be `all` or a number up to {PAIRS_MAX:,}", text)
    return int(text)


def _length(option: str, text: str, least_ns: int) -> int:
    found = _LENGTH.fullmatch(text.strip())
    length_ns = -1 if found is None else round(float(found[1]) * _UNITS_NS[found[2]])
    if not least_ns <= length_ns <= SPAN_MAX_NS:
        rule = f"must be a length such as 90s, 30min or 2h, from {least_ns / SECOND_NS:g} s to 168h"
        raise BadInputError(option, rule, text)
    return length_ns


def _tables(survived: Survived) -> list[Table]:
    result = [_table(console.text("Single failures, the worst first", "单点故障，由重到轻"), survived.ranked)]
    if survived.paired:
        title = console.text("Pairs, the worst first", "双重故障，由重到轻")
        result.append(_table(title, ranked(survived.paired)))
    return result


def _table(title: str, suffered: list[Suffered]) -> Table:
    table = console.table(
        f"{title} ({min(len(suffered), ROWS_SHOWN)}/{len(suffered):,})",
        console.text("failure", "故障"),
        console.text("kind", "类型"),
        console.text("lost", "丢失"),
        console.text("late", "推迟"),
        console.text("sooner", "提前"),
        console.text("missed", "超期"),
        console.text("normal after return", "恢复后至正常"),
        console.text("pairs cut off", "隔断对数"),
    )
    for one in suffered[:ROWS_SHOWN]:
        after = duration(max(harm.after_return_s for harm in one.harms))
        table.add_row(
            one.failure.name,
            console.text(*kind_of(one)),
            f"{one.mean('lost'):,.6g}",
            f"{one.mean('late'):,.6g} ({percent(one.late_share)})",
            f"{one.mean('sooner'):,.6g}",
            f"{one.mean('missed'):,.6g}",
            after if one.always_normal else f"> {after}",
            f"{one.mean('cut_pairs'):,.6g}",
        )
    return table
