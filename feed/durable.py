"""A file that is whole on the disk, old or new, whatever instant the power fails at."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

# Owner alone: what the feed keeps is nobody else's business, unless the caller says so.
PRIVATE: Final = 0o600
READABLE: Final = 0o644
_OF_THE_MACHINE: Final = frozenset(
    {errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR, errno.ESTALE}
)


def write_durably(path: Path, data: bytes, mode: int = PRIVATE) -> None:
    """Put `data` in the place of the file, whole or not at all, and return when it would survive a loss of power.

    Raises
    ------
    OSError
        If it cannot be written: the file is as it was, and nothing is left beside it. It names the file.
    """
    try:
        _check_replaceable(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, data, mode)
        sync_folder(path.parent)
    except OSError as error:
        # Not the draft's name: nobody knows that one.
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _check_replaceable(path: Path) -> None:
    """Refuse a device, a pipe or a folder in the file's place: a rename would put a file where a device was."""
    if path.name in ("", ".."):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
        raise OSError(errno.EINVAL, "must be a regular file, or none yet")


def _replace(path: Path, data: bytes, mode: int) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)  # whatever the umask, or a draft that an earlier crash left
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise


def place_durably(source: Path, target: Path) -> None:
    """Put a file beside, as a second name of it or, on another file system, as a copy; whole or not at all.

    Raises
    ------
    OSError
        If it cannot be done: the target is as it was, and a draft beside it is taken away the next time.
    """
    draft = target.with_name(f".{target.name}.part")
    draft.unlink(missing_ok=True)
    try:
        os.link(source, draft)
    except OSError:
        _copy(source, draft)
    os.replace(draft, target)
    draft.unlink(missing_ok=True)  # a rename onto another name of the same file does nothing
    sync_folder(target.parent)


def is_of_the_machine(error: OSError) -> bool:
    """Whether an error says something of this machine at this moment, and nothing of the file: later it may be gone."""
    return error.errno in _OF_THE_MACHINE


def open_plain(path: Path) -> int:
    """Open a file to read, and return its handle: no link is followed, and a pipe holds nobody up."""
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def _copy(source: Path, target: Path) -> None:
    with os.fdopen(open_plain(source), "rb") as file, target.open("xb") as copy:
        shutil.copyfileobj(file, copy, 1 << 20)
        copy.flush()
        os.fsync(copy.fileno())


def holds_files(folder: Path) -> bool:
    """Whether there is anything in a folder; one that is not there holds nothing."""
    try:
        with os.scandir(folder) as found:
            return next(found, None) is not None
    except FileNotFoundError:
        return False


def sync_folder(folder: Path) -> None:
    """Return when the names in a folder would survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
