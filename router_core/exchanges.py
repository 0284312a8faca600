"""Exchanges in memory: a struct of arrays, one row an exchange, ordered by submission. Row number = exchange id."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

NO_DEADLINE: Final = -1
NO_LABEL: Final = -1


@dataclass(frozen=True, eq=False)
class Exchanges:
    """What was exchanged, n rows, `submitted_ns` never decreasing.

    Attributes
    ----------
    submitted_ns : int64 (n,)
        When the front-end accepted the task, from the start of the trace [ns], >= 0.
    source, target : int32 (n,)
        Node indices of the endpoints.
    payload_bytes : int64 (n,)
        Size [bytes], 0..2**40.
    mode, kind : int8 (n,)
        `Mode`, `TaskKind`.
    resource : int32 (n,)
        Index into the catalogue's resources.
    priority : int8 (n,)
        Class of service, 0 is the most urgent.
    deadline_ns : int64 (n,)
        From the start of the trace [ns], or `NO_DEADLINE`.
    demand_type, surge : int8 (n,)
        True labels of generated traces, for scoring only, or `NO_LABEL`. No brain sees them.
    """

    submitted_ns: NDArray[np.int64]
    source: NDArray[np.int32]
    target: NDArray[np.int32]
    payload_bytes: NDArray[np.int64]
    mode: NDArray[np.int8]
    kind: NDArray[np.int8]
    resource: NDArray[np.int32]
    priority: NDArray[np.int8]
    deadline_ns: NDArray[np.int64]
    demand_type: NDArray[np.int8]
    surge: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.submitted_ns)

    def __getitem__(self, rows: slice | NDArray[np.bool_] | NDArray[np.integer]) -> Exchanges:
        return Exchanges(**{name: getattr(self, name)[rows] for name in FIELDS})


FIELDS: Final = tuple(field.name for field in fields(Exchanges))
DTYPES: Final[dict[str, type[np.signedinteger[Any]]]] = {
    "submitted_ns": np.int64,
    "source": np.int32,
    "target": np.int32,
    "payload_bytes": np.int64,
    "mode": np.int8,
    "kind": np.int8,
    "resource": np.int32,
    "priority": np.int8,
    "deadline_ns": np.int64,
    "demand_type": np.int8,
    "surge": np.int8,
}


def concatenate(parts: list[Exchanges]) -> Exchanges:
    """Join batches in their order; an empty list gives no exchanges."""
    if not parts:
        return Exchanges(**{name: np.empty(0, dtype=DTYPES[name]) for name in FIELDS})
    return Exchanges(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in FIELDS})
