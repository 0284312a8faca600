"""What front-ends report of the tasks that they accept: counts and bytes of every relation in a window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from router_core.exchanges import Exchanges
from router_core.vocabulary import PRIORITY_MAX, Mode, TaskKind
from strategies.brain import DemandReported


def demand_report(tasks: Exchanges, now_ns: int, observed_ns: int, window_ns: int) -> DemandReported:
    """Count the tasks of a window that ends at `observed_ns` and is known at `now_ns`, relation by relation."""
    code = _code(tasks)
    order = np.argsort(code, kind="stable")
    code = code[order]
    first = np.flatnonzero(np.concatenate(([True], code[1:] != code[:-1]))) if len(code) else np.empty(0, dtype=np.intp)
    rows = order[first]
    sizes = tasks.payload_bytes[order]
    return DemandReported(
        now_ns=now_ns,
        observed_ns=observed_ns,
        window_ns=window_ns,
        source=tasks.source[rows],
        target=tasks.target[rows],
        mode=tasks.mode[rows],
        kind=tasks.kind[rows],
        priority=tasks.priority[rows],
        exchanges=np.diff(np.append(first, len(code))).astype(np.int64),
        payload_bytes=np.add.reduceat(sizes, first) if len(first) else np.empty(0, dtype=np.int64),
    )


def _code(tasks: Exchanges) -> NDArray[np.int64]:
    """Relation of each task as one number, ordered as the columns are."""
    code = tasks.source.astype(np.int64)
    nodes = 1 + int(tasks.target.max(initial=0))
    for column, values in (
        (tasks.target, nodes),
        (tasks.mode, len(Mode)),
        (tasks.kind, len(TaskKind)),
        (tasks.priority, PRIORITY_MAX + 1),
    ):
        code = code * values + column
    return code
