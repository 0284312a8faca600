"""Integer time and size: nanoseconds, bytes, and picoseconds a byte for rates.

A rate is kept as whole picoseconds a byte: 155 Mbit/s is 51,612.9 ns a kilobyte, which whole nanoseconds a byte
would miss by 0.7 % and 10 Gbit/s (0.8 ns a byte) altogether.
"""

from __future__ import annotations

from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

Integers = TypeVar("Integers", int, NDArray[np.int64])

US_NS: Final = 1_000
MS_NS: Final = 1_000_000
SECOND_NS: Final = 1_000_000_000
MINUTE_NS: Final = 60 * SECOND_NS
HOUR_NS: Final = 3_600 * SECOND_NS
DAY_NS: Final = 24 * HOUR_NS

# Durations and sizes stay within these: 31 years, 1 TiB, 1 Mbit/s. The longest service then fits 64 bits in ps,
# whatever other users take of a line, and so do sums of millions of the largest.
DURATION_NS_MAX: Final = 10**18
PAYLOAD_BYTES_MAX: Final = 2**40
PS_PER_BYTE_MAX: Final = 8_000_000


def ps_per_byte(mbps: float) -> int:
    """Return whole picoseconds a byte for a rate in Mbit/s (> 0), rounded up so that no rate is exceeded."""
    if not mbps > 0:
        raise ValueError(f"a rate must be positive, got {mbps}")
    return max(1, -int(-8_000_000 // mbps))


def mbps(ps_per_byte: int) -> float:
    """Return the rate in Mbit/s of a time of `ps_per_byte` (> 0) a byte."""
    return 8_000_000 / ps_per_byte


def service_ns(fixed_ns: Integers, ps_per_byte: Integers, payload_bytes: int) -> Integers:
    """Return how long one server takes for one exchange [ns], rounded up: law 3 then holds to the integer."""
    return fixed_ns - (-payload_bytes * ps_per_byte // 1_000)
