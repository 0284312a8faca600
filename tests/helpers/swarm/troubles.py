"""What may go wrong in a world, and when: a schedule drawn from a stream of its own.

Swarm testing (Groce et al., 2012): a world has only some of the kinds, so that none hides another. Everything is over
before the trace ends, but for what is lasting by its nature, so that the world can be asked to come to rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Final

import numpy as np

from router_core.randomness import stream
from router_core.units import SECOND_NS


class Kind(StrEnum):
    """Kinds of trouble."""

    # In the network that is simulated.
    NODE_CRASH = "node-crash"
    LINE_CUT = "line-cut"
    SLOW_LINE = "slow-line"
    POOL_EMPTY = "pool-empty"
    # Between front-ends, monitoring and the centre.
    PARTITION = "partition"
    BAD_WIRE = "bad-wire"
    BUNDLE_CORRUPTED = "bundle-corrupted"
    BUNDLE_REPLAYED = "bundle-replayed"
    TELEMETRY_LOST = "telemetry-lost"
    TELEMETRY_TWICE = "telemetry-twice"
    TELEMETRY_LATE = "telemetry-late"
    TELEMETRY_REORDERED = "telemetry-reordered"
    TELEMETRY_ABSURD = "telemetry-absurd"
    # On machines.
    FEED_DOWN = "feed-down"
    CENTRE_LOST = "centre-lost"
    AGENT_KILLED = "agent-killed"
    POWER_LOST = "power-lost"
    CLOCK_SKEW = "clock-skew"
    DISK_FULL = "disk-full"
    DISK_FAILING = "disk-failing"
    BUNDLE_ROTTEN = "bundle-rotten"
    # By people.
    TOPOLOGY_STALE = "topology-stale"
    KEY_ROTATED = "key-rotated"


@dataclass(frozen=True)
class Trouble:
    """One trouble.

    Attributes
    ----------
    kind : Kind
    from_ns, until_ns : int
        In force from the one instant of the trace until before the other [ns].
    whom : int
        Drawn; who it strikes is this modulo how many there are.
    strength : float
        In [0, 1); what it means depends on the kind.
    """

    kind: Kind
    from_ns: int
    until_ns: int
    whom: int
    strength: float

    def holds(self, now_ns: int) -> bool:
        """Whether it is in force."""
        return self.from_ns <= now_ns < self.until_ns

    def __str__(self) -> str:
        begin, end = self.from_ns / SECOND_NS, self.until_ns / SECOND_NS
        return f"{self.kind} {begin:.1f}..{end:.1f} s, whom {self.whom}, strength {self.strength:.2f}"


ENABLED: Final = 0.25
EACH_MAX: Final = 3
PAIRS: Final = tuple(combinations(Kind, 2))


def drawn_kinds(seed: int) -> tuple[Kind, ...]:
    """Kinds that the world of a seed has; sometimes none at all."""
    draw = stream(seed, "kinds")
    if draw.random() < 0.03:
        return ()
    found = tuple(kind for kind in Kind if draw.random() < ENABLED)
    return found or (list(Kind)[int(draw.integers(len(Kind)))],)


def drawn_troubles(seed: int, kinds: tuple[Kind, ...], span_ns: int) -> tuple[Trouble, ...]:
    """Draw when and whom each kind strikes; a kind draws from a stream of its own."""
    found: list[Trouble] = []
    for kind in kinds:
        draw = stream(seed, f"trouble {kind}")
        for _ in range(int(draw.integers(1, EACH_MAX + 1))):
            found.append(_drawn(kind, draw, span_ns))
            if kind is Kind.KEY_ROTATED:
                break  # once is what a window of a quarter of an hour can hold
    return tuple(sorted(found, key=lambda one: (one.from_ns, one.kind, one.whom)))


def _drawn(kind: Kind, draw: np.random.Generator, span_ns: int) -> Trouble:
    last_ns = span_ns * 9 // 10
    begin_ns = int(draw.integers(0, last_ns))
    # Some are short, as a restart is; some last for most of the run.
    longest_ns = (last_ns - begin_ns) if draw.random() < 0.3 else min(last_ns - begin_ns, 90 * SECOND_NS)
    end_ns = begin_ns + int(draw.integers(1, longest_ns + 1))
    return Trouble(kind, begin_ns, end_ns, int(draw.integers(0, 1_000)), float(draw.random()))
