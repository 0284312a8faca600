"""Named random streams: one seed, one stream a consumer."""

from __future__ import annotations

from zlib import crc32

import numpy as np


def stream(seed: int, name: str) -> np.random.Generator:
    """Return the generator of the consumer `name` under `seed`.

    A new draw in one consumer leaves every other one's draws as they were.

    Parameters
    ----------
    seed : int
        Non-negative seed of the run.
    name : str
        The consumer, such as ``"background"``.
    """
    if seed < 0:
        raise ValueError(f"seed must not be negative, got {seed}")
    return np.random.default_rng([seed, crc32(name.encode())])
