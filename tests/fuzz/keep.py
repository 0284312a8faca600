"""Keep the smallest inputs that reach what no other one reaches: ``python tests/fuzz/keep.py [TARGET...]``.

Takes what the soak collected in ``build/fuzz/corpus`` and the corpus as it is, and writes the corpus anew. What counts
is which line of the project followed which, beyond what the target's seeds reach by themselves.
"""

from __future__ import annotations

import hashlib
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from fuzzing import paths  # noqa: F401 - it lets the rest be found
from fuzzing.driving import WARM_UP_S, kept, watched
from fuzzing.guard import attempt
from fuzzing.paths import BUILD, CORPUS, ROOT
from fuzzing.table import NAMES, target_of
from fuzzing.target import Target

FILES_MAX = 60
FILE_BYTES_MAX = 12 << 10
TARGET_BYTES_MAX = 48 << 10
SECONDS_MAX = 60.0
Arc = tuple[str, int, int]
_OWN = tuple(
    str(ROOT / room) for room in ("router_core", "scenarios", "traces", "strategies", "sim", "feed", "exchange_router")
)


def arcs(target: Target, data: bytes) -> set[Arc]:
    """Return which lines followed which in the project's files while a target read an input."""
    found: set[Arc] = set()

    def trace(frame: FrameType, _event: str, _argument: Any) -> Any:
        file = frame.f_code.co_filename
        if not file.startswith(_OWN):
            return None
        last = frame.f_lineno

        def line(inner: FrameType, _what: str, _value: Any) -> Any:
            nonlocal last
            found.add((file, last, inner.f_lineno))
            last = inner.f_lineno
            return line

        return line

    sys.settrace(trace)
    try:
        attempt(target, data, WARM_UP_S)
    finally:
        sys.settrace(None)
    return found


def smallest(target: Target, candidates: list[bytes]) -> list[bytes]:
    """Return those of the candidates, small ones first, that each reach something new."""
    reached: set[Arc] = set()
    chosen: list[bytes] = []
    for data in target.seeds():
        reached |= arcs(target, data)
    until_s = time.monotonic() + SECONDS_MAX
    for data in sorted(set(candidates), key=lambda one: (len(one), one)):
        if (
            len(chosen) >= FILES_MAX
            or sum(map(len, chosen)) + len(data) > TARGET_BYTES_MAX
            or time.monotonic() > until_s
        ):
            break
        new = arcs(target, data) - reached
        if new:
            reached |= new
            chosen.append(data)
    return chosen


def main(names: list[str]) -> int:
    """Keep, and say how much; the names of files that were given by hand stay."""
    for name in names or list(NAMES):
        target = target_of(name)
        with watched(target):
            held = kept(CORPUS, name)
            found = [path.read_bytes() for path in sorted((BUILD / "corpus" / name).glob("*"))]
            named = {data: file for file, data in held if not _is_digest(file)}
            chosen = [
                *named,
                *smallest(target, [one for one in (*found, *(data for _, data in held)) if len(one) <= FILE_BYTES_MAX]),
            ]
            folder = CORPUS / name
            folder.mkdir(parents=True, exist_ok=True)
            for file, _ in held:
                (folder / file).unlink()
            for data in dict.fromkeys(chosen):
                (folder / named.get(data, hashlib.sha256(data).hexdigest()[:16])).write_bytes(data)
            print(
                f"{name:16} {len(chosen):3} of {len(found) + len(held):6}, {sum(map(len, chosen)):7,} bytes", flush=True
            )
    return 0


def _is_digest(name: str) -> bool:
    return len(name) == 16 and set(name) <= set("0123456789abcdef")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
