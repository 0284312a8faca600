"""`brain`: learn from a history of exchanges, and show what was learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from exchange_router import console
from exchange_router.brain_tables import class_tables, drift_tables, fit_tables, tide_tables
from exchange_router.options import AsJson, Scenario, Seed
from exchange_router.provenance import command
from router_core.errors import BadInputError

DAYS_MAX: Final = 366

app = typer.Typer(
    help="The brain: fit, classes, tides.  调度大脑：学习、需求类别、潮汐。",
    no_args_is_help=True,
    rich_markup_mode=None,
)

BrainArgument = Annotated[Path, typer.Argument(help="Brain file of `brain fit`.  学习所得文件。")]
ScenarioOfFile = Annotated[
    str | None, typer.Option("--scenario", help="Name or TOML file (default: the brain file's).  场景名或 TOML 文件。")
]
Later = Annotated[
    list[Path] | None, typer.Option("--trace", help="What was exchanged since; repeatable.  其后的交换轨迹，可重复。")
]
Report = Annotated[Path | None, typer.Option(help="Write the pictures as one HTML file.  输出 HTML 报告。")]


@app.command("fit")
def fit(
    trace: Annotated[list[Path], typer.Option(help="Trace of the history; repeatable.  历史交换轨迹，可重复。")],
    out: Annotated[Path, typer.Option(help="Brain file to write.  输出文件。")],
    scenario: Scenario = "jiangxi",
    lines: Annotated[
        Path | None, typer.Option(help="Result folder of a replay, for what others take of lines.  回放结果目录。")
    ] = None,
    lines_brain: Annotated[
        str | None, typer.Option(help="Whose telemetry there (default: the first brain's).  采用哪个策略的遥测。")
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option(help="First day to plan; later history is not read (default: the day after it).  规划首日。"),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=DAYS_MAX, help="How many days to plan.  规划天数。")] = 7,
    seed: Seed = 1,
    no_holds: Annotated[bool, typer.Option("--no-holds", help="Hold nothing back.  不延后任何交换。")] = False,
    without_surges: Annotated[
        bool,
        typer.Option(
            "--without-surges", help="Surges that came once teach no tide; recurring ones do.  剔除偶发浪涌。"
        ),
    ] = False,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Learn classes and tides from a history, and plan the days to come.  从历史学习类别与潮汐，并规划未来数日。"""
    if lines_brain is not None and lines is None:
        raise BadInputError("--lines-brain", "needs --lines", lines_brain)
    from exchange_router import brain_work as work  # noqa: PLC0415 - it loads estimators, and other commands need none

    line = command(
        "brain", "fit", scenario=scenario, trace=[one.name for one in trace], lines=lines and lines.name,
        lines_brain=lines_brain, begin=begin, days=days, seed=seed, no_holds=no_holds,
        without_surges=without_surges,
    )  # fmt: skip
    platform, content = work.learn(
        trace, scenario, line, lines=lines, lines_brain=lines_brain, begin=begin, days=days, seed=seed,
        holds=not no_holds, without_surges=without_surges,
    )  # fmt: skip
    facts = work.gather_facts(content, platform, None, tides_asked=True)
    work.store(out, content)
    document: dict[str, Any] = {
        "provenance": content.provenance,
        "out": str(out),
        "bytes": out.stat().st_size,
        "report": work.draw(report, facts),
        **facts["learnt"],
        "chosen": facts["tides"]["chosen"],
        "plan": facts["plan"],
    }
    console.emit(document, as_json, *fit_tables(facts, out))


@app.command("classes")
def classes(
    brain: BrainArgument,
    trace: Later = None,
    scenario: ScenarioOfFile = None,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Show the classes of demand, and what has changed since.  查看需求类别及其后的变化。"""
    from exchange_router import brain_work as work  # noqa: PLC0415 - it loads estimators, and other commands need none

    platform, content = work.read(brain, scenario)
    facts = work.gather_facts(content, platform, work.read_later(trace, platform), tides_asked=False)
    document = {
        "provenance": content.provenance,
        **facts["learnt"],
        "drift": facts["drift"],
        "report": work.draw(report, facts),
    }
    console.emit(document, as_json, *class_tables(facts), *drift_tables(facts))


@app.command("tides")
def tides(
    brain: BrainArgument,
    trace: Later = None,
    scenario: ScenarioOfFile = None,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Show the forecast of the planned days, and how it fared.  查看规划各日的预测及其与实际的对照。"""
    from exchange_router import brain_work as work  # noqa: PLC0415 - it loads estimators, and other commands need none

    platform, content = work.read(brain, scenario)
    facts = work.gather_facts(content, platform, work.read_later(trace, platform), tides_asked=True)
    document = {
        "provenance": content.provenance,
        "classes": [one["name"] for one in facts["learnt"]["classes"]],
        "days": facts["plan"]["days"],
        **facts["tides"],
        "report": work.draw(report, facts),
    }
    console.emit(document, as_json, *tide_tables(facts))
