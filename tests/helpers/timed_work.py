"""Work for processes of their own; it imports little, so that they are soon up."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from router_core.errors import BadInputError

FAILS, DIES = 3.0, 7.0


def timed_work(seconds: float, tell: Callable[[float], None]) -> float:
    if seconds == FAILS:
        raise BadInputError("number", "three is right out", seconds)
    if seconds == DIES:
        os._exit(7)
    tell(0.5)
    time.sleep(seconds)
    return 1 + seconds
