"""What a command prints: results on stdout, progress and errors on stderr, one JSON document if asked for."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table


def language() -> str:
    """Return "zh" where the user's locale is Chinese, else "en"."""
    for variable in ("EXCHANGE_ROUTER_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable, "")
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def text(en: str, zh: str) -> str:
    """Return the text in the user's language."""
    return zh if language() == "zh" else en


def emit(document: dict[str, Any], as_json: bool, *tables: Table) -> None:
    """Print the result: the whole document as JSON, or the tables that show it."""
    if as_json:
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n")
        return
    # Where stdout is no terminal a table keeps its full width, so that a pipe sees whole names.
    # What files and servers say is text and no markup: `[/x]` in a name must not end the command.
    console = Console(width=None if sys.stdout.isatty() else 160, markup=False, emoji=False)
    for table in tables:
        console.print(table)


def say(line: str) -> None:
    """Print one line of progress on stderr."""
    sys.stderr.write(line + "\n")


def table(title: str, *columns: str) -> Table:
    """Return an empty table; the first column is left-aligned, the others hold figures."""
    result = PlainTable(title=title, title_justify="left", title_style="bold", header_style="bold", pad_edge=False)
    for position, column in enumerate(columns):
        result.add_column(column, justify="left" if position == 0 else "right", overflow="fold")
    return result


def facts(title: str, rows: list[tuple[str, str]]) -> Table:
    """Return a table of names and values."""
    result = PlainTable(title=title, title_justify="left", title_style="bold", show_header=False, pad_edge=False)
    result.add_column(justify="left")
    result.add_column(justify="left", overflow="fold")
    for name, value in rows:
        result.add_row(name, value)
    return result


class PlainTable(Table):
    """A table whose cells cannot steer the terminal: what is no printable character, nor an end of line, is a blank."""

    def add_row(self, *cells: Any, **options: Any) -> None:
        """Add a row."""
        super().add_row(*(_printable(cell) if isinstance(cell, str) else cell for cell in cells), **options)


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)


class Bars:
    """Progress bars on stderr; none where stderr is no terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def update(self, name: str, done: float, shown: str | None = None) -> None:
        """Set a bar, from 0 to 1, and what is written before it (default: its name); a new name makes a new bar."""
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=1.0)
        self._progress.update(self._tasks[name], completed=min(max(done, 0.0), 1.0), description=shown or name)


@contextmanager
def bars() -> Iterator[Bars]:
    """Show progress bars while the block runs."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        yield Bars(progress)


def duration(time_ns: float | None) -> str:
    """Return a time for people: 12 us, 3.4 ms, 1.25 s, 4.2 min, 1.8 h."""
    if time_ns is None:
        return "-"
    for unit, size_ns in (("h", 3.6e12), ("min", 6e10), ("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if time_ns >= size_ns:
            return f"{time_ns / size_ns:.3g} {unit}"
    return f"{time_ns:.0f} ns"


def size(amount_bytes: float) -> str:
    """Return a size for people: 12 B, 3.4 kB, 1.25 MB, 4.2 GB, 1.8 TB."""
    for unit, one in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if amount_bytes >= one:
            return f"{amount_bytes / one:.3g} {unit}"
    return f"{amount_bytes:.0f} B"
