"""What a replay leaves behind: the tables of its result folder. `sim.result_folder` writes and reads them.

A result folder holds, for one trace replayed under one or more brains::

    run.json                   provenance, scenario, start, slot length, names of the brains
    network.json               nodes, directed lines and stations, as far as a report shows them
    <brain>/metrics.json       counts, completion times, tails, tide, busiest stations
    <brain>/stations.parquet   utilisation, queue, services, spills and failures of each station in each slot
    <brain>/pairs.parquet      completion times of each pair of endpoints
    <brain>/lines.parquet      what other users took of each line in each hour, as telemetry told it
    <brain>/modes.parquet      bytes of each endpoint in each hour by delivery mode and class (`sim.mode_table`)
    <brain>/plan.json          what was planned, slot by slot: only of brains that carry out a prepared plan
    <brain>/decisions.parquet  what was decided, when and why (`sim.decision_log`): only of brains that log any
    <brain>/policy/            which ways each pair had and what was known of them (`sim.policy_table`), only of brains
                               that keep records of it:
        records.parquet        one row a policy: since when, why, by what, how exactly it is stored
        paths.parquet          all paths that pairs can have, and their stations
        ends.parquet           the group of each endpoint, as paths join groups
        weights.parquet        weights of the paths of pairs that a policy split otherwise than the one before
        states.parquet         what was known of stations of which it was otherwise than before

Every table checks itself, when a replay makes it as much as when a report reads it back; what breaks a rule raises
`BadInputError`, or pydantic's `ValidationError` where a value has the wrong type or range. Keys and columns that are
not described here are additions of a later version and are left alone; whatever else changes gets a new `FORMAT`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NaiveDatetime, model_validator

from router_core.errors import BadInputError
from router_core.network import NO_CARRIER, Network
from router_core.units import mbps
from router_core.vocabulary import Level, Mode, NodeKind, StationRole
from strategies.decision import DecisionKind

FORMAT: Final = 2
NO_TIME_NS: Final = -1

# Utilisation is stored as float32, and a share of servers may end a rounding above 1.
UTILISATION_MAX: Final = 1.0 + 1e-6


def _one_of(*words: str) -> AfterValidator:
    def check(value: str) -> str:
        if value not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return value

    return AfterValidator(check)


def word(member: NodeKind | Level | StationRole | Mode) -> str:
    """Return the word that stands for a member of the vocabulary in result files: its name in lower case."""
    return member.name.lower()


Amount = Annotated[int, Field(ge=0, lt=2**63)]
Index = Annotated[int, Field(ge=0, lt=2**31)]
Share = Annotated[float, Field(ge=0.0, le=UTILISATION_MAX)]
Degrees = Annotated[float, Field(ge=-360.0, le=360.0)]
# A brain's name is a folder's name too.
BrainName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=60)]
ModeWord = Annotated[str, _one_of(*(word(mode) for mode in Mode))]
KindWord = Annotated[str, _one_of(*(word(kind) for kind in NodeKind))]
LevelWord = Annotated[str, _one_of(*(word(level) for level in Level))]
RoleWord = Annotated[str, _one_of(*(word(role) for role in StationRole))]
DecisionWord = Annotated[str, _one_of(*DecisionKind)]


class _Table(BaseModel):
    """No NaN or infinity, no change after it was made."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


def _same_length(place: str, **columns: list[Any]) -> None:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise BadInputError(place, "its columns must have one length", lengths)


class Provenance(_Table):
    """Where a result comes from: enough to make it again.

    Attributes
    ----------
    command : str
        The command line as typed.
    version, commit : str
        Of this project; `commit` is None outside a checkout.
    scenario : str
        Name of the scenario, or its file.
    scenario_digest, trace_digest : str
        SHA-256 in hex.
    faults_digest, prepared_digest, setting_digest : str or None
        SHA-256 of the fault file, of the brain file, and of the setting file; None without one.
    seed : int
    """

    command: str
    version: str
    commit: str | None
    scenario: str
    scenario_digest: str
    trace_digest: str
    faults_digest: str | None = None
    prepared_digest: str | None = None
    setting_digest: str | None = None
    seed: int


class ScenarioTitle(_Table):
    """How the scenario is called, also for readers."""

    name: str
    title_en: str
    title_zh: str


class Run(_Table):
    """run.json.

    Attributes
    ----------
    format : int
        Version of this folder's layout, 2.
    provenance : Provenance
    scenario : ScenarioTitle
    start : datetime
        Local date and time at which the trace begins, without a time zone.
    slot_ns : int
        Length of a slot of `stations.parquet` [ns].
    brains : list of str
        Folders of the brains, in the order to show; the first is what others are compared with.
    """

    format: Literal[2] = FORMAT
    provenance: Provenance
    scenario: ScenarioTitle
    start: NaiveDatetime
    slot_ns: Annotated[int, Field(ge=1, lt=2**63)]
    brains: Annotated[list[BrainName], Field(min_length=1)]

    @model_validator(mode="after")
    def _check(self) -> Run:
        if len(set(self.brains)) < len(self.brains):
            raise BadInputError("brains", "must be named once each", self.brains)
        return self


class NodeTable(_Table):
    """Nodes in the order of their indices: what they are, their site's number, longitude and latitude [degrees]."""

    name: list[str]
    label_zh: list[str]
    kind: list[KindWord]
    level: list[LevelWord]
    site: list[Annotated[int, Field(ge=-(2**31), lt=2**31)]]
    xy: list[tuple[Degrees, Degrees]]

    @model_validator(mode="after")
    def _check(self) -> NodeTable:
        _same_length("nodes", **dict(self))
        return self


class LineTable(_Table):
    """Directed lines: ends as node indices, carrier (None: nobody's), cable, station index, rate [Mbit/s]."""

    source: list[Index]
    target: list[Index]
    carrier: list[str | None]
    cable: list[Index]
    station: list[Index]
    rate_mbps: list[Annotated[float, Field(gt=0.0)]]

    @model_validator(mode="after")
    def _check(self) -> LineTable:
        _same_length("lines", **dict(self))
        return self


class StationTable(_Table):
    """Stations in the order of their indices: name, role, owner (index of a line or, for other roles, of a node)."""

    name: list[str]
    role: list[RoleWord]
    owner: list[Index]

    @model_validator(mode="after")
    def _check(self) -> StationTable:
        _same_length("stations", **dict(self))
        return self


class NetworkTable(_Table):
    """network.json: the network as far as a report shows it."""

    nodes: NodeTable
    lines: LineTable
    stations: StationTable

    @model_validator(mode="after")
    def _check(self) -> NetworkTable:
        nodes, lines, stations = len(self.nodes.name), len(self.lines.source), len(self.stations.name)
        for place, column, size in (
            ("lines.source", self.lines.source, nodes),
            ("lines.target", self.lines.target, nodes),
            ("lines.station", self.lines.station, stations),
        ):
            if column and max(column) >= size:
                raise BadInputError(place, f"must lie below {size}", max(column))
        for station, (role, owner) in enumerate(zip(self.stations.role, self.stations.owner, strict=True)):
            size = lines if role == word(StationRole.LINE) else nodes
            if owner >= size:
                raise BadInputError(f"stations.owner.{station}", f"must lie below {size}", owner)
        return self


class Counts(_Table):
    """Exchanges, or their bytes: submitted = delivered + in flight + refused (law 1)."""

    submitted: Amount
    delivered: Amount
    in_flight: Amount
    refused: Amount

    @model_validator(mode="after")
    def _check(self) -> Counts:
        if self.submitted != self.delivered + self.in_flight + self.refused:
            rule = "submitted must equal delivered + in_flight + refused"
            raise BadInputError("counts", rule, dict(self))
        return self


class Completion(_Table):
    """Completion times of delivered exchanges [ns]; times are None exactly when `count` is 0.

    Attributes
    ----------
    count, bytes : int
        Delivered exchanges and their bytes.
    p50_ns, p95_ns, p99_ns, p999_ns, max_ns, mean_ns : int or None
        Percentiles, maximum and mean, from submission to delivery [ns].
    deadline_total, deadline_missed : int
        Exchanges that had a deadline, and those of them that were late or had not arrived when it passed.
    """

    count: Amount
    bytes: Amount
    p50_ns: Amount | None
    p95_ns: Amount | None
    p99_ns: Amount | None
    p999_ns: Amount | None
    max_ns: Amount | None
    mean_ns: Amount | None
    deadline_total: Amount
    deadline_missed: Amount

    @model_validator(mode="after")
    def _check(self) -> Completion:
        times = (self.p50_ns, self.p95_ns, self.p99_ns, self.p999_ns, self.max_ns)
        given = [time for time in times if time is not None]
        if self.count == 0 and (given or self.mean_ns is not None):
            raise BadInputError("completion", "has no times without a delivered exchange", dict(self))
        if self.count > 0 and (len(given) < len(times) or self.mean_ns is None):
            raise BadInputError("completion", "needs every time once an exchange was delivered", dict(self))
        if given != sorted(given):
            raise BadInputError("completion", "percentiles must not decrease", given)
        if self.deadline_missed > self.deadline_total:
            rule = f"must be at most deadline_total, {self.deadline_total}"
            raise BadInputError("deadline_missed", rule, self.deadline_missed)
        return self


class CompletionTable(_Table):
    """Completion times of all exchanges, by delivery mode, and by priority class ("0" is the most urgent)."""

    all: Completion
    by_mode: dict[ModeWord, Completion]
    by_class: dict[str, Completion]


class Tail(_Table):
    """Share of delivered exchanges that took longer than each latency [ns]: latencies rise, shares fall."""

    latency_ns: list[Amount]
    share_above: list[Share]

    @model_validator(mode="after")
    def _check(self) -> Tail:
        _same_length("tail", latency_ns=self.latency_ns, share_above=self.share_above)
        if any(late < early for early, late in pairwise(self.latency_ns)):
            raise BadInputError("tail.latency_ns", "must not decrease", self.latency_ns)
        if any(late > early for early, late in pairwise(self.share_above)):
            raise BadInputError("tail.share_above", "must not increase", self.share_above)
        return self


class TailTable(_Table):
    """Tails of all exchanges and by delivery mode."""

    all: Tail
    by_mode: dict[ModeWord, Tail]


class Tide(_Table):
    """How exchanges came in and were delivered over the span of the trace.

    Attributes
    ----------
    start_ns : list of int
        Start of each interval, from the start of the trace [ns], ascending.
    submitted, bytes : dict of mode to list of int
        Exchanges and bytes submitted in each interval.
    delivered : list of int
        Exchanges delivered in each interval.
    """

    start_ns: list[Amount]
    submitted: dict[ModeWord, list[Amount]]
    bytes: dict[ModeWord, list[Amount]]
    delivered: list[Amount]

    @model_validator(mode="after")
    def _check(self) -> Tide:
        if self.submitted.keys() != self.bytes.keys():
            rule = "submitted and bytes must name the same modes"
            raise BadInputError("tide", rule, [*self.submitted.keys() ^ self.bytes.keys()])
        columns = {**self.submitted, **{f"{mode} bytes": column for mode, column in self.bytes.items()}}
        _same_length("tide", start_ns=self.start_ns, delivered=self.delivered, **columns)
        if any(late <= early for early, late in pairwise(self.start_ns)):
            raise BadInputError("tide.start_ns", "must increase", self.start_ns)
        return self


class ChunkCounts(_Table):
    """What befell chunks on their way, at all stations together; an exchange that moves as a whole is one chunk.

    Attributes
    ----------
    retries : int
        How often a chunk was tried again.
    spilled : int
        Chunks that had to wait on disk, counted at each station.
    failed : int
        Chunks that failed because a station was stopped.
    held_peak, retrying_peak : int
        Most chunks that waited for credit, and for their next attempt, at the end of a slot.
    """

    retries: Amount
    spilled: Amount
    failed: Amount
    held_peak: Amount
    retrying_peak: Amount


class StationLoad(_Table):
    """One of the busiest stations: utilisation in its busiest hour and slot and on average, queue, what it served."""

    station: Index
    name: str
    role: RoleWord
    busy_hour_utilisation: Share
    peak_utilisation: Share
    mean_utilisation: Share
    peak_waiting: Amount
    served: Amount
    served_bytes: Amount
    spilled: Amount
    failed: Amount


class Withheld(_Table):
    """What front-ends held back, as the brain told them.

    Attributes
    ----------
    exchanges, bytes : int
        Those accepted with a hold.
    mean_ns, max_ns : int
        Of their holds [ns].
    peak, peak_bytes : int
        Most exchanges, and most bytes, held back at the end of a slot.
    at_slot_end : list of int
        Exchanges held back at the end of each slot of the run.
    """

    exchanges: Amount
    bytes: Amount
    mean_ns: Amount
    max_ns: Amount
    peak: Amount
    peak_bytes: Amount
    at_slot_end: list[Amount]


class PoolLoad(_Table):
    """What a cloud's pool lent.

    Attributes
    ----------
    name, label_zh : str
    servers : int
        How many it has.
    peak : int
        Most lent at once, those that still start included.
    server_ns : int
        Server time lent [ns], from request to return.
    lent : list of int
        Servers lent at the end of each slot of the run.
    """

    name: str
    label_zh: str
    servers: Amount
    peak: Amount
    server_ns: Amount
    lent: list[Amount]

    @model_validator(mode="after")
    def _check(self) -> PoolLoad:
        if max([self.peak, *self.lent]) > self.servers or max(self.lent, default=0) > self.peak:
            rule = f"must lend at most {self.servers} servers, at the end of a slot at most as many as at its peak"
            raise BadInputError(f"pools.{self.name}", rule, [self.peak, max(self.lent, default=0)])
        return self


class DecisionCounts(_Table):
    """What a brain decided, in short.

    Attributes
    ----------
    by_kind : dict of str to int
        Decisions of each kind that occurs, in the order of `DecisionKind`.
    surge_noticed_s : float or None
        Median time from a surge's onset to its alarm [s]; None where no surge with an onset was found.
    """

    by_kind: dict[DecisionWord, Annotated[int, Field(ge=1, lt=2**63)]]
    surge_noticed_s: Annotated[float, Field(ge=0.0)] | None = None


class BrainMetrics(_Table):
    """metrics.json: what one brain made of the trace.

    Attributes
    ----------
    brain : str
    span_ns, ended_ns : int
        Length of the trace, and of the run with the time after it in which exchanges were still delivered [ns].
    counts, bytes : Counts
        Exchanges and their bytes.
    refused_by_reason : dict of str to int
        Refused exchanges; the sum is `counts.refused`.
    chunks : ChunkCounts
    completion : CompletionTable
    tails : TailTable
    tide : Tide
    stations : list of StationLoad
        The busiest first, by their busiest hour.
    withheld : Withheld or None
        None where nothing was held back; so it is in folders of an earlier version.
    pools : list of PoolLoad
        Pools that lent servers.
    decisions : DecisionCounts or None
        None of a brain that logs nothing; so it is in folders of an earlier version.
    """

    brain: BrainName
    span_ns: Amount
    ended_ns: Amount
    counts: Counts
    refused_by_reason: dict[str, Amount]
    bytes: Counts
    chunks: ChunkCounts
    completion: CompletionTable
    tails: TailTable
    tide: Tide
    stations: list[StationLoad]
    withheld: Withheld | None = None
    pools: list[PoolLoad] = Field(default_factory=list)
    decisions: DecisionCounts | None = None

    @model_validator(mode="after")
    def _check(self) -> BrainMetrics:
        if sum(self.refused_by_reason.values()) != self.counts.refused:
            rule = f"must sum to counts.refused, {self.counts.refused}"
            raise BadInputError("refused_by_reason", rule, self.refused_by_reason)
        if self.completion.all.count != self.counts.delivered:
            rule = f"must equal counts.delivered, {self.counts.delivered}"
            raise BadInputError("completion.all.count", rule, self.completion.all.count)
        return self


@dataclass(frozen=True, eq=False)
class StationSlots:
    """Rows of stations.parquet: only stations and slots where something is not 0.

    Attributes
    ----------
    slot, station : int32 (n,)
    utilisation : float32 (n,)
        Busy share of all the station's servers in the slot, 0..1: borrowed ones count while they serve, those lost to
        a fault as idle.
    waiting : int32 (n,)
        Chunks that wait at the slot's end.
    served, served_bytes : int64 (n,)
        Chunks whose service began in the slot, and their bytes.
    spilled, failed : int64 (n,)
        Chunks that had to wait on disk, and that failed because the station was stopped, in the slot.
    """

    slot: NDArray[np.int32]
    station: NDArray[np.int32]
    utilisation: NDArray[np.float32]
    waiting: NDArray[np.int32]
    served: NDArray[np.int64]
    served_bytes: NDArray[np.int64]
    spilled: NDArray[np.int64]
    failed: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PairTable:
    """Rows of pairs.parquet: completion times of each ordered pair of endpoints.

    Attributes
    ----------
    source, target : list of str
        Node names.
    submitted : int64 (n,)
        Exchanges submitted.
    count, bytes, deadline_total, deadline_missed : int64 (n,)
        As in `Completion`.
    p50_ns, p95_ns, p99_ns, p999_ns, max_ns : int64 (n,)
        Completion times [ns], `NO_TIME_NS` where nothing was delivered (null in the file).
    """

    source: list[str]
    target: list[str]
    submitted: NDArray[np.int64]
    count: NDArray[np.int64]
    bytes: NDArray[np.int64]
    p50_ns: NDArray[np.int64]
    p95_ns: NDArray[np.int64]
    p99_ns: NDArray[np.int64]
    p999_ns: NDArray[np.int64]
    max_ns: NDArray[np.int64]
    deadline_total: NDArray[np.int64]
    deadline_missed: NDArray[np.int64]


def network_table(network: Network) -> NetworkTable:
    """Return what a report needs of a network."""
    # A station that takes no time for a byte counts as the fastest that takes any: rates in files are finite.
    rates = [
        mbps(max(1, int(network.station_ps_per_byte[station]))) * int(network.station_servers[station])
        for station in network.line_station.tolist()
    ]
    carriers = [None if c == NO_CARRIER else network.carriers[c] for c in network.line_carrier.tolist()]
    return NetworkTable(
        nodes=NodeTable(
            name=list(network.node_name),
            label_zh=list(network.node_label_zh),
            kind=[word(NodeKind(kind)) for kind in network.node_kind.tolist()],
            level=[word(Level(level)) for level in network.node_level.tolist()],
            site=network.node_site.tolist(),
            xy=[(x, y) for x, y in network.node_xy.tolist()],
        ),
        lines=LineTable(
            source=network.line_source.tolist(),
            target=network.line_target.tolist(),
            carrier=carriers,
            cable=network.line_cable.tolist(),
            station=network.line_station.tolist(),
            rate_mbps=rates,
        ),
        stations=StationTable(
            name=list(network.station_name),
            role=[word(StationRole(role)) for role in network.station_role.tolist()],
            owner=network.station_owner.tolist(),
        ),
    )
