"""Gate: quality of results on fixed seeds."""

# ruff: noqa: ARG002 - a gate's methods take what any gate may need
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.gates.children import told, work
from benchmarks.gates.gate import Figures
from benchmarks.gates.memory import PRODUCT
from benchmarks.gates.verdict import Rule

# What is integers all the way is the same to the last one everywhere.
EXACT = ("replay.ecmp.", "surges.")


@dataclass(frozen=True)
class Quality:
    """Gaps, excesses, delays and errors; see `quality_work.py` for each."""

    name: str = "quality"
    attempts: int = 1
    absent: float | None = None

    def toolchain(self) -> str:
        """Any: what differs between processors is within the rule."""
        return "any"

    def rule(self, figure: str) -> Rule:
        """Nothing of whole numbers; else one per cent, and a thousandth of an optimum."""
        if figure.startswith(EXACT):
            return Rule(0.0, unit=" ns" if figure.endswith("_ns") else "")
        if figure.endswith(".missed"):
            return Rule(0.01, slack=1.0)
        return Rule(0.01, unit=" ns") if figure.endswith("_ns") else Rule(0.01, slack=0.001)

    def sources(self, figure: str) -> tuple[str, ...]:
        """All of the product."""
        return (*PRODUCT, "traces/samples")

    def measure(self, tree: Path, only: frozenset[str] | None = None, attempt: int = 1) -> Figures:
        """Work all of it out; the helpers that draw worlds are those here."""
        found: Figures = told(work("quality_work.py"), tree)
        return found
