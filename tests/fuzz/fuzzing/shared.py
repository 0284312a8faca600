"""A page of memory that a worker and who watches it share: so nothing is lost when the worker dies at once."""

from __future__ import annotations

import mmap
import os
import struct
import time
from pathlib import Path
from typing import Final

_HEAD: Final = struct.Struct("<QQQdQ")
BYTES_MAX: Final = 256 << 10


class Page:
    """Counts of inputs, and the input under way.

    Parameters
    ----------
    path : Path
        Made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        size = _HEAD.size + BYTES_MAX
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(handle, size)
            self._map = mmap.mmap(handle, size)
        finally:
            os.close(handle)

    def begin(self, inputs: int, taken: int, findings: int, data: bytes) -> None:
        """Say that an input begins, after so many others."""
        self._map[_HEAD.size : _HEAD.size + len(data)] = data
        _HEAD.pack_into(self._map, 0, inputs, taken, findings, time.monotonic(), len(data))

    @property
    def inputs(self) -> int:
        """Inputs so far."""
        return int(_HEAD.unpack_from(self._map)[0])

    @property
    def taken(self) -> int:
        """Those of them that were not refused."""
        return int(_HEAD.unpack_from(self._map)[1])

    @property
    def findings(self) -> int:
        """What was found, each place once."""
        return int(_HEAD.unpack_from(self._map)[2])

    @property
    def began_s(self) -> float:
        """When the last input began, by the monotonic clock; 0: none did."""
        return float(_HEAD.unpack_from(self._map)[3])

    @property
    def data(self) -> bytes:
        """The last input."""
        length = int(_HEAD.unpack_from(self._map)[4])
        return bytes(self._map[_HEAD.size : _HEAD.size + length])
