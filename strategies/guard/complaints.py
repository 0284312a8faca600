"""What the guard tells of what it refused: the first of a kind at once, the others together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from router_core.units import SECOND_NS
from strategies.decision import Decision, DecisionKind
from strategies.guard.verdict import Flaw, Stream, Verdict, reason_of

STATIONS_NAMED: Final = 3


@dataclass
class _Kind:
    told_ns: int | None = None
    count: int = 0
    stations: int = 0
    observed_ns: int = 0
    names: tuple[str, ...] = field(default=())


class Complaints:
    """Gathers verdicts by stream and flaw.

    Parameters
    ----------
    station_name : sequence of str
    summary_ns : int
        So often at most is one kind told of [ns].
    """

    def __init__(self, station_name: Sequence[str], summary_ns: int) -> None:
        self._station_name = station_name
        self._summary_ns = summary_ns
        self._of: dict[tuple[Stream, Flaw], _Kind] = {}

    def take(self, verdict: Verdict) -> None:
        """Take in a verdict with a flaw."""
        assert verdict.flaw is not None, "there is something to complain of"
        kind = self._of.setdefault((verdict.stream, verdict.flaw), _Kind())
        kind.count += 1
        kind.observed_ns = verdict.observed_ns
        if verdict.stream is Stream.TELEMETRY and len(verdict.ignored):
            kind.stations = max(kind.stations, len(verdict.ignored))
            kind.names = tuple(self._station_name[one] for one in verdict.ignored[:STATIONS_NAMED].tolist())

    def due(self, now_ns: int) -> list[Decision]:
        """Return what is to be told now."""
        told = []
        for (stream, flaw), kind in self._of.items():
            if not kind.count or (kind.told_ns is not None and now_ns < kind.told_ns + self._summary_ns):
                continue
            figures = {"count": float(kind.count)}
            if kind.stations:
                figures["stations"] = float(kind.stations)
            if kind.observed_ns:
                figures["age_s"] = (now_ns - kind.observed_ns) / SECOND_NS
            told.append(
                Decision(
                    now_ns,
                    kind.observed_ns,
                    DecisionKind.ALERT,
                    reason_of(stream, flaw),
                    (stream.value, flaw.value, *kind.names),
                    figures,
                )
            )
            self._of[stream, flaw] = _Kind(told_ns=now_ns)
        return told
