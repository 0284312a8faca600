"""The command line: one application, one module a command, and the one place that turns errors into exit codes."""

from __future__ import annotations

import sys
from typing import Final

import typer

from exchange_router.lazy_commands import Place, lazy_group, register
from exchange_router.provenance import PACKAGE
from router_core.errors import BadInputError, ExchangeRouterError

EXIT_FAILED_CHECK = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130

COMMANDS: Final = {
    "scenario": Place("scenario_command", "app", "Platforms: list, show, validate.  场景：列出、查看、校验。"),
    "trace": Place(
        "trace_command", "app", "Traces: generate, import, info, validate.  交换轨迹：生成、导入、信息、校验。"
    ),
    "brain": Place("brain_command", "app", "The brain: fit, classes, tides.  调度大脑：学习、需求类别、潮汐。"),
    "policy": Place(
        "policy_command", "app", "Policies: signed bundles, and why a route is taken.  策略：签名策略包与路由缘由。"
    ),
    "replay": Place(
        "replay_command",
        "replay",
        "Replay a trace in the simulated world under one or more brains.  在仿真世界中用一种或多种策略回放交换轨迹。",
    ),
    "evaluate": Place(
        "evaluate_command",
        "evaluate",
        "Score brains on a series of matrices, against the optimum of each.  用实测矩阵序列评估策略与最优的差距。",
    ),
    "serve": Place(
        "serve_command",
        "serve",
        "Serve policies to front-ends; with --prepared, those of a brain at work.  向前置节点提供策略。",
    ),
    "agent": Place(
        "agent_command",
        "agent",
        "Fetch, check and apply policies at a front-end; carry out tasks.  前置管理：获取、校验、执行策略与任务。",
    ),
    "rehearse": Place(
        "rehearse_command",
        "rehearse",
        "Replay a trace behind the real server and agents, and compare.  经由真实服务与代理回放并对比。",
    ),
    "compare": Place(
        "compare_command",
        "compare_arms",
        "Compare brains and scenario variants on the same traces and seeds.  在相同轨迹与种子上对比策略和场景。",
    ),
    "tune": Place(
        "tune_command",
        "tune_brain",
        "Search over a brain's parameters by replay; the winner is a setting file.  以回放搜索策略参数。",
    ),
    "survive": Place(
        "survive_command",
        "survive_failures",
        "What every failure costs: lost, late, moved, and how long until normal.  各类故障的代价与恢复时间。",
    ),
    "grow": Place(
        "grow_command",
        "grow_scenario",
        "What growth reaches first, when, and what then to buy.  增长最先触及的上限、时间与最省的升级。",
    ),
    "report": Place(
        "report_command", "report", "Remake the HTML report from stored results.  由已存结果重新生成 HTML 报告。"
    ),
}

app = typer.Typer(
    name=PACKAGE,
    cls=lazy_group(COMMANDS),
    help=(
        "Scheduler core of a data-exchange centre, and the simulator that tunes it.\n\n"
        "数据交换中心的调度核心及其仿真器。"
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
register(app, COMMANDS)


@app.callback(invoke_without_command=True)
def root(version: bool = typer.Option(False, "--version", help="Print the version and exit.  显示版本。")) -> None:
    """Options before any command."""
    if version:
        from importlib.metadata import version as installed  # noqa: PLC0415 - costs a directory scan

        sys.stdout.write(f"{PACKAGE} {installed(PACKAGE)}\n")
        raise typer.Exit


def run() -> None:
    """Run the command line and exit: 0 success, 1 a failed check, 2 bad input with one line that says which."""
    sys.exit(status())


def status(arguments: list[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    try:
        return _act(arguments)
    except (typer.TyperException, ExchangeRouterError, OSError, KeyboardInterrupt, typer.Abort) as error:
        message, code = _told(error)
        if type(error).__name__ == "NoArgsIsHelpError":  # a group without a command: its message is its help
            sys.stderr.write(message + "\n")
            return code
        sys.stderr.write(f"{PACKAGE}: {' '.join(message.split())}\n")
        return code


def _act(arguments: list[str] | None) -> int:
    code = app(arguments, standalone_mode=False) or 0
    if code == EXIT_INTERRUPTED:  # typer has caught the interrupt and made it a code
        raise KeyboardInterrupt
    return int(code)


def _told(error: BaseException) -> tuple[str, int]:
    """Return what an error says to the user, and its exit code."""
    match error:
        case typer.TyperException():
            told = getattr(error, "format_message", error.__str__)
            return told(), EXIT_BAD_INPUT
        case BadInputError():
            return str(error), EXIT_BAD_INPUT
        case OSError():
            return f"{error.filename or 'input/output'}: {error.strerror or error}", EXIT_BAD_INPUT
        case ExchangeRouterError():
            return str(error), EXIT_FAILED_CHECK
        case _:
            return "interrupted; nothing was left half done", EXIT_INTERRUPTED
