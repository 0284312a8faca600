"""Run all that reaches deep into the compiled extensions once more, with them built under gcc's sanitizers.

``python tests/helpers/sanitized.py``, or ``make test-bounds``. A read or write out of bounds, a use of freed memory or
undefined behaviour ends the process with a report. The extensions are built from a copy in build/sanitized, so that
those in use stay as they are; a compiler without AddressSanitizer is a reason to skip, and is said.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "sanitized"
EXTENSIONS = ("router_core.spread", "router_core.engine.core", "router_core.table.route_table")
INSIDE = "ENGINE_SANITIZED"
# In every fifty worlds there is a crowd: whatever grows has to grow.
WORLDS = ("--seed", "60000", "--worlds", "250")
TESTS = (
    "tests/router_core/test_engine.py",
    "tests/router_core/test_engine_calls.py",
    "tests/router_core/test_spread.py",
    "tests/router_core/test_route_table.py",
    "tests/sim/test_plane_rules.py",
    "tests/sim/test_planes_agree.py::test_stopping_between_any_two_events_changes_nothing",
)
# A report goes to file descriptor 2, which pytest must leave alone.
OPTIONS = ("-k", "not ReferencePlane", "--capture=sys", "-p", "no:cacheprovider", "-p", "no:faulthandler")


def compiler() -> str:
    """The one that the extensions are built with."""
    return (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]


def runtime() -> Path | None:
    """Where the compiler keeps AddressSanitizer's library, if it has one."""
    try:
        asked = subprocess.run(
            [compiler(), "-print-file-name=libasan.so"], check=True, capture_output=True, text=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    return Path(asked) if Path(asked).is_absolute() else None


def sources() -> Iterator[Path]:
    """All that the copy is made of, relative to the root."""
    yield Path("setup.py")
    for path in sorted((ROOT / "router_core").rglob("*")):
        if path.suffix in {".py", ".pyx", ".pxd"}:
            yield path.relative_to(ROOT)


def build() -> None:
    """Build the extensions, unless they have been built from these very sources."""
    known = hashlib.sha256(compiler().encode())
    contents = {path: (ROOT / path).read_bytes() for path in sources()}
    for path, content in contents.items():
        known.update(f"{path}\n".encode() + content)
    stamp = FOLDER / "built"
    if stamp.exists() and stamp.read_text() == known.hexdigest():
        return
    print("building the extensions under sanitizers", flush=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    for path, content in contents.items():
        (FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / path).write_bytes(content)
    built = subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"],
        cwd=FOLDER,
        env=os.environ | {"ENGINE_SANITIZE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        raise SystemExit(f"{built.stdout}\n{built.stderr}")
    stamp.write_text(known.hexdigest())


def check_loaded() -> None:
    """Make sure that what is tested is what was built, and that its sanitizers work."""
    assert hasattr(ctypes.CDLL(None), "__asan_init"), "AddressSanitizer is not loaded"
    for name in EXTENSIONS:
        path = Path(str(importlib.import_module(name).__file__))
        assert path.is_relative_to(FOLDER), f"{name} is {path}"
        content = path.read_bytes()
        assert b"__asan_report_load" in content and b"__ubsan_handle" in content, f"{path} is not sanitized"  # noqa: PT018


def inside() -> int:
    """Run what is to be run, in the process that has the sanitizers."""
    check_loaded()
    import pytest  # noqa: PLC0415
    import soak  # noqa: PLC0415

    os.chdir(ROOT)
    return soak.main(WORLDS) or int(pytest.main([*TESTS, *OPTIONS]))


def main() -> int:
    """Build, and start a process with the sanitizers."""
    if INSIDE in os.environ:
        return inside()
    library = runtime()
    if library is None:
        print(f"skipped the compiled extensions: {compiler()} has no AddressSanitizer (libasan.so)")
        return 0
    build()
    environment = os.environ | {
        INSIDE: "1",
        "LD_PRELOAD": str(library),
        # Python itself does not free all at its end.
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        # What is not built here comes from the root, before the folders of tests that are called like rooms.
        "PYTHONPATH": os.pathsep.join((str(FOLDER), str(ROOT))),
    }
    return subprocess.run([sys.executable, __file__], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
