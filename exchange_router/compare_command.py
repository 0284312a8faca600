"""`compare`: brains and scenario variants on the same traces and random numbers, with intervals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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
    WarmUp,
    Workers,
    traffic,
)
from exchange_router.study_work import finish, traffic_words, work_folder
from router_core.errors import BadInputError
from router_core.units import SECOND_NS
from sim.report.blocks import Words
from sim.studies.case import platform_of
from sim.studies.comparison.arms import Arm, Shared, arms_of
from sim.studies.comparison.compare import Compared, CompareOrder, Replications, compare
from sim.studies.comparison.precision import Precision
from sim.studies.comparison.study import study_folder
from sim.studies.comparison.words import spanned
from sim.studies.measures import MEASURES, SHOWN, measure
from sim.studies.study import replaceable
from sim.studies.written import written
from sim.workers import open_workers
from strategies.registry import BRAINS, PREPARED_BRAINS

SEEDS: Final = 10
SEEDS_MOST: Final = 100
SEEDS_MAX: Final = 100_000
WARM_UP_S_MAX: Final = 366 * 86_400.0


def compare_arms(
    out: Out,
    scenario: Scenario = "jiangxi",
    brain: Annotated[
        list[str] | None,
        typer.Option(
            help=f"An arm by its brain, one of {', '.join((*BRAINS, *PREPARED_BRAINS))}; repeatable, the first arm is "
            "the base.  参与对比的策略，第一个为基准。"
        ),
    ] = None,
    arm: Annotated[
        list[str] | None,
        typer.Option(
            help='An arm in full, after those of --brain: \'brain=dynamic prepared=F setting=F change="demand x1.2" '
            "faults=F label=NAME'; repeatable.  完整描述的对比方案。"
        ),
    ] = None,
    prepared: Prepared = None,
    setting: Setting = None,
    change: Change = None,
    faults: Annotated[
        Path | None, typer.Option(help="What fails and when, for all arms: docs/fault-format.md.  故障文件。")
    ] = None,
    trace: Traces = None,
    start: Start = None,
    hours: Hours = 24.0,
    exchanges_per_day: PerDay = None,
    load: Load = 1.0,
    surge: Surge = None,
    measure_: Annotated[
        list[str] | None,
        typer.Option(
            "--measure",
            help="What the verdict speaks of, such as p99.query, missed.all, churn; repeatable (default: p99.query, "
            "or p99.all without queries).  结论所针对的指标。",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1, max=SEEDS_MAX, help=f"Replications, each with its own seed (default: {SEEDS}).  重复次数。"
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            help="Instead of --seeds: half-width of the interval, 5% of the ratio or in the measure's unit (20ms).  "
            "所需精度，由此确定重复次数。"
        ),
    ] = None,
    seeds_min: Annotated[
        int | None,
        typer.Option(min=2, max=SEEDS_MAX, help=f"With --precision: pilot (default: {SEEDS}).  试运行次数。"),
    ] = None,
    seeds_max: Annotated[
        int | None,
        typer.Option(min=2, max=SEEDS_MAX, help=f"With --precision: at most (default: {SEEDS_MOST}).  重复次数上限。"),
    ] = None,
    confidence: Annotated[
        float, typer.Option(min=0.5, max=0.9999, help="Of all intervals of the verdict together.  置信度。")
    ] = 0.95,
    warm_up_s: WarmUp = None,
    seed: Seed = 1,
    work: Annotated[
        Path | None,
        typer.Option(help="Folder in which drawn traces are kept for next time (default: not kept).  轨迹缓存目录。"),
    ] = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Compare brains and scenario variants on the same traces and seeds.  在相同轨迹与种子上对比策略和场景。"""
    replaceable(out)
    if warm_up_s is not None and not 0.0 <= warm_up_s <= WARM_UP_S_MAX:
        raise BadInputError("--warm-up-s", f"must lie in 0..{WARM_UP_S_MAX:g}", warm_up_s)
    names = tuple(measure_ or ())
    order = CompareOrder(
        scenario=scenario,
        arms=arms_of(brain or (), arm or (), Shared(prepared, setting, tuple(change or ()), faults)),
        traffic=traffic(trace, start, hours, exchanges_per_day, load, surge),
        measures=names,
        replications=_replications(names, seeds, precision, seeds_min, seeds_max),
        confidence=confidence,
        seed=seed,
        warm_up_ns=None if warm_up_s is None else round(warm_up_s * SECOND_NS),
    )
    platform = platform_of(scenario, order.arms[0].changes)
    titles = {"traces": console.text("traces", "轨迹"), "replays": console.text("replays", "回放")}
    with _folder(work, out) as folder, open_workers(workers) as many, console.bars() as bars:
        compared = compare(
            order,
            many,
            folder,
            lambda what, share, done, count: bars.update(titles[what], share, f"{titles[what]} {done}/{count}"),
        )
    origin = provenance.provenance(
        provenance.command(
            "compare",
            scenario=scenario,
            brain=brain,
            arm=arm,
            prepared=prepared and prepared.name,
            setting=setting and setting.name,
            change=change,
            faults=faults and faults.name,
            **traffic_words(trace, start, hours, exchanges_per_day, load, surge),
            measure=names,
            seeds=None if precision else order.replications.least,
            precision=precision,
            seeds_min=seeds_min,
            seeds_max=seeds_max,
            confidence=confidence,
            warm_up_s=warm_up_s,
            seed=seed,
        ),
        scenario=platform.name,
        scenario_digest=platform.digest,
        seed=seed,
        arms=[_digests(scenario, one) for one in order.arms],
    )
    result = study_folder(compared, origin, Words(platform.title_en, platform.title_zh))
    finish(out, result, as_json, *_tables(compared))


def _replications(
    names: tuple[str, ...], seeds: int | None, precision: str | None, least: int | None, most: int | None
) -> Replications:
    """Return how many replications these options ask for."""
    if precision is None:
        for option, value in (("--seeds-min", least), ("--seeds-max", most)):
            if value is not None:
                raise BadInputError(option, "must go with --precision", value)
        count = seeds or SEEDS
        return Replications(count, count)
    if seeds is not None:
        raise BadInputError("--seeds", "either it or --precision must be given, not both", seeds)
    forms = {measure(name).form for name in names or ("p99.query",)}
    wanted = {Precision.of_text(precision, form) for form in forms}
    if len(forms) > 1 and not next(iter(wanted)).relative:
        raise BadInputError("--precision", "measures of several units take a share, such as 5%", precision)
    pilot = least or min(SEEDS, most or SEEDS)
    return Replications(pilot, most or max(SEEDS_MOST, pilot), wanted.pop())


@contextmanager
def _folder(work: Path | None, out: Path) -> Iterator[Path]:
    """Return where drawn traces are kept."""
    if work is None:
        with work_folder(out) as folder:
            yield folder
    else:
        work.mkdir(parents=True, exist_ok=True)
        yield work


def _digests(scenario: str, arm: Arm) -> dict[str, str | None]:
    """Return what an arm was made of."""
    prepared, faults = arm.brain.prepared, arm.faults
    return {
        "label": arm.label,
        "scenario_digest": platform_of(scenario, arm.changes).digest,
        "prepared_digest": None if prepared is None else provenance.file_digest(prepared),
        "faults_digest": None if faults is None else provenance.file_digest(faults),
    }


def _tables(compared: Compared) -> list[Table]:
    base, *others = compared.order.arms
    names = [*compared.measures, *(name for name in SHOWN if name not in compared.measures)]
    count = len(compared.replications)
    tables = []
    for place, arm in enumerate(others):
        table = console.table(
            console.text(
                f"{arm.label} against {base.label}, {count} seeds", f"{arm.label} 与 {base.label}，{count} 个种子"
            ),
            console.text("measure", "指标"),
            base.label,
            arm.label,
            console.text("change or difference", "变化或差值"),
            console.text("less in", "更小"),
        )
        for name in names:
            one, form = compared.effects[name][place], MEASURES[name].form
            if one is None:
                continue
            values = (written(one.base, form), written(one.other, form), spanned(one, form))
            table.add_row(console.text(*MEASURES[name].title), *values, f"{one.lower}/{one.pairs}")
        tables.append(table)
    return tables
