"""The platform as it was before a change that somebody has not heard of."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import scenarios
from router_core.network import Network

_DELAY = re.compile(r"propagation_ms = ([0-9.]+)")


@lru_cache(maxsize=32)
def stale_network(text: str) -> Network:
    """Return the network of a scenario one line of which was longer: same names, another digest."""
    changed = _DELAY.sub(lambda found: f"propagation_ms = {float(found[1]) + 0.5}", text, count=1)
    assert changed != text, "a line of the scenario says how long it is"
    with TemporaryDirectory() as folder:
        path = Path(folder) / "stale.toml"
        path.write_text(changed, encoding="utf-8")
        return scenarios.load(str(path)).network
