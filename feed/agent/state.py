"""What an agent remembers: the policy in force, the last good ones, the highest epoch, pins, what is still to be told.

Packages are files, written whole before a single transaction speaks of them. So whatever instant the process is killed
or the power fails at, the policy in force is one that was accepted whole, and what was accepted is told at least once.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from feed.agent.expiry import Layer
from feed.disk import SYSTEM_DISK, Disk
from feed.durable import holds_files
from router_core.errors import BadInputError

KEPT: Final = 5
# Older reports that were never taken are superseded by newer ones; a server that is away for a year fills no disk.
REPORTS_MAX: Final = 10_000
DATABASE: Final = "agent.sqlite"
BUNDLES: Final = "bundles"
VERSION: Final = 1
SUFFIX: Final = ".bundle"

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bundles (
    epoch INTEGER PRIMARY KEY, etag TEXT NOT NULL, sha256 TEXT NOT NULL, accepted_ns INTEGER NOT NULL,
    layer INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS reports (number INTEGER PRIMARY KEY AUTOINCREMENT, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tasks (
    id TEXT PRIMARY KEY, digest TEXT NOT NULL, exchange INTEGER NOT NULL, document TEXT NOT NULL,
    payload_bytes INTEGER NOT NULL, accepted_ns INTEGER NOT NULL, travels INTEGER NOT NULL, due_ns INTEGER NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL, told TEXT NOT NULL DEFAULT '',
    changed_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tasks_due ON tasks (state, due_ns);
CREATE INDEX IF NOT EXISTS tasks_accepted ON tasks (accepted_ns);
"""


@dataclass(frozen=True)
class Seen:
    """The highest epoch that ever was accepted, and which content it had; epoch 0: none yet."""

    epoch: int = 0
    etag: str = ""


@dataclass(frozen=True)
class Kept:
    """A policy that was accepted.

    Attributes
    ----------
    epoch : int
    etag : str
    sha256 : str
        Of its package as it is on the disk.
    accepted_ns : int
        [ns since 1970].
    layer : Layer
        The latest one that held of it.
    """

    epoch: int
    etag: str
    sha256: str
    accepted_ns: int
    layer: Layer


class AgentState:
    """The state folder of one agent.

    Parameters
    ----------
    folder : Path
        Made if it is not there, for its owner alone.
    read_only : bool
        Look only, beside an agent that runs.
    disk : Disk, optional

    Raises
    ------
    BadInputError
        If the folder holds the state of another version, or there is nothing to look at.
    """

    def __init__(self, folder: Path, *, read_only: bool = False, disk: Disk = SYSTEM_DISK) -> None:
        self.folder = folder
        self.disk = disk
        path = folder / DATABASE
        if read_only:
            if not path.exists():
                raise BadInputError("state", "must be the folder of an agent that has run", str(folder))
            self._base = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        else:
            # What no row speaks of is removed from `bundles`: they must not be a server's, or anybody else's.
            if not path.exists() and holds_files(folder / BUNDLES):
                rule = f"must be an agent's folder, or a new one: {BUNDLES}/ is not of an agent"
                raise BadInputError("state", rule, str(folder))
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / BUNDLES).mkdir(mode=0o700, exist_ok=True)
            if not path.exists():  # private from the first instant on
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._base = disk.database(path)
            for setting in ("journal_mode=WAL", "synchronous=FULL"):
                self._base.execute(f"PRAGMA {setting}")
            self._prepare()
        version = self.fact("version")
        if version != str(VERSION):
            self._base.close()
            raise BadInputError("state.version", f"must be {VERSION}, the one this program keeps", version, str(folder))

    def close(self) -> None:
        """Close the database."""
        self._base.close()

    def _prepare(self) -> None:
        found = self._base.execute("SELECT 1 FROM sqlite_master WHERE name = 'facts'").fetchone()
        if found is None:
            with self.transaction() as base:
                for statement in _TABLES.split(";"):
                    base.execute(statement)
                base.execute("INSERT OR IGNORE INTO facts VALUES ('version', ?)", (str(VERSION),))
        self._tidy()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and on the disk when the block ends."""
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield self._base
            self._base.execute("COMMIT")
        except BaseException:
            # A commit that fails may leave the transaction open: what it wrote would be seen, and nothing kept again.
            with suppress(sqlite3.Error):
                self._base.execute("ROLLBACK")
            raise

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return what a question finds."""
        return self._base.execute(statement, values).fetchall()

    def fact(self, name: str) -> str | None:
        """Return one fact, None if there is none."""
        found = self.rows("SELECT value FROM facts WHERE name = ?", (name,))
        return str(found[0][0]) if found else None

    def set_fact(self, name: str, value: str | None) -> None:
        """Remember one fact, or forget it."""
        with self.transaction() as base:
            _put(base, name, value)

    @property
    def changes_of_others(self) -> int:
        """A number that changes when another process has written, as ``--pin`` does beside a running agent."""
        return int(self.rows("PRAGMA data_version")[0][0])

    # --- policies

    @property
    def seen(self) -> Seen:
        """The highest epoch that ever was accepted."""
        found = self.fact("seen")
        return Seen(**json.loads(found)) if found else Seen()

    @property
    def pinned(self) -> int | None:
        """The epoch that is pinned, if any."""
        found = self.fact("pin")
        return None if found is None else int(found)

    def kept(self) -> tuple[Kept, ...]:
        """Return the last good policies, the newest epoch first."""
        found = self.rows("SELECT epoch, etag, sha256, accepted_ns, layer FROM bundles ORDER BY epoch DESC")
        return tuple(Kept(epoch, etag, sha256, at_ns, Layer(layer)) for epoch, etag, sha256, at_ns, layer in found)

    def active(self) -> Kept | None:
        """Return the policy in force, None if none ever was."""
        epoch = self.fact("active")
        return next((one for one in self.kept() if str(one.epoch) == epoch), None)

    def package(self, kept: Kept) -> bytes:
        """Return the package of a policy as it was accepted.

        Raises
        ------
        BadInputError
            If its file is missing or damaged.
        """
        path = self._path(kept.etag)
        try:
            data = self.disk.read(path)
        except OSError as error:
            raise BadInputError(path.name, "must be readable", error.strerror) from None
        if hashlib.sha256(data).hexdigest() != kept.sha256:
            raise BadInputError(path.name, "must be as it was accepted", "another SHA-256")
        return data

    def accept(self, epoch: int, etag: str, package: bytes, now_ns: int, report: dict[str, Any]) -> None:
        """Put a checked policy in force, remember its epoch and that this is to be told: all or nothing."""
        self.disk.write(self._path(etag), package)
        sha256 = hashlib.sha256(package).hexdigest()
        with self.transaction() as base:
            seen = self.seen
            row = (epoch, etag, sha256, now_ns, int(Layer.DYNAMIC))
            # Taken anew, as after damage to its file, an epoch keeps the layer that it had lapsed to.
            base.execute(
                "INSERT INTO bundles VALUES (?, ?, ?, ?, ?) ON CONFLICT (epoch) DO UPDATE SET "
                "etag = excluded.etag, sha256 = excluded.sha256, accepted_ns = excluded.accepted_ns",
                row,
            )
            _put(base, "active", str(epoch))
            if epoch >= seen.epoch:
                _put(base, "seen", json.dumps({"epoch": epoch, "etag": etag}))
            _queue(base, report)
            oldest = [one.epoch for one in self.kept()][KEPT:]
            base.executemany("DELETE FROM bundles WHERE epoch = ?", [(one,) for one in oldest])
        # It is kept, whatever becomes of what is left over, which goes when the next one is accepted.
        with suppress(OSError):
            self._tidy()

    def activate(self, epoch: int) -> None:
        """Put one of the last good policies in force again.

        Raises
        ------
        BadInputError
            If it is not kept.
        """
        self._must_be_kept(epoch)
        self.set_fact("active", str(epoch))

    def pin(self, epoch: int) -> None:
        """Put a kept policy in force and let no other one follow it; `BadInputError` if it is not kept."""
        self._must_be_kept(epoch)
        with self.transaction() as base:
            _put(base, "active", str(epoch))
            _put(base, "pin", str(epoch))

    def unpin(self) -> None:
        """Let policies follow again; the newest one that is kept comes into force."""
        newest = next(iter(self.kept()), None)
        with self.transaction() as base:
            _put(base, "pin", None)
            if newest is not None:
                _put(base, "active", str(newest.epoch))

    def note_layer(self, epoch: int, layer: Layer) -> None:
        """Remember the layer that holds of a policy, so that no clock brings an earlier one back."""
        with self.transaction() as base:
            base.execute("UPDATE bundles SET layer = max(layer, ?) WHERE epoch = ?", (int(layer), epoch))

    def _must_be_kept(self, epoch: int) -> None:
        epochs = [one.epoch for one in self.kept()]
        if epoch not in epochs:
            raise BadInputError("epoch", f"must be one of those kept here: {epochs}", epoch, str(self.folder))

    # --- what is to be told

    def queue(self, report: dict[str, Any]) -> None:
        """Remember a report until the server has taken it."""
        with self.transaction() as base:
            _queue(base, report)

    def pending(self, count: int = 100) -> list[tuple[int, dict[str, Any]]]:
        """Return reports that the server has not taken yet, the oldest first, with their numbers."""
        found = self.rows("SELECT number, document FROM reports ORDER BY number LIMIT ?", (count,))
        return [(int(number), json.loads(document)) for number, document in found]

    def taken(self, numbers: Sequence[int]) -> None:
        """Forget reports that the server has taken."""
        if numbers:
            with self.transaction() as base:
                base.executemany("DELETE FROM reports WHERE number = ?", [(one,) for one in numbers])

    # --- files

    def _path(self, etag: str) -> Path:
        return self.folder / BUNDLES / f"{etag}{SUFFIX}"

    def _tidy(self) -> None:
        """Remove packages and drafts that no row speaks of: an acceptance that came to nothing, or one grown old."""
        known = {f"{one.etag}{SUFFIX}" for one in self.kept()}
        for path in (self.folder / BUNDLES).iterdir():
            if path.name not in known:
                self.disk.remove(path)


def _put(base: sqlite3.Connection, name: str, value: str | None) -> None:
    if value is None:
        base.execute("DELETE FROM facts WHERE name = ?", (name,))
    else:
        base.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))


def _queue(base: sqlite3.Connection, report: dict[str, Any]) -> None:
    text = json.dumps(report, ensure_ascii=False, sort_keys=True)
    number = base.execute("INSERT INTO reports (document) VALUES (?)", (text,)).lastrowid or 0
    base.execute("DELETE FROM reports WHERE number <= ?", (number - REPORTS_MAX,))
