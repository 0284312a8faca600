"""Run Python with the compiled extensions built under gcc's sanitizers.

    python tests/helpers/sanitized.py                       all that reaches deep into them, as in `make test-bounds`
    python tests/helpers/sanitized.py -- SCRIPT WORD...     any script with these extensions
    python tests/helpers/sanitized.py -- -m pytest -k '...' -p no:faulthandler --capture=sys tests/...
    python tests/helpers/sanitized.py -- -c 'import router_core.engine'

The exit code is that of the script. A read or write out of bounds, a use of freed memory or undefined behaviour ends
the process that does it by a signal or with exit code 1, after a report on its standard error (file descriptor 2, which
pytest must leave alone, hence the two options). Processes that the script starts have the sanitizers too. Python code
that wants the same calls `environment`.

The extensions are built from a copy in build/sanitized, once for the same sources, in about a minute, so that those in
use stay as they are. A compiler without AddressSanitizer is a reason to skip, and is said; the exit code is 0 then.
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
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HELPERS = Path(__file__).resolve().parent
FOLDER = ROOT / "build" / "sanitized"
EXTENSIONS = ("router_core.spread", "router_core.engine.core", "router_core.table.route_table")
# Tells the folder to processes that have the sanitizers: tests/helpers/sanitized_first.
INSIDE = "ENGINE_SANITIZED"
CHECK = "--check-loaded"
# In every fifty worlds there is a crowd: whatever grows has to grow.
WORLDS = ("--tables", "--seed", "60000", "--worlds", "250")
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


def digest() -> str:
    """What the compiler and the sources are: the stamp of a build."""
    known = hashlib.sha256(compiler().encode())
    for path in sources():
        known.update(f"{path}\n".encode() + (ROOT / path).read_bytes())
    return known.hexdigest()


def is_built() -> bool:
    """Whether the extensions have been built from these very sources."""
    stamp = FOLDER / "built"
    return stamp.exists() and stamp.read_text() == digest()


def build() -> None:
    """Build the extensions, unless they have been."""
    if is_built():
        return
    print("building the extensions under sanitizers", flush=True)
    known = digest()
    shutil.rmtree(FOLDER, ignore_errors=True)
    for path in sources():
        (FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, FOLDER / path)
    build_in(FOLDER)
    (FOLDER / "built").write_text(known)


def build_in(folder: Path) -> None:
    """Build what the folder's setup.py names beside its sources, under sanitizers."""
    built = subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"],
        cwd=folder,
        env=os.environ | {"ENGINE_SANITIZE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        raise SystemExit(f"{built.stdout}\n{built.stderr}")


def check_loaded() -> int:
    """Make sure that what is tested is what was built, and that its sanitizers work; in a process that has them."""
    assert hasattr(ctypes.CDLL(None), "__asan_init"), "AddressSanitizer is not loaded"
    for name in EXTENSIONS:
        path = Path(str(importlib.import_module(name).__file__))
        assert path.is_relative_to(FOLDER), f"{name} is {path}"
        content = path.read_bytes()
        assert b"__asan_report_load" in content and b"__ubsan_handle" in content, f"{path} is not sanitized"  # noqa: PT018
    return 0


def preloaded(library: Path) -> dict[str, str]:
    """Return the variables of a process with AddressSanitizer, whatever extensions it has."""
    return os.environ | {
        "LD_PRELOAD": str(library),
        # Python itself does not free all at its end.
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }


def environment() -> dict[str, str] | None:
    """Build the extensions if need be, and return the variables of a process that has them.

    Returns
    -------
    dict of str or None
        For `subprocess`; None, and a line on standard output, where the compiler has no AddressSanitizer.
    """
    library = runtime()
    if library is None:
        print(f"skipped the compiled extensions: {compiler()} has no AddressSanitizer (libasan.so)")
        return None
    build()
    # What is not built here comes from the root, before the folders of tests that are called like rooms.
    path = os.pathsep.join(map(str, (HELPERS / "sanitized_first", FOLDER, ROOT)))
    variables = preloaded(library) | {INSIDE: str(FOLDER), "PYTHONPATH": path}
    subprocess.run([sys.executable, __file__, CHECK], env=variables, check=True)
    return variables


def run(*commands: Sequence[str]) -> int:
    """Run Python with each of some commands' words until one fails, and return the exit code."""
    variables = environment()
    for words in commands if variables is not None else ():
        code = subprocess.run([sys.executable, *words], env=variables, check=False).returncode
        if code:
            # A signal's number is negative here, and no exit code.
            return code if code > 0 else 1
    return 0


def main(arguments: Sequence[str]) -> int:
    """Build, and start what is asked for with the sanitizers."""
    match list(arguments):
        case []:
            os.chdir(ROOT)
            return run((str(HELPERS / "soak_planes.py"), *WORLDS), ("-m", "pytest", *TESTS, *OPTIONS))
        case [word] if word == CHECK:
            return check_loaded()
        case ["--", *words] if words:
            return run(words[1:] if words[0] == "python" else words)
    print((__doc__ or "").split("\n\n")[1], file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
