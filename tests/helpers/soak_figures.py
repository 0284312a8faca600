"""What a soak leaves for the page of nightly runs: ``build/soak/NAME.json``, as docs/nightly.md says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "build" / "soak"
HOUR_S = 3_600


def keep_figures(name: str, figures: Mapping[str, float], folder: Path = FOLDER) -> Path:
    """Write a soak's figures, whole or not at all, and return where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps({"name": name, "figures": dict(figures)}) + "\n", encoding="utf-8")
    draft.replace(path)
    return path


def rate(count: int, what: str, took_s: float) -> str:
    """Say how many there were, how long they took, and how many an hour that makes."""
    return f"{count:,} {what} in {took_s:,.0f} s, {per_hour(count, took_s):,} an hour"


def per_hour(count: int, took_s: float) -> int:
    """Return how many an hour that makes."""
    return round(count / max(took_s, 1e-9) * HOUR_S)
