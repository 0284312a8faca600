"""How exchanges are carried: in chunks, and with so many retries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from router_core.errors import BadInputError
from router_core.units import DURATION_NS_MAX, PAYLOAD_BYTES_MAX, SECOND_NS

WHOLE: Final = 0
# The largest exchange then has 2**30 chunks, so a chunk's number fits 31 bits.
CHUNK_BYTES_MIN: Final = 2**10
RETRIES_MAX: Final = 1_000


@dataclass(frozen=True)
class Transport:
    """How every exchange of a platform is carried.

    Attributes
    ----------
    chunk_bytes : int
        An exchange larger than this moves in chunks of so many bytes; `WHOLE`: always as a whole.
    retries_max : int
        How often a chunk that failed is tried again before its exchange is given up.
    backoff_ns, backoff_ns_max : int
        Wait before the first retry, doubled for each further one up to the latter [ns], at least 1.
    """

    chunk_bytes: int = WHOLE
    retries_max: int = 30
    backoff_ns: int = SECOND_NS
    backoff_ns_max: int = 300 * SECOND_NS

    def __post_init__(self) -> None:
        if self.chunk_bytes != WHOLE and not CHUNK_BYTES_MIN <= self.chunk_bytes <= PAYLOAD_BYTES_MAX:
            rule = f"must be {WHOLE} or lie in {CHUNK_BYTES_MIN}..{PAYLOAD_BYTES_MAX}"
            raise BadInputError("transport.chunk_bytes", rule, self.chunk_bytes)
        for name, value, low, high in (
            ("retries_max", self.retries_max, 0, RETRIES_MAX),
            ("backoff_ns", self.backoff_ns, 1, DURATION_NS_MAX),
            ("backoff_ns_max", self.backoff_ns_max, self.backoff_ns, DURATION_NS_MAX),
        ):
            if not low <= value <= high:
                raise BadInputError(f"transport.{name}", f"must lie in {low}..{high}", value)

    def backoff(self, failures: int) -> int:
        """Return how long a chunk waits that has failed so many times, at least once [ns]."""
        doublings = min(failures - 1, self.backoff_ns_max.bit_length())
        return min(self.backoff_ns << doublings, self.backoff_ns_max)

    def chunk_count(self, payload_bytes: int) -> int:
        """Return in how many chunks an exchange of this size moves."""
        return 1 if self.chunk_bytes == WHOLE else max(1, -(-payload_bytes // self.chunk_bytes))
