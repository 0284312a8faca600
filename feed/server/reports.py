"""What agents and monitoring send, as typed models, and its names made indices of the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, Protocol

import numpy as np
from pydantic import AfterValidator, AwareDatetime, Field

from feed.bundle.documents import Document, Name
from feed.clock import countable, instant_of
from feed.live.samples import AcceptedTasks, StationSamples
from router_core.network import Network
from router_core.units import SECOND_NS
from router_core.vocabulary import PRIORITY_MAX, Mode, TaskKind

AMOUNT_MAX: Final = 2**53
WINDOW_S_MAX: Final = 86_400.0
UTILISATION_MAX: Final = 1e6  # what is absurd is judged by the brain's guard: here only what cannot be a number of it

# A station's name may have parts: ``node/process``, ``source>target#cable``.
StationName = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$")]
Amount = Annotated[int, Field(ge=0, le=AMOUNT_MAX)]


class StationRow(Document):
    """One station in the window; as in `strategies.brain.TelemetryArrived`."""

    name: StationName
    utilisation: Annotated[float, Field(ge=0, le=UTILISATION_MAX)]
    waiting: Amount
    served_bytes: Amount
    up: bool


class TaskRow(Document):
    """Tasks of one kind that an endpoint accepted in the window; as in `strategies.brain.DemandReported`."""

    target: Name
    mode: Annotated[int, Field(ge=0, lt=len(Mode))]
    kind: Annotated[int, Field(ge=0, lt=len(TaskKind))]
    priority: Annotated[int, Field(ge=0, le=PRIORITY_MAX)]
    exchanges: Annotated[int, Field(ge=1, le=AMOUNT_MAX)]
    payload_bytes: Amount


class AcceptedRows(Document):
    """What one endpoint accepted."""

    source: Name
    tasks: Annotated[tuple[TaskRow, ...], Field(max_length=100_000)]


class TelemetryBatch(Document):
    """Body of ``POST /v1/telemetry``: a window, what stations did in it (0 s: whether they work), what was accepted."""

    observed: Annotated[AwareDatetime, AfterValidator(countable)]
    window_s: Annotated[float, Field(ge=0, le=WINDOW_S_MAX)]
    stations: Annotated[tuple[StationRow, ...], Field(max_length=100_000)] = ()
    accepted: AcceptedRows | None = None


class StatusReport(Document):
    """Body of ``POST /v1/status``: what became of a bundle at a front-end."""

    scope: Name
    epoch: Annotated[int, Field(ge=1, lt=2**53)]
    etag: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[0-9a-f-]+$")]
    result: Literal["ack", "nack"]
    refusal: Annotated[str, Field(max_length=40, pattern=r"^[a-z-]*$")] | None = None
    detail: Annotated[str, Field(max_length=1_000)] | None = None
    at: AwareDatetime


class RollbackRequest(Document):
    """Body of ``POST /v1/rollback``."""

    epoch: Annotated[int, Field(ge=1, lt=2**53)]
    at_once: bool = False


@dataclass(frozen=True)
class RawStations:
    """Stations by name, one entry each, before names are looked up.

    Attributes
    ----------
    observed_ns, window_ns : int
    names : sequence of str
    utilisation : sequence of float
    waiting, served_bytes : sequence of int
    up : sequence of bool
    """

    observed_ns: int
    window_ns: int
    names: Sequence[str]
    utilisation: Sequence[float]
    waiting: Sequence[int]
    served_bytes: Sequence[int]
    up: Sequence[bool]


class TelemetrySink(Protocol):
    """Takes what came in; it is not judged yet."""

    def stations(self, samples: StationSamples) -> None:
        """Take what stations did."""
        ...

    def accepted(self, tasks: AcceptedTasks) -> None:
        """Take what an endpoint accepted."""
        ...


@dataclass(frozen=True)
class Usable:
    """What of a report could be used.

    Attributes
    ----------
    stations : StationSamples or None
    accepted : AcceptedTasks or None
    unknown : int
        Rows with a name that the network has not, or has for something else.
    foreign : int
        Rows about what the client may not speak for.
    repeated : int
        Rows of a station that an earlier row has spoken of.
    """

    stations: StationSamples | None
    accepted: AcceptedTasks | None
    unknown: int
    foreign: int
    repeated: int

    @property
    def used(self) -> int:
        """Rows that could be used."""
        stations = 0 if self.stations is None else len(self.stations.station)
        return stations + (0 if self.accepted is None else len(self.accepted.target))


def raw_of(batch: TelemetryBatch) -> RawStations:
    """Return the stations of a batch."""
    rows = batch.stations
    return RawStations(
        instant_of(batch.observed),
        round(batch.window_s * SECOND_NS),
        [row.name for row in rows],
        [row.utilisation for row in rows],
        [row.waiting for row in rows],
        [row.served_bytes for row in rows],
        [row.up for row in rows],
    )


class Names:
    """Looks names up in a network.

    Parameters
    ----------
    network : Network
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._station = {name: index for index, name in enumerate(network.station_name)}
        self.scopes: dict[str, int] = {network.node_name[node]: int(node) for node in network.endpoints.tolist()}
        own: dict[str, set[int]] = {name: {int(network.node_station[node])} for name, node in self.scopes.items()}
        for (begin, end), station in network.access_station.items():
            for node in (begin, end):
                if network.is_endpoint[node]:
                    own[network.node_name[node]].add(station)
        self._own = {name: frozenset(stations) for name, stations in own.items()}

    def usable(self, raw: RawStations, accepted: AcceptedRows | None, scope: str | None) -> Usable:
        """Return what can be used of a report.

        Parameters
        ----------
        raw : RawStations
        accepted : AcceptedRows or None
        scope : str or None
            Endpoint that alone the client may speak for, with its access lines; None: it may speak for all.
        """
        unknown = foreign = repeated = 0
        own = None if scope is None else self._own.get(scope, frozenset())
        seen: set[int] = set()
        kept: list[int] = []
        index: list[int] = []
        for row, name in enumerate(raw.names):
            station = self._station.get(name)
            if station is None:
                unknown += 1
            elif own is not None and station not in own:
                foreign += 1
            elif station in seen:
                repeated += 1
            else:
                seen.add(station)
                kept.append(row)
                index.append(station)
        samples = None
        if kept:
            samples = StationSamples(
                raw.observed_ns,
                raw.window_ns,
                np.array(index, dtype=np.int32),
                np.array(raw.utilisation, dtype=np.float64)[kept],
                np.array(raw.waiting, dtype=np.int64)[kept],
                np.array(raw.served_bytes, dtype=np.int64)[kept],
                np.array(raw.up, dtype=np.bool_)[kept],
            )
        tasks = None
        if accepted is not None:
            tasks, lost = self._tasks(raw, accepted)
            if scope is not None and accepted.source != scope:
                tasks, foreign = None, foreign + len(accepted.tasks)
            else:
                unknown += lost
        return Usable(samples, tasks, unknown, foreign, repeated)

    def _tasks(self, raw: RawStations, accepted: AcceptedRows) -> tuple[AcceptedTasks | None, int]:
        source = self.scopes.get(accepted.source)
        rows = [row for row in accepted.tasks if row.target in self.scopes] if source is not None else []
        lost = len(accepted.tasks) - len(rows)
        if source is None or (accepted.tasks and not rows):
            return None, lost
        return (
            AcceptedTasks(
                raw.observed_ns,
                raw.window_ns,
                source,
                np.array([self.scopes[row.target] for row in rows], dtype=np.int32),
                np.array([row.mode for row in rows], dtype=np.int8),
                np.array([row.kind for row in rows], dtype=np.int8),
                np.array([row.priority for row in rows], dtype=np.int8),
                np.array([row.exchanges for row in rows], dtype=np.int64),
                np.array([row.payload_bytes for row in rows], dtype=np.int64),
            ),
            lost,
        )
