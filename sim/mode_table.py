"""modes.parquet: what each endpoint sends and is sent in each hour, by delivery mode and class of service.

It is demand: the same for every brain. An exchange counts in the hour in which it was submitted, at its source and at
its target. What lines between sites carry is not told apart by mode; stations count bytes alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from router_core.exchanges import Exchanges
from router_core.units import HOUR_NS
from router_core.vocabulary import Mode
from sim.parquet_tables import check_range, numbers, read_table
from traces.atomic import written_whole

MODES_FILE: Final = "modes.parquet"
HOURS_MAX: Final = 1 << 15
PRIORITIES_MAX: Final = 1 << 7
MODES_SCHEMA: Final = pa.schema(
    [
        pa.field("hour", pa.int32(), nullable=False),
        pa.field("node", pa.int32(), nullable=False),
        pa.field("mode", pa.int8(), nullable=False),
        pa.field("priority", pa.int8(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
    ]
)


@dataclass(frozen=True, eq=False)
class ModeTable:
    """Bytes by hour, endpoint, mode and class; rows ascend in that order, each once, none without bytes.

    Attributes
    ----------
    hour, node : int32 (n,)
        Hours from the start of the run; node indices.
    mode, priority : int8 (n,)
        `Mode`; class of service, 0 is the most urgent.
    bytes : int64 (n,)
        Sent and to be received [bytes].
    """

    hour: NDArray[np.int32]
    node: NDArray[np.int32]
    mode: NDArray[np.int8]
    priority: NDArray[np.int8]
    bytes: NDArray[np.int64]


def mode_table(exchanges: Exchanges, node_count: int) -> ModeTable:
    """Sum up exchanges of endpoints below `node_count`, whatever became of them."""
    kinds = int(exchanges.priority.max(initial=0)) + 1
    ways = len(Mode) * kinds
    way = exchanges.mode.astype(np.int64) * kinds + exchanges.priority
    hours = int(exchanges.submitted_ns[-1] // HOUR_NS) + 1 if len(exchanges) else 0
    edges = np.searchsorted(exchanges.submitted_ns, HOUR_NS * np.arange(hours + 1))
    cells: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    totals: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    # Hour by hour: a dense table of a nation and a month would not fit. Sums stay below 2**53, where floats are exact.
    for hour, (begin, end) in enumerate(pairwise(edges.tolist())):
        rows = slice(begin, end)
        keys = np.concatenate(
            [ends[rows].astype(np.int64) * ways + way[rows] for ends in (exchanges.source, exchanges.target)]
        )
        size = exchanges.payload_bytes[rows].astype(np.float64)
        total = np.bincount(keys, np.concatenate((size, size)), node_count * ways)
        some = np.flatnonzero(total)
        cells.append(some + hour * node_count * ways)
        totals.append(total[some].astype(np.int64))
    found = np.concatenate(cells)
    return ModeTable(
        hour=(found // (ways * node_count)).astype(np.int32),
        node=(found // ways % node_count).astype(np.int32),
        mode=(found % ways // kinds).astype(np.int8),
        priority=(found % kinds).astype(np.int8),
        bytes=np.concatenate(totals),
    )


def write_modes(folder: Path, brain: str, table: ModeTable) -> None:
    """Write it into the folder of a brain."""
    columns = [getattr(table, field.name) for field in MODES_SCHEMA]
    with written_whole(folder / brain / MODES_FILE) as place:
        pq.write_table(pa.table(columns, schema=MODES_SCHEMA), place)


def read_modes(folder: Path, brain: str, nodes: int) -> ModeTable | None:
    """Read it; None if there is none, as in folders of earlier versions. Every node must lie below `nodes`."""
    path = folder / brain / MODES_FILE
    if not path.exists():
        return None
    rows = read_table(path, MODES_SCHEMA)
    columns: dict[str, Any] = {name: numbers(rows, name, path) for name in MODES_SCHEMA.names}
    limits = {"hour": HOURS_MAX - 1, "node": nodes - 1, "mode": len(Mode) - 1, "priority": PRIORITIES_MAX - 1}
    for name, values in columns.items():
        check_range(values, name, limits.get(name), path)
    return ModeTable(**columns)
