"""What the project is made of: the packages of its lock files with their hashes and licences, and what is vendored."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
# What runs, what development adds, and what the benchmarks' peers add: each holds those before it to their versions.
RUN, DEV, BENCH = (ROOT / f"requirements{name}.lock" for name in ("", "-dev", "-bench"))
_LINE: Final = re.compile(
    r"([a-z0-9][a-z0-9._-]*)==([A-Za-z0-9.!+_-]+)((?: ; [^\\]+)?)((?: --hash=sha256:[0-9a-f]{64})+)"
)


@dataclass(frozen=True)
class Pinned:
    """One package of a lock file.

    Attributes
    ----------
    name, version : str
    marker : str
        Where it is installed; empty: everywhere.
    hashes : tuple of str
        SHA-256 of its files, in hex.
    """

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]


@dataclass(frozen=True)
class Vendored:
    """A file of somebody else's in the checkout.

    Attributes
    ----------
    path, name, version, licence : str
    sha256 : str
        In hex.
    """

    path: str
    name: str
    version: str
    licence: str
    sha256: str


VENDORED: Final = (
    Vendored(
        "sim/report/vendor/echarts.min.js",
        "echarts",
        "6.1.0",
        "Apache-2.0",
        "b66b25aeb4df84e33199dc21694014d336d222cbd9deb0e5a7c14bd6aa0d0fd0",
    ),
)


@cache
def pinned(lock: Path) -> tuple[Pinned, ...]:
    """Read a lock file; raises `ValueError` with the line that is not exactly pinned with hashes."""
    found = []
    for line in lock.read_text(encoding="utf-8").replace(" \\\n    ", " ").splitlines():
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise ValueError(f"{lock.name}: must be name==version with hashes, and nothing else: {line[:120]!r}")
        name, version, marker, hashes = match.groups()
        found.append(Pinned(name, version, marker.removeprefix(" ; "), tuple(re.findall("[0-9a-f]{64}", hashes))))
    return tuple(found)


def licence_of(name: str) -> str:
    """Return the licence of an installed package as it states it; empty where it is not installed or says nothing."""
    try:
        about = metadata(name)
    except PackageNotFoundError:
        return ""
    stated = about.get("License-Expression")
    if stated:
        return str(stated)
    classes = [one.split(" :: ")[-1] for one in about.get_all("Classifier") or [] if one.startswith("License ::")]
    if classes:
        return " OR ".join(sorted(classes))
    return " ".join(str(about.get("License") or "").split())[:80]


def digest(path: str) -> str:
    """SHA-256 of a file of the checkout, in hex."""
    return sha256((ROOT / path).read_bytes()).hexdigest()
