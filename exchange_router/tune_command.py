"""`tune`: search over a brain's parameters by replay, and score what was found on traces it has not seen."""

from __future__ import annotations

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
    Start,
    Surge,
    Traces,
    Workers,
    traffic,
)
from exchange_router.study_work import finish, traffic_words
from router_core.errors import BadInputError
from router_core.units import SECOND_NS
from sim.report.blocks import Words
from sim.studies.case import platform_of
from sim.studies.measures import measure
from sim.studies.study import replaceable
from sim.studies.traffic import Traffic
from sim.studies.tuning.objectives import DEFAULT_OBJECTIVES, chosen_objectives
from sim.studies.tuning.parameters import PARAMETERS, chosen_parameters
from sim.studies.tuning.tune import Tuned, TuneOrder, checked_brain, tune
from sim.studies.tuning.tune_study import WINNER_FILE, study_folder
from sim.studies.tuning.winner import KNEE, Wish
from sim.workers import open_workers
from strategies.registry import SET_BRAINS

SCENES: Final = 3
WARM_UP_S_MAX: Final = 366 * 86_400.0


def tune_brain(
    out: Out,
    scenario: Scenario = "jiangxi",
    brain: Annotated[str, typer.Option(help=f"One of {', '.join(SET_BRAINS)}.  调度策略。")] = "dynamic",
    prepared: Prepared = None,
    trace: Traces = None,
    start: Start = None,
    hours: Hours = 4.0,
    exchanges_per_day: PerDay = None,
    load: Load = 1.0,
    surge: Surge = None,
    unseen: Annotated[
        list[Path] | None,
        typer.Option(help="Trace kept from the search, for the score; repeatable (default: drawn).  留作评分的轨迹。"),
    ] = None,
    change: Change = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            help=f"What to search, e.g. busy or busy=0.5..0.9; repeatable (default: all of "
            f"{', '.join(one.name for one in PARAMETERS)}).  要搜索的参数。"
        ),
    ] = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(help=f"What to make small; repeatable (default: {', '.join(DEFAULT_OBJECTIVES)}).  目标。"),
    ] = None,
    prefer: Annotated[
        str | None,
        typer.Option(help=f"Objective that decides, or {KNEE} (default: the first).  决定优胜的目标。"),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(help="How much worse another may get, e.g. capacity=0.2 (default: 0.05).  允许变差的比例。"),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, max=100_000, help="Settings to try.  试验次数。")] = 100,
    scenes: Annotated[
        int | None,
        typer.Option(min=1, max=1_000, help="Scenes of the search (default: a trace each, at least 3).  搜索场景数。"),
    ] = None,
    unseen_scenes: Annotated[
        int | None,
        typer.Option(min=2, max=1_000, help="Scenes of the score (default: a trace each, at least 5).  评分场景数。"),
    ] = None,
    warm_up_s: Annotated[
        float | None,
        typer.Option(help="Seconds at the start that do not count (default: ten minutes, or a tenth).  预热（秒）。"),
    ] = None,
    seed: Seed = 1,
    work: Annotated[
        Path | None,
        typer.Option(help="Folder of what was lived, to go on after a kill (default: OUT.work).  工作目录，可续跑。"),
    ] = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Search over a brain's parameters by replay; the winner is a setting file.  以回放搜索策略参数。"""
    replaceable(out)
    objectives = chosen_objectives(objective or [])
    if warm_up_s is not None and not 0.0 <= warm_up_s <= WARM_UP_S_MAX:
        raise BadInputError("--warm-up-s", f"must lie in 0..{WARM_UP_S_MAX:g}", warm_up_s)
    changes = tuple(change or ())
    order = TuneOrder(
        scenario=scenario,
        changes=changes,
        brain=checked_brain(brain, prepared, scenario, changes),
        traffic=traffic(trace, start, hours, exchanges_per_day, load, surge),
        unseen=Traffic(traces=tuple(unseen)) if unseen else None,
        parameters=chosen_parameters(parameter or []),
        wish=Wish.of_texts(objectives, prefer, allow or []),
        trials=trials,
        scenes=scenes or max(SCENES, len(trace or ())),
        unseen_scenes=unseen_scenes or max(5, len(unseen or ())),
        seed=seed,
        warm_up_ns=None if warm_up_s is None else round(warm_up_s * SECOND_NS),
    )
    platform = platform_of(order.scenario, order.changes)
    folder = work or out.with_name(f"{out.name}.work")
    console.say(console.text(f"work is kept in {folder}", f"工作目录 {folder}"))
    with open_workers(workers) as many, console.bars() as bars:
        tuned = tune(order, many, folder, lambda done: bars.update(console.text("search", "搜索"), done))
    origin = provenance.provenance(
        provenance.command(
            "tune",
            scenario=scenario,
            brain=brain,
            prepared=prepared and prepared.name,
            **traffic_words(trace, start, hours, exchanges_per_day, load, surge),
            unseen=[one.name for one in unseen or ()],
            change=change,
            parameter=parameter,
            objective=objective,
            prefer=prefer,
            allow=allow,
            trials=trials,
            scenes=scenes,
            unseen_scenes=unseen_scenes,
            warm_up_s=warm_up_s,
            seed=seed,
        ),
        scenario=platform.name,
        scenario_digest=platform.digest,
        seed=seed,
        trace_digests=[provenance.file_digest(one) for one in trace or ()],
        prepared_digest=None if prepared is None else provenance.file_digest(prepared),
    )
    result = study_folder(order, tuned, origin, Words(platform.title_en, platform.title_zh))
    finish(out, result, as_json, *_tables(tuned), winner=str(out / WINNER_FILE))


def _tables(tuned: Tuned) -> list[Table]:
    title = console.text(
        f"Trial {tuned.found.number} against the defaults, {len(tuned.unseen)} unseen scenes",
        f"第 {tuned.found.number} 次试验与默认值，{len(tuned.unseen)} 个未见场景",
    )
    score = console.table(
        title,
        console.text("objective", "目标"),
        console.text("change", "变化"),
        console.text("low", "下限"),
        console.text("high", "上限"),
    )
    for one in tuned.effects:
        cells = (f"{100 * value:+.3g} %" for value in (one.change, one.low, one.high))
        score.add_row(console.text(*measure(one.objective).title), *cells)
    winner = console.facts(
        WINNER_FILE,
        [(name, f"{value:g}") for name, value in tuned.winner.parameters.items()],
    )
    return [*([score] if tuned.effects else []), winner]
