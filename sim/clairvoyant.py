"""The clairvoyant of a replay: the dynamic policy that knows the demand before it comes, and what other users take.

It is no brain but a yardstick, and the declared exception to law 6: made from the trace that it is judged on. What it
does with its knowledge is what `dynamic` does with its estimates: what lies between the two is the cost of not knowing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.exchanges import concatenate
from router_core.platform import Platform
from router_core.units import MINUTE_NS, SECOND_NS
from sim.other_users import OtherUsers
from sim.world import WorldConfig
from strategies.brain import DemandReported
from strategies.demand_report import demand_report
from strategies.dynamic.demand_now import DemandIndex
from strategies.dynamic.dynamic_brain import DynamicBrain
from strategies.static.prepare import Prepared
from strategies.surges.surge import Surge
from traces.reader import TraceReader

# Demand is known as its mean over pieces of this length, and the piece now and the next ones count: six minutes.
PIECE_NS: Final = 2 * MINUTE_NS
PIECES: Final = 3


class KnownDemand:
    """`Foreknown` demand of a trace.

    Parameters
    ----------
    platform : Platform
    trace : Path
    prepared : Prepared
    seed : int
        Of the run: other users are drawn from it.
    config : WorldConfig
    """

    def __init__(self, platform: Platform, trace: Path, prepared: Prepared, *, seed: int, config: WorldConfig) -> None:
        self._index = DemandIndex(platform.network, prepared.classes, prepared.series, prepared.plan.paths)
        self._pieces: list[tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]] = []
        with TraceReader(trace) as reader:
            zone_start = reader.info.start
            rows = concatenate(list(reader.batches(platform)))
            edges = np.arange(0, reader.info.span_ns + PIECE_NS, PIECE_NS)
        place = rows.submitted_ns.searchsorted(edges)
        for first, last, end_ns in zip(place[:-1].tolist(), place[1:].tolist(), edges[1:].tolist(), strict=True):
            known, strange = self._index.read(demand_report(rows[first:last], end_ns, end_ns, PIECE_NS))
            came = np.flatnonzero(known[0])
            self._pieces.append((came, known[:, came], strange))
        self._users = OtherUsers(platform.network, platform.background, zone_start, seed)
        self._step_ns = config.background_ns
        self._stepped_ns = -1
        self._strange = np.zeros((2, prepared.plan.paths.pair_count))
        self._bytes_per_s = np.zeros(self._index.series_count)

    def observe(self, event: DemandReported) -> None:
        """Learn nothing from what it knew."""

    def follow(self, surges: Sequence[Surge]) -> None:
        """Learn nothing from what it knew."""

    def rates(self, now_ns: int) -> NDArray[np.float64]:
        """Exchanges a second of each series in this piece and the next, (D,)."""
        first = now_ns // PIECE_NS
        result = np.zeros(self._index.series_count)
        self._bytes_per_s[:] = 0.0
        self._strange[:] = 0.0
        seconds = PIECES * PIECE_NS / SECOND_NS
        for came, known, strange in self._pieces[first : first + PIECES]:
            result[came] += known[0] / seconds
            self._bytes_per_s[came] += known[1] / seconds
            self._strange += strange / seconds
        return result

    def by_pair(self, rates: NDArray[np.float64], *, strange: bool = True) -> NDArray[np.float64]:
        """Exchanges and true bytes a second of each pair of groups, (2, pairs), as of the instant last asked for.

        Of the series that have a rate here; those of others are left out.
        """
        known = self._index.by_pair(rates, np.where(rates > 0, self._bytes_per_s, 0.0))
        return known + self._strange if strange else known

    def others(self, now_ns: int) -> NDArray[np.float64]:
        """Share of each line that other users take now, (L,)."""
        while self._stepped_ns < 0 or self._stepped_ns + self._step_ns <= now_ns:
            self._stepped_ns = 0 if self._stepped_ns < 0 else self._stepped_ns + self._step_ns
            self._users.step(self._stepped_ns)
        return self._users.fraction


def clairvoyant(
    platform: Platform, trace: Path, prepared: Prepared, *, start: datetime, seed: int, config: WorldConfig
) -> DynamicBrain:
    """Return the yardstick for one replay of a trace.

    Parameters
    ----------
    start : datetime
        Local time of the run's instant 0, without a zone.
    platform, trace, prepared, seed, config
        As of `KnownDemand`.
    """
    known = KnownDemand(platform, trace, prepared, seed=seed, config=config)
    return DynamicBrain(platform.network, prepared, start, transport=platform.transport, foreknown=known)
