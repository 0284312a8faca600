"""How often Python looks for garbage while a world runs."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# Next to none of a run's objects lie in cycles, which is all the collector is for, and a day of a province has it look
# through every route two thousand times: an eighth of the run. So it looks once in so many new objects.
NEW_OBJECTS: Final = 50_000


@contextmanager
def collected_rarely() -> Iterator[None]:
    """Let the collector look less often until the block is left."""
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], NEW_OBJECTS) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
