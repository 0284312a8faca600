"""Parquet tables of a result folder: read with exactly the columns of a schema, and what breaks a rule is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from router_core.errors import BadInputError

ROWS_AT_A_TIME: Final = 1 << 20


def read_rows(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the file's rows with exactly the columns of the schema, types and nulls checked."""
    if not path.is_file():
        raise BadInputError("file", "must exist in a result folder", path.name, str(path))
    try:
        with pq.ParquetFile(path) as file:
            _check_columns(file.schema_arrow, schema, path)
            for batch in file.iter_batches(batch_size=ROWS_AT_A_TIME, columns=schema.names):
                for field in schema:
                    nulls = batch.column(field.name).null_count
                    if nulls and not field.nullable:
                        raise BadInputError(f"column {field.name}", "must have no nulls", nulls, str(path))
                yield pa.record_batch([batch.column(name) for name in schema.names], schema=schema)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadInputError("file", "must be readable Parquet", str(error), str(path)) from None


def _check_columns(found: pa.Schema, wanted: pa.Schema, path: Path) -> None:
    for field in wanted:
        if found.names.count(field.name) != 1:
            raise BadInputError(f"column {field.name}", "must be present, and once", found.names, str(path))
        kind = found.field(field.name).type
        if kind != field.type:
            raise BadInputError(f"column {field.name}", f"must be of type {field.type}", str(kind), str(path))


def read_table(path: Path, schema: pa.Schema) -> pa.Table:
    """Return all rows of a file, checked as by `read_rows`."""
    return pa.Table.from_batches(read_rows(path, schema), schema=schema)


def numbers(rows: pa.RecordBatch | pa.Table, name: str, path: Path) -> NDArray[Any]:
    """Return a column of numbers; floats must be finite."""
    values: NDArray[Any] = rows.column(name).to_numpy()
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise BadInputError(f"column {name}", "must be finite", float(values[~np.isfinite(values)][0]), str(path))
    return values


def check_range(values: NDArray[Any], name: str, high: float | None, path: Path) -> None:
    """Refuse values that lie outside 0 to `high` (None: any)."""
    bad = values < 0 if high is None else (values < 0) | (values > high)
    if bad.any():
        rule = "must be at least 0" if high is None else f"must lie in 0..{high}"
        raise BadInputError(f"column {name}", rule, values[bad][0].item(), str(path))
