"""All gates, one after the other, and what they say."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, Final

from benchmarks.gates.base import Base
from benchmarks.gates.gate import Gate, Report, record, run
from benchmarks.gates.instructions import Instructions
from benchmarks.gates.memory import Memory
from benchmarks.gates.quality import Quality
from benchmarks.gates.ratios import Ratios
from benchmarks.gates.records import Records
from benchmarks.gates.starting import Imports, Starting
from benchmarks.gates.verdict import State

GATES: Final[tuple[Gate, ...]] = (Imports(), Instructions(), Ratios(), Starting(), Memory(), Quality())
# Of what varies from run to run the median of so many goes on record.
PASSES: Final = {"ratios": 5, "start": 3, "memory": 3}


def chosen(only: Sequence[str]) -> list[Gate]:
    """Return the gates of these names, or all; raise `ValueError` naming one that is none."""
    known = {gate.name: gate for gate in GATES}
    if unknown := [name for name in only if name not in known]:
        raise ValueError(f"--only: must be one of {', '.join(known)}, got {unknown[0]!r}")
    return [known[name] for name in known if not only or name in only]


def run_all(gates: Iterable[Gate], records: Records, base: Base) -> list[Report]:
    """Run gates and tell how long each took."""
    found = []
    for gate in gates:
        begun = time.monotonic()
        found.append(run(gate, records, base))
        print(f"{gate.name}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    return found


def record_all(gates: Iterable[Gate], records: Records) -> list[Report]:
    """Put what is measured now on record."""
    return [record(gate, records, PASSES.get(gate.name, 1)) for gate in gates]


def lines(reports: Iterable[Report]) -> list[str]:
    """Return verdicts to read: what needs looking at last."""
    verdicts = [verdict for report in reports for verdict in report.verdicts]
    calm = (State.HELD, State.SKIPPED, State.OPEN, State.BETTER, State.FAILED)
    return [verdict.line() for state in calm for verdict in verdicts if verdict.state is state]


def document(reports: Iterable[Report]) -> dict[str, Any]:
    """Return all of it as plain values."""
    return {
        report.gate: {
            "toolchain": report.toolchain,
            "figures": report.figures,
            "verdicts": [asdict(verdict) for verdict in report.verdicts],
        }
        for report in reports
    }


def exit_code(reports: Sequence[Report], *, strict: bool) -> int:
    """Return 1 if a gate failed or, where that is asked for, found nothing to measure with or to compare with."""
    wrong = {State.FAILED} | ({State.OPEN, State.SKIPPED} if strict else set())
    return int(any(verdict.state in wrong for report in reports for verdict in report.verdicts))
