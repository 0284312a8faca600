"""What the server must not lose, in SQLite and files beside it: bundles, answers to them, the rollout, the epoch.

A bundle's bytes are on the disk before its row is, so a row never speaks of what is not there; files without a row are
what a crash left, and are removed at the start. Everything else changes in transactions that are on the disk
(`synchronous=FULL`) before anybody is told that they were accepted.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Final

from feed.clock import Clock
from feed.disk import SYSTEM_DISK, Disk
from feed.durable import holds_files
from feed.server.rollout import Rollout, Stage
from router_core.errors import BadInputError

SCHEMA_VERSION: Final = 1
DATABASE: Final = "feed.sqlite"
BUNDLES: Final = "bundles"
LOCK: Final = "lock"
SUFFIX: Final = ".bundle"

_TABLES: Final = """
CREATE TABLE bundle (
    epoch INTEGER PRIMARY KEY,
    etag TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    length INTEGER NOT NULL,
    accepted_ns INTEGER NOT NULL
) STRICT;
CREATE TABLE answer (
    epoch INTEGER NOT NULL REFERENCES bundle (epoch) ON DELETE CASCADE,
    scope TEXT NOT NULL,
    result TEXT NOT NULL,
    refusal TEXT NOT NULL,
    detail TEXT NOT NULL,
    at_ns INTEGER NOT NULL,
    PRIMARY KEY (epoch, scope)
) STRICT, WITHOUT ROWID;
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    epoch_top INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    good INTEGER NOT NULL,
    stage TEXT NOT NULL,
    since_ns INTEGER NOT NULL,
    members TEXT NOT NULL,
    halted TEXT
) STRICT;
INSERT INTO state VALUES (1, 0, 0, 0, 'none', 0, '[]', NULL);
"""


class Result(StrEnum):
    """What is known of a scope and an epoch: it was given it, follows it, or refused it."""

    GIVEN = "given"
    ACK = "ack"
    NACK = "nack"


@dataclass(frozen=True)
class StoredBundle:
    """A bundle that was accepted.

    Attributes
    ----------
    epoch : int
    etag : str
    sha256 : str
        Of its packed bytes.
    length : int
        [bytes].
    accepted_ns : int
        Since 1970 [ns].
    """

    epoch: int
    etag: str
    sha256: str
    length: int
    accepted_ns: int


@dataclass(frozen=True)
class Answer:
    """What a scope answered to an epoch.

    Attributes
    ----------
    epoch : int
    scope : str
    result : Result
    refusal, detail : str
        Of a refusal; empty otherwise.
    at_ns : int
        When it was taken in, since 1970 [ns].
    """

    epoch: int
    scope: str
    result: Result
    refusal: str
    detail: str
    at_ns: int


class FeedStore:
    """The state folder of one server.

    It belongs to one thread at a time, and to one process: a second one is refused.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    clock : Clock
    disk : Disk, optional

    Raises
    ------
    BadInputError
        If another process has it, or it is of another version, or what it says is there is not.
    """

    def __init__(self, folder: Path, clock: Clock, disk: Disk = SYSTEM_DISK) -> None:
        self._disk = disk
        self._folder = folder
        self._clock = clock
        # What no row speaks of is removed from `bundles`: they must not be an agent's, or anybody else's.
        if not (folder / DATABASE).exists() and holds_files(folder / BUNDLES):
            rule = f"must be a server's folder, or a new one: {BUNDLES}/ is not of a server"
            raise BadInputError("state", rule, str(folder))
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / BUNDLES).mkdir(exist_ok=True, mode=0o700)
        self._lock = self._claimed()
        try:
            # Private from the first instant on, and its log with it.
            os.close(os.open(folder / DATABASE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._database = disk.database(folder / DATABASE)
            try:
                self._open()
            except BaseException:
                self._database.close()
                raise
        except BaseException:
            os.close(self._lock)
            raise

    def close(self) -> None:
        """Let another one have it."""
        self._database.close()
        os.close(self._lock)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What changes in the block is on the disk when it ends, or did not happen."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")
            raise

    @contextmanager
    def part(self) -> Iterator[None]:
        """A part of a transaction that happens whole or not, whatever becomes of the other parts."""
        self._database.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK TO part")
            self._database.execute("RELEASE part")
            raise
        self._database.execute("RELEASE part")

    def epoch_top(self) -> int:
        """Return the greatest epoch that was ever accepted; 0: none."""
        return int(self._database.execute("SELECT epoch_top FROM state").fetchone()[0])

    def bundles(self) -> tuple[StoredBundle, ...]:
        """Return what is kept, the oldest first."""
        rows = self._database.execute("SELECT epoch, etag, sha256, length, accepted_ns FROM bundle ORDER BY epoch")
        return tuple(StoredBundle(*row) for row in rows)

    def packed(self, epoch: int) -> bytes:
        """Return a bundle's bytes.

        Raises
        ------
        BadInputError
            If no such epoch is kept, or its file is not what was accepted.
        """
        row = self._database.execute("SELECT sha256 FROM bundle WHERE epoch = ?", (epoch,)).fetchone()
        if row is None:
            raise BadInputError("epoch", "must be one of those kept", epoch)
        path = self._file(epoch)
        data = self._disk.read(path)
        if sha256(data).hexdigest() != row[0]:
            raise BadInputError("state", "a bundle's file must be as it was accepted; restore it", path.name)
        return data

    def add_bundle(self, epoch: int, etag: str, packed: bytes) -> StoredBundle:
        """Keep a bundle; it counts once the transaction around this call has ended well.

        Raises
        ------
        BadInputError
            If the epoch is not above all earlier ones.
        OSError
            If it cannot be written.
        """
        top = self.epoch_top()
        if epoch <= top:
            raise BadInputError("epoch", f"must be above {top}, the greatest one accepted", epoch)
        stored = StoredBundle(epoch, etag, sha256(packed).hexdigest(), len(packed), self._clock.now_ns())
        self._disk.write(self._file(epoch), packed)
        self._database.execute(
            "INSERT INTO bundle VALUES (?, ?, ?, ?, ?)",
            (stored.epoch, stored.etag, stored.sha256, stored.length, stored.accepted_ns),
        )
        self._database.execute("UPDATE state SET epoch_top = ?", (epoch,))
        return stored

    def forget(self, epochs: tuple[int, ...]) -> None:
        """Drop bundles and what was answered to them; their files go with the next `sweep`."""
        self._database.executemany("DELETE FROM bundle WHERE epoch = ?", [(epoch,) for epoch in epochs])

    def sweep(self) -> int:
        """Remove files that no row speaks of, and return how many; never within a transaction."""
        kept = {self._file(stored.epoch).name for stored in self.bundles()}
        orphans = [path for path in (self._folder / BUNDLES).iterdir() if path.name not in kept]
        for path in orphans:
            self._disk.remove(path)
        if orphans:
            self._disk.sync(self._folder / BUNDLES)
        return len(orphans)

    def answer(self, answer: Answer) -> None:
        """Keep the last thing that a scope answered to an epoch."""
        self._database.execute(
            "INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (epoch, scope) DO UPDATE SET "
            "result = excluded.result, refusal = excluded.refusal, detail = excluded.detail, at_ns = excluded.at_ns",
            (answer.epoch, answer.scope, answer.result.value, answer.refusal, answer.detail, answer.at_ns),
        )

    def answers(self, epoch: int) -> tuple[Answer, ...]:
        """Return what is known of an epoch, by scope."""
        rows = self._database.execute(
            "SELECT epoch, scope, result, refusal, detail, at_ns FROM answer WHERE epoch = ? ORDER BY scope", (epoch,)
        )
        return tuple(Answer(row[0], row[1], Result(row[2]), *row[3:]) for row in rows)

    def answer_of(self, scope: str, epoch: int) -> Answer | None:
        """Return what is known of a scope and an epoch."""
        row = self._database.execute(
            "SELECT epoch, scope, result, refusal, detail, at_ns FROM answer WHERE epoch = ? AND scope = ?",
            (epoch, scope),
        ).fetchone()
        return None if row is None else Answer(row[0], row[1], Result(row[2]), *row[3:])

    def rollout(self) -> Rollout:
        """Return the rollout as it was kept last; who answered what is taken from the answers."""
        row = self._database.execute("SELECT epoch, good, stage, since_ns, members, halted FROM state").fetchone()
        by: dict[Result, set[str]] = {result: set() for result in Result}
        for answer in self.answers(row[0]):
            by[answer.result].add(answer.scope)
        return Rollout(
            row[0],
            row[1],
            Stage(row[2]),
            row[3],
            frozenset(json.loads(row[4])),
            frozenset().union(*by.values()),
            frozenset(by[Result.ACK]),
            frozenset(by[Result.NACK]),
            row[5],
        )

    def set_rollout(self, state: Rollout) -> None:
        """Keep the rollout, but for the answers, which have rows of their own."""
        self._database.execute(
            "UPDATE state SET epoch = ?, good = ?, stage = ?, since_ns = ?, members = ?, halted = ?",
            (
                state.epoch,
                state.good,
                state.stage.value,
                state.since_ns,
                json.dumps(sorted(state.members), ensure_ascii=False),
                state.halted,
            ),
        )

    def _file(self, epoch: int) -> Path:
        return self._folder / BUNDLES / f"{epoch:016d}{SUFFIX}"

    def _claimed(self) -> int:
        try:
            return self._disk.claim(self._folder / LOCK)
        except BlockingIOError:
            rule = "must belong to one server at a time; stop the other one"
            raise BadInputError("state", rule, str(self._folder)) from None

    def _open(self) -> None:
        database = self._database
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            database.execute("PRAGMA foreign_keys = ON")
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                database.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
                version = SCHEMA_VERSION
        except sqlite3.DatabaseError as error:
            rule = f"must be a database of this server; restore it ({error})"
            raise BadInputError("state", rule, str(self._folder / DATABASE)) from None
        if version != SCHEMA_VERSION:
            rule = f"must be of version {SCHEMA_VERSION}; use the release that wrote it, or start with an empty folder"
            raise BadInputError("state", rule, version, str(self._folder / DATABASE))
        for stored in self.bundles():
            path = self._file(stored.epoch)
            if not path.is_file() or path.stat().st_size != stored.length:
                rule = "the file of every accepted bundle must be there, whole; restore it from a copy"
                raise BadInputError("state", rule, str(path))
        self.sweep()
