"""What the commands of all studies do alike: a folder to work in, the words of their traffic, and the end."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.table import Table

from exchange_router import console
from sim.studies.study import StudyFolder, write_study


@contextmanager
def work_folder(out: Path) -> Iterator[Path]:
    """Make a folder for traces of the moment beside the results, where workers reach it; it is gone afterwards."""
    parent = out.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.{os.getpid()}.", suffix=".work", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def traffic_words(
    trace: list[Path] | None,
    start: str | None,
    hours: float,
    exchanges_per_day: int | None,
    load: float,
    surge: list[str] | None,
) -> dict[str, object]:
    """Return the options of a study's traffic for the command that repeats it."""
    return {
        "trace": [one.name for one in trace or ()],
        "start": start,
        "hours": hours if start else None,
        "exchanges_per_day": exchanges_per_day,
        "load": load if start else None,
        "surge": surge,
    }


def finish(out: Path, folder: StudyFolder, as_json: bool, *tables: Table, **more: object) -> None:
    """Write a study, say its verdict and print what it found; `more` stands in the JSON document too."""
    page = write_study(out, folder)
    study = folder.study
    document: dict[str, Any] = {
        "provenance": study.provenance,
        "out": str(out),
        "report": str(page),
        **more,
        "verdict": study.verdict.model_dump(mode="json"),
        "found": study.found,
    }
    console.say(console.text(*study.verdict.text))
    console.emit(document, as_json, *tables)
