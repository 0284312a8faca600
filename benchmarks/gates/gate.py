"""How any gate runs: measure, compare with what is on record or with the base, look again at what is above."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from benchmarks.gates.base import Base, NoBaseError
from benchmarks.gates.children import ROOT, WorkFailedError
from benchmarks.gates.records import Records, entry
from benchmarks.gates.verdict import Rule, State, Verdict

Figures = dict[str, float]


class SkippedError(Exception):
    """What a gate measures with is not there; the message says what."""


class Gate(Protocol):
    """What is measured, and how it is judged.

    Attributes
    ----------
    name : str
        In one word.
    attempts : int
        A figure fails when it is above its limit this many times in a row.
    absent : float or None
        What a figure is that was not measured, or is not on record; None: that must be looked at.
    """

    @property
    def name(self) -> str: ...
    @property
    def attempts(self) -> int: ...
    @property
    def absent(self) -> float | None: ...

    def toolchain(self) -> str:
        """Return what figures depend on besides the sources."""
        ...

    def rule(self, figure: str) -> Rule:
        """Return how far above its record a figure may be."""
        ...

    def sources(self, figure: str) -> tuple[str, ...]:
        """Return the paths of the product that a figure depends on."""
        ...

    def measure(self, tree: Path, only: frozenset[str] | None = None, attempt: int = 1) -> Figures:
        """Measure the product of a tree, all figures or only these; raises `SkippedError`."""
        ...


@dataclass(frozen=True)
class Report:
    """What came of a gate; `to_record`: what nothing is on record for, as it would stand there."""

    gate: str
    toolchain: str
    figures: Figures
    verdicts: tuple[Verdict, ...]
    to_record: str = ""

    @property
    def failed(self) -> bool:
        """Whether any figure failed."""
        return any(verdict.state is State.FAILED for verdict in self.verdicts)


@dataclass
class _Recorded:
    """Figures to hold against: on record, or of the base measured now; of those in `same` nothing has changed."""

    figures: Figures = field(default_factory=dict)
    tree: Path | None = None
    same: frozenset[str] = frozenset()
    note: str = ""


def run(gate: Gate, records: Records, base: Base) -> Report:
    """Measure a gate's figures and judge them."""
    toolchain = ""
    try:
        toolchain = gate.toolchain()
        measured = gate.measure(ROOT)
    except SkippedError as reason:
        return Report(gate.name, toolchain, {}, (Verdict(gate.name, "-", State.SKIPPED, note=str(reason)),))
    except WorkFailedError as error:
        return Report(gate.name, toolchain, {}, (Verdict(gate.name, "-", State.FAILED, note=str(error)),))
    known = records.of(gate.name, toolchain)
    recorded = _Recorded(dict(known)) if known is not None else _of_base(gate, measured, records, base)
    if gate.absent is not None and (known is not None or recorded.figures):
        for name in (measured.keys() | recorded.figures.keys()) - recorded.same:
            measured.setdefault(name, gate.absent)
            recorded.figures.setdefault(name, gate.absent)
    _look_again(gate, measured, recorded)
    names = sorted(measured.keys() | recorded.figures.keys())
    verdicts = tuple(_verdict(gate, name, measured, recorded) for name in names)
    missing = known is None or measured.keys() - recorded.figures.keys()
    return Report(gate.name, toolchain, measured, verdicts, entry(gate.name, toolchain, measured) if missing else "")


def record(gate: Gate, records: Records, passes: int = 1) -> Report:
    """Measure, several times where a figure varies, and put the medians on record."""
    try:
        found = [gate.measure(ROOT) for _ in range(passes)]
    except (SkippedError, WorkFailedError) as reason:
        return Report(gate.name, "", {}, (Verdict(gate.name, "-", State.SKIPPED, note=str(reason)),))
    middle = {name: sorted(one[name] for one in found)[len(found) // 2] for name in sorted(found[0])}
    before = records.of(gate.name, gate.toolchain()) or {}
    records.write(gate.name, gate.toolchain(), middle)
    verdicts = tuple(
        Verdict(
            gate.name, name, State.HELD, value, before.get(name), before.get(name), gate.rule(name).unit, "on record"
        )
        for name, value in middle.items()
    )
    return Report(gate.name, gate.toolchain(), middle, verdicts)


def _of_base(gate: Gate, measured: Figures, records: Records, base: Base) -> _Recorded:
    """Figures of the base, measured now; not of those whose sources are the base's, which cannot have become worse."""
    try:
        revision = base.of(records.path(gate.name))
        unchanged = {paths: base.unchanged(revision, paths) for paths in {gate.sources(name) for name in measured}}
        same = frozenset(name for name in measured if unchanged[gate.sources(name)])
        if len(same) == len(measured):
            return _Recorded(same=same, note=f"toolchain not on record; sources are those of the base {revision[:12]}")
        tree = base.tree(revision)
        figures = gate.measure(tree, frozenset(measured) - same)
        kept = {name: value for name, value in figures.items() if name not in same}
        return _Recorded(kept, tree, same, f"beside the base {revision[:12]}")
    except NoBaseError as reason:
        return _Recorded(note=f"no record for this toolchain, and no base: {reason}")
    except (SkippedError, WorkFailedError) as reason:
        return _Recorded(note=f"no record for this toolchain, and the base cannot be measured: {reason}")


def _look_again(gate: Gate, measured: Figures, recorded: _Recorded) -> None:
    """Measure what is above its limit anew; whatever holds once holds."""
    for attempt in range(2, gate.attempts + 1):
        above = frozenset(
            name for name in measured.keys() & recorded.figures.keys() if _above(gate, name, measured, recorded)
        )
        if not above:
            return
        again = gate.measure(ROOT, above, attempt)
        beside = gate.measure(recorded.tree, above, attempt) if recorded.tree is not None else {}
        for name in above & again.keys():
            limit = beside.get(name, recorded.figures[name])
            if _excess(again[name], limit) < _excess(measured[name], recorded.figures[name]):
                measured[name], recorded.figures[name] = again[name], limit


def _above(gate: Gate, name: str, measured: Figures, recorded: _Recorded) -> bool:
    return gate.rule(name).state(measured[name], recorded.figures[name]) is State.FAILED


def _excess(measured: float, recorded: float) -> float:
    return measured / recorded if recorded else measured


def _verdict(gate: Gate, name: str, measured: Figures, recorded: _Recorded) -> Verdict:
    rule = gate.rule(name)
    value, known = measured.get(name), recorded.figures.get(name)
    if value is None:
        note = "is on record and is not measured any more: make gates-record if that is meant"
        return Verdict(gate.name, name, State.FAILED, recorded=known, unit=rule.unit, note=note)
    if known is None:
        state = State.HELD if name in recorded.same else State.OPEN
        note = recorded.note or "is not on record"
        if recorded.tree is not None:
            note = "sources are those of the base" if name in recorded.same else f"{note}, which has no such figure"
        return Verdict(gate.name, name, state, value, unit=rule.unit, note=note)
    state, note = rule.state(value, known), recorded.note
    if state is State.BETTER and recorded.tree is None:
        note = "make gates-record"
    if state is State.FAILED and gate.attempts > 1:
        note = f"{gate.attempts} times in a row {note}".strip()
    return Verdict(gate.name, name, state, value, known, rule.limit(known), rule.unit, note)
