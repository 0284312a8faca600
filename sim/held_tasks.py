"""Tasks that wait for their release."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from router_core.exchanges import Exchanges, concatenate


@dataclass(frozen=True, eq=False)
class Tasks:
    """Exchanges whose `submitted_ns` is their release.

    Attributes
    ----------
    exchanges : Exchanges
    row : int64 (n,)
        Row in the trace of each.
    """

    exchanges: Exchanges
    row: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, rows: slice | NDArray[np.bool_] | NDArray[np.integer]) -> Tasks:
        return Tasks(self.exchanges[rows], self.row[rows])


def in_order(*parts: Tasks) -> Tasks:
    """Join tasks in order of release, at one instant in order of the trace."""
    joined = Tasks(concatenate([part.exchanges for part in parts]), np.concatenate([part.row for part in parts]))
    return joined[np.lexsort((joined.row, joined.exchanges.submitted_ns))]


class HeldTasks:
    """Holds tasks back until their release.

    They lie in sorted runs, each of which has less than half the length of the one before it when it is added: to add
    n tasks in small portions so takes O(n log n), where one sorted table would be moved at each portion.

    Attributes
    ----------
    payload_bytes : int
        Bytes of all that are held.
    """

    def __init__(self) -> None:
        self._runs: list[Tasks] = []
        self.payload_bytes = 0

    def __len__(self) -> int:
        return sum(len(run) for run in self._runs)

    def add(self, tasks: Tasks) -> None:
        """Hold tasks that are in order of release."""
        self.payload_bytes += int(tasks.exchanges.payload_bytes.sum())
        while self._runs and len(self._runs[-1]) < 2 * len(tasks):
            tasks = in_order(self._runs.pop(), tasks)
        self._runs.append(tasks)

    def take(self, now_ns: int) -> list[Tasks]:
        """Give away those that are released before now, in several parts, each in order."""
        due, rest = [], []
        for run in self._runs:
            count = int(run.exchanges.submitted_ns.searchsorted(now_ns))
            if count:
                due.append(run[:count])
                self.payload_bytes -= int(due[-1].exchanges.payload_bytes.sum())
            if count < len(run):
                rest.append(run[count:] if count else run)
        self._runs = rest
        return due
