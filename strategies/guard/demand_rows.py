"""Which rows of a report of demand cannot be."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.network import Network
from router_core.units import PAYLOAD_BYTES_MAX
from router_core.vocabulary import PRIORITY_MAX, Mode, TaskKind
from strategies.brain import DemandReported
from strategies.guard.shapes import fits, is_instant

_TYPES: Final[dict[str, type[np.generic]]] = {
    "source": np.int32,
    "target": np.int32,
    "mode": np.int8,
    "kind": np.int8,
    "priority": np.int8,
    "exchanges": np.int64,
    "payload_bytes": np.int64,
}
# A front-end that accepts more than a task a microsecond in one relation has lost count.
TASK_NS: Final = 1_000


def demand_flaws(network: Network, event: DemandReported) -> NDArray[np.bool_] | None:
    """Return which rows are to be left out, (n,); None if the report has not the form of one."""
    rows = len(event.source) if isinstance(event.source, np.ndarray) else 0
    for name, kind in _TYPES.items():
        if not fits(getattr(event, name), kind, rows):
            return None
    if not is_instant(event.window_ns):
        return None
    wrong: NDArray[np.bool_] = event.source == event.target
    for end in (event.source, event.target):
        inside = (end >= 0) & (end < network.node_count)
        wrong |= ~(inside & network.is_endpoint[np.where(inside, end, 0)])
    for column, high in ((event.mode, len(Mode)), (event.kind, len(TaskKind)), (event.priority, PRIORITY_MAX + 1)):
        wrong |= (column < 0) | (column >= high)
    exchanges, payload = event.exchanges, event.payload_bytes
    wrong |= (exchanges < 1) | (exchanges > max(1, event.window_ns // TASK_NS))
    # A division, as a product of two absurd numbers may look right.
    wrong |= (payload < 0) | (payload // np.maximum(exchanges, 1) > PAYLOAD_BYTES_MAX)
    return wrong | _again(event, wrong, network.node_count)


def _again(event: DemandReported, wrong: NDArray[np.bool_], nodes: int) -> NDArray[np.bool_]:
    """Rows whose relation does not come after those before it, what is wrong already left out."""
    kept = np.flatnonzero(~wrong)
    code = event.source[kept].astype(np.int64)
    for column, values in (
        (event.target, nodes),
        (event.mode, len(Mode)),
        (event.kind, len(TaskKind)),
        (event.priority, PRIORITY_MAX + 1),
    ):
        code = code * values + column[kept]
    result = np.zeros(len(wrong), dtype=np.bool_)
    result[kept[1:]] = code[1:] <= np.maximum.accumulate(code)[:-1] if len(kept) else False
    return result
