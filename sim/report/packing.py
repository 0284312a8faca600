"""Tables of bytes for a page: what lasts is packed away, and the browser unpacks it when it is wanted."""

from __future__ import annotations

import zlib
from base64 import b64encode
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Twelve steps to each doubling: a count read back is within 3 % of what was counted, up to 2.5 million.
STEPS_PER_DOUBLING: Final = 12


def packed(table: NDArray[np.uint8]) -> str:
    """Return a table's rows as differences from column to column (modulo 256), deflated (zlib), in base64.

    Loads hardly change from slot to slot, and most rows are idle most of the time; `unpack` in packing.js reads it.
    """
    if table.dtype != np.uint8 or table.ndim != 2:
        raise AssertionError("only tables of bytes are packed")
    steps = np.diff(table, axis=1, prepend=np.uint8(0))
    return b64encode(zlib.compress(steps.tobytes(), 9)).decode("ascii")


def in_doublings(counts: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return counts on a scale of doublings, 0 for 0: round(12 log2(1 + count)), at most 255."""
    steps: NDArray[np.float64] = np.minimum(STEPS_PER_DOUBLING * np.log2(1.0 + counts), 255.0)
    return np.rint(steps).astype(np.uint8)
