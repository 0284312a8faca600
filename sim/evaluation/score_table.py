"""The table of an evaluation: a row for each brain and scored matrix, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from router_core.errors import BadInputError
from sim.evaluation.scores import FIGURES, BrainScores, Evaluation
from traces.atomic import written_whole

SUFFIXES: Final = (".parquet", ".csv")


def rows_of(evaluation: Evaluation, scores: BrainScores) -> list[dict[str, Any]]:
    """Return one brain's rows, JSON-ready: `t` and each figure, None where there is none."""
    columns = {name: scores.figure(name) for name in FIGURES}
    return [
        {"t": f"{moment}Z", **{name: _known(values[row]) for name, values in columns.items()}}
        for row, moment in enumerate(evaluation.t_utc)
    ]


def write_table(path: Path, evaluation: Evaluation) -> None:
    """Write `brain`, `t` and the figures of every row, brain by brain; the file appears whole or not at all.

    Raises
    ------
    BadInputError
        If the name ends with neither .parquet nor .csv, or the file cannot be written.
    """
    check_place(path)
    count = len(evaluation.t_utc)
    table = pa.table(
        {
            "brain": [scores.brain for scores in evaluation.brains for _ in range(count)],
            "t": pa.array(np.tile(evaluation.t_utc, len(evaluation.brains)), pa.timestamp("s", "UTC")),
            **{
                name: pa.array(np.concatenate([scores.figure(name) for scores in evaluation.brains]), from_pandas=True)
                for name in FIGURES
            },
        }
    )
    try:
        with written_whole(path) as draft:
            if path.suffix == ".csv":
                pa.csv.write_csv(table, draft)
            else:
                pq.write_table(table, draft)
    except OSError as error:
        raise BadInputError("file", "must be a place that can be written", error.strerror, str(path)) from None


def check_place(path: Path) -> None:
    """Raise `BadInputError` unless the name says a format and is not taken by a folder."""
    if path.suffix not in SUFFIXES:
        raise BadInputError("file", f"must end with {' or '.join(SUFFIXES)}", path.name, str(path))
    if path.is_dir():
        raise BadInputError("file", "must be a file to write, not a folder", str(path), str(path))


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
