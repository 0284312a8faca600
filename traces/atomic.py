"""A file that appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from router_core.errors import BadInputError


class AtomicFile:
    """A temporary name beside `path`, moved onto it by `commit` or removed by `discard`.

    Parameters
    ----------
    path : Path
        Where the file shall appear; its folder is made.

    Raises
    ------
    BadInputError
        If `path` is a folder, or its folder cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # The process number keeps two writers of one file apart; the last one to commit wins.
        self.temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        if path.is_dir():
            raise BadInputError("file", "must be a file to write, not a folder", str(path), str(path))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInputError("file", "must lie in a folder that can be made", error.strerror, str(path)) from None

    def commit(self) -> None:
        """Give the finished file its name."""
        os.replace(self.temporary, self.path)

    def discard(self) -> None:
        """Remove what was written so far."""
        self.temporary.unlink(missing_ok=True)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a place beside `path` to write to; move it there if the block ends well, remove it if not."""
    file = AtomicFile(path)
    try:
        yield file.temporary
        file.commit()
    finally:
        file.discard()
