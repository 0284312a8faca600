"""Files that are read only if their permissions guard what is in them."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

from router_core.errors import BadInputError

_OTHERS_AT_ALL: Final = 0o077
_OTHERS_WRITE: Final = 0o022


def read_private(path: Path, bytes_max: int) -> bytes:
    """Return a file that its owner alone can read.

    Raises
    ------
    BadInputError
        If it is a link, a folder or no regular file, belongs to another user, can be read or written by the group or
        others, is too long, or cannot be opened; its content is never told.
    """
    return _read(path, bytes_max, _OTHERS_AT_ALL, f"chmod 600 {path}", (os.geteuid(),))


def read_unalterable(path: Path, bytes_max: int) -> bytes:
    """Return a file that its owner alone can write, and who that is: this user, or root.

    Raises
    ------
    BadInputError
        As of `read_private`, but others may read it.
    """
    return _read(path, bytes_max, _OTHERS_WRITE, f"chmod 644 {path}", (os.geteuid(), 0))


def _read(path: Path, bytes_max: int, closed: int, remedy: str, owners: tuple[int, ...]) -> bytes:
    file = str(path)
    try:
        # All that follows is asked of the open file, so nobody can put another one in its place in between. Opened
        # without waiting: a named pipe would keep us for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise BadInputError("file", "must be no symbolic link; name the file itself", "a link", file) from None
        raise BadInputError("file", "must be one that this user can open", error.strerror, file) from None
    except ValueError:
        raise BadInputError("file", "must be a path without a zero byte", "another one", repr(file)) from None
    try:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode):
            raise BadInputError("file", "must be a regular file", stat.filemode(state.st_mode), file)
        if state.st_uid not in owners:
            raise BadInputError("owner", "must be the user who reads it; chown it", f"user {state.st_uid}", file)
        if state.st_mode & closed:
            mode = oct(stat.S_IMODE(state.st_mode))
            raise BadInputError("permissions", f"must keep others out; run `{remedy}`", mode, file)
        with os.fdopen(handle, "rb", closefd=False) as opened:
            data = opened.read(bytes_max + 1)
    finally:
        os.close(handle)
    if len(data) > bytes_max:
        raise BadInputError("length", f"must be at most {bytes_max} bytes", f"{state.st_size} bytes", file)
    return data
