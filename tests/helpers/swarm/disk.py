"""A disk that fills up, fails, loses power between any two acts, and forgets then what it was not told to keep."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from feed.disk import SystemDisk
from feed.durable import PRIVATE
from swarm.loop import KilledError


@dataclass
class _Unsynced:
    """A change of names that a loss of power takes back."""

    folders: set[Path]
    undo: Callable[[], None]
    forget: Callable[[], None]


class FaultyDisk(SystemDisk):
    """The disk of one process: `SystemDisk` with faults.

    Parameters
    ----------
    spare : Path
        A folder beside, on the same file system, for what must be brought back.
    draw : numpy.random.Generator
    died : callable
        Told once when the process dies at an act of the disk.

    Attributes
    ----------
    full : bool
        Whether nothing can be written.
    failing : float
        Share of acts that fail.
    acts : int
        How many there were.
    """

    def __init__(self, spare: Path, draw: np.random.Generator, died: Callable[[], None]) -> None:
        self.full = False
        self.failing = 0.0
        self.acts = 0
        self.dead = False
        self._spare = spare
        self._draw = draw
        self._died = died
        self._left: int | None = None
        self._power = False
        self._unsynced: list[_Unsynced] = []
        self._saved = 0
        self._bases: list[FaultyBase] = []
        self._handles: list[int] = []
        spare.mkdir(parents=True, exist_ok=True)

    def die_after(self, acts: int, *, power: bool) -> None:
        """Let the process die at the so-manieth step from now; with the power, what was not synced is lost too."""
        self._left, self._power = acts, power

    def spare_it(self) -> None:
        """Let the process live, if it has not died yet."""
        self._left = None

    def let_go(self, *, power: bool = False) -> None:
        """Take away what the process had open, as the system does when it ended, however it ended."""
        self.dead = True
        for base in self._bases:
            base.really_close()
        for handle in self._handles:
            with suppress(OSError):
                os.close(handle)
        if power or self._power:
            # Names are kept in the order in which they were changed: what is lost is lost from some instant on.
            kept = int(self._draw.integers(0, len(self._unsynced) + 1))
            for one in reversed(self._unsynced[kept:]):
                one.undo()
            self._unsynced = self._unsynced[:kept]
        for one in self._unsynced:
            one.forget()
        self._unsynced = []

    # --- acts

    def write(self, path: Path, data: bytes, mode: int = PRIVATE) -> None:
        try:
            self._step(path)
        except KilledError:
            if self._draw.random() < 0.5:  # killed while the draft was written
                with suppress(OSError):
                    part = data[: int(self._draw.integers(0, len(data) + 1))]
                    path.with_name(f".{path.name}.{os.getpid()}.part").write_bytes(part)
            raise
        super().write(path, data, mode)
        self._after()

    def read(self, path: Path) -> bytes:
        self._step(path, writes=False)
        return super().read(path)

    def opened(self, path: Path) -> int:
        self._step(path, writes=False)
        return super().opened(path)

    def place(self, source: Path, target: Path) -> None:
        self._step(target)
        super().place(source, target)
        self._after()

    def move(self, source: Path, target: Path) -> None:
        self._step(target)
        saved = self._save(target)
        super().move(source, target)

        def undo() -> None:
            with suppress(FileNotFoundError):
                os.replace(target, source)
            if saved is not None:
                os.replace(saved, target)

        self._unsynced.append(_Unsynced({source.parent, target.parent}, undo, lambda: _drop(saved)))
        self._after()

    def remove(self, path: Path) -> None:
        self._step(path)
        saved = self._save(path)
        super().remove(path)
        if saved is not None:
            self._unsynced.append(_Unsynced({path.parent}, lambda: os.replace(saved, path), lambda: _drop(saved)))
        self._after()

    def sync(self, folder: Path) -> None:
        self._step(folder)
        super().sync(folder)
        for one in self._unsynced:
            one.folders.discard(folder)
            if not one.folders:
                one.forget()
        self._unsynced = [one for one in self._unsynced if one.folders]
        self._after()

    def database(self, path: Path) -> sqlite3.Connection:
        base: FaultyBase = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=FaultyBase)
        base.disk = self
        self._bases.append(base)
        return base

    def claim(self, path: Path) -> int:
        handle = super().claim(path)
        self._handles.append(handle)
        return handle

    # --- faults

    def committing(self) -> None:
        """A step of a database; what fails is an error of its own kind."""
        try:
            self._step(Path("database"))
        except OSError as error:
            told = "database or disk is full" if error.errno == errno.ENOSPC else "disk I/O error"
            raise sqlite3.OperationalError(told) from None

    def committed(self) -> None:
        """The step behind a commit."""
        self._after()

    def _step(self, path: Path, *, writes: bool = True) -> None:
        self._tick()
        if self.full and writes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        if self.failing and self._draw.random() < self.failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    def _after(self) -> None:
        self._tick()

    def _tick(self) -> None:
        if self.dead:
            raise KilledError
        self.acts += 1
        if self._left is None:
            return
        self._left -= 1
        if self._left <= 0:
            self.dead = True
            self._died()
            raise KilledError

    def _save(self, path: Path) -> Path | None:
        """Keep what has a name now, to bring it back."""
        self._saved += 1
        saved = self._spare / str(self._saved)
        saved.unlink(missing_ok=True)
        try:
            os.link(path, saved, follow_symlinks=False)
        except OSError:
            return None
        return saved


def _drop(saved: Path | None) -> None:
    if saved is not None:
        saved.unlink(missing_ok=True)


class FaultyBase(sqlite3.Connection):
    """A database on a faulty disk: its commits fail, or the process dies before or behind them."""

    disk: FaultyDisk

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        if self.disk.dead:
            raise KilledError
        if statement == "COMMIT":
            self.disk.committing()
        found = super().execute(statement, *values)
        if statement == "COMMIT":
            self.disk.committed()
        return found

    def close(self) -> None:
        self.really_close()

    def really_close(self) -> None:
        """Close it, dead or not: what was not committed is taken back."""
        super().close()
