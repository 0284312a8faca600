"""The `[transport]` table of a scenario file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from router_core.errors import BadInputError
from router_core.transport import CHUNK_BYTES_MIN, RETRIES_MAX, WHOLE, Transport
from router_core.units import PAYLOAD_BYTES_MAX, SECOND_NS
from scenarios.model import Model, nanoseconds
from scenarios.model_service import MB

_PLAIN = Transport()
Seconds = Annotated[float, Field(ge=0.001, le=1e7)]


class TransportModel(Model):
    """How exchanges are carried: one larger than `chunk_mb` in chunks of so much [MB of 10^6 bytes], or all as a whole.

    A chunk that fails tries again after `backoff_s`, twice that, and so on up to `backoff_max_s` [s]; after `retries`
    of these its exchange is given up. A composition takes its template's.
    """

    chunk_mb: Annotated[float, Field(ge=CHUNK_BYTES_MIN / MB, le=PAYLOAD_BYTES_MAX / MB)] | None = None
    retries: Annotated[int, Field(ge=0, le=RETRIES_MAX)] = _PLAIN.retries_max
    backoff_s: Seconds = _PLAIN.backoff_ns / SECOND_NS
    backoff_max_s: Seconds = _PLAIN.backoff_ns_max / SECOND_NS

    def transport(self) -> Transport:
        """Check the rule between keys and convert to integer bytes and ns."""
        if self.backoff_max_s < self.backoff_s:
            raise BadInputError("transport.backoff_max_s", "must not be below backoff_s", self.backoff_max_s)
        return Transport(
            WHOLE if self.chunk_mb is None else round(self.chunk_mb * MB),
            self.retries,
            nanoseconds(self.backoff_s, SECOND_NS),
            nanoseconds(self.backoff_max_s, SECOND_NS),
        )
