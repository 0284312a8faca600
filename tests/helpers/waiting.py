"""Wait for what happens elsewhere: as long as a busy machine may need, and no longer than it takes."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something holds; that it never does fails the test."""
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends, f"it does not come to hold in {seconds:.0f} s"
        time.sleep(0.01)
