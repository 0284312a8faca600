"""Rounds of test particles for tests, from plain rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from strategies.brain import SendParticles

# Stations from endpoint to endpoint, bytes, class.
ParticleRow = tuple[Sequence[int], int, int]


def round_of(rows: Iterable[ParticleRow], number: int = 0, collect_ns: int = 1) -> SendParticles:
    """Make a round of these particles."""
    rows = list(rows)
    return SendParticles(
        number,
        np.cumsum([0, *(len(stations) for stations, _, _ in rows)], dtype=np.int64),
        np.array([station for stations, _, _ in rows for station in stations], dtype=np.int32),
        np.array([payload_bytes for _, payload_bytes, _ in rows], dtype=np.int64),
        np.array([priority for _, _, priority in rows], dtype=np.int8),
        collect_ns,
    )
