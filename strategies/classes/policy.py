"""The policy template of a class, from what is observed of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.units import HOUR_NS, MINUTE_NS
from router_core.vocabulary import Mode
from strategies.classes.class_model import PolicyTemplate

BULK_MODES: Final = (Mode.FRONT_END, Mode.BATCH)
# Almost all exchanges of a class must be bulk before the class is held back as one.
BULK_SHARE: Final = 0.95
LARGE_DIGITS: Final = 19  # half a mebibyte and more: smaller ones fill no valley
LEAD_MIN_NS: Final = 30 * MINUTE_NS
LEAD_SHARE: Final = 0.01  # of the exchanges may have less lead than the class is planned with
# What is kept of the lead for the transfer itself. Half a gigabyte takes 26 s of a free line of 155 Mbit/s, and
# minutes of a loaded one, several hops in a row; and what is released together queues.
MARGIN_SHARE: Final = 0.25
MARGIN_MIN_NS: Final = 10 * MINUTE_NS
# Without a deadline nothing is late, but nobody waits longer than the night is.
HOLD_CAP_NS: Final = 6 * HOUR_NS
WHOLE_DIGITS: Final = 20  # up to a mebibyte an exchange travels whole
CHUNK_DIGITS: Final = (18, 22)  # 256 KiB to 4 MiB
CHUNKS: Final = 4  # binary digits that an ordinary exchange has more than its chunks: sixteen of them
PATHS_BULK: Final = 4
PATHS: Final = 2
FORECAST: Final = "auto"


@dataclass(frozen=True, eq=False)
class ClassFacts:
    """What is known of the members of one class; exchanges weigh.

    Attributes
    ----------
    mode_share : float64 (4,)
    priority : int
        That of most exchanges.
    lead_ns : int64 (n,)
        Least lead of each relation [ns], -1 for none.
    exchanges : float64 (n,)
        Of each relation.
    sizes : float64 (SIZE_BINS,)
        Exchanges by binary digits of their payload.
    """

    mode_share: NDArray[np.float64]
    priority: int
    lead_ns: NDArray[np.int64]
    exchanges: NDArray[np.float64]
    sizes: NDArray[np.float64]

    @property
    def lead_least_ns(self) -> int:
        """Lead that all but a hundredth of the exchanges have [ns]; -1: they have no deadline."""
        lead = np.where(self.lead_ns < 0, np.iinfo(np.int64).max, self.lead_ns)
        order = np.argsort(lead, kind="stable")
        cumulative = np.cumsum(self.exchanges[order])
        found = int(np.searchsorted(cumulative, LEAD_SHARE * cumulative[-1], side="right"))
        least = int(lead[order[min(found, len(order) - 1)]])
        return -1 if least == np.iinfo(np.int64).max else least

    def digits(self, share: float) -> int:
        """Binary digits that this share of the exchanges do not exceed."""
        cumulative = np.cumsum(self.sizes)
        return int(np.searchsorted(cumulative, share * cumulative[-1]))


def policy_of(facts: ClassFacts) -> PolicyTemplate:
    """Return how exchanges of the class are to be treated.

    Deferrable is bulk alone: files and batches, mostly of half a mebibyte and more, with half an hour or more until
    the deadline. They are held no longer than leaves a quarter of the lead, and ten minutes, for the transfer.
    """
    bulk = float(facts.mode_share[list(BULK_MODES)].sum()) >= BULK_SHARE and facts.digits(0.5) >= LARGE_DIGITS
    lead_ns = facts.lead_least_ns
    deferrable = bulk and (lead_ns < 0 or lead_ns >= LEAD_MIN_NS)
    hold_ns = 0
    if deferrable:
        margin_ns = max(MARGIN_MIN_NS, int(lead_ns * MARGIN_SHARE))
        hold_ns = HOLD_CAP_NS if lead_ns < 0 else min(HOLD_CAP_NS, lead_ns - margin_ns)
    chunk_bytes = 0
    if facts.digits(0.95) > WHOLE_DIGITS:
        chunk_bytes = 1 << int(np.clip(facts.digits(0.5) - CHUNKS, *CHUNK_DIGITS))
    return PolicyTemplate(
        priority=facts.priority,
        deferrable=deferrable,
        hold_max_ns=hold_ns,
        chunk_bytes=chunk_bytes,
        paths=PATHS_BULK if bulk else PATHS,
        forecast=FORECAST,
    )
