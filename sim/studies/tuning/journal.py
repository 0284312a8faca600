"""What was lived, line by line, so that a search that was killed goes on where it was.

A file of JSON lines: what is searched, then one line a replay. Each line is written whole before the next; one that a
kill has cut is taken off. A search asks for the same replays in the same order, so whatever it finds here it need not
live again, and its end is that of a search that was never killed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from router_core.errors import BadInputError

Values = dict[str, float | None]
JOURNAL: Final = "replays.jsonl"


class Journal:
    """The journal of one search; use it in a ``with`` statement.

    Parameters
    ----------
    folder : Path
        Work folder; made if it is not there.
    order : mapping
        All that the replays depend on beside their scene and setting; JSON's types.

    Raises
    ------
    BadInputError
        If the folder's journal is of another search, is damaged, or is at work in another process.
    """

    def __init__(self, folder: Path, order: Mapping[str, Any]) -> None:
        self._path = folder / JOURNAL
        self._found: dict[str, Values] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInputError("--work", "must be a folder that can be made", error.strerror, str(folder)) from None
        self._file = self._path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise BadInputError("--work", "must not be at work in another process", str(folder)) from None
        try:
            self._begin(dict(order))
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def get(self, key: str) -> Values | None:
        """Return what a replay brought, or None if it was not lived."""
        return self._found.get(key)

    def __getitem__(self, key: str) -> Values:
        """Return what a replay brought that was lived."""
        return self._found[key]

    def put(self, key: str, values: Values) -> None:
        """Keep what a replay brought."""
        if key not in self._found:
            self._found[key] = values
            self._write({"key": key, "values": values})

    def _begin(self, order: dict[str, Any]) -> None:
        self._file.seek(0)
        content = self._file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._file.truncate(len(whole))
        lines = whole.splitlines()
        if not lines:
            self._write({"order": order})
            return
        try:
            first, *rest = (json.loads(line) for line in lines)
            earlier = dict(first["order"])
            self._found = {line["key"]: line["values"] for line in rest}
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise BadInputError("journal", "must be whole lines of `tune`", str(error), str(self._path)) from None
        asked = json.loads(json.dumps(order))
        for name in sorted({*asked, *earlier}):
            if asked.get(name) != earlier.get(name):
                rule = f"must be as in the search that was begun there, {json.dumps(earlier.get(name))}"
                raise BadInputError(name or "order", rule, asked.get(name), str(self._path.parent))

    def _write(self, line: dict[str, Any]) -> None:
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        self._file.write(text.encode() + b"\n")
        self._file.flush()  # a killed process loses nothing that is the system's already


def key_of(*parts: Any) -> str:
    """Return the name of a replay from all that makes it."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
