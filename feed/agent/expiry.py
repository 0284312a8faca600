"""Which layer of a policy holds, by the clock: pure functions.

A layer that has lapsed stays lapsed for its epoch, whatever the clock says later: a clock that runs back would
otherwise bring routes of a moment long gone into force again. Only another epoch starts afresh, by the clock as it then
is; so a clock that leapt ahead by mistake costs the dynamic layer of one epoch, and nothing more.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from router_core.units import MINUTE_NS

# Clocks of two machines that keep time may differ by so much [ns].
SKEW_NS: Final = MINUTE_NS


class Layer(IntEnum):
    """What holds of a policy, from all of it to what is left when nobody has spoken for days."""

    DYNAMIC = 0
    STATIC = 1
    LAPSED = 2


def layer_at(now_ns: int, soft_ns: int, hard_ns: int, before: Layer = Layer.DYNAMIC) -> Layer:
    """Return which layer holds now.

    Parameters
    ----------
    now_ns, soft_ns, hard_ns : int
        This machine's time, and the policy's expiries, since 1970 [ns]. A policy without a soft part (soft >= hard)
        goes from dynamic to lapsed at once.
    before : Layer
        What held of the same epoch before; the answer is never an earlier one.
    """
    if now_ns >= hard_ns:
        return Layer.LAPSED
    return max(before, Layer.STATIC if now_ns >= soft_ns else Layer.DYNAMIC)


def next_change_ns(now_ns: int, soft_ns: int, hard_ns: int) -> int | None:
    """Return when the layer changes next by the clock, None if it does not [ns since 1970]."""
    return min((instant for instant in (soft_ns, hard_ns) if instant > now_ns), default=None)


def clock_is_behind(now_ns: int, created_ns: int) -> bool:
    """Whether this machine's clock is earlier than a policy that it already has, by more than clocks differ."""
    return now_ns < created_ns - SKEW_NS
