"""True types of demand in generated traces, for scoring what a brain made of them; no brain sees these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.demand_history import Relations
from router_core.errors import BadInputError
from router_core.exchanges import NO_LABEL
from router_core.platform import Platform
from traces.reader import TraceReader

COLUMNS: Final = ("source", "target", "mode", "kind", "priority", "demand_type")
RELATION: Final = ("source", "target", "mode", "kind", "priority")


@dataclass(frozen=True, eq=False)
class TrueTypes:
    """How many exchanges of each true type each relation had; n rows, rows of one relation together.

    Attributes
    ----------
    names : tuple of str
        Of the types.
    relation : int64 (n, 5)
        Source, target, mode, kind, priority.
    demand_type : int8 (n,)
        Index into `names`.
    exchanges : int64 (n,)
    """

    names: tuple[str, ...]
    relation: NDArray[np.int64]
    demand_type: NDArray[np.int8]
    exchanges: NDArray[np.int64]

    def of_relations(self, relations: Relations) -> NDArray[np.int16]:
        """Type with most exchanges of each relation, the first of equals; `NO_LABEL` if it has none; (R,)."""
        wanted = np.stack([getattr(relations, name).astype(np.int64) for name in RELATION], axis=1)
        return self._dominant(self.relation, wanted)

    def of_pairs(self, source: NDArray[np.integer], target: NDArray[np.integer]) -> NDArray[np.int16]:
        """Type with most exchanges of each pair of endpoints, likewise, (P,)."""
        wanted = np.stack([np.asarray(source, dtype=np.int64), np.asarray(target, dtype=np.int64)], axis=1)
        return self._dominant(self.relation[:, :2], wanted)

    def _dominant(self, units: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int16]:
        both = np.concatenate([units, wanted])
        _, unit = np.unique(both, axis=0, return_inverse=True)
        counts = np.zeros((int(unit.max(initial=-1)) + 1, len(self.names)), dtype=np.int64)
        np.add.at(counts, (unit[: len(units)], self.demand_type), self.exchanges)
        found = counts.argmax(axis=1).astype(np.int16)
        found[counts.sum(axis=1) == 0] = NO_LABEL
        return np.asarray(found[unit[len(units) :]])


def read_true_types(paths: Sequence[str | Path], platform: Platform) -> TrueTypes:
    """Read the labels of generated traces; exchanges without a label are left out.

    Raises
    ------
    BadInputError
        If a file is damaged, or two of them name different types.
    """
    names: tuple[str, ...] | None = None
    rows = np.empty((0, len(COLUMNS)), dtype=np.int64)
    counts = np.empty(0, dtype=np.int64)
    for path in paths:
        with TraceReader(path) as reader:
            if names not in (None, reader.info.demand_types):
                raise BadInputError("demand_types", f"must be {names} as in the first trace", None, str(path))
            names = reader.info.demand_types
            nodes = reader.name_map(platform)
            for columns in reader.columns(COLUMNS):
                columns["source"], columns["target"] = nodes.nodes(columns["source"]), nodes.nodes(columns["target"])
                batch = np.stack([columns[name].astype(np.int64) for name in COLUMNS], axis=1)
                batch = batch[batch[:, -1] != NO_LABEL]
                rows, counts = _summed(
                    np.concatenate([rows, batch]), np.concatenate([counts, np.ones(len(batch), dtype=np.int64)])
                )
    return TrueTypes(names or (), rows[:, :-1], rows[:, -1].astype(np.int8), counts)


def _summed(rows: NDArray[np.int64], counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Equal rows once, with the sum of their counts."""
    order = np.lexsort(rows.T[::-1])
    rows, counts = rows[order], counts[order]
    first = np.ones(len(rows), dtype=np.bool_)
    first[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    starts = np.flatnonzero(first)
    return rows[starts], np.add.reduceat(counts, starts) if len(starts) else counts
