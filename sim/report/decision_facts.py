"""What the page tells of each brain's decisions: counts over time, and the log itself with names that readers know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from sim.decision_texts import (
    ALERT_OVER_WORDS,
    COSTS,
    FIGURE_WORDS,
    KIND_WORDS,
    REASON_WORDS,
    Words,
    form_of,
    kind_words,
    subject_words,
)
from sim.results import NetworkTable
from strategies.decision import FIGURES, Decision, DecisionKind, Reason

ROWS_MAX: Final = 20_000  # some 2 MB of the page
STEPS_MAX: Final = 1_000
DIGITS: Final = 4
KINDS: Final = list(DecisionKind)
REASONS: Final = list(Reason)
FIGURE_NAMES: Final = list(FIGURES)


def decision_words() -> dict[str, Any]:
    """Return the words of all decisions, in the order of the numbers that rows use."""
    return {
        "kinds": _in_order(KIND_WORDS, KINDS),
        "kind_names": [kind.value for kind in KINDS],
        "reasons": _in_order(REASON_WORDS, REASONS),
        "alert_over": list(ALERT_OVER_WORDS),
        "ends_alert": [kind_words(DecisionKind.ALERT, reason) is ALERT_OVER_WORDS for reason in REASONS],
        "figures": _in_order(FIGURE_WORDS, FIGURE_NAMES),
        "forms": [form_of(name) for name in FIGURE_NAMES],
        "costs": [name in COSTS for name in FIGURE_NAMES],
    }


def log_facts(
    decisions: Sequence[Decision],
    network: NetworkTable,
    station_label: Callable[[int], list[Any]],
    pools: Mapping[str, str],
    slot_ns: int,
    slots: int,
) -> dict[str, Any] | None:
    """Return what the page shows of one brain's log; None if it is empty.

    Parameters
    ----------
    decisions : sequence of Decision
    network : NetworkTable
    station_label : callable
        The page's label of a station.
    pools : mapping of str to str
        Chinese labels of pools by name.
    slot_ns, slots : int
        Of the run.

    Returns
    -------
    dict
        `count`; `rows` of [microsecond, age of the newest observation or null, kind, reason, subjects, figures], at
        most `ROWS_MAX`: of a kind that has too many, evenly spread ones; `names`, to which subjects refer;
        `slots_per_step` and `steps`, [step, kind, count] of all decisions.
    """
    if not decisions:
        return None
    names = _Names(network, station_label, pools)
    per_step = max(1, -(-slots // STEPS_MAX))
    kind = np.array([KINDS.index(one.kind) for one in decisions])
    step = np.array([one.now_ns for one in decisions]) // (slot_ns * per_step)
    cells, counts = np.unique(np.stack([step, kind]), axis=1, return_counts=True)
    rows = []
    for row in _listed(kind).tolist():
        one = decisions[row]
        figures = [[FIGURE_NAMES.index(name), float(f"{value:.{DIGITS}g}")] for name, value in one.figures.items()]
        age = (one.now_ns - one.observed_ns) // 1_000 if one.observed_ns else None
        subjects = [names.number(name, one) for name in one.subject]
        rows.append([one.now_ns // 1_000, age, int(kind[row]), REASONS.index(one.reason), subjects, figures])
    return {
        "count": len(decisions),
        "rows": rows,
        "names": names.labels,
        "slots_per_step": per_step,
        "steps": np.vstack([cells, counts]).T.tolist(),
    }


def _in_order(words: Mapping[Any, Words], keys: Sequence[Any]) -> list[list[str]]:
    return [list(words[key]) for key in keys]


def _listed(kind: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Rows to list: kinds with few decisions wholly, of the others as many as there is room for."""
    kept = []
    counts = np.bincount(kind, minlength=len(KINDS))
    room, left = ROWS_MAX, int(np.count_nonzero(counts))
    for one in np.argsort(counts, kind="stable").tolist():
        rows = np.flatnonzero(kind == one)
        if len(rows) == 0:
            continue
        some = min(len(rows), room // left)
        kept.append(rows[np.linspace(0, len(rows) - 1, some).round().astype(np.intp)])
        room, left = room - some, left - 1
    return np.sort(np.concatenate(kept))


class _Names:
    """Labels of what decisions name, each once: the page's label of a station, [name, Chinese], or [name]."""

    def __init__(
        self, network: NetworkTable, station_label: Callable[[int], list[Any]], pools: Mapping[str, str]
    ) -> None:
        self.labels: list[list[Any]] = []
        self._numbers: dict[tuple[str, Words | None], int] = {}
        self._node_zh = dict(zip(network.nodes.name, network.nodes.label_zh, strict=True))
        self._station = {name: index for index, name in enumerate(network.stations.name)}
        self._station_label = station_label
        self._pools = pools

    def number(self, name: str, of: Decision) -> int:
        """Return the position of the label of a decision's subject."""
        words = subject_words(name, of.kind, of.reason)
        if (name, words) not in self._numbers:
            self._numbers[name, words] = len(self.labels)
            self.labels.append(self._label(name) if words is None else list(words))
        return self._numbers[name, words]

    def _label(self, name: str) -> list[Any]:
        if name in self._node_zh:
            return [name, self._node_zh[name]]
        if name in self._station:
            return ["", self._station_label(self._station[name])]
        if name in self._pools:
            return [name, self._pools[name]]
        for mark, shown in ((" - ", " → "), ("+", " + ")):
            parts = name.split(mark)
            if len(parts) > 1 and all(part in self._node_zh for part in parts):
                return [shown.join(parts), shown.join(self._node_zh[part] or part for part in parts)]
        return [name, name]
