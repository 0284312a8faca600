"""The spool folder of tasks: what comes in, the payloads of what was accepted, and what was refused with its reason."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from feed.agent.tasks import TASK_BYTES_MAX, check_size
from feed.clock import utc_of
from feed.disk import SYSTEM_DISK, Disk
from feed.durable import is_of_the_machine
from router_core.errors import BadInputError

IN: Final = "in"
HELD: Final = "held"
REFUSED: Final = "refused"


@dataclass(frozen=True)
class Given:
    """A document that lies in ``in/``.

    Attributes
    ----------
    path : Path
    data : bytes
        A byte beyond what a document may have, where it has more.
    """

    path: Path
    data: bytes


class Spool:
    """The folder.

    Parameters
    ----------
    folder : Path
        Holds ``in``, ``held`` and ``refused``, on one file system; made if they are not there.
    disk : Disk, optional
    """

    def __init__(self, folder: Path, disk: Disk = SYSTEM_DISK) -> None:
        self._folder = folder
        self._disk = disk
        for name in (IN, HELD, REFUSED):
            # Others bring tasks and look at refusals; payloads that were accepted are this agent's alone.
            (folder / name).mkdir(mode=0o700 if name == HELD else 0o777, parents=True, exist_ok=True)

    def given(self, count: int, now_ns: int) -> Iterator[Given]:
        """Yield documents, the oldest names first; what is no plain file is refused; `OSError` if the disk fails."""
        for path in sorted((self._folder / IN).glob("[!.]*.json"))[:count]:
            try:
                handle = self._disk.opened(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                if is_of_the_machine(error):
                    raise  # it is tried again: a task is not refused for what the disk does
                self.refuse(path, None, BadInputError("task", "must be a readable file", error.strerror), now_ns)
                continue
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                os.close(handle)
                self.refuse(path, None, BadInputError("task", "must be a plain file", path.name), now_ns)
                continue
            with os.fdopen(handle, "rb") as file:
                data = file.read(TASK_BYTES_MAX + 1)
            yield Given(path, data)

    def done(self, given: Given) -> None:
        """Remove a document whose task was taken up."""
        self._disk.remove(given.path)

    def drop_again(self, name: str, payload_bytes: int) -> None:
        """Remove the payload that came with a task given again; one of another length is somebody else's, and stays."""
        source = self._folder / IN / name
        try:
            about = source.lstat()
        except FileNotFoundError:
            return
        if stat.S_ISREG(about.st_mode) and about.st_size == payload_bytes:
            self._disk.remove(source)

    def brings_payload(self, name: str) -> bool:
        """Whether a payload of this name lies in ``in/``."""
        return os.path.lexists(self._folder / IN / name)

    def payload(self, task: str) -> Path:
        """Where the payload of an accepted task is."""
        return self._folder / HELD / task

    def hold(self, task: str, name: str) -> int:
        """Take the payload of a task out of ``in/`` and return its size; `sync` makes that last.

        Where it was taken out before, by an acceptance that a crash cut short, it is still there.

        Raises
        ------
        BadInputError
            If there is none, it is no plain file, or too large.
        """
        source, held = self._folder / IN / name, self.payload(task)
        place = source if os.path.lexists(source) else held
        try:
            handle = self._disk.opened(place)
        except OSError as error:
            if is_of_the_machine(error):
                raise
            raise BadInputError("task.payload", "must be a readable file beside the document", error.strerror) from None
        try:
            about = os.fstat(handle)
            if not stat.S_ISREG(about.st_mode):
                raise BadInputError("task.payload", "must be a plain file", name)
            check_size(about.st_size)
            os.fsync(handle)
            if place == source:
                self._disk.move(source, held)
                moved = held.lstat()
                # As long as it is open, no other file can have its number. Another one that was put in its place
                # meanwhile may be a link, and would make us send what only we may read.
                if (moved.st_dev, moved.st_ino) != (about.st_dev, about.st_ino):
                    self._disk.remove(held)
                    raise BadInputError("task.payload", "must stay the same file while it is taken", name)
        finally:
            os.close(handle)
        return about.st_size

    def sync(self) -> None:
        """Return when payloads that were taken out would survive a loss of power."""
        self._disk.sync(self._folder / HELD)
        self._disk.sync(self._folder / IN)

    def refuse(self, path: Path, payload: str | None, error: BadInputError, now_ns: int) -> None:
        """Put a document, and its payload if it names one, aside with the reason."""
        target = self._free(path.stem)
        self._write_reason(target, path.name, error, now_ns)
        if payload is not None and self.brings_payload(payload):
            self._disk.move(self._folder / IN / payload, target.with_suffix(".payload"))
        self._disk.move(path, target)

    def give_up(self, task: str, document: str, error: BadInputError, now_ns: int) -> None:
        """Put an accepted task aside that was not delivered; doing so twice is doing so once."""
        held = self.payload(task)
        if not held.exists():
            return
        target = self._folder / REFUSED / f"{task}.given-up.json"
        self._write_reason(target, task, error, now_ns)
        self._disk.write(target, document.encode())
        self._disk.move(held, target.with_suffix(".payload"))

    def drop(self, task: str) -> None:
        """Remove the payload of a delivered task."""
        self._disk.remove(self.payload(task))

    def _free(self, stem: str) -> Path:
        number = 0
        while True:
            path = self._folder / REFUSED / (f"{stem}.json" if number == 0 else f"{stem}.{number}.json")
            if not os.path.lexists(path):
                return path
            number += 1

    def _write_reason(self, target: Path, what: str, error: BadInputError, now_ns: int) -> None:
        # Whoever gives tasks names the files, and a name need not be UTF-8.
        shown = os.fsencode(what).decode("utf-8", "replace")
        reason = {"what": shown, "reason": str(error), "at": utc_of(now_ns).isoformat()}
        path = target.with_suffix(".reason.json")
        self._disk.write(path, json.dumps(reason, ensure_ascii=False, sort_keys=True).encode())
