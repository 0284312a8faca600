"""What the feed does to a disk, behind a port: the system's own live, one that fails and loses power in simulations.

An act raises `OSError` or `sqlite3.Error` if the disk fails or is full, and then has not happened.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Final, Protocol

from feed.durable import PRIVATE, open_plain, place_durably, sync_folder, write_durably

BUSY_S: Final = 10.0


class Disk(Protocol):
    """A disk, as the feed uses it."""

    def write(self, path: Path, data: bytes, mode: int = PRIVATE) -> None:
        """Put data in the place of a file, whole or not at all; it lasts when this returns."""
        ...

    def read(self, path: Path) -> bytes:
        """Return what a file holds."""
        ...

    def opened(self, path: Path) -> int:
        """Open a file to read, and return its handle: no link is followed, and a pipe holds nobody up."""
        ...

    def place(self, source: Path, target: Path) -> None:
        """Put a file beside, as a second name or a copy, whole or not at all; it lasts when this returns."""
        ...

    def move(self, source: Path, target: Path) -> None:
        """Give a file another name, in place of what had it; it lasts after `sync` of both folders."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file that may be gone already; it lasts after `sync` of its folder."""
        ...

    def sync(self, folder: Path) -> None:
        """Return when the names in a folder would survive a loss of power."""
        ...

    def database(self, path: Path) -> sqlite3.Connection:
        """Open a database that commits as `BEGIN` and `COMMIT` say; its commits last."""
        ...

    def claim(self, path: Path) -> int:
        """Make a file one's own until its handle, which is returned, is closed; `BlockingIOError` if another has it."""
        ...


class SystemDisk:
    """The machine's own."""

    def write(self, path: Path, data: bytes, mode: int = PRIVATE) -> None:
        """As in `Disk`."""
        write_durably(path, data, mode)

    def read(self, path: Path) -> bytes:
        """As in `Disk`."""
        return path.read_bytes()

    def opened(self, path: Path) -> int:
        """As in `Disk`."""
        return open_plain(path)

    def place(self, source: Path, target: Path) -> None:
        """As in `Disk`."""
        place_durably(source, target)

    def move(self, source: Path, target: Path) -> None:
        """As in `Disk`."""
        os.replace(source, target)

    def remove(self, path: Path) -> None:
        """As in `Disk`."""
        path.unlink(missing_ok=True)

    def sync(self, folder: Path) -> None:
        """As in `Disk`."""
        sync_folder(folder)

    def database(self, path: Path) -> sqlite3.Connection:
        """As in `Disk`; a connection that threads may hand each other, one at a time."""
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_S)

    def claim(self, path: Path) -> int:
        """As in `Disk`."""
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(handle)
            raise
        return handle


SYSTEM_DISK: Final = SystemDisk()
