"""Where a result comes from: command, version, commit, scenario digest, seed. No clock: equal runs are equal bytes."""

from __future__ import annotations

import hashlib
import shlex
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGE = "exchange-router"


def commit() -> str:
    """Return the checkout's commit, with ``+changes`` if files differ from it, or "unknown" outside a checkout."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return "unknown"
    try:
        head = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return "unknown"
    return f"{head}+changes" if changed else head


def command(*words: str, **options: object) -> str:
    """Return a command line that repeats this act; options that change no figure are left out by the caller."""
    parts = [PACKAGE, *words]
    for name, value in options.items():
        values = value if isinstance(value, (list, tuple)) else [value]
        for one in values:
            if one is not None and one is not False:
                parts.append(f"--{name.replace('_', '-')}")
                parts.extend([] if one is True else [shlex.quote(str(one))])
    return " ".join(parts)


def made_by(command_line: str) -> dict[str, Any]:
    """Return what made a result."""
    return {"command": command_line, "version": version(PACKAGE), "commit": commit()}


def provenance(command_line: str, *, scenario: str, scenario_digest: str, seed: int, **more: Any) -> dict[str, Any]:
    """Return what every stored result of a scenario carries."""
    return {
        **made_by(command_line),
        "scenario": scenario,
        "scenario_digest": scenario_digest,
        "seed": seed,
        **more,
    }


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
