"""What is on record: a committed file a gate, by toolchain."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE / "on_record"


@dataclass(frozen=True)
class Records:
    """Where records are kept."""

    folder: Path = FOLDER

    def path(self, gate: str) -> Path:
        """Return the file of a gate."""
        return self.folder / f"{gate}.json"

    def of(self, gate: str, toolchain: str) -> dict[str, float] | None:
        """Return what is on record for a toolchain, None if there is nothing."""
        return self._all(gate).get(toolchain)

    def write(self, gate: str, toolchain: str, figures: dict[str, float]) -> Path:
        """Put these figures on record in place of others of that toolchain; other toolchains keep theirs."""
        known = self._all(gate) | {toolchain: dict(sorted(figures.items()))}
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path(gate).write_text(json.dumps(dict(sorted(known.items())), indent=2) + "\n", encoding="utf-8")
        return self.path(gate)

    def _all(self, gate: str) -> dict[str, dict[str, float]]:
        path = self.path(gate)
        if not path.exists():
            return {}
        read: dict[str, dict[str, float]] = json.loads(path.read_text(encoding="utf-8"))
        return read


def entry(gate: str, toolchain: str, figures: dict[str, float]) -> str:
    """Return what would go on record, as it stands in the file."""
    return f"benchmarks/gates/on_record/{gate}.json: " + json.dumps(
        {toolchain: dict(sorted(figures.items()))}, indent=2
    )
