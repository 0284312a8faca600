"""Reads traces: streaming, and by name, so that a trace fits any platform that has its endpoints and resources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from router_core.errors import BadInputError
from router_core.exchanges import DTYPES, FIELDS, Exchanges
from router_core.platform import Platform
from traces.schema import METADATA_KEY, SCHEMA, TraceInfo, decode_info

UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class NameMap:
    """Where a file's indices lie in a platform.

    Attributes
    ----------
    node : int32
        Platform's node of each node index of the file, `UNKNOWN` for one that is not in the file's table.
    resource : int32
        Platform's resource of each resource index of the file.
    same_nodes, same_resources : bool
        The file's indices are the platform's own already.
    """

    node: NDArray[np.int32]
    resource: NDArray[np.int32]
    same_nodes: bool
    same_resources: bool

    def nodes(self, index: NDArray[np.int32]) -> NDArray[np.int32]:
        """Translate node indices; what the file's table does not name becomes `UNKNOWN`."""
        return _translate(self.node, index)

    def resources(self, index: NDArray[np.int32]) -> NDArray[np.int32]:
        """Translate resource indices; what the file's list does not name becomes `UNKNOWN`."""
        return _translate(self.resource, index)


def name_map(info: TraceInfo, platform: Platform) -> NameMap:
    """Find the names of a trace in a platform.

    Raises
    ------
    BadInputError
        If the platform lacks an endpoint or a resource that the trace names.
    """
    network, catalogue = platform.network, platform.catalogue
    here = {network.node_name[node]: node for node in network.endpoints.tolist()}
    _check_known("endpoint", info.endpoint_name, here, platform.name)
    node = np.full(max(info.endpoint_index, default=-1) + 1, UNKNOWN, dtype=np.int32)
    node[list(info.endpoint_index)] = [here[name] for name in info.endpoint_name]
    offered = {name: index for index, name in enumerate(catalogue.resource_name)}
    _check_known("resource", info.resources, offered, platform.name)
    resource = np.array([offered[name] for name in info.resources], dtype=np.int32)
    return NameMap(
        node,
        resource,
        same_nodes=bool(np.all(node[node != UNKNOWN] == np.flatnonzero(node != UNKNOWN))),
        same_resources=bool(np.array_equal(resource, np.arange(len(resource)))),
    )


class TraceReader:
    """Reads one trace file; use it in a ``with`` statement or call `close`.

    Parameters
    ----------
    path : str or Path

    Attributes
    ----------
    info : TraceInfo
    rows : int
        Number of exchanges.

    Raises
    ------
    BadInputError
        If the file is not a whole Parquet file of this format. Damage inside the data shows when it is read: every
        page carries a checksum.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self._parquet = pq.ParquetFile(self.path, page_checksum_verification=True)
        except FileNotFoundError:
            raise BadInputError("file", "must exist", self.path.name, str(path)) from None
        except (ValueError, OSError, pa.ArrowException) as error:
            raise self._damaged(error) from None
        try:
            schema = self._parquet.schema_arrow
            about = self._parquet.metadata
            groups = [about.row_group(index).num_rows for index in range(about.num_row_groups)]
        except (ValueError, OSError, pa.ArrowException) as error:
            self._parquet.close()
            raise self._damaged(error) from None
        try:
            _check_rows(about.num_rows, groups)
            self.info = decode_info((schema.metadata or {}).get(METADATA_KEY))
            _check_schema(schema)
        except BadInputError as error:
            self._parquet.close()
            raise error.within(str(path)) from None
        self.rows: int = about.num_rows
        self._group_rows = groups

    def __enter__(self) -> TraceReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._parquet.close()

    def name_map(self, platform: Platform) -> NameMap:
        """Find the names of this trace in a platform, or raise `BadInputError` with this file named."""
        try:
            return name_map(self.info, platform)
        except BadInputError as error:
            raise error.within(str(self.path)) from None

    def batches(self, platform: Platform | None = None) -> Iterator[Exchanges]:
        """Yield the exchanges in batches of up to a million rows, their arrays writable and of their own.

        Parameters
        ----------
        platform : Platform, optional
            Its node and resource indices are given; the file's own ones if there is none.

        Raises
        ------
        BadInputError
            If a page is damaged, a value is missing, or an index is not in the file's tables.
        """
        names = None if platform is None else self.name_map(platform)
        first_row = 0
        for columns in self.columns(FIELDS):
            batch = Exchanges(**columns)
            if names is not None:
                self._translate_in_place(batch, names, first_row)
            yield batch
            first_row += len(batch)

    def read_all(self, platform: Platform | None = None) -> Exchanges:
        """Read the whole trace; see `batches`. Memory: 41 bytes a row and one batch."""
        names = None if platform is None else self.name_map(platform)
        whole = Exchanges(**{name: np.empty(self.rows, dtype=DTYPES[name]) for name in FIELDS})
        row = 0
        for table in self._tables(FIELDS):
            part = whole[row : row + len(table)]
            for name in FIELDS:
                getattr(part, name)[:] = self._array(table.column(name), name, row)
            if names is not None:
                self._translate_in_place(part, names, row)
            row += len(table)
        return whole

    def columns(self, names: Sequence[str]) -> Iterator[dict[str, NDArray[Any]]]:
        """Yield some columns alone, batch by batch, with the file's own indices."""
        first_row = 0
        for table in self._tables(names):
            # Copies: Arrow's own buffers are read-only, and compiled kernels refuse those.
            yield {name: self._array(table.column(name), name, first_row).copy() for name in names}
            first_row += len(table)

    def _tables(self, names: Sequence[str]) -> Iterator[pa.Table]:
        for group in range(self._parquet.num_row_groups):
            try:
                table = self._parquet.read_row_group(group, columns=list(names), use_threads=False)
            except (ValueError, OSError, pa.ArrowException) as error:
                raise self._damaged(error) from None
            if len(table) != self._group_rows[group]:
                raise self._damaged(f"row group {group} has {len(table)} rows, not {self._group_rows[group]}")
            yield table

    def _array(self, column: pa.ChunkedArray, name: str, first_row: int) -> NDArray[Any]:
        if column.null_count:
            row = first_row + column.is_null().to_numpy().argmax()
            raise BadInputError(f"row {row}.{name}", "a trace has no empty values", None, str(self.path))
        return np.asarray(column.to_numpy(), dtype=DTYPES[name])

    def _translate_in_place(self, batch: Exchanges, names: NameMap, first_row: int) -> None:
        for name, table, same, rule in (
            ("source", names.node, names.same_nodes, "must be an endpoint of the file's table"),
            ("target", names.node, names.same_nodes, "must be an endpoint of the file's table"),
            ("resource", names.resource, names.same_resources, "must be an index into the file's list of resources"),
        ):
            index = getattr(batch, name)
            found = _translate(table, index)
            if len(found) and found.min() < 0:
                row = int((found < 0).argmax())
                raise BadInputError(f"row {first_row + row}.{name}", rule, int(index[row]), str(self.path))
            if not same:
                index[:] = found

    def _damaged(self, error: Exception | str) -> BadInputError:
        return BadInputError("file", "must be a whole Parquet file", str(error).split("\n", 1)[0], str(self.path))


def _translate(table: NDArray[np.int32], index: NDArray[np.int32]) -> NDArray[np.int32]:
    if len(table) == 0:
        return np.full(len(index), UNKNOWN, dtype=np.int32)
    # One unsigned comparison covers both ends: a negative index becomes a huge one.
    outside = index.view(np.uint32) >= len(table)
    found = table.take(index, mode="clip")
    found[outside] = UNKNOWN
    return found


def _check_known(what: str, names: tuple[str, ...], known: dict[str, int], scenario: str) -> None:
    missing = [name for name in names if name not in known]
    if missing:
        shown = missing[0] if len(missing) == 1 else f"{missing[0]} and {len(missing) - 1} more"
        raise BadInputError(f"{what} {missing[0]}", f"must be known in scenario {scenario}", shown)


def _check_rows(rows: int, groups: list[int]) -> None:
    if sum(groups) != rows or min(groups, default=0) < 0:
        raise BadInputError("file", "must have as many rows as its row groups", rows)


def _check_schema(schema: pa.Schema) -> None:
    if schema.names != list(FIELDS):
        raise BadInputError("columns", f"must be {', '.join(FIELDS)}", ", ".join(schema.names))
    for field in SCHEMA:
        found = schema.field(field.name).type
        if found != field.type:
            raise BadInputError(f"column {field.name}", f"must be {field.type}", str(found))
