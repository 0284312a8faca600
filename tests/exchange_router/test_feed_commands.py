"""The feed's commands as a new user meets them: help, quick starts, one document, one line for each wrong input."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer

from exchange_router import main, policy_command
from exchange_router.lazy_commands import Place

PLACES = [*main.COMMANDS.items(), *policy_command.VERBS.items()]


@pytest.mark.parametrize(("name", "place"), PLACES, ids=lambda one: one if isinstance(one, str) else "")
def test_the_list_of_commands_says_what_the_command_itself_says(name: str, place: Place) -> None:
    command = place.load(name)
    assert command.name == name or isinstance(command, typer.core.TyperGroup)
    assert command.help.split("\n\n")[0].replace("\n", " ") == place.help
    assert len(place.help.split("  ")) == 2


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["policy", "--help"], ["policy", "key", "--help"]])
def test_help_and_version_load_no_solver_and_no_frame_of_the_web(words: list[str]) -> None:
    """What takes time to load: whoever asks for a version must not wait for it."""
    told = (
        "import sys; from exchange_router.main import status; code = status(sys.argv[1:]); "
        "print(*sorted({'numpy', 'scipy', 'numba', 'sklearn', 'fastapi', 'simpy', 'polars', 'pyarrow'} "
        "& set(sys.modules)), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", told, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.split() == []
