"""What figures depend on besides the sources: compilers, versions, the processor; as a line, the key of a record."""

from __future__ import annotations

import hashlib
import platform
import re
import sys
import sysconfig
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def python() -> str:
    """Interpreter, its minor version, and the machine's architecture."""
    return f"{sys.implementation.name} {sys.version_info.major}.{sys.version_info.minor} {platform.machine()}"


def compiled_with(extension: Path) -> str:
    """C compiler and Cython of an extension, as it says itself; and the interpreter's own compiler flags in short."""
    content = extension.read_bytes()
    compiler = re.search(rb"(?:GCC: \([^)]*\)|clang version) [\d.]+", content)
    cython = re.search(rb"_cython_(\d+(?:_\d+)*)", content)
    flags = " ".join(str(sysconfig.get_config_var(name) or "") for name in ("OPT", "CFLAGS", "CCSHARED"))
    # Where an interpreter was built is no flag.
    kept = " ".join(
        word for word in flags.split() if not word.startswith(("-ffile-prefix-map", "-fdebug-prefix-map", "-I"))
    )
    return ", ".join(
        (
            compiler.group().decode() if compiler else "compiler unknown",
            f"Cython {cython.group(1).decode().replace('_', '.')}" if cython else "Cython unknown",
            f"flags {hashlib.sha256(kept.encode()).hexdigest()[:8]}",
        )
    )


def versions(names: Iterable[str]) -> str:
    """Versions of packages that are installed."""
    return ", ".join(f"{name} {_version(name)}" for name in names)


def processor() -> str:
    """Name, family, model and stepping: a name alone is often that of several generations."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or "processor unknown"
    known = dict(re.findall(r"^(model name|cpu family|model|stepping)\s*:\s*(.+)$", text, re.MULTILINE))
    name = known.get("model name", "processor unknown")
    return f"{name} {known.get('cpu family', '')}/{known.get('model', '')}/{known.get('stepping', '')}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "-"
