"""The particles of the last rounds: what was sent, what came back, and what is not to be believed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError
from strategies.brain import ParticlesCollected, SendParticles
from strategies.particles.tomography_kernels import merge_visits

NOT_COME: Final = -1


@dataclass(eq=False)
class SentRound:
    """Particles of a round, n rows, and what is known of them by now.

    Attributes
    ----------
    sent_ns : int
    collect_ns : int
    start : int64 (n + 1,)
    station : int32
    visits : float64
        Each station once a route, and how often it is passed.
    size : float64 (n,)
    delay_ns : int64 (n,)
        Time under way of those that came [ns], `NOT_COME` for the others.
    due : bool
        Whether it was collected: what has not come by then is lost or late.
    """

    sent_ns: int
    collect_ns: int
    start: NDArray[np.int64]
    station: NDArray[np.int32]
    visits: NDArray[np.float64]
    size: NDArray[np.float64]
    delay_ns: NDArray[np.int64]
    due: bool = False


class ParticleLog:
    """Keeps rounds for so long, and refuses by rule what cannot be; `refused` counts by the rule's name.

    - ``unknown``: of a round that was not sent, or is forgotten; or of a particle that the round does not have.
    - ``duplicate``: it came before.
    - ``absurd``: sent at another instant than told, come before it was sent, or after it was collected.
    - ``clock``: of a round in which all came shifted alike; see `tomography`.

    Parameters
    ----------
    stations : int
        Number of stations.
    keep_ns : int
        Rounds older than this are forgotten [ns].
    rows_max : int
        So are the oldest ones where there are more particles than this.
    """

    def __init__(self, stations: int, keep_ns: int, rows_max: int) -> None:
        self._stations = stations
        self._keep_ns = keep_ns
        self._rows_max = rows_max
        self.rounds: dict[int, SentRound] = {}
        self.refused: Counter[str] = Counter()
        self._last_round = -1

    def sent(self, command: SendParticles, now_ns: int) -> None:
        """Take note of a round that sets out.

        Raises
        ------
        BadInputError
            If its number is not above those before, or a station is none of the network's.
        """
        if command.round <= self._last_round:
            raise BadInputError("particles.round", f"must be above {self._last_round}", command.round)
        wrong = np.flatnonzero((command.route_station < 0) | (command.route_station >= self._stations))
        if len(wrong):
            value = int(command.route_station[wrong[0]])
            raise BadInputError(f"particles.route_station[{wrong[0]}]", f"must lie in 0..{self._stations - 1}", value)
        self._last_round = command.round
        count, room = len(command.payload_bytes), len(command.route_station)
        start, station = np.empty(count + 1, dtype=np.int64), np.empty(room, dtype=np.int32)
        visits = np.empty(room)
        mark = np.full(self._stations, -1, dtype=np.int64)
        used = merge_visits(command.route_start, command.route_station, mark, start, station, visits)
        self.rounds[command.round] = SentRound(
            now_ns,
            command.collect_ns,
            start,
            station[:used],
            visits[:used],
            command.payload_bytes.astype(np.float64),
            np.full(count, NOT_COME, dtype=np.int64),
        )

    def forget(self, now_ns: int) -> None:
        """Drop rounds that are too old or too many."""
        rows = 0
        for number in sorted(self.rounds, reverse=True):
            rows += len(self.rounds[number].size)
            if rows > self._rows_max or now_ns - self.rounds[number].sent_ns > self._keep_ns:
                del self.rounds[number]

    def collect(self, event: ParticlesCollected) -> dict[int, NDArray[np.int64]]:
        """Take in what was collected, and return the particles that newly came, by round; their times are not kept yet.

        Raises
        ------
        BadInputError
            If the columns are not of one length and of whole numbers.
        """
        columns = {name: getattr(event, name) for name in ("round", "particle", "sent_ns", "received_ns")}
        for name, column in columns.items():
            if column.ndim != 1 or column.shape != event.round.shape or not np.issubdtype(column.dtype, np.integer):
                rule = f"must be whole numbers of shape {event.round.shape}"
                raise BadInputError(f"particles.{name}", rule, f"{column.dtype} {column.shape}")
        came: dict[int, NDArray[np.int64]] = {}
        for number in np.unique(event.round).tolist():
            rows = event.round == number
            known = self.rounds.get(number)
            if known is None:
                self.refused["unknown"] += int(rows.sum())
                continue
            particle, sent_ns, received_ns = (
                column[rows].astype(np.int64) for column in (event.particle, event.sent_ns, event.received_ns)
            )
            delays = self._of_round(known, particle, sent_ns, received_ns, event.now_ns)
            if delays is not None:
                came[number] = delays
        return came

    def _of_round(
        self,
        known: SentRound,
        particle: NDArray[np.int64],
        sent_ns: NDArray[np.int64],
        received_ns: NDArray[np.int64],
        now_ns: int,
    ) -> NDArray[np.int64] | None:
        """Return the times of a round's particles that newly came (n,), `NOT_COME` for the others; None if none did."""
        known.due = known.due or now_ns >= known.sent_ns + known.collect_ns
        inside = (particle >= 0) & (particle < len(known.size))
        self.refused["unknown"] += int((~inside).sum())
        here = inside & (received_ns != NOT_COME)
        good = here & (sent_ns == known.sent_ns) & (received_ns > sent_ns) & (received_ns <= now_ns)
        self.refused["absurd"] += int((here & ~good).sum())
        rows, first = np.unique(particle[good], return_index=True)
        fresh = known.delay_ns[rows] == NOT_COME
        self.refused["duplicate"] += int(good.sum() - fresh.sum())
        if not fresh.any():
            return None
        delays = np.full(len(known.size), NOT_COME, dtype=np.int64)
        delays[rows[fresh]] = (received_ns[good] - sent_ns[good])[first[fresh]]
        return delays
