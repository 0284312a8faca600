"""How often a client may ask: a bucket of tokens each, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from math import isfinite
from typing import Final

from router_core.errors import BadInputError
from router_core.units import SECOND_NS

# Beyond this nobody is told to come back later still: a clock that ran back must lock nobody out.
RETRY_S_MAX: Final = 60.0


class TokenBuckets:
    """One bucket a client; whoever was silent longest is forgotten first, and would have a full bucket soon anyway.

    Parameters
    ----------
    rate : float
        Tokens a second, > 0.
    burst : float
        Tokens in a full bucket, >= 1.
    clients_max : int
        Buckets that are remembered, >= 1.
    """

    def __init__(self, rate: float, burst: float, clients_max: int) -> None:
        for name, value, least in (("rate", rate, 0.0), ("burst", burst, 1.0), ("clients_max", clients_max, 1)):
            if not isfinite(value) or value < least or value == 0:
                raise BadInputError(f"rates.{name}", f"must be finite, above 0 and at least {least:g}", value)
        self._rate = rate
        self._burst = burst
        self._clients_max = clients_max
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, client: str, now_ns: int) -> float:
        """Take a token, and return 0; or return after how many seconds there will be one.

        Parameters
        ----------
        client : str
        now_ns : int
            Of a clock that does not run back; where it does, nothing is added until it has caught up.
        """
        tokens, since_ns = self._buckets.pop(client, (self._burst, now_ns))
        if now_ns > since_ns:
            tokens = min(self._burst, tokens + self._rate * (now_ns - since_ns) / SECOND_NS)
            since_ns = now_ns
        wait_s = 0.0
        if tokens >= 1:
            tokens -= 1
        else:
            wait_s = min((1 - tokens) / self._rate, RETRY_S_MAX)
        self._buckets[client] = tokens, since_ns
        if len(self._buckets) > self._clients_max:
            self._buckets.popitem(last=False)
        return wait_s
