"""The command line: one application, one module a command, and the one place that turns errors into exit codes."""

from __future__ import annotations

import sys

import typer

from exchange_router import (
    agent_command,
    brain_command,
    evaluate_command,
    policy_command,
    replay_command,
    report_command,
    scenario_command,
    serve_command,
    trace_command,
)
from exchange_router.provenance import PACKAGE
from router_core.errors import BadInputError, ExchangeRouterError

EXIT_FAILED_CHECK = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name=PACKAGE,
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
app.add_typer(scenario_command.app, name="scenario")
app.add_typer(trace_command.app, name="trace")
app.add_typer(brain_command.app, name="brain")
app.add_typer(policy_command.app, name="policy")
app.command("replay")(replay_command.replay)
app.command("evaluate")(evaluate_command.evaluate)
app.command("agent")(agent_command.agent)
app.command("report")(report_command.report)
app.command("serve")(serve_command.serve)


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
