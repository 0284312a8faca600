"""What a gate says of a figure, and the rule by which it says so. Less is better in every figure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What became of a figure."""

    HELD = "held"
    FAILED = "FAILED"
    BETTER = "better"
    OPEN = "open"  # nothing to compare with
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Rule:
    """How far above its record a figure may be.

    Attributes
    ----------
    rise : float
        As a share of what is on record.
    slack : float
        Beyond that, in the figure's own unit: what may vary where the record is next to nothing.
    unit : str
        Shown behind the number.
    """

    rise: float
    slack: float = 0.0
    unit: str = ""

    def limit(self, recorded: float) -> float:
        """Return the largest value that holds."""
        return recorded + abs(recorded) * self.rise + self.slack

    def state(self, measured: float, recorded: float) -> State:
        """Compare; what is better by more than may vary is worth a new record."""
        if not measured <= self.limit(recorded):  # neither is what is no number
            return State.FAILED
        return State.BETTER if measured < recorded - abs(recorded) * self.rise - self.slack else State.HELD


@dataclass(frozen=True)
class Verdict:
    """A line of a gate's answer; `note` says what numbers do not."""

    gate: str
    figure: str
    state: State
    measured: float | None = None
    recorded: float | None = None
    limit: float | None = None
    unit: str = ""
    note: str = ""

    def line(self) -> str:
        """Return it as a line to read."""
        parts = [f"{self.state:<8}{self.gate:<14}{self.figure}"]
        if self.measured is not None:
            parts.append(f"{number(self.measured)}{self.unit}")
        if self.recorded is not None and self.limit is not None:
            change = (
                f", {self.measured / self.recorded - 1:+.2%}" if self.recorded and self.measured is not None else ""
            )
            parts.append(f"(recorded {number(self.recorded)}, limit {number(self.limit)}{change})")
        if self.note:
            parts.append(f"- {self.note}")
        return " ".join(parts)


def number(value: float) -> str:
    """Write whole numbers whole, others with five figures."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.5g}"
