"""The rules of a row: ranges and order first, then who may have what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from router_core.catalogue import SharingRule
from router_core.exchanges import NO_DEADLINE, NO_LABEL, Exchanges
from router_core.platform import Platform
from router_core.units import PAYLOAD_BYTES_MAX
from router_core.vocabulary import PRIORITY_MAX, Mode, TaskKind
from traces.reader import NameMap
from traces.schema import TraceInfo

NOTHING_SUBMITTED: Final = -1


@dataclass(frozen=True)
class RowRule:
    """A rule that a row can break: a name for counts, a sentence, and the columns that show how."""

    name: str
    text: str
    columns: tuple[str, ...]


def _sharing(rule: SharingRule, *columns: str) -> RowRule:
    return RowRule(rule.name.lower(), rule.text, columns)


TIME_RANGE: Final = RowRule("time_range", "submitted_ns must lie in 0 up to the span of the trace", ("submitted_ns",))
TIME_ORDER: Final = RowRule("time_order", "submitted_ns must not be below that of an earlier row", ("submitted_ns",))
PAYLOAD: Final = RowRule("payload", "payload_bytes must lie in 0..2^40", ("payload_bytes",))
MODE: Final = RowRule("mode", f"mode must lie in 0..{max(Mode)}", ("mode",))
KIND: Final = RowRule("kind", f"kind must lie in 0..{max(TaskKind)}", ("kind",))
PRIORITY: Final = RowRule("priority", f"priority must lie in 0..{PRIORITY_MAX}", ("priority",))
DEADLINE: Final = RowRule(
    "deadline", "deadline_ns must be -1 or later than submitted_ns", ("deadline_ns", "submitted_ns")
)
DEMAND_TYPE: Final = RowRule("demand_type", "demand_type must be -1 or one of the file's types", ("demand_type",))
SURGE: Final = RowRule("surge", "surge must be -1 or one of the file's surges", ("surge",))

# In the order in which a row is judged; a row counts for the first rule that it breaks.
ROW_RULES: Final = (
    TIME_RANGE,
    TIME_ORDER,
    PAYLOAD,
    MODE,
    KIND,
    PRIORITY,
    DEADLINE,
    DEMAND_TYPE,
    SURGE,
    _sharing(SharingRule.UNKNOWN_RESOURCE, "resource"),
    _sharing(SharingRule.NOT_AN_ENDPOINT, "source", "target"),
    _sharing(SharingRule.SAME_ENDPOINT, "source", "target"),
    _sharing(SharingRule.NOT_THE_PROVIDER, "source", "resource"),
    _sharing(SharingRule.NOT_SHARED, "resource"),
    _sharing(SharingRule.NOT_GRANTED, "target", "resource"),
    _sharing(SharingRule.MAY_NOT_CROSS_ZONES, "source", "target", "resource"),
    _sharing(SharingRule.NO_CENTRE_BETWEEN, "source", "target"),
)
KEPT: Final = -1
_FIRST_SHARING: Final = 9


class RowJudge:
    """Judges the rows of one trace, batch by batch in their order.

    Parameters
    ----------
    info : TraceInfo
    names : NameMap
        Of this trace in `platform`.
    platform : Platform
    """

    def __init__(self, info: TraceInfo, names: NameMap, platform: Platform) -> None:
        self._info = info
        self._names = names
        self._platform = platform
        self._latest_ns = NOTHING_SUBMITTED

    def judge(self, batch: Exchanges) -> NDArray[np.int8]:
        """Return the index into `ROW_RULES` of the first rule each row breaks, `KEPT` if none; (n,).

        `batch` carries the file's own indices.
        """
        time = batch.submitted_ns
        in_range = (time >= 0) & (time < self._info.span_ns)
        broken = (
            ~in_range,
            self._earlier(time, in_range),
            (batch.payload_bytes < 0) | (batch.payload_bytes > PAYLOAD_BYTES_MAX),
            _outside(batch.mode, 0, max(Mode)),
            _outside(batch.kind, 0, max(TaskKind)),
            _outside(batch.priority, 0, PRIORITY_MAX),
            (batch.deadline_ns != NO_DEADLINE) & (batch.deadline_ns <= time),
            _outside(batch.demand_type, NO_LABEL, len(self._info.demand_types) - 1),
            _outside(batch.surge, NO_LABEL, len(self._info.surges) - 1),
        )
        verdict = self._platform.catalogue.verdict(
            self._platform.network,
            self._names.nodes(batch.source),
            self._names.nodes(batch.target),
            self._names.resources(batch.resource),
        )
        permitted = verdict == SharingRule.PERMITTED
        result = np.where(permitted, KEPT, verdict + (_FIRST_SHARING - SharingRule.UNKNOWN_RESOURCE)).astype(np.int8)
        for index in reversed(range(len(broken))):
            result[broken[index]] = index
        return result

    def shown(self, batch: Exchanges, row: int, rule: RowRule) -> str:
        """What a row of the batch has where it breaks a rule: the file's values, and names where it has them."""
        return ", ".join(f"{column} {self._value(column, int(getattr(batch, column)[row]))}" for column in rule.columns)

    def _value(self, column: str, value: int) -> str:
        name: Any = None
        if column == "resource" and 0 <= value < len(self._info.resources):
            name = self._info.resources[value]
        if column in ("source", "target") and 0 <= value < len(self._names.node) and self._names.node[value] >= 0:
            name = self._platform.network.node_name[self._names.node[value]]
        return str(value) if name is None else f"{value} {name}"

    def _earlier(self, time: NDArray[np.int64], in_range: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether each row lies before the latest row above it; one out of range does not count as the latest."""
        latest = np.maximum.accumulate(np.concatenate([[self._latest_ns], np.where(in_range, time, NOTHING_SUBMITTED)]))
        self._latest_ns = int(latest[-1])
        return np.asarray(time < latest[:-1])


def _outside(values: NDArray[np.int8], low: int, high: int) -> NDArray[np.bool_]:
    return np.asarray((values < low) | (values > high))


assert ROW_RULES[_FIRST_SHARING].name == SharingRule.UNKNOWN_RESOURCE.name.lower()
assert len(ROW_RULES) - _FIRST_SHARING == len(SharingRule) - 1, "one rule for each refusal of the catalogue"
