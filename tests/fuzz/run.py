"""Replay inputs of a fuzzing target: ``python tests/fuzz/run.py TARGET FILE...``; without arguments, list the targets.

Exit code 0 if the parser answers each as it should, 1 if it does not, 2 if there is no such target or file.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from fuzzing import paths  # noqa: F401 - it lets the rest be found
from fuzzing.driving import told, watched
from fuzzing.guard import attempt
from fuzzing.table import NAMES, target_of


def main(arguments: list[str]) -> int:
    """Replay, and return the exit code."""
    if not arguments:
        for name in NAMES:
            print(f"{name:16} {target_of(name).reads}")
        return 0
    name, *files = arguments
    if name not in NAMES or not files or not all(Path(file).is_file() for file in files):
        print(f"usage: run.py TARGET FILE..., with a target of {', '.join(NAMES)}", file=sys.stderr)
        return 2
    target = target_of(name)
    failed = False
    with watched(target):
        for file in files:
            taken, finding = attempt(target, Path(file).read_bytes())
            failed |= finding is not None
            print(f"{file}: {told(finding) if finding else 'taken' if taken else 'refused'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
