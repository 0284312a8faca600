"""Processes that measure: in a tree of their own, alone on a thread, with the same hash seed and the same heap."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
# One thread each; and memory that was freed stays in the process: pages that come and go cost what a neighbour leaves.
STEADY = {
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
}
KEPT_HEAP = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**32), "MALLOC_TOP_PAD_": str(2**26)}


class WorkFailedError(Exception):
    """A process that measures ended with an error; the message has its last words."""


def environment(tree: Path, **more: str) -> dict[str, str]:
    """Return the environment of a process that measures the product of `tree` with what lies here."""
    path = [tree, HERE, ROOT / "benchmarks", ROOT / "tests" / "helpers"]
    return os.environ | STEADY | {"PYTHONPATH": os.pathsep.join(map(str, path))} | more


def told(command: Sequence[str | Path], tree: Path, **more: str) -> Any:
    """Run a process in `tree`, and return the JSON document that it prints."""
    done = subprocess.run(
        list(map(str, command)), cwd=tree, env=environment(tree, **more), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise WorkFailedError(
            " ".join((done.stderr or done.stdout).strip().splitlines()[-1:]) or f"code {done.returncode}"
        )
    return json.loads(done.stdout)


def work(name: str) -> list[str | Path]:
    """Return the command of a piece of work that lies here; `-P`: what lies here is not looked at before the tree."""
    return [sys.executable, "-P", HERE / name]
