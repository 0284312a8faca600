"""Gates whose measurements are written down, and bases that need no git."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.gates.base import Base, NoBaseError
from benchmarks.gates.children import ROOT
from benchmarks.gates.verdict import Rule

TREE = Path("the-base")


@dataclass
class MadeGate:
    """Brings what is written: of each attempt for the product here, and always the same of the base.

    Attributes
    ----------
    here : list of dict
        By attempt; after the last one it stays.
    asked : list
        Tree and figures of each measurement, filled as they come.
    """

    here: list[dict[str, float]]
    base: dict[str, float] = field(default_factory=dict)
    attempts: int = 1
    absent: float | None = None
    kind: Rule = field(default_factory=lambda: Rule(0.10))
    error: Exception | None = None
    name: str = "made"
    asked: list[tuple[Path, frozenset[str] | None]] = field(default_factory=list)

    def toolchain(self) -> str:
        return "this one"

    def rule(self, figure: str) -> Rule:
        return self.kind

    def sources(self, figure: str) -> tuple[str, ...]:
        return (figure,)

    def measure(self, tree: Path, only: Iterable[str] | None = None, attempt: int = 1) -> dict[str, float]:
        if self.error is not None:
            raise self.error
        self.asked.append((tree, None if only is None else frozenset(only)))
        found = self.here[min(attempt, len(self.here)) - 1] if tree == ROOT else self.base
        return {name: value for name, value in found.items() if only is None or name in only}


@dataclass(frozen=True)
class MadeBase(Base):
    """A base of which some sources are those here; or none, with a reason."""

    same: tuple[str, ...] = ()
    reason: str = ""

    def of(self, records: Path) -> str:
        if self.reason:
            raise NoBaseError(self.reason)
        return "0123456789abcdef"

    def unchanged(self, revision: str, sources: Iterable[str]) -> bool:
        return set(sources) <= set(self.same)

    def tree(self, revision: str) -> Path:
        return TREE
